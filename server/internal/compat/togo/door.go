// Package togo is the door of togo-framework/audit: the five routes under /api/audit, over the log of an organization. What they answer
// is decided in package activity, which serves the same routes inside an application; what the server adds is here: keys, scopes,
// organizations, and who looked.
package togo

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/activity"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// Book is what the door asks of a [daybook.Book].
type Book interface {
	daybook.Recorder
	activity.Finder
}

// Deps is what the door stands on; all of it but Audit is needed.
type Deps struct {
	Book           Book
	Auth           *auth.Authenticator
	Audit          *selfaudit.Auditor // nil: looks are not recorded
	TrustedProxies []netip.Prefix     // whose X-User-Id and X-Forwarded-For are believed; none: nobody's
}

// Door is the door. Safe for concurrent use.
type Door struct {
	Deps
	believes activity.MiddlewareOptions
}

var _ auth.Door = (*Door)(nil)

// New returns the door over d.
func New(d Deps) *Door {
	proxies := d.TrustedProxies
	if proxies == nil {
		proxies = []netip.Prefix{} // nil would stand for loopback
	}
	return &Door{Deps: d, believes: activity.MiddlewareOptions{TrustedProxies: proxies}}
}

// prefix is where the routes are.
const prefix = "/api/audit"

// defaultOrg is whose log a key of all organizations means when it names none.
const defaultOrg daybook.OrgID = "default"

// Name is part of auth.Door.
func (d *Door) Name() string { return "togo" }

// Routes is part of auth.Door.
func (d *Door) Routes() []auth.DoorRoute {
	read := func(pattern string) auth.DoorRoute {
		return auth.DoorRoute{Method: http.MethodGet, Pattern: prefix + pattern, Scopes: auth.Read, Handler: d.serve}
	}
	return []auth.DoorRoute{
		read("/activity"), read("/subjects/{type}/{id}"), read("/versions/{type}/{id}"), read("/dashboard"),
		{Method: http.MethodPost, Pattern: prefix + "/versions/{id}/restore", Scopes: auth.Record, Handler: d.serve},
	}
}

// Owns is part of auth.Door.
func (d *Door) Owns(path string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

// Fault is part of auth.Door.
func (d *Door) Fault(w http.ResponseWriter, _ *http.Request, status int) {
	switch status {
	case http.StatusInternalServerError:
		w.Header().Set("Retry-After", "1")
		send(w, http.StatusServiceUnavailable, "temporarily unavailable")
	default:
		send(w, status, strings.ToLower(http.StatusText(status)))
	}
}

//go:embed openapi.json
var openapi []byte

// OpenAPI is part of auth.Door.
func (d *Door) OpenAPI() json.RawMessage { return openapi }

// serve answers every route: it finds out who asks for which organization, and leaves the rest to package activity.
func (d *Door) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	p, org, ok := d.admit(w, r)
	if !ok {
		return
	}
	key := daybook.Actor{Type: "api_key", ID: p.KeyID, Name: p.Key.Name}
	scope := daybook.Scope{Org: org, Actor: key, Context: daybook.Context{IP: d.believes.ClientIP(r), UserAgent: agent(r)}}
	if id := d.believes.UserID(r); id != "" {
		scope.Actor = daybook.Actor{Type: "user", ID: id}.As(key)
	}
	watched := &watchedBook{Book: d.Book}
	clerk, err := daybook.NewClerk(watched, daybook.ClerkOptions{}) //nolint:contextcheck // it has no spool to adopt
	if err != nil {                                                 // not reached: the options are ours
		d.Fault(w, r, http.StatusInternalServerError)
		return
	}
	inner := r.Clone(daybook.WithScope(r.Context(), scope))
	inner.Body = io.NopCloser(bytes.NewReader(body))
	http.StripPrefix(prefix, activity.New(clerk, nil, watched).Handler()).ServeHTTP(w, inner)
	if r.Method == http.MethodGet && watched.asked {
		d.Audit.Saw(selfaudit.Look{
			Org: org, Action: "daybook.log.viewed", By: key, Target: daybook.Target{Type: "log", ID: string(org)}, Outcome: daybook.Success,
			Context: daybook.Context{IP: scope.Context.IP, UserAgent: scope.Context.UserAgent, HTTP: &daybook.HTTP{Method: r.Method, Route: r.Pattern}},
			What:    "togo", Query: watched.query, Shown: watched.shown,
		})
	}
}

// admit returns who asks and for which organization, or answers that it may not be.
func (d *Door) admit(w http.ResponseWriter, r *http.Request) (*auth.Principal, daybook.OrgID, bool) {
	p, err := d.Auth.Principal(r.Context(), r.Header.Get("Authorization"))
	if limited, ok := errors.AsType[*auth.RateLimitError](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(limited.RetryAfter.Seconds()))))
		send(w, http.StatusTooManyRequests, "too many requests")
		return nil, "", false
	}
	switch {
	case errors.Is(err, auth.ErrUnauthorized):
		w.Header().Set("WWW-Authenticate", "Bearer")
		send(w, http.StatusUnauthorized, "unauthorized")
		return nil, "", false
	case err != nil:
		d.Fault(w, r, http.StatusInternalServerError)
		return nil, "", false
	case !p.Scopes.Has(auth.Read) || r.Method == http.MethodPost && !p.Scopes.Has(auth.Record):
		send(w, http.StatusForbidden, "forbidden")
		return nil, "", false
	}
	named := daybook.OrgID(r.Header.Get("Daybook-Org"))
	org := cmp.Or(named, p.Org, defaultOrg)
	if !org.Valid() || !p.Reaches(org) || org == control.Instance {
		send(w, http.StatusNotFound, "not found")
		return nil, "", false
	}
	return p, org, true
}

// agent is the program that asks, as far as an event holds its name.
func agent(r *http.Request) string {
	name := r.UserAgent()
	return strings.ToValidUTF8(name[:min(len(name), 512)], "")
}

// watchedBook is the book for one request, and remembers what was shown of it. An organization without a log has an empty one.
type watchedBook struct {
	Book
	asked bool
	query string
	shown selfaudit.Shown
}

// Search is part of activity.Finder.
func (b *watchedBook) Search(ctx context.Context, q daybook.EventQuery) (*daybook.Page, error) {
	page, err := b.Book.Search(ctx, q)
	if daybook.CodeOf(err) == daybook.CodeNotFound {
		return &daybook.Page{Searched: daybook.Searched{Complete: true}}, nil
	}
	if err != nil {
		return nil, err
	}
	if !b.asked {
		b.asked, b.query = true, page.Query
	}
	for i := range page.Entries {
		seq := page.Entries[i].Seq
		if b.shown.Rows == 0 {
			b.shown.First, b.shown.Last = seq, seq
		}
		b.shown = selfaudit.Shown{Rows: b.shown.Rows + 1, First: min(b.shown.First, seq), Last: max(b.shown.Last, seq)}
	}
	return page, nil
}

// send answers with an error in the words of the sister plugins.
func send(w http.ResponseWriter, status int, message string) {
	text, err := json.Marshal(struct {
		Error string `json:"error"`
	}{message})
	if err != nil {
		panic(err) // our own structs always encode
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that is gone asks again
}
