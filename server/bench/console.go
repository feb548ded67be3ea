package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// looked is what web/test/console.mjs found.
type looked struct {
	Openings      int    `json:"openings"`
	Searches      int    `json:"searches"`
	OpeningPaint  spread `json:"opening_paint_ms"`
	OpeningAnswer spread `json:"opening_answer_ms"`
	SearchPaint   spread `json:"search_paint_ms"`
	SearchAnswer  spread `json:"search_answer_ms"`
	Scroll        struct {
		Row     int      `json:"row"`
		Frames  int      `json:"frames"`
		Slow    int      `json:"slow"`
		Nodes   int      `json:"nodes"`
		Worst   float64  `json:"worst"`
		Seconds float64  `json:"seconds"`
		Wrong   []string `json:"wrong"`
	} `json:"scroll"`
	HeapBefore float64 `json:"heap_before"`
	HeapAfter  float64 `json:"heap_after"`
	Lost       int     `json:"lost"`
	Shifts     float64 `json:"shifts"`
}

// spread is a median, the value below which 95 % are, and the worst.
type spread struct {
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
	Max    float64 `json:"max"`
}

// console opens the events of one large organization in Chromium.
func (r *report) console(ctx context.Context) error {
	s, err := r.start(ctx, "daybook", "console")
	if s != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	if _, err := r.measure(ctx, "load", "--server", s.url, "--pid", s.pid(), "--name", "fill for the console", "--yes", "--orgs", "1", "--connections", "8",
		"--batch", "1000", "--bodies", "200000", "--events", strconv.Itoa(r.shown)); err != nil {
		return err
	}
	if err := r.settled(ctx, s); err != nil {
		return err
	}
	l, err := r.look(ctx, s)
	if err != nil {
		return err
	}
	if len(l.Scroll.Wrong) > 0 {
		return fmt.Errorf("the list is not in order: %s", l.Scroll.Wrong[0])
	}
	fmt.Printf("## Console\n\nAn organization of %d events in Chromium on the same %d cores.\n\n| What | median | p95 | worst |\n|---|---|---|---|\n", r.shown, cores())
	for _, row := range []struct {
		what string
		is   spread
	}{
		{fmt.Sprintf("from the answer to painted rows, %d openings, ms", l.Openings), l.OpeningPaint},
		{"the answer itself, ms", l.OpeningAnswer},
		{fmt.Sprintf("from the answer to painted rows, %d filtered searches, ms", l.Searches), l.SearchPaint},
		{"the answer itself, ms", l.SearchAnswer},
	} {
		fmt.Printf("| %s | %.0f | %.0f | %.0f |\n", row.what, row.is.Median, row.is.P95, row.is.Max)
	}
	fmt.Printf("\n%d rows scrolled in %.0f s, each looked at and in order: %d frames, %d of them over 50 ms (worst %.0f), %d requests lost, at most %d DOM nodes, "+
		"heap %.1f MB before and %.1f MB after, layout shift %.3f.\n\n", l.Scroll.Row, l.Scroll.Seconds, l.Scroll.Frames, l.Scroll.Slow, l.Scroll.Worst, l.Lost,
		l.Scroll.Nodes, l.HeapBefore/1e6, l.HeapAfter/1e6, l.Shifts)
	return nil
}

// look runs the measurement in the browser, with the tools that the tests of the web part use.
func (r *report) look(ctx context.Context, s *server) (*looked, error) {
	find := exec.CommandContext(ctx, "go", "-C", "tools", "run", "./webbuild", "-tools")
	find.Env = append(os.Environ(), "GOWORK=off")
	find.Stderr = os.Stderr
	tools, err := find.Output()
	if err != nil {
		return nil, fmt.Errorf("find the development tools of the web part: %w", err)
	}
	fmt.Fprintln(os.Stderr, "bench console")
	cmd := exec.CommandContext(ctx, "node", "web/test/console.mjs", "--url", s.url, "--key", r.key, "--tools", strings.TrimSpace(string(tools)), "--org", "org_1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("measure in the browser: %w", err)
	}
	if r.out != "" {
		if err := appendFile(r.out, out); err != nil {
			return nil, err
		}
	}
	l := &looked{}
	if err := json.Unmarshal(out, l); err != nil {
		return nil, fmt.Errorf("read what the browser said: %w", err)
	}
	return l, nil
}
