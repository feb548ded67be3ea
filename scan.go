package daybook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// scan is one pass over one picture of a log: the tail in memory from view.head.Packed on, blocks below it. It belongs to one
// goroutine. Its Doc and Record are used for every entry, so that an entry that does not match costs no allocation.
type scan struct {
	*question
	b    *Book
	ctx  context.Context //nolint:containedctx // of the one call that a scan lives for
	view view

	all  bool     // every entry matches: none needs to be read for that
	need bool     // the caller of walk wants rec filled even so
	ids  bool     // the query asks for the event's own id, whose text costs an allocation
	lits [][]byte // every match without a backslash holds all of these

	doc *leaf.Doc
	rec query.Record // of the entry that matched last, unless all

	filter  []byte // the one that has asks
	has     func(query.Term) bool
	budget  budget
	resumed bool // another page came before
	seen    Span // of what was looked through: received_at, in the order of occurred_at that
	marks   [windowSize]bool
}

// budget is what a request may use up.
type budget struct {
	now    func() time.Time
	until  time.Time
	blocks int // left
	used   int // blocks
	reason string
}

// over reports whether the budget is used up, and remembers why.
func (g *budget) over() bool {
	switch {
	case g.reason != "":
	case g.blocks <= 0:
		g.reason = ReasonBlocks
	case !g.now().Before(g.until):
		g.reason = ReasonTime
	}
	return g.reason != ""
}

// newScan takes a picture of the log. The first scan of p fixes the log and its size for those that follow.
func (b *Book) newScan(ctx context.Context, p *question) (*scan, error) {
	v, err := b.view(ctx, p.org)
	if err != nil {
		return nil, err
	}
	if !p.pinned {
		p.pinned, p.logID, p.epoch, p.size = true, v.head.LogID, v.head.Epoch, v.size
	}
	if p.logID != v.head.LogID || p.epoch != v.head.Epoch || p.size > v.size {
		return nil, errCursor
	}
	s := &scan{
		question: p, b: b, ctx: ctx, view: v, doc: leaf.Get(), lits: p.query.Literals(),
		ids: asksForID(p.query.Explain()), all: p.query.Empty() && p.from == openFrom && p.to == openTo,
		seen: Span{Min: openTo, Max: openFrom}, resumed: p.at.set,
	}
	s.has = func(t query.Term) bool { return filterHas(s.filter, t) }
	s.budget = budget{now: b.o.Now, until: b.o.Now().Add(b.o.SearchTime), blocks: b.o.SearchBlocks}
	return s, nil
}

// asksForID reports whether a query looks at the event's own id.
func asksForID(n *query.Node) bool {
	if n == nil {
		return false
	}
	return n.Field == "id" || n.Field == "has" && slices.Contains(n.Values, "id") ||
		asksForID(n.Not) || slices.ContainsFunc(n.And, asksForID) || slices.ContainsFunc(n.Or, asksForID)
}

// close gives back what the scan borrowed.
func (s *scan) close() { leaf.Put(s.doc) }

// anyTime holds every time that an entry can have, those of the years 1970 to 9999 in any zone.
var anyTime = [2]int64{-microsPerDay, 253_402_300_800_000_000 + microsPerDay}

// visit gets an entry that matches; its slices are valid during the call. Returning false ends the walk after this entry.
type visit func(e *packed) (more bool, err error)

// walk visits the entries of [lo, hi) that match, in order, until each or the budget ends it. stop is how far it came: everything
// from lo (ascending), or down from hi, to stop was looked through. It looks through at least one unit, so that a search that goes
// on at stop ends, however small the budget.
func (s *scan) walk(lo, hi int64, asc bool, each visit) (stop int64, err error) {
	w := walker{scan: s, asc: asc, each: each}
	return w.walk(lo, hi)
}

// walker is one walk.
type walker struct {
	*scan
	asc  bool
	each visit
	// take, if set, may count a block that lies wholly within what is asked for without reading it.
	take      func(m *BlockMeta) (taken, more bool, err error)
	wholeTail bool // the budget does not end the walk in the tail
	ended     bool // by each, take or the budget
	units     int
}

