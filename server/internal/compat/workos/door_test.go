package workos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/workos"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/doortest"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
	"github.com/daybook-audit/daybook/storetest"
)

type fixture struct {
	*doortest.Base
	t       *testing.T
	door    *workos.Door
	exports *export.Runner
	schemas *control.Schemas
	ended   chan control.Export
	every   string // a key for all organizations
	acme    string // a key of org_acme
}

func newFixture(t *testing.T, s workos.Settings, change ...func(*workos.Deps)) *fixture {
	t.Helper()
	return newFixtureWith(t, s, control.SchemaRules{}, change...)
}

func newFixtureWith(t *testing.T, s workos.Settings, rules control.SchemaRules, change ...func(*workos.Deps)) *fixture {
	t.Helper()
	clock, store := storetest.ClockAt(time.Date(2026, 2, 2, 16, 35, 39, 0, time.UTC)), storetest.Memory()
	schemas, err := control.OpenSchemas(t.Context(), store, control.SchemaOptions{Now: clock.Now, Rules: map[string]control.SchemaRules{workos.Name: rules}})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		Base: doortest.New(t, clock, store, daybook.Options{Schemas: schemas}, auth.Options{}), t: t, schemas: schemas, ended: make(chan control.Export, 100),
	}
	f.exports, err = export.Open(t.Context(), f.Book, control.NewExports(store, f.Now), []byte("key of links"), export.Options{
		Dir: t.TempDir(), Now: f.Now, Ended: func(x control.Export) { f.ended <- x },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.exports.Close(); err != nil {
			t.Error(err)
		}
	})
	deps := workos.Deps{
		Schemas: f.schemas, Retentions: control.NewRetentions(store, f.Now), Portal: control.NewPortal(store, f.Keys, f.Now),
		Exports: f.exports, Book: f.Book, Auth: f.Auth, Orgs: f.Orgs, Repeats: control.NewRepeats(store, f.Now), Settings: s,
	}
	for _, c := range change {
		c(&deps)
	}
	f.door = workos.New(deps)
	f.every, f.acme = f.Key("", "record"), f.Key("org_acme", "record")
	return f
}

// post sends a body with a key, and an Idempotency-Key if it is not empty.
func (f *fixture) post(key, idempotency, body string) *httptest.ResponseRecorder {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), http.MethodPost, "/audit_logs/events", nil)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if idempotency != "" {
		r.Header.Set("Idempotency-Key", idempotency)
	}
	w := httptest.NewRecorder()
	f.door.Routes()[0].Handler(w, r, []byte(body))
	f.check(w)
	return w
}

// check holds an answer against what the official clients rely on.
func (f *fixture) check(w *httptest.ResponseRecorder) {
	f.t.Helper()
	if w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		f.t.Errorf("%d with Content-Type %q", w.Code, w.Header().Get("Content-Type"))
	}
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		f.t.Fatalf("%d: not a JSON object: %s", w.Code, w.Body)
	}
	if w.Code < 400 {
		if w.Code != 201 || w.Body.String() != `{"success":true}` {
			f.t.Errorf("success is answered with %d %s", w.Code, w.Body)
		}
		for _, name := range []string{"Daybook-Event-Id", "Daybook-Seq", "Daybook-Leaf-Hash", "Daybook-Duplicate"} {
			if w.Header().Get(name) == "" {
				f.t.Errorf("the header %s is missing", name)
			}
		}
		return
	}
	if _, ok := body["message"].(string); !ok || body["error"] != nil {
		f.t.Errorf("%d: message must be a string, and error must not be there: %s", w.Code, w.Body)
	}
	list, _ := body["errors"].([]any)
	for _, one := range list {
		e, _ := one.(map[string]any)
		switch {
		case w.Code == 400 && (e["instancePath"] == nil || e["message"] == nil):
			f.t.Errorf("400: errors hold instancePath and message: %s", w.Body)
		case w.Code == 422 && (e["field"] == nil || e["code"] == nil):
			f.t.Errorf("422: errors hold field and code: %s", w.Body)
		}
	}
	if w.Code == 400 && (body["code"] == nil || len(list) == 0) {
		f.t.Errorf("400 without code or errors: %s", w.Body)
	}
	switch w.Code {
	case 409, 429, 503:
		f.t.Errorf("%d is repeated wrongly, or not at all, by some SDK", w.Code)
	case 500:
		if w.Header().Get("Retry-After") == "" {
			f.t.Error("500 without Retry-After")
		}
	}
}

