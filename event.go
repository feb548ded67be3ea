package daybook

import (
	"encoding/json"
	"time"
)

// Event is one immutable fact: who did what to which thing, from where, when and why, and what changed. Only Action and Targets
// are usually written by hand; a [Clerk] completes the rest from the context.
//
// Its JSON is that of the native API. A member that is zero is left out, Org is never part of it, and unknown members are
// ignored on reading: the strict check of what a producer sends is that of a [Book].
type Event struct {
	ID            ID              `json:"id,omitzero"`          // zero: a UUIDv7 is assigned; doubles as the idempotency key; printed evt_…
	Org           OrgID           `json:"-"`                    // zero: from the context, else ClerkOptions.Org; never part of the JSON
	Action        string          `json:"action,omitempty"`     // "invoice.paid": noun.verb in the past tense; "daybook." is reserved
	Version       int             `json:"version,omitempty"`    // of the action's schema; zero: 1
	OccurredAt    time.Time       `json:"occurred_at,omitzero"` // zero: when it is received; truncated to microseconds
	Actor         Actor           `json:"actor,omitzero"`       // zero: from the context; see ActorPolicy
	Targets       []Target        `json:"targets,omitempty"`    // the first is the subject
	Context       Context         `json:"context,omitzero"`     // where from; zero fields: from the context
	Outcome       Outcome         `json:"outcome,omitempty"`    // zero: Success; else Failure or Denied
	Error         *EventFault     `json:"error,omitempty"`      // with Failure and Denied
	Changes       Changes         `json:"changes,omitempty"`    // what changed; see Diff
	Reason        string          `json:"reason,omitempty"`     // why: free text or a ticket; zero: from the context
	CorrelationID string          `json:"correlation_id,omitempty"`
	Metadata      json.RawMessage `json:"metadata,omitempty"` // a JSON object
}

// Actor is who acted: a copy, never a foreign key, that still reads well when the account is gone.
type Actor struct {
	Type     string          `json:"type,omitempty"` // "user", "api_key", "service", "system", "anonymous", "unknown"
	ID       string          `json:"id,omitempty"`
	Name     string          `json:"name,omitempty"`
	Email    string          `json:"email,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"` // a JSON object
	Via      []Actor         `json:"via,omitempty"`      // who really acted when Actor is impersonated or acted for; nearest first
}

// System is a background actor: System("cron:billing").
func System(name string) Actor { return Actor{Type: "system", ID: name} }

// As returns a with who put first in Via: who acts as a. A Via of who's own follows it, for the JSON has no via in a via.
func (a Actor) As(who Actor) Actor {
	via := make([]Actor, 0, 1+len(who.Via)+len(a.Via))
	deeper := who.Via
	who.Via = nil
	a.Via = append(append(append(via, who), deeper...), a.Via...)
	return a
}

// IsZero reports whether nothing of a is set.
func (a Actor) IsZero() bool {
	return a.Type == "" && a.ID == "" && a.Name == "" && a.Email == "" && len(a.Metadata) == 0 && len(a.Via) == 0
}

// Target is a thing that was acted on.
type Target struct {
	Type     string          `json:"type,omitempty"`
	ID       string          `json:"id,omitempty"`
	Name     string          `json:"name,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"` // a JSON object
}

// Context says where from.
type Context struct {
	IP        string `json:"ip,omitempty"` // kept as given, an address or not
	UserAgent string `json:"user_agent,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	TraceID   string `json:"trace_id,omitempty"`
	SessionID string `json:"session_id,omitempty"`
	HTTP      *HTTP  `json:"http,omitempty"`
}

// HTTP is the request that caused the event. Params, Request and Response are free JSON.
type HTTP struct {
	Method     string          `json:"method,omitempty"`
	Route      string          `json:"route,omitempty"` // the pattern: /invoices/{id}
	Path       string          `json:"path,omitempty"`
	StatusCode int             `json:"status_code,omitempty"`
	Params     json.RawMessage `json:"params,omitempty"`
	Request    json.RawMessage `json:"request,omitempty"`
	Response   json.RawMessage `json:"response,omitempty"`
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
type EventFault struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// Changes is what changed, by path.
type Changes []Change

// Change is one difference: an absent Old is an addition, an absent New a removal. Indexes are those of the new value; in a
// removal, of the old.
type Change struct {
	Path string `json:"path"` // RFC 6901: "/address/city", "/items/3/qty"
	Old  Value  `json:"old,omitzero"`
	New  Value  `json:"new,omitzero"`
}
