package daybookhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybookhttp"
	"github.com/daybook-audit/daybook/storetest"
)

// kept is a Recorder that keeps what it is given, or fails.
type kept struct {
	events []daybook.Event
	err    error
}

func (k *kept) Record(_ context.Context, _ daybook.OrgID, e daybook.Event) (daybook.Receipt, error) {
	if k.err == nil {
		k.events = append(k.events, e)
	}
	return daybook.Receipt{ID: e.ID}, k.err
}

func (k *kept) RecordBatch(context.Context, daybook.OrgID, []daybook.Event) ([]daybook.Receipt, error) {
	return nil, k.err
}

type trial struct {
	t       *testing.T
	kept    kept
	clerk   *daybook.Clerk
	options daybookhttp.Options
}

func newTrial(t *testing.T, o daybookhttp.Options) *trial {
	t.Helper()
	tr := &trial{t: t, options: o}
	var err error
	tr.clerk, err = daybook.NewClerk(&tr.kept, daybook.ClerkOptions{Org: "org_acme", Actor: daybook.UnknownIsValid, Secret: []byte(strings.Repeat("k", 32))})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// serve sends one request through the middleware.
func (tr *trial) serve(r *http.Request, h http.HandlerFunc) *httptest.ResponseRecorder {
	tr.t.Helper()
	w := httptest.NewRecorder()
	daybookhttp.Middleware(tr.clerk, tr.options)(h).ServeHTTP(w, r)
	return w
}

func (tr *trial) request(method, target, contentType, body string) *http.Request {
	tr.t.Helper()
	r := httptest.NewRequestWithContext(tr.t.Context(), method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func (tr *trial) one() daybook.Event {
	tr.t.Helper()
	if len(tr.kept.events) != 1 {
		tr.t.Fatalf("%d events", len(tr.kept.events))
	}
	return tr.kept.events[0]
}

var all = []daybookhttp.Rule{{Level: daybookhttp.RequestResponse}}

func ok(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"ok":true}`)
}

// What is kept of a body depends on its kind, and on how much of it the handler read.
func TestBodies(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		contentType, body string
		h                 http.HandlerFunc
		request, response string
	}{
		"json":             {"application/json", `{"a":1}`, ok, `{"a":1}`, `{"ok":true}`},
		"of a profile":     {"application/merge-patch+json; charset=utf-8", `{"a":null}`, ok, `{"a":null}`, `{"ok":true}`},
		"form":             {"application/x-www-form-urlencoded", `a=1&pin=2`, ok, `{"a":"1","pin":{"$masked":true}}`, `{"ok":true}`},
		"multipart":        {"multipart/form-data; boundary=x", "--x--", ok, "", `{"ok":true}`},
		"no kind":          {"", `{"a":1}`, ok, "", `{"ok":true}`},
		"no JSON":          {"application/json", `{"a"`, ok, `{"$cut":{"size":4,"hmac":"HMAC","why":"syntax"}}`, `{"ok":true}`},
		"equal names":      {"application/json", `{"a":1,"a":2}`, ok, `{"$cut":{"size":13,"hmac":"HMAC","why":"syntax"}}`, `{"ok":true}`},
		"like a mark":      {"application/json", `{"$cut":{}}`, ok, `{"$json":{"$cut":{}}}`, `{"ok":true}`},
		"many members":     {"application/json", "[" + strings.Repeat("1,", 500) + "1]", ok, `{"$encoded":"[` + strings.Repeat("1,", 500) + `1]"}`, `{"ok":true}`},
		"not read":         {"application/json", `{"a":1}`, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "", ""},
		"read in part":     {"application/json", `{"a":1,"b":2}`, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadFull(r.Body, make([]byte, 9)) }, `{"$cut":{"size":9,"length":13,"hmac":"HMAC","why":"unread","beginning":{"a":1}}}`, ""},
		"read to its size": {"application/json", `{"a":1}`, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadFull(r.Body, make([]byte, 7)) }, `{"a":1}`, ""},
		"compressed answer": {"application/json", `1`, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			ok(w, r)
		}, `1`, ""},
		"html": {"application/json", `1`, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<p>")
		}, "", ""},
	} {
		tr := newTrial(t, daybookhttp.Options{Rules: all})
		tr.serve(tr.request("POST", "/x", tt.contentType, tt.body), tt.h)
		got := []string{string(tr.one().Context.HTTP.Request), string(tr.one().Context.HTTP.Response)}
		if i := strings.Index(got[0], `"hmac":"`); i >= 0 {
			i += len(`"hmac":"`)
			got[0] = got[0][:i] + "HMAC" + got[0][i+44:]
		}
		if diff := cmp.Diff([]string{tt.request, tt.response}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Each level has what the one before it has, and more.
func TestLevels(t *testing.T) {
	t.Parallel()
	for level, want := range map[daybookhttp.Level][3]bool{
		daybookhttp.Metadata: {}, daybookhttp.Request: {true, true, false}, daybookhttp.RequestResponse: {true, true, true},
	} {
		tr := newTrial(t, daybookhttp.Options{Rules: []daybookhttp.Rule{{Level: level}}, Headers: []string{"X-Tenant"}})
		r := tr.request("PUT", "/x?q=1", "application/json", `{"a":1}`)
		r.Header.Set("X-Tenant", "t")
		r.Header.Set("X-Other", "o")
		r.Header.Set("Authorization", "Bearer x")
		tr.serve(r, ok)
		e := tr.one()
		h := e.Context.HTTP
		meta := string(e.Metadata)
		if got := [3]bool{strings.Contains(meta, `"q":"1"`) && strings.Contains(meta, `"X-Tenant":"t"`), h.Request != nil, h.Response != nil}; got != want {
			t.Errorf("level %d: %v, want %v: %s", level, got, want, meta)
		}
		if strings.Contains(meta, "X-Other") || strings.Contains(meta, "Bearer") {
			t.Errorf("level %d keeps a header: %s", level, meta)
		}
	}
}

// What Names keeps stays, also with the Clerk; what it hashes can be compared.
func TestNames(t *testing.T) {
	t.Parallel()
	names := func(name string) daybookhttp.Treatment {
		switch name {
		case "key":
			return daybookhttp.Keep
		case "mail":
			return daybookhttp.Hash
		case "gone":
			return daybookhttp.Drop
		}
		return daybookhttp.DefaultNames(name)
	}
	tr := newTrial(t, daybookhttp.Options{Rules: all, Names: names})
	const body = `{"key":"k","mail":"a@b.c","gone":1,"token":"t"}`
	tr.serve(tr.request("POST", "/x?key=k&gone=1", "application/json", body), ok)
	e := tr.one()
	got := string(e.Context.HTTP.Request)
	if !strings.HasPrefix(got, `{"key":"k","mail":{"$hash":"`) || !strings.HasSuffix(got, `,"token":{"$masked":true}}`) {
		t.Errorf("recorded %s", got)
	}
	if meta := string(e.Metadata); !strings.Contains(meta, `"query":{"key":"k"}`) {
		t.Errorf("metadata is %s", meta)
	}
}

// An answer is what the handler wrote: status once, headers as they were then, trailers, and 1xx before it.
func TestResponse(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, daybookhttp.Options{Rules: all})
	server := httptest.NewServer(daybookhttp.Middleware(tr.clerk, tr.options)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</x>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-Late", "not sent")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "short and stout")
		w.Header().Set("X-Sum", "42")
	})))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it is only read
	text, err := io.ReadAll(answer.Body)
	if err != nil || string(text) != "short and stout" || answer.StatusCode != http.StatusTeapot || answer.Header.Get("X-Late") != "" || answer.Trailer.Get("X-Sum") != "42" {
		t.Errorf("%d %v %v %q %v", answer.StatusCode, answer.Header, answer.Trailer, text, err)
	}
	if e := tr.one(); e.Context.HTTP.StatusCode != http.StatusTeapot {
		t.Errorf("recorded %d", e.Context.HTTP.StatusCode)
	}
}

