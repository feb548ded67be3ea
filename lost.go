package daybook

import (
	"context"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/leaf"
)

// A run of rootWidth entries that is pruned with keep tile loses its leaf hashes; its root stays in the meta of the block in which it
// ends. Of every checkpoint whose size lies inside it an edge is kept: the hashes of the perfect subtrees on both sides of that size. They
// are what a consistency proof from that checkpoint needs of the run, and no more.

// slipEdge is the kind of the slip that holds the edge of the checkpoint of a size, of which A holds the upper 12 bits and B the lower 24.
const slipEdge = 7

// edgeVersion is the first byte of such a slip. A reader refuses others with [ErrNewer].
const edgeVersion = 1

func edgeKey(size int64) SlipKey {
	return SlipKey{Kind: slipEdge, A: uint16(size >> 24 & 0xfff), B: uint32(size & 0xffffff)}
}

// edgeNodes calls each with the perfect subtrees that meet at a size inside a run, left to right: those of the largest that cover the run
// below it, and above it.
func edgeNodes(size int64, each func(level int, n int64)) {
	first := floorTo(size, rootWidth)
	for _, part := range [2][2]int64{{first, size}, {size, first + rootWidth}} {
		for at := part[0]; at < part[1]; {
			level := min(bits.Len64(uint64(part[1]-at))-1, bits.TrailingZeros64(uint64(at)|rootWidth))
			each(level, at>>level)
			at += 1 << level
		}
	}
}

// edgeSlip makes the edge of the checkpoint of a size from the leaf hashes of its run.
func edgeSlip(size int64, leaves []tlog.Hash) Slip {
	b := []byte{edgeVersion}
	edgeNodes(size, func(level int, n int64) {
		at := n << level & (rootWidth - 1)
		h := subtreeRoot(leaves[at : at+1<<level])
		b = append(b, h[:]...)
	})
	return Slip{SlipKey: edgeKey(size), Bytes: b}
}

// lostRun is what is left of a run without leaf hashes, by its edges.
type lostRun struct {
	no     int64
	hashes map[nodeRef]tlog.Hash
}

// subtree returns the hash of a perfect subtree inside the run. CodeGone: no edge has it.
func (r *lostRun) subtree(level int, n int64) (tlog.Hash, error) {
	h, ok := r.hashes[nodeRef{level: level, n: n}]
	if !ok {
		first := r.no * rootWidth
		return h, errPruned("entries %d to %d were removed by retention together with their hashes; proofs begin after them", first, first+rootWidth-1)
	}
	return h, nil
}

// readLostRun reads the edges of a run that has lost its leaf hashes.
func readLostRun(ctx context.Context, store Reader, log LogNo, no int64) (lostRun, error) {
	r := lostRun{no: no, hashes: map[nodeRef]tlog.Hash{}}
	for s, err := range store.Slips(ctx, log, edgeKey(no*rootWidth+1), edgeKey((no+1)*rootWidth)) {
		if err != nil {
			return r, fmt.Errorf("read the edges of entries from %d: %w", no*rootWidth, err)
		}
		if err := r.add(&s); err != nil {
			return r, err
		}
	}
	return r, nil
}

// add takes one edge.
func (r *lostRun) add(s *Slip) error {
	if len(s.Bytes) > 0 && s.Bytes[0] != edgeVersion {
		return fmt.Errorf("edge of version %d: %w", s.Bytes[0], ErrNewer)
	}
	size := int64(s.A)<<24 | int64(s.B)
	rest := s.Bytes[min(1, len(s.Bytes)):]
	edgeNodes(size, func(level int, n int64) {
		if len(rest) >= tlog.HashSize {
			r.hashes[nodeRef{level: level, n: n}] = tlog.Hash(rest)
			rest = rest[tlog.HashSize:]
		} else {
			rest = nil
		}
	})
	if rest == nil || len(rest) > 0 {
		return damaged("the edge of size %d has %d bytes", size, len(s.Bytes))
	}
	return nil
}

// loseRuns takes the leaf hashes of the next runs that c names, of which by now nothing but hashes is left, and moves r.lost behind them.
// more is false when none is left. A run of which something more was kept for a hold stays as it is.
func (m *merger) loseRuns(ctx context.Context, r *removal, c *control, h *Head, holds []*activeHold) (more bool, err error) {
	if signed, err := m.signedBehind(ctx, r, h); err != nil || !signed {
		return true, err
	}
	next := r.lost
	for range removalBlocks {
		run, ok := nextRun(c.items, next)
		if !ok {
			next = c.items.Last() + 1
			break
		}
		runs := []int64{run}
		if second, ok := nextRun(c.items, run+rootWidth); ok && second/windowSize == run/windowSize {
			runs = append(runs, second)
		}
		kept, err := m.loseIn(ctx, h, runs, holds)
		if err != nil {
			m.forget(nil)
			return false, err
		}
		r.held = r.held || kept
		if next = runs[len(runs)-1] + rootWidth; m.slice.bytes >= sliceBytes/2 || m.slice.rows >= sliceRows/2 {
			break
		}
	}
	// A crash before this leaves whole runs as they were, and after it without hashes and with every edge that they need: each run goes in
	// one Replace. The next start looks at all of them again.
	if err := m.flush(ctx, nil); err != nil {
		m.forget(nil)
		return false, err
	}
	m.b.nodes.forgetRuns(h.Log)
	r.lost = next
	return c.items.Last() >= next, nil
}

