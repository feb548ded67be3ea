package query

import (
	"strings"
	"unicode/utf8"
)

// Completion is one thing that could stand at the cursor.
type Completion struct {
	Text  string `json:"text"`  // what to write in place of the code points [From, To)
	Means string `json:"means"` // a few words
	From  int    `json:"from"`
	To    int    `json:"to"`
}

// Complete returns what could be meant by the token in which the cursor stands, pos code points into text: fields, also after has:,
// metadata keys of o.MetaKeys, and the words of fields that take a few. Values of an org are not known here: the caller adds them.
func Complete(text string, pos int, o Options) []Completion {
	p := &parser{o: o, in: []rune(text)}
	pos = min(max(pos, 0), len(p.in))
	t := p.underAt(pos)
	switch {
	case !t.ok:
		return nil
	case t.value:
		return p.completeValue(t.field, t.from, pos, t.to)
	}
	return p.completeField(string(p.in[t.from:pos]), t.from, t.to, ":")
}

// ValuePlace is a value under a cursor.
type ValuePlace struct {
	Field    string // as a query writes it: actor.type, meta.plan, meta."cost center"
	Typed    string // what stands between the beginning of the value and the cursor
	From, To int    // the code points [From, To) of the value
}

// ValueAt returns the value in which the cursor stands, pos code points into text; false: it stands in a field's name, in free text or in
// quotes.
func ValueAt(text string, pos int, o Options) (ValuePlace, bool) {
	p := &parser{o: o, in: []rune(text)}
	pos = min(max(pos, 0), len(p.in))
	t := p.underAt(pos)
	if !t.ok || !t.value {
		return ValuePlace{}, false
	}
	name := fields[t.field].name
	if t.field.withKey() {
		name = keyed(name, t.key)
	}
	return ValuePlace{Field: name, Typed: string(p.in[t.from:pos]), From: t.from, To: t.to}, true
}

// Literal is s as a query writes the value that is exactly s: quoted if need be.
func Literal(s string) string { return printPattern(pattern{[]byte(s)}, "") }

// LiteralPair is TYPE:ID as a query writes the target that has exactly this type and id.
func LiteralPair(typ, id string) string { return printPair(pattern{[]byte(typ)}, pattern{[]byte(id)}) }

// MetaField is the field of a metadata key, member names joined by dots, as a query writes it.
func MetaField(key string) string { return keyed("meta", key) }

// under is what the cursor stands in: the code points [from, to) of a name or, with value, of a value of field.
type under struct {
	ok, value bool
	field     fieldNo
	key       string
	from, to  int
}

// underAt returns what a cursor at pos stands in; not ok: quotes, or the value of a field that there is not.
func (p *parser) underAt(pos int) under {
	from := p.tokenAt(pos)
	if from < 0 {
		return under{}
	}
	if p.at = from; p.peek(0) == '-' && from < pos {
		p.at++
		from++
	}
	if segments, end := p.field(); end > 0 && end < pos {
		f, key, ok := lookup(segments)
		if !ok {
			return under{}
		}
		for i := end + 1; i < pos; i++ {
			if p.in[i] == ',' {
				end = i
			}
		}
		to := pos
		for !p.stop(to) && p.in[to] != ',' {
			to++
		}
		return under{ok: true, value: true, field: f, key: key, from: end + 1, to: to}
	}
	to := pos
	for !p.stop(to) && p.in[to] != ':' {
		to++
	}
	if to < len(p.in) && p.in[to] == ':' {
		to++
	}
	return under{ok: true, from: from, to: to}
}

// tokenAt returns where the token that the cursor stands in begins; -1: in quotes.
func (p *parser) tokenAt(pos int) int {
	from, open := 0, false
	for i := 0; i < pos; i++ {
		switch r := p.in[i]; {
		case r == '\\':
			i++
		case r == '"':
			open = !open
		case !open && (isSpace(r) || r == '(' || r == ')'):
			from = i + 1
		}
	}
	if open {
		return -1
	}
	return from
}

// completeField returns the fields that begin with typed, and then those in which a later part does.
func (p *parser) completeField(typed string, from, to int, after string) (found []Completion) {
	typed = strings.ToLower(typed)
	add := func(name, means string) {
		found = append(found, Completion{Text: name + after, Means: means, From: from, To: to})
	}
	var later []fieldNo
	for i := range fields[:fieldText] {
		f := fieldNo(i)
		switch name := fields[f].name; {
		case f.withKey() || !p.offers(f) || after == "" && (f == fieldHas || f == fieldIs):
		case strings.HasPrefix(name, typed):
			add(name, fields[f].means)
		case strings.Contains(name, "."+typed):
			later = append(later, f)
		}
	}
	if p.offers(fieldMeta) {
		for _, k := range p.o.MetaKeys {
			if name := keyed("meta", k); strings.HasPrefix(strings.ToLower(name), typed) || typed != "" && strings.HasPrefix(strings.ToLower(k), typed) {
				add(name, fields[fieldMeta].means)
			}
		}
	}
	for _, f := range later {
		add(fields[f].name, fields[f].means)
	}
	return found
}

// offers reports whether f may be used in the place of p.
func (p *parser) offers(f fieldNo) bool {
	q := &parser{o: p.o}
	return q.allowed(f, "", 0, 0)
}

// completeValue returns the words that a value of f can be, of which the letters between from and pos are typed.
func (p *parser) completeValue(f fieldNo, from, pos, to int) (found []Completion) {
	typed := string(p.in[from:pos])
	var words []string
	switch f {
	case fieldHas:
		return p.completeField(typed, from, to, "")
	case fieldOutcome:
		words = outcomes
	case fieldIs:
		words = states
	case fieldActorType, fieldViaType:
		words = []string{"user", "api_key", "service", "system", "anonymous", "unknown"}
	case fieldMethod:
		words = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	case fieldOccurred, fieldReceived:
		words = []string{"today", "yesterday", "now-1h", "now-24h", "now-7d", "now-30d"}
		if p.o.Place == Stream || p.o.Place == Hold {
			return nil
		}
		n := 0
		for n < len(typed) && (typed[n] == '<' || typed[n] == '>' || typed[n] == '=') {
			n++
		}
		from, typed = from+utf8.RuneCountInString(typed[:n]), typed[n:]
	default:
	}
	for _, w := range words {
		if len(w) >= len(typed) && strings.EqualFold(w[:len(typed)], typed) {
			found = append(found, Completion{Text: w, Means: fields[f].means, From: from, To: to})
		}
	}
	return found
}
