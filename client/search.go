package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

// Search asks the server what [daybook.Book.Search] answers in the same process, so that code that looks into a log need not know which of
// the two it has. Of the question it sends all but Now, which is the server's; Zone goes by its name. Of the answer the entries, the cursor,
// the size, the query and whether it is complete are filled in; a Payload holds the recorded members, not byte for byte in every case.
func (c *Client) Search(ctx context.Context, q daybook.EventQuery) (*daybook.Page, error) {
	ask := Query{Org: q.Org, Text: q.Text, From: q.FromText, To: q.ToText, Asc: q.Asc, Limit: q.Limit, Cursor: q.Cursor}
	if q.Query != nil {
		ask.Text = q.Query.String()
	}
	if q.Within != nil && !q.Within.Empty() {
		ask.Text = strings.TrimSpace(parenthesized(ask.Text) + " " + parenthesized(q.Within.String()))
	}
	for _, b := range [...]struct {
		micros int64
		text   *string
	}{{q.From, &ask.From}, {q.To, &ask.To}} {
		if b.micros != 0 {
			*b.text = string(daybook.AppendTime(nil, b.micros))
		}
	}
	if q.Zone != nil {
		ask.TZ = q.Zone.String()
	}
	if q.Order == daybook.OrderOccurred {
		ask.Order = "occurred"
	}
	if q.Cursor != "" { // it keeps everything else
		ask = Query{Org: q.Org, Limit: q.Limit, Cursor: q.Cursor}
	}
	page, err := c.Events(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := &daybook.Page{
		NextCursor: page.NextCursor, Size: page.Size, Query: page.Query,
		Searched: daybook.Searched{Days: page.Searched.Days, OfDays: page.Searched.OfDays, Blocks: page.Searched.Blocks, Complete: page.Searched.Complete, Reason: page.Searched.Reason},
	}
	for i := range page.Entries {
		entry, err := page.Entries[i].entry()
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", page.Entries[i].Seq, err)
		}
		out.Entries = append(out.Entries, entry)
	}
	return out, nil
}

func parenthesized(text string) string {
	if text == "" {
		return ""
	}
	return "(" + text + ")"
}

// entry returns e as a Book gives it.
func (e *Entry) entry() (daybook.Entry, error) {
	out := daybook.Entry{
		Org: e.Org, Seq: e.Seq, ReceivedAt: e.ReceivedAt.UnixMicro(), RemovedBy: e.By, Erased: len(e.ErasedFields), ErasedFields: e.ErasedFields,
	}
	var err error
	if out.ID, err = daybook.ParseID(e.ID); err != nil {
		return out, err
	}
	if out.LeafHash, err = tlog.ParseHash(e.LeafHash); err != nil {
		return out, err
	}
	switch {
	case e.Op != "":
		out.Kind = daybook.KindControl
	case e.Removed == daybook.RemovedByErasure.String():
		out.Removed = daybook.RemovedByErasure
		return out, nil
	case e.Removed != "":
		out.Removed = daybook.RemovedByRetention
		return out, nil
	}
	out.Payload, err = payload(e.JSON)
	return out, err
}

// placed are the members in front of an entry's JSON that say where it stands, not what was recorded.
var placed = map[string]bool{"org": true, "seq": true, "received_at": true, "leaf_hash": true, "erased_fields": true}

// payload returns the recorded members of an entry's JSON.
func payload(text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	out := []byte{'{'}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		word, ok := name.(string)
		if !ok || placed[word] {
			continue
		}
		quoted, err := json.Marshal(word)
		if err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted...), ':'), value...)
	}
	return append(out, '}'), nil
}
