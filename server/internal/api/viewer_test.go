package api_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/verify"
)

const (
	page    = "https://app.acme.com"
	another = "https://evil.example"
)

// allowOrigins lets pages show the viewer of the org of key.
func (f *fixture) allowOrigins(key string, origins ...string) {
	f.t.Helper()
	list, _ := json.Marshal(origins)
	if w := f.do(ask{method: "PUT", path: "/v1/viewer-settings", key: key, body: `{"origins":` + string(list) + `}`}); w.Code != http.StatusOK {
		f.t.Fatalf("viewer settings: %d %s", w.Code, w.Body)
	}
}

// mint makes a viewer token for page with more members.
func (f *fixture) mint(key, more string) string {
	f.t.Helper()
	w := f.do(ask{method: "POST", path: "/v1/viewer-tokens", key: key, body: strings.TrimSuffix(newToken, "}") + more + "}"})
	var made struct{ Token string }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusCreated {
		f.t.Fatalf("mint: %d %s", w.Code, w.Body)
	}
	return made.Token
}

// from is a request that a page of an origin sends with a token.
func from(origin, token, path string) ask {
	return ask{path: path, key: token, header: []string{"Origin", origin}}
}

// TestViewerRoutes walks the table: with the token of a viewer, whatever its features, only the routes for viewers answer, and only with
// what the filter lets through; every other is 404 as if it were not there.
func TestViewerRoutes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, event(kept+".internal", `,"reason":"`+kept+`","targets":[{"type":"invoice","id":"42"}]`))
	f.record(f.acme, strings.Replace(fullEvent, "PO 7781", "public", 1))
	f.allowOrigins(f.acme, page)
	all := f.mint(f.acme, `,"filter":"-action:acmesecret* -action:*.snapshot","features":["export","verify","live"]`)
	bare := f.mint(f.acme, ``)
	reached := map[string]string{
		"GET /v1/events": "", "GET /v1/events/{id}": "", "GET /v1/events/{id}/around": "", "GET /v1/targets/{type}/{id}/events": "", "GET /v1/actors/{type}/{id}/events": "",
		"GET /v1/histogram": "", "GET /v1/facets": "", "GET /v1/sentences": "", "GET /v1/viewer": "", "GET /v1/events/tail": "live", "GET /v1/events/csv": "export",
	}
	for _, log := range []string{logPath, logPath + "/epochs/{epoch}"} {
		for _, path := range []string{"/checkpoint", "/checkpoints", "/checkpoints/{size}", "/tile/{path}", "/inclusion", "/consistency", "/proof/{file}", "/info", "/evidence"} {
			reached["GET "+log+path] = "verify"
		}
	}
	trials := scopeTrials(f)
	trials["GET "+logPath+"/inclusion"] = ask{path: "/v1/organizations/org_acme/log/inclusion?seq=1"}
	trials["GET "+logPath+"/epochs/{epoch}/inclusion"] = ask{path: "/v1/organizations/org_acme/log/epochs/0/inclusion?seq=1"}
	trials["GET "+logPath+"/checkpoints/{size}"] = ask{path: "/v1/organizations/org_acme/log/checkpoints/3"}
	trials["GET "+logPath+"/epochs/{epoch}/checkpoints/{size}"] = ask{path: "/v1/organizations/org_acme/log/epochs/0/checkpoints/3"}
	f.do(ask{path: "/v1/organizations/org_acme/log/checkpoint", key: f.acme})
	for _, row := range f.server.Rows() {
		name := row.Method + " " + row.Pattern
		feature, ok := reached[name]
		delete(reached, name)
		if row.Open || row.Door {
			continue // no principal; a door knows API keys alone
		}
		for token, may := range map[string]bool{all: ok, bare: ok && feature == ""} {
			a := trials[name]
			a.key, a.header = token, []string{"Origin", page}
			got := f.do(a)
			if may != (got.Code == http.StatusOK) || !may && got.Code != http.StatusNotFound {
				t.Errorf("%s as a viewer with a token for everything (%v): %d %s", name, token == all, got.Code, got.Body)
			}
			shown := got.Body.String()
			if strings.HasSuffix(name, "/evidence") { // its header names the filter, which the token does too
				_, shown, _ = strings.Cut(shown, "\n")
			}
			if token == all && strings.Contains(shown, kept) {
				t.Errorf("%s shows what the filter leaves out: %s", name, got.Body)
			}
		}
	}
	for name := range reached {
		t.Errorf("%s is for viewers and not in the table", name)
	}
	// Naming another organization, or its things, finds nothing.
	hidden := receiptID(t, f.record(f.acme, event(kept+".again", "")))
	theirs := receiptID(t, f.record(f.globex, event("a.b", "")))
	for _, path := range []string{
		"/v1/events/" + hidden, "/v1/events/" + hidden + "/around", "/v1/events/" + theirs, "/v1/organizations/org_acme/log/proof/" + hidden + ".tlog-proof",
		"/v1/organizations/org_acme/log/inclusion?seq=0", "/v1/organizations/org_globex/log/checkpoint", "/v1/organizations/org_acme/log/tile/entries/000.p/1",
	} {
		if w := f.do(from(page, all, path)); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/v1/events?q=acmesecret*", "/v1/events?q=reason:acmesecret+OR+is:control", "/v1/facets", "/v1/histogram", "/v1/events/csv", "/v1/targets/invoice/42/events"} {
		w := f.do(from(page, all, path))
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), hidden) || strings.Contains(w.Body.String(), kept+".internal") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := f.do(ask{path: "/v1/events", key: all, header: []string{"Origin", page, "Daybook-Org", "org_globex"}}); w.Code != http.StatusNotFound {
		t.Errorf("another organization: %d", w.Code)
	}
}

