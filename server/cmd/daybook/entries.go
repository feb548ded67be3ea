package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook/client"
)

// entryFields are the members of the entry JSON, for --json.
const entryFields = "org,seq,id,received_at,leaf_hash,action,version,occurred_at,actor,targets,context,outcome,error,changes,reason,correlation_id,metadata"

// entryColumn is one column that --cols may name.
type entryColumn struct {
	name  string
	right bool
	get   func(e *client.Entry, clock func(time.Time) string) cell
}

var entryColumns = []entryColumn{
	{"time", false, func(e *client.Entry, clock func(time.Time) string) cell {
		return cell{text: timeOf(happened(e), clock)}
	}},
	{"received", false, func(e *client.Entry, clock func(time.Time) string) cell {
		return cell{text: timeOf(e.ReceivedAt, clock)}
	}},
	{"who", false, func(e *client.Entry, _ func(time.Time) string) cell { return cell{text: whoDid(e)} }},
	{"what", false, func(e *client.Entry, _ func(time.Time) string) cell {
		return cell{text: whatWas(e), tone: entryTone(e)}
	}},
	{"action", false, func(e *client.Entry, _ func(time.Time) string) cell { return cell{text: e.Event.Action} }},
	{"actor", false, func(e *client.Entry, _ func(time.Time) string) cell {
		return cell{text: e.Event.Actor.Type + ":" + e.Event.Actor.ID}
	}},
	{"target", false, func(e *client.Entry, _ func(time.Time) string) cell { return cell{text: targetRef(&e.Event)} }},
	{"outcome", false, func(e *client.Entry, _ func(time.Time) string) cell {
		outcome := string(e.Event.Outcome)
		if outcome == "" && e.Removed == "" {
			outcome = "success"
		}
		return cell{text: outcome, tone: entryTone(e)}
	}},
	{"error", false, func(e *client.Entry, _ func(time.Time) string) cell {
		if e.Event.Error == nil {
			return cell{}
		}
		return cell{text: strings.TrimSpace(e.Event.Error.Code + " " + e.Event.Error.Message)}
	}},
	{"ip", false, func(e *client.Entry, _ func(time.Time) string) cell { return cell{text: e.Event.Context.IP} }},
	{"reason", false, func(e *client.Entry, _ func(time.Time) string) cell { return cell{text: e.Event.Reason} }},
	{"org", false, func(e *client.Entry, _ func(time.Time) string) cell { return cell{text: string(e.Org)} }},
	{"seq", true, func(e *client.Entry, _ func(time.Time) string) cell { return cell{text: strconv.FormatInt(e.Seq, 10)} }},
	{"id", false, func(e *client.Entry, _ func(time.Time) string) cell { return cell{text: e.ID} }},
	{"leaf", false, func(e *client.Entry, _ func(time.Time) string) cell { return cell{text: e.LeafHash} }},
}

