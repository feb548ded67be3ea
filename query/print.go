package query

import (
	"strings"
	"unicode/utf8"
)

// String returns the normal form: fields in lower case, single spaces, "-" for NOT, quotes only where needed, AND inside OR in
// parentheses. Parsing it gives the same query.
func (q *Query) String() string {
	if q.root == nil {
		return ""
	}
	pr := printer{explain: q.root.depth(true) <= MaxDepth}
	pr.node(q.root)
	return pr.String()
}

// printer writes the normal form.
type printer struct {
	strings.Builder
	explain bool // whether AND inside OR stands in parentheses, which are not needed
}

// depth returns how many levels of parentheses the normal form of n needs; with explain, those around AND inside OR too.
func (n *node) depth(explain bool) int {
	deepest := 0
	for _, k := range n.kids {
		d := k.depth(explain)
		if n.wraps(k, explain) {
			d++
		}
		deepest = max(deepest, d)
	}
	return deepest
}

// wraps reports whether k stands in parentheses below n.
func (n *node) wraps(k *node, explain bool) bool {
	switch n.op {
	case opNot:
		return k.op == opAnd || k.op == opOr
	case opAnd:
		return k.op == opOr
	case opOr:
		return k.op == opAnd && explain
	case opCondition:
	}
	return false
}

func (pr *printer) node(n *node) {
	switch n.op {
	case opCondition:
		pr.condition(n.cond)
		return
	case opNot:
		pr.WriteByte('-')
	case opAnd, opOr:
	}
	for i, k := range n.kids {
		switch {
		case i > 0 && n.op == opOr:
			pr.WriteString(" OR ")
		case i > 0:
			pr.WriteByte(' ')
		}
		if n.wraps(k, pr.explain) {
			pr.WriteByte('(')
			pr.node(k)
			pr.WriteByte(')')
		} else {
			pr.node(k)
		}
	}
}

func (pr *printer) condition(c *condition) {
	if c.field != fieldText {
		pr.WriteString(keyed(fields[c.field].name, c.key))
		pr.WriteByte(':')
	}
	pr.WriteString(c.compare)
	for i := range c.values {
		if i > 0 {
			pr.WriteByte(',')
		}
		pr.WriteString(c.values[i].text)
	}
}

// dotted is the name of a field with its metadata key.
func dotted(f fieldNo, key string) string {
	if f.withKey() {
		return fields[f].name + "." + key
	}
	return fields[f].name
}

// keyed is a field's name with its metadata key as a query writes it: quoted if need be.
func keyed(name, key string) string {
	if name != "meta" && name != "actor.meta" && name != "target.meta" {
		return name
	}
	for segment := range strings.SplitSeq(key, ".") {
		if segment == "" || strings.ContainsFunc(segment, func(r rune) bool { return !inSegment(r) }) {
			return name + "." + quote(key)
		}
	}
	return name + "." + key
}

// quote puts s in quotes.
func quote(s string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) + `"`
}

// mayQuote reports whether s can stand in quotes; else it is written with backslashes.
func mayQuote(s string) bool { return utf8.RuneCountInString(quote(s)) <= MaxQuoted+2 }

// escape puts a backslash before every character of special in s.
func escape(s, special string) string {
	if !strings.ContainsAny(s, special) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Characters that a bare value, and a bare word, cannot hold as themselves.
const (
	valueSpecial = " \t\r\n\"(),\\*"
	wordSpecial  = " \t\r\n\"()\\*"
)

// printPattern writes a value; more are characters that mean something in it, beside those that always do.
func printPattern(p pattern, more string) string {
	special := valueSpecial + more
	if p.exact() {
		s := string(p[0])
		if s == "" || (strings.ContainsAny(s, special) || s[0] == '<' || s[0] == '>') && mayQuote(s) {
			return quote(s)
		}
	}
	var b strings.Builder
	for i, piece := range p {
		if i > 0 {
			b.WriteByte('*')
		} else if len(piece) > 0 && (piece[0] == '<' || piece[0] == '>') {
			b.WriteByte('\\')
		}
		b.WriteString(escape(string(piece), special))
	}
	return b.String()
}

// printMeta writes a metadata value so that it is not read as a range.
func printMeta(p pattern) string {
	s := printPattern(p, "")
	low, high, ok := strings.Cut(s, "..")
	if !ok || !isNumberRange(low, high) {
		return s
	}
	if p.exact() {
		return quote(s)
	}
	return low + `\..` + high
}

// printPair writes TYPE:ID.
func printPair(typ, id pattern) string {
	s := printSide(typ, valueSpecial+":") + ":"
	return s + printSide(id, valueSpecial)
}

// printSide writes one side of TYPE:ID, which cannot be quoted.
func printSide(p pattern, special string) string {
	parts := make([]string, len(p))
	for i, piece := range p {
		parts[i] = escape(string(piece), special)
	}
	return strings.Join(parts, "*")
}

// printPhrase writes the value of a text field.
func printPhrase(text string, p *phrase) string {
	if p.prefix {
		return printPattern(pattern{[]byte(text), nil}, "")
	}
	return printPattern(pattern{[]byte(text)}, "")
}

// printText writes free text.
func printText(text string, p *phrase) string {
	_, colon := (&parser{in: []rune(text)}).field()
	operator := !p.prefix && (text == "OR" || text == "AND" || text == "NOT")
	if !p.prefix {
		needed := strings.ContainsAny(text, wordSpecial) || colon > 0 || text[0] == '-' || operator
		switch {
		case !needed:
			return text
		case mayQuote(text):
			return quote(text)
		}
	}
	s := escape(text, wordSpecial)
	if colon > 0 {
		s = strings.Replace(s, ":", `\:`, 1)
	}
	if s[0] == '-' || operator {
		s = `\` + s
	}
	if p.prefix {
		s += "*"
	}
	return s
}
