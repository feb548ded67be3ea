package resthapi

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
	own "github.com/daybook-audit/daybook/resthapi"
)

// Bounds of one request.
const (
	queryTime  = 30 * time.Second
	maxGivenID = 1_000_000 // matches that are sorted when some documents brought their own _id
)

// list is GET /auditLog.
func (d *Door) list(w http.ResponseWriter, r *http.Request, _ []byte) {
	c := callerOf(r)
	q, f := parseParams(r.URL.RawQuery, &d.Settings, d.now())
	if f != nil {
		f.send(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTime)
	defer cancel()
	s := &search{door: d, org: c.org, q: q}
	if f := s.run(ctx); f != nil {
		f.send(w)
		return
	}
	d.looked(r, c, s.shown())
	w.Header().Set("Daybook-Head-Size", strconv.FormatInt(s.size, 10))
	if q.count {
		send(w, http.StatusOK, strconv.AppendInt(nil, s.total, 10))
		return
	}
	body, f := s.page(ctx)
	if f != nil {
		w.Header().Del("Daybook-Head-Size")
		f.send(w)
		return
	}
	send(w, http.StatusOK, body)
}

// search is one question on its way.
type search struct {
	door   *Door
	org    daybook.OrgID
	q      *question
	holds  []*query.Query // what no time to live hides
	cutoff time.Time      // what was received then or before is hidden; zero: there is no time to live

	size  int64   // of the log
	total int64   // matches
	seqs  []int64 // of the page, in order
	given bool    // a match brought its own _id
}

// hit is a match.
type hit struct {
	seq  int64
	id   string
	keys []any // values of the fields to sort by
}

// run finds the page and counts.
func (s *search) run(ctx context.Context) *fault {
	if err := s.findHolds(ctx); err != nil {
		return bookFault(err)
	}
	collect := s.byLog
	if !s.q.byID() {
		collect = s.byKeys
	}
	err := collect(ctx)
	if err == nil && s.given && s.q.byID() && !s.q.count {
		err = s.byGivenID(ctx)
	}
	if errors.Is(err, errTooMany) {
		return tooSlow()
	}
	if err != nil {
		return bookFault(err)
	}
	return nil
}

// byLog finds the page in the order of the log, which is that of the _ids that the log gives.
func (s *search) byLog(ctx context.Context) error {
	return s.each(ctx, func(h *hit) error {
		if s.total >= s.q.skip && s.total-s.q.skip < s.q.limit {
			s.seqs = append(s.seqs, h.seq)
		}
		s.total++
		if _, _, ok := own.ParseLogID(h.id); !ok {
			s.given = true
		}
		return nil
	})
}

var errTooMany = errors.New("too many matches to sort")

// byGivenID finds the page again, when some _ids are not the log's: they are older than their place in the log.
func (s *search) byGivenID(ctx context.Context) error {
	if s.total > maxGivenID {
		return errTooMany
	}
	hits := make([]hit, 0, s.total)
	s.total, s.seqs = 0, nil
	if err := s.each(ctx, func(h *hit) error {
		hits = append(hits, hit{seq: h.seq, id: h.id})
		return nil
	}); err != nil {
		return err
	}
	slices.SortFunc(hits, func(a, b hit) int {
		c := strings.Compare(a.id, b.id)
		if s.q.descending() {
			c = -c
		}
		return c
	})
	s.total = int64(len(hits))
	for _, h := range hits[min(s.q.skip, s.total):min(s.q.skip+s.q.limit, s.total)] {
		s.seqs = append(s.seqs, h.seq)
	}
	return nil
}

// byKeys finds the page in another order: it holds as many hits as the page reaches down, the last one on top.
func (s *search) byKeys(ctx context.Context) error {
	top := &hits{order: s.order}
	most := int(s.q.skip + s.q.limit)
	if err := s.each(ctx, func(h *hit) error {
		s.total++
		if len(top.list) < most {
			heap.Push(top, *h)
		} else if most > 0 && s.order(h, &top.list[0]) < 0 {
			top.list[0] = *h
			heap.Fix(top, 0)
		}
		return nil
	}); err != nil {
		return err
	}
	slices.SortFunc(top.list, func(a, b hit) int { return s.order(&a, &b) })
	for _, h := range top.list[min(int(s.q.skip), len(top.list)):] {
		s.seqs = append(s.seqs, h.seq)
	}
	return nil
}

// order compares two hits by the fields asked for, and then by _id.
func (s *search) order(a, b *hit) int {
	for i, key := range s.q.sort {
		c := compare(a.keys[i], b.keys[i])
		if key.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Or(strings.Compare(a.id, b.id), cmp.Compare(a.seq, b.seq))
}

// hits is a heap, the last in order on top.
type hits struct {
	list  []hit
	order func(a, b *hit) int
}

func (h *hits) Len() int           { return len(h.list) }
func (h *hits) Less(i, j int) bool { return h.order(&h.list[i], &h.list[j]) > 0 }
func (h *hits) Swap(i, j int)      { h.list[i], h.list[j] = h.list[j], h.list[i] }

// Push is for package heap.
func (h *hits) Push(x any) {
	if one, ok := x.(hit); ok {
		h.list = append(h.list, one)
	}
}

// Pop is for package heap.
func (h *hits) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

// listed are the entries that are rest-hapi's documents: recorded through the door or the profile, or by the middleware.
const listed = "(has:meta.rest_hapi.v OR has:http.method) -action:daybook.*"

// within is what the log is asked for.
func (s *search) within() (*query.Query, error) {
	var texts []string
	if !s.q.all {
		texts = append(texts, listed)
	}
	if s.q.head >= 0 {
		texts = append(texts, "seq:<"+strconv.FormatInt(s.q.head, 10))
	}
	if !s.cutoff.IsZero() && len(s.holds) == 0 {
		texts = append(texts, "(-has:meta.rest_hapi.v OR received:>"+s.cutoff.Format(microForm)+")")
	}
	parts := slices.Clone(s.q.within)
	for _, text := range texts {
		q, err := query.Parse(text, query.Options{})
		if err != nil {
			return nil, err
		}
		parts = append(parts, q)
	}
	return query.And(parts...), nil
}

const microForm = "2006-01-02T15:04:05.000000Z"

// each calls f for every match, in the order of the log or against it.
func (s *search) each(ctx context.Context, f func(*hit) error) error {
	within, err := s.within()
	if err != nil {
		return err
	}
	q := daybook.EventQuery{Org: s.org, Query: within, Asc: !s.q.descending(), Limit: daybook.MaxLimit}
	if !s.q.from.IsZero() {
		q.From = max(s.q.from.UnixMicro(), 1)
	}
	if !s.q.to.IsZero() {
		q.To = max(s.q.to.UnixMicro(), 1)
	}
	for {
		page, err := s.door.Book.Search(ctx, q)
		if err != nil {
			return err
		}
		if s.size = page.Size; s.q.head >= 0 {
			s.size = min(s.size, s.q.head)
		}
		for i := range page.Entries {
			if err := s.entry(&page.Entries[i], f); err != nil {
				return err
			}
		}
		if page.NextCursor == "" {
			return nil
		}
		if q.Cursor = page.NextCursor; ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// entry hands an entry on if it is a match.
func (s *search) entry(e *daybook.Entry, f func(*hit) error) error {
	if e.Removed != daybook.NotRemoved || s.hides(e) {
		return nil
	}
	h := hit{seq: e.Seq, id: idOf(e)}
	if len(s.q.conditions) > 0 || !s.q.byID() {
		d, err := documentOf(e)
		if err != nil {
			return err
		}
		if !s.q.conditions.match(d) {
			return nil
		}
		if !s.q.byID() {
			for _, key := range s.q.sort {
				h.keys = append(h.keys, d.field(key.field))
			}
		}
	}
	return f(&h)
}

// page writes the answer.
func (s *search) page(ctx context.Context) ([]byte, *fault) {
	out := []byte(`{"docs":[`)
	for i, seq := range s.seqs {
		e, err := s.door.Book.EntryAt(ctx, s.org, seq)
		if err != nil {
			return nil, bookFault(err)
		}
		if e.Removed != daybook.NotRemoved {
			continue // since it was found
		}
		doc, err := documentOf(&e)
		if err != nil {
			return nil, unavailable()
		}
		if i > 0 && out[len(out)-1] != '[' {
			out = append(out, ',')
		}
		out = doc.appendJSON(out, s.q.selected)
	}
	limit, total, skip := s.q.limit, s.total, s.q.skip
	current := s.q.page
	if current == 0 {
		current = skip/limit + 1
	}
	pages := (total + limit - 1) / limit
	out = append(out, `],"pages":{"current":`...)
	out = strconv.AppendInt(out, current, 10)
	out = strconv.AppendInt(append(out, `,"prev":`...), current-1, 10)
	out = strconv.AppendBool(append(out, `,"hasPrev":`...), current != 1)
	out = strconv.AppendInt(append(out, `,"next":`...), current+1, 10)
	out = strconv.AppendBool(append(out, `,"hasNext":`...), current+1 <= pages)
	out = strconv.AppendInt(append(out, `,"total":`...), pages, 10)
	out = strconv.AppendInt(append(out, `},"items":{"limit":`...), limit, 10)
	out = strconv.AppendInt(append(out, `,"begin":`...), min(skip+1, total), 10)
	out = strconv.AppendInt(append(out, `,"end":`...), min(skip+limit, total), 10)
	out = strconv.AppendInt(append(out, `,"total":`...), total, 10)
	return append(out, '}', '}'), nil
}

// findHolds reads what holds keep from a time to live.
func (s *search) findHolds(ctx context.Context) error {
	if s.door.Settings.TTL <= 0 {
		return nil
	}
	s.cutoff = s.door.now().Add(-s.door.Settings.TTL).UTC()
	holds, err := s.door.Book.Holds(ctx, s.org)
	if err != nil {
		return err
	}
	for _, h := range holds {
		if h.ReleasedAt != 0 {
			continue
		}
		q, err := query.Parse(h.Query, query.Options{Place: query.Hold})
		if err != nil {
			q = &query.Query{} // a hold errs on the side of keeping
		}
		s.holds = append(s.holds, q)
	}
	return nil
}

// hides reports whether the time to live of the door is over for an entry, and no hold keeps it.
func (s *search) hides(e *daybook.Entry) bool {
	if s.cutoff.IsZero() || e.ReceivedAt > s.cutoff.UnixMicro() {
		return false
	}
	doc := leaf.Get()
	defer leaf.Put(doc)
	if doc.ReadTrusted(e.Payload) != nil {
		return false
	}
	r := query.Record{Org: string(e.Org), Seq: e.Seq, ID: e.ID.String(), Received: e.ReceivedAt, Occurred: e.ReceivedAt, Doc: doc}
	if ev, err := e.Event(); err == nil && !ev.OccurredAt.IsZero() {
		r.Occurred = ev.OccurredAt.UnixMicro()
	}
	return ofDoor.Match(&r) && !slices.ContainsFunc(s.holds, func(q *query.Query) bool { return q.Match(&r) })
}

// ofDoor is what a time to live is for: what was recorded as rest-hapi's document.
var ofDoor = mustParse("has:meta.rest_hapi.v")

func mustParse(text string) *query.Query {
	q, err := query.Parse(text, query.Options{})
	if err != nil {
		panic(err)
	}
	return q
}
