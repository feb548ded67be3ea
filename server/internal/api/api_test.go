package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/resthapi"
	"github.com/daybook-audit/daybook/server/internal/compat/tavivo"
	"github.com/daybook-audit/daybook/server/internal/compat/togo"
	"github.com/daybook-audit/daybook/server/internal/compat/workos"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/storetest"
)

// fixture is a server over a real Book on a store in memory.
type fixture struct {
	*storetest.Clock
	t       testing.TB
	store   *storetest.MemoryStore
	book    *daybook.Book
	orgs    *control.Orgs
	keys    *control.Keys
	auth    *auth.Authenticator
	server  *api.Server
	export  *export.Runner
	schemas *control.Schemas
	ended   chan control.Export // exports that are ready or have failed
	doc     *openapi3.T
	admin   string // a key for all organizations and every scope
	acme    string // a key of org_acme with every scope but operate
	globex  string // the same of org_globex
	eraser  *control.Eraser
}

// setup changes what newFixture makes.
type setup struct {
	deps    func(*api.Deps)
	book    func(daybook.Options) daybook.Options
	store   func(daybook.Store) daybook.Store // what the Book has of it
	rate    float64
	schemas map[string]control.SchemaRules
}

func newFixture(tb testing.TB, s setup) *fixture {
	tb.Helper()
	f := &fixture{Clock: storetest.ClockAt(time.Date(2026, 11, 21, 14, 22, 7, 0, time.UTC)), t: tb, store: storetest.Memory()}
	options := daybook.Options{
		Now: f.Now, Origin: "audit.example.com", MasterKey: bytes.Repeat([]byte{7}, 32), HighWater: storetest.Marks(), SignEvery: time.Hour,
	}
	f.eraser = &control.Eraser{}
	options.Dropped = f.eraser.Purge
	if s.book != nil {
		options = s.book(options)
	}
	metrics := api.NewMetrics()
	options.Metrics = metrics.Book()
	var err error
	if f.schemas, err = control.OpenSchemas(tb.Context(), f.store, control.SchemaOptions{Now: f.Now, Rules: s.schemas}); err != nil {
		tb.Fatal(err)
	}
	options.Schemas = f.schemas
	var store daybook.Store = f.store
	if s.store != nil {
		store = s.store(store)
	}
	if f.book, err = daybook.Open(tb.Context(), store, options); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := f.book.Close(); err != nil {
			tb.Error(err)
		}
	})
	metrics.Watch(f.book.Stats)
	f.orgs, f.keys = control.NewOrgs(f.store, f.Now), control.NewKeys(f.store, f.Now)
	f.ended = make(chan control.Export, 100)
	f.export, err = export.Open(tb.Context(), f.book, control.NewExports(f.store, f.Now), []byte("key of links"), export.Options{
		Dir: tb.TempDir(), Now: f.Now, Ended: func(x control.Export) { f.ended <- x },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := f.export.Close(); err != nil {
			tb.Error(err)
		}
	})
	f.auth = auth.New(f.keys, auth.Options{Now: f.Now, RateLimit: s.rate})
	tb.Cleanup(f.auth.Close)
	*f.eraser = control.Eraser{
		Erasures: control.NewOrgErasures(f.store, f.Now), Orgs: f.orgs, Docs: f.store, Book: f.book, Exports: f.export, Now: f.Now,
		Logger: slog.New(slog.DiscardHandler), Forget: f.auth.Forget,
	}
	tb.Cleanup(f.eraser.Close)
	deps := api.Deps{
		Book: f.book, Docs: f.store, Orgs: f.orgs, Keys: f.keys, Auth: f.auth, Exports: f.export, Metrics: metrics, Now: f.Now, Version: "0.1.0",
		Retentions: control.NewRetentions(f.store, f.Now), Schemas: f.schemas, Erasures: control.NewErasures(f.store, f.Now), BackupsKept: 30 * 24 * time.Hour,
		Eraser: f.eraser, Views: control.NewViews(f.store, f.Now), Failures: control.NewFailures(f.store, f.Now),
	}
	deps.ViewerSettings = control.NewViewings(f.store, f.Now)
	if deps.Viewings, err = f.auth.NewViewings(deps.ViewerSettings, bytes.Repeat([]byte{9}, 32)); err != nil {
		tb.Fatal(err)
	}
	if deps.Sessions, err = f.auth.NewSessions(control.NewSessions(f.store, f.Now), auth.Origin{}); err != nil {
		tb.Fatal(err)
	}
	deps.Doors = []auth.Door{
		workos.New(workos.Deps{
			Book: f.book, Auth: f.auth, Orgs: f.orgs, Repeats: control.NewRepeats(f.store, f.Now), Exports: f.export, Schemas: f.schemas,
			Retentions: deps.Retentions, Portal: control.NewPortal(f.store, f.keys, f.Now),
		}),
		tavivo.New(tavivo.Deps{Book: f.book, Auth: f.auth, Orgs: f.orgs, Settings: tavivo.Settings{Org: "default"}}),
		togo.New(togo.Deps{Book: f.book, Auth: f.auth}),
	}
	deps.Doors = append(deps.Doors, f.retracedDoor(), resthapi.New(resthapi.Deps{Book: f.book, Auth: f.auth, Orgs: f.orgs, Now: f.Now, Settings: resthapi.Settings{MaxBody: 5 << 20}}))
	if s.deps != nil {
		s.deps(&deps)
	}
	if f.server, err = api.New(deps); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(f.server.Close)
	f.doc = parsedDocument(tb, f.server.Document())
	f.admin = f.key("", auth.All)
	for _, org := range []daybook.OrgID{"org_acme", "org_globex"} {
		if err := f.orgs.Ensure(tb.Context(), org); err != nil {
			tb.Fatal(err)
		}
	}
	f.acme, f.globex = f.key("org_acme", auth.All&^auth.Operate), f.key("org_globex", auth.All&^auth.Operate)
	return f
}

