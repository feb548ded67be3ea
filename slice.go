package daybook

import (
	"context"
	"fmt"
	"slices"

	"github.com/daybook-audit/daybook/internal/kept"
)

// Bounds of one slice: what a Replace moves in one transaction, so that no commit waits long behind it. A block that is larger is a
// slice of its own.
const (
	sliceBytes = 112 << 10
	sliceRows  = 64

	// fleetSlices is by how much more a store of several processes takes: its commits do not wait for a Replace, and the other processes are
	// told of each.
	fleetSlices = 8
)

// maxDayCache bounds the day slips that are kept in memory, at about 200 bytes each.
const maxDayCache = 32 << 10

// dayRef names a day slip.
type dayRef struct {
	log LogNo
	day uint32
}

// mergeSlice is one Replace being put together. Its memory is reused once the Replace has returned.
type mergeSlice struct {
	swaps       []Swap
	arena       []byte // what the blocks in swaps are made of
	rows, bytes int
	times       int // how many times sliceBytes and sliceRows it may hold
	blocks      int
	days        map[dayRef]*dayCounts // to be added to the stored slips
}

func (s *mergeSlice) reset() {
	clear(s.swaps)
	clear(s.days)
	s.swaps, s.arena, s.rows, s.bytes, s.blocks = s.swaps[:0], s.arena[:0], 0, 0, 0
}

// fits reports whether a block of so many bytes, which takes the place of out others, still fits.
func (s *mergeSlice) fits(size, out int) bool {
	return len(s.swaps) == 0 || s.bytes+size <= s.times*sliceBytes && s.rows+2*out+4 <= s.times*sliceRows
}

// add puts a block into s: it takes the place of out and, with fold, holds everything from the folded head to fold.Packed. Blocks of
// one log that follow each other become one swap. The bytes are copied.
func (s *mergeSlice) add(log LogNo, b Block, out []piece, fold *Head) {
	b.Bytes, b.Filter, b.Facets = s.keep(b.Bytes), s.keep(b.Filter), s.keep(b.Facets)
	s.bytes += blockSize(&b)
	s.rows += 2 + 2*len(out) // meta and bytes are rows of their own
	s.blocks++
	if n := len(s.swaps); n == 0 || s.swaps[n-1].Log != log {
		s.rows += 2 // the head and a day
		s.swaps = append(s.swaps, Swap{Log: log})
	}
	swap := &s.swaps[len(s.swaps)-1]
	swap.In = append(swap.In, b)
	for i := range out {
		swap.Out = append(swap.Out, out[i].BlockRef)
	}
	if fold != nil {
		swap.Fold = fold
	}
}

func blockSize(b *Block) int { return len(b.Bytes) + len(b.Filter) + len(b.Facets) }

func (s *mergeSlice) keep(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	start := len(s.arena)
	s.arena = append(s.arena, b...)
	return slices.Clip(s.arena[start:])
}

// addControls notes in slips where the control entries among es stand, which have just been added to the last swap.
func (s *mergeSlice) addControls(es []kept.Entry) {
	swap := &s.swaps[len(s.swaps)-1]
	for i := range es {
		if es[i].Kind == KindControl {
			c := controlSlip{seq: es[i].Seq, removes: removes(es[i].Body)}
			swap.Slips = append(swap.Slips, c.slip())
			s.rows++
		}
	}
}

// addSlips adds slips of the log of the last swap.
func (s *mergeSlice) addSlips(slips []Slip) {
	swap := &s.swaps[len(s.swaps)-1]
	swap.Slips = append(swap.Slips, slips...)
	s.rows += len(slips)
}

// noticeRemovals queues what a swap that was applied has brought to be removed.
func (m *merger) noticeRemovals(swap *Swap) error {
	for i := range swap.Slips {
		if swap.Slips[i].Kind != slipControl {
			continue
		}
		c, err := parseControlSlip(&swap.Slips[i])
		if err != nil {
			return err
		}
		if c.removes && c.done == 0 {
			m.removals.add(swap.Log, c.seq)
		}
	}
	m.countRemovals()
	return nil
}

