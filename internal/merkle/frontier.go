package merkle

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Frontier is the compact range of the first Size leaves of a tree: popcount(Size) subtree hashes, largest first. The zero value is the
// empty tree. It belongs to one goroutine at a time; a copy of the struct shares its memory, a [Frontier.Clone] does not.
type Frontier struct {
	Size   int64
	Hashes []tlog.Hash
}

// Set makes f a copy of g, reusing f's memory.
func (f *Frontier) Set(g *Frontier) {
	f.Size = g.Size
	f.Hashes = append(f.Hashes[:0], g.Hashes...)
}

// Clone returns a copy of f with memory of its own.
func (f *Frontier) Clone() Frontier { return Frontier{Size: f.Size, Hashes: slices.Clone(f.Hashes)} }

// Append adds one leaf hash. Amortized it computes one node hash.
func (f *Frontier) Append(h tlog.Hash) { f.AppendSubtree(0, h) }

// AppendSubtree adds the hash of the perfect subtree of a level that begins where f ends.
func (f *Frontier) AppendSubtree(level int, h tlog.Hash) {
	for n := f.Size >> level; n&1 == 1; n >>= 1 {
		last := len(f.Hashes) - 1
		h = nodeHash(&f.Hashes[last], &h)
		f.Hashes = f.Hashes[:last]
	}
	f.Hashes = append(f.Hashes, h)
	f.Size += 1 << level
}

// Root returns the tree's root; of the empty tree it is SHA-256 of nothing (RFC 6962 §2.1).
func (f *Frontier) Root() tlog.Hash {
	if len(f.Hashes) == 0 {
		return sha256.Sum256(nil)
	}
	h := f.Hashes[len(f.Hashes)-1]
	for i := len(f.Hashes) - 2; i >= 0; i-- {
		h = nodeHash(&f.Hashes[i], &h)
	}
	return h
}

// Check returns the first 8 bytes of SHA-256(size ‖ hashes): what a commit carries to name the frontier after it.
func (f *Frontier) Check() (c [8]byte) {
	var stack [8 + 64*tlog.HashSize]byte
	b := binary.BigEndian.AppendUint64(stack[:0], uint64(f.Size))
	for i := range f.Hashes {
		b = append(b, f.Hashes[i][:]...)
	}
	sum := sha256.Sum256(b)
	copy(c[:], sum[:8])
	return c
}

// Root is the RFC 6962 tree hash of leaves on their own, or of the roots of equally large subtrees.
func Root(leaves []tlog.Hash) tlog.Hash {
	var f Frontier
	for _, h := range leaves {
		f.Append(h)
	}
	return f.Root()
}

func nodeHash(left, right *tlog.Hash) tlog.Hash {
	var b [1 + 2*tlog.HashSize]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+tlog.HashSize:], right[:])
	return sha256.Sum256(b[:])
}
