package query

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
