package daybook

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/internal/packed"
)

// maxOpenPieces bounds how many pieces of unfinished windows are remembered, at 64 bytes each.
const maxOpenPieces = 128 << 10

// piece is what the merger knows of a block of a window that is not whole.
type piece struct {
	BlockRef
	n, raw int
	state  byte
	roots  []byte
}

func (p *piece) end() int64 { return p.First + int64(p.n) }

// foldWriter is where the folding of one log stands.
type foldWriter struct {
	head   Head // of what has been folded or is in m.entries
	tree   merkle.Runs
	pieces []piece // before m.entries, in the same window
}

// fold turns the tail of one log into blocks, one for each window that it touches, and moves the head behind them.
func (m *merger) fold(ctx context.Context, s *shard, c *cutLog) error {
	m.plan(&c.head)
	w := foldWriter{head: c.head}
	var err error
	if w.pieces, err = m.piecesOf(ctx, &c.head); err != nil {
		return err
	}
	if w.tree, err = merkle.OpenRuns(c.head.Packed, c.head.Frontier); err != nil {
		return ofStored(err)
	}
	r := tailReader{runs: c.runs}
	for r.peek() {
		if err := m.foldPart(ctx, s, &r, &w); err != nil {
			return err
		}
	}
	if m.openPieces > maxOpenPieces {
		clear(m.open)
		m.openPieces = 0
	}
	m.openPieces += len(w.pieces) - len(m.open[c.head.Log])
	m.open[c.head.Log] = w.pieces
	return nil
}

// tailReader hands out the entries of runs.
type tailReader struct {
	runs []tailRun
	at   int        // in runs[0]
	next kept.Entry // after peek
}

// peek reports whether there is another entry, and puts it into next.
func (r *tailReader) peek() bool {
	for len(r.runs) > 0 {
		if r.at < r.runs[0].len() {
			r.next = r.runs[0].entry(r.at)
			return true
		}
		r.runs, r.at = r.runs[1:], 0
	}
	return false
}

// piecesOf returns the pieces of the window in which h.Packed lies. If they are not all there, what comes is kept apart from them.
func (m *merger) piecesOf(ctx context.Context, h *Head) ([]piece, error) {
	start := h.Packed / windowSize * windowSize
	if start == h.Packed {
		return nil, nil
	}
	if n := len(m.open[h.Log]); n > 0 && m.open[h.Log][n-1].end() == h.Packed { // else it was planned and failed
		return m.open[h.Log], nil
	}
	pieces, err := m.list(ctx, h.Log, start, h.Packed)
	if errors.Is(err, ErrSwapped) {
		return nil, nil
	}
	return pieces, err
}

// list returns the blocks of [from, to), which must cover it exactly.
func (m *merger) list(ctx context.Context, log LogNo, from, to int64) ([]piece, error) {
	var pieces []piece
	at := from
	for meta, err := range m.b.store.Blocks(ctx, BlockQuery{Log: log, From: from, To: to}) {
		if err != nil {
			return nil, fmt.Errorf("list the blocks of log %d: %w", log, err)
		}
		if meta.First != at {
			return nil, fmt.Errorf("block %d of log %d follows %d: %w", meta.First, log, at, ErrSwapped)
		}
		at += int64(meta.N)
		pieces = append(pieces, piece{BlockRef: meta.BlockRef, n: meta.N, raw: meta.Raw, state: meta.State & stateSize, roots: meta.Roots})
	}
	if at != to {
		return nil, fmt.Errorf("the blocks of log %d end at %d instead of %d: %w", log, at, to, ErrSwapped)
	}
	return pieces, nil
}

// foldPart folds the entries of r that go into one block, together with the pieces that they complete.
func (m *merger) foldPart(ctx context.Context, s *shard, r *tailReader, w *foldWriter) error {
	part, err := m.take(r, w)
	if err != nil {
		return err
	}
	es, fresh, first := m.entries, 0, len(w.pieces)
	if part.state == statePiece {
		first = tierStart(append(w.pieces, part))
	}
	out := w.pieces[first:]
	if len(out) > 0 {
		switch older, err := m.readPieces(ctx, w.head.Log, out); {
		case err == nil:
			fresh = len(older)
			m.older = append(older, m.entries...)
			es, part = m.older, join(append(slices.Clone(out), part))
		case CodeOf(err) == CodeTampered || errors.Is(err, ErrNewer):
			first, out = len(w.pieces), nil // what cannot be read stays as it is, for Fsck to name; new entries go on
		default:
			return err
		}
	}
	if wholeFrom(w.pieces[:first], &part) {
		part.state = stateWhole
	}
	w.head.Frontier = w.tree.Frontier()
	head := w.head
	if err := m.put(ctx, s, &newBlock{head: &head, into: part, out: out, entries: es, fresh: fresh, fold: true}); err != nil {
		return err
	}
	w.pieces = append(w.pieces[:first:first], part)
	if w.head.Packed%windowSize == 0 {
		m.debts.finished(w.head.Log, w.pieces)
		m.owed.Store(m.debts.entries())
		w.pieces = nil
	}
	return nil
}

