package api

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
)

// newExport asks for an export.
type newExport struct {
	Format      string   `json:"format" enum:"csv,ndjson,parquet,bundle" example:"csv"`
	Query       string   `json:"query,omitempty" maxLength:"4096" doc:"A query; empty: everything." example:"target:invoice:42"`
	From        string   `json:"from,omitempty" doc:"Only what occurred at or after this moment: 2026-11-21, now-7d." example:"2026-11-01"`
	To          string   `json:"to,omitempty" doc:"Only what occurred before this moment."`
	TZ          string   `json:"tz,omitempty" doc:"IANA time zone of dates without an offset." default:"UTC"`
	Columns     []string `json:"columns,omitempty" doc:"Of csv and parquet, in this order; left out: all."`
	Compression string   `json:"compression,omitempty" enum:"none,gzip,zstd" doc:"Of csv and ndjson; none when left out. Parquet is always zstd inside, a bundle gzip or none."`
	Mask        []string `json:"mask,omitempty" doc:"Of a bundle: paths of fields that are withheld, such as /actor/email."`
	Since       []int64  `json:"since,omitempty" doc:"Of a bundle: sizes of older checkpoints that its reader may remember, which it then links to its own."`
	RawCSV      bool     `json:"raw_csv,omitempty" doc:"Leave cells that begin with = + - @, tab or carriage return as they are: a spreadsheet may take them for formulas."`
}

// exported is an export as the API shows it.
type exported struct {
	ID          string        `json:"id" example:"exp_01m7w2y7m0fhra2avt0s3fj8ks"`
	Org         daybook.OrgID `json:"org" example:"org_acme"`
	State       string        `json:"state" enum:"pending,running,ready,failed,cancelled,expired" doc:"expired: the file was deleted."`
	Format      string        `json:"format" example:"csv"`
	Compression string        `json:"compression" enum:"none,gzip,zstd"`
	Columns     []string      `json:"columns" nullable:"true" doc:"null: the format has none."`
	Query       string        `json:"query" doc:"The normal form of what was asked for." example:"target:invoice:42"`
	From        *stamp        `json:"from" format:"date-time" doc:"The bound asked for, resolved; null when open."`
	To          *stamp        `json:"to" format:"date-time"`
	Size        int64         `json:"size" doc:"Number of entries in the log when the export was made: later ones are not in it." example:"48192"`
	Scanned     int64         `json:"scanned" doc:"How many of them were looked at so far."`
	Rows        int64         `json:"rows" doc:"Entries written so far."`
	Bytes       int64         `json:"bytes" doc:"Bytes written so far."`
	SHA256      *string       `json:"sha256" doc:"Of the file, in hex; null until it is ready."`
	LeftOut     leftOut       `json:"left_out" doc:"What the file does not hold of the log."`
	Error       *string       `json:"error" doc:"Why it failed, or why the file was deleted."`
	Warning     string        `json:"warning,omitempty" doc:"What was found false of the log and nobody had acknowledged when the export was made: see listFailures." example:"integrity failed at entry 7 (leaf_mismatch)"`
	By          string        `json:"by" doc:"The key that asked for it." example:"key_01m7w2y7m0fhra2avt0s3fj8ks"`
	CreatedAt   stamp         `json:"created_at" format:"date-time"`
	StartedAt   *stamp        `json:"started_at" format:"date-time"`
	FinishedAt  *stamp        `json:"finished_at" format:"date-time"`
	ExpiresAt   *stamp        `json:"expires_at" format:"date-time" doc:"When the file is deleted."`
	URL         *string       `json:"url" doc:"Where the file is, without a key; null unless it is ready. Every answer has a fresh one."`
	URLUntil    *stamp        `json:"url_expires_at" format:"date-time"`
}

type leftOut struct {
	Entries int64    `json:"entries" doc:"Entries that the query excludes, of those looked at."`
	Columns []string `json:"columns" nullable:"false" doc:"Columns that were not asked for."`
	// What an erasure took before the export was made.
	ErasedEntries int64    `json:"erased_entries" doc:"Rows of which an erasure has left place, id and time."`
	ErasedFields  int64    `json:"erased_fields" doc:"Values erased from the other rows."`
	Mask          []string `json:"mask,omitempty" nullable:"false" doc:"Of a bundle: what is withheld."`
}

type exportList struct {
	Exports    []exported `json:"exports" nullable:"false" doc:"Newest first."`
	NextCursor *string    `json:"next_cursor" doc:"For the next page; null at the end."`
}

