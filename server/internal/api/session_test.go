package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// signIn signs in with key and returns the cookie, as a browser sends it back.
func (f *fixture) signIn(key string) string {
	f.t.Helper()
	w := f.do(ask{method: "POST", path: onMachine + "/v1/session", body: `{"api_key":"` + key + `"}`})
	if w.Code != http.StatusNoContent || w.Body.Len() > 0 {
		f.t.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	return sessionCookie(f.t, w)
}

func sessionCookie(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies are set", len(cookies))
	}
	return cookies[0].Name + "=" + cookies[0].Value
}

func TestSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, event("a.b", ""))
	w := f.do(ask{method: "POST", path: onMachine + "/v1/session", body: `{"api_key":" ` + f.acme + `\n"}`}) // as people paste it
	set := w.Header().Get("Set-Cookie")
	for _, want := range []string{"daybook=", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=43200"} {
		if !strings.Contains(set, want) {
			t.Errorf("the cookie of this machine lacks %s: %s", want, set)
		}
	}
	if strings.Contains(set, "Secure") || strings.Contains(set, "Domain") || strings.Contains(set, f.acme[4:20]) {
		t.Errorf("the cookie of this machine: %s", set)
	}
	cookie := sessionCookie(t, w)
	read := ask{path: onMachine + "/v1/events", header: []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}}
	if w := f.do(read); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"action":"a.b"`) {
		t.Errorf("signed in: %d %s", w.Code, w.Body)
	}
	post := ask{method: "POST", path: onMachine + "/v1/events", body: event("a.c", ""), header: []string{"Cookie", cookie, "Origin", onMachine}}
	if w := f.do(post); w.Code != http.StatusCreated {
		t.Errorf("signed in, a page of ours records: %d %s", w.Code, w.Body)
	}
	// The cookie opens the native API and nothing else.
	for _, path := range []string{"/metrics", "/api/audit/activity", "/logs?all=true", "/audit_logs/actions"} {
		if w := f.do(ask{path: onMachine + path, header: []string{"Cookie", f.signIn(f.admin)}}); w.Code != http.StatusUnauthorized {
			t.Errorf("%s with a session: %d", path, w.Code)
		}
	}
	// A header wins over the cookie, also when it is wrong.
	if w := f.do(ask{path: onMachine + "/v1/events", key: "dbk_wrong", header: []string{"Cookie", cookie}}); w.Code != http.StatusUnauthorized {
		t.Errorf("a wrong key beside a cookie: %d", w.Code)
	}
	out := f.do(ask{method: "DELETE", path: onMachine + "/v1/session", header: []string{"Cookie", cookie}})
	if cookies := out.Result().Cookies(); out.Code != http.StatusNoContent || len(cookies) != 2 || cookies[0].MaxAge >= 0 || cookies[1].MaxAge >= 0 {
		t.Errorf("sign out: %d %v", out.Code, cookies)
	}
	if w := f.do(read); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `"code":"session_ended"`) {
		t.Errorf("after signing out: %d %s", w.Code, w.Body)
	}
	if w := f.do(ask{method: "DELETE", path: onMachine + "/v1/session", header: []string{"Cookie", cookie}}); w.Code != http.StatusNoContent {
		t.Errorf("signing out twice: %d", w.Code)
	}
}

// TestSessionOrigins: which ways of asking get a cookie, and which.
func TestSessionOrigins(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	public := newFixture(t, setup{deps: func(d *api.Deps) {
		var err error
		if d.Sessions, err = d.Auth.NewSessions(control.NewSessions(d.Docs, d.Now), auth.Origin{Public: "https://audit.example.com"}); err != nil {
			t.Fatal(err)
		}
	}})
	for _, tt := range []struct {
		name   string
		f      *fixture
		url    string
		header []string
		want   string // the cookie's name; empty: refused
	}{
		{"localhost", f, "http://localhost", nil, "daybook"},
		{"a name below localhost", f, "http://app.localhost:81", nil, "daybook"},
		{"127.0.0.1", f, "http://127.0.0.1:8080", nil, "daybook"},
		{"::1", f, "http://[::1]:8080", nil, "daybook"},
		{"plain http elsewhere", f, "http://10.0.0.7:8080", nil, ""},
		{"a name that only looks like it", f, "http://localhost.evil.example", nil, ""},
		{"a proxy nobody trusts", f, "http://audit.example.com", []string{"X-Forwarded-Proto", "https"}, ""},
		{"https", f, "https://audit.example.com", nil, "__Host-daybook"},
		{"public https behind a proxy", public, "http://10.0.0.7:8080", nil, "__Host-daybook"},
		{"public https, asked on the machine", public, "http://localhost:8080", nil, "daybook"},
		{"a page of another site", f, "https://audit.example.com", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, ""},
		{"another origin, an old browser", f, "https://audit.example.com", []string{"Origin", "https://evil.example"}, ""},
		{"the public origin, an old browser", public, "http://10.0.0.7:8080", []string{"Origin", "https://audit.example.com"}, "__Host-daybook"},
	} {
		w := tt.f.do(ask{method: "POST", path: tt.url + "/v1/session", body: `{"api_key":"` + tt.f.acme + `"}`, header: tt.header})
		cookies := w.Result().Cookies()
		if tt.want == "" {
			if w.Code != http.StatusForbidden || len(cookies) > 0 {
				t.Errorf("%s: %d %v", tt.name, w.Code, cookies)
			}
			continue
		}
		if w.Code != http.StatusNoContent || len(cookies) != 1 || cookies[0].Name != tt.want || cookies[0].Secure != strings.HasPrefix(tt.want, "__Host-") {
			t.Errorf("%s: %d %v %s", tt.name, w.Code, cookies, w.Body)
		}
	}
}

// TestSessionOtherSites: a page of another site can do nothing with the cookie, not even read or sign out.
func TestSessionOtherSites(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	cookie := f.signIn(f.acme)
	for _, a := range []ask{
		{method: "POST", path: "/v1/events", body: event("evil.done", "")},
		{method: "POST", path: "/v1/keys", body: `{"org":"org_acme","scopes":["read"]}`},
		{method: "DELETE", path: "/v1/session"},
		{path: "/v1/events"},
		{path: "/v1/whoami"},
	} {
		for _, site := range []string{"cross-site", "same-site"} {
			a := a
			a.path, a.header = onMachine+a.path, []string{"Cookie", cookie, "Sec-Fetch-Site", site}
			if w := f.do(a); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `"code":"cross_site"`) {
				t.Errorf("%s %s, %s: %d %s", a.method, a.path, site, w.Code, w.Body)
			}
		}
	}
	if w := f.do(ask{path: onMachine + "/v1/events", header: []string{"Cookie", cookie}}); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "evil") {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	holds := func(cookie string) bool {
		w := f.do(ask{path: onMachine + "/v1/whoami", header: []string{"Cookie", cookie}})
		return w.Code == http.StatusOK
	}
	cookie := f.signIn(f.acme)
	name, secret, _ := strings.Cut(cookie, "=")
	other := newFixture(t, setup{})
	for what, wrong := range map[string]string{
		"tampered": name + "=A" + secret[1:], "cut": name + "=" + secret[:20], "long": name + "=" + strings.Repeat("A", 4000), "of another instance": other.signIn(other.acme),
		"under the other name": "__Host-daybook=" + secret,
	} {
		if holds(wrong) {
			t.Errorf("a cookie %s opens a session", what)
		}
	}
	// Used, it goes on; unused for two hours, it ends.
	for range 4 {
		f.Add(100 * time.Minute)
		if !holds(cookie) {
			t.Fatal("a session in use has ended")
		}
	}
	f.Add(2*time.Hour + time.Second)
	if holds(cookie) {
		t.Error("a session that nobody used for two hours holds")
	}
	// However much it is used, twelve hours are all.
	cookie = f.signIn(f.acme)
	for range 11 {
		f.Add(time.Hour)
		if !holds(cookie) {
			t.Fatal("a session in use has ended")
		}
	}
	f.Add(time.Hour)
	if holds(cookie) {
		t.Error("a session holds for more than twelve hours")
	}
	// With the key, at once.
	made := f.do(ask{method: "POST", path: "/v1/keys", key: f.acme, body: `{"name":"ci","org":"org_acme","scopes":["read"]}`})
	var key struct{ ID, Key string }
	if err := json.Unmarshal(made.Body.Bytes(), &key); err != nil {
		t.Fatal(err)
	}
	cookie = f.signIn(key.Key)
	if !holds(cookie) {
		t.Error("a session of a new key does not hold")
	}
	f.do(ask{method: "DELETE", path: "/v1/keys/" + key.ID, key: f.acme})
	if w := f.do(ask{path: onMachine + "/v1/whoami", header: []string{"Cookie", cookie}}); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "session_ended") {
		t.Errorf("after the key was revoked: %d %s", w.Code, w.Body)
	}
	// Nothing of a session is left when it has ended and somebody signs in, and the key's text was never there.
	f.Add(13 * time.Hour)
	f.signIn(f.acme)
	docs, err := f.store.List(t.Context(), "session", "", "", 100)
	if err != nil || len(docs) != 1 {
		t.Fatalf("%d sessions are kept: %v", len(docs), err)
	}
	if bytes.Contains(docs[0].Data, []byte(f.acme[4:20])) {
		t.Errorf("the document holds the key: %s", docs[0].Data)
	}
}

// TestSessionFailures: one address has ten failures, and then waits, whatever it sends; others do not.
func TestSessionFailures(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	try := func(key, from string) *httptest.ResponseRecorder {
		r := ask{method: "POST", path: onMachine + "/v1/session", body: `{"api_key":"` + key + `"}`}.request(t.Context())
		r.RemoteAddr = from
		return f.send(r)
	}
	const client, neighbour, other = "[2001:db8:1:2::1]:5000", "[2001:db8:1:2:ffff::9]:5001", "[2001:db8:1:3::1]:5000"
	for i := range 10 {
		if w := try("dbk_wrong", client); w.Code != http.StatusUnauthorized {
			t.Fatalf("failure %d: %d", i, w.Code)
		}
		try(f.acme, other) // what goes well costs nothing
	}
	for _, from := range []string{client, neighbour} {
		if w := try(f.acme, from); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "10" {
			t.Errorf("after ten failures, from %s: %d %v", from, w.Code, w.Header())
		}
	}
	if w := try(f.acme, other); w.Code != http.StatusNoContent {
		t.Errorf("another address: %d", w.Code)
	}
	f.Add(10 * time.Second)
	if w := try(f.acme, client); w.Code != http.StatusNoContent {
		t.Errorf("after ten seconds: %d %s", w.Code, w.Body)
	}
	for body, want := range map[string]int{`{}`: 400, `{"api_key":"x","code":"y"}`: 400, `{"key":"x"}`: 400, ``: 400} {
		if w := f.do(ask{method: "POST", path: onMachine + "/v1/session", body: body}); w.Code != want {
			t.Errorf("%s: %d", body, w.Code)
		}
	}
}

// TestInvitation: a code signs in once.
func TestInvitation(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	sessions := control.NewSessions(f.store, f.Now)
	hash, _ := control.HashSecret(f.acme)
	key, err := f.keys.Find(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	invite := func() string {
		code, err := sessions.Invite(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	use := func(code string) *httptest.ResponseRecorder {
		return f.do(ask{method: "POST", path: onMachine + "/v1/session", body: `{"code":"` + code + `"}`})
	}
	code := invite()
	w := use(code)
	if w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if who := f.do(ask{path: onMachine + "/v1/whoami", header: []string{"Cookie", sessionCookie(t, w)}}); !strings.Contains(who.Body.String(), key.ID) {
		t.Errorf("who is signed in: %s", who.Body)
	}
	if w := use(code); w.Code != http.StatusUnauthorized {
		t.Errorf("a second time: %d", w.Code)
	}
	late := invite()
	f.Add(time.Hour)
	if w := use(late); w.Code != http.StatusUnauthorized {
		t.Errorf("an hour later: %d", w.Code)
	}
	last := invite()
	if _, err := f.keys.Revoke(t.Context(), key.ID, func(*control.Key) bool { return true }); err != nil {
		t.Fatal(err)
	}
	f.auth.Forget(key)
	if w := use(last); w.Code != http.StatusUnauthorized {
		t.Errorf("after its key was revoked: %d", w.Code)
	}
}

// TestSessionInLog: signing in and out stands in the log, and what is looked at says with which session.
func TestSessionInLog(t *testing.T) {
	t.Parallel()
	f, auditor := audited(t, nil)
	cookie := f.signIn(f.acme)
	f.do(ask{path: onMachine + "/v1/events?q=looked", header: []string{"Cookie", cookie}})
	f.do(ask{method: "DELETE", path: onMachine + "/v1/session", header: []string{"Cookie", cookie}})
	f.signIn(f.admin)
	auditor.Close(t.Context())
	var seen []string
	session := ""
	for _, a := range f.acts("org_acme") {
		seen = append(seen, a.Action)
		if a.Action == "daybook.session.started" {
			session = strings.TrimPrefix(a.Target, "session:")
		}
	}
	if strings.Join(seen, " ") != "daybook.session.started daybook.log.viewed daybook.session.ended" && strings.Join(seen, " ") != "daybook.session.started daybook.session.ended daybook.log.viewed" {
		t.Errorf("in the log: %v", seen)
	}
	page, err := f.book.Search(t.Context(), daybook.EventQuery{Org: "org_acme", Text: "session_id:" + session})
	if err != nil || len(page.Entries) != 3 {
		t.Errorf("entries of the session %q: %d, %v", session, len(page.Entries), err)
	}
	if strings.Contains(cookie, session) {
		t.Error("what the log says opens the session")
	}
	if acts := f.acts(control.Instance); len(acts) != 1 || acts[0].Action != "daybook.session.started" {
		t.Errorf("of a key for all: %v", acts)
	}
}

// Without room in the log nobody signs in, and without sessions there is nothing to sign in to.
func TestSessionRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{deps: func(d *api.Deps) { d.Sessions = nil }})
	for _, method := range []string{"POST", "DELETE"} {
		if w := f.do(ask{method: method, path: onMachine + "/v1/session", body: `{"api_key":"` + f.acme + `"}`}); w.Code != http.StatusNotFound {
			t.Errorf("%s without sessions: %d", method, w.Code)
		}
	}
	if w := f.do(ask{path: onMachine + "/v1/whoami", header: []string{"Cookie", "daybook=x"}}); w.Code != http.StatusUnauthorized {
		t.Errorf("a cookie without sessions: %d", w.Code)
	}
}