func (w *walker) walk(lo, hi int64) (stop int64, err error) {
	if lo >= hi {
		return w.edge(lo, hi), nil
	}
	mid := min(max(w.view.head.Packed, lo), hi)
	if w.asc {
		if stop, err = w.blocks(lo, mid); err == nil && !w.ended {
			stop, err = w.tail(mid, hi)
		}
	} else {
		if stop, err = w.tail(mid, hi); err == nil && !w.ended {
			stop, err = w.blocks(lo, mid)
		}
	}
	return stop, err
}

// unit is up to windowSize neighbouring entries that lie together: of a block or of the tail.
type unit struct {
	first  int64
	n      int
	run    tailRun
	block  *block // nil: of the tail
	offset int    // of the first entry in run or block
}

func (u *unit) entry(i int) packed {
	if u.block != nil {
		return u.block.entry(u.offset + i)
	}
	return u.run.entry(u.offset + i)
}

// tail walks the entries [lo, hi) that are in memory.
func (w *walker) tail(lo, hi int64) (int64, error) {
	runs := w.view.runs
	if w.asc {
		for i := range runs {
			for at := max(lo, runs[i].first()); at < min(hi, runs[i].end()); {
				end := min(at+windowSize, hi, runs[i].end())
				stop, err := w.tailUnit(runs[i], at, end)
				if err != nil || w.ended {
					return stop, err
				}
				at = end
			}
		}
		return hi, nil
	}
	for i := len(runs) - 1; i >= 0; i-- {
		for end := min(hi, runs[i].end()); end > max(lo, runs[i].first()); {
			at := max(end-windowSize, lo, runs[i].first())
			stop, err := w.tailUnit(runs[i], at, end)
			if err != nil || w.ended {
				return stop, err
			}
			end = at
		}
	}
	return lo, nil
}

// tailUnit walks the entries [lo, hi) of one run.
func (w *walker) tailUnit(r tailRun, lo, hi int64) (int64, error) {
	if !w.wholeTail && w.pause() {
		return w.edge(lo, hi), nil
	}
	skip := lo - r.first()
	received := Span{Min: r.recvd + skip, Max: r.recvd + skip + hi - lo - 1}
	bounds := query.Bounds{
		SeqFrom: lo, SeqTo: hi, Received: [2]int64{received.Min, received.Max},
		Occurred: anyTime, Late: anyTime,
	}
	if !w.query.May(&bounds, nil) {
		w.saw(received)
		return w.far(lo, hi), nil
	}
	return w.unit(&unit{first: lo, n: int(hi - lo), run: r, offset: int(skip)})
}

// blocks walks the entries [lo, hi) that are in blocks. A block that was swapped since it was listed is listed again.
func (w *walker) blocks(lo, hi int64) (int64, error) {
	swapped := 0
	for lo < hi {
		at := hi - 1
		if w.asc {
			at = lo
		}
		stop, err := w.chunk(at, lo, hi)
		if errors.Is(err, ErrNotExist) && swapped < 100 {
			swapped++
			w.b.cache.dropChunk(w.view.head.Log, stop)
			err = nil
			if !w.asc {
				stop++ // of the block that was not read, the last seq
			}
		}
		if err != nil || w.ended {
			return stop, err
		}
		if w.asc {
			lo = stop
		} else {
			hi = stop
		}
	}
	return w.far(lo, hi), nil
}

// chunk walks the blocks of the chunk that holds at, and returns how far it came. With ErrNotExist that is the seq in which the
// block that was swapped begins (ascending) or ends.
func (w *walker) chunk(at, lo, hi int64) (int64, error) {
	list, err := w.list(at)
	if err != nil {
		return at, err
	}
	step := -1
	if w.asc {
		step = 1
	}
	stop := w.edge(lo, hi)
	for i := list.find(at); i >= 0 && i < len(list.metas); i += step {
		m := &list.metas[i]
		from, to := max(lo, m.First), min(hi, m.end())
		if from >= to {
			break
		}
		if w.pause() {
			return stop, nil
		}
		if !w.may(m) {
			w.saw(m.Received)
			stop = w.far(from, to)
			continue
		}
		if w.take != nil && to-from == int64(m.N) && m.Occurred.within(w.from, w.to) && m.Late.within(w.from, w.to) {
			taken, more, err := w.take(m)
			if err != nil {
				return stop, err
			}
			if taken {
				w.saw(m.Received)
				stop, w.ended = w.far(from, to), !more
				if w.ended {
					return stop, nil
				}
				continue
			}
		}
		blk, err := w.read(m)
		if err != nil {
			if w.asc {
				return from, err
			}
			return to - 1, err
		}
		if stop, err = w.unit(&unit{first: from, n: int(to - from), block: blk, offset: int(from - m.First)}); err != nil || w.ended {
			return stop, err
		}
	}
	return stop, nil
}