// body is the smallest request, with more members of the event.
func body(org, more string) string {
	return `{"organization_id":"` + org + `","event":{"action":"user.signed_in","occurred_at":"2026-02-02T16:35:39.317Z",` +
		`"actor":{"id":"u1","type":"user"},"targets":[],"context":{"location":"1.2.3.4"}` + more + `}}`
}

// TestBodiesOfSDKs records what the official SDKs send, byte for byte, and shows what stands in the log.
func TestBodiesOfSDKs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, workos.Settings{})
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w := f.post(f.every, "", string(text))
			if w.Code != 201 || w.Header().Get("Daybook-Duplicate") != "false" || w.Header().Get("Daybook-Seq") != "0" {
				t.Fatalf("%d %s %v", w.Code, w.Body, w.Header())
			}
			doortest.Golden(t, strings.TrimSuffix(filepath.Base(file), ".json"), strings.Join(f.Entries("org_1"), "\n")+"\n")
		})
	}
}

// TestFaults holds every refusal as a golden file.
func TestFaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	long := strings.Repeat("x", 501)
	members := make([]string, 51)
	for i := range members {
		members[i] = fmt.Sprintf(`"k%d":%d`, i, i)
	}
	for name, tt := range map[string]struct {
		key, body string
		status    int
	}{
		"unauthorized":     {"", body("org_1", ""), 401},
		"wrong_key":        {"sk_example_123", body("org_1", ""), 401},
		"forbidden":        {f.Key("", "read"), body("org_1", ""), 403},
		"other_org":        {f.acme, body("org_1", ""), 404},
		"org_form":         {f.every, body("not an org", ""), 404},
		"empty":            {f.every, "", 400},
		"not_json":         {f.every, `{"organization_id":`, 400},
		"array":            {f.every, `[]`, 400},
		"trailing":         {f.every, body("org_1", "") + "{}", 400},
		"duplicate_member": {f.every, `{"organization_id":"org_1","event":{"action":"a","action":"b"}}`, 400},
		"surrogate":        {f.every, body("org_1", `,"metadata":{"a":"\ud800"}`), 400},
		"nothing":          {f.every, `{}`, 422},
		"event_type":       {f.every, `{"organization_id":7,"event":"x"}`, 422},
		"empty_event":      {f.every, `{"organization_id":"org_1","event":{}}`, 422},
		"all_wrong": {f.every, `{"organization_id":"","event":{"action":"","occurred_at":"yesterday","version":0,"actor":{"id":"","type":7,"name":1},` +
			`"targets":[{"id":"1"},7,{"id":null,"type":"t","metadata":[]}],"context":{"location":null,"user_agent":1},"metadata":"x"}}`, 422},
		"reserved_action": {f.every, strings.Replace(body("org_1", ""), "user.signed_in", "daybook.key.made", 1), 422},
		"long_action":     {f.every, strings.Replace(body("org_1", ""), "user.signed_in", strings.Repeat("a", 513), 1), 422},
		"targets_missing": {f.every, strings.Replace(body("org_1", ""), `"targets":[],`, "", 1), 422},
		"metadata":        {f.every, body("org_1", `,"metadata":{"a b":1,"n":{"x":1},"l":[1],"z":null,"long":"`+long+`","ok":true}`), 400},
		"metadata_many":   {f.every, strings.Replace(body("org_1", ""), `"type":"user"`, `"type":"user","metadata":{`+strings.Join(members, ",")+`}`, 1), 400},
		"metadata_target": {f.every, strings.Replace(body("org_1", ""), `"targets":[]`, `"targets":[{"id":"1","type":"t"},{"id":"2","type":"t","metadata":{"a/b~":[]}}]`, 1), 400},
		"too_large":       {f.every, body("org_1", `,"x":"`+strings.Repeat("x", 256<<10)+`"`), 413},
	} {
		w := f.post(tt.key, "", tt.body)
		if w.Code != tt.status {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, tt.status, w.Body)
		}
		doortest.Golden(t, "fault_"+name, fmt.Sprintf("%d\n%s\n", w.Code, w.Body))
	}
	if list := f.Entries("org_1"); len(list) != 0 {
		t.Errorf("something was recorded: %s", list)
	}
}

