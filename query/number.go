package query

import (
	"bytes"
	"math"
	"strconv"
)

// decimal is an exact decimal number: 0.d₁d₂d₃… · 10^exp, where the digits are those of whole and then of frac. The first and the
// last digit are not 0; zero has no digits.
type decimal struct {
	neg         bool
	whole, frac []byte
	exp         int64
}

// maxExponent bounds exponents: greater ones are taken as this one.
const maxExponent = 1 << 60

// parseDecimal reads a number as JSON writes it; zeros in front are accepted. The decimal refers to s.
func parseDecimal(s []byte) (d decimal, ok bool) {
	if len(s) > 0 && s[0] == '-' {
		d.neg, s = true, s[1:]
	}
	n := digits(s)
	if n == 0 {
		return d, false
	}
	d.whole, s = s[:n], s[n:]
	if len(s) > 0 && s[0] == '.' {
		if n = digits(s[1:]); n == 0 {
			return d, false
		}
		d.frac, s = s[1:1+n], s[1+n:]
	}
	if len(s) > 0 {
		if d.exp, ok = parseExponent(s); !ok {
			return d, false
		}
	}
	d.normalize()
	return d, true
}

// digits returns how many digits s begins with.
func digits(s []byte) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// parseExponent reads e5, E+5, e-5.
func parseExponent(s []byte) (exp int64, ok bool) {
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s = s[1:]
	neg := len(s) > 0 && s[0] == '-'
	if neg || len(s) > 0 && s[0] == '+' {
		s = s[1:]
	}
	if len(s) == 0 || digits(s) != len(s) {
		return 0, false
	}
	for _, c := range s {
		if exp = exp*10 + int64(c-'0'); exp > maxExponent {
			exp = maxExponent
			break
		}
	}
	if neg {
		exp = -exp
	}
	return exp, true
}

// normalize drops zeros at both ends.
func (d *decimal) normalize() {
	d.whole = bytes.TrimLeft(d.whole, "0")
	d.frac = bytes.TrimRight(d.frac, "0")
	if len(d.whole) == 0 {
		n := len(d.frac)
		d.frac = bytes.TrimLeft(d.frac, "0")
		d.exp -= int64(n - len(d.frac))
	}
	d.exp += int64(len(d.whole))
	if len(d.frac) == 0 {
		d.whole = bytes.TrimRight(d.whole, "0")
	}
	if d.len() == 0 {
		*d = decimal{}
	}
}

func (d *decimal) len() int { return len(d.whole) + len(d.frac) }

// digit returns digit i, 0 beyond the last.
func (d *decimal) digit(i int) byte {
	switch {
	case i < len(d.whole):
		return d.whole[i]
	case i < d.len():
		return d.frac[i-len(d.whole)]
	}
	return '0'
}

// sign returns -1, 0 or 1.
func (d *decimal) sign() int {
	switch {
	case d.len() == 0:
		return 0
	case d.neg:
		return -1
	}
	return 1
}

// compare returns -1, 0 or 1 as d is less than, equal to or greater than e.
func (d *decimal) compare(e *decimal) int {
	s := d.sign()
	if t := e.sign(); s != t || s == 0 {
		return cmpInt(s, t)
	}
	if d.exp != e.exp {
		return s * cmpInt(d.exp, e.exp)
	}
	for i, n := 0, max(d.len(), e.len()); i < n; i++ {
		if a, b := d.digit(i), e.digit(i); a != b {
			return s * cmpInt(a, b)
		}
	}
	return 0
}

func cmpInt[T int | int64 | byte](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// appendShort appends the one spelling that all spellings of d share: plain digits for integers of up to 20 digits, else digits and
// exponent.
func (d *decimal) appendShort(dst []byte) []byte {
	if d.neg {
		dst = append(dst, '-')
	}
	n := d.len()
	if n == 0 {
		return append(dst, '0')
	}
	dst = append(append(dst, d.whole...), d.frac...)
	if d.exp >= int64(n) && d.exp <= 20 {
		for i := int64(n); i < d.exp; i++ {
			dst = append(dst, '0')
		}
		return dst
	}
	return strconv.AppendInt(append(dst, 'e'), d.exp, 10)
}

// floor returns the greatest integer that is not above d, kept within int64, and whether it is d.
func (d *decimal) floor() (n int64, exact bool) {
	if d.exp > 19 {
		if d.neg {
			return math.MinInt64, false
		}
		return math.MaxInt64, false
	}
	exact = int64(d.len()) <= d.exp || d.len() == 0
	var u uint64
	for i := range int(max(d.exp, 0)) {
		u = u*10 + uint64(d.digit(i)-'0')
	}
	switch {
	case !d.neg && u > math.MaxInt64:
		return math.MaxInt64, false
	case !d.neg:
		return int64(u), exact
	case u > math.MaxInt64:
		return math.MinInt64, exact && u == 1<<63
	case !exact:
		return -int64(u) - 1, false
	}
	return -int64(u), true
}