// list returns the metas of the chunk that holds seq, with filters only if one of them may decide.
func (s *scan) list(seq int64) (*metaChunk, error) {
	if s.ctx.Err() != nil {
		return nil, context.Cause(s.ctx)
	}
	timed := s.from != openFrom || s.to != openTo
	filters := !s.query.Empty() && !timed
	list, err := s.b.cache.metas(s.ctx, s.b.store, s.view.head.Log, seq, s.view.head.Packed, filters)
	if err != nil || list.filtered || s.query.Empty() {
		return list, err
	}
	for i := range list.metas {
		if s.may(&list.metas[i]) {
			return s.b.cache.metas(s.ctx, s.b.store, s.view.head.Log, seq, s.view.head.Packed, true)
		}
	}
	return list, nil
}

// may reports whether a block may hold a match.
func (s *scan) may(m *BlockMeta) bool {
	if !m.Occurred.meets(s.from, s.to) && !m.Late.meets(s.from, s.to) {
		return false
	}
	bounds := query.Bounds{
		SeqFrom: m.First, SeqTo: m.end(), Received: [2]int64{m.Received.Min, m.Received.Max},
		Occurred: [2]int64{m.Occurred.Min, m.Occurred.Max}, Late: [2]int64{m.Late.Min, m.Late.Max},
	}
	if len(m.Filter) == 0 {
		return s.query.May(&bounds, nil)
	}
	s.filter = m.Filter
	return s.query.May(&bounds, s.has)
}

// meets reports whether s has a time in [from, to).
func (s Span) meets(from, to int64) bool { return s.Min <= s.Max && s.Max >= from && s.Min < to }

// within reports whether s has no time outside of [from, to).
func (s Span) within(from, to int64) bool { return s.Min > s.Max || s.Min >= from && s.Max < to }

// read returns a block and charges it.
func (s *scan) read(m *BlockMeta) (*block, error) {
	s.budget.blocks--
	s.budget.used++
	return s.b.cache.block(s.ctx, s.b.store, s.view.head.Log, m.BlockRef)
}

// pause reports whether the budget ends the walk here. The first unit is always walked.
func (w *walker) pause() bool {
	w.units++
	w.ended = w.units > 1 && w.budget.over()
	return w.ended
}

// edge returns the end of [lo, hi) where the walk begins, far the one where it leaves.
func (w *walker) edge(lo, hi int64) int64 {
	if w.asc {
		return lo
	}
	return hi
}

func (w *walker) far(lo, hi int64) int64 { return w.edge(hi, lo) }

// saw notes received_at of what was looked through.
func (s *scan) saw(r Span) {
	s.seen.Min, s.seen.Max = min(s.seen.Min, r.Min), max(s.seen.Max, r.Max)
}

// unit visits the matches of u in order.
func (w *walker) unit(u *unit) (stop int64, err error) {
	if w.ctx.Err() != nil {
		return u.first, context.Cause(w.ctx)
	}
	narrow := w.mark(u)
	for k := range u.n {
		i := k
		if !w.asc {
			i = u.n - 1 - k
		}
		if narrow && !w.marks[i] {
			continue
		}
		e := u.entry(i)
		hit, err := w.match(&e)
		if err != nil {
			return u.first, err
		}
		if !hit {
			continue
		}
		more, err := w.each(&e)
		if err != nil {
			return e.seq, err
		}
		if !more {
			w.ended = true
			w.saw(Span{e.received, e.received})
			w.saw(u.edge(w.asc))
			return w.far(e.seq, e.seq+1), nil
		}
	}
	w.saw(u.edge(w.asc))
	w.saw(u.edge(!w.asc))
	return w.far(u.first, u.first+int64(u.n)), nil
}

// edge returns received_at of the first or last entry of u.
func (u *unit) edge(first bool) Span {
	i := u.n - 1
	if first {
		i = 0
	}
	e := u.entry(i)
	return Span{e.received, e.received}
}