// What WorkOS accepts, and so must we.
func TestAccepted(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]string{
		"nulls":           strings.Replace(body("org_1", `,"version":null,"metadata":null`), `"type":"user"`, `"type":"user","name":null,"metadata":null`, 1),
		"null targets":    strings.Replace(body("org_1", ""), `"targets":[]`, `"targets":null`, 1),
		"empty strings":   strings.Replace(body("org_1", ""), `"1.2.3.4"`, `"","user_agent":""`, 1),
		"no address":      strings.Replace(body("org_1", ""), "1.2.3.4", "internal", 1),
		"nine digits":     strings.Replace(body("org_1", ""), "39.317Z", "39.123456789+01:00", 1),
		"no fraction":     strings.Replace(body("org_1", ""), "39.317Z", "39-08:00", 1),
		"unknown members": body("org_1", `,"idempotency":"x","b":{"c":[1]}`),
		"odd action":      strings.Replace(body("org_1", ""), "user.signed_in", "User signed in! ünïcode", 1),
		"empty key":       body("org_1", `,"metadata":{"":"x"}`),
		"500 characters":  body("org_1", `,"metadata":{"a":"`+strings.Repeat("ü", 500)+`"}`),
		"escapes":         strings.Replace(body("org_1", ""), `"event"`, `"\u0065vent"`, 1),
		"white space":     " \n" + strings.ReplaceAll(body("org_1", ""), ":", " :\t") + "\r\n",
		"fifty members":   body("org_1", `,"metadata":{`+fifty()+`}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, workos.Settings{})
			if name == "white space" {
				b = strings.ReplaceAll(b, "16 :\t35 :\t39", "16:35:39")
			}
			if w := f.post(f.every, "", b); w.Code != 201 || len(f.Entries("org_1")) != 1 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	relaxed := newFixture(t, workos.Settings{RelaxedLimits: true})
	b := body("org_1", `,"metadata":{"a b":{"deep":[1,null]},"l":"`+strings.Repeat("x", 1000)+`"}`)
	if w := relaxed.post(relaxed.every, "", b); w.Code != 201 {
		t.Errorf("relaxed: %d %s", w.Code, w.Body)
	}
}

func fifty() string {
	parts := make([]string, 50)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"%s%d":1.10`, strings.Repeat("k", 38), 10+i)
	}
	return strings.Join(parts, ",")
}

// TestIdempotency: what is a repeat, what is a conflict and what is new, with a key and without.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	step := 0
	post := func(idempotency, b string, wantStatus int, wantDuplicate string, wantEntries int) *httptest.ResponseRecorder {
		t.Helper()
		step++
		w := f.post(f.every, idempotency, b)
		if w.Code != wantStatus || w.Header().Get("Daybook-Duplicate") != wantDuplicate || len(f.Entries("org_1")) != wantEntries {
			t.Errorf("step %d: %d, duplicate %q, %d entries: %s", step, w.Code, w.Header().Get("Daybook-Duplicate"), len(f.Entries("org_1")), w.Body)
		}
		return w
	}
	a, b, c := body("org_1", `,"version":1`), body("org_1", `,"version":2`), body("org_1", `,"version":3`)
	first := post("k1", a, 201, "false", 1)
	again := post("k1", a, 201, "true", 1)
	for _, name := range []string{"Daybook-Event-Id", "Daybook-Seq", "Daybook-Leaf-Hash"} {
		if first.Header().Get(name) != again.Header().Get(name) {
			t.Errorf("%s of the replay is another", name)
		}
	}
	doortest.Golden(t, "fault_key_reused", fmt.Sprintf("%d\n%s\n", 400, post("k1", b, 400, "", 1).Body))
	post("", a, 201, "false", 2) // equal to a keyed one: new
	post("", a, 201, "true", 2)  // equal to a keyless one
	post("", b, 201, "false", 3)
	post("k2", b, 201, "true", 3) // a fresh key on the retry (Ruby): the duplicate, and the key is remembered
	post("k2", c, 400, "", 3)
	post("k2", b, 201, "true", 3)
	// Order of members, white space and escapes do not make another request; digits of a number do.
	reordered := `{"event":{"version":2,"context":{"location":"1.2.3.4"},"targets":[ ],"actor":{"type":"us\u0065r","id":"u1"},` +
		`"occurred_at":"2026-02-02T16:35:39.317Z","action":"user.signed_in"},"organization_id":"org_1"}`
	post("", reordered, 201, "true", 3)
	post("", body("org_1", `,"metadata":{"n":1.1}`), 201, "false", 4)
	post("", body("org_1", `,"metadata":{"n":1.10}`), 201, "false", 5)
	// Another organization, another event.
	if w := f.post(f.every, "k1", body("org_2", `,"version":9`)); w.Code != 201 || w.Header().Get("Daybook-Duplicate") != "false" {
		t.Errorf("another organization: %d %s", w.Code, w.Body)
	}
	f.Add(25 * time.Hour)
	post("", b, 201, "false", 6) // a day later it is another event
	long := strings.Repeat("k", 300)
	post(long, c, 201, "false", 7)
	post(long, c, 201, "true", 7)
	post(long+"x", c, 201, "false", 8)
}

