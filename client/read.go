package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
)

// Query asks for entries of one org.
type Query struct {
	Org           daybook.OrgID // empty: the client's, else the key's
	Text          string        // the query language
	From, To      string        // bounds of occurred_at: [From, To), any time of the query language; empty: open
	TZ            string        // IANA zone for times without one; empty: UTC
	Order         string        // "log" (default) or "occurred"
	Asc           bool          // oldest first
	Limit         int           // of one page; 0: the server's 50
	Cursor        string        // of the page before
	Consistent    bool          // see everything that any node of the server was told; else what others were told less than a second ago may be missing
	MinSize       int64         // see the log with at least so many entries: one more than the seq of a receipt; 0: as it is
	Target, Actor *Ref          // only what happened to a target, or what an actor did or had done for it; not both
}

// Ref names a target or an actor.
type Ref struct{ Type, ID string }

// Page is one page of entries.
type Page struct {
	Entries    []Entry  `json:"entries"`
	NextCursor string   `json:"next_cursor"` // empty at the end
	Size       int64    `json:"size"`        // the size of the log that all pages of this search see
	Query      string   `json:"query"`       // normal form
	From       string   `json:"from"`
	To         string   `json:"to"`
	Searched   Searched `json:"searched"`
}

// Searched says what was looked through for an answer.
type Searched struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Days     int    `json:"days"`
	OfDays   int    `json:"of_days"`
	Blocks   int    `json:"blocks"`
	Complete bool   `json:"complete"`
	Reason   string `json:"reason,omitempty"` // when not complete: "time limit" or "block limit"
}

// Entry is one entry of a log.
type Entry struct {
	JSON         []byte // the entry JSON as the server sent it, one line: nothing is re-encoded, numbers keep their digits
	Org          daybook.OrgID
	Seq          int64
	ID           string
	ReceivedAt   time.Time
	LeafHash     string // base64
	Removed      string // "erased" or "retention"; of such an entry Event is empty
	By           string // what removed it; of an entry that the log itself made, who had it made: TYPE:ID
	ErasedFields []string
	Op           string // of an entry that the log itself made: erase, prune, hold, key, epoch; Event is empty then
	Event        daybook.Event
}

// UnmarshalJSON reads the entry JSON and keeps a copy of it.
func (e *Entry) UnmarshalJSON(text []byte) error {
	var w struct {
		Org          daybook.OrgID   `json:"org"`
		Seq          int64           `json:"seq"`
		ID           string          `json:"id"`
		ReceivedAt   time.Time       `json:"received_at"`
		LeafHash     string          `json:"leaf_hash"`
		Removed      string          `json:"removed"`
		By           json.RawMessage `json:"by"` // an object in an entry of the log itself
		ErasedFields []string        `json:"erased_fields"`
		Op           string          `json:"op"`
	}
	if err := json.Unmarshal(text, &w); err != nil {
		return fmt.Errorf("entry: %w", err)
	}
	*e = Entry{
		JSON: bytes.Clone(text), Org: w.Org, Seq: w.Seq, ID: w.ID, ReceivedAt: w.ReceivedAt, LeafHash: w.LeafHash,
		Removed: w.Removed, ErasedFields: w.ErasedFields, Op: w.Op,
	}
	e.By = byWhom(w.By)
	// An event that this version cannot read stays empty: JSON has it all the same.
	if json.Unmarshal(text, &e.Event) != nil {
		e.Event = daybook.Event{}
	}
	e.Event.Org = w.Org
	if bytes.ContainsAny(e.JSON, "\n\r") {
		var one bytes.Buffer
		if err := json.Compact(&one, text); err != nil {
			return fmt.Errorf("entry: %w", err)
		}
		e.JSON = one.Bytes()
	}
	return nil
}

