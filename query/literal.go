package query

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// minLiteral is the length from which on it is worth looking for a literal.
const minLiteral = 4

// Literals are byte strings that the text of every matching entry holds: a way to pass over most of a block without reading what is
// in its payloads.
type Literals struct {
	exact  [][]byte
	folded []anyCase // only if the text is ASCII: other letters fold to ASCII too
}

// Literals returns what q asks for literally. There may be nothing.
func (q *Query) Literals() Literals {
	var l Literals
	if q.root == nil {
		return l
	}
	kids := []*node{q.root}
	if q.root.op == opAnd {
		kids = q.root.kids
	}
	for _, k := range kids {
		if k.op == opCondition && len(k.cond.values) == 1 && k.cond.compare == "" {
			l.add(k.cond.field, &k.cond.values[0])
		}
	}
	return l
}

// None reports whether there is nothing to look for.
func (l *Literals) None() bool { return len(l.exact) == 0 && len(l.folded) == 0 }

// In reports whether a payload with this text can match; false is certain. The text holds no backslash, and may lack its own id.
func (l *Literals) In(text []byte) bool {
	for _, e := range l.exact {
		if !bytes.Contains(text, e) {
			return false
		}
	}
	for i := range l.folded {
		if !l.folded[i].in(text) {
			return !isASCII(text)
		}
	}
	return true
}

// String lists the literals, for tests: those in any case behind a "~".
func (l *Literals) String() string {
	var out []string
	for _, e := range l.exact {
		out = append(out, string(e))
	}
	for i := range l.folded {
		out = append(out, "~"+string(l.folded[i].text))
	}
	return strings.Join(out, " ")
}

func (l *Literals) add(f fieldNo, v *value) {
	switch fields[f].kind {
	case kindKey:
		if f != fieldID && f != fieldOrg {
			l.addExact(v.is)
		}
	case kindTarget, kindWho:
		if v.of != nil {
			l.addExact(v.of)
			l.addExact(v.is)
		} else {
			l.addFolded(longest(v.folded))
		}
	case kindName:
		l.addFolded(longest(v.folded))
	case kindText:
		for _, word := range v.phrase.words {
			l.addFolded(word)
		}
	case kindPath:
		if v.is.isPointer() {
			l.addExact(v.is)
		}
	case kindMeta:
		if !v.numeric {
			l.addExact(v.is)
		}
	case kindOutcome:
		if v.word != 0 { // success may be left out
			l.exact = append(l.exact, []byte(outcomes[v.word]))
		}
	default:
	}
}

// addExact adds the longest piece of p, if it is worth it and JSON writes it as it is.
func (l *Literals) addExact(p pattern) {
	if s := longest(p); literal(s) {
		l.exact = append(l.exact, s)
	}
}

func (l *Literals) addFolded(s []byte) {
	if literal(s) && isASCII(s) {
		l.folded = append(l.folded, newAnyCase(s))
	}
}

func longest(p pattern) (out []byte) {
	for _, piece := range p {
		if len(piece) > len(out) {
			out = piece
		}
	}
	return out
}

func literal(s []byte) bool {
	return len(s) >= minLiteral && !bytes.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' })
}

func isASCII(s []byte) bool {
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// anyCase looks for folded ASCII text in either case of its letters. It tries the places of the byte that is rarest in JSON.
type anyCase struct {
	text  []byte
	at    int     // of the rarest byte
	cases [2]byte // of it; the same twice if it is no letter
}

// frequent holds the bytes of payloads, about the most frequent first. Those it lacks are taken for the most frequent of all.
const frequent = `"eatnioersd01c:,2pl53mu4-698_7gh.fbvw/yk@xjzq`

func newAnyCase(text []byte) anyCase {
	a := anyCase{text: text}
	rank := -2
	for i, c := range text {
		if r := strings.IndexByte(frequent, c); r > rank {
			rank, a.at = r, i
		}
	}
	c := text[a.at]
	a.cases = [2]byte{c, c}
	if c >= 'a' && c <= 'z' {
		a.cases[1] = c - 'a' + 'A'
	}
	return a
}

func (a *anyCase) in(text []byte) bool {
	return a.around(a.cases[0], text) || a.cases[1] != a.cases[0] && a.around(a.cases[1], text)
}

// around looks at each place where text holds c.
func (a *anyCase) around(c byte, text []byte) bool {
	last := len(text) - len(a.text) + a.at
	for i := a.at; i <= last; i++ {
		j := bytes.IndexByte(text[i:last+1], c)
		if j < 0 {
			return false
		}
		if i += j; a.equal(text[i-a.at:]) {
			return true
		}
	}
	return false
}

// equal reports whether text begins with a.text in any case. text is at least as long.
func (a *anyCase) equal(text []byte) bool {
	for i, c := range a.text {
		if got := text[i]; got != c && (got < 'A' || got > 'Z' || got-'A'+'a' != c) {
			return false
		}
	}
	return true
}
