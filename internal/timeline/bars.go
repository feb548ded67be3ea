package timeline

import "time"

// Shortest is the name of the shortest bars.
const Shortest = "1m"

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

// Cut returns where bars begin that cover the times from first to last, and at last where they end. at most limit of them. name is that of their
// length: 1m 5m 15m 1h 3h 1d 1w 1mo 1y. If years are too many, the last ones are kept.
func Cut(first, last int64, zone *time.Location, limit int) (starts []int64, name string) {
	for _, unit := range intervals {
		name = unit.name
		if unit.clock > 0 && (last-first)/unit.clock.Microseconds() > int64(limit) {
			continue
		}
		at := unit.floor(time.UnixMicro(first).In(zone))
		starts = append(starts[:0], at.UnixMicro())
		for at.UnixMicro() <= last {
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
	return starts[max(0, len(starts)-limit-1):], name
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