func receiptID(t *testing.T, body string) string {
	t.Helper()
	var receipt struct{ ID string }
	if err := json.Unmarshal([]byte(body), &receipt); err != nil {
		t.Fatal(err)
	}
	return receipt.ID
}

// TestViewerHeld: who reads a log sees which entries a hold keeps, a viewer does not.
func TestViewerHeld(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, event("a.b", ""))
	if w := f.do(ask{method: "POST", path: "/v1/holds", key: f.acme, body: `{"query":"action:a.b","reason":"Case 118"}`}); w.Code != http.StatusCreated {
		t.Fatalf("place a hold: %d %s", w.Code, w.Body)
	}
	f.allowOrigins(f.acme, page)
	for name, c := range map[string]struct {
		ask  ask
		want bool
	}{
		"a key":                {ask{path: "/v1/events", key: f.acme}, true},
		"a viewer":             {from(page, f.mint(f.acme, ``), "/v1/events"), false},
		"another organization": {ask{path: "/v1/events", key: f.globex}, false},
	} {
		w := f.do(c.ask)
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"held":true`) != c.want {
			t.Errorf("%s sees what is held, want %v: %d %s", name, c.want, w.Code, w.Body)
		}
	}
}

// TestViewerHide: what is withheld is in no answer, and no question finds out whether it is there, on no page.
func TestViewerHide(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	secret := strings.NewReplacer("grace@acme.com", "hush@acme.com", "203.0.113.9", "198.51.100.77", "Invoice 42", "Hush 42", `"plan":"pro"`, `"plan":"pro","big":12345678901234567890,"note":"hush"`).Replace(fullEvent)
	f.record(f.acme, secret)
	for range 3 {
		f.record(f.acme, event("a.b", `,"reason":"hush"`))
	}
	f.allowOrigins(f.acme, page)
	token := f.mint(f.acme, `,"filter":"-ip:192.0.2.1","hide":["/context/ip","/actor/email","/actor/via","/targets/*/name","/reason","/metadata/note"],"features":["export","live","verify"]`)
	for _, path := range []string{
		"/v1/events", "/v1/events?sentences=true", "/v1/events/" + firstID, "/v1/events/" + firstID + "/around", "/v1/targets/invoice/42/events", "/v1/actors/user/usr_7/events", "/v1/events/csv", "/v1/facets?names=true", "/v1/histogram",
	} {
		w := f.do(from(page, token, path))
		text := w.Body.String()
		if w.Code != http.StatusOK || strings.Contains(strings.ToLower(text), "hush") || strings.Contains(text, "198.51") || strings.Contains(text, "Ada Byron") {
			t.Errorf("%s: %d %s", path, w.Code, text)
		}
	}
	one := f.do(from(page, token, "/v1/events/"+firstID)).Body.String()
	for _, want := range []string{`"hidden_fields":["/context/ip"`, `"big":12345678901234567890`, `"name":"Grace Hopper"`, `"user_agent"`} {
		if !strings.Contains(one, want) {
			t.Errorf("the entry lacks %s: %s", want, one)
		}
	}
	nameless := f.mint(f.acme, `,"hide":["/actor/name"]`)
	for key, want := range map[string]bool{token: true, nameless: false} {
		if w := f.do(from(page, key, "/v1/facets?names=true")); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "Grace Hopper") != want {
			t.Errorf("the name of an actor in the facets, want %v: %d %s", want, w.Code, w.Body)
		}
	}
	rows := func(path string) (int, string) {
		var got struct {
			Entries []struct{ Seq int }
			Next    *string `json:"next_cursor"`
		}
		w := f.do(from(page, token, path))
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		next := ""
		if got.Next != nil {
			next = *got.Next
		}
		return len(got.Entries), next
	}
	for q, want := range map[string]int{
		"hush": 0, "-hush": 4, "reason:hush": 0, "has:reason": 0, "actor.email:*": 0, "ip:198.51.100.77": 0, "actor:hush@acme.com": 0, "target.name:*": 0, "has:via": 0, "meta.note:hush": 0, "meta.plan:pro": 1, "target:invoice:42": 1,
		"-has:reason": 4,
	} {
		if got, _ := rows("/v1/events?q=" + strings.ReplaceAll(q, " ", "+")); got != want {
			t.Errorf("%s: %d rows, want %d", q, got, want)
		}
	}
	// Evidence withholds the same, and proves the rest.
	text := f.do(from(page, token, "/v1/organizations/org_acme/log/evidence?from=0&to=4")).Body.String()
	_, o := f.pinned(t)
	if r := verify.Bundle(strings.NewReader(text), o); r.Exit() != 0 || !r.Masked || r.Withheld == 0 || r.Entries != 4 || strings.Contains(strings.ToLower(text), "hush") || strings.Contains(text, "Ada Byron") {
		t.Errorf("evidence: %d %v %d of %d entries: %s", r.Exit(), r.Findings, r.Withheld, r.Entries, text)
	}
	n, cursor := rows("/v1/events?q=-reason:hush&limit=2")
	if n != 2 || cursor == "" {
		t.Fatal(n, cursor)
	}
	if n, _ := rows("/v1/events?limit=2&cursor=" + cursor); n != 2 {
		t.Errorf("on the second page the question sees what is withheld: %d rows", n)
	}
	// The live tail withholds too.
	f.record(f.acme, event("a.c", `,"reason":"hush"`))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/4)
	defer cancel()
	w := httptest.NewRecorder()
	f.server.ServeHTTP(w, from(page, token, "/v1/events/tail?from_seq=0&q=-reason:hush").request(ctx))
	if text := w.Body.String(); strings.Count(text, "event: entry") != 5 || strings.Contains(text, "hush") {
		t.Errorf("the tail: %s", text)
	}
}

// TestViewerOwn: what the log says about itself is not for customers: neither who holds it and why, nor who manages it.
func TestViewerOwn(t *testing.T) {
	t.Parallel()
	f, auditor := audited(t, nil)
	defer auditor.Close(t.Context())
	f.record(f.acme, event("a.b", ""))
	f.allowOrigins(f.acme, page)
	if w := f.do(ask{method: "POST", path: "/v1/holds", key: f.acme, body: `{"query":"","reason":"case against them"}`}); w.Code != http.StatusCreated {
		t.Fatalf("hold: %d %s", w.Code, w.Body)
	}
	f.do(ask{path: "/v1/organizations/org_acme/log/checkpoint", key: f.acme})
	token := f.mint(f.acme, `,"features":["export","verify","live"]`)
	own := f.mint(f.acme, `,"filter":"action:daybook.*"`)
	for _, path := range []string{"/v1/events", "/v1/events?q=is:control", "/v1/events?q=action:daybook.*", "/v1/events/csv", "/v1/organizations/org_acme/log/evidence?from=0&to=2", "/v1/facets?fields=action"} {
		w := f.do(from(page, token, path))
		if body := w.Body.String(); w.Code != http.StatusOK || strings.Contains(body, "case against them") || strings.Contains(body, "daybook.") && !strings.Contains(path, "daybook.") && !strings.Contains(path, "evidence") {
			t.Errorf("%s: %d %s", path, w.Code, body)
		}
	}
	if w := f.do(from(page, token, "/v1/events")); !strings.Contains(w.Body.String(), `"a.b"`) {
		t.Errorf("a viewer sees nothing: %s", w.Body)
	}
	if w := f.do(from(page, own, "/v1/events")); !strings.Contains(w.Body.String(), `"daybook.`) || strings.Contains(w.Body.String(), `"op":`) {
		t.Errorf("a token for the events of Daybook's own: %s", w.Body)
	}
}