var errOut = errors.New("out of reach")

// An answer that is out already cannot be taken back: the event is counted as lost.
func TestRefusal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		h      http.HandlerFunc
		status int
		lost   int64
	}{
		"held":       {ok, 507, 0},
		"no content": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, 507, 0},
		"flushed": {func(w http.ResponseWriter, r *http.Request) {
			ok(w, r)
			_ = http.NewResponseController(w).Flush()
		}, 200, 1},
		"long": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 20<<10)) }, 200, 1},
	} {
		tr := newTrial(t, daybookhttp.Options{Rules: all, Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
			if !errors.Is(err, errOut) || w.Header().Get("Content-Type") != "" {
				t.Errorf("%s: refused with %v %v", name, err, w.Header())
			}
			w.WriteHeader(http.StatusInsufficientStorage)
		}})
		tr.kept.err = errOut
		if w := tr.serve(tr.request("POST", "/x", "", ""), tt.h); w.Code != tt.status || tr.clerk.Stats().Lost != tt.lost {
			t.Errorf("%s: %d, %d lost", name, w.Code, tr.clerk.Stats().Lost)
		}
	}
}

// A panic that cannot be recorded is lost, and goes on.
func TestPanicLost(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, daybookhttp.Options{})
	tr.kept.err = errOut
	defer func() {
		if p := recover(); p != "boom" || tr.clerk.Stats().Lost != 1 {
			t.Errorf("%v, %d lost", p, tr.clerk.Stats().Lost)
		}
	}()
	tr.serve(tr.request("POST", "/x", "", ""), func(http.ResponseWriter, *http.Request) { panic("boom") })
}

