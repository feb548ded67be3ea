package retraced_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/retraced"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/doortest"
	"github.com/daybook-audit/daybook/storetest"
)

type fixture struct {
	*doortest.Base
	t     *testing.T
	mux   *http.ServeMux
	every string // a key for all organizations
	acme  string // a key of org_acme
}

func newFixture(t *testing.T, change ...func(*retraced.Deps)) *fixture {
	t.Helper()
	clock := storetest.ClockAt(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	f := &fixture{Base: doortest.New(t, clock, storetest.Memory(), daybook.Options{}, auth.Options{}), t: t, mux: http.NewServeMux()}
	viewers, err := f.Auth.NewViewers(control.NewViewers(f.Store, f.Now), bytes.Repeat([]byte{7}, 32), 0)
	if err != nil {
		t.Fatal(err)
	}
	deps := retraced.Deps{Book: f.Book, Auth: f.Auth, Viewers: viewers, Orgs: f.Orgs, CursorKey: []byte("key of cursors")}
	for _, c := range change {
		c(&deps)
	}
	for _, r := range retraced.New(deps).Routes() {
		f.mux.HandleFunc(r.Method+" "+r.Pattern, func(w http.ResponseWriter, q *http.Request) {
			var body bytes.Buffer
			if _, err := body.ReadFrom(q.Body); err != nil {
				f.t.Error(err)
			}
			w.Header().Set("X-Request-Id", "req_test")
			r.Handler(w, q, body.Bytes())
		})
	}
	f.every, f.acme = f.Key("", "record", "read", "viewer"), f.Key("org_acme", "record", "read", "viewer")
	return f
}

// do sends a request; header is what Authorization says, and more pairs of name and value.
func (f *fixture) do(method, path, body string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	if got := w.Header()[requestID]; len(got) != 1 || got[0] != "req_test" || w.Header().Get("Content-Type") != "application/json" {
		f.t.Errorf("%s %s: headers %v", method, path, w.Header())
	}
	return w
}

// requestID is the header as Retraced spells it.
var requestID = "X-Retraced-RequestId" // a constant would be taken for a mistake

const base = "/auditlog/publisher/v1/project/dev"

// post sends one event as the Node client does.
func (f *fixture) post(key, event string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.do("POST", base+"/event", event, append([]string{"Authorization", "token=" + key}, header...)...)
}

// record posts an event that must be taken, and returns the answer.
func (f *fixture) record(key, event string) map[string]any {
	f.t.Helper()
	w := f.post(key, event)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 201 {
		f.t.Fatalf("%d %s: %s", w.Code, w.Body, event)
	}
	return answer
}

// recordNative records an event of our own.
func (f *fixture) recordNative(org daybook.OrgID, event string) error {
	_, err := f.Book.RecordJSON(f.t.Context(), org, daybook.Request{Events: [][]byte{[]byte(event)}})
	return err
}

// full is an event as the Node client sends it, with every member.
const full = `{"action":"invoice.update","group":{"id":"org-1","name":"Acme: 100% & co"},"crud":"u","created":"2026-01-02T03:04:05.678Z",` +
	`"actor":{"id":"user-1","name":"Ada Lovelace","href":"https://app.example/u/1","fields":{"dept":"R&D"}},` +
	`"target":{"id":"inv:42%","name":"Invoice 42","href":"https://app.example/i/42","type":"invoice","fields":{"amount":"12;00=x"}},` +
	`"source_ip":"192.0.2.10","description":"Ada updated invoice 42","is_failure":true,"is_anonymous":false,` +
	`"fields":{"k:1":"v=1;%","a":"z","B":"upper"},"component":"billing","version":"git-abc123","external_id":"ext:1","metadata":{"trace":"abc","m=n":"p;q"}}`

// TestHashVectors holds the golden vectors of the clients' hash.
func TestHashVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		Event json.RawMessage
		Hash  string
	}
	text, err := os.ReadFile("testdata/hash_vectors.json")
	if err == nil {
		err = json.Unmarshal(text, &vectors)
	}
	if err != nil || len(vectors) < 9 {
		t.Fatal(err, len(vectors))
	}
	for _, v := range vectors {
		e, broken := retraced.Decode(v.Event)
		if len(broken) > 0 {
			t.Errorf("%s: %v", v.Event, broken)
			continue
		}
		if got := e.Hash("0123456789abcdef0123456789abcdef"); got != v.Hash {
			t.Errorf("%s: %s, want %s", v.Event, got, v.Hash)
		}
	}
}