// TestViewerTokens: what ends a token, and what makes it worthless elsewhere.
func TestViewerTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.allowOrigins(f.acme, page, "https://other.acme.com")
	made := f.do(ask{method: "POST", path: "/v1/keys", key: f.acme, body: `{"name":"embed","org":"org_acme","scopes":["viewer"]}`})
	var key struct{ ID, Key string }
	if err := json.Unmarshal(made.Body.Bytes(), &key); err != nil {
		t.Fatal(err)
	}
	token := f.mint(key.Key, "")
	status := func(origin, token string) int { return f.do(from(origin, token, "/v1/events")).Code }
	if got := status(page, token); got != http.StatusOK {
		t.Fatalf("a good token: %d", got)
	}
	// The key that mints may not look itself.
	if w := f.do(ask{path: "/v1/events", key: key.Key}); w.Code != http.StatusForbidden {
		t.Errorf("the minting key reads: %d", w.Code)
	}
	for what, a := range map[string]ask{
		"of another origin":           from(another, token, "/v1/events"),
		"of another of the same org":  from("https://other.acme.com", token, "/v1/events"),
		"without an origin":           {path: "/v1/events", key: token},
		"of a page of ours by name":   {path: "/v1/events", key: token, header: []string{"Sec-Fetch-Site", "same-site"}},
		"of another site, no origin":  {path: "/v1/events", key: token, header: []string{"Sec-Fetch-Site", "cross-site"}},
		"origin null, as of a file":   from("null", token, "/v1/events"),
		"origin with another port":    from(page+":8443", token, "/v1/events"),
		"origin with a longer domain": from(page+".evil.example", token, "/v1/events"),
	} {
		if w := f.do(a); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "wrong_origin") {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	for _, header := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://example.com"}} { // the frame that the server serves itself
		if w := f.do(ask{path: "/v1/events", key: token, header: header}); w.Code != http.StatusOK {
			t.Errorf("the frame, %v: %d %s", header, w.Code, w.Body)
		}
	}
	parts := strings.Split(token, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	wider := parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), "org_acme", "org_globex", 1))) + "." + parts[2]
	other := newFixture(t, setup{})
	other.allowOrigins(other.acme, page)
	for what, bad := range map[string]string{"unsigned": none, "for another org": wider, "cut": token[:len(token)-2], "empty": "ey", "of another instance with another key": other.mint(other.acme, "")} {
		if what == "of another instance with another key" {
			continue // both fixtures sign with one key; what differs is the minting key, below
		}
		if got := status(page, bad); got != http.StatusUnauthorized {
			t.Errorf("a token %s: %d", what, got)
		}
	}
	if got := f.do(from(page, other.mint(other.acme, ""), "/v1/events")).Code; got != http.StatusUnauthorized {
		t.Errorf("a token whose key is not here: %d", got)
	}
	// It opens nothing as a cookie, in the address, or where sessions and the doors ask.
	for what, a := range map[string]ask{
		"in the address": {path: "/v1/events?token=" + token, header: []string{"Origin", page}},
		"as a cookie":    {path: onMachine + "/v1/events", header: []string{"Cookie", "daybook=" + token}},
		"at a door":      {path: "/api/audit/activity", key: token, header: []string{"Origin", page}},
		"to sign in":     {method: "POST", path: onMachine + "/v1/session", body: `{"api_key":"` + token + `"}`},
	} {
		if w := f.do(a); w.Code != http.StatusUnauthorized && w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", what, w.Code)
		}
	}
	f.Add(10*time.Minute - time.Second)
	if got := status(page, token); got != http.StatusOK {
		t.Errorf("a second before its end: %d", got)
	}
	f.Add(time.Second)
	if got := status(page, token); got != http.StatusUnauthorized {
		t.Errorf("at its end: %d", got)
	}
	token = f.mint(key.Key, "")
	f.do(ask{method: "DELETE", path: "/v1/keys/" + key.ID, key: f.acme})
	if got := status(page, token); got != http.StatusUnauthorized {
		t.Errorf("after the end of its key: %d", got)
	}
}

