package query

import (
	"math"
	"strings"
	"time"
)

// Node is a part of a query as a tree, for JSON. Exactly one of And, Or, Not, Field and Text is set; none: everything.
type Node struct {
	And     []*Node  `json:"and,omitempty"`
	Or      []*Node  `json:"or,omitempty"`
	Not     *Node    `json:"not,omitempty"`
	Field   string   `json:"field,omitempty"`   // with its metadata key
	Compare string   `json:"compare,omitempty"` // one of >= <= > <
	Values  []string `json:"values,omitempty"`  // in normal form; one of them suffices
	Periods []Period `json:"periods,omitempty"` // of a time field: what each value means
	Text    string   `json:"text,omitempty"`    // free text in normal form
}

// Period is what a time means: From is its first moment, To the first after it, as RFC 3339 in UTC with microseconds; nil is open.
type Period struct {
	From *string `json:"from"`
	To   *string `json:"to"`
}

// Explain returns q as a tree.
func (q *Query) Explain() *Node {
	if q.root == nil {
		return &Node{}
	}
	return q.root.explain()
}

func (n *node) explain() *Node {
	var kids []*Node
	for _, k := range n.kids {
		kids = append(kids, k.explain())
	}
	switch n.op {
	case opAnd:
		return &Node{And: kids}
	case opOr:
		return &Node{Or: kids}
	case opNot:
		return &Node{Not: kids[0]}
	case opCondition:
	}
	c := n.cond
	if c.field == fieldText {
		return &Node{Text: c.values[0].text}
	}
	e := &Node{Field: keyed(fields[c.field].name, c.key), Compare: c.compare}
	for i := range c.values {
		v := &c.values[i]
		e.Values = append(e.Values, v.text)
		if fields[c.field].kind == kindTime {
			e.Periods = append(e.Periods, Period{From: moment(v.from, math.MinInt64), To: moment(v.to, math.MaxInt64)})
		}
	}
	return e
}

// moment writes µs, kept within the years that RFC 3339 can write; open is nil.
func moment(micro, open int64) *string {
	if micro == open {
		return nil
	}
	first, last := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()-1
	s := time.UnixMicro(min(max(micro, first), last)).UTC().Format("2006-01-02T15:04:05.000000Z")
	return &s
}

// Words says in words what q means, for people who check that a query asks what they meant.
func (q *Query) Words() string {
	if q.root == nil {
		return "everything"
	}
	return q.root.words()
}

func (n *node) words() string {
	switch n.op {
	case opNot:
		return "not " + n.kids[0].group()
	case opAnd, opOr:
		join := " and "
		if n.op == opOr {
			join = " or "
		}
		parts := make([]string, len(n.kids))
		for i, k := range n.kids {
			parts[i] = k.group()
		}
		return strings.Join(parts, join)
	case opCondition:
	}
	return n.cond.words()
}

// group is words, in parentheses where they hold together.
func (n *node) group() string {
	if n.op == opAnd || n.op == opOr {
		return "(" + n.words() + ")"
	}
	return n.words()
}

func (c *condition) words() string {
	name := keyed(fields[c.field].name, c.key)
	values := make([]string, len(c.values))
	for i := range c.values {
		values[i] = c.values[i].words(c)
	}
	said := strings.Join(values, " or ")
	switch c.field {
	case fieldText:
		return "some text has " + said
	case fieldHas:
		return said + " is there"
	case fieldIs:
		return "the entry is " + said
	case fieldActor:
		return "the actor, or one behind it, is " + said
	case fieldTarget:
		return "a target is " + said
	case fieldChanged:
		return "a change was made " + said
	default:
		if fields[c.field].kind == kindText {
			return name + " has " + said
		}
		return name + " is " + said
	}
}

// words says what a value of c means.
func (v *value) words(c *condition) string {
	switch k := fields[c.field].kind; {
	case k == kindTime:
		return periodWords(v.from, v.to)
	case v.numeric:
		return v.rangeWords(c)
	case k == kindText:
		return v.phrase.say()
	case k == kindPath && v.is.isPointer():
		return "at or below " + v.text
	case k == kindPath:
		return "to a member " + v.text
	case k == kindIP && !v.network.IsSingleIP():
		return "in " + v.text
	}
	return v.text
}

func (p *phrase) say() string {
	words := make([]string, len(p.words))
	for i, w := range p.words {
		words[i] = string(w)
	}
	s := strings.Join(words, " ")
	switch {
	case p.prefix && len(words) > 1:
		return "words in a row that begin with " + quote(s)
	case p.prefix:
		return "a word that begins with " + quote(s)
	case len(words) > 1:
		return "the words " + quote(s) + " in a row"
	}
	return "the word " + quote(s)
}

func (v *value) rangeWords(c *condition) string {
	switch c.compare {
	case ">=":
		return "at least " + v.text
	case "<=":
		return "at most " + v.text
	case ">":
		return "more than " + v.text
	case "<":
		return "less than " + v.text
	}
	low, high, ok := strings.Cut(v.text, "..")
	switch {
	case !ok:
		return v.text
	case low == "*":
		return "at most " + high
	case high == "*":
		return "at least " + low
	}
	return "from " + low + " to " + high
}

func periodWords(from, to int64) string {
	first, after := moment(from, math.MinInt64), moment(to, math.MaxInt64)
	switch {
	case first == nil && after == nil: // a range cannot be open on both sides
		return "at any time"
	case first == nil:
		return "before " + *after
	case after == nil:
		return *first + " or later"
	}
	return "from " + *first + " until before " + *after
}