// count adds the counts of a block's entries.
func (s *mergeSlice) count(log LogNo, t *dayTally) {
	for day, counts := range t.All() {
		ref := dayRef{log, day}
		c := s.days[ref]
		if c == nil {
			c = new(dayCounts)
			s.days[ref] = c
		}
		c.Merge(counts)
	}
}

// flush applies the slice.
//
// A crash before or in Replace leaves the store as it was: the commits are still there, and the next start plans again. A crash
// after it leaves blocks, head and day counts that agree, since they came in one transaction: the next start takes from the commits
// only what is above the head, so that nothing is merged or counted twice.
func (m *merger) flush(ctx context.Context, s *shard) error {
	if len(m.slice.swaps) == 0 {
		return nil
	}
	begin := m.b.now()
	if err := m.addDays(ctx); err != nil {
		return err
	}
	if err := m.leased(); err != nil {
		return err
	}
	m.takeTurns(m.slice.swaps)
	if err := m.b.store.Replace(ctx, m.slice.swaps); err != nil {
		return fmt.Errorf("replace blocks of %d logs: %w", len(m.slice.swaps), err)
	}
	for i := range m.slice.swaps {
		swap := &m.slice.swaps[i]
		m.b.cache.drop(swap.Log) // before the head: whoever sees the new head must not find the old blocks
		if swap.Fold != nil {    // s is nil for rewrites, which leave the head
			folded := *swap.Fold
			if swap.Turn != 0 {
				folded.Turn = swap.Turn + 1
			}
			s.setFolded(folded)
		}
		m.turned(swap)
		if err := m.noticeRemovals(swap); err != nil {
			return err
		}
	}
	if m.b.metrics.Merge != nil {
		m.b.metrics.Merge(m.slice.blocks, m.slice.bytes, float64(m.b.now()-begin)/1e6)
	}
	m.slice.reset()
	return nil
}

// addDays adds the day slips to the swaps: what is stored and what the slice counts. Only the merger writes them, so that what it
// wrote last is what is stored, and after any failure it reads them again.
func (m *merger) addDays(ctx context.Context) error {
	if len(m.slice.days) == 0 {
		return nil
	}
	for i := range m.slice.swaps {
		swap := &m.slice.swaps[i]
		var days []uint32
		for ref := range m.slice.days {
			if ref.log == swap.Log {
				days = append(days, ref.day)
			}
		}
		slices.Sort(days)
		if err := m.readDays(ctx, swap.Log, days); err != nil {
			return err
		}
		for _, day := range days {
			ref := dayRef{swap.Log, day}
			sum := m.slice.days[ref]
			if stored := m.days[ref]; stored != "" {
				before, err := readDay([]byte(stored))
				if err != nil {
					return fmt.Errorf("day %d of log %d: %w", day, swap.Log, err)
				}
				sum.Merge(&before)
			}
			sum.Floor()
			b := sum.Encode()
			m.days[ref] = string(b)
			swap.Slips = append(swap.Slips, Slip{SlipKey: SlipKey{Kind: slipDay, B: day}, Bytes: b})
		}
	}
	return nil
}

// readDays makes sure that the stored slips of days, ascending, are in m.days; a day that has none is the empty string there.
func (m *merger) readDays(ctx context.Context, log LogNo, days []uint32) error {
	if len(m.days)+len(days) > maxDayCache {
		clear(m.days)
	}
	missing := days[:0:0]
	for _, day := range days {
		if _, ok := m.days[dayRef{log, day}]; !ok {
			missing = append(missing, day)
		}
	}
	for len(missing) > 0 {
		n := 1 // neighbours, and days of one import, are read together
		for n < len(missing) && missing[n]-missing[n-1] < 64 {
			n++
		}
		for _, day := range missing[:n] {
			m.days[dayRef{log, day}] = ""
		}
		from, to := SlipKey{Kind: slipDay, B: missing[0]}, SlipKey{Kind: slipDay, B: missing[n-1] + 1}
		for slip, err := range m.b.store.Slips(ctx, log, from, to) {
			if err != nil {
				return fmt.Errorf("read day slips of log %d: %w", log, err)
			}
			if _, ok := slices.BinarySearch(missing[:n], slip.B); ok {
				m.days[dayRef{log, slip.B}] = string(slip.Bytes)
			}
		}
		missing = missing[n:]
	}
	return nil
}
