package daybook

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"errors"
	"slices"

	"github.com/daybook-audit/daybook/internal/kept"
)

// The order of occurred_at. Blocks are read by the latest time (ascending: the earliest) that one of their entries can have, and
// an entry is given out when no block that was not read can hold one that comes before it.

// moment is a place in the order of occurred_at.
type moment struct{ occurred, seq int64 }

// before reports whether m comes before o, in ascending or descending order.
func (m moment) before(o moment, asc bool) bool {
	c := cmp.Or(cmp.Compare(m.occurred, o.occurred), cmp.Compare(m.seq, o.seq))
	if asc {
		return c < 0
	}
	return c > 0
}

// source is a block, or a part of a window of the tail, not yet read.
type source struct {
	first    moment // none of its entries that are still to be given comes before this
	meta     BlockMeta
	from, to int64 // the seqs of it that were not read yet: of a block that took the place of others, what they held
	tail     bool
}

// sources is a heap, what may come first on top.
type sources struct {
	list []source
	asc  bool
}

func (h *sources) Len() int           { return len(h.list) }
func (h *sources) Less(i, j int) bool { return h.list[i].first.before(h.list[j].first, h.asc) }
func (h *sources) Swap(i, j int)      { h.list[i], h.list[j] = h.list[j], h.list[i] }

// Push is for package heap.
func (h *sources) Push(x any) {
	if s, ok := x.(source); ok {
		h.list = append(h.list, s)
	}
}

// Pop is for package heap.
func (h *sources) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

// found is a match that is not given out yet, with a body of its own.
type found struct {
	moment
	entry kept.Entry
}

// byOccurred fills one page.
type byOccurred struct {
	*scan
	heap  sources
	found []found // in order
	held  int     // bytes of their bodies
	limit int     // of the page
	given int     // on the page
	more  bool    // matches were let go of
	start moment  // what comes after this is to be given
}

// pageByOccurred fills a page in the order of occurred_at.
func (s *scan) pageByOccurred(page *Page, limit int) error {
	s.need = true
	o := byOccurred{scan: s, limit: limit, heap: sources{asc: s.asc}, start: moment{openTo, openTo}}
	if s.asc {
		o.start = moment{openFrom, -1}
	}
	if s.at.set {
		o.start = moment{s.at.occurred, s.at.seq}
	}
	if err := o.collect(); err != nil {
		return err
	}
	end := o.start // everything before this is given, or was not looked for
	for o.given < o.limit {
		next := moment{openTo, openTo}
		if !s.asc {
			next = moment{openFrom, -1}
		}
		if o.heap.Len() > 0 {
			next = o.heap.list[0].first
		}
		if len(o.found) > 0 && (o.heap.Len() == 0 || o.found[0].before(next, s.asc)) {
			f := o.found[0]
			entry, err := s.open(&f.entry)
			if err != nil {
				return err
			}
			page.Entries, end = append(page.Entries, entry), f.moment
			o.found, o.given = o.found[1:], o.given+1
			continue
		}
		if o.heap.Len() == 0 {
			break
		}
		// What comes before next is given. Without that much progress the next page would do the same again.
		if rest := next.short(s.asc); end.before(rest, s.asc) {
			end = rest
		}
		if end != o.start && s.budget.over() {
			break
		}
		if err := o.readTop(); err != nil {
			return err
		}
	}
	s.at = position{set: true, occurred: end.occurred, seq: end.seq}
	s.done = o.heap.Len() == 0 && len(o.found) == 0 && !o.more
	s.seen = Span{min(end.occurred, o.start.occurred), max(end.occurred, o.start.occurred)}
	if o.limit < limit {
		s.budget.reason = ReasonSize
	}
	return nil
}

// short returns the moment just before m.
func (m moment) short(asc bool) moment {
	if asc {
		return moment{m.occurred, m.seq - 1}
	}
	return moment{m.occurred, m.seq + 1}
}

// collect lists what may hold an entry that is still to be given.
func (o *byOccurred) collect() error {
	if err := o.collectBlocks(0, min(o.size, o.view.head.Packed)); err != nil {
		return err
	}
	return o.collectTail(o.view.head.Packed, o.size)
}

