package client

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

// The methods of this file fetch what a verifier looks at. Nothing they return is checked here: package verify does that.

// maxNote bounds a checkpoint and the file that proves one event: 63 hashes and 100 signatures are far below it.
const maxNote = 1 << 20

// Checkpoint returns the newest checkpoint of an organization's log, a signed note that covers every entry recorded before the call.
// An empty org is the client's.
func (c *Client) Checkpoint(ctx context.Context, org daybook.OrgID) ([]byte, error) {
	return c.note(ctx, org, "/checkpoint")
}

// CheckpointAt returns the stored checkpoint of exactly this size. An *daybook.Error of CodeNotFound: none was signed.
func (c *Client) CheckpointAt(ctx context.Context, org daybook.OrgID, size int64) ([]byte, error) {
	return c.note(ctx, org, "/checkpoints/"+strconv.FormatInt(size, 10))
}

// StoredCheckpoint is a checkpoint in the list of those that a server keeps.
type StoredCheckpoint struct {
	Size     int64     `json:"size"`
	SignedAt time.Time `json:"signed_at"`         // by the clock of the server that signed it
	Root     string    `json:"root"`              // base64; empty when damaged
	Note     string    `json:"note"`              // the signed note; empty when damaged
	Damaged  bool      `json:"damaged,omitempty"` // what is stored is not a checkpoint of this size any more
}

// Checkpoints yields the stored checkpoints of an organization's log, newest first, and has nothing signed. It fetches so many at a time,
// 1,000 at most; 0: as many. What is signed meanwhile is not among them. An error is the last that it yields. An empty org is the client's.
func (c *Client) Checkpoints(ctx context.Context, org daybook.OrgID, page int) iter.Seq2[StoredCheckpoint, error] {
	return func(yield func(StoredCheckpoint, error) bool) {
		path, err := c.logPath(org, "/checkpoints")
		if err != nil {
			yield(StoredCheckpoint{}, err)
			return
		}
		if page <= 0 || page > 1000 {
			page = 1000
		}
		for cursor := ""; ; {
			var got struct {
				Checkpoints []StoredCheckpoint `json:"checkpoints"`
				NextCursor  string             `json:"next_cursor"`
			}
			if err := c.get(ctx, path, values("limit", strconv.Itoa(page), "cursor", cursor), org, &got); err != nil {
				yield(StoredCheckpoint{}, err)
				return
			}
			for _, row := range got.Checkpoints {
				if !yield(row, nil) {
					return
				}
			}
			if cursor = got.NextCursor; cursor == "" {
				return
			}
		}
	}
}

// Proof returns the .tlog-proof of an event: one file that shows, offline, that its leaf is in the log.
func (c *Client) Proof(ctx context.Context, org daybook.OrgID, id string) ([]byte, error) {
	return c.note(ctx, org, "/proof/"+url.PathEscape(id)+".tlog-proof")
}

// Consistency returns the proof that the tree of size from, at least 1, is the beginning of the tree of size to.
func (c *Client) Consistency(ctx context.Context, org daybook.OrgID, from, to int64) ([]tlog.Hash, error) {
	path, err := c.logPath(org, "/consistency")
	if err != nil {
		return nil, err
	}
	var out struct{ Proof []tlog.Hash }
	q := url.Values{"from": {strconv.FormatInt(from, 10)}, "to": {strconv.FormatInt(to, 10)}}
	err = c.get(ctx, path, q, org, &out)
	return out.Proof, err
}

// LogInfo says how a log stands on its server. The keys are a convenience: what is pinned comes from somewhere else.
type LogInfo struct {
	Origin     string    `json:"origin"`
	Epoch      int       `json:"epoch"`
	State      string    `json:"state"`
	Size       int64     `json:"size"`
	SignedSize int64     `json:"signed_size"`
	MinIndex   int64     `json:"min_index"` // bundles begin here
	Interval   int64     `json:"anchor_interval_s"`
	Keys       []LogVkey `json:"keys"`
	ClockVkey  string    `json:"clock_vkey"`
	AnchorVkey string    `json:"anchor_vkey"`
}

// LogVkey is a verifier key of a log: current, retiring or retired.
type LogVkey struct {
	Vkey       string `json:"vkey"`
	Generation int    `json:"generation"`
	State      string `json:"state"`
	Seq        int64  `json:"seq"`
}

// LogInfo returns how an organization's log stands.
func (c *Client) LogInfo(ctx context.Context, org daybook.OrgID) (LogInfo, error) {
	path, err := c.logPath(org, "/info")
	if err != nil {
		return LogInfo{}, err
	}
	var out LogInfo
	err = c.get(ctx, path, nil, org, &out)
	return out, err
}

// Bundle opens the evidence bundle of the entries [from,to) of a tree of size, which must be that of a stored checkpoint. It is whole
// if it ends with its footer: an answer that is cut ends in an error or without one. The caller closes it.
func (c *Client) Bundle(ctx context.Context, org daybook.OrgID, from, to, size int64) (io.ReadCloser, error) {
	path, err := c.logPath(org, "/bundle")
	if err != nil {
		return nil, err
	}
	q := url.Values{"from": {strconv.FormatInt(from, 10)}, "to": {strconv.FormatInt(to, 10)}, "size": {strconv.FormatInt(size, 10)}}
	res, err := c.send(ctx, call{method: http.MethodGet, path: path, query: q, org: org, accept: "application/x-ndjson"})
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

// logPath is the path of something of a log. The routes of logs name the organization themselves.
func (c *Client) logPath(org daybook.OrgID, rest string) (string, error) {
	org = first(org, c.o.Org)
	if !org.Valid() {
		return "", &daybook.Error{Code: daybook.CodeInvalid, Rule: "org_required", Message: "a log is that of an organization: name one."}
	}
	return "/v1/organizations/" + url.PathEscape(string(org)) + "/log" + rest, nil
}

func (c *Client) note(ctx context.Context, org daybook.OrgID, rest string) ([]byte, error) {
	path, err := c.logPath(org, rest)
	if err != nil {
		return nil, err
	}
	res, err := c.send(ctx, call{method: http.MethodGet, path: path, org: org, accept: "text/plain"})
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(io.LimitReader(res.Body, maxNote))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return text, nil
}
