package daybook

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/leaf"
)

// A run of merkle.RunWidth entries that is pruned with keep tile loses its leaf hashes; its root stays in the meta of the block in which it
// ends. Of every checkpoint whose size lies inside it an edge is kept, as a slip.

// slipEdge is the kind of the slip that holds the edge of the checkpoint of a size, of which A holds the upper 12 bits and B the lower 24.
const slipEdge = 7

func edgeKey(size int64) SlipKey {
	return SlipKey{Kind: slipEdge, A: uint16(size >> 24 & 0xfff), B: uint32(size & 0xffffff)}
}

// readLost reads the edges of a run that has lost its leaf hashes, by its first seq.
func readLost(ctx context.Context, store Reader, log LogNo, first int64) (*merkle.Lost, error) {
	gone := errPruned("entries %d to %d were removed by retention together with their hashes; proofs begin after them", first, first+merkle.RunWidth-1)
	lost := merkle.NewLost(first, gone)
	for s, err := range store.Slips(ctx, log, edgeKey(first+1), edgeKey(first+merkle.RunWidth)) {
		if err != nil {
			return nil, fmt.Errorf("read the edges of entries from %d: %w", first, err)
		}
		if err := lost.Add(int64(s.A)<<24|int64(s.B), s.Bytes); err != nil {
			return nil, ofStored(err)
		}
	}
	return lost, nil
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
		if second, ok := nextRun(c.items, run+merkle.RunWidth); ok && second/windowSize == run/windowSize {
			runs = append(runs, second)
		}
		kept, err := m.loseIn(ctx, h, runs, holds)
		if err != nil {
			m.forget(nil)
			return false, err
		}
		r.held = r.held || kept
		if next = runs[len(runs)-1] + merkle.RunWidth; m.slice.bytes >= sliceBytes/2 || m.slice.rows >= sliceRows/2 {
			break
		}
	}
	// A crash before this leaves whole runs as they were, and after it without hashes and with every edge that they need: each run goes in
	// one Replace. The next start looks at all of them again.
	if err := m.flush(ctx, nil); err != nil {
		m.forget(nil)
		return false, err
	}
	m.b.nodes.ForgetRuns(int64(h.Log))
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
		first := ceilTo(max(it.First, seq), merkle.RunWidth)
		if first+merkle.RunWidth-1 <= it.Last && it.Fields == nil {
			return first, true
		}
	}
	return 0, false
}

// loseIn takes the leaf hashes of runs of one window, by their first seqs. held: a hold keeps one, or something of it.
func (m *merger) loseIn(ctx context.Context, h *Head, runs []int64, holds []*activeHold) (held bool, err error) {
	first, end := runs[0], runs[len(runs)-1]+merkle.RunWidth
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
		leaves, lost := hashesOf(es[run-pieces[0].First:][:merkle.RunWidth])
		if lost {
			continue
		}
		whole := leaf.Items{{First: run, Last: run + merkle.RunWidth - 1}}
		if leaves == nil || slices.ContainsFunc(holds, func(h *activeHold) bool { _, meets := h.items.Meets(whole); return meets }) {
			held = true
			continue
		}
		edges, err := m.edges(ctx, h.Log, run, leaves)
		if err != nil {
			return false, err
		}
		slips, changed = append(slips, edges...), true
		for i := range leaves {
			e := &es[run-pieces[0].First:][i]
			*e = kept.Entry{Seq: e.Seq, Kind: e.Kind, Form: kept.FormNone}
		}
	}
	if changed {
		err = m.putJoined(ctx, h, pieces, es, slips)
	}
	return held, err
}

// hashesOf returns the leaf hashes of a run of which nothing else is left, nil when more is; lost: not even these are.
func hashesOf(es []kept.Entry) (leaves []tlog.Hash, lost bool) {
	leaves = make([]tlog.Hash, len(es))
	for i := range es {
		if es[i].Form != kept.FormHash {
			return nil, es[i].Form == kept.FormNone // a whole run goes at once
		}
		leaves[i] = es[i].LeafHash
	}
	return leaves, false
}

// putJoined makes the blocks of pieces anew from es, to be replaced together, and with them slips.
func (m *merger) putJoined(ctx context.Context, h *Head, pieces []piece, es []kept.Entry, slips []Slip) error {
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
	for n, err := range m.b.store.Notes(ctx, log, first+1, first+merkle.RunWidth, false) {
		if err != nil {
			return nil, fmt.Errorf("read the checkpoints between %d and %d: %w", first, first+merkle.RunWidth, err)
		}
		slips = append(slips, Slip{SlipKey: edgeKey(n.Size), Bytes: merkle.Edge(n.Size, leaves)})
	}
	return slips, nil
}
