package query

import (
	"math"
	"strings"
	"time"
)

// ParseTime reads a time of the grammar, which names a period, and returns its first microsecond and the one after its last, since
// 1970 UTC. With length a bare length such as 7d is allowed too, as in --since and --until, and means the moment that long before
// o.Now. The error is an *Error.
func ParseTime(s string, o Options, length bool) (from, to int64, err error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	p := &parser{o: o, in: []rune(s)}
	text := s
	if length && isLength(s) {
		text = "now-" + s
	}
	from, to = p.period(text, token{from: 0, to: len(p.in)})
	if p.err != nil {
		return 0, 0, p.err
	}
	return from, to, nil
}

// unit is a length that a time is precise to, or moved by.
type unit byte

const (
	microsecond unit = iota
	second
	minute
	hour
	day
	week
	month
	year
)

// time makes the value of a time field.
func (p *parser) time(c *condition, t token) (v value) {
	v.text = plain(t.chars)
	low, high, isRange := p.cutRange(t)
	switch {
	case p.err != nil:
		return v
	case isRange && c.compare != "":
		p.fail(CodeBadRange, t.from, t.to, "A comparison takes one value, not a range.")
		return v
	case isRange:
		v.from, v.to = math.MinInt64, math.MaxInt64
		before := p.relative
		if p.relative = false; !isStar(low) {
			v.from, _ = p.period(plain(low), part(low))
		}
		if !isStar(high) && p.err == nil {
			_, v.to = p.period(plain(high), part(high))
		}
		if v.from >= v.to && !p.relative {
			p.fail(CodeBadRange, t.from, t.to, "This range ends before it begins. A range is LOW..HIGH.")
		}
		p.relative = p.relative || before
		return v
	}
	v.from, v.to = p.period(v.text, t)
	switch c.compare {
	case ">=":
		v.to = math.MaxInt64
	case ">":
		v.from, v.to = v.to, math.MaxInt64
	case "<":
		v.from, v.to = math.MinInt64, v.from
	case "<=":
		v.from = math.MinInt64
	}
	return v
}

// period reads a time, which t holds, and returns the bounds of the period that it names.
func (p *parser) period(s string, t token) (from, to int64) {
	if start, end, ok := absolute(s, p.o.Zone); ok {
		return start.UnixMicro(), end.UnixMicro()
	}
	start, end, ok := relative(s, p.o.Now.In(p.o.Zone))
	switch {
	case !ok:
		p.badTime(s, t)
	case p.o.Place == Stream || p.o.Place == Hold:
		p.fail(CodeNotAllowed, t.from, t.to, "Relative times are not allowed in %s.", p.o.Place)
	case p.o.Now.IsZero():
		p.fail(CodeBadTime, t.from, t.to, "Relative times are not allowed here.")
	default:
		p.relative = true
		return start.UnixMicro(), end.UnixMicro()
	}
	return 0, 0
}

func (p *parser) badTime(s string, t token) {
	if isLength(s) {
		p.fail(CodeBadTime, t.from, t.to, "%s is a length of time, not a moment. Write now-%s", quote(s), s)
		p.err.Hint = "now-" + s
		return
	}
	p.fail(CodeBadTime, t.from, t.to, "%s is not a time. Write 2026-11-21, 2026-11-21T14:22, today or now-7d", quote(s))
}

// units are the letters of units.
var units = map[string]unit{"s": second, "m": minute, "h": hour, "d": day, "w": week, "mo": month, "y": year}

// cutUnit reads a unit at the start of s.
func cutUnit(s string) (u unit, rest string, ok bool) {
	for n := min(2, len(s)); n > 0; n-- {
		if u, ok = units[s[:n]]; ok {
			return u, s[n:], true
		}
	}
	return 0, s, false
}

// maxLength bounds the number of a length, so that no arithmetic overflows.
const maxLength = 100_000

