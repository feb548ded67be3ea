package daybook

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// What a count costs at most.
const (
	countExact = 10_000                 // beyond it a count is not exact
	facetTime  = 100 * time.Millisecond // of a request for facets
)

// FacetQuery asks which values the entries have that an EventQuery finds. Its Order, Asc, Limit and Cursor mean nothing here.
type FacetQuery struct {
	EventQuery
	Fields []string // some of action, actor.type, target.type, outcome, actor.id; nil: all; empty: the count alone
	Top    int      // values per field: default 20, at most 64
}

// Facets answers a FacetQuery.
type Facets struct {
	Count    Count
	Fields   []Facet // in the order asked for
	Searched Searched
}

// Count is a number of entries.
type Count struct {
	Value int64
	Exact bool // false: there are at least so many
}

// Facet says how many entries have which value of one field. An entry with several targets counts for each of their types.
type Facet struct {
	Field  string
	Values []FacetValue // most frequent first
	Other  int64        // entries with other values, once for each
}

// FacetValue is one value of a field.
type FacetValue struct {
	Value  string
	Count  int64
	Excess int64 // the count may be too high by so much
}

// Facets counts entries and the values of their fields. A query that bounds nothing but time is answered from what blocks say of
// themselves, another one by looking at entries, newest first, for at most 100 ms; Searched says how far that came.
func (b *Book) Facets(ctx context.Context, q FacetQuery) (*Facets, error) {
	q.Cursor, q.Order, q.Asc = "", OrderLog, false
	p, err := b.question(&q.EventQuery)
	if err != nil {
		return nil, err
	}
	sum, err := newFacetSum(q.Fields)
	if err != nil {
		return nil, err
	}
	s, err := b.enterScan(ctx, p)
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.budget.until = b.o.Now().Add(min(facetTime, b.o.SearchTime))
	s.need = len(sum.fields) > 0
	w := walker{scan: s, each: func(*packed) (bool, error) { return sum.entry(s), nil }, wholeTail: true}
	if p.query.Empty() {
		w.take = sum.block
	}
	stop, err := w.walk(0, p.size)
	if err != nil {
		return nil, err
	}
	p.done = stop <= 0
	f := &Facets{Count: Count{Value: min(sum.count, countExact), Exact: sum.count <= countExact && s.budget.reason == "" && len(s.damaged) == 0}}
	f.Fields = sum.facets(q.Top)
	f.Searched, err = s.searched()
	return f, err
}

// facetSum adds up what blocks say and what entries hold.
type facetSum struct {
	fields []int // places in facetFields, as asked for
	count  int64
	tally  facetTally // of entries
	blocks [len(facetFields)]blockSum
}

// blockSum adds up one field over blocks.
type blockSum struct {
	values  map[string]*valueSum
	other   int64
	unnamed int64 // the most that a value named by no block can count
}

type valueSum struct {
	count   int64
	unnamed int64 // of the blocks that name the value
}

func newFacetSum(fields []string) (*facetSum, error) {
	s := &facetSum{}
	for i := range facetFields {
		s.blocks[i].values = map[string]*valueSum{}
		if fields == nil {
			s.fields = append(s.fields, i)
		}
	}
	for _, name := range fields {
		i := facetIndex(name)
		if i < 0 {
			return nil, &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "fields", Message: fmt.Sprintf("there are no facets of %q", truncate(name, 64))}
		}
		s.fields = append(s.fields, i)
	}
	return s, nil
}

// facetIndex returns the place of a field in facetFields, -1 if it has no facets.
func facetIndex(name string) int {
	for i := range facetFields {
		if facetFields[i].name == name {
			return i
		}
	}
	return -1
}

// entry counts the entry that s has just matched. It returns false when nothing more is to be known.
func (f *facetSum) entry(s *scan) bool {
	f.count++
	if len(f.fields) > 0 {
		f.tally.add(s.doc)
	}
	return f.more()
}

func (f *facetSum) more() bool {
	return (len(f.fields) > 0 || f.count <= countExact) && f.tally.entries < math.MaxInt32
}

// block counts a whole block by what its meta says; false: it must be read.
func (f *facetSum) block(m *BlockMeta, _ *dayTally) (taken, more bool, err error) {
	if len(f.fields) == 0 {
		f.count += int64(m.Live)
		return true, f.more(), nil
	}
	if len(m.Facets) == 0 {
		return false, true, nil
	}
	counts, err := parseFacets(m.Facets)
	if err != nil {
		return false, false, fmt.Errorf("block %d: %w", m.First, err)
	}
	f.count += int64(m.Live)
	for _, i := range f.fields {
		c, sum := &counts[i], &f.blocks[i]
		unnamed := c.unnamed()
		sum.other += c.other
		sum.unnamed += unnamed
		for _, v := range c.values {
			have := sum.values[v.value]
			if have == nil {
				have = &valueSum{}
				sum.values[v.value] = have
			}
			have.count += v.count
			have.unnamed += unnamed
		}
	}
	return true, true, nil
}

// facets returns the sums, the values that are certain to be most frequent first.
func (f *facetSum) facets(top int) []Facet {
	if top <= 0 {
		top = 20
	}
	top = min(top, 64)
	out := make([]Facet, 0, len(f.fields))
	for _, i := range f.fields {
		sum, t := &f.blocks[i], &f.tally.fields[i]
		for j := range t.values {
			v := string(t.value(&t.values[j]))
			have := sum.values[v]
			if have == nil {
				have = &valueSum{}
				sum.values[v] = have
			}
			have.count += int64(t.values[j].count)
		}
		values := make([]FacetValue, 0, len(sum.values))
		for v, have := range sum.values {
			values = append(values, FacetValue{Value: v, Count: have.count, Excess: sum.unnamed - have.unnamed})
		}
		slices.SortFunc(values, func(a, b FacetValue) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
		})
		facet := Facet{Field: facetFields[i].name, Other: sum.other}
		for _, v := range values[min(top, len(values)):] {
			facet.Other += v.Count
		}
		facet.Values = values[:min(top, len(values))]
		for j := range facet.Values {
			facet.Values[j].Count += facet.Values[j].Excess
		}
		out = append(out, facet)
	}
	return out
}