// TestRecord: what stands in the log of an event with every member, and of the smallest ones.
func TestRecord(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, event := range []string{
		full,
		`{"action":"ping","crud":"r","is_anonymous":true}`,
		`{"action":"ping","crud":"r","is_anonymous":true,"fields":{},"metadata":{},"group":{},"actor":{},"target":{},"source_ip":"","description":"","created":""}`,
		`{"action":"go","crud":"d","created":"0001-01-01T00:00:00Z","actor":{"id":"u"},"target":{"id":"t"},"group":null,"fields":null,"source_ip":"2001:db8::ffff:1.2.3.4"}`,
		`{"action":"epoch","crud":"c","created":1767323045678,"is_anonymous":true,"actor":{"id":"u"}}`,
		`{"action":"zone","crud":"c","created":"2026-01-02T03:04+0530","actor":{"id":"u"}}`,
	} {
		f.record(f.every, event)
	}
	doortest.Golden(t, "recorded", strings.Join(append(f.Entries("org-1"), f.Entries("default")...), "\n")+"\n")

	bound := newFixture(t)
	bound.record(bound.acme, full)
	if list := bound.Entries("org_acme"); len(list) != 1 || !strings.Contains(list[0], `"group":{"id":"org-1","name":"Acme: 100% & co"}`) {
		t.Errorf("a key of one organization: %s", list)
	}
}

// The answer has what the clients read, and the receipt.
func TestReceipt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	got := f.record(f.every, full)
	id, _ := got["id"].(string)
	e, _ := retraced.Decode([]byte(full))
	if len(id) != 32 || got["hash"] != e.Hash(id) || got["seq"] != 0.0 || got["duplicate"] != false || got["leaf_hash"] == "" || got["received_at"] == "" {
		t.Errorf("%v", got)
	}
	text, _ := got["event_id"].(string)
	native, err := daybook.ParseID(text)
	if err != nil || hex.EncodeToString(native[:]) != id {
		t.Errorf("%s is not %s: %v", text, id, err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	event := func(change ...string) string {
		return strings.NewReplacer(change...).Replace(`{"action":"a","crud":"c","actor":{"id":"u"}}`)
	}
	with := func(member string) string { return event(`}}`, `},`+member+`}`) }
	for name, tt := range map[string]struct {
		header, body string
		status       int
	}{
		"no_header":       {"", event(), 401},
		"header_form":     {"Basic abc", event(), 401},
		"wrong_key":       {"token=nobody", event(), 401},
		"scope":           {"token=" + f.Key("", "read"), event(), 403},
		"empty":           {"", "", 401},
		"not_json":        {"*", `{"action":`, 400},
		"array":           {"*", `[]`, 400},
		"duplicate":       {"*", with(`"crud":"c"`), 400},
		"nothing":         {"*", `{}`, 400},
		"action_empty":    {"*", event(`"a"`, `""`), 400},
		"action_type":     {"*", event(`"a"`, `7`), 400},
		"action_reserved": {"*", event(`"a"`, `"daybook.key.made"`), 400},
		"action_long":     {"*", event(`"a"`, `"`+strings.Repeat("a", 513)+`"`), 400},
		"crud_go":         {"*", event(`"c"`, `""`), 400},
		"crud":            {"*", event(`"c"`, `"z"`), 400},
		"crud_two":        {"*", event(`"c"`, `"cr"`), 400},
		"actor":           {"*", `{"action":"a","crud":"c"}`, 400},
		"ids":             {"*", `{"action":"a","crud":"c","group":{"name":"g"},"actor":{"id":""},"target":{"id":null,"type":"t"}}`, 400},
		"created":         {"*", with(`"created":"yesterday"`), 400},
		"created_old":     {"*", with(`"created":"1969-12-31T23:59:59Z"`), 400},
		"created_bool":    {"*", with(`"created":true`), 400},
		"source_ip":       {"*", with(`"source_ip":"fe80::1%eth0"`), 400},
		"source_ip_name":  {"*", with(`"source_ip":"localhost"`), 400},
		"types":           {"*", with(`"is_failure":"yes","description":1,"fields":{"n":1,"s":"x","z":null},"metadata":[],"target":"t"`), 400},
		"unknown":         {"*", with(`"teamId":"x","target":{"id":"t","kind":"k"}`), 400},
		"group":           {"*", with(`"group":{"id":"Acme Inc."}`), 400},
		"group_instance":  {"*", with(`"group":{"id":"daybook:instance"}`), 400},
		"large":           {"*", with(`"description":"` + strings.Repeat("x", 256<<10) + `"`), 413},
	} {
		header := tt.header
		if header == "*" {
			header = "Token token=" + f.every
		}
		w := f.do("POST", base+"/event", tt.body, "Authorization", header)
		if w.Code != tt.status {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, tt.status, w.Body)
		}
		doortest.Golden(t, "fault_"+name, fmt.Sprintf("%d\n%s\n", w.Code, w.Body))
	}
	for _, org := range []daybook.OrgID{"default", "org_acme"} {
		if list := f.Entries(org); len(list) > 0 {
			t.Errorf("something was recorded: %s", list)
		}
	}
	if w := f.do("POST", "/publisher/v1/project/"+strings.Repeat("p", 65)+"/event", event(), "Authorization", "Bearer "+f.every); w.Code != 400 {
		t.Errorf("a long project: %d %s", w.Code, w.Body)
	}
}