// cutLength reads a number and a unit at the start of s.
func cutLength(s string) (n int, u unit, rest string, ok bool) {
	k := digits([]byte(s))
	if k == 0 || k > 6 {
		return 0, 0, s, false
	}
	for _, c := range []byte(s[:k]) {
		n = n*10 + int(c-'0')
	}
	u, rest, ok = cutUnit(s[k:])
	return n, u, rest, ok && n <= maxLength
}

// isLength reports whether s is one or more lengths.
func isLength(s string) bool {
	ok := s != ""
	for ok && s != "" {
		_, _, s, ok = cutLength(s)
	}
	return ok
}

// relative reads now, today, yesterday and what moves them, and returns the period that they name: as long as what it was rounded to,
// or as the smallest unit that it was moved by since.
func relative(s string, now time.Time) (start, end time.Time, ok bool) {
	precision := day
	switch {
	case strings.HasPrefix(s, "now"):
		start, precision, s = now.Truncate(time.Microsecond), microsecond, s[len("now"):]
	case strings.HasPrefix(s, "today"):
		start, s = floor(now, day), s[len("today"):]
	case strings.HasPrefix(s, "yesterday"):
		start, s = move(floor(now, day), -1, day), s[len("yesterday"):]
	default:
		return start, end, false
	}
	for s != "" {
		sign := s[0]
		s = s[1:]
		if sign == '/' {
			if precision, s, ok = cutUnit(s); !ok {
				return start, end, false
			}
			start = floor(start, precision)
			continue
		}
		if sign != '+' && sign != '-' {
			return start, end, false
		}
		for first := true; first || s != "" && s[0] >= '0' && s[0] <= '9'; first = false {
			var n int
			var u unit
			if n, u, s, ok = cutLength(s); !ok {
				return start, end, false
			}
			if sign == '-' {
				n = -n
			}
			precision = min(precision, u)
			if start = shift(start, n, u, precision); start.Year() < minYear || start.Year() > maxYear {
				return start, end, false
			}
		}
	}
	return start, shift(start, 1, precision, precision), true
}

// shift moves t, which begins a period of some precision, by n units. A day that begins late, because midnight was skipped, has not
// moved the beginning of others.
func shift(t time.Time, n int, u, precision unit) time.Time {
	if t = move(t, n, u); precision >= day {
		t = floor(t, day)
	}
	return t
}

// Relative times stay between these years, far inside what µs can say.
const minYear, maxYear = -9999, 99_999

// absolute reads 2026 to 2026-11-21T14:22:07.318, each with optional Z or offset, and returns the period that it names: that of its
// last digit, or of its last part.
func absolute(s string, zone *time.Location) (start, end time.Time, ok bool) {
	if s, zone, ok = cutOffset(s, zone); !ok {
		return start, end, false
	}
	parts := [6]int{1: 1, 2: 1} // year, month, day, hour, minute, second
	n := 0
	for ; n < len(parts); n++ {
		width := 2
		if n == 0 {
			width = 4
		} else {
			if s == "" || s[0] != "--T::"[n-1] {
				break
			}
			s = s[1:]
		}
		if len(s) < width || digits([]byte(s[:width])) != width {
			return start, end, false
		}
		parts[n] = number(s[:width])
		if parts[n] > [...]int{9999, 12, 31, 23, 59, 59}[n] || (n == 1 || n == 2) && parts[n] == 0 {
			return start, end, false
		}
		s = s[width:]
	}
	if n == 4 || parts[2] > daysIn(parts[0], time.Month(parts[1])) {
		return start, end, false
	}
	if n < len(parts) || s == "" {
		start = clock(parts, 0, zone)
		precision := [...]unit{year, month, day, hour, minute, second}[n-1]
		return start, shift(start, 1, precision, precision), s == ""
	}
	frac := s[1:]
	if s[0] != '.' || frac == "" || len(frac) > 6 || digits([]byte(frac)) != len(frac) {
		return start, end, false
	}
	start = clock(parts, number((frac + "000000")[:6]), zone)
	length := 1
	for range 6 - len(frac) {
		length *= 10
	}
	return start, move(start, length, microsecond), true
}

