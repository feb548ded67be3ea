package daybook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
)

// memory is a Recorder that keeps what it is given, or fails.
type memory struct {
	mu     sync.Mutex
	events []daybook.Event
	err    error
}

func (m *memory) Record(ctx context.Context, org daybook.OrgID, e daybook.Event) (daybook.Receipt, error) {
	rs, err := m.RecordBatch(ctx, org, []daybook.Event{e})
	if err != nil {
		return daybook.Receipt{}, err
	}
	return rs[0], nil
}

func (m *memory) RecordBatch(ctx context.Context, org daybook.OrgID, es []daybook.Event) ([]daybook.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var rs []daybook.Receipt
	for _, e := range es {
		if e.Org != org {
			return nil, errors.New("the org of the event is another")
		}
		rs = append(rs, daybook.Receipt{ID: e.ID, Org: org, Seq: int64(len(m.events))})
		m.events = append(m.events, e)
	}
	return rs, nil
}

// last returns the newest event without its id, which must be set.
func (m *memory) last(t *testing.T) daybook.Event {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.events) == 0 {
		t.Fatal("nothing was recorded")
	}
	e := m.events[len(m.events)-1]
	if e.ID.IsZero() {
		t.Error("the event has no id")
	}
	e.ID = daybook.ID{}
	return e
}

