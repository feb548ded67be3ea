package daybookhttp

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/daybook-audit/daybook"
)

// Middleware puts each request into the scope of its handler, and records at most one event per request, after the handler, by the
// first rule that matches. It serves net/http and chi; gin, echo and fiber have adapters with the same Options. It panics when o
// cannot hold.
//
// What the handler records itself has the request: its address, user agent, method, path. A request that no rule matches costs no
// more than that.
//
// Unless its action fails open, the answer is held back up to MaxBody bytes or the first Flush, so that a failure to record can
// become 500; an event that is lost although the answer was out is counted and logged by the Clerk. Recording does not end with the
// request's context. A panic of the handler is recorded, and goes on.
//
// It is not atomic with what the handler commits. Where that matters the handler records with its transaction, under Rule.Merge.
func Middleware(c *daybook.Clerk, o Options) func(http.Handler) http.Handler {
	rules, err := o.prepared()
	if err != nil {
		panic(err)
	}
	m := &middleware{clerk: c, Options: o, rules: rules, redactor: redactor{names: o.Names, secret: c.DeriveKey("http")}}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rule := find(m.rules, r.Method, cleaned(r.URL.Path))
			if rule == nil {
				next.ServeHTTP(w, r.WithContext(daybook.WithScope(r.Context(), m.scope(r, nil))))
				return
			}
			m.serve(w, r, rule, next)
		})
	}
}

// middleware is Options made ready.
type middleware struct {
	Options
	clerk *daybook.Clerk
	rules []rule
	redactor
}

// scope is what the events of a handler have of its request; x is nil when the request itself is not recorded.
func (m *middleware) scope(r *http.Request, x *exchange) daybook.Scope {
	s := daybook.Scope{Context: daybook.Context{
		IP:        ClientAddr(r, m.TrustedProxies),
		UserAgent: bounded(r.UserAgent(), maxAgent),
		RequestID: bounded(r.Header.Get("X-Request-Id"), maxRequestID),
		TraceID:   traceID(r.Header.Get("Traceparent")),
		HTTP:      &daybook.HTTP{Method: bounded(r.Method, maxMethod), Route: routeOf(r).pattern, Path: bounded(r.URL.Path, maxPath)},
	}}
	if m.Actor != nil {
		s.ActorFunc = func(ctx context.Context) (daybook.Actor, error) {
			last := r
			if x != nil {
				last = x.last()
			}
			return m.actor(last.WithContext(ctx))
		}
	}
	return s
}

// anonymous is who asks without being known.
var anonymous = daybook.Actor{Type: "anonymous", ID: "anonymous"}

func (m *middleware) actor(r *http.Request) (daybook.Actor, error) {
	a, err := m.Actor(r)
	if err == nil && a.IsZero() {
		a = anonymous
	}
	return a, err
}

// Bounds of what a client says of itself.
const (
	maxAgent     = 512
	maxRequestID = 128
	maxMethod    = 32
	maxPath      = 2048
)

// bounded returns s as a log can hold it, cut to most bytes.
func bounded(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return recordable(s)
}

// traceID reads a W3C traceparent.
func traceID(parent string) string {
	parts := strings.Split(parent, "-")
	if len(parts) < 4 || len(parts[1]) != 32 || strings.Trim(parts[1], "0123456789abcdef") != "" {
		return ""
	}
	return parts[1]
}

// exchange is a request on its way. Its handler may run code in other goroutines.
type exchange struct {
	m        *middleware
	rule     *rule
	recorded daybook.Recorded // events that the handler recorded itself
	request  *requestBody     // nil: none is kept
	before   json.RawMessage
	w        response

	mu    sync.Mutex
	known *http.Request // the innermost
	route route
}

func (x *exchange) inner(r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known = r
}

func (x *exchange) last() *http.Request {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.known
}

func (x *exchange) setRoute(r route) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.route = r
}