// number reads digits.
func number(s string) (n int) {
	for _, c := range []byte(s) {
		n = n*10 + int(c-'0')
	}
	return n
}

// cutOffset takes Z or an offset off the end of s.
func cutOffset(s string, zone *time.Location) (string, *time.Location, bool) {
	if rest, ok := strings.CutSuffix(s, "Z"); ok {
		return rest, time.UTC, true
	}
	i := len(s) - len("+00:00")
	if i < 0 || s[i] != '+' && s[i] != '-' || s[i+3] != ':' || digits([]byte(s[i+1:])) != 2 || digits([]byte(s[i+4:])) != 2 {
		return s, zone, true
	}
	h, m := number(s[i+1:i+3]), number(s[i+4:])
	offset := h*3600 + m*60
	if s[i] == '-' {
		offset = -offset
	}
	return s[:i], time.FixedZone("", offset), h < 24 && m < 60
}

func daysIn(y int, m time.Month) int { return time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// clock returns the first instant at which clocks in zone show parts, or, if they skip it, the first one after.
func clock(parts [6]int, micro int, zone *time.Location) time.Time {
	show := time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], micro*1000, time.UTC)
	const reach = 36 * time.Hour // beyond any offset, and nearer than two changes of one zone are to each other
	_, early := show.Add(-reach).In(zone).Zone()
	_, late := show.Add(reach).In(zone).Zone()
	first, second := show.Add(-time.Duration(early)*time.Second), show.Add(-time.Duration(late)*time.Second)
	if second.Before(first) {
		first, second = second, first
	}
	for _, t := range [...]time.Time{first, second} {
		if _, offset := t.In(zone).Zone(); t.Add(time.Duration(offset) * time.Second).Equal(show) {
			return t.In(zone)
		}
	}
	start, _ := second.In(zone).ZoneBounds()
	return start.In(zone)
}

// move moves t by n units. From a day up the clock of the zone stays, and a day that a month does not have is its last.
func move(t time.Time, n int, u unit) time.Time {
	switch u {
	case microsecond:
		return t.Add(time.Duration(n) * time.Microsecond)
	case second:
		return t.Add(time.Duration(n) * time.Second)
	case minute:
		return t.Add(time.Duration(n) * time.Minute)
	case hour:
		return t.Add(time.Duration(n) * time.Hour)
	case week:
		n *= 7
	case day, month, year:
	}
	y, m, d := t.Date()
	switch u {
	case day, week:
		d += n
	case year:
		n *= 12
		fallthrough
	default:
		first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
		y, m = first.Year(), first.Month()
		d = min(d, daysIn(y, m))
	}
	return clock([6]int{y, int(m), d, t.Hour(), t.Minute(), t.Second()}, t.Nanosecond()/1000, t.Location())
}

// floor rounds t down to the start of its unit; weeks begin on Monday.
func floor(t time.Time, u unit) time.Time {
	y, m, d := t.Date()
	parts := [6]int{y, int(m), d}
	switch u {
	case year:
		parts[1], parts[2] = 1, 1
	case month:
		parts[2] = 1
	case week:
		parts[2] -= (int(t.Weekday()) + 6) % 7
	case day:
	case hour, minute, second:
		return floorClock(t, u)
	case microsecond:
		return t
	}
	return clock(parts, 0, t.Location())
}

// floorClock rounds down to an hour, minute or second of the clock, which need not be one since 1970: some offsets have minutes.
func floorClock(t time.Time, u unit) time.Time {
	past := time.Duration(t.Nanosecond())
	if u != second {
		past += time.Duration(t.Second()) * time.Second
	}
	if u == hour {
		past += time.Duration(t.Minute()) * time.Minute
	}
	return t.Add(-past)
}
