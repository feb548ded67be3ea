package daybook

import (
	"encoding/json"
	"time"
)

// Event is one immutable fact: who did what to which thing, from where, when and why, and what changed. Only Action and Targets
// are usually written by hand; a [Clerk] completes the rest from the context.
type Event struct {
	ID            ID              // zero: a UUIDv7 is assigned; doubles as the idempotency key; printed evt_…
	Org           OrgID           // zero: from the context, else ClerkOptions.Org; never part of the JSON
	Action        string          // "invoice.paid": noun.verb in the past tense; "daybook." is reserved
	Version       int             // of the action's schema; zero: 1
	OccurredAt    time.Time       // zero: when it is received; truncated to microseconds
	Actor         Actor           // zero: from the context; see ActorPolicy
	Targets       []Target        // the first is the subject
	Context       Context         // where from; zero fields: from the context
	Outcome       Outcome         // zero: Success; else Failure or Denied
	Error         *EventFault     // with Failure and Denied
	Changes       Changes         // what changed
	Reason        string          // why: free text or a ticket; zero: from the context
	CorrelationID string          // zero: from the context
	Metadata      json.RawMessage // a JSON object
}

// Actor is who acted: a copy, never a foreign key, that still reads well when the account is gone.
type Actor struct {
	Type, ID, Name, Email string // Type: "user", "api_key", "service", "system", "anonymous", "unknown"
	Metadata              json.RawMessage
	Via                   []Actor // who really acted when Actor is impersonated or acted for; nearest first
}

// System is a background actor: System("cron:billing").
func System(name string) Actor { return Actor{Type: "system", ID: name} }

// As returns a with real put first in Via: real acts as a.
func (a Actor) As(real Actor) Actor {
	a.Via = append([]Actor{real}, a.Via...)
	return a
}

// Target is a thing that was acted on.
type Target struct {
	Type, ID, Name string
	Metadata       json.RawMessage
}

// Context says where from.
type Context struct {
	IP, UserAgent, RequestID, TraceID, SessionID string
	HTTP                                         *HTTP
}

// HTTP is the request that caused the event.
type HTTP struct {
	Method, Route, Path       string
	StatusCode                int
	Params, Request, Response json.RawMessage
}

// Outcome says how it ended.
type Outcome string

// The outcomes. The zero value reads Success.
const (
	Success Outcome = "success"
	Failure Outcome = "failure"
	Denied  Outcome = "denied"
)

// EventFault says why it failed or was denied.
type EventFault struct{ Code, Message string }

// Changes is what changed, by path.
type Changes []Change

// Change is one difference: an absent Old is an addition, an absent New a removal.
type Change struct {
	Path     string // RFC 6901: "/address/city", "/items/3/qty"
	Old, New Value
}

// Value is JSON or absent. The zero Value is absent.
type Value struct{ raw json.RawMessage }

// JSON returns a Value that holds raw, which must be valid JSON.
func JSON(raw json.RawMessage) Value { return Value{raw: raw} }

// Present reports whether v holds anything.
func (v Value) Present() bool { return v.raw != nil }

// Raw returns the JSON, nil when absent.
func (v Value) Raw() json.RawMessage { return v.raw }