func newClerk(t *testing.T, to daybook.Recorder, o daybook.ClerkOptions) *daybook.Clerk {
	t.Helper()
	c, err := daybook.NewClerk(to, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var ada, grace = daybook.Actor{Type: "user", ID: "1", Name: "Ada"}, daybook.Actor{Type: "user", ID: "2", Name: "Grace"}

func TestClerk_Record(t *testing.T) {
	t.Parallel()
	scoped := daybook.Scope{
		Org: "scoped", Actor: ada, Reason: "PO 1", CorrelationID: "job",
		Context: daybook.Context{IP: "10.0.0.1", UserAgent: "ua", RequestID: "r", TraceID: "t", SessionID: "s", HTTP: &daybook.HTTP{Method: http.MethodPut}},
	}
	tests := []struct {
		name  string
		scope *daybook.Scope
		give  daybook.Event
		want  daybook.Event
	}{
		{
			name: "from the options", give: daybook.Event{Action: "a", Actor: grace},
			want: daybook.Event{Org: "acme", Action: "a", Actor: grace},
		},
		{
			name: "from the context", scope: &scoped, give: daybook.Event{Action: "a"},
			want: daybook.Event{Org: "scoped", Action: "a", Actor: ada, Reason: "PO 1", CorrelationID: "job", Context: scoped.Context},
		},
		{
			name: "the event wins", scope: &scoped,
			give: daybook.Event{
				Org: "own", Action: "a", Actor: grace, Reason: "r2", CorrelationID: "c2", Outcome: daybook.Denied,
				Context: daybook.Context{IP: "::1", HTTP: &daybook.HTTP{Method: http.MethodGet}},
			},
			want: daybook.Event{
				Org: "own", Action: "a", Actor: grace, Reason: "r2", CorrelationID: "c2", Outcome: daybook.Denied,
				Context: daybook.Context{IP: "::1", UserAgent: "ua", RequestID: "r", TraceID: "t", SessionID: "s", HTTP: &daybook.HTTP{Method: http.MethodGet}},
			},
		},
		{
			name: "redacted", give: daybook.Event{Action: "a", Actor: grace, Metadata: json.RawMessage(`{"password":"x"}`)},
			want: daybook.Event{Org: "acme", Action: "a", Actor: grace, Metadata: json.RawMessage(`{"password":{"$masked":true}}`)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := &memory{}
			ctx := t.Context()
			if tt.scope != nil {
				ctx = daybook.WithScope(ctx, *tt.scope)
			}
			r, err := newClerk(t, m, daybook.ClerkOptions{Org: "acme"}).Record(ctx, tt.give)
			if err != nil {
				t.Fatal(err)
			}
			if r.Org != tt.want.Org || r.ID != m.events[0].ID {
				t.Errorf("receipt %+v", r)
			}
			if diff := cmp.Diff(tt.want, m.last(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestClerk_Record_refusals(t *testing.T) {
	t.Parallel()
	m := &memory{}
	fails := errors.New("no session")
	open := []daybook.FailureRule{{Action: "*", Policy: daybook.FailOpen}}
	c := newClerk(t, m, daybook.ClerkOptions{Failure: open})
	ctx := daybook.WithScope(t.Context(), daybook.Scope{Org: "acme"})
	if _, err := c.Record(ctx, daybook.Event{Action: "a"}); !errors.Is(err, daybook.ErrNoActor) {
		t.Errorf("no actor: %v", err)
	}
	if _, err := c.Record(t.Context(), daybook.Event{Action: "a", Actor: ada}); daybook.CodeOf(err) != daybook.CodeInvalid {
		t.Errorf("no org: %v", err)
	}
	asked := daybook.WithScope(ctx, daybook.Scope{ActorFunc: func(context.Context) (daybook.Actor, error) { return ada, fails }})
	if _, err := c.Record(asked, daybook.Event{Action: "a"}); !errors.Is(err, fails) {
		t.Errorf("ActorFunc fails: %v", err)
	}
	if _, err := c.Record(ctx, daybook.Event{Action: "a", Actor: ada, Metadata: json.RawMessage(`{`)}); daybook.CodeOf(err) != daybook.CodeInvalid {
		t.Errorf("no JSON: %v", err)
	}
	if len(m.events) != 0 || c.Stats() != (daybook.ClerkStats{}) {
		t.Errorf("recorded %v, stats %+v", m.events, c.Stats())
	}
}

func TestClerk_unknownIsValid(t *testing.T) {
	t.Parallel()
	m := &memory{}
	c := newClerk(t, m, daybook.ClerkOptions{Org: "acme", Actor: daybook.UnknownIsValid})
	if _, err := c.Record(t.Context(), daybook.Event{Action: "a"}); err != nil {
		t.Fatal(err)
	}
	if a := m.last(t).Actor; a.Type != "unknown" || a.ID != "unknown" || c.Stats().Unknown != 1 {
		t.Errorf("actor %+v, stats %+v", a, c.Stats())
	}
	if _, err := c.Record(t.Context(), daybook.Event{Action: "a", Actor: daybook.System("cron:billing")}); err != nil || c.Stats().Unknown != 1 {
		t.Errorf("%v, stats %+v", err, c.Stats())
	}
}

// TestClerk_failure: by policy the caller learns of a failure or the log does, and a repeat can name the same event.
func TestClerk_failure(t *testing.T) {
	t.Parallel()
	fails := errors.New("disk on fire")
	var logged bytes.Buffer
	m := &memory{err: fails}
	c := newClerk(t, m, daybook.ClerkOptions{
		Org: "acme", Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		Failure: []daybook.FailureRule{{Action: "page.deleted"}, {Action: "page.*", Policy: daybook.FailOpen}},
	})
	for _, action := range []string{"page.deleted", "invoice.paid"} {
		r, err := c.Record(t.Context(), daybook.Event{Action: action, Actor: ada})
		if !errors.Is(err, fails) {
			t.Errorf("%s fails closed: %v", action, err)
		}
		if r.ID.IsZero() || r.Org != "acme" {
			t.Errorf("%s: receipt %+v does not name the event", action, r)
		}
	}
	if logged.Len() > 0 || c.Stats().Lost != 0 {
		t.Errorf("an error was returned and logged: %s", &logged)
	}
	r, err := c.Record(t.Context(), daybook.Event{Action: "page.viewed", Actor: ada})
	if err != nil || c.Stats().Lost != 1 {
		t.Errorf("fails open: %v, stats %+v", err, c.Stats())
	}
	for _, want := range []string{"page.viewed", "disk on fire", "acme", r.ID.String()} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log lacks %q: %s", want, &logged)
		}
	}
}

func TestNewClerk_refusals(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]daybook.ClerkOptions{
		"org":     {Org: "a b"},
		"actor":   {Actor: 7},
		"failure": {Failure: []daybook.FailureRule{{Action: "*", Policy: -1}}},
	} {
		if _, err := daybook.NewClerk(&memory{}, o); err == nil {
			t.Errorf("a wrong %s was taken", name)
		}
	}
	if _, err := daybook.NewClerk(nil, daybook.ClerkOptions{}); err == nil {
		t.Error("no Recorder was taken")
	}
}

func TestClerk_Do(t *testing.T) {
	t.Parallel()
	plain := errors.New("secret text of a driver")
	own := &daybook.EventFault{Code: "mine"}
	tests := []struct {
		name    string
		err     error
		give    *daybook.EventFault
		outcome daybook.Outcome
		want    *daybook.EventFault
	}{
		{"success", nil, own, daybook.Success, nil},
		{"denied", &daybook.Error{Code: daybook.CodeForbidden, Message: "not yours"}, nil, daybook.Denied, &daybook.EventFault{Code: "forbidden", Message: "not yours"}},
		{"failure", &daybook.Error{Code: daybook.CodeConflict, Message: "taken", Err: plain}, nil, daybook.Failure, &daybook.EventFault{Code: "conflict", Message: "taken"}},
		{"another error", plain, nil, daybook.Failure, &daybook.EventFault{Code: "internal"}},
		{"a fault of the caller's", plain, own, daybook.Failure, own},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := &memory{}
			c := newClerk(t, m, daybook.ClerkOptions{Org: "acme"})
			ctx, cancel := context.WithCancel(daybook.WithActor(t.Context(), ada))
			err := c.Do(ctx, daybook.Event{Action: "a", Error: tt.give}, func(context.Context) error {
				cancel() // the deed is recorded all the same
				return tt.err
			})
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("returned %v", err)
			}
			e := m.last(t)
			if diff := cmp.Diff(tt.want, e.Error); diff != "" || e.Outcome != tt.outcome {
				t.Errorf("outcome %s, fault %s", e.Outcome, diff)
			}
		})
	}
}

func TestClerk_Do_joins(t *testing.T) {
	t.Parallel()
	full, deed := errors.New("full"), errors.New("deed")
	c := newClerk(t, &memory{err: full}, daybook.ClerkOptions{Org: "acme"})
	err := c.Do(t.Context(), daybook.Event{Action: "a", Actor: ada}, func(context.Context) error { return deed })
	if !errors.Is(err, full) || !errors.Is(err, deed) {
		t.Errorf("got %v", err)
	}
	if err := c.Do(t.Context(), daybook.Event{Action: "a", Actor: ada}, func(context.Context) error { return nil }); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

// TestClerk_Do_panic: a panic is recorded and goes on; when recording fails too, that is logged and counted.
func TestClerk_Do_panic(t *testing.T) {
	t.Parallel()
	m := &memory{}
	c := newClerk(t, m, daybook.ClerkOptions{Org: "acme"})
	run := func(f func()) (recovered any) {
		defer func() { recovered = recover() }()
		_ = c.Do(t.Context(), daybook.Event{Action: "a", Actor: ada}, func(context.Context) error { f(); return nil })
		return nil
	}
	if r := run(func() { panic("boom") }); r != "boom" {
		t.Errorf("recovered %v", r)
	}
	if e := m.last(t); e.Outcome != daybook.Failure || e.Error == nil || e.Error.Code != "panic" {
		t.Errorf("recorded %+v", e)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(runtime.Goexit)
	}()
	<-done
	if len(m.events) != 2 {
		t.Errorf("%d events after Goexit, want 2", len(m.events))
	}
	m.err = errors.New("full")
	if r := run(func() { panic("again") }); r != "again" || c.Stats().Lost != 1 {
		t.Errorf("recovered %v, stats %+v", r, c.Stats())
	}
}

func TestClerk_globs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		glob, action string
		match        bool
	}{
		{"a.b", "a.b", true},
		{"a.b", "a.bc", false},
		{"", "a", false},
		{"*", "a", true},
		{"a.*", "a.b.c", true},
		{"a.*", "a", false},
		{"*.deleted", "user.deleted", true},
		{"*.deleted", "user.deleted.x", false},
		{"a*b*c", "aXbYbc", true},
		{"a*b*c", "acb", false},
		{"a*a", "a", false},
		{"**", "x", true},
		{"a*b", "ab", true},
		{"*ab", "aab", true},
	} {
		c := newClerk(t, &memory{err: errors.New("full")}, daybook.ClerkOptions{Org: "acme", Failure: []daybook.FailureRule{{Action: tt.glob, Policy: daybook.FailOpen}}})
		if _, err := c.Record(t.Context(), daybook.Event{Action: tt.action, Actor: ada}); (err == nil) != tt.match {
			t.Errorf("%q matches %q: %t, want %t", tt.glob, tt.action, err == nil, tt.match)
		}
	}
}
