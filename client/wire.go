package client

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/daybook-audit/daybook"
)

// The shapes below are the event of the API, members in its order.

type wireEvent struct {
	ID            string          `json:"id,omitempty"`
	Action        string          `json:"action"`
	Version       json.Number     `json:"version,omitempty"`
	OccurredAt    string          `json:"occurred_at,omitempty"`
	Actor         *wireActor      `json:"actor,omitempty"`
	Targets       []wireTarget    `json:"targets,omitempty"`
	Context       *wireContext    `json:"context,omitempty"`
	Outcome       daybook.Outcome `json:"outcome,omitempty"`
	Error         *wireFault      `json:"error,omitempty"`
	Changes       []wireChange    `json:"changes,omitempty"`
	Reason        string          `json:"reason,omitempty"`
	CorrelationID string          `json:"correlation_id,omitempty"`
	Metadata      json.RawMessage `json:"metadata,omitempty"`
}

type wireActor struct {
	Type     string          `json:"type"`
	ID       string          `json:"id"`
	Name     string          `json:"name,omitempty"`
	Email    string          `json:"email,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Via      []wireActor     `json:"via,omitempty"`
}

type wireTarget struct {
	Type     string          `json:"type"`
	ID       string          `json:"id"`
	Name     string          `json:"name,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

type wireContext struct {
	IP        string    `json:"ip,omitempty"`
	UserAgent string    `json:"user_agent,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
	TraceID   string    `json:"trace_id,omitempty"`
	SessionID string    `json:"session_id,omitempty"`
	HTTP      *wireHTTP `json:"http,omitempty"`
}

type wireHTTP struct {
	Method     string          `json:"method,omitempty"`
	Route      string          `json:"route,omitempty"`
	Path       string          `json:"path,omitempty"`
	StatusCode json.Number     `json:"status_code,omitempty"`
	Params     json.RawMessage `json:"params,omitempty"`
	Request    json.RawMessage `json:"request,omitempty"`
	Response   json.RawMessage `json:"response,omitempty"`
}

type wireFault struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

type wireChange struct {
	Path string          `json:"path"`
	Old  json.RawMessage `json:"old,omitempty"`
	New  json.RawMessage `json:"new,omitempty"`
}

// encode returns e as the API takes it.
func encode(e *daybook.Event) ([]byte, error) {
	w := wireEvent{
		Action: e.Action, Version: number(e.Version), Outcome: e.Outcome, Reason: e.Reason, CorrelationID: e.CorrelationID, Metadata: e.Metadata,
		Actor: ptr(wireActorOf(e.Actor)),
	}
	if !e.ID.IsZero() {
		w.ID = e.ID.String()
	}
	if !e.OccurredAt.IsZero() {
		w.OccurredAt = e.OccurredAt.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	for _, t := range e.Targets {
		w.Targets = append(w.Targets, wireTarget(t))
	}
	if c := e.Context; c != (daybook.Context{}) {
		w.Context = &wireContext{IP: c.IP, UserAgent: c.UserAgent, RequestID: c.RequestID, TraceID: c.TraceID, SessionID: c.SessionID}
		if c.HTTP != nil {
			h := c.HTTP
			w.Context.HTTP = &wireHTTP{Method: h.Method, Route: h.Route, Path: h.Path, StatusCode: number(h.StatusCode), Params: h.Params, Request: h.Request, Response: h.Response}
		}
	}
	if e.Error != nil {
		w.Error = ptr(wireFault(*e.Error))
	}
	for _, c := range e.Changes {
		w.Changes = append(w.Changes, wireChange{Path: c.Path, Old: c.Old.Raw(), New: c.New.Raw()})
	}
	return json.Marshal(w)
}

func wireActorOf(a daybook.Actor) wireActor {
	w := wireActor{Type: a.Type, ID: a.ID, Name: a.Name, Email: a.Email, Metadata: a.Metadata}
	for _, v := range a.Via {
		w.Via = append(w.Via, wireActorOf(v))
	}
	return w
}

func (w *wireActor) actor() daybook.Actor {
	a := daybook.Actor{Type: w.Type, ID: w.ID, Name: w.Name, Email: w.Email, Metadata: w.Metadata}
	for i := range w.Via {
		a.Via = append(a.Via, w.Via[i].actor())
	}
	return a
}

// event turns w back, leniently: what an older or newer server says otherwise is left out.
func (w *wireEvent) event() daybook.Event {
	e := daybook.Event{
		Action: w.Action, Version: whole(w.Version), Outcome: w.Outcome, Reason: w.Reason, CorrelationID: w.CorrelationID, Metadata: w.Metadata,
	}
	if id, err := daybook.ParseID(w.ID); err == nil {
		e.ID = id
	}
	if at, err := time.Parse(time.RFC3339Nano, w.OccurredAt); err == nil {
		e.OccurredAt = at
	}
	if w.Actor != nil {
		e.Actor = w.Actor.actor()
	}
	for _, t := range w.Targets {
		e.Targets = append(e.Targets, daybook.Target(t))
	}
	if c := w.Context; c != nil {
		e.Context = daybook.Context{IP: c.IP, UserAgent: c.UserAgent, RequestID: c.RequestID, TraceID: c.TraceID, SessionID: c.SessionID}
		if c.HTTP != nil {
			h := c.HTTP
			e.Context.HTTP = &daybook.HTTP{Method: h.Method, Route: h.Route, Path: h.Path, StatusCode: whole(h.StatusCode), Params: h.Params, Request: h.Request, Response: h.Response}
		}
	}
	if w.Error != nil {
		e.Error = ptr(daybook.EventFault(*w.Error))
	}
	for _, c := range w.Changes {
		e.Changes = append(e.Changes, daybook.Change{Path: c.Path, Old: daybook.JSON(c.Old), New: daybook.JSON(c.New)})
	}
	return e
}

func ptr[T any](v T) *T { return &v }

// number returns the JSON number of n; zero is left out.
func number(n int) json.Number {
	if n == 0 {
		return ""
	}
	return json.Number(strconv.Itoa(n))
}

// whole returns n if it is a whole number, else 0: Entry.JSON keeps it as it was written.
func whole(n json.Number) int {
	i, err := strconv.Atoi(string(n))
	if err != nil {
		return 0
	}
	return i
}
