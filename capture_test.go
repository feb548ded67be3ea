package daybook_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// shouting is a Redactor of an application's own.
type shouting struct{}

func (shouting) Redact(path string, v json.RawMessage) json.RawMessage {
	if path == "/context/http/params/id" {
		return json.RawMessage(`"ID"`)
	}
	return v
}

func TestHTTPRedacted(t *testing.T) {
	t.Parallel()
	book, err := daybook.Open(t.Context(), storetest.Memory(), daybook.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, tt := range map[string]struct {
		redact daybook.Redactor
		ctx    context.Context
		params string
		meta   string
	}{
		"not said":      {nil, t.Context(), `{"id":"1","key":{"$masked":true}}`, `{"key":{"$masked":true},"http":{"key":{"$masked":true}}}`},
		"said":          {nil, daybook.HTTPRedacted(t.Context()), `{"id":"1","key":"k"}`, `{"key":{"$masked":true},"http":{"key":"k"}}`},
		"its own rules": {shouting{}, daybook.HTTPRedacted(t.Context()), `{"id":"ID","key":"k"}`, `{"key":"k","http":{"key":"k"}}`},
	} {
		clerk, err := daybook.NewClerk(book, daybook.ClerkOptions{Org: "org_acme", Redact: tt.redact})
		if err != nil {
			t.Fatal(err)
		}
		receipt, err := clerk.Record(tt.ctx, daybook.Event{
			Action: "a.b", Actor: daybook.System("test"), Metadata: json.RawMessage(`{"key":"k","http":{"key":"k"}}`),
			Context: daybook.Context{HTTP: &daybook.HTTP{Params: json.RawMessage(`{"id":"1","key":"k"}`)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		entry, err := book.EntryAt(t.Context(), "org_acme", receipt.Seq)
		if err != nil {
			t.Fatal(err)
		}
		e, err := entry.Event()
		if err != nil {
			t.Fatal(err)
		}
		if string(e.Context.HTTP.Params) != tt.params || string(e.Metadata) != tt.meta {
			t.Errorf("%s: recorded %s %s", name, e.Context.HTTP.Params, e.Metadata)
		}
	}
}

// refusing is a Recorder that does not record.
type refusing struct{}

var errRefusing = errors.New("out of reach")

func (refusing) Record(context.Context, daybook.OrgID, daybook.Event) (daybook.Receipt, error) {
	return daybook.Receipt{}, errRefusing
}

func (refusing) RecordBatch(context.Context, daybook.OrgID, []daybook.Event) ([]daybook.Receipt, error) {
	return nil, errRefusing
}

func TestCountRecorded(t *testing.T) {
	t.Parallel()
	var n daybook.Recorded
	ctx := daybook.CountRecorded(t.Context(), &n)
	e := daybook.Event{Action: "a.b", Actor: daybook.System("test"), Org: "org_acme"}
	clerk, err := daybook.NewClerk(refusing{}, daybook.ClerkOptions{Failure: []daybook.FailureRule{{Action: "a.*", Policy: daybook.FailOpen}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clerk.Record(ctx, e); err != nil || n.Durable.Load() != 0 {
		t.Errorf("a lost event: %v, counted %d", err, n.Durable.Load())
	}
	clerk.Lose(ctx, e, errRefusing)
	if got := clerk.Stats().Lost; got != 2 {
		t.Errorf("lost %d, want 2", got)
	}
	if clerk.Policy("a.b") != daybook.FailOpen || clerk.Policy("b.c") != daybook.FailClosed {
		t.Error("Policy is not that of the rules")
	}
	book, err := daybook.Open(t.Context(), storetest.Memory(), daybook.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close() //nolint:errcheck // nothing depends on it
	if clerk, err = daybook.NewClerk(book, daybook.ClerkOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := clerk.Record(ctx, e); err != nil || n.Durable.Load() != 1 {
		t.Errorf("a recorded event: %v, counted %d", err, n.Durable.Load())
	}
}
