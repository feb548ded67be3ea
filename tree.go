package daybook

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// frontier is the compact range of the first size leaves of an RFC 6962 tree: popcount(size) subtree hashes, largest first. The
// zero value is the empty tree.
type frontier struct {
	size   int64
	hashes []tlog.Hash
}

// set makes f a copy of g, reusing f's memory.
func (f *frontier) set(g *frontier) {
	f.size = g.size
	f.hashes = append(f.hashes[:0], g.hashes...)
}

// append adds one leaf hash. Amortized it computes one node hash.
func (f *frontier) append(h tlog.Hash) { f.appendSubtree(0, h) }

// appendSubtree adds the hash of the perfect subtree of a level that begins where f ends.
func (f *frontier) appendSubtree(level int, h tlog.Hash) {
	for n := f.size >> level; n&1 == 1; n >>= 1 {
		last := len(f.hashes) - 1
		h = nodeHash(&f.hashes[last], &h)
		f.hashes = f.hashes[:last]
	}
	f.hashes = append(f.hashes, h)
	f.size += 1 << level
}

// root returns the tree's root; of the empty tree it is SHA-256 of nothing (RFC 6962 §2.1).
func (f *frontier) root() tlog.Hash {
	if len(f.hashes) == 0 {
		return sha256.Sum256(nil)
	}
	h := f.hashes[len(f.hashes)-1]
	for i := len(f.hashes) - 2; i >= 0; i-- {
		h = nodeHash(&f.hashes[i], &h)
	}
	return h
}

// check returns the first 8 bytes of SHA-256(size ‖ hashes): what a commit carries to name the frontier after it.
func (f *frontier) check() (c [8]byte) {
	var stack [8 + 64*tlog.HashSize]byte
	b := appendUint64(stack[:0], uint64(f.size))
	for i := range f.hashes {
		b = append(b, f.hashes[i][:]...)
	}
	sum := sha256.Sum256(b)
	copy(c[:], sum[:8])
	return c
}

// subtreeRoot is the RFC 6962 tree hash of a run of leaves on its own.
func subtreeRoot(leaves []tlog.Hash) tlog.Hash {
	var f frontier
	for _, h := range leaves {
		f.append(h)
	}
	return f.root()
}

func nodeHash(left, right *tlog.Hash) tlog.Hash {
	var b [1 + 2*tlog.HashSize]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+tlog.HashSize:], right[:])
	return sha256.Sum256(b[:])
}
