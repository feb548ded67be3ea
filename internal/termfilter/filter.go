// Package termfilter says of a block which terms it may hold: a blocked Bloom filter without a header, in lines of 60 bytes. A term sets seven
// bits of the one line that its value and its group, the aligned run of filterGroup seqs, choose, so that one read of a line answers for a
// word in every namespace. The format: docs/reference/formats.md.
package termfilter

import (
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/daybook-audit/daybook/query"
)

const (
	filterLine   = 60
	filterBits   = 8 * filterLine
	filterProbes = 7
	filterGroup  = 64 * window
	window       = 512 // seqs
)

// How full a filter may be. Of a whole block one term in about a thousand is a false alarm; of a piece, which is soon rewritten and
// cheap to decode, one in about 23 (TestFilter measures both).
const (
	WholeFill = 0.33
	PieceFill = 0.62
)

// Has reports whether a block that begins at first and has this filter may hold t; false is certain. Without a filter it may.
func Has(filter []byte, first int64, t query.Term) bool {
	lines := len(filter) / filterLine
	if lines == 0 || len(filter)%filterLine != 0 {
		return true
	}
	t = spread(t, first)
	line := filter[filterOffset(t.H, lines):][:filterLine]
	g := t.G
	for range filterProbes {
		bit := filterBit(g)
		if line[bit>>3]&(1<<(bit&7)) == 0 {
			return false
		}
		g >>= 9
	}
	return true
}

// Nothing returns the filter of no term at all: of every term it is certain that the block does not hold it.
func Nothing() []byte { return make([]byte, filterLine) }

// spread returns t as it stands in the filter of a block that begins at first.
func spread(t query.Term, first int64) query.Term {
	return t.In(uint64(first/filterGroup), uint64(first/window))
}

// filterOffset returns where the line of a value begins.
func filterOffset(h uint64, lines int) int { return int((h>>32)*uint64(lines)>>32) * filterLine }

// filterBit scales the low 9 bits of g to a bit of a line.
func filterBit(g uint64) uint64 { return (g & 511) * filterBits >> 9 }

// Builder makes filters, reusing its memory: it drops repeated terms. It belongs to one goroutine; the zero value is ready.
type Builder struct {
	terms  []query.Term
	table  []uint32 // 1 + index into terms; 0: free
	secret uint64   // odd; without it a producer could choose terms that meet in the table
	lines  []byte
}

// set makes s the terms of ts, each once.
func (s *Builder) set(ts []query.Term) {
	size := 1 << bits.Len(uint(2*len(ts)+64))
	if cap(s.table) < size {
		s.table = make([]uint32, size)
		s.secret = rand.Uint64() | 1 //nolint:gosec // against chosen terms that slow one block down, not a key
	}
	s.table = s.table[:size]
	clear(s.table)
	s.terms = s.terms[:0]
	shift := 64 - bits.Len(uint(size-1))
	for _, t := range ts {
		i := (t.G ^ bits.RotateLeft64(t.H, 32)) * s.secret >> shift
		for ; ; i = (i + 1) & uint64(size-1) {
			at := s.table[i]
			if at == 0 {
				s.terms = append(s.terms, t)
				s.table[i] = uint32(len(s.terms))
				break
			}
			if s.terms[at-1] == t { // both halves: terms that agree in one may be made on purpose
				break
			}
		}
	}
}

// Append adds to dst the filter of ts for a block that begins at first. Its size is the one at which an even spread over the lines is maxFill full, and an uneven
// one mostly is too; it grows until that is so.
func (s *Builder) Append(dst []byte, ts []query.Term, first int64, maxFill float64) []byte {
	s.set(ts)
	for i := range s.terms {
		s.terms[i] = spread(s.terms[i], first)
	}
	lines := max(1, int(math.Ceil(1.01*float64(len(s.terms))*filterProbes/(filterBits*-math.Log1p(-maxFill)))))
	for s.fill(lines) > maxFill {
		lines += 1 + lines/100
	}
	return append(dst, s.lines...)
}

// fill sets the bits of every term in so many lines and returns which part of all bits is set.
func (s *Builder) fill(lines int) float64 {
	if cap(s.lines) < lines*filterLine {
		s.lines = make([]byte, lines*filterLine+lines*filterLine/4)
	}
	s.lines = s.lines[:lines*filterLine]
	clear(s.lines)
	for _, t := range s.terms {
		line := s.lines[filterOffset(t.H, lines):][:filterLine]
		g := t.G
		for range filterProbes {
			bit := filterBit(g)
			line[bit>>3] |= 1 << (bit & 7)
			g >>= 9
		}
	}
	n := 0
	for _, b := range s.lines {
		n += bits.OnesCount8(b)
	}
	return float64(n) / float64(lines*filterBits)
}