func columnNames() string {
	names := make([]string, 0, len(entryColumns))
	for _, c := range entryColumns {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// entryPrinter prints entries, in the columns asked for.
type entryPrinter struct {
	*printer
	cols  []entryColumn
	clock func(time.Time) string
}

// entryPrinter returns one; cols empty: the default columns, with the id where there is room.
func (e *env) entryPrinter(cols string) (*entryPrinter, error) {
	spare := ""
	if cols == "" {
		cols, spare = "time,who,what,target,id", "id"
	}
	loc, zone, err := e.zone()
	if err != nil {
		return nil, err
	}
	p := &entryPrinter{}
	var heads []heading
	for name := range strings.SplitSeq(cols, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(entryColumns, func(c entryColumn) bool { return c.name == name })
		if i < 0 {
			return nil, usage("there is no column %q; choose from %s", name, columnNames())
		}
		c := entryColumns[i]
		p.cols = append(p.cols, c)
		head := heading{name: strings.ToUpper(name), right: c.right, spare: name == spare}
		if name == "time" || name == "received" {
			head.name += " (" + zoneLabel(loc, zone, e.now()) + ")"
		}
		heads = append(heads, head)
	}
	if p.printer, err = e.printer(strings.Split(entryFields, ","), heads...); err != nil {
		return nil, err
	}
	layout := "2006-01-02T15:04:05.000000Z07:00"
	if p.format == "table" {
		layout = "2006-01-02 15:04:05"
	}
	p.clock = func(t time.Time) string { return t.In(loc).Format(layout) }
	return p, nil
}

// zoneLabel is the short name of a zone where it has one.
func zoneLabel(loc *time.Location, name string, now time.Time) string {
	short, _ := now.In(loc).Zone()
	if short == "" || short[0] == '+' || short[0] == '-' {
		return name
	}
	return short
}

func (p *entryPrinter) entry(e *client.Entry) error {
	row := make([]cell, len(p.cols))
	for i, c := range p.cols {
		row[i] = c.get(e, p.clock)
	}
	return p.add(e.JSON, row...)
}

// pageDocument makes -o json one document of the shape that the API has.
func (p *entryPrinter) pageDocument(last **client.Page) {
	p.open = `{"entries":[`
	if p.fields != nil {
		p.open = "["
		return
	}
	p.close = func() string {
		var tail struct {
			NextCursor *string         `json:"next_cursor"`
			Size       int64           `json:"size"`
			Query      string          `json:"query"`
			Searched   client.Searched `json:"searched"`
		}
		if page := *last; page != nil {
			tail.Size, tail.Query, tail.Searched = page.Size, page.Query, page.Searched
			if page.NextCursor != "" {
				tail.NextCursor = &page.NextCursor
			}
		}
		text, err := json.Marshal(tail)
		if err != nil {
			return "]}"
		}
		return "]," + string(text[1:])
	}
}

// listing is what `events` and `history` share.
type listing struct {
	query     client.Query
	all       bool
	exitEmpty bool
	cols      string
	rawCSV    bool
}

// list prints entries page by page and says on stderr what there is beyond them. filtered tells whether matching entries are
// worth counting when there are more.
func (e *env) list(ctx context.Context, l listing, command string) error {
	p, err := e.entryPrinter(l.cols)
	if err != nil {
		return err
	}
	p.rawCSV = l.rawCSV
	c, err := e.connect()
	if err != nil {
		return err
	}
	var last *client.Page
	p.pageDocument(&last)
	first := l.query
	start := e.now()
	var searched client.Searched
	for {
		page, err := c.Events(ctx, l.query)
		if err != nil {
			return err
		}
		last, searched = page, page.Searched
		for i := range page.Entries {
			if err := p.entry(&page.Entries[i]); err != nil {
				return err
			}
		}
		if page.NextCursor == "" || !l.all && len(page.Entries) >= l.query.Limit {
			break
		}
		if !l.all && (!page.Searched.Complete || len(page.Entries) > 0) {
			break // a page cut short by the time limit: the reader decides whether to go on
		}
		if err := p.flush(); err != nil {
			return err
		}
		l.query = client.Query{Org: first.Org, Limit: l.query.Limit, Cursor: page.NextCursor, Target: first.Target, Actor: first.Actor}
	}
	if err := p.end(); err != nil {
		return err
	}
	return e.listEnd(ctx, c, p.written, last, searched, listFacts{first: first, spent: e.now().Sub(start), exitEmpty: l.exitEmpty, command: command})
}

// listFacts is what the footer of a list needs beside its pages.
type listFacts struct {
	first     client.Query
	spent     time.Duration
	exitEmpty bool
	command   string
}

// listEnd writes the footer and chooses the exit code.
func (e *env) listEnd(ctx context.Context, c *client.Client, shown int, last *client.Page, searched client.Searched, f listFacts) error {
	more := last.NextCursor != ""
	parts := []string{fmt.Sprintf("%s of %s", thousands(int64(shown)), thousands(int64(shown)))}
	if more || f.first.Cursor != "" {
		parts[0] = thousands(int64(shown)) + " shown"
		if total := e.total(ctx, c, f.first); total != "" {
			parts[0] = thousands(int64(shown)) + " of " + total
		}
	}
	if more {
		parts = append(parts, "next: --cursor "+last.NextCursor)
	}
	switch {
	case searched.Days > 0 && searched.Complete:
		parts = append(parts, fmt.Sprintf("scanned %s in %s", count(searched.Days, "day", "days"), brief(f.spent)))
	case searched.Complete:
		parts = append(parts, "in "+brief(f.spent))
	default:
		parts = append(parts, fmt.Sprintf("searched %d of %d days, stopped at the %s", searched.Days, searched.OfDays, searched.Reason))
	}
	e.note("%s", strings.Join(parts, " · "))
	if shown == 0 && f.first.From != "" && f.first.Cursor == "" && searched.Complete {
		e.note("nothing since %s; to look further back: --since 30d, or --since 0", f.first.From)
	}
	switch {
	case !searched.Complete:
		return ended(exitPartial)
	case shown == 0 && f.exitEmpty:
		return ended(exitNotFound)
	}
	return nil
}

// total counts all that match, at most 10,000; empty when that is not known: a cursor does not say what was asked first, and what
// an actor did is no condition of the query language.
func (e *env) total(ctx context.Context, c *client.Client, q client.Query) string {
	if q.Cursor != "" || q.Actor != nil {
		return ""
	}
	if q.Target != nil {
		q.Text = strings.TrimSpace(field("target", q.Target.Type+":"+q.Target.ID) + " " + grouped(q.Text))
	}
	n, exact, err := c.Count(ctx, q)
	if err != nil {
		return "" // the entries are printed; how many more there are is a courtesy
	}
	if !exact {
		return thousands(n) + "+"
	}
	return thousands(n)
}
