package daybook

import (
	"encoding/binary"
	"math/bits"
)

// idFilter remembers event ids recorded by this process, in two generations of a blocked Bloom filter: one 64-byte line and seven
// bits an id. It never forgets an id recorded since covered. It belongs to the sequencer.
type idFilter struct {
	now, before *idGeneration
	covered     int64 // µs: every id recorded since is in the filter
	limit       int   // ids in a generation
}

type idGeneration struct {
	since int64
	n     int
	words []uint64
}

// idBits is how many bits an id gets: at 24, one id in about 5,000 is a false alarm, which costs a look-up and nothing else.
const idBits = 24

func newIDFilter(now int64, limit int) *idFilter {
	return &idFilter{now: newIDGeneration(now, limit), covered: now, limit: limit}
}

func newIDGeneration(since int64, limit int) *idGeneration {
	lines := max(1, limit*idBits/512)
	return &idGeneration{since: since, words: make([]uint64, 8*lines)}
}

func (f *idFilter) add(id *ID, now int64) {
	if f.now.n >= f.limit {
		if f.before != nil {
			f.covered = f.now.since
		}
		f.before, f.now = f.now, newIDGeneration(now, f.limit)
	}
	f.now.n++
	line, h := f.now.line(id)
	for range 7 {
		line[h>>6&7] |= 1 << (h & 63)
		h = h>>9 | h<<55
	}
}

// maybe reports whether id may have been recorded since covered; false is certain.
func (f *idFilter) maybe(id *ID) bool {
	return f.now.has(id) || f.before != nil && f.before.has(id)
}

func (g *idGeneration) has(id *ID) bool {
	line, h := g.line(id)
	for range 7 {
		if line[h>>6&7]&(1<<(h&63)) == 0 {
			return false
		}
		h = h>>9 | h<<55
	}
	return true
}

// line returns the id's line and the bits to look at, nine at a time. Ids are mixed, since a producer may bring any.
func (g *idGeneration) line(id *ID) ([]uint64, uint64) {
	a, b := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	h := mix64(b ^ mix64(a))
	i, _ := bits.Mul64(h, uint64(len(g.words)/8))
	return g.words[8*i : 8*i+8], mix64(h ^ a)
}

// mix64 is the 64-bit finaliser of MurmurHash3.
func mix64(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
