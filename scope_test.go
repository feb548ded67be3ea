package daybook_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
)

// recordedIn returns what a Clerk makes of an almost empty event in ctx.
func recordedIn(t *testing.T, ctx context.Context) daybook.Event {
	t.Helper()
	m := &memory{}
	c := newClerk(t, m, daybook.ClerkOptions{Org: "acme", Actor: daybook.UnknownIsValid})
	if _, err := c.Record(ctx, daybook.Event{Action: "a"}); err != nil {
		t.Fatal(err)
	}
	return m.last(t)
}

func TestWithScope(t *testing.T) {
	t.Parallel()
	ctx := daybook.WithScope(t.Context(), daybook.Scope{Org: "o1", CorrelationID: "c1", Context: daybook.Context{IP: "ip1", UserAgent: "ua1"}})
	ctx = daybook.WithActor(ctx, ada)
	ctx = daybook.WithReason(ctx, "why")
	inner := daybook.WithScope(ctx, daybook.Scope{Actor: grace, Context: daybook.Context{IP: "ip2", TraceID: "t2"}})
	want := daybook.Event{
		Org: "o1", Action: "a", Actor: grace, Reason: "why", CorrelationID: "c1", Context: daybook.Context{IP: "ip2", UserAgent: "ua1", TraceID: "t2"},
	}
	if diff := cmp.Diff(want, recordedIn(t, inner)); diff != "" {
		t.Error(diff)
	}
	want.Actor, want.Context = ada, daybook.Context{IP: "ip1", UserAgent: "ua1"}
	if diff := cmp.Diff(want, recordedIn(t, ctx)); diff != "" {
		t.Errorf("the outer scope changed: %s", diff)
	}
}

// TestWithScope_actorFunc: it is asked at record time, and the one of Actor and ActorFunc that was set last holds.
func TestWithScope_actorFunc(t *testing.T) {
	t.Parallel()
	who := daybook.Actor{}
	asked := daybook.Scope{ActorFunc: func(context.Context) (daybook.Actor, error) { return who, nil }}
	ctx := daybook.WithScope(daybook.WithActor(t.Context(), ada), asked)
	if got := recordedIn(t, ctx).Actor.Type; got != "unknown" {
		t.Errorf("before authentication: %s", got)
	}
	who = grace
	if got := recordedIn(t, daybook.WithReason(ctx, "x")).Actor.ID; got != grace.ID {
		t.Errorf("after authentication: %s", got)
	}
	if got := recordedIn(t, daybook.WithActor(ctx, ada)).Actor.ID; got != ada.ID {
		t.Errorf("an actor set later: %s", got)
	}
}

// TestWithScope_copies: what the caller changes later changes no event.
func TestWithScope_copies(t *testing.T) {
	t.Parallel()
	s := daybook.Scope{
		Actor:   daybook.Actor{Type: "u", ID: "1", Metadata: json.RawMessage(`{"a":1}`), Via: []daybook.Actor{{ID: "2", Metadata: json.RawMessage(`{"b":1}`)}}},
		Context: daybook.Context{HTTP: &daybook.HTTP{Method: http.MethodPut, Params: json.RawMessage(`{"c":1}`)}},
	}
	ctx := daybook.WithScope(t.Context(), s)
	want := recordedIn(t, ctx)
	s.Actor.Metadata[2], s.Actor.Via[0].ID, s.Actor.Via[0].Metadata[2] = 'X', "X", 'X'
	s.Context.HTTP.Method, s.Context.HTTP.Params[2] = "X", 'X'
	if want.Actor.Via[0].ID != "2" || want.Context.HTTP.Method != http.MethodPut {
		t.Fatalf("recorded %+v", want)
	}
	if diff := cmp.Diff(want, recordedIn(t, ctx)); diff != "" {
		t.Error(diff)
	}
}

func TestDetach(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(daybook.WithActor(t.Context(), ada))
	cancel()
	detached := daybook.Detach(ctx)
	if detached.Err() != nil {
		t.Error("the cancellation was kept")
	}
	if got := recordedIn(t, detached).Actor.ID; got != ada.ID {
		t.Errorf("actor %s", got)
	}
}