// signedBehind reports whether a checkpoint holds the control entry r. No checkpoint of a smaller size is stored after that one, so that
// every edge can be made now; and whoever asks what has become of the runs gets the answer in a signed tree.
func (m *merger) signedBehind(ctx context.Context, r *removal, h *Head) (bool, error) {
	if m.b.signer == nil || h.State != LogOpen {
		return true, nil
	}
	for _, err := range m.b.store.Notes(ctx, h.Log, r.seq+1, newestSize, true) {
		if err != nil {
			return false, fmt.Errorf("look for a checkpoint of control entry %d: %w", r.seq, err)
		}
		return true, nil
	}
	s := m.b.shardOf(h.Org)
	if t, err := s.open(ctx, h.Org, false); err == nil && t != nil && t.no == h.Log {
		m.b.signer.signSoon(s, t)
	}
	r.at = m.b.now() + quietPeriod.Microseconds()
	return false, nil
}

// nextRun returns the first seq of the next whole run at or after seq that items name.
func nextRun(items leaf.Items, seq int64) (first int64, ok bool) {
	for _, it := range items {
		first := ceilTo(max(it.First, seq), rootWidth)
		if first+rootWidth-1 <= it.Last && it.Fields == nil {
			return first, true
		}
	}
	return 0, false
}

// loseIn takes the leaf hashes of runs of one window, by their first seqs. kept: a hold keeps one, or something of it.
func (m *merger) loseIn(ctx context.Context, h *Head, runs []int64, holds []*activeHold) (kept bool, err error) {
	first, end := runs[0], runs[len(runs)-1]+rootWidth
	window := floorTo(first, windowSize)
	pieces, err := m.list(ctx, h.Log, window, min(window+windowSize, h.Packed))
	if err != nil {
		return false, err
	}
	pieces = slices.DeleteFunc(pieces, func(p piece) bool { return p.end() <= first || p.First >= end })
	es, err := m.readPieces(ctx, h.Log, pieces)
	if err != nil {
		return false, err
	}
	var slips []Slip
	changed := false
	for _, run := range runs {
		leaves, lost := hashesOf(es[run-pieces[0].First:][:rootWidth])
		if lost {
			continue
		}
		whole := leaf.Items{{First: run, Last: run + rootWidth - 1}}
		if leaves == nil || slices.ContainsFunc(holds, func(h *activeHold) bool { _, meets := h.items.Meets(whole); return meets }) {
			kept = true
			continue
		}
		edges, err := m.edges(ctx, h.Log, run, leaves)
		if err != nil {
			return false, err
		}
		slips, changed = append(slips, edges...), true
		for i := range leaves {
			e := &es[run-pieces[0].First:][i]
			*e = packed{seq: e.seq, kind: e.kind, form: formNone}
		}
	}
	if changed {
		err = m.putJoined(ctx, h, pieces, es, slips)
	}
	return kept, err
}

// hashesOf returns the leaf hashes of a run of which nothing else is left, nil when more is; lost: not even these are.
func hashesOf(es []packed) (leaves []tlog.Hash, lost bool) {
	leaves = make([]tlog.Hash, len(es))
	for i := range es {
		if es[i].form != formHash {
			return nil, es[i].form == formNone // a whole run goes at once
		}
		leaves[i] = es[i].leaf
	}
	return leaves, false
}

// putJoined makes the blocks of pieces anew from es, to be replaced together, and with them slips.
func (m *merger) putJoined(ctx context.Context, h *Head, pieces []piece, es []packed, slips []Slip) error {
	m.forgetOpen(h.Log) // they name blocks that go
	for i := range pieces {
		into := pieces[i]
		into.Gen++
		r := newBlock{head: h, into: into, out: pieces[i : i+1], entries: es[:into.n], fresh: into.n, joined: i > 0}
		if err := m.put(ctx, nil, &r); err != nil {
			return err
		}
		if es = es[into.n:]; i == 0 {
			m.slice.addSlips(slips)
		}
	}
	return nil
}

// edges makes the edges of every checkpoint inside a run.
func (m *merger) edges(ctx context.Context, log LogNo, first int64, leaves []tlog.Hash) ([]Slip, error) {
	var slips []Slip
	for n, err := range m.b.store.Notes(ctx, log, first+1, first+rootWidth, false) {
		if err != nil {
			return nil, fmt.Errorf("read the checkpoints between %d and %d: %w", first, first+rootWidth, err)
		}
		slips = append(slips, edgeSlip(n.Size, leaves))
	}
	return slips, nil
}