// take moves from r to m.entries what goes into one block, and continues the tree over it: to the end of the window, or until the
// bodies would be too many. An entry that is not the next one, or whose time does not ascend, stops the merging of the shard: nothing
// is skipped.
func (m *merger) take(r *tailReader, w *foldWriter) (piece, error) {
	p := piece{BlockRef: BlockRef{First: w.head.Packed, Gen: 1}}
	end := (w.head.Packed/windowSize + 1) * windowSize
	m.entries = m.entries[:0]
	for w.head.Packed < end && r.peek() {
		e := &r.next
		if p.n > 0 && p.raw+len(e.Body) > packed.MaxBytes {
			if wholeFull(w.pieces, &p) {
				p.state = stateWhole
			}
			break
		}
		if e.Seq != w.head.Packed || e.Seq > 0 && e.Received <= w.head.LastReceived {
			return p, damaged("entry %d, received at %d, follows %d entries, the last received at %d", e.Seq, e.Received, w.head.Packed, w.head.LastReceived)
		}
		r.at++
		m.entries = append(m.entries, *e)
		if root, ok := w.tree.Append(e.LeafHash); ok {
			p.roots = append(p.roots, root[:]...)
		}
		p.n++
		p.raw += len(e.Body)
		w.head.Packed, w.head.LastReceived, w.head.IDAhead = e.Seq+1, e.Received, max(w.head.IDAhead, idAhead(e.ID, e.Received))
	}
	return p, nil
}

// wholeFull reports whether p, to which the next entry cannot be added, will never be part of a larger block: nothing before it in
// its window is a piece.
func wholeFull(before []piece, p *piece) bool {
	return p.First%windowSize == 0 || len(before) > 0 && before[len(before)-1].state == stateWhole
}

// wholeFrom is wholeFull for p that may end its window.
func wholeFrom(before []piece, p *piece) bool {
	return p.state == stateWhole || p.end()%windowSize == 0 && wholeFull(before, p)
}

// tierStart returns the first of the pieces that become one with the last of ps, or the last itself. Pieces of 1–7, 8–63 and 64–511
// entries are of three tiers; the eighth piece of a tier, with nothing but lower ones between, is merged with all from the first of
// the eight on. So an entry is rewritten about once a tier, and a window has at most 7 pieces of each.
func tierStart(ps []piece) int {
	start := len(ps) - 1
	last := ps[start]
	for {
		next := start
		for t := range 3 {
			if i := eighth(ps[:start], &last, t); i < next {
				next = i
			}
		}
		raw := last.raw
		for i := next; i < start; i++ {
			raw += ps[i].raw
		}
		if next == start || raw > packed.MaxBytes {
			return start
		}
		last.raw = raw
		for ; start > next; start-- {
			last.n += ps[start-1].n
		}
	}
}

// eighth returns the eighth piece of tier t from the end, counting last and stopping at a higher one; len(ps) if there is none.
func eighth(ps []piece, last *piece, t int) int {
	n := 0
	for i := len(ps); i >= 0; i-- {
		p := last
		if i < len(ps) {
			p = &ps[i]
		}
		if p.state != statePiece || tier(p.n) > t {
			break
		}
		if tier(p.n) == t {
			n++
		}
		if n == 8 {
			return i
		}
	}
	return len(ps)
}

func tier(n int) int { return (bits.Len(uint(n)) - 1) / 3 }

// join returns the piece that takes the place of ps. Its Gen is above that of every block that any of its seqs was ever in.
func join(ps []piece) piece {
	j := piece{BlockRef: BlockRef{First: ps[0].First}}
	for i := range ps {
		j.n += ps[i].n
		j.raw += ps[i].raw
		j.roots = append(j.roots, ps[i].roots...)
		j.Gen = max(j.Gen, ps[i].Gen)
	}
	j.Gen++
	return j
}

// readPieces returns the entries of blocks that follow each other, in m.older.
func (m *merger) readPieces(ctx context.Context, log LogNo, ps []piece) ([]kept.Entry, error) {
	refs := make([]BlockRef, len(ps))
	for i := range ps {
		refs[i] = ps[i].BlockRef
	}
	rows, err := m.b.store.Read(ctx, log, refs)
	if err != nil {
		return nil, fmt.Errorf("read %d blocks of log %d from %d: %w", len(refs), log, refs[0].First, err)
	}
	m.older = m.older[:0]
	for i, row := range rows {
		b, err := packed.ReadBlock(row, nil)
		if err != nil {
			return nil, fmt.Errorf("log %d: %w", log, ofStored(err))
		}
		if b.First != ps[i].First || b.Len() != ps[i].n {
			return nil, damaged("block %d of log %d holds %d entries from %d", ps[i].First, log, b.Len(), b.First)
		}
		for j := range b.Len() {
			m.older = append(m.older, b.Entry(j))
		}
	}
	return m.older, nil
}

// newBlock is a block to be made.
type newBlock struct {
	head    *Head // of its log
	into    piece
	out     []piece // whose place it takes
	entries []kept.Entry
	fresh   int  // the first of entries that was in no block
	fold    bool // head is to be stored with it
	joined  bool // it goes into the slice of the one before, however large
}

// put makes a block and adds it to the slice, applying the slice before if it is full.
func (m *merger) put(ctx context.Context, s *shard, r *newBlock) error {
	b, err := m.builder.build(r.head, r.entries, &r.into, r.fresh)
	if err != nil {
		return err
	}
	if !r.joined && !m.slice.fits(blockSize(&b), len(r.out)) {
		if err := m.flush(ctx, s); err != nil {
			return err
		}
	}
	var fold *Head
	if r.fold {
		fold = r.head
	}
	m.slice.add(r.head.Log, b, r.out, fold)
	m.slice.addControls(r.entries[r.fresh:])
	m.slice.count(r.head.Log, &m.builder.days)
	return nil
}
