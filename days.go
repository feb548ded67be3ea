package daybook

import (
	"encoding/binary"
	"fmt"
)

// slipDay is the kind of a day slip: A is 0, B the day, and its content the dayCounts of the entries that occurred on it.
const slipDay = 4

// daySlipVersion is the first byte of a day slip. A reader refuses others with [ErrNewer].
const daySlipVersion = 1

const (
	microsPerHour = 3600 * 1e6
	microsPerDay  = 24 * microsPerHour
)

// dayKey returns the key of the day slip that counts what occurred at a time in µs. Times are of the years 1970 to 9999, whose days
// fit the key.
func dayKey(occurred int64) SlipKey {
	return SlipKey{Kind: slipDay, B: uint32(occurred / microsPerDay)}
}

// dayCounts counts the entries of one day (UTC, by occurred_at) by hour.
type dayCounts struct{ hour [24]outcomeCounts }

// outcomeCounts counts entries; total holds the others too.
type outcomeCounts struct{ total, failure, denied int64 }

// add counts one entry.
func (d *dayCounts) add(occurred int64, outcome []byte) { d.addTimes(occurred, outcome, 1) }

// addTimes counts one entry n times; less than zero takes it away.
func (d *dayCounts) addTimes(occurred int64, outcome []byte, n int64) {
	h := &d.hour[occurred%microsPerDay/microsPerHour]
	h.total += n
	switch string(outcome) {
	case string(Failure):
		h.failure += n
	case string(Denied):
		h.denied += n
	}
}

// floor makes counts that went below zero zero. None does in a store whose slips and blocks agree; in another, a removal goes on.
func (d *dayCounts) floor() {
	for i := range d.hour {
		h := &d.hour[i]
		h.failure, h.denied = max(h.failure, 0), max(h.denied, 0)
		h.total = max(h.total, h.failure+h.denied)
	}
}

// merge adds the counts of e.
func (d *dayCounts) merge(e *dayCounts) {
	for i := range d.hour {
		d.hour[i].total += e.hour[i].total
		d.hour[i].failure += e.hour[i].failure
		d.hour[i].denied += e.hour[i].denied
	}
}

// encode returns the content of the slip: the version, then total, failure and denied of each hour as uvarints.
func (d *dayCounts) encode() []byte {
	dst := []byte{daySlipVersion}
	for i := range d.hour {
		dst = binary.AppendUvarint(dst, uint64(d.hour[i].total))
		dst = binary.AppendUvarint(dst, uint64(d.hour[i].failure))
		dst = binary.AppendUvarint(dst, uint64(d.hour[i].denied))
	}
	return dst
}

// parseDayCounts reads a day slip.
func parseDayCounts(b []byte) (dayCounts, error) {
	var d dayCounts
	if len(b) == 0 {
		return d, damaged("an empty day slip")
	}
	if b[0] != daySlipVersion {
		return d, fmt.Errorf("day slip of version %d: %w", b[0], ErrNewer)
	}
	r := columnReader{rest: b[1:]}
	for i := range d.hour {
		h := &d.hour[i]
		h.total, h.failure, h.denied = int64(r.uvarint(maxSeq)), int64(r.uvarint(maxSeq)), int64(r.uvarint(maxSeq))
		if h.failure+h.denied > h.total {
			r.bad = true
		}
	}
	if r.bad || len(r.rest) > 0 {
		return dayCounts{}, damaged("a day slip of %d bytes", len(b))
	}
	return d, nil
}
