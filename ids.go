package daybook

import (
	"encoding/binary"
	"math/bits"
)

// clockSlack is how far a producer's clock may run ahead of ours, µs, before its ids are looked up with more care.
const clockSlack = 5 * 60 * 1_000_000

// idAhead returns the time in an id if it lies more than clockSlack after the entry was received, else 0.
func idAhead(id *ID, received int64) int64 {
	if t := id.Micros(); t > received+clockSlack {
		return t
	}
	return 0
}

// idFilter remembers event ids recorded by this process, in generations of a blocked Bloom filter: one 64-byte line and seven bits an
// id. It never forgets an id recorded since covered. It belongs to the sequencer.
type idFilter struct {
	generations []*idGeneration // oldest first; ids are added to the last
	covered     int64           // µs: every id recorded since is in the filter
	most        int             // ids in the largest generation
}

type idGeneration struct {
	since    int64
	n, limit int
	words    []uint64
}

const (
	// idBits is how many bits an id gets: at 24, one id in about 5,000 is a false alarm, which costs a look-up and nothing else.
	idBits = 24
	// Each generation holds twice as many ids as the one before, so that a small log costs little memory, up to the largest; the
	// oldest is dropped when the others hold four times that many, at 24 MiB.
	firstIDs, mostIDs = 32 << 10, 2 << 20
)

func newIDFilter(now int64) *idFilter {
	return &idFilter{generations: []*idGeneration{newIDGeneration(now, firstIDs)}, covered: now, most: mostIDs}
}

func newIDGeneration(since int64, limit int) *idGeneration {
	return &idGeneration{since: since, limit: limit, words: make([]uint64, limit*idBits/512*8)}
}

func (f *idFilter) add(id *ID, now int64) {
	g := f.generations[len(f.generations)-1]
	if g.n >= g.limit {
		g = f.grow(g, now)
	}
	g.n++
	line, h := g.line(id)
	for range 7 {
		line[h>>6&7] |= 1 << (h & 63)
		h = h>>9 | h<<55
	}
}

// grow begins a generation after last.
func (f *idFilter) grow(last *idGeneration, now int64) *idGeneration {
	held := 0
	for _, g := range f.generations[1:] {
		held += g.limit
	}
	if held >= 4*f.most {
		f.generations = f.generations[1:]
		f.covered = max(f.covered, f.generations[0].since)
	}
	g := newIDGeneration(now, min(2*last.limit, f.most))
	f.generations = append(f.generations, g)
	return g
}

// maybe reports whether id may have been recorded since covered; false is certain.
func (f *idFilter) maybe(id *ID) bool {
	for _, g := range f.generations {
		if g.has(id) {
			return true
		}
	}
	return false
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
