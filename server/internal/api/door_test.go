package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/workos"
)

// What never reaches a door's route is refused in the door's words on its paths, and in ours elsewhere.
func TestDoorPaths(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	large := strings.Repeat("x", 5<<20+1)
	for name, tt := range map[string]struct {
		ask    ask
		status int
		body   string
	}{
		"wrong method":  {ask{path: "/audit_logs/events"}, 405, `{"message":"Method Not Allowed"}`},
		"no route":      {ask{path: "/audit_logs/retention"}, 404, `{"message":"Not Found"}`},
		"double slash":  {ask{method: "POST", path: "/audit_logs//events"}, 404, `{"message":"Not Found"}`},
		"no schemas":    {ask{path: "/audit_log_schemas"}, 404, `{"message":"Not Found"}`},
		"too large":     {ask{method: "POST", path: "/audit_logs/events", body: large}, 413, `{"message":"Payload too large.","code":"payload_too_large"}`},
		"bad encoding":  {ask{method: "POST", path: "/audit_logs/events", body: "{}", header: []string{"Content-Encoding", "gzip"}}, 400, `{"message":"Bad Request","code":"invalid_body"}`},
		"no credential": {ask{method: "POST", path: "/audit_logs/events", body: "{}"}, 401, `{"message":"Unauthorized"}`},
	} {
		w := f.do(tt.ask)
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
	if w := f.do(ask{path: "/audit_logs/events"}); w.Header().Get("Allow") != "POST" {
		t.Errorf("Allow is %q", w.Header().Get("Allow"))
	}
	gzipped := ask{method: "POST", path: "/audit_logs/events", key: f.acme, header: []string{"Content-Encoding", "gzip"}, body: gzipped(t,
		`{"organization_id":"org_acme","event":{"action":"a.b","occurred_at":"2026-02-02T16:35:39Z","actor":{"id":"u","type":"user"},"targets":[],"context":{"location":""}}}`)}
	if w := f.do(gzipped); w.Code != 201 || w.Header().Get("Daybook-Seq") != "0" {
		t.Errorf("compressed: %d %s", w.Code, w.Body)
	}
}

// The door of ta-vivo refuses what never reaches a route in its words, and who may not come in before the body is read.
func TestTavivoPaths(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	large := strings.Repeat("x", 5<<20+1)
	for name, tt := range map[string]struct {
		ask         ask
		status      int
		body, allow string
	}{
		"PUT":              {ask{method: "PUT", path: "/logs"}, 405, `{"message":"Method not allowed"}`, "GET, HEAD, POST"},
		"DELETE of one":    {ask{method: "DELETE", path: "/logs/1"}, 405, `{"message":"Method not allowed"}`, "GET, HEAD"},
		"POST to one":      {ask{method: "POST", path: "/logs/1", body: "{}"}, 405, `{"message":"Method not allowed"}`, "GET, HEAD"},
		"below one":        {ask{path: "/logs/1/2"}, 404, `{"message":"Not found"}`, ""},
		"slash":            {ask{path: "/logs/"}, 404, `{"message":"Not found"}`, ""},
		"too large":        {ask{method: "POST", path: "/logs", body: large, key: f.acme}, 413, `{"message":"Payload too large"}`, ""},
		"large, of nobody": {ask{method: "POST", path: "/logs", body: large}, 401, `{"message":"Unauthorized"}`, ""},
		"bad encoding":     {ask{method: "POST", path: "/logs", body: "{}", key: f.acme, header: []string{"Content-Encoding", "gzip"}}, 400, `{"message":"Bad Request"}`, ""},
	} {
		w := f.do(tt.ask)
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
	if w := f.do(ask{path: "/logsbook"}); w.Code != 404 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("a path that only begins like it: %d %v", w.Code, w.Header())
	}
}

// panickingDoor is the WorkOS door with a handler that fails.
type panickingDoor struct{ *workos.Door }

func (panickingDoor) Routes() []auth.DoorRoute {
	return []auth.DoorRoute{{Method: "POST", Pattern: "/audit_logs/events", Scopes: auth.Record, Handler: func(http.ResponseWriter, *http.Request, []byte) {
		panic("secret of the heap")
	}}}
}

func TestDoorPanics(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{deps: func(d *api.Deps) { d.Doors = []auth.Door{panickingDoor{workos.New(workos.Deps{})}} }})
	w := f.do(ask{method: "POST", path: "/audit_logs/events", body: "{}"})
	if w.Code != 500 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `"temporarily_unavailable"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// openPortal opens the portal of an organization, and returns the header that its pages ask for.
func (f *fixture) openPortal(key, org string) string {
	f.t.Helper()
	var made struct{ Link string }
	w := f.do(ask{method: "POST", path: "/portal/generate_link", key: key, body: `{"organization":"` + org + `"}`})
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusCreated {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	_, token, _ := strings.Cut(made.Link, "?")
	w = f.do(ask{method: "POST", path: "/portal", body: token})
	cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	if w.Code != http.StatusSeeOther || cookie == "" {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return cookie
}
