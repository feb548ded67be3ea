package daybook

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/packed"
	"github.com/daybook-audit/daybook/internal/termfilter"
	"github.com/daybook-audit/daybook/internal/timestamp"
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

	release func() // of its place, if it has one

	all  bool // every entry matches: none needs to be read for that
	need bool // the caller of walk wants rec filled even so
	// tombstones says that the entries removed by retention are wanted too: only where every entry is.
	tombstones bool

	ids   bool          // the query asks for the event's own id, whose text costs an allocation
	holds []*activeHold // in force, if the query or the reader asks for what is held
	lits  query.Literals

	doc *leaf.Doc
	rec query.Record // of the entry that matched last, unless all

	filter   []byte // the one that has asks
	filterAt int64  // the first seq of its block
	has      func(query.Term) bool
	begin    time.Time
	budget   budget
	resumed  bool // another page came before
	seen     Span // of what was looked through: received_at, in the order of occurred_at that
	marks    [windowSize]bool
	places   [windowSize]tailPlace // of the unit's entries, in the tail
	current  kept.Entry            // the entry being looked at
	damaged  []Damage              // what was passed over, with gaps
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

// enterScan is newScan for work that may read many blocks: it waits for a place among those of the org first, and close gives it back.
func (b *Book) enterScan(ctx context.Context, p *question) (*scan, error) {
	release, err := b.limits.enter(ctx, p.org)
	if err != nil {
		return nil, err
	}
	s, err := b.newScan(ctx, p)
	if err != nil {
		release()
		return nil, err
	}
	s.release = release
	return s, nil
}

// newScan takes a picture of the log. The first scan of p fixes the log and its size for those that follow.
func (b *Book) newScan(ctx context.Context, p *question) (*scan, error) {
	v, err := b.view(ctx, p.org)
	if err != nil {
		return nil, err
	}
	return b.scanOf(ctx, p, v)
}

