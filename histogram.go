package daybook

import (
	"context"
	"fmt"
	"slices"
	"time"
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
	outcomeCounts
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
func (h *histogram) entry(*packed) (bool, error) {
	n := hit{h.rec.Occurred, outcomeCounts{total: 1}}
	for i := range h.doc.Len() {
		if string(h.doc.Path(i)) != "/outcome" {
			continue
		}
		switch string(h.doc.Value(i)) {
		case string(Failure):
			n.failure = 1
		case string(Denied):
			n.denied = 1
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
	a := &Histogram{Interval: intervals[0].name, Searched: searched}
	if !ok {
		return a, nil
	}
	starts, interval := cutBars(span, h.zone, h.limit)
	a.Interval = interval.name
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
			bar.Total, bar.Failure, bar.Denied = bar.Total+n.total, bar.Failure+n.failure, bar.Denied+n.denied
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
		inner.Min = ceilTo(inner.Min, microsPerHour)
	}
	if inner.Max != openTo {
		inner.Max = floorTo(inner.Max, microsPerHour)
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
	starts, _ := cutBars(span, h.zone, h.limit)
	if !wholeHours(starts) {
		return nil, nil
	}
	if err := h.edges(inner, min(packed, h.size)); err != nil {
		return nil, err
	}
	w := walker{scan: h.scan, each: h.entry, wholeTail: true}
	w.take = func(_ *BlockMeta, days *dayTally) (taken, more bool, err error) {
		for i := range days.days {
			h.day(days.days[i], &days.counts[i], outcomes)
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
	counts, err := parseDayCounts(slip.Bytes)
	if err != nil {
		return err
	}
	for i := range counts.hour {
		if at := int64(slip.B)*microsPerDay + int64(i)*microsPerHour; at < inner.Min || at >= inner.Max {
			counts.hour[i] = outcomeCounts{}
		}
	}
	h.day(slip.B, &counts, outcomes)
	return nil
}

// day adds the hours of a day.
func (h *histogram) day(day uint32, counts *dayCounts, outcomes []string) {
	for i := range counts.hour {
		if n := counts.hour[i].only(outcomes); n.total > 0 {
			h.hits = append(h.hits, hit{int64(day)*microsPerDay + int64(i)*microsPerHour, n})
		}
	}
}

// only returns the counts of some outcomes; nil: of all.
func (n outcomeCounts) only(outcomes []string) outcomeCounts {
	if outcomes == nil {
		return n
	}
	var out outcomeCounts
	if slices.Contains(outcomes, string(Failure)) {
		out.failure = n.failure
	}
	if slices.Contains(outcomes, string(Denied)) {
		out.denied = n.denied
	}
	if out.total = out.failure + out.denied; slices.Contains(outcomes, string(Success)) {
		out.total += n.total - n.failure - n.denied
	}
	return out
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
		if t%microsPerHour != 0 {
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

// interval is the length of a bar.
type interval struct {
	name                string
	clock               time.Duration // counted from midnight; 0: years, months and days instead
	years, months, days int
}

var intervals = []interval{
	{name: "1m", clock: time.Minute},
	{name: "5m", clock: 5 * time.Minute},
	{name: "15m", clock: 15 * time.Minute},
	{name: "1h", clock: time.Hour},
	{name: "3h", clock: 3 * time.Hour},
	{name: "1d", days: 1},
	{name: "1w", days: 7},
	{name: "1mo", months: 1},
	{name: "1y", years: 1},
}

// cutBars returns where bars begin that cover span, and at last where they end. If years are too many, the last ones are kept.
func cutBars(span Span, zone *time.Location, limit int) (starts []int64, unit interval) {
	for _, unit = range intervals {
		if unit.clock > 0 && (span.Max-span.Min)/unit.clock.Microseconds() > int64(limit) {
			continue
		}
		at := unit.floor(time.UnixMicro(span.Min).In(zone))
		starts = append(starts[:0], at.UnixMicro())
		for at.UnixMicro() <= span.Max {
			at = unit.next(at)
			starts = append(starts, at.UnixMicro())
			if len(starts) > limit+1 && unit.years == 0 {
				break
			}
		}
		if len(starts) <= limit+1 {
			break
		}
	}
	return starts[max(0, len(starts)-limit-1):], unit
}

// floor returns the start of the bar that holds t.
func (u interval) floor(t time.Time) time.Time {
	y, m, d := t.Date()
	switch {
	case u.years > 0:
		return dayStart(y, 1, 1, t.Location())
	case u.months > 0:
		return dayStart(y, m, 1, t.Location())
	case u.days == 7:
		return dayStart(y, m, d-(int(t.Weekday())+6)%7, t.Location()) // Monday
	}
	midnight := dayStart(y, m, d, t.Location())
	if u.clock == 0 {
		return midnight
	}
	return midnight.Add(t.Sub(midnight).Truncate(u.clock))
}

// next returns the start of the bar after the one that begins at t. A day's last bar ends with the day, however long it was.
func (u interval) next(t time.Time) time.Time {
	y, m, d := t.Date()
	if u.clock == 0 {
		return dayStart(y+u.years, m+time.Month(u.months), d+u.days, t.Location())
	}
	next, midnight := t.Add(u.clock), dayStart(y, m, d+1, t.Location())
	if midnight.After(t) && next.After(midnight) {
		return midnight
	}
	return next
}

// dayStart returns the first moment of a day. Where a clock skips midnight that is not midnight.
func dayStart(y int, m time.Month, d int, zone *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	if t.Hour() > 12 {
		_, t = t.ZoneBounds() // Date took the day before
	}
	return t
}
