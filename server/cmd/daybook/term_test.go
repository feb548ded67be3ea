package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func fixedNow() time.Time { return time.Date(2026, 11, 21, 14, 22, 7, 0, time.UTC) }

func TestTable(t *testing.T) {
	t.Parallel()
	heads := []heading{{name: "WHO"}, {name: "N", right: true}, {name: "WHAT"}, {name: "ID", spare: true}}
	rows := [][]cell{
		{{text: "Ada"}, {text: "5"}, {text: "updated Invoice 42"}, {text: "evt_1"}},
		{{text: "山田太郎"}, {text: "12"}, {text: "sent it"}, {text: "evt_2"}},
	}
	for _, c := range []struct {
		name  string
		width int
		want  string
	}{
		{"wide_enough_cuts_nothing", 60, "" +
			"WHO        N  WHAT                ID\n" +
			"Ada        5  updated Invoice 42  evt_1\n" +
			"山田太郎  12  sent it             evt_2\n"},
		{"narrow_leaves_spare_columns_out", 36, "" +
			"WHO        N  WHAT\n" +
			"Ada        5  updated Invoice 42\n" +
			"山田太郎  12  sent it\n"},
		{"narrower_cuts_the_last_column", 24, "" +
			"WHO        N  WHAT\n" +
			"Ada        5  updated I…\n" +
			"山田太郎  12  sent it\n"},
		{"no_terminal_cuts_nothing", 0, "" +
			"WHO        N  WHAT                ID\n" +
			"Ada        5  updated Invoice 42  evt_1\n" +
			"山田太郎  12  sent it             evt_2\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := layTable(&b, heads, rows, c.width, func(_ cell, s string) string { return s }, true); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, b.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for line := range strings.Lines(b.String()) {
				if c.width > 0 && cells(strings.TrimSuffix(line, "\n")) > c.width {
					t.Errorf("wider than %d: %q", c.width, line)
				}
			}
		})
	}
}

// TestColours: three meanings, on a terminal alone, and never with NO_COLOR, TERM=dumb or --no-color.
func TestColours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		terminal bool
		vars     map[string]string
		flag     bool
		want     bool
	}{
		{"terminal", true, nil, false, true},
		{"pipe", false, nil, false, false},
		{"no_color", true, map[string]string{"NO_COLOR": "1"}, false, false},
		{"dumb", true, map[string]string{"TERM": "dumb"}, false, false},
		{"flag", true, nil, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			e := newEnv(nil, &out, &out, func(name string) string { return c.vars[name] })
			e.output, e.stdoutTTY, e.noColor = "table", c.terminal, c.flag
			p, err := e.printer(nil, heading{name: "STATE"})
			if err == nil {
				err = p.addValue(1, cell{text: "warn", tone: amber})
			}
			if err == nil {
				err = p.end()
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(out.String(), "\x1b["); got != c.want {
				t.Errorf("colour %v, want %v: %q", got, c.want, out.String())
			}
		})
	}
}

// Without rows each format is whole, and has none.
func TestNoRows(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"table": "", "tsv": "id\twhat\n", "csv": "id,what\r\n", "json": "[]\n", "ndjson": ""} {
		var out bytes.Buffer
		e := newEnv(nil, &out, &out, func(string) string { return "" })
		e.output = format
		p, err := e.printer(nil, heading{name: "ID"}, heading{name: "WHAT"})
		if err == nil {
			err = p.end()
		}
		if err != nil || out.String() != want {
			t.Errorf("%s: %q, want %q; %v", format, out.String(), want, err)
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := fixedNow()
	e := newEnv(nil, nil, &out, func(string) string { return "" })
	e.now = func() time.Time { return now }
	p := e.progress("events", 1000)
	for i := range 21 { // a second each
		now = now.Add(time.Second)
		p.at(int64(i+1) * 40)
	}
	p.end()
	want := "████████░░░░░░░░░░░░ 400/1,000 events · 40/s · 15s left\n████████████████░░░░ 800/1,000 events · 40/s · 5s left\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("in a pipe, one line in ten seconds (-want +got):\n%s", diff)
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1204331: "1,204,331", -48190: "-48,190"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %s, want %s", n, got, want)
		}
	}
}
