package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/internal/durable"
)

func newShow(e *env) *cobra.Command {
	var raw bool
	var how, proof string
	cmd := &cobra.Command{
		Use: "show EVT", Short: "Show one event: who did what, what changed, from where",
		Example: `  $ daybook show evt_01m7z7rs1affyad5cmxxj94a79
  $ daybook show evt_01m7z7rs1affyad5cmxxj94a79 --diff side
  $ daybook show evt_01m7z7rs1affyad5cmxxj94a79 --proof event.tlog-proof   # to be checked with daybook verify`,
		Annotations: map[string]string{fieldsNote: entryFields, exitsNote: "0 shown · 3 there is no such event · 4 not allowed"},
		Args:        exactArgs("EVT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if how != "words" && how != "side" && how != "json" {
				return usage("--diff is words, side or json, not %q", how)
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			entry, err := c.Entry(cmd.Context(), "", args[0])
			if err != nil {
				return cannot("show "+args[0], err)
			}
			if err := e.show(&entry, raw, how); err != nil || proof == "" {
				return err
			}
			return cannot("fetch the proof", e.saveProof(cmd.Context(), c, args[0], proof))
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "the entry JSON as it stands in the log")
	cmd.Flags().StringVar(&proof, "proof", "", "also write the proof that it is in the log (.tlog-proof) to this file")
	cmd.Flags().StringVar(&how, "diff", "words", "words | side | json: changes in one line each, side by side, or as they were recorded")
	return cmd
}

// saveProof writes the .tlog-proof of an event, or nothing.
func (e *env) saveProof(ctx context.Context, c *client.Client, id, name string) error {
	org, err := e.orgOf(ctx, c)
	if err != nil {
		return err
	}
	text, err := c.Proof(ctx, org, id)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(name, text, 0o644); err != nil { // it holds nothing secret
		return err
	}
	e.note("the proof is in %s: daybook verify %s --vkey VKEY", name, name)
	return nil
}

// show prints an entry. Without -o it is for people, also in a pipe.
func (e *env) show(x *client.Entry, raw bool, how string) error {
	format, err := e.format()
	if err != nil {
		return err
	}
	asked := e.output != "" || e.fields != "" || e.getenv("DAYBOOK_OUTPUT") != ""
	switch {
	case raw || asked && format == "ndjson" && e.fields == "":
		text := x.JSON
		if e.stdoutTTY {
			text = escapeJSON(text)
		}
		_, err := fmt.Fprintf(e.stdout, "%s\n", text)
		return err
	case asked && format == "json" && e.fields == "":
		var b bytes.Buffer
		if err := json.Indent(&b, x.JSON, "", "  "); err != nil {
			return fmt.Errorf("lay out the entry: %w", err)
		}
		text := b.Bytes()
		if e.stdoutTTY {
			text = escapeJSON(text)
		}
		_, err := fmt.Fprintf(e.stdout, "%s\n", text)
		return err
	case asked && format != "table":
		p, err := e.entryPrinter("")
		if err != nil {
			return err
		}
		if p.format == "json" {
			p.open, p.close = "", func() string { return "" }
		}
		if err := p.entry(x); err != nil {
			return err
		}
		return p.end()
	}
	loc, zone, err := e.zone()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(e.stdout, e.portrait(x, how, func(t time.Time) string {
		return t.In(loc).Format("2006-01-02 15:04:05.000") + " " + zoneLabel(loc, zone, t)
	}))
	return err
}

// portrait is an entry for people: a sentence, when, what changed, who and where.
func (e *env) portrait(x *client.Entry, how string, clock func(time.Time) string) string {
	var b strings.Builder
	if x.Removed != "" {
		fmt.Fprintf(&b, "This entry was removed: %s, by %s\n%s · seq %s · received %s\n", visible(x.Removed), visible(x.By), visible(x.ID), thousands(x.Seq), clock(x.ReceivedAt))
		return b.String()
	}
	ev := &x.Event
	fmt.Fprintf(&b, "%s\n", saying(x))
	action := visible(ev.Action)
	if ev.Version > 0 {
		action += fmt.Sprintf(" v%d", ev.Version)
	}
	fmt.Fprintf(&b, "%s · seq %s · %s%s\n", action, thousands(x.Seq), clock(happened(x)), lag(x))
	changes(&b, ev.Changes, how)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-9s %s\n", name, text)
		}
	}
	for i, t := range ev.Targets {
		name := ""
		if i == 0 {
			name = "target"
		}
		fmt.Fprintf(&b, "  %-9s %s\n", name, visible(strings.TrimSpace(t.Type+" "+t.ID+" "+t.Name)))
	}
	line("actor", actorLine(ev))
	if ev.Outcome == daybook.Failure || ev.Outcome == daybook.Denied {
		text := string(ev.Outcome)
		if ev.Error != nil {
			text += ": " + strings.TrimSpace(ev.Error.Code+" "+ev.Error.Message)
		}
		text = visible(text)
		if e.colour() {
			text = ansi[amber] + text + "\x1b[0m"
		}
		line("outcome", text)
	}
	line("reason", visible(ev.Reason))
	if h := ev.Context.HTTP; h != nil {
		path := h.Path
		if path == "" {
			path = h.Route
		}
		text := strings.TrimSpace(h.Method + " " + path)
		if h.StatusCode != 0 {
			text += fmt.Sprintf(" → %d", h.StatusCode)
		}
		line("http", visible(text))
	}
	for _, c := range []struct{ name, text string }{
		{"request", ev.Context.RequestID},
		{"trace", ev.Context.TraceID},
		{"session", ev.Context.SessionID},
		{"related", ev.CorrelationID},
	} {
		line(c.name, visible(c.text))
	}
	if len(ev.Metadata) > 0 {
		line("metadata", visible(string(ev.Metadata)))
	}
	if len(x.ErasedFields) > 0 {
		line("erased", visible(strings.Join(x.ErasedFields, ", ")))
	}
	line("id", visible(x.ID))
	line("leaf", visible(x.LeafHash))
	return b.String()
}

