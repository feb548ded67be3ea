package daybook

import (
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/internal/packed"
)

func TestTierStart(t *testing.T) {
	t.Parallel()
	sizes := func(ns ...int) []piece {
		ps := make([]piece, len(ns))
		for i, n := range ns {
			ps[i] = piece{n: n, raw: n}
		}
		return ps
	}
	for name, c := range map[string]struct {
		ps   []piece
		want int
	}{
		"one":                               {sizes(1), 0},
		"seven of a tier":                   {sizes(1, 2, 3, 4, 5, 6, 7), 6},
		"eight of a tier":                   {sizes(1, 2, 3, 4, 5, 6, 7, 1), 0},
		"the last eight":                    {sizes(100, 8, 1, 2, 3, 4, 5, 6, 7, 1), 2},
		"a larger one between":              {sizes(1, 1, 1, 1, 8, 1, 1, 1, 1), 8},
		"lower ones between":                {sizes(8, 8, 1, 8, 8, 2, 8, 8, 8, 8), 0},
		"a lower one at the end":            {sizes(8, 8, 8, 8, 8, 8, 8, 8, 1), 0},
		"eight become the eighth above":     {sizes(9, 9, 9, 9, 9, 9, 9, 1, 1, 1, 1, 1, 1, 1, 1), 0},
		"eight that are too large together": {[]piece{{n: 1, raw: packed.MaxBytes}, {n: 1}, {n: 1}, {n: 1}, {n: 1}, {n: 1}, {n: 1}, {n: 1, raw: 1}}, 7},
		"a whole one among them":            {append([]piece{{n: 1, state: stateWhole}}, sizes(1, 1, 1, 1, 1, 1, 1)...), 7},
	} {
		if got := tierStart(c.ps); got != c.want {
			t.Errorf("%s: merged from %d on, want %d", name, got, c.want)
		}
	}
	t.Run("an entry is rewritten about once a tier", func(t *testing.T) {
		t.Parallel()
		for _, n := range []int{1, 2, 5, 9, 30, 100} {
			var ps []piece
			rewritten, gens := 0, map[int64]int32{}
			for seq := int64(0); seq+int64(n) < windowSize; seq += int64(n) {
				ps = append(ps, piece{BlockRef: BlockRef{First: seq, Gen: 1}, n: n})
				if i := tierStart(ps); i < len(ps)-1 {
					for _, p := range ps[i : len(ps)-1] {
						rewritten += p.n
					}
					ps = append(ps[:i], join(ps[i:]))
				}
				last := ps[len(ps)-1]
				if gens[last.First] >= last.Gen {
					t.Fatalf("pieces of %d: generation %d of block %d was used", n, last.Gen, last.First)
				}
				gens[last.First] = last.Gen
				if len(ps) > 21 {
					t.Fatalf("pieces of %d: %d pieces", n, len(ps))
				}
			}
			if rewritten > 2*windowSize {
				t.Errorf("pieces of %d: %d entries rewritten", n, rewritten)
			}
		}
	})
}

func TestTake(t *testing.T) {
	t.Parallel()
	// Entries from 10 on, of a log whose head is there, in runs of two commits.
	commit := new(tailCommit)
	commit.Commit, _ = new(packed.CommitWriter).Pack([16]byte{}, nil, make([]kept.Entry, 5))
	head := Head{Packed: 10, LastReceived: 99, Frontier: make([]tlog.Hash, 2)}
	for name, c := range map[string]struct {
		runs []tailRun
		ok   bool
	}{
		"runs that follow":     {[]tailRun{{c: commit, count: 2, seq: 10, recvd: 100}, {c: commit, at: 2, count: 3, seq: 12, recvd: 102}}, true},
		"a gap before them":    {[]tailRun{{c: commit, count: 2, seq: 11, recvd: 100}}, false},
		"a gap between them":   {[]tailRun{{c: commit, count: 2, seq: 10, recvd: 100}, {c: commit, at: 2, count: 3, seq: 13, recvd: 200}}, false},
		"entries come again":   {[]tailRun{{c: commit, count: 2, seq: 10, recvd: 100}, {c: commit, at: 2, count: 3, seq: 11, recvd: 200}}, false},
		"a time of the head":   {[]tailRun{{c: commit, count: 2, seq: 10, recvd: 99}}, false},
		"a time that descends": {[]tailRun{{c: commit, count: 2, seq: 10, recvd: 100}, {c: commit, at: 2, count: 3, seq: 12, recvd: 101}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, err := merkle.OpenRuns(head.Packed, head.Frontier)
			if err != nil {
				t.Fatal(err)
			}
			var m merger
			p, err := m.take(&tailReader{runs: c.runs}, &foldWriter{head: head, tree: tree})
			if c.ok && (err != nil || p.n != 5 || len(m.entries) != 5 || p.First != 10) || !c.ok && CodeOf(err) != CodeTampered {
				t.Errorf("%d entries from %d, %v", p.n, p.First, err)
			}
		})
	}
}
