package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook"
)

// Search is [daybook.Book.Search] through the server, so that what reads a log takes either. Query and Within are not sent: a question
// for a server is text. Entries hold the recorded members without those of the log; what proves them is not among them, see
// [Client.Bundle].
func (c *Client) Search(ctx context.Context, q daybook.EventQuery) (*daybook.Page, error) {
	ask := Query{Org: q.Org, Text: q.Text, From: q.FromText, To: q.ToText, Asc: q.Asc, Limit: q.Limit, Cursor: q.Cursor}
	if q.Query != nil || q.Within != nil {
		return nil, errors.New("search: a question for a server is text")
	}
	if q.From != 0 {
		ask.From = micros(q.From)
	}
	if q.To != 0 {
		ask.To = micros(q.To)
	}
	if q.Zone != nil {
		ask.TZ = q.Zone.String()
	}
	if q.Order == daybook.OrderOccurred {
		ask.Order = "occurred"
	}
	found, err := c.Events(ctx, ask)
	if err != nil {
		return nil, err
	}
	page := &daybook.Page{NextCursor: found.NextCursor, Size: found.Size, Query: found.Query, Entries: make([]daybook.Entry, len(found.Entries))}
	page.Searched = daybook.Searched{
		Days: found.Searched.Days, OfDays: found.Searched.OfDays, Blocks: found.Searched.Blocks, Complete: found.Searched.Complete, Reason: found.Searched.Reason,
	}
	for i := range found.Entries {
		if page.Entries[i], err = found.Entries[i].entry(); err != nil {
			return nil, fmt.Errorf("search: entry %d: %w", found.Entries[i].Seq, err)
		}
	}
	return page, nil
}

func micros(at int64) string { return time.UnixMicro(at).UTC().Format("2006-01-02T15:04:05.000000Z") }

// entry is e as a Book gives it.
func (e *Entry) entry() (daybook.Entry, error) {
	out := daybook.Entry{
		Org: e.Org, Seq: e.Seq, ReceivedAt: e.ReceivedAt.UnixMicro(), RemovedBy: e.By, ErasedFields: e.ErasedFields, Erased: len(e.ErasedFields),
	}
	var err error
	if out.ID, err = daybook.ParseID(e.ID); err != nil {
		return out, err
	}
	hash, err := base64.StdEncoding.DecodeString(e.LeafHash)
	if err != nil || len(hash) != len(out.LeafHash) {
		return out, fmt.Errorf("leaf_hash %q is no hash", e.LeafHash)
	}
	copy(out.LeafHash[:], hash)
	switch e.Removed {
	case "":
	case daybook.RemovedByErasure.String():
		out.Removed = daybook.RemovedByErasure
	default:
		out.Removed = daybook.RemovedByRetention
	}
	if e.Op != "" {
		out.Kind = daybook.KindControl
	}
	if out.Removed == daybook.NotRemoved {
		out.Payload, err = recorded(e.JSON)
	}
	return out, err
}

// recorded returns the JSON of an entry without the members that the log has put in front.
func recorded(text []byte) ([]byte, error) {
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
		switch name {
		case "org", "seq", "received_at", "leaf_hash", "erased_fields":
			continue
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	return append(out, '}'), nil
}
