package daybook

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/daybook-audit/daybook/internal/facets"
	"github.com/daybook-audit/daybook/internal/kept"
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
	Names  bool     // the values of actor.id with the names of the actors
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
	// Name is what the newest of the entries that name the actor call it; empty: none does, none was found in time, or it was not asked for.
	Name string
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
	s.need = !sum.Empty()
	w := walker{scan: s, each: func(*kept.Entry) (bool, error) { return sum.entry(s), nil }, wholeTail: true}
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
	if i := slices.IndexFunc(f.Fields, func(one Facet) bool { return one.Field == "actor.id" }); q.Names && i >= 0 {
		if err := b.nameActors(ctx, p, q.Hide, f.Fields[i].Values); err != nil {
			return nil, err
		}
	}
	f.Searched, err = s.searched()
	return f, err
}

// facetSum adds up what blocks say and what entries hold.
type facetSum struct {
	*facets.Sum
	count int64
}

func newFacetSum(fields []string) (*facetSum, error) {
	sum, unknown := facets.NewSum(fields)
	if sum == nil {
		return nil, &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "fields", Message: fmt.Sprintf("there are no facets of %q", truncate(unknown, 64))}
	}
	return &facetSum{Sum: sum}, nil
}

// entry counts the entry that s has just matched. It returns false when nothing more is to be known.
func (f *facetSum) entry(s *scan) bool {
	f.count++
	if !f.Empty() {
		f.Entry(s.doc)
	}
	return f.more()
}

func (f *facetSum) more() bool { return (!f.Empty() || f.count <= countExact) && !f.Full() }

// block counts a whole block by what its meta says; false: it must be read.
func (f *facetSum) block(m *BlockMeta, _ *dayTally) (taken, more bool, err error) {
	if f.Empty() {
		f.count += int64(m.Live)
		return true, f.more(), nil
	}
	if len(m.Facets) == 0 {
		return false, true, nil
	}
	if err := f.Block(m.Facets); err != nil {
		return false, false, fmt.Errorf("block %d: %w", m.First, ofStored(err))
	}
	f.count += int64(m.Live)
	return true, true, nil
}

// facets returns the sums, the values that are certain to be most frequent first.
func (f *facetSum) facets(top int) []Facet {
	if top <= 0 {
		top = 20
	}
	fields := f.Fields(min(top, 64))
	out := make([]Facet, len(fields))
	for i := range fields {
		values := make([]FacetValue, len(fields[i].Values))
		for j, v := range fields[i].Values {
			values[j] = FacetValue{Value: v.Text, Count: v.Count, Excess: v.Excess}
		}
		out[i] = Facet{Field: fields[i].Name, Values: values, Other: fields[i].Other}
	}
	return out
}