// mark looks for the query's literals in the bodies of u, and notes which entries can match. It returns false if there is nothing
// to go by. A body with a backslash may hold a literal in another spelling and is always marked.
func (s *scan) mark(u *unit) bool {
	if len(s.lits) == 0 {
		return false
	}
	for i := range u.n {
		body, escaped := u.body(i)
		s.marks[i] = escaped || containsAll(body, s.lits)
	}
	return true
}

// body returns the body of entry i and whether it holds a backslash.
func (u *unit) body(i int) ([]byte, bool) {
	i += u.offset
	if u.block != nil {
		return u.block.body(i), u.block.backslash(i)
	}
	e := &u.run.c.entries[u.run.at+i]
	return u.run.c.bodies[e.off : e.off+e.len], e.state&stateBackslash != 0
}

func containsAll(body []byte, lits [][]byte) bool {
	for _, l := range lits {
		if !bytes.Contains(body, l) {
			return false
		}
	}
	return true
}

// match reports whether e is looked for. rec then holds its record, unless every entry is and nobody needs it.
func (s *scan) match(e *packed) (bool, error) {
	if s.all && !s.need {
		return true, nil
	}
	read := e.recordWithoutID
	if s.ids {
		read = e.record
	}
	if err := read(s.org, s.doc, &s.rec); err != nil {
		return false, fmt.Errorf("log of %s: %w", s.org, err)
	}
	return s.rec.Occurred >= s.from && s.rec.Occurred < s.to && s.query.Match(&s.rec), nil
}

// open returns e as it stands in the log of org. Entries of blocks get their leaf hash from their payload. It reads into d.
func (p *packed) open(org OrgID, d *leaf.Doc) (Entry, error) {
	e := Entry{Org: org, Seq: p.seq, ID: p.id, ReceivedAt: p.received, LeafHash: p.leaf, Kind: p.kind}
	e.Payload = p.text(make([]byte, 0, len(p.body)+idTextLen))
	if p.leaf != (tlog.Hash{}) {
		return e, nil
	}
	if err := d.Read(e.Payload); err != nil {
		return Entry{}, &Error{Code: CodeTampered, Rule: "damaged", Message: fmt.Sprintf("the payload of entry %d of %s cannot be read", p.seq, org), Err: err}
	}
	l := leaf.Leaf{Kind: p.kind, Seq: p.seq, ReceivedAt: p.received, ID: p.id, Root: d.Root(&p.secret)}
	e.LeafHash = tlog.Hash(l.Hash())
	return e, nil
}

// searched says what the scan looked through. Its question has moved on.
func (s *scan) searched() (Searched, error) {
	r := Searched{Blocks: s.budget.used, Complete: s.budget.reason == "", Reason: s.budget.reason}
	if s.size == 0 {
		r.From, r.To = s.now, s.now
		return r, nil
	}
	asked, err := s.extent()
	if err != nil {
		return r, err
	}
	r.From, r.To = asked.Min, asked.Max
	atStart, atEnd := !s.resumed, s.done
	if !s.asc {
		atStart, atEnd = atEnd, atStart
	}
	if !atStart {
		r.From = min(max(s.seen.Min, asked.Min), asked.Max)
	}
	if !atEnd {
		r.To = max(min(s.seen.Max, asked.Max), r.From)
	}
	r.Days, r.OfDays = days(r.From, r.To), days(asked.Min, asked.Max)
	return r, nil
}

// extent is the time that is asked for; an open bound is that of the oldest or newest entry.
func (s *scan) extent() (Span, error) {
	e := Span{Min: s.from, Max: s.to}
	if e.Max == openTo {
		e.Max = s.view.received
	}
	if e.Min != openFrom {
		return Span{e.Min, max(e.Min, e.Max)}, nil
	}
	if s.view.head.Packed == 0 {
		e.Min = s.view.runs[0].recvd
	} else {
		list, err := s.b.cache.metas(s.ctx, s.b.store, s.view.head.Log, 0, 1, false)
		if err != nil {
			return Span{}, err
		}
		e.Min = list.metas[0].Received.Min
	}
	return Span{min(e.Min, e.Max), e.Max}, nil
}

// days returns the number of whole days from one time to another, at least one.
func days(from, to int64) int { return int(max(1, (to-from)/(24*time.Hour).Microseconds())) }