// Each spelling of the credential, and both places of a route.
func TestCredentials(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, header := range []string{"token=", "Token token=", "Bearer ", "bearer ", "Token  token="} {
		for _, at := range []string{base, "/publisher/v1/project/x"} {
			if w := f.do("POST", at+"/event", full, "Authorization", header+f.every); w.Code != 201 {
				t.Errorf("%q at %s: %d %s", header, at, w.Code, w.Body)
			}
		}
	}
}

func TestBulk(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bulk := func(body string, header ...string) *httptest.ResponseRecorder {
		t.Helper()
		return f.do("POST", base+"/event/bulk", body, append([]string{"Authorization", "token=" + f.every}, header...)...)
	}
	one := func(group, action string) string {
		return `{"action":"` + action + `","crud":"c","group":{"id":"` + group + `"},"actor":{"id":"u"}}`
	}
	list := func(events ...string) string { return `{"events":[` + strings.Join(events, ",") + `]}` }
	mixed := list(one("g1", "a"), one("g2", "b"), one("g1", "c"))
	w := bulk(mixed, "Idempotency-Key", "k")
	var answers []struct {
		ID, Hash  string
		Seq       int64
		Duplicate bool
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answers); err != nil || w.Code != 201 || len(answers) != 3 || answers[2].Seq != 1 || answers[1].Seq != 0 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	e, _ := retraced.Decode([]byte(one("g2", "b")))
	if answers[1].Hash != e.Hash(answers[1].ID) {
		t.Error("the hashes are not in the order of the events")
	}
	first := answers
	again := bulk(mixed, "Idempotency-Key", "k")
	if err := json.Unmarshal(again.Body.Bytes(), &answers); err != nil || !answers[0].Duplicate || answers[2].ID != first[2].ID || answers[2].Hash != first[2].Hash {
		t.Errorf("again: %d %s", again.Code, again.Body)
	}
	if w := bulk(list(one("g1", "x"), one("g1", "y")), "Idempotency-Key", "k"); w.Code != 409 {
		t.Errorf("another body: %d %s", w.Code, w.Body)
	}
	many := make([]string, 51)
	for i := range many {
		many[i] = one("g3", "a")
	}
	for name, body := range map[string]string{
		"bulk_invalid":   list(one("g3", "a"), `{"crud":"x","is_anonymous":true}`, `{"action":"a","crud":"c","actor":{"id":"u"},"group":{"id":"a b"}}`, `{"action":"a","action":"b"}`),
		"bulk_many":      list(many...),
		"bulk_none":      list(),
		"bulk_missing":   `{}`,
		"bulk_unknown":   `{"events":[` + one("g3", "a") + `],"more":1}`,
		"bulk_twice":     `{"events":[` + one("g3", "a") + `],"events":[]}`,
		"bulk_object":    `{"events":{}}`,
		"bulk_array":     `[` + one("g3", "a") + `]`,
		"bulk_cut":       `{"events":[` + one("g3", "a"),
		"bulk_trailing":  list(one("g3", "a")) + "x",
		"bulk_not_event": list(`7`),
	} {
		w := bulk(body)
		if w.Code != 400 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		doortest.Golden(t, name, fmt.Sprintf("%d\n%s\n", w.Code, w.Body))
	}
	if list := f.Entries("g3"); len(list) > 0 {
		t.Errorf("something was recorded: %s", list)
	}
	if w := bulk(list(`{"action":"a","crud":"c","actor":{"id":"u"},"description":"` + strings.Repeat("x", 256<<10) + `"}`)); w.Code != 413 {
		t.Errorf("a large event: %d", w.Code)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.post(f.every, full, "Idempotency-Key", "k1")
	again := f.post(f.every, full, "Idempotency-Key", "k1")
	var a, b struct {
		ID, Hash  string
		Duplicate bool
	}
	if json.Unmarshal(first.Body.Bytes(), &a) != nil || json.Unmarshal(again.Body.Bytes(), &b) != nil || a.ID != b.ID || a.Hash != b.Hash || !b.Duplicate || a.Duplicate {
		t.Errorf("%s\n%s", first.Body, again.Body)
	}
	if w := f.post(f.every, strings.Replace(full, "Ada", "Eve", 1), "Idempotency-Key", "k1"); w.Code != 409 {
		t.Errorf("another event: %d %s", w.Code, w.Body)
	}
	f.record(f.every, full)
	if n := len(f.Entries("org-1")); n != 2 {
		t.Errorf("%d entries", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{full, `{"action":"ping","crud":"r","is_anonymous":true,"fields":{"":""}}`, `{"created":1e400}`, `{"created":"2026-01-02 03:04:05,5+01"}`, `{"actor":{"id":"\ud83d\ude00"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, broken := retraced.Decode(text)
		if len(broken) > 0 {
			return
		}
		again, broken := retraced.Decode(text)
		if len(broken) > 0 || e.Hash("id") != again.Hash("id") {
			t.Errorf("%q is decoded in two ways: %v", text, broken)
		}
		if !json.Valid(e.Daybook("p")) {
			t.Errorf("%q becomes %q", text, e.Daybook("p"))
		}
	})
}
