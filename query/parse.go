package query

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Parse reads a query. Every error is an *Error and describes the first mistake. Time and memory are linear in the length of text.
func Parse(text string, o Options) (*Query, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	p := &parser{o: o, in: []rune(text)}
	if len(text) > MaxText {
		p.tooLong(text)
		return nil, p.err
	}
	root := p.query()
	if p.err != nil {
		return nil, p.err
	}
	return newQuery(root, p.relative), nil
}

// parser is a recursive descent over code points. Once err is set nothing more is read.
type parser struct {
	o          Options
	in         []rune
	at         int
	depth      int
	conditions int
	relative   bool // a relative time was read
	err        *Error
}

// fail keeps the first error.
func (p *parser) fail(code string, from, to int, format string, args ...any) {
	if p.err == nil {
		p.err = &Error{Code: code, Pos: from, Len: to - from, Message: fmt.Sprintf(format, args...), Suggestions: []string{}}
	}
	p.at = len(p.in)
}

func (p *parser) tooLong(text string) {
	n := MaxText
	for !utf8.RuneStart(text[n]) {
		n--
	}
	p.fail(CodeTooLong, utf8.RuneCountInString(text[:n]), len(p.in), "A query has at most %d bytes, this one has %d.", MaxText, len(text))
}

func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }

// peek returns the rune n places on, 0 at the end.
func (p *parser) peek(n int) rune {
	if p.at+n < len(p.in) {
		return p.in[p.at+n]
	}
	return 0
}

func (p *parser) end() bool { return p.at >= len(p.in) }

func (p *parser) space() {
	for !p.end() && isSpace(p.in[p.at]) {
		p.at++
	}
}

// stop reports whether a token ends before place i.
func (p *parser) stop(i int) bool {
	return i >= len(p.in) || isSpace(p.in[i]) || p.in[i] == '(' || p.in[i] == ')'
}

// operator returns the operator that stands alone here, or "".
func (p *parser) operator() string {
	for _, word := range [...]string{"OR", "AND", "NOT"} {
		n := len(word)
		if p.at+n <= len(p.in) && string(p.in[p.at:p.at+n]) == word && p.stop(p.at+n) {
			return word
		}
	}
	return ""
}

func (p *parser) query() *node {
	p.space()
	if p.end() {
		return nil
	}
	n := p.or()
	if p.err == nil && !p.end() { // or stops at the end and before ")" only
		p.fail(CodeUnbalanced, p.at, p.at+1, `This ")" was never opened.`)
	}
	return n
}

func (p *parser) or() *node {
	var kids []*node
	for {
		kids = append(kids, p.and())
		if p.err != nil || p.operator() != "OR" {
			break
		}
		p.operand("OR")
	}
	if p.err != nil {
		return nil
	}
	return both(opOr, kids)
}

func (p *parser) and() *node {
	var kids []*node
	for p.err == nil {
		kids = append(kids, p.not())
		p.space()
		word := p.operator()
		if p.end() || p.in[p.at] == ')' || word == "OR" {
			break
		}
		if word == "AND" {
			p.operand(word)
		}
	}
	if p.err != nil {
		return nil
	}
	return both(opAnd, kids)
}

// operand steps over an operator and makes sure that something follows.
func (p *parser) operand(word string) {
	from, to := p.at, p.at+len([]rune(word))
	p.at = to
	p.space()
	if next := p.operator(); p.end() || p.in[p.at] == ')' || next == "OR" || next == "AND" {
		p.fail(CodeDangling, from, to, "%s needs a condition on its right.", word)
	}
}

func (p *parser) not() *node {
	negate := false
	for p.err == nil && p.operator() == "NOT" {
		p.operand("NOT")
		negate = !negate
	}
	switch word := p.operator(); {
	case p.err != nil:
		return nil
	case word != "":
		p.fail(CodeDangling, p.at, p.at+len(word), "%s needs a condition on its left.", word)
		return nil
	}
	if p.peek(0) == '-' {
		p.at++
		if p.stop(p.at) && p.peek(0) != '(' || p.operator() != "" {
			p.fail(CodeDangling, p.at-1, p.at, `"-" needs a condition right after it.`)
			return nil
		}
		if p.peek(0) == '-' {
			p.fail(CodeUnexpected, p.at, p.at+1, `A word does not begin with "-". To search for this text, quote it.`)
			return nil
		}
		negate = !negate
	}
	n := p.primary()
	if p.err == nil && negate {
		n = not(n)
	}
	return n
}

func (p *parser) primary() *node {
	switch p.peek(0) {
	case '(':
		return p.group()
	case ')':
		p.fail(CodeUnbalanced, p.at, p.at+1, `This ")" was never opened.`)
		return nil
	}
	from := p.at
	c := &condition{}
	if segments, end := p.field(); end > 0 {
		p.at = end + 1
		p.condition(c, segments, from)
	} else if p.err == nil {
		p.text(c)
	}
	if p.err != nil {
		return nil
	}
	if p.conditions++; p.conditions > MaxConditions {
		p.fail(CodeTooManyConditions, from, p.at, "A query has at most %d conditions.", MaxConditions)
		return nil
	}
	if p.o.Place == Retention && c.field == fieldText {
		p.fail(CodeNotAllowed, from, p.at, "A retention rule may use only action, actor.type and target.type.")
		return nil
	}
	c.compile()
	return &node{op: opCondition, cond: c}
}

