package query

import (
	"math"
	"strings"

	"github.com/daybook-audit/daybook/internal/spelling"
)

// outcomes and states are the words that outcome: and is: take.
var (
	outcomes = []string{"success", "failure", "denied"}
	states   = []string{"erased", "held", "late", "control"}
)

const (
	isErased = iota
	isHeld
	isLate
	isControl
)

// value makes a value of a condition from its token.
func (p *parser) value(c *condition, k kind, t token) (v value) {
	switch k {
	case kindKey:
		v.is = p.pattern(t.chars, t)
		v.text = printPattern(v.is, "")
	case kindName:
		v.is = p.pattern(t.chars, t)
		v.text, v.folded = printPattern(v.is, ""), foldPattern(v.is)
	case kindWho:
		v.is = p.pattern(t.chars, t)
		v.text, v.folded = printPattern(v.is, ""), foldPattern(v.is)
	case kindTarget:
		v = p.target(t)
	case kindText:
		v = p.words(t, printPhrase)
	case kindNumber:
		v = p.number(c, t)
	case kindTime:
		v = p.time(c, t)
	case kindIP:
		v = p.address(t)
	case kindPath:
		v.is = p.pattern(t.chars, t)
		v.text = printPattern(v.is, "")
	case kindMeta:
		v = p.meta(c, t)
	case kindOutcome:
		v = p.word(t, "outcome", outcomes)
	case kindHas:
		v = p.has(t)
	case kindIs:
		v = p.word(t, "is", states)
	}
	return v
}

// bad fails with bad_value.
func (p *parser) bad(t token, format string, args ...any) value {
	p.fail(CodeBadValue, t.from, t.to, format, args...)
	return value{}
}

// pattern cuts chars, which belong to t, at their wildcards.
func (p *parser) pattern(chars []char, t token) pattern {
	var out pattern
	piece := []byte{}
	for i, c := range chars {
		if c.r == '*' && !c.literal {
			if i > 0 && chars[i-1].r == '*' && !chars[i-1].literal {
				continue
			}
			out = append(out, piece)
			piece = []byte{}
			continue
		}
		piece = append(piece, string(c.r)...)
	}
	if len(out) > MaxWildcards {
		p.fail(CodeTooManyWildcards, t.from, t.to, `A value has at most %d "*".`, MaxWildcards)
	}
	return append(out, piece)
}

func foldPattern(p pattern) pattern {
	f := make(pattern, len(p))
	for i, piece := range p {
		f[i] = appendFold([]byte{}, piece)
	}
	return f
}

func (p *parser) target(t token) (v value) {
	for i, c := range t.chars {
		if c.r != ':' || c.literal {
			continue
		}
		v.of, v.is = p.pattern(t.chars[:i], t), p.pattern(t.chars[i+1:], t)
		if i == 0 || i == len(t.chars)-1 {
			return p.bad(t, "target takes TYPE:ID, or an id or name without a colon.")
		}
		if len(v.of)+len(v.is)-2 > MaxWildcards {
			p.fail(CodeTooManyWildcards, t.from, t.to, `A value has at most %d "*".`, MaxWildcards)
		}
		v.text = printPair(v.of, v.is)
		return v
	}
	v.is = p.pattern(t.chars, t)
	v.text, v.folded = printPattern(v.is, ":"), foldPattern(v.is)
	return v
}

// words makes the phrase of free text, or of a value of a text field; show writes its normal form.
func (p *parser) words(t token, show func(text string, p *phrase) string) (v value) {
	chars := t.chars
	prefix := false
	for i, c := range chars {
		if c.r != '*' || c.literal {
			continue
		}
		if i != len(chars)-1 || i == 0 || classOf(chars[i-1].r) == gap {
			p.fail(CodeBadWildcard, t.from, t.to, `In free text "*" may only end a word.`)
			return v
		}
		prefix, chars = true, chars[:i]
	}
	text := plain(chars)
	v.phrase = newPhrase([]byte(text), prefix)
	if len(v.phrase.words) == 0 {
		return p.bad(t, "There is no word in %s to search for.", quote(text))
	}
	v.text = show(text, v.phrase)
	return v
}

// word makes the value of a field that takes one of a few words.
func (p *parser) word(t token, name string, words []string) value {
	text := strings.ToLower(plain(t.chars))
	for i, w := range words {
		if w == text {
			return value{text: w, word: byte(i)}
		}
	}
	v := p.bad(t, "%s must be one of %s.", name, strings.Join(words, ", "))
	for _, w := range words {
		if spelling.Distance(text, w) <= 2 || len(text) > 2 && strings.HasPrefix(w, text[:3]) {
			p.err.Suggestions = append(p.err.Suggestions, w)
		}
	}
	return v
}

