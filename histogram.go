package daybook

import (
	"context"
	"fmt"
	"slices"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/timeline"
)

// Bars of a histogram.
const (
	DefaultBars = 60
	MaxBars     = 120
)

// HistogramQuery asks when the entries occurred that an EventQuery finds. Its Order, Asc, Limit and Cursor mean nothing here.
type HistogramQuery struct {
	EventQuery
	Bars int // at most so many bars: default 60, at most 120
}

// Histogram answers a HistogramQuery: how many entries occurred when.
type Histogram struct {
	Interval string // one of 1m 5m 15m 1h 3h 1d 1w 1mo 1y
	Bars     []Bar  // ascending, without a gap; empty ones are there
	Searched Searched
}

// Bar counts the entries that occurred from From until the next bar's.
type Bar struct {
	From                   int64 // µs since 1970
	Total, Failure, Denied int64 // Total holds the others too
}

// Histogram counts entries by occurred_at. The bars are cut in the query's zone and have the smallest interval that needs no more
// of them than asked for; an open bound is that of the oldest or newest entry. A query that bounds nothing but time and outcome is
// answered from the counts kept for each day if the zone is whole hours from UTC and the bars are an hour or more; another one by
// looking at entries, newest first, as long as Options grant, and Searched says how far that came.
func (b *Book) Histogram(ctx context.Context, q HistogramQuery) (*Histogram, error) {
	q.Cursor, q.Order, q.Asc = "", OrderLog, false
	p, err := b.question(&q.EventQuery)
	if err != nil {
		return nil, err
	}
	s, err := b.enterScan(ctx, p)
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.need = true
	if q.Bars <= 0 {
		q.Bars = DefaultBars
	}
	h := histogram{scan: s, limit: min(q.Bars, MaxBars)}
	answer, err := h.fromDays()
	if answer == nil && err == nil {
		answer, err = h.fromEntries()
	}
	return answer, err
}

// histogram is one Histogram in the making.
type histogram struct {
	*scan
	limit int
	hits  []hit
}

// hit is something counted: an entry, or those of an hour.
type hit struct {
	occurred int64
	timeline.Counts
}

// fromEntries looks at entries.
func (h *histogram) fromEntries() (*Histogram, error) {
	h.hits = h.hits[:0]
	stop, err := h.walk(0, h.size, false, h.entry)
	if err != nil {
		return nil, err
	}
	h.done = stop <= 0
	return h.answer()
}

// entry is the visit of a histogram.
func (h *histogram) entry(*kept.Entry) (bool, error) {
	n := hit{h.rec.Occurred, timeline.Counts{Total: 1}}
	for i := range h.doc.Len() {
		if string(h.doc.Path(i)) != "/outcome" {
			continue
		}
		switch string(h.doc.Value(i)) {
		case string(Failure):
			n.Failure = 1
		case string(Denied):
			n.Denied = 1
		}
		break
	}
	h.hits = append(h.hits, n)
	return true, nil
}

// answer cuts the bars and puts the hits into them.
func (h *histogram) answer() (*Histogram, error) {
	searched, err := h.searched()
	if err != nil {
		return nil, err
	}
	span, ok, err := h.span()
	if err != nil {
		return nil, err
	}
	a := &Histogram{Interval: timeline.Shortest, Searched: searched}
	if !ok {
		return a, nil
	}
	starts, interval := timeline.Cut(span.Min, span.Max, h.zone, h.limit)
	a.Interval = interval
	a.Bars = make([]Bar, len(starts)-1)
	for i := range a.Bars {
		a.Bars[i].From = starts[i]
	}
	for i := range h.hits {
		n := &h.hits[i]
		at, found := slices.BinarySearch(starts, n.occurred)
		if !found {
			at--
		}
		switch {
		case at < 0:
			a.Searched.From = max(a.Searched.From, starts[0])
			a.Searched.Complete, a.Searched.Reason = false, ReasonBars
		default:
			bar := &a.Bars[at]
			bar.Total, bar.Failure, bar.Denied = bar.Total+n.Total, bar.Failure+n.Failure, bar.Denied+n.Denied
		}
	}
	return a, nil
}

// span is the time that the bars cover, both ends included: the bounds asked for, or those of the log and of all that was counted.
func (h *histogram) span() (Span, bool, error) {
	if h.size == 0 {
		return Span{h.from, h.to - 1}, h.from != openFrom && h.to != openTo && h.from < h.to, nil
	}
	s, err := h.extent()
	if err != nil {
		return s, false, err
	}
	if h.to != openTo {
		s.Max = h.to - 1
	}
	for i := range h.hits {
		if t := h.hits[i].occurred; h.from == openFrom {
			s.Min = min(s.Min, t)
		}
		if t := h.hits[i].occurred; h.to == openTo {
			s.Max = max(s.Max, t)
		}
	}
	return s, s.Min <= s.Max, nil
}

