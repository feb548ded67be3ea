package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/internal/sentence"
)

func TestVisible(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Zoë Müller 山田":           "Zoë Müller 山田",
		"a\x1b[2Jb":               "a␛[2Jb",
		"a\nb\tc\x00":             "a␊b␉c␀",
		"del\x7f":                 "del␡",
		"c1\u009b31m":             "c1⟨U+009B⟩31m",
		"user\u202egnp.exe":       "user⟨U+202E⟩gnp.exe",
		"a\u2066b\u2069":          "a⟨U+2066⟩b⟨U+2069⟩",
		"line\u2028sep":           "line⟨U+2028⟩sep",
		"zero\u200bwidth\ufeff":   "zero⟨U+200B⟩width⟨U+FEFF⟩",
		"नि\u200dक":               "नि\u200dक",
		"broken \xff\xfe":         "broken ⟨FF⟩⟨FE⟩",
		"tag\U000e0041":           "tag⟨U+E0041⟩",
		"already \ufffd replaced": "already \ufffd replaced",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
}

// hostile is text that would act on a terminal, mislead a reader, or break a format.
const hostile = "\x1b[2J\u202egnp.\u009b31m\n\r\t\"',=1+1|\x00\x7f\u2028\u200b\x07"

// TestHostileText prints an event made of hostile text in every format: nothing of it may reach a terminal as it is, no format may
// be broken by it, and JSON must still mean the same.
func TestHostileText(t *testing.T) {
	t.Parallel()
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	// U+202E and the like stand raw in the JSON, as a producer may send them.
	text := strings.NewReplacer(`\u2028`, "\u2028").Replace(string(quoted))
	line := fmt.Sprintf(`{"org":"org_acme","seq":1,"id":"evt_01m7z7rs1affyad5cmxxj94a79","received_at":"2026-11-21T14:22:07.402118Z","leaf_hash":"x",`+
		`"action":%[1]s,"actor":{"type":%[1]s,"id":%[1]s,"name":%[1]s,"via":[{"type":"user","id":"2","name":%[1]s}]},"targets":[{"type":%[1]s,"id":%[1]s,"name":%[1]s}],`+
		`"context":{"ip":%[1]s,"user_agent":%[1]s},"outcome":"failure","error":{"code":%[1]s,"message":%[1]s},"changes":[{"path":%[1]s,"old":%[1]s,"new":{"k":%[1]s}}],`+
		`"reason":%[1]s,"metadata":{"k":%[1]s}}`, text)
	var x client.Entry
	if err := json.Unmarshal([]byte(line), &x); err != nil {
		t.Fatal(err)
	}
	if x.Event.Reason != hostile {
		t.Fatalf("the test itself is wrong: %q", x.Event.Reason)
	}
	print := func(t *testing.T, format string, terminal bool) string {
		t.Helper()
		var out bytes.Buffer
		e := newEnv(nil, &out, &out, func(string) string { return "" })
		e.now, e.output, e.stdoutTTY, e.noColor, e.utc = fixedNow, format, terminal, true, true
		p, err := e.entryPrinter(strings.ReplaceAll(columnNames(), " ", ""))
		if err == nil {
			err = p.entry(&x)
		}
		if err == nil {
			err = p.end()
		}
		if err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			got := print(t, format, true)
			if bad := firstHarmful(got, format); bad != "" {
				t.Errorf("on a terminal %s lets %s through:\n%q", format, bad, got)
			}
			if lines := strings.Count(got, "\n"); format == "ndjson" && lines != 1 || format != "ndjson" && format != "json" && lines != 2 {
				t.Errorf("%s: %d lines:\n%s", format, lines, got)
			}
			if format == "ndjson" {
				var back client.Entry
				if err := json.Unmarshal([]byte(got), &back); err != nil || !reflect.DeepEqual(meaning(t, back.JSON), meaning(t, x.JSON)) {
					t.Errorf("escaped for a terminal it means something else: %v\n%s", err, got)
				}
				if pipe := print(t, format, false); pipe != line+"\n" {
					t.Errorf("a pipe must get the very bytes:\n%s\n%s", pipe, line)
				}
			}
			if format == "tsv" && strings.Count(strings.Split(print(t, format, false), "\n")[1], "\t") != len(entryColumns)-1 {
				t.Errorf("tsv: a tab inside a value")
			}
			if format == "csv" {
				rows, err := csv.NewReader(strings.NewReader(got)).ReadAll()
				if err != nil || len(rows) != 2 || len(rows[1]) != len(entryColumns) {
					t.Errorf("csv: %v\n%s", err, got)
				}
			}
		})
	}
	t.Run("show", func(t *testing.T) {
		t.Parallel()
		for _, how := range []string{"words", "side", "json"} {
			var out bytes.Buffer
			e := newEnv(nil, &out, &out, func(string) string { return "" })
			e.now, e.stdoutTTY, e.noColor, e.utc = fixedNow, true, true, true
			if err := e.show(&x, false, how); err != nil {
				t.Fatal(err)
			}
			if bad := firstHarmful(out.String(), "table"); bad != "" {
				t.Errorf("show --diff %s lets %s through:\n%q", how, bad, out.String())
			}
		}
	})
	t.Run("errors", func(t *testing.T) {
		t.Parallel()
		e := newEnv(nil, nil, nil, func(string) string { return "" })
		text := e.explain(t.Context(), nil, cannot("record", &daybook.Error{Code: daybook.CodeInvalid, Rule: hostile, Field: hostile, Message: hostile}))
		text += caret(hostile, client.QueryFault{Pos: 3, Len: 2, Message: "wrong"})
		if bad := firstHarmful(text, "table"); bad != "" {
			t.Errorf("an error lets %s through: %q", bad, text)
		}
	})
}

func meaning(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestFormula: a cell that a spreadsheet would calculate is disarmed, unless it is asked for as it is.
func TestFormula(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "+49": "'+49", "-1": "'-1", "@cmd": "'@cmd", "\tx": "'␉x", "\rx": "'␍x", "a=1": "a=1", "": "", `a "b", c`: `"a ""b"", c"`, " x": `" x"`,
	} {
		if got := csvCell(in, false); got != want {
			t.Errorf("csvCell(%q) = %q, want %q", in, got, want)
		}
	}
	if got := csvCell("=1+1", true); got != "=1+1" {
		t.Errorf("raw: %q", got)
	}
}

// firstHarmful names the first character of s that may not be printed; line feeds, and what ends a line of csv, may.
func firstHarmful(s, format string) string {
	if format == "csv" {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	if format == "tsv" {
		s = strings.ReplaceAll(s, "\t", "")
	}
	if !utf8.ValidString(s) {
		return "broken UTF-8"
	}
	for _, r := range s {
		if r != '\n' && (r < 0x20 || r == 0x7f || sentence.Invisible(r)) {
			return fmt.Sprintf("%U", r)
		}
	}
	return ""
}

// FuzzVisible: whatever comes in, nothing harmful comes out, and text without it stays as it is.
func FuzzVisible(f *testing.F) {
	f.Add(hostile)
	f.Add("plain")
	f.Add("\xf0\x9f\x92")
	f.Fuzz(func(t *testing.T, s string) {
		got := visible(s)
		if bad := firstHarmful(strings.ReplaceAll(got, "\n", "\x00"), "table"); bad != "" {
			t.Errorf("visible(%q) lets %s through", s, bad)
		}
		if firstHarmful(strings.ReplaceAll(s, "\n", "\x00"), "table") == "" && got != s {
			t.Errorf("visible(%q) = %q changed harmless text", s, got)
		}
	})
}