// Who asks and for whom may be known only inside.
func TestWho(t *testing.T) {
	t.Parallel()
	type userKey struct{}
	o := daybookhttp.Options{
		Actor: func(r *http.Request) (daybook.Actor, error) {
			id, known := r.Context().Value(userKey{}).(string)
			if id == "broken" {
				return daybook.Actor{}, errOut
			}
			if !known {
				return daybook.Actor{}, nil
			}
			return daybook.Actor{Type: "user", ID: id}, nil
		},
		Org: func(r *http.Request) (daybook.OrgID, error) {
			if r.Context().Value(userKey{}) == "ada" {
				return "org_ada", nil
			}
			return "", errOut
		},
	}
	for user, want := range map[string]string{"ada": "user:ada org_ada", "": "anonymous:anonymous org_acme", "broken": "unknown:unknown org_acme"} {
		tr := newTrial(t, o)
		tr.serve(tr.request("POST", "/x", "", ""), func(w http.ResponseWriter, r *http.Request) {
			if user != "" {
				r = r.WithContext(context.WithValue(r.Context(), userKey{}, user))
			}
			daybookhttp.Innermost(http.HandlerFunc(ok)).ServeHTTP(w, r)
		})
		e := tr.one()
		if got := e.Actor.Type + ":" + e.Actor.ID + " " + string(e.Org); got != want {
			t.Errorf("%s: %s", user, got)
		}
	}
}

// The pattern is the router's, wherever the middleware stands.
func TestRoute(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("PUT example.com/invoices/{id}", ok)
	mux.HandleFunc("PUT /users/{id}", ok)
	for name, wrap := range map[string]func(func(http.Handler) http.Handler) http.Handler{
		"outside": func(mw func(http.Handler) http.Handler) http.Handler { return mw(mux) },
		"inside": func(mw func(http.Handler) http.Handler) http.Handler {
			inner := http.NewServeMux()
			inner.Handle("PUT example.com/invoices/{id}", mw(http.HandlerFunc(ok)))
			return inner
		},
		"behind a copy": func(mw func(http.Handler) http.Handler) http.Handler {
			return mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				daybookhttp.Innermost(mux).ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
			}))
		},
		"another router": func(mw func(http.Handler) http.Handler) http.Handler {
			return mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				daybookhttp.SetRoute(r.Context(), "/invoices/{id}", []daybookhttp.Param{{Name: "id", Value: "42"}})
				ok(w, r)
			}))
		},
	} {
		tr := newTrial(t, daybookhttp.Options{})
		w := httptest.NewRecorder()
		wrap(daybookhttp.Middleware(tr.clerk, tr.options)).ServeHTTP(w, tr.request("PUT", "http://example.com/invoices/42", "", ""))
		e := tr.one()
		if e.Context.HTTP.Route != "/invoices/{id}" || string(e.Context.HTTP.Params) != `{"id":"42"}` || len(e.Targets) != 1 || e.Targets[0].ID != "42" || e.Action != "http.put" {
			t.Errorf("%s: %s %+v %+v", name, e.Action, e.Context.HTTP, e.Targets)
		}
	}
}