func (p *parser) group() *node {
	open := p.at
	if p.depth == MaxDepth {
		p.fail(CodeTooDeep, open, open+1, "Parentheses stand at most %d deep.", MaxDepth)
		return nil
	}
	p.depth++
	p.at++
	p.space()
	if p.peek(0) == ')' {
		p.fail(CodeEmptyGroup, open, p.at+1, "These parentheses are empty.")
		return nil
	}
	if p.end() {
		p.fail(CodeUnbalanced, open, open+1, `This "(" is never closed.`)
		return nil
	}
	n := p.or()
	if p.err != nil {
		return nil
	}
	if p.peek(0) != ')' {
		p.fail(CodeUnbalanced, open, open+1, `This "(" is never closed.`)
		return nil
	}
	p.at++
	p.depth--
	return n
}

// field reads the form of a field and the ":" behind it, and returns where that stands. end 0: what stands here is text.
func (p *parser) field() (segments []string, end int) {
	i := p.at
	for i < len(p.in) && (unicode.IsLetter(p.in[i]) || p.in[i] == '_' || i > p.at && unicode.IsDigit(p.in[i])) {
		i++
	}
	if i == p.at {
		return nil, 0
	}
	segments = append(segments, string(p.in[p.at:i]))
	for i+1 < len(p.in) && p.in[i] == '.' {
		from := i + 1
		if p.in[from] == '"' {
			text, after := p.quoted(from)
			if p.err != nil {
				return nil, 0
			}
			segments, i = append(segments, text), after
			continue
		}
		for i++; i < len(p.in) && inSegment(p.in[i]); {
			i++
		}
		if i == from {
			return nil, 0
		}
		segments = append(segments, string(p.in[from:i]))
	}
	if i < len(p.in) && p.in[i] == ':' {
		return segments, i
	}
	return nil, 0
}

// inSegment reports whether r can stand in a bare segment of a field.
func inSegment(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-' || r == '/'
}

// quoted reads the quoted text at place from and returns where it ends.
func (p *parser) quoted(from int) (text string, end int) {
	var b strings.Builder
	for i := from + 1; i < len(p.in); i++ {
		switch r := p.in[i]; r {
		case '"':
			if i-from-1 > MaxQuoted {
				p.fail(CodeTooLong, from, i+1, "A quoted value has at most %d characters.", MaxQuoted)
				return "", 0
			}
			return b.String(), i + 1
		case '\\':
			if i+1 == len(p.in) {
				continue
			}
			if i++; p.in[i] != '"' && p.in[i] != '\\' {
				p.fail(CodeBadEscape, i-1, i+1, `In quotes only \" and \\ are escapes.`)
				return "", 0
			}
			b.WriteRune(p.in[i])
		default:
			b.WriteRune(r)
		}
	}
	p.fail(CodeUnclosedQuote, from, from+1, "This quote is never closed.")
	return "", 0
}

// unknown fails with what may have been meant by a field.
func (p *parser) unknown(segments []string, from, end int) {
	name := strings.Join(segments, ".")
	p.fail(CodeUnknownField, from, end, "There is no field %s.", quote(name))
	e := p.err
	e.Suggestions = append(e.Suggestions, p.suggest(name)...)
	if len(e.Suggestions) > 0 {
		e.Message += " Did you mean " + e.Suggestions[0] + ": ?"
	}
	if rest := end + 1; len(e.Suggestions) == 0 || rest < len(p.in) && p.in[rest] == '/' {
		for rest < len(p.in) && !p.stop(rest) {
			rest++
		}
		e.Message += " To search for this text, quote it."
		e.Hint = quote(string(p.in[from:rest]))
	}
}

// condition reads what follows the ":" of a field.
func (p *parser) condition(c *condition, segments []string, from int) {
	colon := p.at - 1
	var ok bool
	if c.field, c.key, ok = lookup(segments); !ok {
		p.unknown(segments, from, colon)
		return
	}
	name := fields[c.field].name
	if !p.allowed(c.field, name, from, colon) {
		return
	}
	kind := fields[c.field].kind
	if r := p.peek(0); r == '<' || r == '>' {
		c.compare = string(r)
		if p.peek(1) == '=' {
			c.compare += "="
		}
		if kind != kindNumber && kind != kindTime && kind != kindMeta {
			p.fail(CodeBadOperator, p.at, p.at+len(c.compare), `"%s" does not work on %s: it is not a number or a time.`, c.compare, name)
			return
		}
		p.at += len(c.compare)
	}
	for {
		t, ok := p.token(c, from)
		if !ok {
			return
		}
		v := p.value(c, kind, t)
		if p.err != nil {
			return
		}
		c.values = append(c.values, v)
		if p.peek(0) != ',' {
			break
		}
		if c.compare != "" {
			p.fail(CodeBadList, p.at, p.at+1, "A comparison takes one value, not a list.")
			return
		}
		p.at++
	}
}