// TestViewerMint: what is refused when a token is asked for.
func TestViewerMint(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	post := func(body string, header ...string) *httptest.ResponseRecorder {
		return f.do(ask{method: "POST", path: "/v1/viewer-tokens", key: f.acme, body: body, header: header})
	}
	if w := post(newToken); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "origin_not_allowed") {
		t.Errorf("before an origin is named: %d %s", w.Code, w.Body)
	}
	f.allowOrigins(f.acme, page)
	with := func(more string) string { return strings.TrimSuffix(newToken, "}") + more + "}" }
	for body, want := range map[string]string{
		with(``): "", with(`,"ttl":"15m"`): "", with(`,"org":"org_acme"`): "", `{"viewer":{"type":"user","id":"x"}}`: "", with(`,"hide":["/changes/*/old","/metadata/a~1b"]`): "", with(`,"from":"now-90d"`): "",
		with(`,"ttl":"16m"`): "/ttl", with(`,"ttl":"-1m"`): "/ttl", with(`,"ttl":"soon"`): "/ttl", with(`,"hide":["/action"]`): "/hide/0", with(`,"hide":["/actor/id"]`): "/hide/0", with(`,"hide":["/contexts"]`): "/hide/0",
		with(`,"hide":["/metadata/"]`): "/hide/0", with(`,"hide":["/targets/0/name"]`): "/hide/0", with(`,"filter":"is:held"`): "query_invalid", with(`,"filter":"org:x"`): "query_invalid", with(`,"filter":"actr:x"`): "query_invalid",
		with(`,"features":["admin"]`): "/features/0", with(`,"from":"yesteryear"`): "/from", `{"viewer":{"type":"user"}}`: "/viewer", `{}`: "/viewer",
		strings.Replace(newToken, page, another, 1): "origin_not_allowed", strings.Replace(newToken, page, "app.acme.com", 1): "/origin", strings.Replace(newToken, page, "http://app.acme.com", 1): "/origin",
	} {
		w := post(body)
		if (w.Code == http.StatusCreated) != (want == "") || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if w := f.do(ask{method: "POST", path: "/v1/viewer-tokens", key: f.admin, body: newToken}); !strings.Contains(w.Body.String(), "org_required") {
		t.Errorf("a key for all without an organization: %d %s", w.Code, w.Body)
	}
	if w := f.do(ask{method: "POST", path: "/v1/viewer-tokens", key: f.admin, body: strings.Replace(newToken, "{", `{"org":"daybook:instance",`, 1)}); w.Code != http.StatusNotFound {
		t.Errorf("of the instance's own log: %d %s", w.Code, w.Body)
	}
	for origin, want := range map[string]string{
		"https://App.Acme.com/": page, "https://app.acme.com:443": page, "http://localhost:3000": "http://localhost:3000", "http://[::1]:3000": "http://[::1]:3000", "https://xn--bcher-kva.example:8443": "https://xn--bcher-kva.example:8443",
		"http://app.acme.com": "", "https://*.acme.com": "", "https://app.acme.com/x": "", "https://a@app.acme.com": "", "null": "", "app.acme.com": "", "https://app.acme.com?x": "", "javascript:alert(1)": "", "https://bücher.example": "", "https://a;b": "",
	} {
		if got, ok := control.ParseOrigin(origin); got != want || ok != (want != "") {
			t.Errorf("%s: %q %v", origin, got, ok)
		}
	}
	if w := f.do(ask{method: "PUT", path: "/v1/viewer-settings", key: f.acme, body: `{"origins":["https://*"]}`}); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "/origins/0") {
		t.Errorf("a wildcard: %d %s", w.Code, w.Body)
	}
	for _, life := range []string{"29", "901"} {
		if w := f.do(ask{method: "PUT", path: "/v1/viewer-settings", key: f.acme, body: `{"origins":[],"lifetime_s":` + life + `}`}); w.Code != http.StatusBadRequest {
			t.Errorf("%s seconds: %d", life, w.Code)
		}
	}
}

