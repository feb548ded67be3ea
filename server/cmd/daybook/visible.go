package main

import (
	"fmt"
	"strings"

	"github.com/daybook-audit/daybook/internal/sentence"
)

// visible replaces what could act on a terminal or mislead a reader by symbols that can be seen.
func visible(s string) string { return sentence.Visible(s) }

// visibleLines is visible, but keeps line feeds: for text of our own that may quote an event.
func visibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

// escapeJSON writes what visible would replace as JSON escapes. The result means the same; it is used on terminals only, so
// that a pipe gets the very bytes that the server sent.
func escapeJSON(text []byte) []byte {
	if !sentence.Hides(string(text)) {
		return text
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r == '\n' || r == '\t': // white space between tokens: inside strings JSON has none
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f || sentence.Invisible(r):
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
