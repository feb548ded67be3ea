package retraced_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/server/internal/control"
)

// token asks for a viewer token that must be given.
func (f *fixture) token(key string, params ...string) string {
	f.t.Helper()
	w := f.do("GET", base+"/viewertoken?"+query(params...), "", "Authorization", "Token token="+key)
	var answer struct{ Token string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 201 || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(answer.Token) {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return answer.Token
}

func query(params ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return q.Encode()
}

func (f *fixture) exchange(token string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.do("POST", "/auditlog/viewer/v1/viewersession", `{"token":"`+token+`"}`)
}

// session is a viewer's session, from asking for a token to its exchange.
func (f *fixture) session(key string, params ...string) string {
	f.t.Helper()
	w := f.exchange(f.token(key, params...))
	var answer struct {
		Project string `json:"project_id"`
		Token   string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 || answer.Project != "dev" || strings.Count(answer.Token, ".") != 2 {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return answer.Token
}

// view searches with a session.
func (f *fixture) view(session, search, more string) *httptest.ResponseRecorder {
	f.t.Helper()
	body, err := json.Marshal(map[string]any{
		"query": `query($q:String){search(query:$q){totalCount edges{node{action crud actor{id} source_ip}}}}`, "variables": map[string]any{"q": search},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.do("POST", "/viewer/v1/graphql"+more, string(body), "Authorization", session)
}

func TestViewer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record(f.every, `{"action":"one","crud":"c","actor":{"id":"u"},"group":{"id":"g1"},"target":{"id":"t1"}}`)
	f.record(f.every, `{"action":"two","crud":"c","actor":{"id":"u"},"group":{"id":"g1"},"target":{"id":"t2"}}`)
	f.record(f.every, `{"action":"other","crud":"c","actor":{"id":"u"},"group":{"id":"g2"}}`)

	session := f.session(f.every, "group_id", "g1", "actor_id", "ada")
	w := f.view("Bearer "+session, "", "")
	if got := w.Body.String(); w.Code != 200 || !strings.Contains(got, `"totalCount":2`) || strings.Contains(got, "other") {
		t.Errorf("%d %s", w.Code, got)
	}
	// The look is an event, seen by the next.
	w = f.view(session, "action:audit.log.view", "?skipViewLogEvent=true")
	if got := w.Body.String(); !strings.Contains(got, `{"action":"audit.log.view","crud":"r","actor":{"id":"ada"},"source_ip":"192.0.2.1"}`) || !strings.Contains(got, `"totalCount":1`) {
		t.Errorf("the look: %s", got)
	}
	if n := len(f.Entries("g1")); n != 4 { // the parameter is an admin's
		t.Errorf("%d entries", n)
	}
	admin := f.session(f.every, "team_id", "g1", "is_admin", "true", "view_log_action", "seen")
	f.view(admin, "", "?skipViewLogEvent=true")
	if n := len(f.Entries("g1")); n != 4 {
		t.Errorf("an admin's look was recorded: %d", n)
	}
	f.view(admin, "", "")
	if list := f.Entries("g1"); !strings.Contains(list[4], `"action":"seen"`) || !strings.Contains(list[4], `"id":"viewer"`) {
		t.Errorf("an admin's look: %s", list)
	}
	// One target, whatever is asked for; and a session of one organization finds no other by its name.
	target := f.session(f.every, "group_id", "g1", "target_id", "t2")
	if got := f.view(target, "", "").Body.String(); !strings.Contains(got, `"totalCount":1`) || !strings.Contains(got, `"two"`) {
		t.Errorf("one target: %s", got)
	}
	if got := f.view(session, "group.id:g2", "").Body.String(); !strings.Contains(got, `"totalCount":0`) {
		t.Errorf("another group: %s", got)
	}
	// A refused question is no look.
	before := len(f.Entries("g1"))
	if w := f.view(session, "received:x", ""); w.Code != 400 || len(f.Entries("g1")) != before {
		t.Errorf("a refused question: %d %s", w.Code, w.Body)
	}
}

// Groups within a bound key's organization do not see each other.
func TestViewerOfBoundKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, group := range []string{`{"id":"g1"}`, `{"id":"g2"}`, `null`} {
		f.record(f.acme, `{"action":"a","crud":"c","actor":{"id":"u"},"group":`+group+`}`)
	}
	session := f.session(f.acme, "group_id", "g1")
	if got := f.view(session, "", "").Body.String(); !strings.Contains(got, `"totalCount":1`) {
		t.Errorf("g1: %s", got)
	}
	if got := f.view(session, "", "").Body.String(); !strings.Contains(got, `"totalCount":2`) { // its own look
		t.Errorf("g1, again: %s", got)
	}
	if got := f.view(f.session(f.acme, "group_id", "org_acme"), "", "").Body.String(); !strings.Contains(got, `"totalCount":5`) {
		t.Errorf("the whole organization: %s", got)
	}
}

// TestViewerEnds: when a token or a session is refused.
func TestViewerEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	gone := func(what string, w *httptest.ResponseRecorder) {
		t.Helper()
		if w.Code != 401 || !strings.Contains(w.Body.String(), `{"status":401,"type":"Error","error":"Unauthorized"}`) {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	holds := func(what, session string) {
		t.Helper()
		if w := f.view(session, "", ""); w.Code != 200 {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	token := f.token(f.every, "group_id", "g1", "actor_id", "ada")
	f.Add(5*time.Minute - time.Second)
	if w := f.exchange(token); w.Code != 200 {
		t.Errorf("within five minutes: %d", w.Code)
	}
	f.Add(2 * time.Second)
	gone("after five minutes", f.exchange(token))
	gone("an unknown token", f.exchange(strings.Repeat("0", 32)))
	f.token(f.every, "group_id", "g1") // sweeps

	session := f.session(f.every, "group_id", "g1", "actor_id", "ada")
	f.Add(59 * time.Minute)
	holds("an hour is not over", session)
	f.Add(2 * time.Minute)
	gone("after an hour", f.view(session, "", ""))

	session = f.session(f.every, "group_id", "g1", "actor_id", "ada")
	other, elsewhere, pending := f.session(f.every, "group_id", "g1", "actor_id", "bob"),
		f.session(f.every, "group_id", "g2", "actor_id", "ada"), f.token(f.every, "group_id", "g1", "actor_id", "ada")
	for _, at := range []string{"/auditlog/v1", "/viewer/v1"} {
		if w := f.do("DELETE", at+"/project/dev/group/g1/actor/ada/viewersessions", "", "Authorization", "Token token="+f.every); w.Code != 200 || w.Body.Len() > 0 {
			t.Errorf("%s: %d %s", at, w.Code, w.Body)
		}
	}
	gone("an ended session", f.view(session, "", ""))
	gone("an ended token", f.exchange(pending))
	holds("another actor", other)
	holds("another group", elsewhere)
	holds("a new one", f.session(f.every, "group_id", "g1", "actor_id", "ada"))

	gone("an API key", f.view(f.every, "", ""))
	gone("a changed token", f.view(other[:len(other)-8]+"AAAAAAAA", "", ""))
	if w := f.do("GET", "/viewer/v1/graphql?token="+other+"&query="+url.QueryEscape("{__typename}"), ""); w.Code != 401 {
		t.Errorf("in the query string: %d", w.Code)
	}
	gone("a session at the publisher", f.do("POST", base+"/event", full, "Authorization", "Bearer "+other))

	key := f.Key("g3", "viewer")
	behind := f.session(key, "group_id", "g3")
	holds("its key holds", behind)
	mine := func(k *control.Key) bool { return k.Org == "g3" }
	all, err := f.Keys.All(t.Context(), mine)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if _, err := f.Keys.Revoke(t.Context(), all[0].ID, mine); err != nil {
		t.Fatal(err)
	}
	f.Add(6 * time.Second) // what another node believes of a key
	gone("its key is revoked", f.view(behind, "", ""))
}

func TestViewerTokenFaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, tt := range map[string]struct {
		key, params, want string
		status            int
	}{
		"no group":  {f.every, "", "Either group_id or team_id is required", 400},
		"form":      {f.every, "group_id=a+b", "Invalid value for 'group_id': a b", 400},
		"instance":  {f.every, "group_id=daybook:instance", "Invalid value for 'group_id'", 400},
		"reserved":  {f.every, "group_id=g&view_log_action=daybook.x", "the log's own", 400},
		"long":      {f.every, "group_id=g&actor_id=" + strings.Repeat("a", 513), "actor_id", 400},
		"not text":  {f.every, "group_id=g&target_id=%ff", "target_id", 400},
		"no scope":  {f.Key("", "record", "read"), "group_id=g", "Forbidden", 403},
		"no header": {"", "group_id=g", "Missing Authorization header", 401},
	} {
		header := ""
		if tt.key != "" {
			header = "token=" + tt.key
		}
		if w := f.do("GET", base+"/viewertoken?"+tt.params, "", "Authorization", header); w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for _, body := range []string{"", "[]", `{"token":7}`} {
		if w := f.do("POST", "/viewer/v1/viewersession", body); w.Code != 400 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}