// TestViewerCORS: scripts of the origins that are named may ask with a token; everybody else's answers say nothing to a browser.
func TestViewerCORS(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.allowOrigins(f.acme, page)
	token := f.mint(f.acme, "")
	preflight := func(origin, path string) *httptest.ResponseRecorder {
		return f.do(ask{method: "OPTIONS", path: path, header: []string{"Origin", origin, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization"}})
	}
	h := preflight(page, "/v1/events").Header()
	if h.Get("Access-Control-Allow-Origin") != page || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") || h.Get("Access-Control-Allow-Credentials") != "" || !slices.Contains(h["Vary"], "Origin") {
		t.Errorf("preflight: %v", h)
	}
	for what, w := range map[string]*httptest.ResponseRecorder{
		"preflight of another":            preflight(another, "/v1/events"),
		"preflight elsewhere":             preflight(page, "/metrics"),
		"a key":                           f.do(from(page, f.acme, "/v1/events")),
		"nobody":                          f.do(ask{path: "/v1/events", header: []string{"Origin", page}}),
		"a token of a page not named":     f.do(from(another, token, "/v1/events")),
		"OPTIONS that is no preflight":    f.do(ask{method: "OPTIONS", path: "/v1/events", header: []string{"Origin", page}}),
		"the session of somebody at home": f.do(ask{path: onMachine + "/v1/events", header: []string{"Origin", page, "Cookie", f.signIn(f.acme)}}),
	} {
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s may read: %q", what, got)
		}
	}
	// Also what went wrong can be read, so that the viewer can ask for another token.
	f.Add(11 * time.Minute)
	if w := f.do(from(page, token, "/v1/events")); w.Code != http.StatusUnauthorized || w.Header().Get("Access-Control-Allow-Origin") != page {
		t.Errorf("an expired token: %d %v", w.Code, w.Header())
	}
	f.allowOrigins(f.acme)
	if got := preflight(page, "/v1/events").Header().Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("after the origin was taken away: %q", got)
	}
}

