package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/daybook-audit/daybook"
)

// NewExport asks for an export. Only Format is needed.
type NewExport struct {
	Format      string   `json:"format"`                // csv, ndjson, parquet, bundle
	Query       string   `json:"query,omitempty"`       // empty: everything
	From        string   `json:"from,omitempty"`        // a time of the query language; bounds occurred_at
	To          string   `json:"to,omitempty"`          //
	TZ          string   `json:"tz,omitempty"`          // IANA zone of times without one; empty: UTC
	Columns     []string `json:"columns,omitempty"`     // of csv and parquet; none: all
	Compression string   `json:"compression,omitempty"` // none, gzip, zstd
	Mask        []string `json:"mask,omitempty"`        // of a bundle: paths of fields that are withheld
	Since       []int64  `json:"since,omitempty"`       // of a bundle: sizes of checkpoints that it is linked to
	RawCSV      bool     `json:"raw_csv,omitempty"`     // cells that a spreadsheet may take for formulas stay as they are
}

// Export is an export as the server describes it. States: pending, running, ready, failed, cancelled, expired.
type Export struct {
	ID          string        `json:"id"`
	Org         daybook.OrgID `json:"org"`
	State       string        `json:"state"`
	Format      string        `json:"format"`
	Compression string        `json:"compression"`
	Columns     []string      `json:"columns"`
	Query       string        `json:"query"`
	From        *time.Time    `json:"from"`
	To          *time.Time    `json:"to"`
	Size        int64         `json:"size"`    // of the log when it was made
	Scanned     int64         `json:"scanned"` // entries looked at
	Rows        int64         `json:"rows"`
	Bytes       int64         `json:"bytes"`
	SHA256      *string       `json:"sha256"` // hex
	LeftOut     struct {
		Entries       int64    `json:"entries"` // that the query excludes
		Columns       []string `json:"columns"`
		ErasedEntries int64    `json:"erased_entries"`
		ErasedFields  int64    `json:"erased_fields"`
		Mask          []string `json:"mask"`
	} `json:"left_out"`
	Error      *string    `json:"error"`
	By         string     `json:"by"`
	CreatedAt  time.Time  `json:"created_at"`
	StartedAt  *time.Time `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	URL        *string    `json:"url"` // of the file, without a key; for some minutes
}

// Ended reports whether nothing more is written.
func (x *Export) Ended() bool { return x.State != "pending" && x.State != "running" }

// CreateExport begins an export.
func (c *Client) CreateExport(ctx context.Context, n NewExport) (Export, error) {
	var out Export
	body, err := json.Marshal(n)
	if err != nil {
		return out, fmt.Errorf("encode the export: %w", err)
	}
	err = c.json(ctx, call{method: http.MethodPost, path: "/v1/exports", body: body, once: true}, &out)
	return out, err
}

// Exports returns at most limit exports, newest first.
func (c *Client) Exports(ctx context.Context, limit int) ([]Export, error) {
	var all []Export
	cursor := ""
	for {
		var page struct {
			Exports    []Export `json:"exports"`
			NextCursor string   `json:"next_cursor"`
		}
		if err := c.get(ctx, "/v1/exports", values("limit", strconv.Itoa(min(limit-len(all), 1000)), "cursor", cursor), "", &page); err != nil {
			return nil, err
		}
		all = append(all, page.Exports...)
		if cursor = page.NextCursor; cursor == "" || len(all) >= limit {
			return all, nil
		}
	}
}

// Export returns one export, with a fresh address of its file.
func (c *Client) Export(ctx context.Context, id string) (Export, error) {
	var out Export
	err := c.get(ctx, "/v1/exports/"+segment(id), nil, "", &out)
	return out, err
}

// CancelExport ends an export that is under way, and deletes the file of one that is ready. A second time is fine.
func (c *Client) CancelExport(ctx context.Context, id string) (Export, error) {
	var out Export
	err := c.json(ctx, call{method: http.MethodDelete, path: "/v1/exports/" + segment(id)}, &out)
	return out, err
}

// ErrDigest says that a file that was fetched is not the one that the server wrote.
var ErrDigest = errors.New("the SHA-256 of what arrived is another than that of the file")

// Download writes the file of an export that is ready to w. A connection that breaks is made again, and goes on where it broke. nil says
// that the whole file has arrived, and that its SHA-256 is the one that the server states; after an error w holds a part. progress, if
// not nil, is told how many bytes have arrived.
func (c *Client) Download(ctx context.Context, id string, w io.Writer, progress func(done int64)) (Export, error) {
	d := download{c: c, w: w, sum: sha256.New(), progress: progress}
	for attempt := 1; ; attempt++ {
		x, err := c.Export(ctx, id) // the address of the last attempt may be too old
		if err != nil {
			return x, err
		}
		if x.URL == nil || x.SHA256 == nil {
			return x, &daybook.Error{Code: daybook.CodeNotFound, Message: fmt.Sprintf("the export %s has no file: it is %s", id, x.State)}
		}
		before := d.done
		err = d.fetch(ctx, &x)
		switch {
		case err == nil && d.done == x.Bytes:
			if hex.EncodeToString(d.sum.Sum(nil)) != *x.SHA256 {
				return x, fmt.Errorf("fetch %s: %w", id, ErrDigest)
			}
			return x, nil
		case d.broken != nil:
			return x, fmt.Errorf("write the file: %w", d.broken)
		case err == nil:
			err = io.ErrUnexpectedEOF
		}
		if d.done > before {
			attempt = 0 // it comes forward
		}
		if ctx.Err() != nil || attempt >= c.o.Attempts {
			return x, fmt.Errorf("fetch %s: %w", id, err)
		}
		if c.pause(ctx, 200*time.Millisecond) != nil {
			return x, fmt.Errorf("fetch %s: %w", id, err)
		}
	}
}

// download is one file on its way.
type download struct {
	c        *Client
	w        io.Writer
	sum      hash.Hash
	done     int64
	broken   error // of w
	progress func(int64)
}

// Write is part of io.Writer.
func (d *download) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	d.sum.Write(p[:n])
	d.done += int64(n)
	if d.broken = err; err == nil && d.progress != nil {
		d.progress(d.done)
	}
	return n, err
}

// fetch asks for what is still missing. The server knows its own address less well than the client does: only path and query count.
func (d *download) fetch(ctx context.Context, x *Export) error {
	at, err := url.Parse(*x.URL)
	if err != nil {
		return fmt.Errorf("the address of the file: %w", err)
	}
	r := call{method: http.MethodGet, path: "/v1/exports/" + segment(x.ID) + "/file", query: at.Query(), header: http.Header{}}
	if d.done > 0 {
		r.header.Set("Range", "bytes="+strconv.FormatInt(d.done, 10)+"-")
		r.header.Set("If-Range", `"`+*x.SHA256+`"`)
	}
	if d.done == x.Bytes && d.done > 0 {
		return nil
	}
	res, err := d.c.sendOnce(ctx, r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read as far as it goes
	if d.done > 0 && res.StatusCode != http.StatusPartialContent {
		return errors.New("the file has changed since its beginning was fetched")
	}
	_, err = io.Copy(d, res.Body)
	return err
}
