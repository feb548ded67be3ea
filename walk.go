package daybook

import (
	"context"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/packed"
	"github.com/daybook-audit/daybook/internal/timeline"
)

// anyTime holds every time that an entry can have, those of the years 1970 to 9999 in any zone.
var anyTime = Span{Min: -timeline.DayLength, Max: 253_402_300_800_000_000 + timeline.DayLength}

// visit gets an entry that matches; its slices are valid during the call. Returning false ends the walk after this entry.
type visit func(e *kept.Entry) (more bool, err error)

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
	// take, if set, may count a block or a window of the tail that lies wholly within the bounds without reading it. days is known
	// of windows.
	take      func(m *BlockMeta, days *dayTally) (taken, more bool, err error)
	wholeTail bool // the budget does not end the walk in the tail
	ended     bool // by each, take or the budget
	units     int
	windows   int // of the tail, whole ones
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

// unit is up to windowSize neighbouring entries: of a block or of the tail, where scan.places says where they are.
type unit struct {
	*scan
	first  int64
	n      int
	block  *packed.Block // nil: of the tail
	offset int           // of the first entry in block
}

func (u *unit) entry(i int) kept.Entry {
	if u.block != nil {
		return u.block.Entry(u.offset + i)
	}
	p := u.places[i]
	return u.view.runs[p.run].entry(p.at)
}

// tail walks the entries [lo, hi) that are in memory, window by window.
func (w *walker) tail(lo, hi int64) (int64, error) {
	for lo < hi {
		from, to := lo, min(floorTo(lo, windowSize)+windowSize, hi)
		if !w.asc {
			from, to = max(floorTo(hi-1, windowSize), lo), hi
		}
		stop, err := w.tailUnit(from, to)
		if err != nil || w.ended {
			return stop, err
		}
		if w.asc {
			lo = to
		} else {
			hi = from
		}
	}
	return w.far(lo, hi), nil
}

// tailUnit walks the entries [lo, hi) of one window.
func (w *walker) tailUnit(lo, hi int64) (int64, error) {
	if !w.wholeTail && w.pause() {
		return w.edge(lo, hi), nil
	}
	if w.ctx.Err() != nil {
		return w.edge(lo, hi), context.Cause(w.ctx)
	}
	w.locate(lo, hi)
	u := unit{scan: w.scan, first: lo, n: int(hi - lo)}
	known := &tailWindow{BlockMeta: BlockMeta{Received: Span{u.received(0), u.received(u.n - 1)}, Occurred: anyTime, Late: anyTime, State: stateControl}}
	known.First, known.N = lo, u.n
	if u.n == windowSize && (!w.all || w.need) {
		t, err := w.describe(lo, w.describes())
		if err != nil {
			return w.edge(lo, hi), err
		}
		if t != nil {
			known = t
		}
	}
	if !w.may(&known.BlockMeta) {
		w.saw(known.Received)
		return w.far(lo, hi), nil
	}
	if known.Live > 0 {
		if taken, err := w.taken(&known.BlockMeta, &known.days); taken || err != nil {
			return w.far(lo, hi), err
		}
	}
	return w.unit(&u)
}

// describes reports whether this is the place to describe a window.
func (w *walker) describes() bool {
	w.windows++
	if w.take != nil {
		return true
	}
	return w.windows > readFirst && (w.lits.None() || w.windows <= readFirst+literalFirst)
}

