// Package timestamp reads and writes times as events carry them: RFC 3339, in µs since 1970.
package timestamp

import "time"

// Max is 9999-12-31T23:59:59.999999Z in µs since 1970.
const Max = 253402300799999999

// Parse reads an RFC 3339 time in its strict form, YYYY-MM-DDThh:mm:ss with up to nine decimals and Z or an offset, and
// returns it in µs since 1970 (UTC), finer digits cut off. T and Z are capitals and there is no leap second, so that every common
// library reads what was accepted. rule is empty, invalid_format, or invalid_value for a time outside the years 1970 to 9999.
func Parse(b []byte) (micros int64, rule string) {
	if len(b) < len("2006-01-02T15:04:05Z") || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, "invalid_format"
	}
	century, year2 := pair(b, 0), pair(b, 2)
	month, day, hour, minute, second := pair(b, 5), pair(b, 8), pair(b, 11), pair(b, 14), pair(b, 17)
	year := century*100 + year2
	if century < 0 || year2 < 0 || month < 1 || month > 12 || day < 1 || day > monthDays(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return 0, "invalid_format"
	}
	fraction, rest, ok := parseFraction(b[19:])
	if !ok {
		return 0, "invalid_format"
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return 0, "invalid_format"
	}
	micros = (daysSince1970(year, month, day)*86400+hour*3600+minute*60+second-offset)*1e6 + fraction
	if micros < 0 || micros > Max {
		return 0, "invalid_value"
	}
	return micros, ""
}

// Append appends a time in µs since 1970 as RFC 3339 in UTC with exactly six decimals.
func Append(dst []byte, micros int64) []byte {
	return time.UnixMicro(micros).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
}

// pair returns the number of two digits at i, or a negative number.
func pair(b []byte, i int) int64 {
	hi, lo := b[i]-'0', b[i+1]-'0'
	if hi > 9 || lo > 9 {
		return -1
	}
	return int64(hi)*10 + int64(lo)
}

// parseFraction reads a point and one to nine decimals, if there is a point.
func parseFraction(b []byte) (micros int64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '.' {
		return 0, b, true
	}
	n := 0
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			break
		}
		if n < 6 {
			micros = micros*10 + int64(c-'0')
		}
		n++
	}
	for i := n; i < 6; i++ {
		micros *= 10
	}
	return micros, b[1+n:], n >= 1 && n <= 9
}

// parseOffset reads Z or ±hh:mm.
func parseOffset(b []byte) (seconds int64, ok bool) {
	if len(b) == 1 && b[0] == 'Z' {
		return 0, true
	}
	if len(b) != len("+00:00") || b[0] != '+' && b[0] != '-' || b[3] != ':' {
		return 0, false
	}
	hour, minute := pair(b, 1), pair(b, 4)
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false
	}
	seconds = hour*3600 + minute*60
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// monthDays returns the length of a month.
func monthDays(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts days in the Gregorian calendar: years begin in March, so that the leap day is a year's last.
func daysSince1970(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	days := 365*year + floorDiv(year, 4) - floorDiv(year, 100) + floorDiv(year, 400) + (153*(month-3)+2)/5 + day - 1
	return days - 719468 // days from 0000-03-01 to 1970-01-01
}

// floorDiv divides and rounds down; year 0 in January is a negative year above.
func floorDiv(a, b int64) int64 {
	if a < 0 {
		return (a - b + 1) / b
	}
	return a / b
}
