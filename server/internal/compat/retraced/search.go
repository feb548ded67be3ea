package retraced

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

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
	if s.cruds != "" {
		text += " (" + s.said() + " OR " + unsaid + ")"
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
			if !s.passes(e) {
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
func (s *sought) passes(e *daybook.Entry) bool {
	if len(s.tests) == 0 && s.cruds == "" {
		return true
	}
	return s.holds(outlineOf(e))
}

func (s *sought) holds(o *outline) bool {
	if s.cruds != "" && !strings.Contains(s.cruds, o.crud()) {
		return false
	}
	for _, test := range s.tests {
		if !test(o) {
			return false
		}
	}
	return true
}

// count returns how many entries match, wherever the page begins; exactly.
func (s *sought) count(ctx context.Context) (total int64, err error) {
	err = s.orgs(ctx, func(org daybook.OrgID) error {
		text, ok := s.in(org)
		if !ok {
			return nil
		}
		for _, part := range s.parts(text) {
			n, err := s.countPart(ctx, org, part)
			if err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	return total, err
}

// part is a query, and whether its entries must be looked at.
type part struct {
	text  string
	plain bool // every entry that it finds counts
}

// parts divides what is asked for, so that as little as possible is looked at.
func (s *sought) parts(text string) []part {
	plain := len(s.tests) == 0
	if s.cruds == "" {
		return []part{{text, plain}}
	}
	return []part{{text + " " + s.said(), plain}, {text + " " + unsaid, false}}
}

func (s *sought) countPart(ctx context.Context, org daybook.OrgID, p part) (n int64, err error) {
	q, err := s.question(org, p.text)
	if err != nil {
		return 0, err
	}
	if p.plain {
		if n, known, err := s.quickCount(ctx, q); known || err != nil {
			return n, err
		}
	}
	err = s.each(ctx, q, func(*daybook.Entry, *outline) { n++ })
	return n, err
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

// each visits every entry that matches, for as long as the search may take.
func (s *sought) each(ctx context.Context, q daybook.EventQuery, visit func(e *daybook.Entry, o *outline)) error {
	for e, err := range s.d.Book.Events(ctx, q) {
		if err != nil {
			return err
		}
		if o := outlineOf(&e); s.holds(o) {
			visit(&e, o)
		}
	}
	return nil
}

// tally is how many entries have a value.
type tally struct {
	value string
	count int64
}

// tallies counts the actions or groups of all matching entries, most frequent first, and notes in a what of which log was looked at.
func (s *sought) tallies(ctx context.Context, kind string, a *answered) ([]tally, error) {
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
		if kind == "action" && s.cruds == "" && len(s.tests) == 0 {
			if known, err := s.quickActions(ctx, q, counts); known || err != nil {
				a.counted(org)
				return err
			}
		}
		return s.each(ctx, q, func(e *daybook.Entry, o *outline) {
			a.saw(e)
			value := o.Action
			if kind == "group" {
				value = o.group()
			}
			if value != "" {
				counts[value]++
			}
		})
	})
	list := make([]tally, 0, len(counts))
	for value, n := range counts {
		list = append(list, tally{value, n})
	}
	slices.SortFunc(list, func(x, y tally) int {
		return cmp.Or(cmp.Compare(y.count, x.count), cmp.Compare(x.value, y.value))
	})
	return list, err
}

// quickActions adds the counts of actions that are kept, if they are exact.
func (s *sought) quickActions(ctx context.Context, q daybook.EventQuery, counts map[string]int64) (known bool, err error) {
	f, err := s.d.Book.Facets(ctx, daybook.FacetQuery{EventQuery: q, Fields: []string{"action"}, Top: 64})
	if err != nil || !f.Searched.Complete || len(f.Fields) != 1 || f.Fields[0].Other > 0 {
		return false, err
	}
	for _, v := range f.Fields[0].Values {
		if v.Excess > 0 {
			return false, nil
		}
	}
	for _, v := range f.Fields[0].Values {
		counts[v.Value] += v.Count
	}
	return true, nil
}

// clamped is a count as GraphQL's Int can hold it.
func clamped(n int64) int64 { return min(n, math.MaxInt32) }
