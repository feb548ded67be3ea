package verify

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
)

// times holds received_at against the order of the log and against signed times. Everything is in microseconds since 1970.
type times struct {
	bounds []bound // ascending by size
	next   int     // of bounds, the first with a size above the entry being looked at
	lower  int64   // of the entry being looked at
	upper  []int64 // upper[i]: of entries below bounds[i].size and not below bounds[i-1].size

	first, last moment // of the range; seq −1: none
	wrong       bool   // the order was reported: once is enough
	outside     []moment

	keep   bool   // whether anchors may follow, which need the times again
	passed []byte // seq and time of each shown entry, as differences
}

// bound says that no entry below size is later than last, and none at size or above is earlier than first.
type bound struct {
	size        int64
	first, last int64
}

// moment is one shown entry.
type moment struct {
	seq, at int64
	line    int
}

// never bounds nothing.
const never = math.MaxInt64

// signedBy adds the bounds of a tree that was signed at t, a whole second, by a clock that may be early or late by these.
func (ts *times) signedBy(size int64, t time.Time, early, late time.Duration) {
	us := t.UnixMicro()
	ts.bounds = append(ts.bounds, bound{size, us - early.Microseconds(), us + late.Microseconds()})
}

// begin is called once before the entries of the range.
func (ts *times) begin() {
	slices.SortStableFunc(ts.bounds, func(a, b bound) int { return cmp.Compare(a.size, b.size) })
	ts.upper = make([]int64, len(ts.bounds)+1)
	ts.upper[len(ts.bounds)] = never
	for i := len(ts.bounds) - 1; i >= 0; i-- {
		ts.upper[i] = min(ts.upper[i+1], ts.bounds[i].last)
	}
	ts.next, ts.lower = 0, math.MinInt64
	ts.first, ts.last = moment{seq: -1}, moment{seq: -1}
}

// entry checks the next shown entry of the range.
func (ts *times) entry(rep *Report, m moment) {
	if ts.first.seq < 0 {
		ts.first = m
	} else if m.at <= ts.last.at && !ts.wrong {
		ts.wrong = true
		rep.Add(Finding{TimeOrder, m.line, m.seq, fmt.Sprintf("received at %s, not after entry %d", formatTime(m.at), ts.last.seq)})
	}
	for ts.next < len(ts.bounds) && ts.bounds[ts.next].size <= m.seq {
		ts.lower = max(ts.lower, ts.bounds[ts.next].first)
		ts.next++
	}
	ts.within(rep, m, ts.lower, ts.upper[ts.next])
	if ts.keep {
		ts.passed = binary.AppendUvarint(ts.passed, uint64(m.seq-max(ts.last.seq, 0)))
		ts.passed = binary.AppendVarint(ts.passed, m.at-ts.last.at)
	}
	ts.last = m
}

func (ts *times) within(rep *Report, m moment, lower, upper int64) {
	if m.at > upper {
		rep.Add(Finding{TimeOrder, m.line, m.seq, fmt.Sprintf("received at %s, later than the %s signature over it", formatTime(m.at), formatTime(upper))})
	}
	if m.at < lower {
		rep.Add(Finding{TimeOrder, m.line, m.seq, fmt.Sprintf("received at %s, earlier than the tree before it was signed, allowed from %s", formatTime(m.at), formatTime(lower))})
	}
}

// judge checks the entries from outside the range, after those of the range, against all of them.
func (ts *times) judge(rep *Report) {
	all := make([]moment, 0, len(ts.outside)+2)
	if ts.first.seq >= 0 {
		all = append(all, ts.first)
		if ts.last.seq != ts.first.seq {
			all = append(all, ts.last)
		}
	}
	for _, m := range ts.outside {
		i, _ := slices.BinarySearchFunc(ts.bounds, m.seq+1, func(b bound, size int64) int { return cmp.Compare(b.size, size) })
		lower := int64(math.MinInt64)
		for _, b := range ts.bounds[:i] {
			lower = max(lower, b.first)
		}
		ts.within(rep, m, lower, ts.upper[i])
	}
	all = append(all, ts.outside...)
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(a.seq, b.seq) })
	for i := 1; i < len(all); i++ {
		if a, b := all[i-1], all[i]; a.at >= b.at && a.seq != b.seq && !ts.wrong {
			ts.wrong = true
			rep.Add(Finding{TimeOrder, b.line, b.seq, fmt.Sprintf("received at %s, not after entry %d", formatTime(b.at), a.seq)})
		}
	}
}

// anchored checks that no shown entry below size is later than at.
func (ts *times) anchored(rep *Report, anchors []bound) {
	if len(anchors) == 0 {
		return
	}
	slices.SortStableFunc(anchors, func(a, b bound) int { return cmp.Compare(a.size, b.size) })
	next := 0
	var before moment
	judge := func() {
		if a := anchors[next]; before.at > a.last {
			rep.Add(Finding{TimeOrder, 0, before.seq, fmt.Sprintf("received at %s, later than the anchor over it of %s", formatTime(before.at), formatTime(a.last))})
		}
		next++
	}
	var seq, at int64
	for rest := ts.passed; len(rest) > 0 && next < len(anchors); {
		d, n := binary.Uvarint(rest)
		t, m := binary.Varint(rest[n:])
		rest = rest[n+m:]
		seq, at = seq+int64(d), at+t
		for next < len(anchors) && anchors[next].size <= seq {
			judge()
		}
		before = moment{seq: seq, at: at}
	}
	for next < len(anchors) {
		judge()
	}
}
