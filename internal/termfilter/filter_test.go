package termfilter

import (
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook/query"
)

func numberedTerms(from, n int) []query.Term {
	ts := make([]query.Term, n)
	for i := range ts {
		ts[i] = query.NewTerm('w', binary.BigEndian.AppendUint64(nil, uint64(from+i)))
	}
	return ts
}

func TestFilter(t *testing.T) {
	t.Parallel()
	t.Run("it has every term that it was made of", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			ts := make([]query.Term, rapid.IntRange(0, 300).Draw(t, "n"))
			for i := range ts { // few different halves: lines and table slots are shared
				ts[i] = query.Term{H: rapid.Uint64Range(0, 9).Draw(t, "h") << 60, G: rapid.Uint64Range(0, 30).Draw(t, "g") << 40}
			}
			maxFill := rapid.SampledFrom([]float64{WholeFill, PieceFill}).Draw(t, "fill")
			first := rapid.Int64Range(0, 1<<53).Draw(t, "first")
			filter := new(Builder).Append(nil, ts, first, maxFill)
			for _, term := range ts {
				if !Has(filter, first, term) {
					t.Fatalf("a filter of %d terms lacks %x", len(ts), term)
				}
			}
		})
	})
	t.Run("terms that agree in one half are told apart", func(t *testing.T) {
		t.Parallel()
		var ts []query.Term
		for i := range uint64(300) {
			word := query.NewTerm('w', binary.BigEndian.AppendUint64(nil, i))
			ts = append(ts, query.Term{H: word.H, G: 0x8bd7a3f48c01886b}, query.Term{H: 1 << 60, G: word.G})
		}
		var s Builder
		if s.set(ts); len(s.terms) != len(ts) {
			t.Errorf("%d of %d terms are kept", len(s.terms), len(ts))
		}
	})
	t.Run("its size keeps to the fill and is at most 3 % and a line above the smallest that does", func(t *testing.T) {
		t.Parallel()
		for _, n := range []int{0, 1, 100, 5400} {
			for _, maxFill := range []float64{WholeFill, PieceFill} {
				ts := numberedTerms(0, n)
				lines := len(new(Builder).Append(nil, ts, 0, maxFill)) / filterLine
				var s Builder
				s.set(append(ts, ts...)) // repeated terms change nothing
				if len(s.terms) != n {
					t.Errorf("%d terms of %d are different", len(s.terms), n)
				}
				if f := s.fill(lines); f > maxFill {
					t.Errorf("%d terms: fill %.3f, at most %.2f", n, f, maxFill)
				}
				if less := lines - lines*3/100 - 2; less > 0 {
					if f := s.fill(less); f <= maxFill {
						t.Errorf("%d terms: %d lines are made and %d would do, fill %.3f", n, lines, less, f)
					}
				}
			}
		}
	})
	t.Run("false alarms are as rare as promised", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct{ fill, most float64 }{{WholeFill, 0.001}, {PieceFill, 0.05}} {
			const first = 5 << 20
			filter := new(Builder).Append(nil, numberedTerms(0, 5400), first, c.fill)
			false1, n := 0, 200_000
			for _, term := range numberedTerms(1<<40, n) {
				if Has(filter, first, term) {
					false1++
				}
			}
			rate := float64(false1) / float64(n)
			t.Logf("fill %.2f: %d bytes, %.5f", c.fill, len(filter), rate)
			if rate > c.most || rate == 0 {
				t.Errorf("fill %.2f: rate %.5f, want at most %.3f", c.fill, rate, c.most)
			}
		}
	})
	t.Run("without a filter everything may be there", func(t *testing.T) {
		t.Parallel()
		for _, filter := range [][]byte{nil, {}, make([]byte, 59), make([]byte, 61)} {
			if !Has(filter, 0, query.Term{}) {
				t.Errorf("a filter of %d bytes denies", len(filter))
			}
		}
	})
	t.Run("in nothing there is nothing", func(t *testing.T) {
		t.Parallel()
		if Has(Nothing(), 0, query.NewTerm('w', []byte("word"))) {
			t.Error("there may be a word")
		}
	})
	t.Run("a false alarm in one block says nothing of the next", func(t *testing.T) {
		t.Parallel()
		const blocks, n = 400, 300 // the same values in each block
		filters := make([][]byte, blocks)
		for i := range filters {
			filters[i] = new(Builder).Append(nil, numberedTerms(0, 5400), int64(i)*window, WholeFill)
		}
		worst := 0
		for _, term := range numberedTerms(1<<40, n) {
			alarms := 0
			for i, f := range filters {
				if Has(f, int64(i)*window, term) {
					alarms++
				}
			}
			worst = max(worst, alarms)
		}
		if worst > blocks/20 {
			t.Errorf("a value that no block holds is looked for in %d of %d", worst, blocks)
		}
	})
	t.Run("its bits are those of the format", func(t *testing.T) {
		t.Parallel()
		// docs/reference/formats.md, section "Filter": a `invoice.paid` has h=9e8d171a68454fc8 g=8bd7a3f48c01886b.
		term := query.Term{H: 0x9e8d171a68454fc8, G: 0x8bd7a3f48c01886b}
		for _, c := range []struct {
			first  int64
			at     query.Term // as the document gives it
			lineOf int        // of 3
		}{
			{0, query.Term{H: 0x81b3e5d65b0b8789, G: 0x938b190a15aba3e9}, 1},
			{100_000, query.Term{H: 0xa9a3201c44cb5f52, G: 0x7520ff39bc08e801}, 1},
		} {
			filter := make([]byte, 3*filterLine)
			line := filter[c.lineOf*filterLine:][:filterLine]
			for i := range 7 {
				if Has(filter, c.first, term) {
					t.Fatalf("from %d: %d bits are enough", c.first, i)
				}
				bit := (c.at.G >> (9 * i) & 511) * 480 >> 9
				line[bit/8] |= 1 << (bit % 8)
			}
			if !Has(filter, c.first, term) {
				t.Errorf("from %d: seven bits are not enough; in it the term is %x", c.first, spread(term, c.first))
			}
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	ts := numberedTerms(0, 5400)
	for range 5 {
		ts = append(ts, ts[:5400]...)
	}
	var s Builder
	var dst []byte
	for b.Loop() {
		dst = s.Append(dst[:0], ts, 0, WholeFill)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/event")
}
