package daybook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
)

// TestCarrier: the scope of one process is that of another, as long as nobody touched it and it is not too old.
func TestCarrier(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m := &memory{}
	clerk := newClerk(t, m, daybook.ClerkOptions{Secret: bytes.Repeat([]byte{7}, 32), Now: func() time.Time { return now }})
	scope := daybook.Scope{
		Org: "acme", ActorFunc: func(context.Context) (daybook.Actor, error) { return ada.As(grace), nil }, Reason: "PO 1", CorrelationID: "job",
		Context: daybook.Context{IP: "10.0.0.1", RequestID: "r", HTTP: &daybook.HTTP{Method: "PUT", Params: json.RawMessage(`{"a":1.50}`)}},
	}
	carrier, err := clerk.Inject(daybook.WithScope(t.Context(), scope), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := clerk.Extract(t.Context(), carrier)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clerk.Record(ctx, daybook.Event{Action: "job.done"}); err != nil {
		t.Fatal(err)
	}
	want := daybook.Event{Org: "acme", Action: "job.done", Actor: ada.As(grace), Reason: "PO 1", CorrelationID: "job", Context: scope.Context}
	if diff := cmp.Diff(want, m.last(t)); diff != "" {
		t.Error(diff)
	}
	other := newClerk(t, m, daybook.ClerkOptions{Secret: bytes.Repeat([]byte{8}, 32), Now: func() time.Time { return now }})
	if _, err := other.Extract(t.Context(), carrier); !errors.Is(err, daybook.ErrCarrier) {
		t.Errorf("with another secret: %v", err)
	}
	body, tag, _ := strings.Cut(carrier, ".")
	for _, forged := range []string{"", ".", body, body + ".", body[:len(body)-2] + "." + tag, "A" + carrier, carrier + "=", body + "." + tag[:20]} {
		if _, err := clerk.Extract(t.Context(), forged); !errors.Is(err, daybook.ErrCarrier) {
			t.Errorf("%q: %v", forged, err)
		}
	}
	now = now.Add(time.Minute)
	if _, err := clerk.Extract(t.Context(), carrier); !errors.Is(err, daybook.ErrCarrier) {
		t.Errorf("an old one: %v", err)
	}
	bare := newClerk(t, m, daybook.ClerkOptions{})
	if _, err := bare.Inject(t.Context(), time.Minute); err == nil {
		t.Error("a carrier was made without a secret")
	}
	if _, err := bare.Extract(t.Context(), carrier); err == nil || errors.Is(err, daybook.ErrCarrier) {
		t.Errorf("without a secret: %v", err)
	}
	if _, err := daybook.NewClerk(m, daybook.ClerkOptions{Secret: []byte("short")}); err == nil {
		t.Error("a short secret was taken")
	}
}

// FuzzExtract: nothing but what Inject made is taken, and nothing makes it panic.
func FuzzExtract(f *testing.F) {
	clerk, err := daybook.NewClerk(&memory{}, daybook.ClerkOptions{Secret: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("")
	f.Add("e30.AAAA")
	f.Add("eyJleHBpcmVzIjo5OTk5OTk5OTk5OTk5fQ.")
	f.Fuzz(func(t *testing.T, carrier string) {
		if _, err := clerk.Extract(t.Context(), carrier); err == nil {
			t.Errorf("%q was taken", carrier)
		}
	})
}

// TestWithoutRecording: it leaves out what the Clerk is asked under its context, and says so.
func TestWithoutRecording(t *testing.T) {
	t.Parallel()
	m := &memory{}
	clerk, another := newClerk(t, m, daybook.ClerkOptions{Org: "acme"}), newClerk(t, m, daybook.ClerkOptions{Org: "acme"})
	ctx := daybook.WithActor(t.Context(), ada)
	record := func(ctx context.Context, c *daybook.Clerk) {
		if r, err := c.Record(ctx, daybook.Event{Action: "row.imported"}); err != nil || r.ID.IsZero() {
			t.Errorf("%+v %v", r, err)
		}
	}
	own := errors.New("own")
	err := clerk.WithoutRecording(ctx, "import of 2019", func(inner context.Context) error {
		record(inner, clerk)
		record(inner, clerk)
		record(inner, another)
		record(ctx, clerk)
		return clerk.WithoutRecording(inner, "in it", func(inner context.Context) error { record(inner, clerk); return own })
	})
	if !errors.Is(err, own) {
		t.Errorf("got %v", err)
	}
	var got []string
	for _, e := range m.events {
		got = append(got, e.Action+" "+e.Reason+string(e.Metadata))
	}
	if diff := cmp.Diff([]string{"row.imported ", "row.imported ", `recording.suspended in it{"left_out":1}`, `recording.suspended import of 2019{"left_out":2}`}, got); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	for name, refused := range map[string]error{
		"no reason": clerk.WithoutRecording(ctx, "", func(context.Context) error { t.Error("it ran"); return nil }),
		"nobody":    clerk.WithoutRecording(t.Context(), "why", func(context.Context) error { t.Error("it ran"); return nil }),
	} {
		if refused == nil {
			t.Errorf("%s was taken", name)
		}
	}
	m.err = errors.New("full")
	func() {
		defer func() { _ = recover() }()
		_ = clerk.WithoutRecording(ctx, "why", func(context.Context) error { panic("boom") })
	}()
	if clerk.Stats().Lost != 1 {
		t.Errorf("after a panic %+v", clerk.Stats())
	}
}
