package verify

import (
	"crypto/sha256"
	"errors"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// emptyRoot is the root of a tree without leaves: SHA-256 of nothing (RFC 6962, section 2.1).
var emptyRoot = tlog.Hash(sha256.Sum256(nil))

// ErrProofSize says that a range proof has not as many hashes, or leaves, as its range needs.
var ErrProofSize = errors.New("the range proof has a wrong number of hashes or leaves")

// Range computes the root of a tree from the leaves of one range and the hashes beside it. The zero value is not ready: see NewRange.
//
// It holds the perfect subtrees that cover everything up to size, the largest first: a leaf is a subtree of one, and two neighbours
// of one size become one.
type Range struct {
	stack    []subtree
	size     int64 // leaves so far
	to, tree int64
	right    []tlog.Hash
}

type subtree struct {
	level int // of 2^level leaves
	hash  tlog.Hash
}

// NewRange begins with left, the hashes of the subtrees that cover [0,from), and keeps right for [to,size). It refuses both with
// [ErrProofSize] if their numbers are not those of the subtrees. It needs 0 ≤ from ≤ to ≤ size.
func NewRange(from, to, size int64, left, right []tlog.Hash) (*Range, error) {
	if len(left) != len(subtrees(0, from)) || len(right) != len(subtrees(to, size)) {
		return nil, ErrProofSize
	}
	r := &Range{to: to, tree: size, right: right}
	for i, level := range subtrees(0, from) {
		r.push(level, left[i])
	}
	return r, nil
}

// subtrees returns the levels of the perfect aligned subtrees that cover [from,to), left to right, each the largest that starts there
// and fits.
func subtrees(from, to int64) []int {
	var levels []int
	for from < to {
		level := bits.Len64(uint64(to-from)) - 1
		if from > 0 {
			level = min(level, bits.TrailingZeros64(uint64(from)))
		}
		levels = append(levels, level)
		from += 1 << level
	}
	return levels
}

// Append adds the next leaf.
func (r *Range) Append(leaf tlog.Hash) { r.push(0, leaf) }

func (r *Range) push(level int, hash tlog.Hash) {
	r.size += 1 << level
	for n := len(r.stack); n > 0 && r.stack[n-1].level == level; n = len(r.stack) {
		hash = tlog.NodeHash(r.stack[n-1].hash, hash)
		r.stack = r.stack[:n-1]
		level++
	}
	r.stack = append(r.stack, subtree{level, hash})
}

// Root returns the root of the whole tree, or [ErrProofSize] if there were more or fewer leaves than the range has. Nothing may be
// appended after it.
func (r *Range) Root() (tlog.Hash, error) {
	if r.size != r.to {
		return tlog.Hash{}, ErrProofSize
	}
	for i, level := range subtrees(r.to, r.tree) {
		r.push(level, r.right[i])
	}
	if len(r.stack) == 0 {
		return emptyRoot, nil
	}
	root := r.stack[len(r.stack)-1].hash
	for i := len(r.stack) - 2; i >= 0; i-- {
		root = tlog.NodeHash(r.stack[i].hash, root)
	}
	return root, nil
}

// maxProof bounds the hashes of one proof: a tree has less than 2^63 leaves.
const maxProof = 63

// CheckConsistency returns nil if proof shows that the tree of size old with oldRoot is the beginning of the tree of size with root.
func CheckConsistency(proof []tlog.Hash, size int64, root tlog.Hash, old int64, oldRoot tlog.Hash) error {
	if old == 0 && size >= 0 {
		if len(proof) > 0 || oldRoot != emptyRoot || size == 0 && root != emptyRoot {
			return errors.New("the proof from an empty tree is empty")
		}
		return nil
	}
	return tlog.CheckTree(proof, size, root, old, oldRoot)
}

// CheckInclusion returns nil if proof shows that the leaf with this hash stands at seq of the tree of size with root.
func CheckInclusion(proof []tlog.Hash, size int64, root tlog.Hash, seq int64, leaf tlog.Hash) error {
	return tlog.CheckRecord(proof, size, root, seq, leaf)
}