// showExport is x with an address of its file.
func (c *call) showExport(x *control.Export) exported {
	shown := exported{
		ID: x.ID, Org: x.Org, State: x.State, Format: x.Format, Compression: x.Compression, Columns: x.Columns, Query: x.Query,
		From: microStamp(x.From), To: microStamp(x.To), Size: x.Size, Scanned: x.Scanned, Rows: x.Rows, Bytes: x.Bytes, By: x.By,
		CreatedAt: newStamp(time.UnixMicro(x.CreatedAt)), StartedAt: microStamp(x.StartedAt), FinishedAt: microStamp(x.FinishedAt),
		ExpiresAt: microStamp(x.ExpiresAt), LeftOut: leftOut{Entries: x.Scanned - x.Rows, Columns: export.LeftOut(x), ErasedEntries: x.ErasedEntries, ErasedFields: x.ErasedFields, Mask: x.Mask},
	}
	shown.Warning = x.Warning
	if x.Error != "" {
		shown.Error = &x.Error
	}
	if x.State == control.ExportReady {
		shown.SHA256 = new(hex.EncodeToString(x.SHA256))
		query, until := c.s.Exports.Link(x.ID)
		shown.URL = new(c.s.Origin.URL(c.r) + "/v1/exports/" + x.ID + "/file?" + query)
		shown.URLUntil = new(newStamp(until))
	}
	return shown
}

// microStamp shows µs since 1970; 0 is none.
func microStamp(micros int64) *stamp {
	if micros == 0 {
		return nil
	}
	return new(newStamp(time.UnixMicro(micros)))
}

func createExport(c *call) error {
	var in newExport
	if err := c.decode(&in, "format"); err != nil {
		return err
	}
	warning, err := c.warning()
	if err != nil {
		return err
	}
	x, err := c.s.Exports.Create(c.r.Context(), export.Request{
		Export: control.Export{
			Org: c.org, Format: in.Format, Compression: in.Compression, Columns: in.Columns, Mask: in.Mask, Since: in.Since, Raw: in.RawCSV, Query: in.Query, TZ: in.TZ, By: c.principal.KeyID, Warning: warning,
		},
		FromText: in.From, ToText: in.To,
		Before: func(_ context.Context, x control.Export) error {
			return c.did(x.Org, c.exportAct(export.ActCreated, &x)) //nolint:contextcheck // a call carries its request
		},
	})
	if err != nil {
		return err
	}
	c.send(http.StatusCreated, jsonType, marshal(c.showExport(&x)))
	return nil
}

// exportAct is what the principal does to an export.
func (c *call) exportAct(action string, x *control.Export) daybook.Event {
	e := export.Act(action, x)
	e.Actor, e.Context = actorOf(c.principal), c.origin()
	return e
}

func listExports(c *call) error {
	limit, err := c.whole(paramLimit)
	if err != nil {
		return err
	}
	before, err := readListCursor(c.param(paramCursor))
	if err != nil {
		return err
	}
	all, err := c.s.Exports.All(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	list := exportList{Exports: []exported{}}
	for i := range all {
		if before != "" && all[i].ID >= before {
			continue
		}
		if len(list.Exports) == int(limit) {
			list.NextCursor = listCursor(list.Exports[limit-1].ID)
			break
		}
		list.Exports = append(list.Exports, c.showExport(&all[i]))
	}
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

func getExport(c *call) error {
	x, err := c.s.Exports.Get(c.r.Context(), c.org, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(c.showExport(&x)))
	return nil
}

// cancelExport ends one that is under way and deletes the file of one that is ready.
func cancelExport(c *call) error {
	x, changed, err := c.s.Exports.Cancel(c.r.Context(), c.org, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if changed {
		c.s.Audit.After(c.r.Context(), x.Org, c.exportAct(export.ActCancelled, &x))
	}
	c.send(http.StatusOK, jsonType, marshal(c.showExport(&x)))
	return nil
}

// getExportFile is open without a key: the address itself is the right, for a few minutes.
func getExportFile(c *call) error {
	id := c.r.PathValue("id")
	switch err := c.s.Exports.CheckLink(id, c.param(paramExp), c.param(paramSig)); {
	case errors.Is(err, export.ErrLinkExpired):
		return &requestError{status: http.StatusGone, code: "link_expired", detail: "this link has expired: ask for the export again, the answer has a new one."}
	case err != nil:
		return &requestError{status: http.StatusForbidden, code: "link_invalid", detail: "this link is not one that was made here."}
	}
	x, err := c.s.Exports.Find(c.r.Context(), id)
	if err != nil {
		return err
	}
	c.org = x.Org
	if x.Warning != "" {
		c.Header().Set("Daybook-Warning", x.Warning)
	}
	err = c.s.Exports.Serve(c, c.r, &x)
	if errors.Is(err, export.ErrRange) {
		return &requestError{status: http.StatusRequestedRangeNotSatisfiable, code: "range_invalid", detail: "the range begins beyond the end of the file."}
	}
	if err == nil && c.r.Method == http.MethodGet {
		c.s.Audit.Saw(export.Download(&x, c.origin()))
	}
	return err
}