// fromDays answers from the day slips; nil if they cannot.
func (h *histogram) fromDays() (*Histogram, error) {
	outcomes, ok := h.query.CountsByDay()
	if !ok || h.size == 0 {
		return nil, nil
	}
	inner := Span{Min: h.from, Max: h.to} // [Min, Max): whole hours
	if inner.Min != openFrom {
		inner.Min = ceilTo(inner.Min, timeline.HourLength)
	}
	if inner.Max != openTo {
		inner.Max = floorTo(inner.Max, timeline.HourLength)
	}
	if inner.Min >= inner.Max {
		return nil, nil
	}
	packed, ok, err := h.days(inner, outcomes)
	if err != nil || !ok {
		return nil, err
	}
	span, ok, err := h.span()
	if err != nil || !ok {
		return nil, err
	}
	starts, _ := timeline.Cut(span.Min, span.Max, h.zone, h.limit)
	if !wholeHours(starts) {
		return nil, nil
	}
	if err := h.edges(inner, min(packed, h.size)); err != nil {
		return nil, err
	}
	w := walker{scan: h.scan, each: h.entry, wholeTail: true}
	w.take = func(_ *BlockMeta, days *dayTally) (taken, more bool, err error) {
		for day, counts := range days.All() {
			h.day(day, counts, outcomes)
		}
		return true, true, nil
	}
	if _, err := w.walk(packed, h.size); err != nil {
		return nil, err
	}
	h.done = true
	return h.answer()
}

// days adds the hours of inner from the day slips, which count the entries below packed. It returns false if blocks are being
// folded all the time.
func (h *histogram) days(inner Span, outcomes []string) (packed int64, ok bool, err error) {
	from, to := SlipKey{Kind: slipDay}, SlipKey{Kind: slipDay + 1}
	if inner.Min != openFrom {
		from = dayKey(inner.Min)
	}
	if inner.Max != openTo {
		to = dayKey(inner.Max - 1)
		to.B++
	}
	const attempts = 5
	for range attempts {
		before, err := h.packed()
		if err != nil {
			return 0, false, err
		}
		h.hits = h.hits[:0]
		for slip, err := range h.b.store.Slips(h.ctx, h.view.head.Log, from, to) {
			if err != nil {
				return 0, false, fmt.Errorf("read the day slips of %s: %w", h.org, err)
			}
			if err := h.slip(&slip, inner, outcomes); err != nil {
				return 0, false, fmt.Errorf("day slip %d of %s: %w", slip.B, h.org, err)
			}
		}
		after, err := h.packed()
		if err != nil {
			return 0, false, err
		}
		if before == after {
			return after, true, nil
		}
	}
	return 0, false, nil
}

// packed returns how many entries are in blocks by now; the day slips count exactly these.
func (h *histogram) packed() (int64, error) {
	heads, err := h.b.store.Heads(h.ctx, []OrgID{h.org}, false)
	if err != nil {
		return 0, fmt.Errorf("read the head of %s: %w", h.org, err)
	}
	return heads[0].Packed, nil
}

// slip adds the hours of one slip that lie within inner.
func (h *histogram) slip(slip *Slip, inner Span, outcomes []string) error {
	counts, err := readDay(slip.Bytes)
	if err != nil {
		return err
	}
	for i := range counts.Hour {
		if at := int64(slip.B)*timeline.DayLength + int64(i)*timeline.HourLength; at < inner.Min || at >= inner.Max {
			counts.Hour[i] = timeline.Counts{}
		}
	}
	h.day(slip.B, &counts, outcomes)
	return nil
}

// day adds the hours of a day.
func (h *histogram) day(day uint32, counts *dayCounts, outcomes []string) {
	for i := range counts.Hour {
		if n := counts.Hour[i].Only(outcomes); n.Total > 0 {
			h.hits = append(h.hits, hit{int64(day)*timeline.DayLength + int64(i)*timeline.HourLength, n})
		}
	}
}

// edges counts, in the blocks below packed, what occurred within the bounds but not in whole hours of them.
func (h *histogram) edges(inner Span, packed int64) error {
	from, to := h.from, h.to
	defer func() { h.from, h.to = from, to }()
	for _, edge := range []Span{{from, inner.Min}, {inner.Max, to}} {
		if edge.Min >= edge.Max {
			continue
		}
		h.from, h.to = edge.Min, edge.Max
		if _, err := h.walk(0, packed, false, h.entry); err != nil {
			return err
		}
	}
	return nil
}

// wholeHours reports whether every bar but the first begins with an hour (UTC): the first begins no later than the first entry.
func wholeHours(starts []int64) bool {
	for _, t := range starts {
		if t%timeline.HourLength != 0 {
			return false
		}
	}
	return true
}

func floorTo(t, unit int64) int64 {
	if r := t % unit; r < 0 {
		return t - r - unit
	}
	return t - t%unit
}

func ceilTo(t, unit int64) int64 { return -floorTo(-t, unit) }
