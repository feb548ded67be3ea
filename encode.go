package daybook

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/internal/shape"
)

// appendEvent adds the JSON of e to dst, members in the order of the native API, zero members left out. It refuses what has no
// JSON (text that is not UTF-8, raw members that are not one JSON value); limits and shape are those of accept. On error the
// content of dst is undefined.
func appendEvent(dst []byte, e *Event) ([]byte, error) {
	w := writer{buf: append(dst, '{')}
	if !e.ID.IsZero() {
		w.name("id")
		w.buf = append(e.ID.Append(append(w.buf, '"')), '"')
	}
	w.str(atEvent, "action", e.Action)
	w.integer("version", e.Version)
	if !e.OccurredAt.IsZero() {
		w.name("occurred_at")
		w.buf = e.OccurredAt.UTC().AppendFormat(w.buf, `"2006-01-02T15:04:05.000000Z"`)
	}
	if !e.Actor.IsZero() {
		w.name("actor")
		w.actor(&e.Actor, atActor)
	}
	if len(e.Targets) > 0 {
		w.name("targets")
		w.targets(e.Targets)
	}
	if e.Context != (Context{}) {
		w.name("context")
		w.context(&e.Context)
	}
	w.str(atEvent, "outcome", string(e.Outcome))
	if e.Error != nil {
		w.name("error")
		w.buf = append(w.buf, '{')
		w.str(atFault, "code", e.Error.Code)
		w.str(atFault, "message", e.Error.Message)
		w.buf = append(w.buf, '}')
	}
	if len(e.Changes) > 0 {
		w.name("changes")
		w.changes(e.Changes)
	}
	w.str(atEvent, "reason", e.Reason)
	w.str(atEvent, "correlation_id", e.CorrelationID)
	w.raw(atEvent, "metadata", e.Metadata)
	return append(w.buf, '}'), w.err
}

// MarshalJSON returns the JSON of the native API, members in its order and zero members left out.
func (e Event) MarshalJSON() ([]byte, error) { return appendEvent(nil, &e) }

// appendChanges adds the JSON of changes to dst.
func appendChanges(dst []byte, changes Changes) ([]byte, error) {
	w := writer{buf: dst}
	w.changes(changes)
	return w.buf, w.err
}

// writer appends members and keeps the first error.
type writer struct {
	buf []byte
	err error
}

// place is where in an event a member stands; its pointer is made for errors alone.
type place struct {
	parent string
	index  int // of an element of parent; −1: parent is an object
}

// field returns the pointer of the member name.
func (p place) field(name string) string {
	if p.index < 0 {
		return p.parent + "/" + name
	}
	return p.parent + "/" + strconv.Itoa(p.index) + "/" + name
}

var (
	atEvent   = place{"", -1}
	atActor   = place{"/actor", -1}
	atContext = place{"/context", -1}
	atHTTP    = place{"/context/http", -1}
	atFault   = place{"/error", -1}
)

// fail keeps an error about the member name if it is the first.
func (w *writer) fail(rule string, p place, name, is string) {
	if w.err == nil {
		field := p.field(name)
		w.err = &Error{Code: CodeInvalid, Rule: rule, Field: field, Message: shape.Words(field) + is}
	}
}

// name begins a member.
func (w *writer) name(name string) {
	w.buf = append(append(append(rawjson.Comma(w.buf), '"'), name...), '"', ':')
}

// str adds a member that is not empty.
func (w *writer) str(p place, name, s string) {
	if s != "" {
		w.name(name)
		w.quote(p, name, s)
	}
}

func (w *writer) quote(p place, name, s string) {
	var err error
	if w.buf, err = jsontext.AppendQuote(w.buf, s); err != nil {
		w.fail("invalid_utf8", p, name, " is not UTF-8.")
	}
}

// integer adds a member that is not zero.
func (w *writer) integer(name string, n int) {
	if n != 0 {
		w.name(name)
		w.buf = strconv.AppendInt(w.buf, int64(n), 10)
	}
}

// raw adds a member that has text, which must be one JSON value: no other members can hide in it.
func (w *writer) raw(p place, name string, raw []byte) {
	if len(raw) == 0 {
		return
	}
	if !json.Valid(raw) {
		w.fail("syntax", p, name, " is not JSON.")
	}
	w.name(name)
	w.buf = append(w.buf, bytes.TrimSpace(raw)...)
}

func (w *writer) actor(a *Actor, p place) {
	w.buf = append(w.buf, '{')
	w.str(p, "type", a.Type)
	w.str(p, "id", a.ID)
	w.str(p, "name", a.Name)
	w.str(p, "email", a.Email)
	w.raw(p, "metadata", a.Metadata)
	switch {
	case len(a.Via) == 0:
	case p.index >= 0:
		w.fail("unknown_member", p, "via", " is not allowed: list everybody in actor.via, nearest first.")
	default:
		w.name("via")
		w.buf = append(w.buf, '[')
		for i := range a.Via {
			w.buf = rawjson.Comma(w.buf)
			w.actor(&a.Via[i], place{"/actor/via", i})
		}
		w.buf = append(w.buf, ']')
	}
	w.buf = append(w.buf, '}')
}

func (w *writer) targets(targets []Target) {
	w.buf = append(w.buf, '[')
	for i := range targets {
		t, p := &targets[i], place{"/targets", i}
		w.buf = append(rawjson.Comma(w.buf), '{')
		w.str(p, "type", t.Type)
		w.str(p, "id", t.ID)
		w.str(p, "name", t.Name)
		w.raw(p, "metadata", t.Metadata)
		w.buf = append(w.buf, '}')
	}
	w.buf = append(w.buf, ']')
}

func (w *writer) context(x *Context) {
	w.buf = append(w.buf, '{')
	w.str(atContext, "ip", x.IP)
	w.str(atContext, "user_agent", x.UserAgent)
	w.str(atContext, "request_id", x.RequestID)
	w.str(atContext, "trace_id", x.TraceID)
	w.str(atContext, "session_id", x.SessionID)
	if h := x.HTTP; h != nil {
		w.name("http")
		w.buf = append(w.buf, '{')
		w.str(atHTTP, "method", h.Method)
		w.str(atHTTP, "route", h.Route)
		w.str(atHTTP, "path", h.Path)
		w.integer("status_code", h.StatusCode)
		w.raw(atHTTP, "params", h.Params)
		w.raw(atHTTP, "request", h.Request)
		w.raw(atHTTP, "response", h.Response)
		w.buf = append(w.buf, '}')
	}
	w.buf = append(w.buf, '}')
}

func (w *writer) changes(changes Changes) {
	w.buf = append(w.buf, '[')
	for i := range changes {
		c, p := &changes[i], place{"/changes", i}
		w.buf = append(rawjson.Comma(w.buf), '{')
		w.name("path")
		w.quote(p, "path", c.Path)
		w.raw(p, "old", c.Old.wire)
		w.raw(p, "new", c.New.wire)
		w.buf = append(w.buf, '}')
	}
	w.buf = append(w.buf, ']')
}
