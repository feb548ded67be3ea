package daybooktest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/appsql"
)

// Match says which event is asked for. Empty fields match anything.
type Match struct {
	Action     string
	ActorID    string
	TargetType string // of the same target as TargetID
	TargetID   string
	Outcome    daybook.Outcome // daybook.Success matches an event that says nothing
	Changes    []string        // paths that must be there: "/amount"
}

// RequireRecorded returns the newest event that matches want. Without one it ends the test and shows the event that comes closest, and what
// it lacks.
func RequireRecorded(t testing.TB, r *Recorder, want Match) daybook.Event {
	t.Helper()
	return require(t, "recorded", r.Events(), want)
}

// RequireNotRecorded ends the test when an event matches m.
func RequireNotRecorded(t testing.TB, r *Recorder, m Match) {
	t.Helper()
	for _, e := range r.Events() {
		if len(m.lacks(&e)) == 0 {
			t.Fatalf("an event that matches %s was recorded:\n%s", m, text(&e))
		}
	}
}

// RequireRecordedTx is [RequireRecorded] for the events that tx sees in the outbox: those that it wrote itself, and those that wait.
func RequireRecordedTx(t testing.TB, tx daybook.Tx, want Match) daybook.Event {
	t.Helper()
	s, err := appsql.For(string(tx.Dialect()))
	if err != nil {
		t.Fatal(err)
	}
	events, err := posted(t.Context(), tx, s)
	if err != nil {
		t.Fatalf("read the outbox: %v", err)
	}
	return require(t, "in the outbox", events, want)
}

// posted reads the outbox.
func posted(ctx context.Context, tx daybook.Tx, s *appsql.Statements) (events []daybook.Event, err error) {
	type row struct{ id, org, body string }
	rows, err := appsql.All(ctx, tx, s.Posted, nil, func(r *row) []any { return []any{&r.id, &r.org, &r.body} })
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		e := daybook.Event{Org: daybook.OrgID(r.org)}
		if err := json.Unmarshal([]byte(r.body), &e); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

func require(t testing.TB, where string, events []daybook.Event, want Match) daybook.Event {
	t.Helper()
	var closest *daybook.Event
	var least []string
	for i := len(events) - 1; i >= 0; i-- {
		lacks := want.lacks(&events[i])
		if len(lacks) == 0 {
			return events[i]
		}
		if closest == nil || len(lacks) < len(least) {
			closest, least = &events[i], lacks
		}
	}
	if closest == nil {
		t.Fatalf("no event is %s, wanted %s", where, want)
	}
	t.Fatalf("no event %s matches %s. The closest of %d is\n%s\nbut %s", where, want, len(events), text(closest), strings.Join(least, "\nand "))
	return daybook.Event{}
}

// lacks says in what e differs from m.
func (m Match) lacks(e *daybook.Event) []string {
	var out []string
	differs := func(what, want, is string) {
		if want != "" && want != is {
			out = append(out, fmt.Sprintf("its %s is %q, not %q", what, is, want))
		}
	}
	differs("action", m.Action, e.Action)
	differs("actor id", m.ActorID, e.Actor.ID)
	outcome := e.Outcome
	if outcome == "" {
		outcome = daybook.Success
	}
	differs("outcome", string(m.Outcome), string(outcome))
	if (m.TargetType != "" || m.TargetID != "") && !slices.ContainsFunc(e.Targets, m.target) {
		out = append(out, fmt.Sprintf("no target of it is %s:%s", orAny(m.TargetType), orAny(m.TargetID)))
	}
	for _, path := range m.Changes {
		if !slices.ContainsFunc(e.Changes, func(c daybook.Change) bool { return c.Path == path }) {
			out = append(out, "it has no change of "+path)
		}
	}
	return out
}

func (m Match) target(g daybook.Target) bool {
	return (m.TargetType == "" || m.TargetType == g.Type) && (m.TargetID == "" || m.TargetID == g.ID)
}

func orAny(s string) string {
	if s == "" {
		return "*"
	}
	return s
}

// String names what is asked for.
func (m Match) String() string {
	var parts []string
	for _, p := range [...]struct{ name, value string }{
		{"action", m.Action},
		{"actor", m.ActorID},
		{"target type", m.TargetType},
		{"target id", m.TargetID},
		{"outcome", string(m.Outcome)},
		{"changes of", strings.Join(m.Changes, ", ")},
	} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	if parts == nil {
		return "any event"
	}
	return "{" + strings.Join(parts, "; ") + "}"
}

// text shows an event.
func text(e *daybook.Event) string {
	b, err := json.MarshalIndent(e, "  ", "  ")
	if err != nil {
		return fmt.Sprintf("  %+v", *e)
	}
	return "  " + string(b)
}
