package selfaudit

import (
	"encoding/json"
	"time"

	"github.com/daybook-audit/daybook"
)

// Refusal is events of a producer that a log did not take. Their bodies are in none of what is recorded of it.
type Refusal struct {
	Org      daybook.OrgID
	By       daybook.Actor
	Context  daybook.Context
	Conflict bool   // an idempotency key that was used for another body; else the events are not well formed, or too large
	Rule     string // the word of the answer
	Events   int64
}

// refusalWindow is how long equal refusals are one event: a producer that is wrong is wrong all day.
const refusalWindow = 5 * time.Minute

// Refused notes a refusal. Those of one principal for one rule are one event at once, and one with their number when the window ends.
func (a *Auditor) Refused(r Refusal) {
	action := "daybook.event.rejected"
	if r.Conflict {
		action = "daybook.event.conflict"
	}
	a.Saw(Look{
		Org: r.Org, Action: action, By: r.By, Context: r.Context, Outcome: daybook.Failure,
		Rule: r.Rule, Query: r.Rule, Window: refusalWindow, Shown: Shown{Rows: r.Events},
	})
}

// refusal is the event of events that were refused.
func (l *Look) refusal(events int64, since time.Time, crowded bool) daybook.Event {
	d := struct {
		Rule   string `json:"rule,omitempty"`
		Events int64  `json:"events"`
		Since  string `json:"since,omitempty"` // of several: when the first was
	}{Rule: l.Rule, Events: events}
	e := daybook.Event{Action: l.Action, Actor: l.By, Context: l.Context, Outcome: l.Outcome}
	if crowded {
		d.Rule = "" // they were different ones
	}
	if !since.IsZero() {
		d.Since = bound(new(since.UnixMicro()))
		e.Context.RequestID = "" // that of one of them would say too much
	}
	if text, err := json.Marshal(d); err == nil { // it has nothing that could not be
		e.Metadata = text
	}
	return e
}