// A handler that records for itself has the request also where the middleware records nothing.
func TestScopeOfWhatIsNotRecorded(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, daybookhttp.Options{})
	r := tr.request("GET", "/report", "", "")
	r.RemoteAddr = "203.0.113.9:1"
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	tr.serve(r, func(_ http.ResponseWriter, r *http.Request) {
		if _, err := tr.clerk.Record(r.Context(), daybook.Event{Action: "report.read"}); err != nil {
			t.Error(err)
		}
	})
	if e := tr.one(); e.Context.IP != "203.0.113.9" || e.Context.HTTP.Path != "/report" || e.Context.TraceID != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("%+v", e.Context)
	}
}

// What a client says of itself cannot break the event.
func TestHostileRequest(t *testing.T) {
	t.Parallel()
	book, err := daybook.Open(t.Context(), storetest.Memory(), daybook.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close() //nolint:errcheck // nothing depends on it
	clerk, err := daybook.NewClerk(book, daybook.ClerkOptions{Org: "org_acme", Actor: daybook.UnknownIsValid})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/a%00b/\xff?%00=%ff&x="+strings.Repeat("y", 5000), strings.NewReader(`{"a":"\u0000","b":`+strings.Repeat("[", 90)+strings.Repeat("]", 90)+`}`))
	r.Method = strings.Repeat("M", 100) + "\x00"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "\xff\x00"+strings.Repeat("u", 9000))
	r.Header.Set("X-Request-Id", strings.Repeat("r", 9000))
	r.Header.Set("Referer", strings.Repeat("f", 9000)+"\x00")
	w := httptest.NewRecorder()
	daybookhttp.Middleware(clerk, daybookhttp.Options{Rules: all})(http.HandlerFunc(ok)).ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if _, err := book.EntryAt(t.Context(), "org_acme", 0); err != nil {
		t.Error(err)
	}
}

// A request that is not recorded costs little more than its scope.
func BenchmarkMiddleware(b *testing.B) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	var k kept
	clerk, err := daybook.NewClerk(&k, daybook.ClerkOptions{Org: "org_acme", Actor: daybook.UnknownIsValid, Failure: []daybook.FailureRule{{Action: "*", Policy: daybook.FailOpen}}})
	if err != nil {
		b.Fatal(err)
	}
	k.err = errOut // so that nothing piles up
	for _, bb := range []struct {
		name, method string
		level        daybookhttp.Level
	}{{"none", "GET", daybookhttp.None}, {"metadata", "POST", daybookhttp.Metadata}, {"bodies", "POST", daybookhttp.RequestResponse}} {
		served := daybookhttp.Middleware(clerk, daybookhttp.Options{Rules: []daybookhttp.Rule{{Level: bb.level}}})(h)
		b.Run(bb.name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), bb.method, "/invoices/42", nil)
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				served.ServeHTTP(w, r)
			}
		})
	}
}

// written is a transaction that takes everything.
type written struct{}

func (written) Query(context.Context, string, ...any) (daybook.Rows, error) { return nil, errOut }
func (written) Dialect() daybook.Dialect                                    { return daybook.SQLite }
func (written) Exec(context.Context, string, ...any) (int64, error)         { return 1, nil }

// What the handler wrote within a transaction stands for the request only if that went well.
func TestMergeInTx(t *testing.T) {
	t.Parallel()
	for status, events := range map[int]int{http.StatusOK: 0, http.StatusInternalServerError: 1, http.StatusConflict: 1} {
		tr := newTrial(t, daybookhttp.Options{Rules: []daybookhttp.Rule{{Level: daybookhttp.Metadata, Merge: true}}})
		tr.serve(tr.request("POST", "/x", "", ""), func(w http.ResponseWriter, r *http.Request) {
			if _, err := tr.clerk.RecordTx(r.Context(), written{}, daybook.Event{Action: "a.b"}); err != nil {
				t.Error(err)
			}
			w.WriteHeader(status)
		})
		if len(tr.kept.events) != events {
			t.Errorf("%d: %d events of the request", status, len(tr.kept.events))
		}
	}
}
