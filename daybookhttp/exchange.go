package daybookhttp

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/daybook-audit/daybook"
)

// Exchange is a request and what became of it, as its event is made of it. Its parts are those of the rule's Level, redacted.
type Exchange struct {
	Request  *http.Request // the innermost that is known; its body is read
	Rule     int           // the place of the rule that matched in Options.Rules
	Route    string        // the pattern, without method and host; empty: not known
	Params   []Param       // the wildcards of the route, in order
	Status   int           // 0: none, for the connection was taken over by the handler without an upgrade
	Panicked bool
	Query    json.RawMessage // nil: none, or not kept
	Body     json.RawMessage // of the request; nil: none, or not kept
	Answer   json.RawMessage // body of the answer; nil: none, or not kept
	Before   json.RawMessage // of Options.Before
}

// event makes the event of a request that has been served; false: there is none to record.
func (x *exchange) event(outer *http.Request, panicked bool) (daybook.Event, bool) {
	if x.merged(panicked) {
		return daybook.Event{}, false
	}
	m := x.m
	y := &Exchange{Request: x.last(), Rule: x.rule.place, Status: x.status(panicked), Panicked: panicked, Before: x.before}
	way := x.routed(outer)
	y.Route, y.Params = way.pattern, way.params
	if x.request != nil {
		y.Body = x.request.recorded(outer.ContentLength, &m.redactor)
	}
	if x.w.record {
		y.Answer = x.w.body.recorded(length(x.w.Header()), &m.redactor)
	}
	e := daybook.Event{Action: m.actionOf(outer, x.rule)}
	if x.rule.Level >= Request {
		y.Query = m.query(outer.URL.RawQuery)
		e.Metadata = m.metadata(outer, y.Query)
	}
	e.Context.HTTP = &daybook.HTTP{
		Method: bounded(outer.Method, maxMethod), Route: bounded(y.Route, maxPath), Path: bounded(outer.URL.Path, maxPath),
		StatusCode: y.Status, Params: m.params(y.Params), Request: y.Body, Response: y.Answer,
	}
	if kind, id := way.target(); id != "" && kind != "" {
		e.Targets = []daybook.Target{{Type: bounded(kind, maxName), ID: bounded(id, maxName)}}
	}
	e.Outcome, e.Error = ended(y)
	x.who(y.Request, &e)
	if m.Complete != nil && !m.Complete(y, &e) {
		return daybook.Event{}, false
	}
	return e, true
}

// merged reports whether an event of the handler's stands for the request. One that was written within a transaction does when the
// request went well: else the transaction may have been rolled back, and the event with it.
func (x *exchange) merged(panicked bool) bool {
	if !x.rule.Merge || panicked {
		return false
	}
	return x.recorded.Durable.Load() > 0 || x.recorded.InTx.Load() > 0 && x.status(false) < http.StatusBadRequest
}

// maxName is the longest id of a target.
const maxName = 512

// status returns how the request was answered.
func (x *exchange) status(panicked bool) int {
	switch {
	case x.w.status != 0:
		return x.w.status
	case panicked:
		return http.StatusInternalServerError
	case x.w.hijacked && x.last().Header.Get("Upgrade") != "":
		return http.StatusSwitchingProtocols
	case x.w.hijacked:
		return 0
	}
	return http.StatusOK
}

// ended returns how it ended.
func ended(y *Exchange) (daybook.Outcome, *daybook.EventFault) {
	fault := &daybook.EventFault{Code: strconv.Itoa(y.Status), Message: http.StatusText(y.Status)}
	switch {
	case y.Panicked:
		return daybook.Failure, &daybook.EventFault{Code: "panic"}
	case y.Status == http.StatusUnauthorized, y.Status == http.StatusForbidden:
		return daybook.Denied, fault
	case y.Status >= http.StatusBadRequest:
		return daybook.Failure, fault
	}
	return daybook.Success, nil
}

// who sets actor and org. Who cannot be told is unknown: the event matters more.
func (x *exchange) who(r *http.Request, e *daybook.Event) {
	if x.m.Actor != nil {
		var err error
		if e.Actor, err = x.m.actor(r); err != nil {
			e.Actor = daybook.Actor{Type: "unknown", ID: "unknown"}
		}
	}
	if x.m.Org != nil {
		if org, err := x.m.Org(r); err == nil {
			e.Org = org
		}
	}
}

// params returns the path parameters as an object, treated by name; nil without any.
func (m *middleware) params(list []Param) json.RawMessage {
	if len(list) == 0 {
		return nil
	}
	values := make(map[string][]string, len(list))
	for _, p := range list {
		values[p.Name] = []string{p.Value}
	}
	return fitted(m.values(values))
}

// metadata is what has no place of its own: the query and harmless headers.
func (m *middleware) metadata(r *http.Request, query json.RawMessage) json.RawMessage {
	headers := map[string][]string{}
	for _, list := range [][]string{harmless, m.Headers} {
		for _, name := range list {
			name = http.CanonicalHeaderKey(name)
			if values := r.Header[name]; len(values) > 0 {
				headers[name] = []string{bounded(values[0], maxPath)}
			}
		}
	}
	about := struct {
		Query   json.RawMessage `json:"query,omitempty"`
		Headers json.RawMessage `json:"headers,omitempty"`
	}{Query: query}
	if len(headers) > 0 {
		about.Headers = m.values(headers)
	}
	if about.Query == nil && about.Headers == nil {
		return nil
	}
	text, err := json.Marshal(map[string]any{"http": about})
	if err != nil { // its parts are JSON
		return nil
	}
	return text
}
