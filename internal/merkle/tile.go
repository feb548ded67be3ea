// Package merkle is the arithmetic of RFC 6962 trees that this repository needs beside golang.org/x/mod/sumdb/tlog. It knows hashes and
// their places, and neither entries nor stores.
//
// A [Frontier] grows leaf by leaf, as a log does while it is recorded; [Runs] is the same for who keeps the roots of runs of 256 leaves. A
// [Tree] makes from those roots, and from leaves where it must, every hash that a proof or a tile needs. It goes on where a run has lost its
// leaf hashes ([Lost]), and where only a [Part] of the log is there. [Tile] and [Cover] say which perfect subtrees tiles and ranges are
// made of.
package merkle

import (
	"fmt"
	"iter"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Subtree returns the hash of the n-th perfect subtree of a level, which covers the leaves [n<<level, (n+1)<<level).
type Subtree func(level int, n int64) (tlog.Hash, error)

const (
	// TileWidth is the number of hashes in a full tile (C2SP tlog-tiles).
	TileWidth = 256
	// TileLevels is how many levels of the tree a tile spans: TileWidth is 1<<TileLevels.
	TileLevels = 8
	maxLevel   = 6 // 256^7 leaves are more than any log has
	maxLeaves  = 1 << 53
)

// TileSize returns the smallest size of a tree that has width hashes of the n-th tile of a level; false: no tree has it.
func TileSize(level int, n int64, width int) (int64, bool) {
	if level < 0 || level > maxLevel || n < 0 || n > maxLeaves>>(TileLevels*(level+1)) || width < 1 || width > TileWidth {
		return 0, false
	}
	return (TileWidth*n + int64(width)) << (TileLevels * level), true
}

// Tile returns the first width hashes of the n-th tile of a level: of these the i-th is the root of the 256^level leaves from
// (256·n+i)·256^level on.
func Tile(level int, n int64, width int, subtree Subtree) ([]byte, error) {
	tile := make([]byte, 0, width*tlog.HashSize)
	for i := range int64(width) {
		h, err := subtree(TileLevels*level, TileWidth*n+i)
		if err != nil {
			return nil, fmt.Errorf("make tile %d of level %d: %w", n, level, err)
		}
		tile = append(tile, h[:]...)
	}
	return tile, nil
}

// nodes yields the perfect aligned subtrees that cover the leaves [from, to), left to right, each the largest that starts there and fits.
func nodes(from, to int64) iter.Seq2[int, int64] {
	return func(yield func(level int, n int64) bool) {
		for from < to {
			level := bits.Len64(uint64(to-from)) - 1
			if from > 0 {
				level = min(level, bits.TrailingZeros64(uint64(from)))
			}
			if !yield(level, from>>level) {
				return
			}
			from += 1 << level
		}
	}
}

// Cover returns the hashes of the perfect aligned subtrees that cover the leaves [from, to), left to right, each the largest that starts
// there and fits: at most 2·log2(to) of them.
func Cover(from, to int64, subtree Subtree) ([]tlog.Hash, error) {
	hs := []tlog.Hash{}
	for level, n := range nodes(from, to) {
		h, err := subtree(level, n)
		if err != nil {
			return nil, err
		}
		hs = append(hs, h)
	}
	return hs, nil
}
