package sentence

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible returns s with everything that a reader would not see, or that would move what stands beside it, as a symbol: ␛ for a
// control character, ⟨U+202E⟩ for one that changes direction or takes no room, ⟨FF⟩ for a byte that is no UTF-8. Joiners stay, for
// scripts and emoji need them. Visible of Visible is Visible.
func Visible(s string) string {
	if !Hides(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, "⟨%02X⟩", s[i])
		case r < 0x20:
			b.WriteRune('␀' + r)
		case r == 0x7f:
			b.WriteRune('␡')
		case Invisible(r):
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// Hides reports whether Visible may change s.
func Hides(s string) bool {
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError || Invisible(r) {
			return true
		}
	}
	return false
}

// Invisible reports whether r takes no room or changes the direction of its neighbours; joiners do not count, nor do the control
// characters of ASCII, which Visible shows in another way.
func Invisible(r rune) bool {
	switch {
	case r == '\u200c' || r == '\u200d':
		return false
	case r >= 0x80 && r < 0xa0: // C1: some terminals obey them
		return true
	case r == '\u2028' || r == '\u2029' || r == '\u115f' || r == '\u3164':
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

const (
	maxValue = 80 // characters of one value
	maxBack  = 16 // characters that cut gives up at most to keep one whole
)

// shorten cuts one value at 80 characters, the last one "…", between two that readers see as two, and makes it visible.
func shorten(s string) string {
	if len(s) <= maxValue || utf8.RuneCountInString(s) <= maxValue {
		return Visible(s)
	}
	rs := make([]rune, 0, maxValue+1)
	for _, r := range s {
		if rs = append(rs, r); len(rs) > maxValue {
			break
		}
	}
	end := maxValue - 1
	for end > maxValue-1-maxBack && joined(rs, end) {
		end--
	}
	if joined(rs, end) { // one endless cluster
		end = maxValue - 1
	}
	return Visible(string(rs[:end])) + "…"
}

// joined reports whether the characters before and at position i are one for readers.
func joined(rs []rune, i int) bool {
	const joiner = '\u200d'
	r, before := rs[i], rs[i-1]
	switch {
	case unicode.Is(unicode.M, r), r == joiner, before == joiner:
		return true
	case r >= 0x1f3fb && r <= 0x1f3ff: // skin tones
		return true
	case flag(r) && flag(before):
		n := 0
		for j := i - 1; j >= 0 && flag(rs[j]); j-- {
			n++
		}
		return n%2 == 1
	}
	return false
}

// flag reports whether r is half a flag.
func flag(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff }
