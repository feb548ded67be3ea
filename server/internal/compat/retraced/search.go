package retraced

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
)

// reader is who searches: over which organizations, and within what.
type reader struct {
	orgs   func(ctx context.Context, yield func(daybook.OrgID) error) error
	within *query.Query // nil: every entry
	scope  string       // tells readers apart, for cursors
}

// sought is a search under way.
type sought struct {
	d *Door
	*reader
	*terms
	desc  bool
	after *position // the page begins behind it; nil: at the beginning

	from, to int64 // of occurred_at, µs; 0: open
}

// found is an entry of a page.
type found struct {
	position
	entry daybook.Entry
}

// page returns at most limit entries after the first skip ones, and whether more follow. It asks each organization for as many as it
// needs and keeps the best: a bound taken from those keeps the later organizations short.
func (s *sought) page(ctx context.Context, skip, limit int) (page []found, more bool, err error) {
	want := skip + limit + 1
	var best []found
	err = s.orgs(ctx, func(org daybook.OrgID) error {
		floor := (*position)(nil)
		if len(best) == want {
			floor = &best[want-1].position
		}
		list, err := s.ofOrg(ctx, org, want, floor)
		if err != nil {
			return err
		}
		best = append(best, list...)
		slices.SortFunc(best, func(a, b found) int { return s.compare(a.position, b.position) })
		clear(best[min(want, len(best)):])
		best = best[:min(want, len(best))]
		if skip > 0 {
			for i := range best {
				best[i].entry.Payload = nil // only its place is known until it is certain that it is on the page
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	more = len(best) == want
	page = best[min(skip, len(best)):min(skip+limit, len(best))]
	if skip > 0 {
		for i := range page {
			if page[i].entry, err = s.d.Book.EntryAt(ctx, page[i].org, page[i].seq); err != nil {
				return nil, false, err
			}
		}
	}
	return page, more, nil
}

// compare is the order of the page.
func (s *sought) compare(a, b position) int {
	if s.desc {
		return b.compare(a)
	}
	return a.compare(b)
}

// ofOrg returns the first want entries of one organization behind s.after, and not behind floor.
func (s *sought) ofOrg(ctx context.Context, org daybook.OrgID, want int, floor *position) ([]found, error) {
	text, ok := s.in(org)
	if !ok {
		return nil, nil
	}
	q, err := s.question(org, text)
	if err != nil {
		return nil, err
	}
	q.Asc, q.Limit = !s.desc, min(want, daybook.MaxLimit)
	if q.Within, err = s.bounded(org, floor); err != nil {
		return nil, err
	}
	var list []found
	for {
		page, err := s.d.Book.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			at := positionOf(e)
			if s.after != nil && s.compare(at, *s.after) <= 0 {
				continue
			}
			if ok, err := s.passes(e); err != nil {
				return nil, err
			} else if !ok {
				continue
			}
			if list = append(list, found{at, *e}); len(list) == want {
				return list, nil
			}
		}
		if page.NextCursor == "" {
			return list, nil
		}
		q.Cursor = page.NextCursor
	}
}

func (s *sought) question(org daybook.OrgID, text string) (daybook.EventQuery, error) {
	parsed, err := query.Parse(text, query.Options{Place: query.Search})
	if err != nil {
		message := err.Error()
		if e, ok := errors.AsType[*query.Error](err); ok {
			message = e.Message
		}
		return daybook.EventQuery{}, &searchError{"Invalid search: " + message}
	}
	return daybook.EventQuery{Org: org, Query: parsed, Within: s.within, From: s.from, To: s.to}, nil
}

// bounded is what the reader may see, within the places that can still be on the page.
func (s *sought) bounded(org daybook.OrgID, floor *position) (*query.Query, error) {
	behind, upTo := "<=", ">="
	if !s.desc {
		behind, upTo = upTo, behind
	}
	text := ""
	if s.after != nil && s.after.org == org {
		text = fmt.Sprintf("seq:%s%d", behind[:1], s.after.seq)
	} else if s.after != nil {
		text = "received:" + behind + string(daybook.AppendTime(nil, s.after.received))
	}
	if floor != nil {
		text += " received:" + upTo + string(daybook.AppendTime(nil, floor.received))
	}
	bounds, err := query.Parse(text, query.Options{Place: query.Search})
	if err != nil {
		return nil, fmt.Errorf("bound a search: %w", err)
	}
	if s.within == nil {
		return bounds, nil
	}
	return query.And(s.within, bounds), nil
}

// passes holds an entry against what the query could not say.
func (s *sought) passes(e *daybook.Entry) (bool, error) {
	if len(s.tests) == 0 {
		return true, nil
	}
	v, err := viewOf(e)
	if err != nil {
		return false, err
	}
	for _, test := range s.tests {
		if !test(v) {
			return false, nil
		}
	}
	return true, nil
}

// count returns how many entries match, wherever the page begins; exactly.
func (s *sought) count(ctx context.Context) (total int64, err error) {
	err = s.orgs(ctx, func(org daybook.OrgID) error {
		text, ok := s.in(org)
		if !ok {
			return nil
		}
		q, err := s.question(org, text)
		if err != nil {
			return err
		}
		n, known := int64(0), false
		if len(s.tests) == 0 {
			n, known, err = s.quickCount(ctx, q)
		}
		if err == nil && !known {
			n, err = s.slowCount(ctx, q)
		}
		total += n
		return err
	})
	return total, err
}

// quickCount asks for a count that is kept, or made without giving out entries.
func (s *sought) quickCount(ctx context.Context, q daybook.EventQuery) (n int64, known bool, err error) {
	f, err := s.d.Book.Facets(ctx, daybook.FacetQuery{EventQuery: q, Fields: []string{}})
	if err != nil {
		return 0, false, err
	}
	if f.Count.Exact && f.Searched.Complete {
		return f.Count.Value, true, nil
	}
	h, err := s.d.Book.Histogram(ctx, daybook.HistogramQuery{EventQuery: q})
	if err != nil || !h.Searched.Complete {
		return 0, false, err
	}
	for _, b := range h.Bars {
		n += b.Total
	}
	return n, true, nil
}

// slowCount looks at every entry, for as long as the search may take.
func (s *sought) slowCount(ctx context.Context, q daybook.EventQuery) (n int64, err error) {
	err = s.each(ctx, q, func(*daybook.Entry) { n++ })
	return n, err
}

func (s *sought) each(ctx context.Context, q daybook.EventQuery, visit func(e *daybook.Entry)) error {
	for e, err := range s.d.Book.Events(ctx, q) {
		if err != nil {
			return err
		}
		ok, err := s.passes(&e)
		if err != nil {
			return err
		}
		if ok {
			visit(&e)
		}
	}
	return nil
}

// tally is how many entries have a value.
type tally struct {
	value string
	count int64
}

// tallies counts the values of all matching entries, most frequent first.
func (s *sought) tallies(ctx context.Context, of func(v *view) string) ([]tally, error) {
	counts := map[string]int64{}
	err := s.orgs(ctx, func(org daybook.OrgID) error {
		text, ok := s.in(org)
		if !ok {
			return nil
		}
		q, err := s.question(org, text)
		if err != nil {
			return err
		}
		var broken error
		err = s.each(ctx, q, func(e *daybook.Entry) {
			v, err := viewOf(e)
			if err != nil {
				broken = err
				return
			}
			if value := of(v); value != "" {
				counts[value]++
			}
		})
		return cmp.Or(err, broken)
	})
	list := make([]tally, 0, len(counts))
	for value, n := range counts {
		list = append(list, tally{value, n})
	}
	slices.SortFunc(list, func(a, b tally) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.value, b.value))
	})
	return list, err
}

// clamped is a count as GraphQL's Int can hold it.
func clamped(n int64) int64 { return min(n, math.MaxInt32) }
