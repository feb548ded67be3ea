// Package timeline counts entries by the hour in which they occurred, and cuts time into the bars of a histogram: of whole minutes, hours, days,
// weeks, months or years as the clocks of a zone show them. It reads no clock.
package timeline

import (
	"encoding/binary"
	"iter"
	"slices"

	"github.com/daybook-audit/daybook/internal/stored"
)

// Lengths in µs.
const (
	HourLength = 3600 * 1e6
	DayLength  = 24 * HourLength
)

// version is the first byte of a stored day.
const version = 1

// maxCount is more than the entries of any log.
const maxCount = 1 << 53

// The outcomes that are counted apart; the others are successes.
const (
	success = "success"
	failure = "failure"
	denied  = "denied"
)

// DayOf returns the number of the day since 1970 (UTC) of a time in µs of the years 1970 to 9999. It has 24 bits.
func DayOf(occurred int64) uint32 { return uint32(occurred / DayLength) }

// Day counts the entries of one day (UTC, by occurred_at) by hour. The zero value counts none.
type Day struct{ Hour [24]Counts }

// Counts counts entries; Total holds the others too.
type Counts struct{ Total, Failure, Denied int64 }

// Add counts one entry n times; less than zero takes it away.
func (d *Day) Add(occurred int64, outcome []byte, n int64) {
	h := &d.Hour[occurred%DayLength/HourLength]
	h.Total += n
	switch string(outcome) {
	case failure:
		h.Failure += n
	case denied:
		h.Denied += n
	}
}

// Floor makes counts that went below zero zero. None does in a store whose slips and blocks agree; in another, a removal goes on.
func (d *Day) Floor() {
	for i := range d.Hour {
		h := &d.Hour[i]
		h.Failure, h.Denied = max(h.Failure, 0), max(h.Denied, 0)
		h.Total = max(h.Total, h.Failure+h.Denied)
	}
}

// Merge adds the counts of e.
func (d *Day) Merge(e *Day) {
	for i := range d.Hour {
		d.Hour[i].Total += e.Hour[i].Total
		d.Hour[i].Failure += e.Hour[i].Failure
		d.Hour[i].Denied += e.Hour[i].Denied
	}
}

// Encode returns the stored form: the version, then total, failure and denied of each hour as uvarints.
func (d *Day) Encode() []byte {
	dst := []byte{version}
	for i := range d.Hour {
		dst = binary.AppendUvarint(dst, uint64(d.Hour[i].Total))
		dst = binary.AppendUvarint(dst, uint64(d.Hour[i].Failure))
		dst = binary.AppendUvarint(dst, uint64(d.Hour[i].Denied))
	}
	return dst
}

// ReadDay reads what Encode returned.
func ReadDay(text []byte) (Day, error) {
	var d Day
	r, err := stored.Open(text, version, "a day slip")
	if err != nil {
		return d, err
	}
	for i := range d.Hour {
		h := &d.Hour[i]
		h.Total, h.Failure, h.Denied = r.Count(maxCount), r.Count(maxCount), r.Count(maxCount)
		if h.Failure+h.Denied > h.Total {
			r.Refuse()
		}
	}
	if !r.End() {
		return Day{}, stored.Damaged("a day slip of %d bytes", len(text))
	}
	return d, nil
}

// Only returns the counts of some outcomes; nil: of all.
func (n Counts) Only(outcomes []string) Counts {
	if outcomes == nil {
		return n
	}
	var out Counts
	if slices.Contains(outcomes, failure) {
		out.Failure = n.Failure
	}
	if slices.Contains(outcomes, denied) {
		out.Denied = n.Denied
	}
	if out.Total = out.Failure + out.Denied; slices.Contains(outcomes, success) {
		out.Total += n.Total - n.Failure - n.Denied
	}
	return out
}

// Tally counts the entries of one log by day: few days, the last one again and again. The zero value counts none.
type Tally struct {
	days   []uint32
	counts []Day
}

// Reset makes t count nothing yet, in the same memory.
func (t *Tally) Reset() { t.days, t.counts = t.days[:0], t.counts[:0] }

// Add counts one entry n times; less than zero takes it away.
func (t *Tally) Add(occurred int64, outcome []byte, n int64) {
	t.of(DayOf(occurred)).Add(occurred, outcome, n)
}

// Bytes returns about how much memory t takes.
func (t *Tally) Bytes() int64 { return int64(len(t.counts) * 24 * 24) }

// All yields every day that has counts. They may be changed.
func (t *Tally) All() iter.Seq2[uint32, *Day] {
	return func(yield func(uint32, *Day) bool) {
		for i, day := range t.days {
			if !yield(day, &t.counts[i]) {
				return
			}
		}
	}
}

// of returns the counts of a day.
func (t *Tally) of(day uint32) *Day {
	for i := len(t.days) - 1; i >= 0; i-- {
		if t.days[i] == day {
			return &t.counts[i]
		}
	}
	t.days = append(t.days, day)
	t.counts = append(t.counts, Day{})
	return &t.counts[len(t.counts)-1]
}