// lag says how much later than it happened an event was received.
func lag(x *client.Entry) string {
	d := x.ReceivedAt.Sub(happened(x))
	switch {
	case d >= time.Millisecond:
		return " · received " + brief(d) + " later"
	case d <= -time.Millisecond:
		return " · received " + brief(-d) + " before it happened"
	}
	return ""
}

func actorLine(ev *daybook.Event) string {
	one := func(a daybook.Actor) string {
		return strings.Join(strings.Fields(visible(a.Type+" "+a.ID+" "+a.Name)), " ")
	}
	parts := []string{one(ev.Actor)}
	for _, v := range ev.Actor.Via {
		parts = append(parts, "by "+one(v))
	}
	s := strings.Join(parts, ", ")
	var from []string
	for _, p := range []string{ev.Context.IP, ev.Context.UserAgent} {
		if p != "" {
			from = append(from, visible(p))
		}
	}
	if len(from) > 0 {
		s += "      from " + strings.Join(from, " · ")
	}
	return s
}

// changes writes what changed, aligned.
func changes(b *strings.Builder, cs daybook.Changes, how string) {
	if how == "json" {
		for _, c := range cs {
			old, now := "", ""
			if c.Old.Present() {
				old = `,"old":` + string(c.Old.Raw())
			}
			if c.New.Present() {
				now = `,"new":` + string(c.New.Raw())
			}
			path, err := json.Marshal(c.Path)
			if err != nil {
				continue // a string always has a JSON form
			}
			fmt.Fprintf(b, "  {\"path\":%s%s%s}\n", escapeJSON(path), escapeJSON([]byte(old)), escapeJSON([]byte(now)))
		}
		return
	}
	width, left := 0, 0
	for _, c := range cs {
		width = max(width, cells(visible(c.Path)))
		left = max(left, cells(valueText(c.Old)))
	}
	width, left = max(min(width, 40), 9), min(left, 40)
	for _, c := range cs {
		path := visible(c.Path)
		pad := strings.Repeat(" ", max(0, width-cells(path)))
		old, now := valueText(c.Old), valueText(c.New)
		if how == "side" {
			old += strings.Repeat(" ", max(0, left-cells(old)))
			fmt.Fprintf(b, "  %s%s │ %s │ %s\n", path, pad, old, now)
			continue
		}
		switch {
		case !c.Old.Present():
			fmt.Fprintf(b, "  %s%s added %s\n", path, pad, now)
		case !c.New.Present():
			fmt.Fprintf(b, "  %s%s removed %s\n", path, pad, old)
		default:
			fmt.Fprintf(b, "  %s%s %s → %s\n", path, pad, old, now)
		}
	}
}

// valueText is a value of a change for people: a string without its quotes, everything else as JSON.
func valueText(v daybook.Value) string {
	if !v.Present() {
		return "–"
	}
	var s string
	if json.Unmarshal(v.Raw(), &s) == nil {
		return visible(s)
	}
	return visible(string(v.Raw()))
}
