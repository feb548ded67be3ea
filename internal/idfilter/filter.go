// Package idfilter remembers which event ids a process has recorded, in bounded memory. It may take an id for one of them that is none,
// which costs a look-up and nothing else; it never takes one of them for new.
package idfilter

import (
	"encoding/binary"
	"math/bits"
)

// Filter remembers ids in generations of a blocked Bloom filter: one 64-byte line and seven bits an id. It never forgets an id added since
// [Filter.Covered]. It belongs to one goroutine.
type Filter struct {
	generations []*generation // oldest first; ids are added to the last
	covered     int64
	most        int // ids in the largest generation
}

type generation struct {
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

// New returns an empty filter. Times are µs since 1970, and never go back.
func New(now int64) *Filter {
	return &Filter{generations: []*generation{newGeneration(now, firstIDs)}, covered: now, most: mostIDs}
}

// Covered returns the time since which every id that was added is in the filter.
func (f *Filter) Covered() int64 { return f.covered }

// Miss says that ids were recorded elsewhere until now and not added: the filter covers only what comes after.
func (f *Filter) Miss(now int64) { f.covered = max(f.covered, now) }

func newGeneration(since int64, limit int) *generation {
	return &generation{since: since, limit: limit, words: make([]uint64, limit*idBits/512*8)}
}

// Add adds an id that is recorded now.
func (f *Filter) Add(id *[16]byte, now int64) {
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
func (f *Filter) grow(last *generation, now int64) *generation {
	held := 0
	for _, g := range f.generations[1:] {
		held += g.limit
	}
	if held >= 4*f.most {
		f.generations = f.generations[1:]
		f.covered = max(f.covered, f.generations[0].since)
	}
	g := newGeneration(now, min(2*last.limit, f.most))
	f.generations = append(f.generations, g)
	return g
}

// Maybe reports whether id may have been added since Covered; false is certain.
func (f *Filter) Maybe(id *[16]byte) bool {
	for _, g := range f.generations {
		if g.has(id) {
			return true
		}
	}
	return false
}

func (g *generation) has(id *[16]byte) bool {
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
func (g *generation) line(id *[16]byte) ([]uint64, uint64) {
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
