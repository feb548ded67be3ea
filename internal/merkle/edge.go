package merkle

import (
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/stored"
)

// A run that has lost its leaf hashes keeps its root, and of every checkpoint whose size lies inside it an edge: the hashes of the perfect
// subtrees on both sides of that size. They are what a consistency proof from that checkpoint needs of the run, and no more.

// edgeVersion is the first byte of an edge. A reader refuses others with [stored.ErrNewer].
const edgeVersion = 1

// edgeNodes yields the perfect subtrees that meet at a size inside a run, left to right: those of the largest that cover the run below it,
// and above it.
func edgeNodes(size int64) iter.Seq2[int, int64] {
	first := size / RunWidth * RunWidth
	return func(yield func(level int, n int64) bool) {
		for _, part := range [2]iter.Seq2[int, int64]{nodes(first, size), nodes(size, first+RunWidth)} {
			for level, n := range part {
				if !yield(level, n) {
					return
				}
			}
		}
	}
}

// Edge makes the edge of a size from the leaf hashes of the run that it lies in, all of them.
func Edge(size int64, leaves []tlog.Hash) []byte {
	b := []byte{edgeVersion}
	for level, n := range edgeNodes(size) {
		at := n << level % RunWidth
		h := Root(leaves[at : at+1<<level])
		b = append(b, h[:]...)
	}
	return b
}

// Lost is what is left of a run that has lost its leaf hashes, by its edges. It belongs to one goroutine.
type Lost struct {
	first  int64
	gone   error
	hashes map[node]tlog.Hash
}

// NewLost returns a run, by its first leaf, of which no edge is known yet. gone is the error of whoever asks for what no edge has.
func NewLost(first int64, gone error) *Lost {
	return &Lost{first: first, gone: gone, hashes: map[node]tlog.Hash{}}
}

// Add takes the edge of a size inside the run. An error is a [stored.DamageError] or [stored.ErrNewer].
func (l *Lost) Add(size int64, edge []byte) error {
	if len(edge) > 0 && edge[0] != edgeVersion {
		return fmt.Errorf("edge of version %d: %w", edge[0], stored.ErrNewer)
	}
	rest := edge[min(1, len(edge)):]
	for level, n := range edgeNodes(size) {
		if len(rest) >= tlog.HashSize {
			l.hashes[node{level: level, n: n}] = tlog.Hash(rest)
			rest = rest[tlog.HashSize:]
		} else {
			rest = nil
		}
	}
	if rest == nil || len(rest) > 0 {
		return stored.Damaged("the edge of size %d has %d bytes", size, len(edge))
	}
	return nil
}

// Subtree returns the hash of a perfect subtree inside the run. Of one that no edge has the error is that which [NewLost] was given.
func (l *Lost) Subtree(level int, n int64) (tlog.Hash, error) {
	h, ok := l.hashes[node{level: level, n: n}]
	if !ok {
		return h, l.gone
	}
	return h, nil
}

// Heads returns the roots that the edge of a size gives to who has the frontier of the leaves before the run: of the tree of that size, and
// of that which ends with the run.
func (l *Lost) Heads(before *Frontier, size int64) (at, end tlog.Hash, err error) {
	t := before.Clone()
	for level, n := range edgeNodes(size) {
		h, err := l.Subtree(level, n)
		if err != nil {
			return at, end, err
		}
		if t.AppendSubtree(level, h); t.Size == size {
			at = t.Root()
		}
	}
	return at, t.Root(), nil
}
