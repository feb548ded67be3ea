// Package query is Daybook's query language: it parses and prints queries, matches them against entries, says which filter terms a
// match needs, completes and explains. There is one grammar for the console, the API, the command line, streams, holds, viewer tokens
// and retention rules.
package query

import (
	"net/netip"
	"time"

	"github.com/daybook-audit/daybook/leaf"
)

// Grammar is the version of the grammar, which stands beside every stored query. A later version reads queries of this one unchanged.
const Grammar = 1

// The limits of a query.
const (
	MaxText       = 4096 // bytes
	MaxConditions = 64
	MaxDepth      = 8   // levels of parentheses
	MaxWildcards  = 4   // in one value
	MaxQuoted     = 512 // characters of a quoted value
)

// Place is where a query is used; some places forbid some conditions.
type Place int

// The places.
const (
	Search    Place = iota // searches, exports, saved views: all but org:
	Operator               // the same for operators of the instance: everything
	Stream                 // stream filters: no org:, is:, relative times, because they are evaluated per entry, for ever
	Hold                   // legal holds: the same
	Viewer                 // viewer tokens: no org:, is:
	Retention              // retention rules: only action, actor.type, target.type
)

// String names the place as it stands in messages.
func (p Place) String() string {
	switch p {
	case Stream:
		return "a stream filter"
	case Hold:
		return "a legal hold"
	case Viewer:
		return "a viewer token"
	case Retention:
		return "a retention rule"
	case Search, Operator:
	}
	return "a search"
}

// Options say how to read a query. The zero value reads a search whose times are UTC, without relative times.
type Options struct {
	Now      time.Time      // what relative times refer to; zero: they are refused
	Zone     *time.Location // of times that name none; nil: UTC
	Place    Place
	MetaKeys []string // the org's metadata keys, for suggestions
}

// Query is a parsed query. It is immutable and safe for concurrent use. The zero value matches everything.
type Query struct {
	root     *node
	programs []program
	relative bool
}

// Record is one entry as a query sees it.
type Record struct {
	Org                string
	Seq                int64
	ID                 string
	Received, Occurred int64 // µs since 1970 UTC
	Control            bool  // an entry that the log itself made
	Erased             bool  // whole or a field
	Held               bool
	// Doc holds the fields of the payload, in document order or sorted by path; nil or empty: nothing of it is left. The text of the
	// payload's own id may have been cut to "", ID counts.
	Doc *leaf.Doc
}

// Empty reports whether q matches everything because it asks for nothing.
func (q *Query) Empty() bool { return q.root == nil }

// Relative reports whether q holds times that were resolved against Options.Now: to get the same bounds again, parse it again with
// the same Now.
func (q *Query) Relative() bool { return q.relative }

// And returns the query that matches what every one of qs matches. Limits of Parse do not hold for it.
func And(qs ...*Query) *Query {
	var kids []*node
	relative := false
	for _, q := range qs {
		if q == nil || q.root == nil {
			continue
		}
		relative = relative || q.relative
		kids = append(kids, q.root)
	}
	return newQuery(both(opAnd, kids), relative)
}

// Target returns the query for entries of which one target has exactly this type and id.
func Target(typ, id string) *Query {
	c := &condition{field: fieldTarget, values: []value{{
		of: pattern{[]byte(typ)}, is: pattern{[]byte(id)}, text: printPair(pattern{[]byte(typ)}, pattern{[]byte(id)}),
	}}}
	c.compile()
	return newQuery(&node{op: opCondition, cond: c}, false)
}

// Actor returns the query for entries of which the actor, or one element of its via, has exactly this type and id. The grammar
// cannot say this, so its normal form is no query: it stands in parentheses after actor.
func Actor(typ, id string) *Query {
	c := &condition{field: fieldActor, values: []value{{
		of: pattern{[]byte(typ)}, is: pattern{[]byte(id)}, text: "(" + printPair(pattern{[]byte(typ)}, pattern{[]byte(id)}) + ")",
	}}}
	c.compile()
	return newQuery(&node{op: opCondition, cond: c}, false)
}

func newQuery(root *node, relative bool) *Query {
	q := &Query{root: root, relative: relative}
	q.compile()
	return q
}

// op is what a node does with what is below it.
type op byte

const (
	opCondition op = iota
	opNot
	opAnd
	opOr
)

// node is a part of a query. And stands never directly below And, Or never below Or, Not never below Not; And and Or have at least two kids.
type node struct {
	op   op
	kids []*node
	cond *condition
}

// condition is one condition or free text.
type condition struct {
	field   fieldNo
	key     string // of metadata
	compare string // "", or one of >= <= > <
	values  []value
	terms   [][]Term // alternatives, each needs all its terms; nil: no filter helps
	hidden  []pointer
}

// value is one value of a condition, in the form its field's kind needs.
type value struct {
	text string // normal form

	is, of    pattern      // key, who, target, path, meta: the value; of is the type in TYPE:ID, or nil
	folded    pattern      // who, name, target: folded for names
	phrase    *phrase      // text
	numeric   bool         // num, and meta with a comparison or range: between low and high
	low, high *decimal     // nil: open
	openLow   bool         // low itself is outside
	openHigh  bool         // high itself is outside
	from, to  int64        // time: [from, to); seq: from to to, both inside
	network   netip.Prefix // ip
	word      byte         // outcome, is: number of the word
	has       fieldNo      // has, with the metadata key
	key       string
}

// both joins nodes with And or Or, keeping the rules of node. Without nodes it returns nil.
func both(op op, kids []*node) *node {
	if len(kids) < 2 {
		if len(kids) == 0 {
			return nil
		}
		return kids[0]
	}
	n := &node{op: op}
	for _, k := range kids {
		if k.op == op {
			n.kids = append(n.kids, k.kids...)
		} else {
			n.kids = append(n.kids, k)
		}
	}
	return n
}

// not returns the negation of n.
func not(n *node) *node {
	if n.op == opNot {
		return n.kids[0]
	}
	return &node{op: opNot, kids: []*node{n}}
}
