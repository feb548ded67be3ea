package api_test

import (
	"maps"
	"strings"
	"testing"
)

// noDocument is an _id that nobody has.
const noDocument = "59eebc5f20cbfb49c6eae431"

// restHapiTrials are the rows of the rest-hapi door for tenantTrials.
func restHapiTrials(f *fixture, of tenant, trials map[string][]trial) {
	get := func(path string, header ...string) ask { return ask{path: path, key: f.globex, header: header} }
	acme, none := []string{"Daybook-Org", "org_acme"}, []string{"Daybook-Org", "org_none"}
	post := ask{method: "POST", path: "/auditLog", key: f.globex, body: `{"notes":"x"}`}
	theirs, nobodys := post, post
	theirs.header, nobodys.header = acme, none
	maps.Copy(trials, map[string][]trial{
		"POST /auditLog": {{theirs, nobodys}},
		"GET /auditLog": {
			{get("/auditLog", acme...), get("/auditLog", none...)},
			{ask: get("/auditLog?$all=true")},
			{ask: get("/auditLog?$all=true&$q=acmesec*")},
			{ask: get("/auditLog?$all=true&$term=acmesec")},
			{ask: get("/auditLog?$all=true&$count=true")},
		},
		"GET /auditLog/{_id}": {
			{get("/auditLog/" + of.event), get("/auditLog/evt_01m7z7rs1affyad5cmxxj94a70")},
			{get("/auditLog/"+of.event, acme...), get("/auditLog/"+of.event, none...)},
			{get("/auditLog/69233c000000000000000000"), get("/auditLog/" + noDocument)},
		},
	})
}

// restHapiScopes are its rows for scopeTrials.
func restHapiScopes(asks map[string]ask) {
	acme := []string{"Daybook-Org", "org_acme"}
	maps.Copy(asks, map[string]ask{
		"POST /auditLog":      {method: "POST", path: "/auditLog", body: `{"notes":"x"}`, header: acme},
		"GET /auditLog":       {path: "/auditLog", header: acme},
		"GET /auditLog/{_id}": {path: "/auditLog/" + noDocument, header: acme},
	})
}

// What never reaches a route of the door is refused as hapi would.
func TestRestHapiPaths(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	for name, tt := range map[string]struct {
		ask         ask
		status      int
		body, allow string
	}{
		"PUT":          {ask{method: "PUT", path: "/auditLog"}, 405, `{"statusCode":405,"error":"Method Not Allowed","message":"Method Not Allowed"}`, "GET, HEAD, POST"},
		"PATCH of one": {ask{method: "PATCH", path: "/auditLog/" + noDocument}, 405, `{"statusCode":405,"error":"Method Not Allowed","message":"Method Not Allowed"}`, "GET, HEAD"},
		"below one":    {ask{path: "/auditLog/1/2"}, 404, `{"statusCode":404,"error":"Not Found","message":"Not Found"}`, ""},
		"no key":       {ask{path: "/auditLog"}, 401, `{"statusCode":401,"error":"Unauthorized","message":"Missing authentication"}`, ""},
		"too large":    {ask{method: "POST", path: "/auditLog", key: f.acme, body: strings.Repeat("x", 5<<20+1)}, 413, `{"statusCode":413,"error":"Request Entity Too Large","message":"Payload content length greater than maximum allowed: 5242880"}`, ""},
		"bad encoding": {ask{method: "POST", path: "/auditLog", key: f.acme, body: "{}", header: []string{"Content-Encoding", "gzip"}}, 400, `{"statusCode":400,"error":"Bad Request","message":"Invalid request payload"}`, ""},
	} {
		w := f.do(tt.ask)
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("Content-Type") != "application/json; charset=utf-8" || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
	if w := f.do(ask{path: "/auditlog"}); w.Code != 404 || strings.Contains(w.Body.String(), "statusCode") {
		t.Errorf("the path has a case: %d %v", w.Code, w.Header())
	}
	if w := f.do(ask{method: "POST", path: "/auditLog", key: f.acme, body: `{"notes":"x"}`}); w.Code != 201 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