func (p *parser) has(t token) (v value) {
	name := plain(t.chars)
	segments := strings.Split(name, ".")
	var ok bool
	if v.has, v.key, ok = lookup(segments); !ok {
		p.fail(CodeUnknownField, t.from, t.to, "There is no field %s.", quote(name))
		e := p.err
		if e.Suggestions = append(e.Suggestions, p.suggest(name)...); len(e.Suggestions) > 0 {
			e.Message += " Did you mean has:" + e.Suggestions[0] + " ?"
		}
		return v
	}
	if v.has == fieldHas || v.has == fieldIs {
		return p.bad(t, "has takes a field that an event can hold.")
	}
	if p.allowed(v.has, fields[v.has].name, t.from, t.to) {
		v.text = printPattern(pattern{[]byte(dotted(v.has, v.key))}, "")
	}
	return v
}

func (p *parser) address(t token) (v value) {
	text := plain(t.chars)
	var ok bool
	if v.network, ok = parseNetwork(text); !ok {
		return p.bad(t, "%s is not an address or a block such as 10.0.0.0/8.", quote(text))
	}
	v.text = v.network.String()
	if v.network.IsSingleIP() {
		v.text = v.network.Addr().String()
	}
	return v
}

// cutRange cuts chars at "..". It fails if there is more than one, or both sides are open.
func (p *parser) cutRange(t token) (low, high []char, ok bool) {
	n := 0
	for i := 0; i+1 < len(t.chars); i++ {
		a, b := t.chars[i], t.chars[i+1]
		if a.r == '.' && b.r == '.' && !a.literal && !b.literal {
			if n++; n == 1 {
				low, high = t.chars[:i], t.chars[i+2:]
			}
			i++
		}
	}
	if n == 0 {
		return nil, nil, false
	}
	if n > 1 || len(low) == 0 || len(high) == 0 || isStar(low) && isStar(high) {
		p.fail(CodeBadRange, t.from, t.to, "A range is LOW..HIGH; one side may be *.")
		return nil, nil, false
	}
	return low, high, true
}

func isStar(chars []char) bool { return len(chars) == 1 && chars[0].r == '*' && !chars[0].literal }

// part is the token of one side of a range.
func part(chars []char) token {
	return token{from: chars[0].at, to: chars[len(chars)-1].at + 1, chars: chars}
}

// decimal reads a number; an open side of a range is nil.
func (p *parser) decimal(t token) *decimal {
	text := plain(t.chars)
	d, ok := parseDecimal([]byte(text))
	if !ok {
		p.bad(t, "%s is not a number.", quote(text))
		return nil
	}
	return &d
}

// number makes the value of a number field.
func (p *parser) number(c *condition, t token) (v value) {
	v.numeric = true
	low, high, isRange := p.cutRange(t)
	switch {
	case p.err != nil:
		return v
	case isRange && c.compare != "":
		p.fail(CodeBadRange, t.from, t.to, "A comparison takes one value, not a range.")
		return v
	case isRange:
		if !isStar(low) {
			v.low = p.decimal(part(low))
		}
		if !isStar(high) && p.err == nil {
			v.high = p.decimal(part(high))
		}
		if v.low != nil && v.high != nil && v.low.compare(v.high) > 0 {
			p.fail(CodeBadRange, t.from, t.to, "This range ends before it begins. A range is LOW..HIGH.")
		}
	default:
		d := p.decimal(t)
		if c.compare == "" || c.compare[0] == '>' {
			v.low, v.openLow = d, c.compare == ">"
		}
		if c.compare == "" || c.compare[0] == '<' {
			v.high, v.openHigh = d, c.compare == "<"
		}
	}
	v.text = plain(t.chars)
	if p.err == nil {
		v.whole()
	}
	return v
}

// whole makes from and to the first and last integer between low and high.
func (v *value) whole() {
	v.from, v.to = math.MinInt64, math.MaxInt64
	if v.low != nil {
		n, exact := v.low.floor()
		if v.from = n; (!exact || v.openLow) && n < math.MaxInt64 {
			v.from++
		}
	}
	if v.high != nil {
		n, exact := v.high.floor()
		if v.to = n; exact && v.openHigh && n > math.MinInt64 {
			v.to--
		}
	}
}

// meta makes the value of a metadata field: a number or range if it is compared, else text.
func (p *parser) meta(c *condition, t token) (v value) {
	if c.compare != "" {
		return p.number(c, t)
	}
	if low, high, ok := p.cutRange(t); ok && isNumberRange(plain(low), plain(high)) {
		return p.number(c, t)
	}
	p.err = nil // ".." that is no range of numbers is text
	v.is = p.pattern(t.chars, t)
	v.text = printMeta(v.is)
	return v
}

// isNumberRange reports whether low..high is a range of numbers.
func isNumberRange(low, high string) bool {
	for _, s := range [...]string{low, high} {
		if _, ok := parseDecimal([]byte(s)); !ok && s != "*" {
			return false
		}
	}
	return low != high || low != "*"
}