// allowed checks a field against the place where the query is used.
func (p *parser) allowed(f fieldNo, name string, from, colon int) bool {
	switch place := p.o.Place; {
	case place == Retention && f != fieldAction && f != fieldActorType && f != fieldTargetType:
		p.fail(CodeNotAllowed, from, colon, "A retention rule may use only action, actor.type and target.type.")
	case f == fieldOrg && place != Operator:
		p.fail(CodeNotAllowed, from, colon, `"org:" is not available here: the organization comes from your credential.`)
	case f == fieldIs && (place == Stream || place == Hold || place == Viewer):
		p.fail(CodeNotAllowed, from, colon, `"%s:" is not allowed in %s.`, name, place)
	default:
		return true
	}
	return false
}

// token is a value as it is written.
type token struct {
	from, to int
	chars    []char
	quoted   bool
}

// char is one character of a value; literal: escaped or in quotes, so that it means itself.
type char struct {
	r       rune
	literal bool
	at      int
}

// plain returns the characters without saying which are literal.
func plain(chars []char) string {
	var b strings.Builder
	for _, c := range chars {
		b.WriteRune(c.r)
	}
	return b.String()
}

// token reads one value of a condition that begins at from.
func (p *parser) token(c *condition, from int) (t token, ok bool) {
	t.from = p.at
	switch r := p.peek(0); {
	case r == '(':
		p.fail(CodeUnexpected, t.from, t.from+1, "A value cannot be a group. List values with commas: %s:a,b", keyed(fields[c.field].name, c.key))
		p.err.Hint = keyed(fields[c.field].name, c.key) + ":a,b"
		return t, false
	case r == ',' && !p.end():
		p.fail(CodeBadList, t.from, t.from+1, "A value is missing before this comma.")
		return t, false
	case p.end() || p.stop(p.at):
		p.missing(c, from)
		return t, false
	case r == '"':
		text, end := p.quoted(p.at)
		if p.err != nil {
			return t, false
		}
		for _, r := range text {
			t.chars = append(t.chars, char{r: r, literal: true, at: t.from})
		}
		t.quoted, p.at = true, end
	default:
		t.chars = p.bare(",")
	}
	t.to = p.at
	if p.err == nil && !p.end() && p.in[p.at] == '"' || t.quoted && !p.stop(p.at) && p.in[p.at] != ',' {
		p.fail(CodeUnexpected, p.at, p.at+1, "Quote the whole value, or none of it.")
	}
	return t, p.err == nil
}

// missing fails because a condition has no value, or none after its comma.
func (p *parser) missing(c *condition, from int) {
	if len(c.values) > 0 {
		p.fail(CodeBadList, p.at-1, p.at, "A value is missing after this comma.")
		return
	}
	name := keyed(fields[c.field].name, c.key)
	switch c.field {
	case fieldHas:
		p.fail(CodeMissingValue, from, p.at, `"has:" needs a value: the name of a field.`)
	case fieldIs:
		p.fail(CodeMissingValue, from, p.at, `"is:" needs a value: %s.`, strings.Join(states, ", "))
	default:
		p.fail(CodeMissingValue, from, p.at, `"%s:" needs a value. For "any value" write has:%s`, name, name)
		p.err.Hint = "has:" + name
	}
}

// bare reads characters up to white space, a quote, a parenthesis or one of more.
func (p *parser) bare(more string) (chars []char) {
	for !p.stop(p.at) && p.in[p.at] != '"' && !strings.ContainsRune(more, p.in[p.at]) {
		c := char{r: p.in[p.at], at: p.at}
		if c.r == '\\' {
			if p.at+1 == len(p.in) {
				p.fail(CodeBadEscape, p.at, p.at+1, `A backslash needs a character after it.`)
				return nil
			}
			p.at++
			c.r, c.literal = p.in[p.at], true
		}
		chars = append(chars, c)
		p.at++
	}
	return chars
}

// text reads free text.
func (p *parser) text(c *condition) {
	c.field = fieldText
	t := token{from: p.at}
	if p.peek(0) == '"' {
		text, end := p.quoted(p.at)
		if p.err != nil {
			return
		}
		for _, r := range text {
			t.chars = append(t.chars, char{r: r, literal: true})
		}
		p.at = end
	} else {
		t.chars = p.bare("")
	}
	t.to = p.at
	if p.err == nil && !p.stop(p.at) {
		p.fail(CodeUnexpected, p.at, p.at+1, "Put a space before this, or quote the whole text.")
	}
	if p.err == nil {
		c.values = []value{p.words(t, printText)}
	}
}