// TestViewerInLog: who looked is the viewer, via the key, and minting stands in the log without the token.
func TestViewerInLog(t *testing.T) {
	t.Parallel()
	f, auditor := audited(t, nil)
	f.record(f.acme, event("a.b", ""))
	f.allowOrigins(f.acme, page)
	token := f.mint(f.acme, `,"features":["export"],"filter":"action:a.*"`)
	f.do(from(page, token, "/v1/events?q=outcome:success"))
	f.do(from(page, token, "/v1/events/csv"))
	auditor.Close(t.Context())
	found, err := f.book.Search(t.Context(), daybook.EventQuery{Org: "org_acme", Text: "action:daybook.*", Asc: true})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for i := range found.Entries {
		ev, err := found.Entries[i].Event()
		if err != nil {
			t.Fatal(err)
		}
		by := ev.Actor.Type + ":" + ev.Actor.ID
		if len(ev.Actor.Via) == 1 {
			by += " via " + ev.Actor.Via[0].Type
		}
		got[ev.Action] = by + " " + string(ev.Metadata)
		if strings.Contains(string(found.Entries[i].Payload), token[20:60]) {
			t.Errorf("%s holds the token", ev.Action)
		}
	}
	for action, wants := range map[string][]string{
		"daybook.viewer_settings.changed": {"api_key:"},
		"daybook.viewer_token.created":    {"api_key:", `"origin":"` + page + `"`, `"filter":"action:a.*"`},
		"daybook.log.viewed":              {"user:cus_9 via api_key", `"query":"action:a.* -is:control -action:daybook.* outcome:success"`, `"rows":1`},
		"daybook.export.downloaded":       {"user:cus_9 via api_key", `"rows":1`, `"format":"csv"`},
	} {
		for _, want := range wants {
			if !strings.Contains(got[action], want) {
				t.Errorf("%s lacks %s: %s", action, want, got[action])
			}
		}
	}
}

// TestEventsCSV: whole or not at all, and formulas are disarmed.
func TestEventsCSV(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, event("a.b", `,"reason":"=1+1"`))
	w := f.do(ask{path: "/v1/events/csv?q=action:a.b", key: f.acme})
	lines := strings.Split(w.Body.String(), "\r\n")
	if w.Code != http.StatusOK || len(lines) != 3 || !strings.Contains(lines[1], "'=1+1") || w.Header().Get("Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(w.Header().Get("Content-Disposition"), "org_acme-events.csv") {
		t.Errorf("%d %v %q", w.Code, w.Header(), lines)
	}
	batch := "[" + strings.TrimSuffix(strings.Repeat(event("a.b", "")+",", 1000), ",") + "]"
	for range 10 {
		f.record(f.acme, batch)
	}
	if w := f.do(ask{path: "/v1/events/csv", key: f.acme}); w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "too_many_rows") {
		t.Errorf("10,001 rows: %d", w.Code)
	}
	if w := f.do(ask{path: "/v1/events/csv?q=-has:reason", key: f.acme}); w.Code != http.StatusOK || strings.Count(w.Body.String(), "\r\n") != 10_001 {
		t.Errorf("10,000 rows: %d, %d lines", w.Code, strings.Count(w.Body.String(), "\r\n"))
	}
	if w := f.do(ask{path: "/v1/events/csv", key: f.key("org_acme", auth.Read)}); w.Code != http.StatusForbidden {
		t.Errorf("without the scope: %d", w.Code)
	}
}
