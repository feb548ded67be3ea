package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible replaces what could act on a terminal or mislead a reader by symbols that can be seen: control characters by their
// pictures, bidirectional and other invisible format characters and broken UTF-8 by their code. The joiners U+200C and U+200D
// stay: names in several scripts are written with them, and they cannot reorder text.
func visible(s string) string {
	if !hides(s) {
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
		case invisible(r):
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// visibleLines is visible, but keeps line feeds: for text of our own that may quote an event.
func visibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

func hides(s string) bool {
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError || invisible(r) {
			return true
		}
	}
	return false
}

func invisible(r rune) bool {
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

// escapeJSON writes what visible would replace as JSON escapes. The result means the same; it is used on terminals only, so
// that a pipe gets the very bytes that the server sent.
func escapeJSON(text []byte) []byte {
	if !hides(string(text)) {
		return text
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r == '\n' || r == '\t': // white space between tokens: inside strings JSON has none
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f || invisible(r):
			if r > 0xffff {
				r -= 0x10000
				fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
				break
			}
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return []byte(b.String())
}
