package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

// Record records one event. It promises what [daybook.Recorder] promises: nil means that the event survives power loss. An
// event without an id gets one here, so that an attempt whose answer was lost can be repeated without recording twice.
func (c *Client) Record(ctx context.Context, org daybook.OrgID, e daybook.Event) (daybook.Receipt, error) {
	rs, err := c.RecordBatch(ctx, org, []daybook.Event{e})
	if err != nil {
		if batch, ok := errors.AsType[*daybook.BatchError](err); ok {
			return daybook.Receipt{}, batch.Errors[0].Err
		}
		return daybook.Receipt{}, err
	}
	return rs[0], nil
}

// RecordBatch records all of es or none, at most 1,000 events and 5 MiB, and returns the receipts in their order.
func (c *Client) RecordBatch(ctx context.Context, org daybook.OrgID, es []daybook.Event) ([]daybook.Receipt, error) {
	if len(es) == 0 {
		return nil, nil
	}
	events := make([][]byte, len(es))
	for i := range es {
		e := es[i]
		if e.ID.IsZero() {
			e.ID = daybook.NewID()
		}
		if org == "" {
			org = e.Org
		}
		text, err := e.MarshalJSON()
		if err != nil {
			return nil, &daybook.Error{Code: daybook.CodeInvalid, Rule: "syntax", Message: fmt.Sprintf("event %d is not valid JSON", i), Err: err}
		}
		events[i] = text
	}
	res, err := c.RecordJSON(ctx, Request{Org: org, Events: events})
	return res.Receipts, err
}

// Request is a batch of events as JSON.
type Request struct {
	Org     daybook.OrgID
	Events  [][]byte // one JSON object each
	Key     string   // Idempotency-Key of the whole request; empty: the events' own ids
	Partial bool     // record the good ones even when others are refused
}

// Result says what became of the events of a [Request], in their order.
type Result struct {
	Receipts []daybook.Receipt // zero where refused
	Errors   []daybook.EventError
}

// RecordJSON records events that are JSON already, all or none unless Partial. It repeats the request after a failure only when
// that cannot record twice: with a Key, or when every event carries an id.
func (c *Client) RecordJSON(ctx context.Context, r Request) (Result, error) {
	if len(r.Events) == 0 {
		return Result{}, nil
	}
	once := r.Key == ""
	var body bytes.Buffer
	body.WriteByte('[')
	for i, e := range r.Events {
		if i > 0 {
			body.WriteByte(',')
		}
		body.Write(e)
	}
	body.WriteByte(']')
	if once {
		once = !allNamed(r.Events)
	}
	q := url.Values{}
	if r.Partial {
		q.Set("partial", "true")
	}
	header := http.Header{}
	if r.Key != "" {
		header.Set("Idempotency-Key", r.Key)
	}
	var answer struct {
		Receipts []*receipt `json:"receipts"`
		Errors   []Refusal  `json:"errors"`
	}
	err := c.json(ctx, call{method: http.MethodPost, path: "/v1/events", query: q, org: r.Org, body: body.Bytes(), header: header, once: once}, &answer)
	if err != nil {
		return Result{}, err
	}
	if len(answer.Receipts) != len(r.Events) {
		return Result{}, fmt.Errorf("%d events were sent and %d receipts came back: %w", len(r.Events), len(answer.Receipts), daybook.ErrUnknownOutcome)
	}
	res := Result{Receipts: make([]daybook.Receipt, len(answer.Receipts))}
	for i, a := range answer.Receipts {
		if a != nil {
			res.Receipts[i] = a.receipt(first(r.Org, c.o.Org))
		}
	}
	for _, e := range answer.Errors {
		res.Errors = append(res.Errors, daybook.EventError{Index: e.Index, Err: &daybook.Error{Code: daybook.CodeInvalid, Rule: e.Code, Field: e.Field, Message: e.Detail}})
	}
	return res, nil
}

// allNamed reports whether every event carries an id. One that is no JSON counts as named: the server refuses it.
func allNamed(events [][]byte) bool {
	for _, e := range events {
		var named struct{ ID string }
		if json.Unmarshal(e, &named) == nil && named.ID == "" {
			return false
		}
	}
	return true
}

// receipt is a receipt on the wire.
type receipt struct {
	ID         daybook.ID `json:"id"`
	Seq        int64      `json:"seq"`
	LeafHash   tlog.Hash  `json:"leaf_hash"`
	ReceivedAt time.Time  `json:"received_at"`
	Duplicate  bool       `json:"duplicate"`
}

func (r *receipt) receipt(org daybook.OrgID) daybook.Receipt {
	return daybook.Receipt{ID: r.ID, Org: org, Seq: r.Seq, LeafHash: r.LeafHash, ReceivedAt: r.ReceivedAt, Duplicate: r.Duplicate}
}