// routed returns the route that the request took, as far as anybody has said. A pattern with wildcards says more than one without,
// such as that of a handler for everything.
func (x *exchange) routed(outer *http.Request) route {
	x.mu.Lock()
	defer x.mu.Unlock()
	best := x.route
	for _, r := range []*http.Request{x.known, outer} {
		if found := routeOf(r); best.pattern == "" || len(best.params) == 0 && len(found.params) > 0 {
			best = found
		}
	}
	path := cleaned(outer.URL.Path)
	for i := range x.rule.patterns {
		if p := &x.rule.patterns[i]; len(best.params) == 0 && p.glob == "" && p.match(path) {
			if params := p.read(path); best.pattern == "" || len(params) > 0 {
				text := x.rule.Routes[i]
				best = route{text[max(strings.IndexByte(text, '/'), 0):], params}
			}
		}
	}
	return best
}

func (m *middleware) serve(w http.ResponseWriter, r *http.Request, rule *rule, next http.Handler) {
	x := &exchange{m: m, rule: rule}
	ctx := daybook.CountRecorded(context.WithValue(r.Context(), exchangeKey{}, x), &x.recorded)
	ctx = daybook.WithScope(ctx, m.scope(r, x))
	r = r.WithContext(ctx)
	x.known = r
	if rule.Level >= Request && r.Body != nil && r.Body != http.NoBody {
		if k := kindOf(r.Header); k != opaque {
			x.request = &requestBody{r.Body, &body{kind: k, most: m.MaxBody, key: m.secret}}
			r.Body = x.request
		}
	}
	if m.Before != nil {
		x.before, _ = m.Before(r) // without the old state there is no difference, and an event all the same
	}
	x.w = response{ResponseWriter: w, record: rule.Level >= RequestResponse, body: body{most: m.MaxBody, key: m.secret, ended: true}}
	if m.clerk.Policy(m.actionOf(r, rule)) != daybook.FailOpen {
		x.w.holds, x.w.before = true, w.Header().Clone()
	}
	returned := false
	defer func() { //nolint:contextcheck // the event outlives the request
		if !returned { // the handler panicked, or ended its goroutine: neither is caught
			x.w.holds = false
			if e, ok := x.event(r, true); ok {
				x.record(x.context(), e, func(error) bool { return false }) // nobody is left to be told
			}
		}
	}()
	next.ServeHTTP(x.w.wrapped(), r)
	returned = true
	x.finish(w, r)
}

// actionOf returns as what a request will be recorded, as far as that is known before it is served.
func (m *middleware) actionOf(r *http.Request, rule *rule) string {
	if rule.Action != "" {
		return rule.Action
	}
	if m.Action != nil {
		if action := m.Action(r); action != "" {
			return action
		}
	}
	return "http." + strings.ToLower(bounded(r.Method, maxMethod))
}

// context is what the event is recorded under: it outlives the request, and has what the innermost middleware put into it.
func (x *exchange) context() context.Context {
	return daybook.HTTPRedacted(context.WithoutCancel(x.last().Context()))
}

// record records e. When that fails, refuse tells whoever can still be told; if nobody can, e is counted as lost.
func (x *exchange) record(ctx context.Context, e daybook.Event, refuse func(error) bool) {
	if _, err := x.m.clerk.Record(ctx, e); err != nil && !refuse(err) {
		x.m.clerk.Lose(ctx, e, err)
	}
}

// finish records the event, then lets the answer out, or replaces it.
func (x *exchange) finish(w http.ResponseWriter, r *http.Request) {
	if e, ok := x.event(r, false); ok {
		x.record(x.context(), e, func(err error) bool { //nolint:contextcheck // the event outlives the request
			if !x.w.discard() {
				return false
			}
			// The handler did what it did: the client must not take it for done and recorded.
			if x.m.Refuse != nil {
				x.m.Refuse(w, r, err)
			} else {
				http.Error(w, "The request was handled, but could not be recorded in the audit log.", http.StatusInternalServerError)
			}
			return true
		})
	}
	x.w.release()
}
