package togo_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/activity"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/togo"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/doortest"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
	"github.com/daybook-audit/daybook/storetest"
)

// fixture is a door over a book in memory.
type fixture struct {
	*doortest.Base
	t     *testing.T
	audit *selfaudit.Auditor
	mux   *http.ServeMux
	door  *togo.Door
}

func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC) }

func newFixture(t *testing.T, o auth.Options, proxies ...netip.Prefix) *fixture {
	t.Helper()
	f := &fixture{Base: doortest.New(t, storetest.ClockAt(now()), storetest.Memory(), daybook.Options{}, o), t: t, mux: http.NewServeMux()}
	f.audit = selfaudit.New(f.Book, selfaudit.Options{Now: now})
	f.door = togo.New(togo.Deps{Book: f.Book, Auth: f.Auth, Audit: f.audit, TrustedProxies: proxies})
	for _, r := range f.door.Routes() {
		f.mux.HandleFunc(r.Method+" "+r.Pattern, func(w http.ResponseWriter, req *http.Request) {
			body := make([]byte, max(0, req.ContentLength))
			if _, err := req.Body.Read(body); err != nil && len(body) > 0 && err.Error() != "EOF" {
				t.Error(err)
			}
			r.Handler(w, req, body)
		})
	}
	return f
}

func (f *fixture) do(method, path, key, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = "10.0.0.1:1234"
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	return w
}

// snapshot takes one as an application with package activity does, and returns its id.
func (f *fixture) snapshot(org daybook.OrgID) string {
	f.t.Helper()
	clerk, err := daybook.NewClerk(f.Book, daybook.ClerkOptions{Org: org})
	if err != nil {
		f.t.Fatal(err)
	}
	v, err := activity.New(clerk, nil, f.Book).Snapshot(f.t.Context(), "post", "42", map[string]any{"title": "Hello"}, "u1")
	if err != nil {
		f.t.Fatal(err)
	}
	return v.EventID.String()
}

// newest returns the newest event of org.
func (f *fixture) newest(org daybook.OrgID) daybook.Event {
	f.t.Helper()
	page, err := f.Book.Search(f.t.Context(), daybook.EventQuery{Org: org, Limit: 1})
	if err != nil || len(page.Entries) == 0 {
		f.t.Fatalf("nothing in the log of %s: %v", org, err)
	}
	e, err := page.Entries[0].Event()
	if err != nil {
		f.t.Fatal(err)
	}
	return e
}

// TestRestore: what a library has kept the door gives back, and says who asked: by the body, by a proxy that is trusted, or by key.
func TestRestore(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		proxies []netip.Prefix
		body    string
		want    string // the actor
		via     int
		ip      string
	}{
		"the body":        {nil, `{"causer_id":"u7"}`, "u7", 1, "10.0.0.1"},
		"a trusted proxy": {[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "", "u9", 1, "203.0.113.9"},
		"the body wins":   {[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, `{"causer_id":"u7"}`, "u7", 2, "203.0.113.9"},
		"the key":         {nil, "", "key", 0, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, auth.Options{}, tt.proxies...)
			id := f.snapshot("org_acme")
			key := f.Key("org_acme", "read", "record")
			w := f.do("POST", "/api/audit/versions/"+id+"/restore", key, tt.body, "X-User-Id", "u9", "X-Forwarded-For", "203.0.113.9", "User-Agent", "ua")
			want := `{"version":{"id":"` + id + `","number":1,"subject_type":"post","subject_id":"42","causer_id":"u1","created_at":"2026-01-02T03:04:05.678Z","seq":0},` +
				`"data":{"title":"Hello"}}`
			if w.Code != http.StatusOK || w.Body.String() != want {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			e := f.newest("org_acme")
			if tt.want == "key" {
				if e.Actor.Type != "api_key" || !strings.HasPrefix(e.Actor.ID, "key_") || e.Actor.Name != "app" {
					t.Errorf("actor %+v", e.Actor)
				}
			} else if e.Actor.Type != "user" || e.Actor.ID != tt.want || len(e.Actor.Via) != tt.via || e.Actor.Via[tt.via-1].Type != "api_key" {
				t.Errorf("actor %+v", e.Actor)
			}
			if e.Action != "post.restored" || e.Context.IP != tt.ip || e.Context.UserAgent != "ua" {
				t.Errorf("event %+v", e)
			}
		})
	}
}