// documents are those that were parsed, by their text: nearly every test has the same, and parsing it takes longer than most of them.
var documents sync.Map

func parsedDocument(tb testing.TB, text []byte) *openapi3.T {
	tb.Helper()
	parse, _ := documents.LoadOrStore(string(text), sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(text) }))
	once, _ := parse.(func() (*openapi3.T, error))
	doc, err := once()
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

func (f *fixture) key(org daybook.OrgID, scopes auth.Scopes) string {
	f.t.Helper()
	_, secret, err := f.keys.Create(f.t.Context(), control.NewKey{Name: "test", Org: org, Scopes: scopes.Words()})
	if err != nil {
		f.t.Fatal(err)
	}
	return secret
}

// ask is a request; header holds names and values in turn.
type ask struct {
	method, path, key, body string
	header                  []string
}

// do sends a request and holds the answer against the OpenAPI document.
func (f *fixture) do(a ask) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.send(a.request(f.t.Context()))
}

func (a ask) request(ctx context.Context) *http.Request {
	var body io.Reader
	if a.body != "" {
		body = strings.NewReader(a.body)
	}
	method := a.method
	if method == "" {
		method = http.MethodGet
	}
	r := httptest.NewRequestWithContext(ctx, method, a.path, body)
	if a.key != "" {
		r.Header.Set("Authorization", "Bearer "+a.key)
	}
	for i := 0; i < len(a.header); i += 2 {
		r.Header.Set(a.header[i], a.header[i+1])
	}
	return r
}

func (f *fixture) send(r *http.Request) *httptest.ResponseRecorder {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.server.ServeHTTP(w, r)
	f.check(r, w)
	return w
}

// check holds an answer against the rules of every answer and against the document.
func (f *fixture) check(r *http.Request, w *httptest.ResponseRecorder) {
	f.t.Helper()
	at := r.Method + " " + r.URL.Path
	if id := w.Header().Get("X-Request-Id"); len(id) != 14 || !strings.HasPrefix(id, "req_") {
		f.t.Errorf("%s: X-Request-Id is %q", at, id)
	}
	if cache := w.Header().Get("Cache-Control"); w.Header().Get("X-Content-Type-Options") != "nosniff" || cache != "no-store" && (w.Code != 200 || !strings.HasPrefix(cache, "private, ")) {
		f.t.Errorf("%s: headers are missing: %v", at, w.Header())
	}
	pattern := f.server.Pattern(r)
	item := f.doc.Paths.Value(pattern)
	if pattern == "" || item == nil || item.GetOperation(r.Method) == nil || r.Method == http.MethodHead {
		return // there is no such route, and nothing to describe
	}
	if w.Result().Body != nil && strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		return
	}
	err := openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: r,
			Route:   &routers.Route{Spec: f.doc, Path: pattern, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)},
		},
		Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		f.t.Errorf("%s: the answer is not what the document says: %v\n%d %s", at, err, w.Code, w.Body)
	}
}

// record records one event and returns the answer's body.
func (f *fixture) record(key, body string) string {
	f.t.Helper()
	w := f.do(ask{method: "POST", path: "/v1/events", key: key, body: body})
	if w.Code != http.StatusCreated {
		f.t.Fatalf("record: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// event is a small event with a member more.
func event(action, more string) string {
	return `{"action":"` + action + `","actor":{"type":"user","id":"usr_7"}` + more + `}`
}

// logged collects what is logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

var errDisk = errors.New("disk on fire at /var/lib/secret")
