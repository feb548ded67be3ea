package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// tone is one of the three meanings that have a colour.
type tone int

const (
	plain tone = iota
	green      // proved
	red        // a failed proof, or destructive
	amber      // needs a look
)

var ansi = [...]string{green: "\x1b[32m", red: "\x1b[31m", amber: "\x1b[33m"}

// paint colours s for stderr if that is a terminal.
func (e *env) paint(t tone, s string) string {
	if t == plain || !e.stderrTTY || !e.mayColour() {
		return s
	}
	return ansi[t] + s + "\x1b[0m"
}

// cells returns how many columns of a terminal s takes.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && (r <= 0x115f || // Hangul Jamo
		(r >= 0x2e80 && r <= 0xa4cf && r != 0x303f) || // CJK … Yi
		(r >= 0xac00 && r <= 0xd7a3) || (r >= 0xf900 && r <= 0xfaff) || (r >= 0xfe30 && r <= 0xfe6f) ||
		(r >= 0xff00 && r <= 0xff60) || (r >= 0xffe0 && r <= 0xffe6) ||
		(r >= 0x1f300 && r <= 0x1f64f) || (r >= 0x1f680 && r <= 0x1faff) || (r >= 0x20000 && r <= 0x3fffd)):
		return 2
	}
	return 1
}

// cut shortens s to width columns, the last one "…".
func cut(s string, width int) string {
	if width <= 0 || cells(s) <= width {
		return s
	}
	n, end := 0, 0
	for i, r := range s {
		w := runeWidth(r)
		if n+w > width-1 {
			end = i
			break
		}
		n += w
	}
	return s[:end] + "…"
}

// cell is one value of a table: text that is not yet visible, its meaning, and an address when it can be opened.
type cell struct {
	text string
	tone tone
	link string
}

// heading is one column of a table.
type heading struct {
	name  string
	right bool // numbers
	spare bool // left out when the terminal is too narrow
}

// layTable writes rows aligned. width 0 cuts nothing.
func layTable(w io.Writer, heads []heading, rows [][]cell, width int, paint func(cell, string) string, withHead bool) error {
	widths, heads := fit(heads, rows, width)
	var b strings.Builder
	line := func(get func(i int) cell, head bool) {
		last := len(heads) - 1
		for last > 0 && widths[last] < 0 {
			last--
		}
		for i := range heads {
			if widths[i] < 0 {
				continue
			}
			c := get(i)
			text := cut(visible(c.text), widths[i])
			pad := strings.Repeat(" ", max(0, widths[i]-cells(text)))
			shown := text
			if !head {
				shown = paint(c, text)
			}
			switch {
			case heads[i].right:
				b.WriteString(pad + shown)
			case i == last:
				b.WriteString(shown)
			default:
				b.WriteString(shown + pad)
			}
			if i < last {
				b.WriteString("  ")
			}
		}
		b.WriteByte('\n')
	}
	if withHead {
		line(func(i int) cell { return cell{text: heads[i].name} }, true)
	}
	for _, r := range rows {
		line(func(i int) cell { return r[i] }, false)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fit chooses the width of each column; −1 leaves it out. Too wide a table first loses its spare columns, then its last column
// is cut, then the widest of the others.
func fit(heads []heading, rows [][]cell, width int) ([]int, []heading) {
	widths := make([]int, len(heads))
	for i, h := range heads {
		widths[i] = cells(h.name)
		for _, r := range rows {
			widths[i] = max(widths[i], cells(visible(r[i].text)))
		}
	}
	total := func() int {
		n := -2
		for _, w := range widths {
			if w >= 0 {
				n += w + 2
			}
		}
		return n
	}
	if width <= 0 {
		return widths, heads
	}
	for i := len(heads) - 1; i >= 0 && total() > width; i-- {
		if heads[i].spare {
			widths[i] = -1
		}
	}
	last := len(heads) - 1
	for last > 0 && widths[last] < 0 {
		last--
	}
	if over := total() - width; over > 0 {
		widths[last] -= min(over, max(0, widths[last]-8))
	}
	for total() > width {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= 8 {
			break
		}
		widths[widest]--
	}
	return widths, heads
}

// progress is one line on stderr about something that takes time: ten a second on a terminal, else one every ten seconds. Safe for
// concurrent use.
type progress struct {
	mu       sync.Mutex
	e        *env
	unit     string
	total    int64 // 0: not known
	start    time.Time
	shown    time.Time
	every    time.Duration
	onTTY    bool
	wasShown bool
}

func (e *env) progress(unit string, total int64) *progress {
	p := &progress{e: e, unit: unit, total: total, start: e.now(), onTTY: e.stderrTTY && e.getenv("CI") == "", every: 10 * time.Second}
	p.shown = p.start
	if p.onTTY {
		p.every = 100 * time.Millisecond
	}
	return p
}

// at says how much is done.
func (p *progress) at(done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.e.now()
	if p.e.quiet || now.Sub(p.shown) < p.every {
		return
	}
	p.shown, p.wasShown = now, true
	spent := now.Sub(p.start)
	rate := float64(done) / spent.Seconds()
	text := fmt.Sprintf("%s %s · %s/s", thousands(done), p.unit, thousands(int64(rate)))
	if p.total > 0 && done > 0 {
		left := time.Duration(float64(spent) * float64(p.total-done) / float64(done)).Round(time.Second)
		const bar = 20
		full := int(min(done, p.total) * bar / p.total)
		text = fmt.Sprintf("%s%s %s/%s %s · %s/s · %s left", strings.Repeat("█", full), strings.Repeat("░", bar-full), thousands(done), thousands(p.total), p.unit, thousands(int64(rate)), left)
	}
	if p.onTTY {
		fmt.Fprintf(p.e.stderr, "\r\x1b[K%s", text)
	} else {
		fmt.Fprintln(p.e.stderr, text)
	}
}

// end clears the line, so that what follows stands alone.
func (p *progress) end() {
	if p.wasShown && p.onTTY {
		fmt.Fprint(p.e.stderr, "\r\x1b[K")
	}
}

// thousands writes 1204331 as 1,204,331.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// count writes "1 event", "2 events".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(int64(n)) + " " + many
}

// bytesText writes a number of bytes for people.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// brief writes a length of time in its largest fitting unit.
func brief(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%d µs", d.Microseconds())
}