// TestRefusals: what the server adds to the routes.
func TestRefusals(t *testing.T) {
	t.Parallel()
	f := newFixture(t, auth.Options{})
	id := f.snapshot("org_acme")
	every, acme, reader, recorder := f.Key("", "read", "record"), f.Key("org_acme", "read", "record"), f.Key("org_acme", "read"), f.Key("org_acme", "record")
	restore := "/api/audit/versions/" + id + "/restore"
	for name, tt := range map[string]struct {
		method, path, key string
		header            []string
		status            int
		body              string
	}{
		"no key":                  {"GET", "/api/audit/activity", "", nil, 401, `{"error":"unauthorized"}`},
		"a wrong key":             {"GET", "/api/audit/activity", "dbk_x", nil, 401, `{"error":"unauthorized"}`},
		"may not read":            {"GET", "/api/audit/dashboard", recorder, nil, 403, `{"error":"forbidden"}`},
		"may not record":          {"POST", restore, reader, nil, 403, `{"error":"forbidden"}`},
		"may only record":         {"POST", restore, recorder, nil, 403, `{"error":"forbidden"}`},
		"another org":             {"GET", "/api/audit/activity", acme, []string{"Daybook-Org", "org_globex"}, 404, `{"error":"not found"}`},
		"no org at all":           {"GET", "/api/audit/activity", every, []string{"Daybook-Org", "a b"}, 404, `{"error":"not found"}`},
		"the instance":            {"GET", "/api/audit/activity", every, []string{"Daybook-Org", string(control.Instance)}, 404, `{"error":"not found"}`},
		"the default org":         {"GET", "/api/audit/activity", every, nil, 200, `[]`},
		"a version of another's":  {"POST", restore, every, []string{"Daybook-Org", "org_globex"}, 404, `{"error":"not found"}`},
		"the org named":           {"POST", restore, every, []string{"Daybook-Org", "org_acme"}, 200, ""},
		"reading what is written": {"GET", restore, reader, nil, 405, `{"error":"method not allowed"}`},
		"a wrong parameter":       {"GET", "/api/audit/activity?x=1", reader, nil, 400, `{"error":"unknown parameter x","field":"x"}`},
	} {
		w := f.do(tt.method, tt.path, tt.key, "", tt.header...)
		if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
	limited := newFixture(t, auth.Options{RateLimit: 0.1})
	key := limited.Key("org_acme", "read")
	var last *httptest.ResponseRecorder
	for range 20 {
		last = limited.do("GET", "/api/audit/dashboard", key, "")
	}
	if last.Code != http.StatusTooManyRequests || last.Header().Get("Retry-After") == "" {
		t.Errorf("too often: %d %v", last.Code, last.Header())
	}
	if !f.door.Owns("/api/audit") || !f.door.Owns("/api/audit/x") || f.door.Owns("/api/auditors") {
		t.Error("Owns")
	}
	w := httptest.NewRecorder()
	f.door.Fault(w, nil, http.StatusInternalServerError)
	if w.Code != 503 || w.Body.String() != `{"error":"temporarily unavailable"}` {
		t.Errorf("after a panic: %d %s", w.Code, w.Body)
	}
}

// TestLooks: who reads through the door is recorded, as through the native API.
func TestLooks(t *testing.T) {
	t.Parallel()
	f := newFixture(t, auth.Options{})
	id := f.snapshot("org_acme")
	key := f.Key("org_acme", "read")
	if w := f.do("GET", "/api/audit/versions/post/42", key, ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), id) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	f.audit.Close(t.Context())
	e := f.newest("org_acme")
	if diff := cmp.Diff("daybook.log.viewed", e.Action); diff != "" || e.Actor.Type != "api_key" || !strings.Contains(string(e.Metadata), "target:post:42") {
		t.Errorf("%s %+v %s", diff, e.Actor, e.Metadata)
	}
}