// collectTail describes whole windows; of what is left nothing is known, so that it comes first.
func (o *byOccurred) collectTail(lo, hi int64) error {
	for lo < hi {
		end := min(floorTo(lo, windowSize)+windowSize, hi)
		top := source{first: o.start, meta: BlockMeta{BlockRef: BlockRef{First: lo}, N: int(end - lo)}, from: lo, to: end, tail: true}
		ok := true
		if end-lo == windowSize {
			if o.ctx.Err() != nil {
				return context.Cause(o.ctx)
			}
			o.locate(lo, end)
			t, err := o.describe(lo, true)
			if err != nil {
				return err
			}
			if top.first, ok = o.firstOf(&t.BlockMeta); ok {
				ok = o.may(&t.BlockMeta)
			}
		}
		if ok {
			heap.Push(&o.heap, top)
		}
		lo = end
	}
	return nil
}

// collectBlocks goes by bounds alone: what the filters say is asked of the blocks that come first.
func (o *byOccurred) collectBlocks(lo, hi int64) error {
	for lo < hi {
		if o.ctx.Err() != nil {
			return context.Cause(o.ctx)
		}
		list, err := o.b.cache.metas(o.ctx, o.b.store, o.view.head.Log, lo, o.view.head.Packed, false)
		if end := min(hi, floorTo(lo, chunkSeqs)+chunkSeqs); o.passes(err, lo, end) {
			lo = end
			continue
		}
		if err != nil {
			return err
		}
		for i := max(0, list.find(lo)); i < len(list.metas) && lo < hi; i++ {
			m := list.metas[i]
			if first, ok := o.firstOf(&m); ok && o.may(&m) {
				heap.Push(&o.heap, source{first: first, meta: m, from: max(lo, m.First), to: min(hi, m.end())})
			}
			lo = m.end()
		}
	}
	return nil
}

// firstOf returns the first place after start that an entry of m can have; false: none.
func (o *byOccurred) firstOf(m *BlockMeta) (first moment, ok bool) {
	for _, span := range []Span{m.Occurred, m.Late} {
		if !span.meets(o.from, o.to) {
			continue
		}
		at, last := moment{span.Max, m.end() - 1}, moment{span.Min, m.First}
		if o.asc {
			at, last = last, at
		}
		if !o.start.before(last, o.asc) {
			continue // all of it was given
		}
		if at.before(o.start, o.asc) {
			at = o.start
		}
		if !ok || at.before(first, o.asc) {
			first, ok = at, true
		}
	}
	return first, ok
}

// readTop reads the source that may hold the next entry.
func (o *byOccurred) readTop() error {
	top, _ := heap.Pop(&o.heap).(source)
	m := &top.meta
	lo, hi := top.from, min(top.to, o.size)
	w := walker{scan: o.scan, asc: true, each: o.keep}
	if top.tail {
		o.locate(lo, hi)
		if _, err := w.unit(&unit{scan: o.scan, first: lo, n: int(hi - lo)}); err != nil {
			return err
		}
		o.trim()
		return nil
	}
	list, err := o.list(lo)
	if err != nil {
		return err
	}
	if known := &list.metas[list.find(lo)]; known.BlockRef == m.BlockRef && !o.may(known) {
		return nil
	}
	blk, err := o.read(m)
	if errors.Is(err, ErrNotExist) {
		o.b.cache.dropChunk(o.view.head.Log, lo)
		return o.collectBlocks(lo, hi)
	}
	if o.passes(err, lo, hi) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := w.unit(&unit{scan: o.scan, first: lo, n: int(hi - lo), block: blk, offset: int(lo - m.First)}); err != nil {
		return err
	}
	o.trim()
	return nil
}

// keep is the visit of byOccurred.
func (o *byOccurred) keep(e *kept.Entry) (bool, error) {
	at := moment{o.rec.Occurred, e.Seq}
	if !o.start.before(at, o.asc) {
		return true, nil
	}
	own := *e
	own.Body = bytes.Clone(e.Body)
	o.found = append(o.found, found{at, own})
	o.held += len(own.Body)
	return true, nil
}

// trim sorts what was found and lets go of what cannot be on this page. Too many bytes make the page shorter.
func (o *byOccurred) trim() {
	slices.SortFunc(o.found, func(a, b found) int {
		if a.before(b.moment, o.asc) {
			return -1
		}
		return 1
	})
	for n := len(o.found); n > o.limit-o.given || n > 1 && o.held > maxHeld; n = len(o.found) {
		o.held -= len(o.found[n-1].entry.Body)
		o.found = o.found[:n-1]
		o.more = true
		if o.given+n-1 < o.limit {
			o.limit = o.given + n - 1
		}
	}
}
