package workos_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/workos"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/doortest"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// link makes a link and returns its path.
func (f *fixture) link(key, body string) string {
	f.t.Helper()
	w := f.serve("POST", "/portal/generate_link", key, body)
	var made struct{ Link string }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != 201 {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	path, ok := strings.CutPrefix(made.Link, "http://example.com")
	if !ok || !regexp.MustCompile(`^/portal\?token=[A-Za-z0-9_-]{43}$`).MatchString(path) {
		f.t.Fatalf("the link is %s", made.Link)
	}
	return path
}

// enter opens a link and returns the cookie.
func (f *fixture) enter(path string) (cookie string, w *httptest.ResponseRecorder) {
	f.t.Helper()
	_, form, _ := strings.Cut(path, "?")
	w = f.serve("POST", "/portal", "", form)
	cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return cookie, w
}

func (f *fixture) page(method, path, cookie, form string) *httptest.ResponseRecorder {
	f.t.Helper()
	w := f.serve(method, path, "", form, "Cookie", cookie)
	if w.Code == 303 {
		return w
	}
	sum := sha256.Sum256([]byte(regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(w.Body.String() + "<style></style>")[1]))
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			f.t.Errorf("%s: the policy has no %s: %s", path, want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || w.Header().Get("Referrer-Policy") != "no-referrer" || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		f.t.Errorf("%s: %v", path, w.Header())
	}
	for _, banned := range []string{"<script", "src=", "<link", "url(", "style=", "javascript:", "onload"} {
		if strings.Contains(w.Body.String(), banned) {
			f.t.Errorf("%s holds %s", path, banned)
		}
	}
	return w
}

func TestPortalLink(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	manage := f.Key("org_acme", "manage")
	for _, c := range []struct{ name, key, body string }{
		{"forbidden", f.Key("org_acme", "read"), `{"organization":"org_acme"}`},
		{"unauthorized", "", `{"organization":"org_acme"}`},
		{"other_org", manage, `{"organization":"org_globex"}`},
		{"unknown_org", f.Key("", "manage"), `{"organization":"org_0"}`},
		{"no_org", manage, `{"organization":""}`},
		{"intent", manage, `{"organization":"org_acme","intent":"sso"}`},
		{"streams", manage, `{"organization":"org_acme","intent":"log_streams"}`},
		{"addresses", manage, `{"organization":"org_acme","return_url":"javascript:alert(1)","success_url":"/here","it_contact_emails":["a@example.com","no"]}`},
		{"contacts", manage, `{"organization":"org_acme","it_contact_emails":[` + strings.Repeat(`"a@example.com",`, 20) + `"a@example.com"]}`},
		{"not_json", manage, `x`},
	} {
		w := f.serve("POST", "/portal/generate_link", c.key, c.body)
		f.check(w)
		doortest.Golden(t, "portal_"+c.name, shown(w))
	}
	for _, body := range []string{
		`{"organization":"org_acme"}`, `{"organization":"org_acme","intent":"audit_logs","return_url":"https://app.example.com/x","success_url":null,"it_contact_emails":["a@example.com"],"more":1}`,
	} {
		f.link(manage, body)
	}
}

// TestPortal follows a visitor: a link is looked at as often as programs like, opened once, and shows one log.
func TestPortal(t *testing.T) {
	t.Parallel()
	var a *selfaudit.Auditor
	f := newFixture(t, workos.Settings{}, func(d *workos.Deps) {
		book, _ := d.Book.(*daybook.Book)
		a = selfaudit.New(book, selfaudit.Options{})
		d.Audit = a
	})
	manage := f.Key("org_acme", "manage")
	f.fill(f.acme)
	f.post(f.acme, "", strings.Replace(body("org_acme", `,"metadata":{"x":"<script>\u202e"}`), `"id":"u1"`, `"id":"u1","name":"<b>\u202eevil"`, 1))
	f.post(f.every, "", strings.Replace(body("org_globex", ""), "user.signed_in", "globex.secret", 1))
	link := f.link(manage, `{"organization":"org_acme","return_url":"https://app.example.com/?a=1&b=\"2"}`)
	for range 3 {
		if w := f.page("GET", link, "", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "<strong>org_acme</strong>") || !strings.Contains(w.Body.String(), `href="https://app.example.com/?a=1&amp;b=%222"`) {
			t.Fatalf("before it is opened: %d %s", w.Code, w.Body)
		}
	}
	cookie, w := f.enter(link)
	if w.Code != 303 || w.Header().Get("Location") != "/portal/events" || !strings.Contains(w.Header().Get("Set-Cookie"), "; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict") {
		t.Fatalf("opened: %d %v", w.Code, w.Header())
	}
	if _, again := f.enter(link); again.Code != 410 {
		t.Errorf("opened twice: %d", again.Code)
	}
	if w := f.page("GET", link, "", ""); w.Code != 410 {
		t.Errorf("looked at after it was opened: %d", w.Code)
	}
	all := f.page("GET", "/portal/events", cookie, "").Body.String()
	if strings.Count(all, "<details>") != 6 || !strings.Contains(all, "daybook.portal.opened") || strings.Contains(all, "globex.secret") || !strings.Contains(all, "&lt;b&gt;⟨U&#43;202E⟩evil") {
		t.Errorf("the log: %s", all)
	}
	one := f.page("GET", "/portal/events?q=action:doc.*&from=2026-02-02T17:30&to=2026-02-03", cookie, "").Body.String()
	if strings.Count(one, "<details>") != 1 || !strings.Contains(one, "doc.closed") || !strings.Contains(one, `value="action:doc.*"`) {
		t.Errorf("filtered: %s", one)
	}
	if w := f.page("GET", "/portal/events?q="+url.QueryEscape(`actr:"<b>"`), cookie, ""); w.Code != 400 || !strings.Contains(w.Body.String(), "There is no field") {
		t.Errorf("a wrong question: %d %s", w.Code, w.Body)
	}
	for name, other := range map[string]string{"none": "", "another": "daybook-portal=none"} {
		if w := f.page("GET", "/portal/events", other, ""); w.Code != 410 || strings.Contains(w.Body.String(), "doc.") {
			t.Errorf("with the cookie %s: %d", name, w.Code)
		}
	}
	a.Close(t.Context())
	log := strings.Join(f.Entries("org_acme"), "\n")
	for action, n := range map[string]int{"daybook.portal.opened": 1, "daybook.log.viewed": 2} {
		if strings.Count(log, `"action":"`+action+`"`) < n || !strings.Contains(log, `"actor":{"type":"portal","id":"portal_`) || !strings.Contains(log, `"via":[{"type":"api_key","id":"key_`) {
			t.Errorf("%s in the log: %s", action, log)
		}
	}
}

func TestPortalExport(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	f.fill(f.acme)
	cookie, _ := f.enter(f.link(f.Key("org_acme", "manage"), `{"organization":"org_acme"}`))
	w := f.page("POST", "/portal/exports", cookie, url.Values{"q": {"action:doc.*"}}.Encode())
	where := w.Header().Get("Location")
	if w.Code != 303 || !strings.HasPrefix(where, "/portal/exports/exp_") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if x := <-f.ended; x.State != control.ExportReady || x.Rows != 2 || x.Query != "action:doc.* -is:control" {
		t.Fatalf("%+v", x)
	}
	ready := f.page("GET", where, cookie, "")
	href := regexp.MustCompile(`href="(/audit_logs/[^"]+)"`).FindStringSubmatch(ready.Body.String())
	if href == nil || ready.Header().Get("Refresh") != "" {
		t.Fatalf("no file: %s", ready.Body)
	}
	if file := f.serve("GET", strings.ReplaceAll(href[1], "&amp;", "&"), "", ""); file.Code != 200 || strings.Count(file.Body.String(), "\r\n") != 3 {
		t.Errorf("the file: %d %s", file.Code, file.Body)
	}
	other, _ := f.enter(f.link(f.Key("org_globex", "manage"), `{"organization":"org_globex"}`))
	for name, c := range map[string][2]string{"another's": {where, other}, "unknown": {"/portal/exports/exp_0", cookie}} {
		if w := f.page("GET", c[0], c[1], ""); w.Code != 404 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	for name, form := range map[string]string{"a wrong question": "q=actr:1", "a wrong time": "from=soon"} {
		if w := f.page("POST", "/portal/exports", cookie, form); w.Code != 400 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := f.page("POST", "/portal/exports", "", ""); w.Code != 410 {
		t.Errorf("without a cookie: %d", w.Code)
	}
}

// What a link has opened ends with its time, and with the key that made it.
func TestPortalEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	key := f.Key("org_acme", "manage")
	ask := func(cookie string) int { return f.page("GET", "/portal/events", cookie, "").Code }
	late := f.link(key, `{"organization":"org_acme"}`)
	f.Add(control.PortalLinkFor)
	if _, w := f.enter(late); w.Code != 410 {
		t.Errorf("a link after five minutes: %d", w.Code)
	}
	cookie, _ := f.enter(f.link(key, `{"organization":"org_acme"}`))
	f.Add(control.PortalSessionFor - time.Second)
	if got := ask(cookie); got != 200 {
		t.Errorf("within the hour: %d", got)
	}
	f.Add(time.Second)
	if got := ask(cookie); got != 410 {
		t.Errorf("after the hour: %d", got)
	}
	cookie, _ = f.enter(f.link(key, `{"organization":"org_acme"}`))
	unopened := f.link(key, `{"organization":"org_acme"}`)
	keys, err := f.Keys.All(t.Context(), func(k *control.Key) bool { return k.Scopes[0] == "manage" })
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	if _, err := f.Keys.Revoke(t.Context(), keys[0].ID, func(*control.Key) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if _, w := f.enter(unopened); ask(cookie) != 410 || w.Code != 410 {
		t.Errorf("after the key was revoked: %d, %d", ask(cookie), w.Code)
	}
}

// Over HTTPS the cookie is bound to the host.
func TestPortalCookie(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{}, func(d *workos.Deps) { d.Origin = auth.Origin{Public: "https://audit.example.com"} })
	w := f.serve("POST", "/portal/generate_link", f.Key("org_acme", "manage"), `{"organization":"org_acme"}`)
	token := regexp.MustCompile(`^\{"link":"https://audit\.example\.com/portal\?(token=[\w-]+)"}$`).FindStringSubmatch(w.Body.String())
	if token == nil {
		t.Fatal(w.Body)
	}
	opened := f.serve("POST", "/portal", "", token[1])
	if set := opened.Header().Get("Set-Cookie"); !strings.HasPrefix(set, "__Host-daybook-portal=") || !strings.Contains(set, "; Secure") {
		t.Error(set)
	}
}

// Nothing is opened that the log does not know of, and two at once open one session.
func TestPortalOpensOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{}, func(d *workos.Deps) {
		d.Audit = selfaudit.New(failingBook{err: &daybook.Error{Code: daybook.CodeUnavailable}}, selfaudit.Options{})
	})
	key := f.Key("org_acme", "manage")
	if cookie, w := f.enter(f.link(key, `{"organization":"org_acme"}`)); w.Code != 500 || cookie != "" {
		t.Errorf("without the log: %d %s", w.Code, w.Header())
	}
	f = newFixture(t, workos.Settings{})
	link := f.link(f.Key("org_acme", "manage"), `{"organization":"org_acme"}`)
	codes := make(chan string, 8)
	for range cap(codes) {
		go func() {
			_, w := f.enter(link)
			codes <- strconv.Itoa(w.Code)
		}()
	}
	count := map[string]int{}
	for range cap(codes) {
		count[<-codes]++
	}
	if count["303"] != 1 || count["410"] != cap(codes)-1 {
		t.Error(count)
	}
}