// taken lets take count what lies wholly within the bounds, and notes if that ends the walk.
func (w *walker) taken(m *BlockMeta, days *dayTally) (bool, error) {
	if w.take == nil || !m.Occurred.within(w.from, w.to) || !m.Late.within(w.from, w.to) {
		return false, nil
	}
	taken, more, err := w.take(m, days)
	if taken {
		w.saw(m.Received)
		w.ended = !more
	}
	return taken, err
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
	if from, to := max(lo, floorTo(at, chunkSeqs)), min(hi, floorTo(at, chunkSeqs)+chunkSeqs); w.passes(err, from, to) {
		return w.far(from, to), nil
	}
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
		if to-from == int64(m.N) {
			taken, err := w.taken(m, nil)
			if err != nil {
				return stop, err
			}
			if taken {
				if stop = w.far(from, to); w.ended {
					return stop, nil
				}
				continue
			}
		}
		blk, err := w.read(m)
		if w.passes(err, from, to) {
			w.saw(m.Received)
			stop = w.far(from, to)
			continue
		}
		if err != nil {
			if w.asc {
				return from, err
			}
			return to - 1, err
		}
		if stop, err = w.unit(&unit{scan: w.scan, first: from, n: int(to - from), block: blk, offset: int(from - m.First)}); err != nil || w.ended {
			return stop, err
		}
	}
	return stop, nil
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
	e := &w.current
	for k := range u.n {
		i := k
		if !w.asc {
			i = u.n - 1 - k
		}
		if narrow && !w.marks[i] {
			continue
		}
		*e = u.entry(i)
		hit, err := w.match(e)
		more := true
		if err == nil && hit {
			more, err = w.each(e)
		}
		if err = damagedAt(err, e.Seq, e.Seq+1, CheckPayload); w.passes(err, e.Seq, e.Seq+1) {
			continue
		}
		if err != nil {
			return e.Seq, err
		}
		if !more {
			w.ended = true
			if e.Received != 0 {
				w.saw(Span{e.Received, e.Received})
			}
			w.sawEdge(u, w.asc)
			return w.far(e.Seq, e.Seq+1), nil
		}
	}
	w.sawEdge(u, true)
	w.sawEdge(u, false)
	return w.far(u.first, u.first+int64(u.n)), nil
}

// sawEdge notes the first or last entry of u.
func (s *scan) sawEdge(u *unit, first bool) {
	at := int64(0) // entries that retention has removed may have no time
	for i := 0; i < u.n && at == 0; i++ {
		if at = u.received(u.n - 1 - i); first {
			at = u.received(i)
		}
	}
	if at != 0 {
		s.saw(Span{at, at})
	}
}

// received returns received_at of entry i.
func (u *unit) received(i int) int64 {
	if u.block != nil {
		return u.block.Received(u.offset + i)
	}
	p := u.places[i]
	return u.view.runs[p.run].recvd + int64(p.at)
}

// mark looks for the query's literals in the bodies of u, and notes which entries can match. It returns false if there is nothing
// to go by. A body with a backslash may hold a literal in another spelling and is always marked.
func (s *scan) mark(u *unit) bool {
	if s.lits.None() {
		return false
	}
	for i := range u.n {
		body, escaped := u.body(i)
		s.marks[i] = escaped || s.lits.In(body)
	}
	return true
}

// body returns the body of entry i and whether it holds a backslash.
func (u *unit) body(i int) ([]byte, bool) {
	if u.block != nil {
		return u.block.Body(u.offset + i), u.block.Escaped(u.offset + i)
	}
	r := &u.view.runs[u.places[i].run]
	at := r.at + u.places[i].at
	return r.c.Body(at), r.c.Escaped(at)
}

// match reports whether e is looked for: what retention has removed is not, unless tombstones are. rec then holds its record, unless
// every entry is and nobody needs it.
func (s *scan) match(e *kept.Entry) (bool, error) {
	if !s.tombstones && e.Pruned() {
		return false, nil
	}
	if s.all && !s.need {
		return true, nil
	}
	if err := readRecordWithoutID(e, s.org, s.doc, &s.rec); err != nil {
		return false, fmt.Errorf("log of %s: %w", s.org, err)
	}
	if s.ids {
		s.rec.ID = ID(e.ID).String()
	}
	if s.holds != nil {
		s.rec.Held = holding(s.holds, &s.rec) != nil
	}
	return s.rec.Occurred >= s.from && s.rec.Occurred < s.to && s.query.Match(&s.rec), nil
}
