package query

import "bytes"

// Counts of a day slip: which outcomes a query asks for, as bits in the order of outcomes.
const allOutcomes = 1<<3 - 1

// CountsByDay reports whether q asks for outcomes alone, or for nothing, so that counts by outcome answer it, and which outcomes
// those are; nil stands for all. A query that no entry can match has none: an empty list that is not nil.
func (q *Query) CountsByDay() (wanted []string, ok bool) {
	if q.root == nil {
		return nil, true
	}
	set, ok := q.root.outcomes()
	if !ok || set == allOutcomes {
		return nil, ok
	}
	wanted = []string{}
	for i, w := range outcomes {
		if set&(1<<i) != 0 {
			wanted = append(wanted, w)
		}
	}
	return wanted, true
}

// outcomes returns the set of outcomes for which n holds, if it depends on nothing else.
func (n *node) outcomes() (set byte, ok bool) {
	if n.op == opCondition {
		if n.cond.field != fieldOutcome {
			return 0, false
		}
		for i := range n.cond.values {
			set |= 1 << n.cond.values[i].word
		}
		return set, true
	}
	for i, k := range n.kids {
		s, ok := k.outcomes()
		switch {
		case !ok:
			return 0, false
		case i == 0:
			set = s
		case n.op == opAnd:
			set &= s
		default:
			set |= s
		}
	}
	if n.op == opNot {
		set ^= allOutcomes
	}
	return set, true
}

// minLiteral is the length from which on it is worth looking for a literal.
const minLiteral = 4

// Literals returns byte strings of which the text of every matching entry holds each, if that text holds no backslash. There may be
// none. The text is the payload without its own id.
func (q *Query) Literals() [][]byte {
	if q.root == nil {
		return nil
	}
	kids := []*node{q.root}
	if q.root.op == opAnd {
		kids = q.root.kids
	}
	var out [][]byte
	for _, k := range kids {
		if k.op != opCondition || len(k.cond.values) != 1 || k.cond.compare != "" {
			continue
		}
		v := &k.cond.values[0]
		switch fields[k.cond.field].kind {
		case kindKey:
			if k.cond.field != fieldID && k.cond.field != fieldOrg {
				out = appendLiteral(out, v.is)
			}
		case kindTarget, kindWho:
			if v.of != nil {
				out = appendLiteral(appendLiteral(out, v.of), v.is)
			}
		case kindPath:
			if v.is.isPointer() {
				out = appendLiteral(out, v.is)
			}
		case kindMeta:
			if !v.numeric {
				out = appendLiteral(out, v.is)
			}
		case kindOutcome:
			if v.word != 0 { // success may be left out
				out = append(out, []byte(outcomes[v.word]))
			}
		default:
		}
	}
	return out
}

// appendLiteral appends the longest piece of p, if it is worth it and JSON writes it as it is.
func appendLiteral(out [][]byte, p pattern) [][]byte {
	var longest []byte
	for _, piece := range p {
		if len(piece) > len(longest) {
			longest = piece
		}
	}
	if len(longest) < minLiteral || bytes.ContainsFunc(longest, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) {
		return out
	}
	return append(out, longest)
}
