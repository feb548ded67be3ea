package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/daybook-audit/daybook/verify"
)

// reportJSON is a report as -o json prints it.
type reportJSON struct {
	Exit       int              `json:"exit"`
	Origin     string           `json:"origin,omitempty"`
	Key        string           `json:"key,omitempty"`
	Size       int64            `json:"size"`
	Root       string           `json:"root,omitempty"`
	Signed     *time.Time       `json:"signed,omitempty"`
	From       int64            `json:"from"`
	To         int64            `json:"to"`
	Entries    int64            `json:"entries"`
	Controls   int64            `json:"controls"`
	Withheld   int64            `json:"withheld"`
	Removed    int64            `json:"removed"`
	Hashed     int64            `json:"hashed"`
	Filtered   bool             `json:"filtered"`
	Masked     bool             `json:"masked"`
	Witnesses  int              `json:"witnesses"`
	Anchored   int64            `json:"anchored"`
	Findings   []verify.Finding `json:"findings"`
	More       int              `json:"more"`
	Notes      []string         `json:"notes"`
	Checkpoint string           `json:"checkpoint,omitempty"`
}

func toJSON(r *verify.Report) reportJSON {
	j := reportJSON{
		Exit: r.Exit(), Origin: r.Origin, Key: r.Key, Size: r.Size, From: r.From, To: r.To, Entries: r.Entries, Controls: r.Controls, Withheld: r.Withheld,
		Removed: r.Removed, Hashed: r.Hashed, Filtered: r.Filtered, Masked: r.Masked, Witnesses: r.Witnesses, Anchored: r.Anchored,
		Findings: append([]verify.Finding{}, r.Findings...), More: r.More, Notes: append([]string{}, r.Notes...), Checkpoint: r.Note,
	}
	if r.Note != "" {
		j.Root = r.Root.String()
	}
	if !r.Signed.IsZero() {
		j.Signed = &r.Signed
	}
	return j
}

// report prints a report: for people, unless -o or --json asks for JSON.
func (e *env) report(r *verify.Report) error {
	format, err := e.format()
	if err != nil {
		return err
	}
	if format == "csv" {
		return usage("a report has no columns: -o json, or without -o for people")
	}
	if format == "json" || format == "ndjson" {
		return e.reportJSON(r, format)
	}
	_, err = fmt.Fprint(e.stdout, e.portraitOf(r))
	return err
}

func (e *env) reportJSON(r *verify.Report, format string) error {
	p, err := e.printer(strings.Split(verifyFields, ","))
	if err != nil {
		return err
	}
	text, err := json.Marshal(toJSON(r))
	if err == nil && p.fields != nil {
		text, err = pick(text, p.fields)
	}
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	if format == "json" {
		var b bytes.Buffer
		if err := json.Indent(&b, text, "", "  "); err != nil {
			return fmt.Errorf("lay out the report: %w", err)
		}
		text = b.Bytes()
	}
	if e.stdoutTTY {
		text = escapeJSON(text)
	}
	_, err = fmt.Fprintf(e.stdout, "%s\n", text)
	return err
}

// portraitOf is a report for people. Text of the evidence is made visible.
func (e *env) portraitOf(r *verify.Report) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, visible(fmt.Sprintf(format, args...)))
	}
	if r.Note != "" {
		line("Log", "%s", r.Origin)
		line("Checkpoint", "%s", checkpointText(r))
	}
	if r.To > r.From {
		line("Entries", "%s", entriesText(r))
	}
	if r.Withheld+r.Removed > 0 {
		line("Not shown", "%s of entries that are, and the body of %s", count(int(r.Withheld), "field", "fields"), count(int(r.Removed), "entry", "entries"))
	}
	if r.Anchored > 0 {
		line("Anchored", "the first %s", count(int(r.Anchored), "entry", "entries"))
	}
	for _, n := range r.Notes {
		line("Note", "%s", n)
	}
	for _, f := range r.Findings {
		word, tone := "FAILED", red
		if f.Code.Exit() == verify.ExitUnverified {
			word, tone = "UNVERIFIED", amber
		}
		fmt.Fprintf(&b, "%s  %s\n", e.painted(tone, word), visible(f.String()))
	}
	if r.More > 0 {
		line("", "and %s like these", count(r.More, "finding", "findings"))
	}
	if r.Stopped {
		line("", "the rest of the evidence was not looked at")
	}
	if r.Exit() == exitDone {
		fmt.Fprintf(&b, "%s  %s\n", e.painted(green, "OK"), visible(proved(r)))
	}
	return b.String()
}

// painted colours s for stdout.
func (e *env) painted(t tone, s string) string {
	if !e.colour() {
		return s
	}
	return ansi[t] + s + "\x1b[0m"
}

func checkpointText(r *verify.Report) string {
	s := thousands(r.Size)
	if !r.Signed.IsZero() {
		s += ", signed at " + r.Signed.Format("2006-01-02 15:04:05 UTC")
	}
	if parts := strings.SplitN(r.Key, "+", 3); len(parts) == 3 {
		s += " by " + parts[1]
	}
	if r.Witnesses > 0 {
		s += ", and by " + count(r.Witnesses, "witness", "witnesses")
	}
	return s
}

func entriesText(r *verify.Report) string {
	s := fmt.Sprintf("%s to %s: %s shown", thousands(r.From), thousands(r.To-1), thousands(r.Entries))
	if r.Removed > 0 {
		s += fmt.Sprintf(", %s without body", thousands(r.Removed))
	}
	if r.Hashed > 0 {
		s += fmt.Sprintf(", %s as leaf hash only", thousands(r.Hashed))
	}
	return s
}

// proved says what was proved, and no more: never that an event is true.
func proved(r *verify.Report) string {
	switch {
	case r.To == r.From:
		return "the checkpoint is signed by the pinned key and extends what is remembered"
	case r.Holds == nil && r.Entries == 0:
		return fmt.Sprintf("the leaf of entry %s is in the log", thousands(r.From))
	case r.Holds == nil:
		return fmt.Sprintf("entry %s is in the log, as given", thousands(r.From))
	case r.Filtered || r.Masked:
		return "what is shown is unaltered; this copy leaves something out, and that it shows all it should is not proved"
	}
	return "nothing was changed, dropped, inserted or reordered, and all that is missing was removed by entries of the log itself"
}