// scanOf is newScan of a picture that was taken.
func (b *Book) scanOf(ctx context.Context, p *question, v view) (s *scan, err error) {
	if !p.pinned {
		p.pinned, p.logID, p.epoch, p.size = true, v.head.LogID, v.head.Epoch, v.size
	}
	if p.logID != v.head.LogID || p.epoch != v.head.Epoch || p.size > v.size {
		return nil, errCursor
	}
	var holds []*activeHold
	if p.held || asksForHeld(p.query.Explain()) {
		if holds, err = b.holdsInForce(ctx, p.org); err != nil {
			return nil, err
		}
	}
	s = &scan{
		question: p, b: b, ctx: ctx, view: v, doc: leaf.Get(), lits: p.query.Literals(),
		ids: asksForID(p.query.Explain()), all: p.query.Empty() && p.from == openFrom && p.to == openTo,
		seen: Span{Min: openTo, Max: openFrom}, resumed: p.at.set, holds: holds,
	}
	s.has = func(t query.Term) bool { return termfilter.Has(s.filter, s.filterAt, t) }
	s.begin = b.o.Now()
	s.budget = budget{now: b.o.Now, until: s.begin.Add(b.o.SearchTime), blocks: b.o.SearchBlocks}
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

// asksForHeld reports whether a query asks what a hold keeps.
func asksForHeld(n *query.Node) bool {
	if n == nil {
		return false
	}
	return n.Field == "is" && slices.Contains(n.Values, "held") ||
		asksForHeld(n.Not) || slices.ContainsFunc(n.And, asksForHeld) || slices.ContainsFunc(n.Or, asksForHeld)
}

// open returns an entry for a page: with held it says whether a hold keeps it.
func (s *scan) open(e *kept.Entry) (Entry, error) {
	entry, err := openEntry(e, s.org, s.doc)
	if err != nil || !s.held || len(s.holds) == 0 {
		return entry, err
	}
	if err := readRecord(e, s.org, s.doc, &s.rec); err != nil {
		return entry, fmt.Errorf("log of %s: %w", s.org, err)
	}
	entry.Held = holding(s.holds, &s.rec) != nil
	return entry, nil
}

// close gives back what the scan borrowed.
func (s *scan) close() {
	leaf.Put(s.doc)
	if s.release != nil {
		s.release()
	}
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
	if s.tombstones {
		return true
	}
	if !m.Occurred.meets(s.from, s.to) && !m.Late.meets(s.from, s.to) {
		return false
	}
	bounds := query.Bounds{
		SeqFrom: m.First, SeqTo: m.end(), Received: [2]int64{m.Received.Min, m.Received.Max},
		Occurred: [2]int64{m.Occurred.Min, m.Occurred.Max}, Late: [2]int64{m.Late.Min, m.Late.Max},
		NoControl: m.State&stateControl == 0, NoErased: m.State&stateErased == 0,
	}
	if len(m.Filter) == 0 {
		return s.query.May(&bounds, nil)
	}
	s.filter, s.filterAt = m.Filter, m.First
	return s.query.May(&bounds, s.has)
}

// meets reports whether s has a time in [from, to).
func (s *Span) meets(from, to int64) bool { return s.Min <= s.Max && s.Max >= from && s.Min < to }

// within reports whether s has no time outside of [from, to).
func (s *Span) within(from, to int64) bool { return s.Min > s.Max || s.Min >= from && s.Max < to }

// read returns a block and charges it.
func (s *scan) read(m *BlockMeta) (*packed.Block, error) {
	s.budget.blocks--
	s.budget.used++
	var into *[]byte
	if s.once {
		into = &s.plain
	}
	return s.b.cache.block(s.ctx, s.b.store, &s.view.head, m, into)
}

// openEntry returns an entry as it stands in the log of org. Entries of blocks get their leaf hash from their payload. It reads into d.
func openEntry(k *kept.Entry, org OrgID, d *leaf.Doc) (Entry, error) {
	e := Entry{Org: org, Seq: k.Seq, ID: k.ID, ReceivedAt: k.Received, LeafHash: k.LeafHash, Kind: k.Kind}
	switch {
	case k.Gone():
		why, by, err := k.Tombstone()
		if err != nil {
			return Entry{}, fmt.Errorf("log of %s: %w", org, ofStored(err))
		}
		e.Removed, e.RemovedBy = Why(why), by
		if k.Form == kept.FormNone {
			return e, nil
		}
	case k.Form == kept.FormFields:
		fs, err := kept.ReadFields(k.Body)
		if err != nil {
			return Entry{}, fmt.Errorf("log of %s: entry %d: %w", org, k.Seq, ofStored(err))
		}
		e.Payload = kept.Shown(fs)
		e.Erased, e.Masked, e.ErasedFields = kept.ErasedNames(fs)
	default:
		e.Payload = k.Text(make([]byte, 0, len(k.Body)+kept.IDTextLen))
	}
	h, err := k.Hash(d)
	if err != nil {
		return Entry{}, fmt.Errorf("log of %s: %w", org, ofStored(err))
	}
	e.LeafHash = h
	return e, nil
}

// readRecord reads what is left of the payload of e into d and fills r with what a query asks for. The id text in the payload reads as
// empty.
func readRecord(e *kept.Entry, org OrgID, d *leaf.Doc, r *query.Record) error {
	if err := readRecordWithoutID(e, org, d, r); err != nil {
		return err
	}
	r.ID = ID(e.ID).String()
	return nil
}

// readRecordWithoutID is readRecord, but leaves out the text of the id, which takes an allocation.
func readRecordWithoutID(e *kept.Entry, org OrgID, d *leaf.Doc, r *query.Record) error {
	text, err := e.Remainder()
	if err != nil {
		return ofStored(err)
	}
	if err := d.ReadTrusted(text); err != nil {
		return &Error{Code: CodeTampered, Rule: "damaged", Message: fmt.Sprintf("the payload of entry %d cannot be read", e.Seq), Err: err}
	}
	*r = query.Record{Org: string(org), Seq: e.Seq, Received: e.Received, Occurred: e.Received, Control: e.Kind == KindControl, Doc: d}
	r.Erased = e.HasErased()
	if e.Kind != KindEvent {
		return nil
	}
	for i := range d.Len() {
		if string(d.Path(i)) == "/occurred_at" {
			if at, bad := timestamp.Parse(d.Value(i)); bad == "" {
				r.Occurred = at
			}
			break
		}
	}
	return nil
}

// searched ends a search: it counts it and says what the scan looked through. Its question has moved on.
func (s *scan) searched() (Searched, error) {
	if s.b.metrics.Search != nil {
		s.b.metrics.Search(s.b.o.Now().Sub(s.begin).Seconds(), s.budget.used)
	}
	r := Searched{Blocks: s.budget.used, Complete: s.budget.reason == "" && len(s.damaged) == 0, Reason: s.budget.reason, Damaged: s.damaged}
	if r.Reason == "" && len(s.damaged) > 0 {
		r.Reason = ReasonDamaged
	}
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
func (s *scan) extent() (_ Span, err error) {
	e := Span{Min: s.from, Max: s.to}
	if e.Max == openTo {
		e.Max = s.view.received
	}
	if e.Min != openFrom {
		return Span{e.Min, max(e.Min, e.Max)}, nil
	}
	if s.view.head.Packed == 0 {
		e.Min = s.view.runs[0].recvd
	} else if e.Min, err = s.oldest(); err != nil {
		return Span{}, err
	}
	return Span{min(e.Min, e.Max), e.Max}, nil
}

// oldest returns the time of the first entry in blocks that has one.
func (s *scan) oldest() (int64, error) {
	for seq := int64(0); seq < s.view.head.Packed; {
		list, err := s.b.cache.metas(s.ctx, s.b.store, s.view.head.Log, seq, s.view.head.Packed, false)
		if end := min(seq+chunkSeqs, s.view.head.Packed); s.passes(err, seq, end) {
			seq = end
			continue
		}
		if err != nil {
			return 0, err
		}
		for i := list.find(seq); i < len(list.metas); i++ {
			if m := &list.metas[i]; m.Received.Min <= m.Received.Max {
				return m.Received.Min, nil
			}
			seq = list.metas[i].end()
		}
	}
	return s.view.received, nil
}

// days returns the number of whole days from one time to another, at least one.
func days(from, to int64) int { return int(max(1, (to-from)/(24*time.Hour).Microseconds())) }
