package daybook

import (
	"cmp"
	"fmt"
	"slices"
)

// Check says whether p may be applied to its log: packed is where the log's folded head ends, covers has for each block of Out how many
// seqs it covers, 0 when it is not there with its Gen. Every driver asks it, inside the transaction that applies p. The error is
// ErrSwapped, and says what of the promise of [Keeper] does not hold.
func (p *Swap) Check(packed int64, covers []int) error {
	gone, gens := make([]seqRange, 0, len(p.Out)+1), make(map[int64]int32, len(p.Out))
	for i, ref := range p.Out {
		if covers[i] == 0 {
			return fmt.Errorf("block %d.%d: %w", ref.First, ref.Gen, ErrSwapped)
		}
		gone = append(gone, seqRange{ref.First, ref.First + int64(covers[i])})
		gens[ref.First] = ref.Gen
	}
	if f := p.Fold; f != nil {
		if f.Log != p.Log || f.Packed < packed {
			return fmt.Errorf("fold of log %d from %d back to %d: %w", f.Log, packed, f.Packed, ErrSwapped)
		}
		gone = append(gone, seqRange{packed, f.Packed})
	}
	come := make([]seqRange, 0, len(p.In))
	for i := range p.In {
		b := &p.In[i]
		if gen, ok := gens[b.First]; ok && b.Gen <= gen {
			return fmt.Errorf("block %d.%d after %d: %w", b.First, b.Gen, gen, ErrSwapped)
		}
		come = append(come, seqRange{b.First, b.First + int64(b.N)})
	}
	was, once := joined(gone)
	is, alsoOnce := joined(come)
	if !once || !alsoOnce || !slices.Equal(was, is) {
		return fmt.Errorf("the blocks in do not cover the seqs of those out: %w", ErrSwapped)
	}
	return nil
}

type seqRange struct{ from, to int64 }

// joined sorts rs and joins neighbours; false if two overlap or one is not a range.
func joined(rs []seqRange) ([]seqRange, bool) {
	slices.SortFunc(rs, func(a, b seqRange) int { return cmp.Compare(a.from, b.from) })
	var out []seqRange
	for _, r := range rs {
		n := len(out)
		switch {
		case r.from == r.to:
		case r.from > r.to, n > 0 && r.from < out[n-1].to:
			return nil, false
		case n > 0 && r.from == out[n-1].to:
			out[n-1].to = r.to
		default:
			out = append(out, r)
		}
	}
	return out, true
}
