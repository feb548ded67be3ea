package merkle

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Source is where the [Tree] of a log gets what it cannot make.
type Source interface {
	// Leaves returns the leaf hashes [from, to), all of one run.
	Leaves(from, to int64) ([]tlog.Hash, error)
	// Roots returns the roots of the complete runs [from, to), all of one chunk, up to the first that is not kept. What is missing at the
	// end the tree makes from leaves.
	Roots(from, to int64) ([]tlog.Hash, error)
	// Lost is asked when Leaves has failed with err, for the run that begins at first. It returns what is left of a run that has lost its
	// leaf hashes, and otherwise err.
	Lost(first int64, err error) (*Lost, error)
}

// chunkLevel is the level of a chunk: the runs below it are asked for together.
const chunkLevel = 15

// Tree is the tree of a log as it was at one moment: what it is asked for must lie below Size. Everything but the roots of runs is made
// on read, what lies below a run from its leaves, what lies above from the roots. It belongs to one goroutine.
type Tree struct {
	Log    int64 // names it in Cache
	Size   int64
	Source Source
	Cache  *Cache
	Part   *Part // nil: the whole log is there

	last []tlog.Hash // the leaf hashes of the incomplete run at the end, once read
	lost *Lost       // the last run met that has lost its leaf hashes
}

// ReadHashes returns the hashes with the given storage indexes, which name subtrees by level and place. It is what
// golang.org/x/mod/sumdb/tlog asks for hashes.
func (t *Tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hs := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		h, err := t.Subtree(level, n)
		if err != nil {
			return nil, err
		}
		hs[i] = h
	}
	return hs, nil
}

// Subtree returns the hash of the n-th perfect subtree of a level, which covers the leaves [n<<level, (n+1)<<level).
func (t *Tree) Subtree(level int, n int64) (tlog.Hash, error) {
	if t.Part != nil {
		return t.Part.subtree(t, level, n)
	}
	return t.own(level, n)
}

// Root returns the root of the tree of the first size leaves.
func (t *Tree) Root(size int64) (tlog.Hash, error) {
	hs, err := Cover(0, size, t.Subtree)
	f := Frontier{Size: size, Hashes: hs}
	return f.Root(), err
}

// Inclusion proves that the leaf at seq is in the tree of a size, seq < size (RFC 6962 §2.1.1).
func (t *Tree) Inclusion(seq, size int64) (leaf tlog.Hash, proof []tlog.Hash, err error) {
	if proof, err = tlog.ProveRecord(size, seq, t); err != nil {
		return leaf, nil, fmt.Errorf("prove entry %d in size %d: %w", seq, size, err)
	}
	leaf, err = t.Subtree(0, seq)
	return leaf, proof, err
}

// Consistency proves that the tree of from leaves, at least one, is the beginning of that of to (RFC 6962 §2.1.2).
func (t *Tree) Consistency(from, to int64) ([]tlog.Hash, error) {
	proof, err := tlog.ProveTree(to, from, t)
	if err != nil {
		return nil, fmt.Errorf("prove size %d to be the beginning of size %d: %w", from, to, err)
	}
	return proof, nil
}

// Beside returns what proves the leaves [from, to) in the tree of a size to who has their hashes: those of the perfect subtrees that cover
// what is left of them, and right.
func (t *Tree) Beside(from, to, size int64) (left, right []tlog.Hash, err error) {
	if left, err = Cover(0, from, t.Subtree); err != nil {
		return nil, nil, err
	}
	right, err = Cover(to, size, t.Subtree)
	return left, right, err
}

// own is Subtree of what is there.
func (t *Tree) own(level int, n int64) (tlog.Hash, error) {
	if level < RunLevel {
		return t.below(level, n)
	}
	at := node{t.Log, level, n}
	if h, ok := t.Cache.node(at); ok {
		return h, nil
	}
	h, err := t.above(level, n)
	if err == nil {
		t.Cache.putNode(at, h)
	}
	return h, err
}

// below makes the hash of a subtree that lies inside a run.
func (t *Tree) below(level int, n int64) (tlog.Hash, error) {
	first := n << level
	run := first / RunWidth
	if t.lost != nil && t.lost.first == run*RunWidth {
		return t.lost.Subtree(level, n)
	}
	leaves, err := t.run(run)
	if err != nil {
		if t.lost, err = t.Source.Lost(run*RunWidth, err); err != nil {
			return tlog.Hash{}, err
		}
		return t.lost.Subtree(level, n)
	}
	return Root(leaves[first%RunWidth : first%RunWidth+1<<level]), nil
}

// above makes the hash of a subtree that consists of whole runs.
func (t *Tree) above(level int, n int64) (tlog.Hash, error) {
	if level <= chunkLevel {
		roots, err := t.roots(n<<(level-RunLevel), (n+1)<<(level-RunLevel))
		if err != nil {
			return tlog.Hash{}, err
		}
		return Root(roots), nil
	}
	return t.join(level, n)
}

// join makes the hash of a subtree from its two halves.
func (t *Tree) join(level int, n int64) (tlog.Hash, error) {
	left, err := t.Subtree(level-1, 2*n)
	if err != nil {
		return tlog.Hash{}, err
	}
	right, err := t.Subtree(level-1, 2*n+1)
	if err != nil {
		return tlog.Hash{}, err
	}
	return nodeHash(&left, &right), nil
}

// roots returns the roots of the complete runs [from, to), all of one chunk.
func (t *Tree) roots(from, to int64) ([]tlog.Hash, error) {
	roots, err := t.Source.Roots(from, to)
	if err != nil {
		return nil, err
	}
	for n := from + int64(len(roots)); n < to; n++ {
		leaves, err := t.run(n)
		if err != nil {
			return nil, err
		}
		roots = append(roots, Root(leaves))
	}
	return roots, nil
}

// run returns the leaf hashes of the n-th run, as many as the tree has.
func (t *Tree) run(n int64) ([]tlog.Hash, error) {
	from, to := n*RunWidth, min((n+1)*RunWidth, t.Size)
	complete := to-from == RunWidth
	if !complete && t.last != nil {
		return t.last, nil
	}
	at := node{t.Log, RunLevel, n}
	if leaves := t.Cache.run(at); leaves != nil && complete {
		return leaves, nil
	}
	leaves, err := t.Source.Leaves(from, to)
	if err != nil {
		return nil, err
	}
	if complete {
		t.Cache.putRun(at, leaves)
	} else {
		t.last = leaves
	}
	return leaves, nil
}