// Over midnight the key of the day changes; an event sent again is still known.
func TestRepeatOverMidnight(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	f.Add(7 * time.Hour) // 23:35
	for _, want := range []string{"false", "true"} {
		if w := f.post(f.every, "", body("org_1", "")); w.Header().Get("Daybook-Duplicate") != want {
			t.Errorf("%d, duplicate %q, want %s", w.Code, w.Header().Get("Daybook-Duplicate"), want)
		}
		f.Add(time.Hour)
	}
}

func TestAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	for _, idempotency := range []string{"", "k"} {
		b := body("org_1", `,"metadata":{"k":"`+idempotency+`"}`)
		var wait sync.WaitGroup
		for range 16 {
			wait.Go(func() {
				if w := f.post(f.every, idempotency, b); w.Code != 201 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		wait.Wait()
	}
	if n := len(f.Entries("org_1")); n != 2 {
		t.Errorf("%d entries of two requests", n)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	reject := newFixture(t, workos.Settings{RejectUnknownOrg: true})
	if w := reject.post(reject.every, "", body("org_1", "")); w.Code != 404 || w.Body.String() != `{"message":"Organization not found: 'org_1'."}` {
		t.Errorf("an unknown organization: %d %s", w.Code, w.Body)
	}
	if w := reject.post(reject.acme, "", body("org_acme", "")); w.Code != 201 {
		t.Errorf("the key's own organization: %d %s", w.Code, w.Body)
	}
	reuse := newFixture(t, workos.Settings{ReuseRecords: true})
	reuse.post(reuse.every, "k", body("org_1", ""))
	if w := reuse.post(reuse.every, "k", body("org_1", `,"version":2`)); w.Code != 201 || len(reuse.Entries("org_1")) != 2 {
		t.Errorf("a key used again: %d %s", w.Code, w.Body)
	}
	plain := newFixture(t, workos.Settings{NoKeylessDedupe: true})
	for range 2 {
		plain.post(plain.every, "", body("org_1", ""))
	}
	if n := len(plain.Entries("org_1")); n != 2 {
		t.Errorf("%d entries without dedupe", n)
	}
}

// failingBook refuses with err.
type failingBook struct {
	*daybook.Book
	err error
}

func (b failingBook) RecordJSON(context.Context, daybook.OrgID, daybook.Request) (daybook.Result, error) {
	return daybook.Result{}, b.err
}

// Whatever passes is 500 with Retry-After: the one status that every SDK repeats, with the body that each can read.
func TestPassingFailures(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&daybook.Error{Code: daybook.CodeOverloaded}, &daybook.Error{Code: daybook.CodeOverloaded, Err: daybook.ErrNoSpace},
		&daybook.Error{Code: daybook.CodeUnavailable, Rule: "log_frozen"}, daybook.ErrUnknownOutcome, context.DeadlineExceeded,
		&daybook.Error{Code: daybook.CodeInternal, Message: "secret"},
	} {
		f := newFixture(t, workos.Settings{}, func(d *workos.Deps) { d.Book = failingBook{err: err} })
		w := f.post(f.every, "", body("org_1", ""))
		if w.Code != 500 || w.Body.String() != `{"message":"Temporarily unavailable, please retry.","code":"temporarily_unavailable"}` || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%v: %d %s", err, w.Code, w.Body)
		}
	}
}

func TestFault(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	for status, want := range map[int]string{
		404: `{"message":"Not Found"}`, 405: `{"message":"Method Not Allowed"}`, 413: `{"message":"Payload too large.","code":"payload_too_large"}`,
		500: `{"message":"Temporarily unavailable, please retry.","code":"temporarily_unavailable"}`,
	} {
		w := httptest.NewRecorder()
		f.door.Fault(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/audit_logs/retention", nil), status)
		f.check(w)
		if w.Code != status || w.Body.String() != want {
			t.Errorf("%d: %d %s", status, w.Code, w.Body)
		}
	}
	for path, want := range map[string]bool{
		"/audit_logs": true, "/audit_logs/retention": true, "/audit_log_schemas": true, "/organizations/o/audit_logs_retention": true,
		"/portal/generate_link": true, "/v1/organizations": false, "/": false, "/docs/api": false,
	} {
		if f.door.Owns(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}

// FuzzDecode: whatever comes is answered by the rules, and what is recorded is JSON that the log gives back.
func FuzzDecode(f *testing.F) {
	for _, more := range []string{"", `,"metadata":{"a":1}`, `,"version":2`, `,"targets":1`, `,"\u0061ctor":{}`} {
		f.Add(body("org_1", more), false)
	}
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			f.Add(string(text), true)
		}
	}
	f.Add(`{"organization_id":"\u006frg_1","event":{"actor":{},"targets":[{},[]],"context":{"location":"\""}}}`, true)
	f.Fuzz(func(t *testing.T, text string, relaxed bool) {
		fx := newFixture(t, workos.Settings{RelaxedLimits: relaxed})
		w := fx.post(fx.every, "", text)
		if w.Code >= 500 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w.Code == 201 {
			var in struct {
				OrganizationID daybook.OrgID `json:"organization_id"`
			}
			if err := json.Unmarshal([]byte(text), &in); err != nil {
				t.Fatal(err)
			}
			if list := fx.Entries(in.OrganizationID); len(list) != 1 || !json.Valid([]byte(list[0])) {
				t.Errorf("the log holds %q", list)
			}
		}
	})
}

// What the log did not take stands in it, by key and by rule, without a body.
func TestRefusals(t *testing.T) {
	t.Parallel()
	var a *selfaudit.Auditor
	f := newFixture(t, workos.Settings{}, func(d *workos.Deps) {
		book, _ := d.Book.(*daybook.Book)
		a = selfaudit.New(book, selfaudit.Options{})
		d.Audit = a
	})
	f.post(f.acme, "k", body("org_acme", ""))
	f.post(f.acme, "k", body("org_acme", `,"version":2`))                                       // another event
	f.post(f.acme, "", strings.Replace(body("org_acme", ""), "user.signed_in", "", 1))          // no action
	f.post(f.acme, "", body("org_acme", `,"metadata":{"secret":{"x":1}}`))                      // nested
	f.post(f.acme, "", strings.Replace(body("org_acme", ""), "user.signed_in", "daybook.x", 1)) // reserved
	f.post(f.every, "", strings.Replace(body("org_none", ""), "user.signed_in", "", 1))         // there is no such organization
	f.post(f.acme, "", strings.Replace(body("org_globex", ""), "user.signed_in", "", 1))        // not its own
	a.Close(t.Context())
	log := strings.Join(f.Entries("org_acme"), "\n")
	for _, want := range []string{
		`"action":"daybook.event.conflict"`, `"rule":"key_conflict"`, `"action":"daybook.event.rejected"`, `"rule":"required"`, `"rule":"invalid_value"`, `"rule":"reserved_action"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in the log:\n%s", want, log)
		}
	}
	if strings.Contains(log, "secret") || len(f.Entries("org_none")) > 0 || len(f.Entries("org_globex")) > 0 {
		t.Errorf("a body, or another's log: %s", log)
	}
}
