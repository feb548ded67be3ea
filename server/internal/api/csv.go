package api

import (
	"net/http"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/export"
)

// Bounds of a file that is made while somebody waits for it.
const (
	maxCSVRows  = 10_000
	maxCSVBytes = 32 << 20
)

var aboutGetCSV = operation{
	id: "getEventsCSV", tag: "Search", summary: "Download what a search finds",
	text: "As CSV, whole or not at all: more than 10,000 entries are 413, and want an export. Cells that a spreadsheet would take for formulas are disarmed. It stands in the log as " +
		"`daybook.export.downloaded` before the first byte.",
	answers: []answer{{http.StatusOK, "The file, with a header line.", content{"text/csv", nil}}}, faults: []int{413, 503, 507},
}

var csvType = []string{"text/csv; charset=utf-8"}

// csvDetails is what the log keeps of the file.
type csvDetails struct {
	Format string   `json:"format"`
	Query  string   `json:"query"`
	From   *stamp   `json:"from,omitempty"`
	To     *stamp   `json:"to,omitempty"`
	Rows   int      `json:"rows"`
	Bytes  int      `json:"bytes"`
	Hidden []string `json:"hidden,omitempty"`
}

func getEventsCSV(c *call) error {
	q, err := c.eventQuery()
	if err != nil {
		return err
	}
	q.Within, q.Limit = c.within(nil), maxLimit
	out, rows := export.AppendCSVHead(nil), 0
	var first *daybook.Page
	for {
		page, err := c.s.Book.Search(c.r.Context(), q)
		if err != nil {
			return err
		}
		if first == nil {
			first = page
		}
		for i := range page.Entries {
			out = export.AppendCSV(out, c.asSeen(&page.Entries[i]))
		}
		if rows += len(page.Entries); rows > maxCSVRows || len(out) > maxCSVBytes {
			return &daybook.Error{
				Code: daybook.CodeTooLarge, Rule: "too_many_rows", Message: "there are more than 10,000 entries, or more than 32 MiB: narrow the search, or make an export.",
			}
		}
		if page.NextCursor == "" {
			break
		}
		q = daybook.EventQuery{Org: c.org, Within: q.Within, Hide: q.Hide, Limit: maxLimit, Cursor: page.NextCursor}
	}
	details := csvDetails{Format: "csv", Query: first.Query, Rows: rows, Bytes: len(out), Hidden: c.hidden()}
	if first.From != nil {
		details.From = microStamp(*first.From)
	}
	if first.To != nil {
		details.To = microStamp(*first.To)
	}
	if c.r.Method != http.MethodHead {
		if err := c.did(c.org, c.act("daybook.export.downloaded", daybook.Target{Type: "log", ID: string(c.org)}, details)); err != nil {
			return err
		}
	}
	c.Header().Set("Content-Disposition", `attachment; filename="`+strings.NewReplacer(":", "-", "@", "-").Replace(string(c.org))+`-events.csv"`)
	c.send(http.StatusOK, csvType, out)
	return nil
}