// byWhom reads "by": a text in the place of an entry that was removed, an object in one that the log itself made.
func byWhom(by json.RawMessage) string {
	var who struct{ Type, ID string }
	var text string
	switch {
	case json.Unmarshal(by, &text) == nil:
		return text
	case json.Unmarshal(by, &who) == nil && who.Type != "":
		return who.Type + ":" + who.ID
	}
	return ""
}

// MarshalJSON returns the entry as it came.
func (e Entry) MarshalJSON() ([]byte, error) { return e.JSON, nil }

// Events returns one page of q.
func (c *Client) Events(ctx context.Context, q Query) (*Page, error) {
	path := "/v1/events"
	switch {
	case q.Target != nil:
		path = "/v1/targets/" + segment(q.Target.Type) + "/" + segment(q.Target.ID) + "/events"
	case q.Actor != nil:
		path = "/v1/actors/" + segment(q.Actor.Type) + "/" + segment(q.Actor.ID) + "/events"
	}
	v := values("q", q.Text, "from", q.From, "to", q.To, "tz", q.TZ, "order", q.Order, "cursor", q.Cursor)
	if q.Asc {
		v.Set("asc", "true")
	}
	q.fresh(v)
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	page := &Page{}
	if err := c.get(ctx, path, v, q.Org, page); err != nil {
		return nil, err
	}
	return page, nil
}

// All yields every entry that matches q, page by page. An incomplete search goes on where it stopped.
func (c *Client) All(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if q.Limit == 0 {
			q.Limit = 1000
		}
		for {
			page, err := c.Events(ctx, q)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range page.Entries {
				if !yield(e, nil) {
					return
				}
			}
			if page.NextCursor == "" {
				return
			}
			// The cursor keeps everything else as it was asked for first.
			q = Query{Org: q.Org, Limit: q.Limit, Cursor: page.NextCursor, Target: q.Target, Actor: q.Actor}
		}
	}
}

// Entry returns one entry by the id of its event.
func (c *Client) Entry(ctx context.Context, org daybook.OrgID, id string) (Entry, error) {
	var e Entry
	err := c.get(ctx, "/v1/events/"+segment(id), nil, org, &e)
	return e, err
}

// values builds a query from name and value pairs and leaves out what is empty.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			v.Set(pair[0], pair[1])
		}
	}
	return v
}

// Count returns how many entries match q, up to a bound beyond which exact is false. It looks at Text, From, To and TZ.
func (c *Client) Count(ctx context.Context, q Query) (n int64, exact bool, err error) {
	var out struct {
		Count struct {
			Value int64 `json:"value"`
			Exact bool  `json:"exact"`
		} `json:"count"`
	}
	v := values("q", q.Text, "from", q.From, "to", q.To, "tz", q.TZ)
	v.Set("fields", "")
	q.fresh(v)
	err = c.get(ctx, "/v1/facets", v, q.Org, &out)
	return out.Count.Value, out.Count.Exact, err
}

// fresh adds how much of the log is to be seen.
func (q *Query) fresh(v url.Values) {
	if q.Consistent {
		v.Set("consistent", "true")
	}
	if q.MinSize > 0 {
		v.Set("min_size", strconv.FormatInt(q.MinSize, 10))
	}
}

// FacetCount is one value of a field and how many entries have it.
type FacetCount struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Facet returns the most frequent values of a field (action, actor.id, actor.type, target.type or outcome) among the entries that
// match q, at most top.
func (c *Client) Facet(ctx context.Context, q Query, field string, top int) ([]FacetCount, error) {
	var out struct {
		Facets map[string]struct {
			Values []FacetCount `json:"values"`
		} `json:"facets"`
	}
	err := c.get(ctx, "/v1/facets", values("q", q.Text, "from", q.From, "to", q.To, "tz", q.TZ, "fields", field, "top", strconv.Itoa(top)), q.Org, &out)
	return out.Facets[field].Values, err
}

// segment escapes one segment of a path. A dot alone would be taken for a folder on the way.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}
