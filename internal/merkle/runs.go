package merkle

import (
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/stored"
)

// A run is an aligned piece of a log: RunWidth leaves, the perfect subtree of level RunLevel. Of complete runs the roots are kept.
const (
	RunWidth = TileWidth
	RunLevel = TileLevels
)

// Runs is the tree of a log at its end, in two halves: the last, unfinished run, and the roots of the runs before. It belongs to one
// goroutine.
type Runs struct{ roots, leaves Frontier }

// OpenRuns continues the tree of size leaves that has these frontier hashes. It keeps none of their memory. An error, a
// [stored.DamageError], says that there is another number of them.
func OpenRuns(size int64, hashes []tlog.Hash) (Runs, error) {
	if len(hashes) != bits.OnesCount64(uint64(size)) {
		return Runs{}, stored.Damaged("a frontier of %d hashes for size %d", len(hashes), size)
	}
	high := bits.OnesCount64(uint64(size / RunWidth))
	return Runs{
		roots:  Frontier{Size: size / RunWidth, Hashes: slices.Clone(hashes[:high])},
		leaves: Frontier{Size: size % RunWidth, Hashes: slices.Clone(hashes[high:])},
	}, nil
}

// Append adds a leaf hash. When that completes a run it returns its root.
func (r *Runs) Append(h tlog.Hash) (root tlog.Hash, complete bool) {
	r.leaves.Append(h)
	if r.leaves.Size < RunWidth {
		return tlog.Hash{}, false
	}
	root = r.leaves.Hashes[0]
	r.roots.Append(root)
	r.leaves = Frontier{Hashes: r.leaves.Hashes[:0]}
	return root, true
}

// Frontier returns the hashes of the frontier of the whole tree.
func (r *Runs) Frontier() []tlog.Hash { return slices.Concat(r.roots.Hashes, r.leaves.Hashes) }
