package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// audited is a fixture whose server records what is done through it.
func audited(t *testing.T, to func(selfaudit.Recorder) selfaudit.Recorder) (*fixture, *selfaudit.Auditor) {
	t.Helper()
	var a *selfaudit.Auditor
	f := newFixture(t, setup{deps: func(d *api.Deps) {
		var recorder selfaudit.Recorder = d.Book
		if to != nil {
			recorder = to(recorder)
		}
		a = selfaudit.New(recorder, selfaudit.Options{Now: d.Now})
		d.Audit = a
	}})
	return f, a
}

// act is what the tests look at of an entry that the server made.
type act struct {
	Action, Actor, Target, Outcome, Route string
	Metadata                              map[string]any
}

// acts returns the entries of org whose action begins with daybook., oldest first, and checks what all of them have.
func (f *fixture) acts(org daybook.OrgID) []act {
	f.t.Helper()
	page, err := f.book.Search(f.t.Context(), daybook.EventQuery{Org: org, Text: "action:daybook.*", Asc: true, Limit: 1000})
	if err != nil {
		f.t.Fatal(err)
	}
	var acts []act
	for i := range page.Entries {
		var e struct {
			Action, Outcome string
			Actor           struct{ Type, ID, Name string }
			Targets         []struct{ Type, ID string }
			Context         struct {
				IP        string
				UserAgent string `json:"user_agent"`
				RequestID string `json:"request_id"`
				HTTP      struct{ Method, Route string }
			}
			Metadata map[string]any
		}
		text := page.Entries[i].AppendJSON(nil)
		if err := json.Unmarshal(text, &e); err != nil {
			f.t.Fatal(err)
		}
		views, _ := e.Metadata["views"].(float64)
		if e.Actor.Type != "api_key" || e.Actor.Name != "test" || e.Context.IP != "192.0.2.1" || strings.HasPrefix(e.Context.RequestID, "req_") == (views > 1) {
			f.t.Errorf("the entry does not say who it was and from where: %s", text)
		}
		if strings.Contains(string(text), "dbk_") {
			f.t.Errorf("the entry holds a key: %s", text)
		}
		a := act{Action: e.Action, Actor: e.Actor.ID, Outcome: e.Outcome, Route: e.Context.HTTP.Method + " " + e.Context.HTTP.Route, Metadata: e.Metadata}
		if len(e.Targets) > 0 {
			a.Target = e.Targets[0].Type + ":" + e.Targets[0].ID
		}
		acts = append(acts, a)
	}
	return acts
}

func (f *fixture) keyID(secret string) string {
	f.t.Helper()
	var who struct{ ID string }
	if err := json.Unmarshal(f.do(ask{path: "/v1/whoami", key: secret}).Body.Bytes(), &who); err != nil {
		f.t.Fatal(err)
	}
	return who.ID
}

// TestLooks asks every route that shows a log, and finds that somebody looked. A route that takes an organization and is not in the
// table fails, as does one that shows a log and does not say so.
func TestLooks(t *testing.T) {
	t.Parallel()
	f, a := audited(t, nil)
	var receipt struct{ ID string }
	for range 3 {
		body := f.record(f.acme, event("invoice.paid", `,"targets":[{"type":"invoice","id":"42"}]`))
		if err := json.Unmarshal([]byte(body), &receipt); err != nil {
			t.Fatal(err)
		}
	}
	var entry struct{ EventID string }
	made := f.do(ask{method: "POST", path: "/v1/crm/entries?append=true", key: f.acme, body: `{"action":"lead.update","entityType":"Lead","numberIdentifier":1,"user":7}`})
	if err := json.Unmarshal(made.Body.Bytes(), &entry); err != nil || entry.EventID == "" {
		t.Fatalf("%d %s", made.Code, made.Body)
	}
	f.do(ask{method: "POST", path: "/v1/crm/user-deletions", key: f.acme, body: `{"user":7}`})
	reader := f.key("org_acme", auth.Read)
	// What shows no entry and proves none, and what is an act.
	unseen := map[string]bool{
		"GET /v1/crm/enums": true, "GET /v1/crm/enums/actions": true, "GET /v1/crm/enums/entityTypes": true,
		"GET /v1/events/csv": true, "GET /v1/viewer-settings": true, // the file is an act
		"GET /v1/targets/{type}/{id}/versions/{version}": true, "GET /v1/targets/{type}/{id}/versions/{version}/restore-plan": true, // one look with the list
		"GET /v1/views": true, "GET /v1/views/{view}": true,
		"GET /v1/summary": true, "GET /v1/sentences": true,
		"POST /v1/events": true, "POST " + logPath + "/keys": true, "GET " + logPath + "/failures": true, "GET " + logPath + "/info": true, "GET " + logPath + "/epochs/{epoch}/info": true,
		"POST /v1/exports": true, "GET /v1/exports": true, "GET /v1/exports/{id}": true, "DELETE /v1/exports/{id}": true,
	}
	paths := map[string]struct {
		path, view, query, target string
		rows                      float64
	}{
		"GET /v1/events":                       {"/v1/events?q=action:invoice.paid+AND+has:target&limit=2", "search", "action:invoice.paid has:target", "log:org_acme", 2},
		"GET /v1/events/tail":                  {"/v1/events/tail?q=action:tail", "tail", "action:tail", "log:org_acme", 0},
		"GET /v1/events/{id}":                  {"/v1/events/" + receipt.ID, "", "", "event:" + receipt.ID, 1},
		"GET /v1/targets/{type}/{id}/events":   {"/v1/targets/invoice/42/events?q=outcome:success", "target", "target:invoice:42 outcome:success", "log:org_acme", 3},
		"GET /v1/actors/{type}/{id}/events":    {"/v1/actors/user/usr_7/events", "actor", "actor:(user:usr_7)", "log:org_acme", 3},
		"GET /v1/histogram":                    {"/v1/histogram?q=action:histogram", "histogram", "action:histogram", "log:org_acme", 0},
		"GET /v1/facets":                       {"/v1/facets?q=action:facets", "facets", "action:facets", "log:org_acme", 0},
		"GET /v1/events/{id}/around":           {"/v1/events/" + receipt.ID + "/around?n=1", "around", "id:" + receipt.ID, "event:" + receipt.ID, 3},
		"GET /v1/targets/{type}/{id}/versions": {"/v1/targets/invoice/42/versions", "versions", "target:invoice:42", "log:org_acme", 3},
		"GET /v1/complete":                     {"/v1/complete?q=action:inv", "complete", "", "log:org_acme", 0},
		"GET /v1/crm/entries":                  {"/v1/crm/entries?numberIdentifier=1", "crm", "has:meta.crm.entityType target.id:1", "log:org_acme", 1},
		"GET /v1/crm/entries/{id}":             {"/v1/crm/entries/" + entry.EventID, "", "", "event:" + entry.EventID, 1},
		"GET /v1/crm/user-deletions":           {"/v1/crm/user-deletions", "crm_deletions", "action:crm.user_deleted", "log:org_acme", 1},
		"GET " + logPath + "/bundle":           {"/v1/organizations/org_acme/log/bundle?from=1&to=3", "bundle", "", "log:org_acme", 2},
		"GET " + logPath + "/evidence":         {"/v1/organizations/org_acme/log/evidence?from=0&to=3", "evidence", "", "log:org_acme", 3},
	}
	want := map[string]act{}
	for _, row := range f.server.Rows() {
		name := row.Method + " " + row.Pattern
		if !row.Org && row.Looks == "" || row.Method != http.MethodGet || unseen[name] || row.Looks == "daybook.proof.read" || strings.HasSuffix(name, "/epochs/{epoch}/bundle") || strings.HasSuffix(name, "/epochs/{epoch}/evidence") || settles(row.Pattern) {
			continue // proofs: TestProofsRead; what settles are acts
		}
		tt, ok := paths[name]
		if !ok || row.Looks == "" {
			t.Errorf("%s: in the table %v, its action is %q", name, ok, row.Looks)
			continue
		}
		ctx, cancel := context.WithCancel(t.Context())
		if strings.HasSuffix(name, "tail") {
			cancel() // the stream would not end
		}
		key := f.acme
		if strings.HasSuffix(name, "/evidence") {
			key = reader // by one principal it would be one look with the bundle
		}
		f.send(ask{path: tt.path, key: key}.request(ctx))
		cancel()
		metadata := map[string]any{"query": tt.query, "rows": tt.rows, "views": 1.0}
		if tt.view != "" {
			metadata["view"] = tt.view
		}
		want[name] = act{Action: row.Looks, Actor: f.keyID(key), Target: tt.target, Outcome: "success", Route: name, Metadata: metadata}
	}
	a.Close(t.Context())
	got := map[string]act{}
	for _, a := range f.acts("org_acme") {
		if a.Metadata["rows"] != 0.0 {
			first, ok1 := a.Metadata["first_seq"].(float64)
			last, ok2 := a.Metadata["last_seq"].(float64)
			if !ok1 || !ok2 || last-first+1 != a.Metadata["rows"] {
				t.Errorf("%s: %v to %v", a.Route, a.Metadata["first_seq"], a.Metadata["last_seq"])
			}
			delete(a.Metadata, "first_seq")
			delete(a.Metadata, "last_seq")
		}
		got[a.Route] = a
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was looked at (-want +got):\n%s", diff)
	}
	if s := a.Stats(); s.Lost != 0 || s.Recorded != int64(len(want)) {
		t.Errorf("%+v", s)
	}
}

// The pages of one question, and the same question to another route, are one look, and its sum says how far it went.
func TestLooksAreDebounced(t *testing.T) {
	t.Parallel()
	f, a := audited(t, nil)
	for range 5 {
		f.record(f.acme, event("a.b", ""))
	}
	cursor := nextCursor(t, f.do(ask{path: "/v1/events?q=action:a.b&limit=2", key: f.acme}))
	for range 2 {
		w := f.do(ask{path: "/v1/events?limit=2&cursor=" + cursor, key: f.acme})
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	f.do(ask{path: "/v1/facets?q=action:a.b", key: f.acme})
	a.Close(t.Context())
	acts := f.acts("org_acme")
	if len(acts) != 2 {
		t.Fatalf("%d events: %+v", len(acts), acts)
	}
	for i, want := range []map[string]any{
		{"view": "search", "query": "action:a.b", "rows": 2.0, "first_seq": 3.0, "last_seq": 4.0, "views": 1.0},
		{"view": "search", "query": "action:a.b", "rows": 4.0, "first_seq": 1.0, "last_seq": 2.0, "views": 3.0},
	} {
		delete(acts[i].Metadata, "since")
		if diff := cmp.Diff(want, acts[i].Metadata); diff != "" {
			t.Errorf("event %d:\n%s", i, diff)
		}
	}
}

// Whatever is read in order to verify is one look in an hour, or a monitor would make the log grow that it watches.
func TestProofsRead(t *testing.T) {
	t.Parallel()
	f, a := audited(t, nil)
	f.record(f.acme, event("a.b", ""))
	read, denied := int64(0), 0
	deaf := f.key("org_acme", auth.Record)
	for range 2 {
		for _, row := range f.server.Rows() {
			if row.Looks != "daybook.proof.read" {
				continue
			}
			path := strings.NewReplacer("{org}", "org_acme", "{epoch}", "0", "{size}", "1", "{path}", "0/000.p/1", "{file}", "x").Replace(row.Pattern)
			if strings.HasSuffix(path, "inclusion") {
				path += "?seq=0"
			}
			if w := f.do(ask{path: path, key: f.acme}); w.Code == http.StatusOK {
				read++
			}
			if w := f.do(ask{path: path, key: deaf}); w.Code != http.StatusForbidden {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
			denied++
		}
		f.Add(50 * time.Minute)
	}
	a.Close(t.Context())
	acts := f.acts("org_acme")
	if read < 4 || len(acts) != 4 {
		t.Fatalf("%d answers, %+v", read, acts)
	}
	views := map[string]float64{}
	for _, a := range acts {
		if a.Action != "daybook.proof.read" || a.Target != "log:org_acme" {
			t.Errorf("%+v", a)
		}
		n, ok := a.Metadata["views"].(float64)
		if !ok {
			t.Fatalf("%+v", a)
		}
		views[a.Outcome] += n
	}
	if want := map[string]float64{"success": float64(read), "denied": float64(denied)}; cmp.Diff(want, views) != "" {
		t.Errorf("%v views, want %v", views, want)
	}
}

// Whoever may not look is noted too, where the log is known; who is not known is not.
func TestDenied(t *testing.T) {
	t.Parallel()
	f, a := audited(t, nil)
	deaf := f.key("org_acme", auth.Record)
	everywhere := f.key("", auth.Record)
	for _, key := range []string{deaf, deaf, everywhere, f.globex, "dbk_nonsense", ""} {
		if w := f.do(ask{path: "/v1/events", key: key, header: []string{"Daybook-Org", "org_acme"}}); w.Code < 400 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	f.do(ask{path: "/v1/events", key: everywhere, header: []string{"Daybook-Org", "org_none"}})
	f.do(ask{path: "/v1/events", key: everywhere})
	f.do(ask{path: "/v1/events/nonsense", key: deaf})
	a.Close(t.Context())
	got := map[string]int{}
	for _, a := range f.acts("org_acme") {
		if a.Outcome != "denied" {
			t.Errorf("%+v", a)
		}
		got[a.Action+" by "+a.Actor]++
	}
	want := map[string]int{"daybook.log.viewed by " + f.keyID(deaf): 2, "daybook.log.viewed by " + f.keyID(everywhere): 1, "daybook.event.viewed by " + f.keyID(deaf): 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, org := range []daybook.OrgID{"org_globex", "org_none", control.Instance} {
		if acts := f.acts(org); len(acts) > 0 {
			t.Errorf("in the log of %s: %+v", org, acts)
		}
	}
}

// TestActs: keys of an organization stand in its log, what is the instance's in that of the instance.
func TestActs(t *testing.T) {
	t.Parallel()
	f, a := audited(t, nil)
	var made struct{ ID string }
	create := func(body string) string {
		t.Helper()
		w := f.do(ask{method: "POST", path: "/v1/keys", key: f.admin, body: body})
		if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusCreated {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return made.ID
	}
	own := create(`{"name":"ci","org":"org_acme","scopes":["read"]}`)
	wide := create(`{"org":null,"scopes":["record","operate"]}`)
	for range 2 {
		if w := f.do(ask{method: "DELETE", path: "/v1/keys/" + own, key: f.acme}); w.Code != http.StatusNoContent {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	f.do(ask{method: "POST", path: "/v1/organizations", key: f.admin, body: `{"id":"org_new","name":"New"}`})
	f.do(ask{method: "POST", path: "/v1/organizations", key: f.admin, body: `{"id":"org_new"}`}) // refused
	for _, key := range []string{f.acme, f.acme, f.admin} {                                      // the second makes nothing
		f.do(ask{method: "POST", path: "/v1/actions/a.b/schemas", key: key, body: `{"targets":[{"type":"team"}]}`})
	}
	a.Close(t.Context())
	admin, acme := f.keyID(f.admin), f.keyID(f.acme)
	key := func(org any, scopes ...any) map[string]any {
		return map[string]any{"org": org, "scopes": scopes, "expires_at": nil}
	}
	want := []act{
		{"daybook.key.created", admin, "api_key:" + own, "success", "POST /v1/keys", key("org_acme", "read")},
		{"daybook.key.revoked", acme, "api_key:" + own, "success", "DELETE /v1/keys/{id}", key("org_acme", "read")},
		{"daybook.schema.registered", acme, "schema:a.b", "success", "POST /v1/actions/{action}/schemas", nil},
	}
	if diff := cmp.Diff(want, f.acts("org_acme")); diff != "" {
		t.Errorf("org_acme:\n%s", diff)
	}
	want = []act{
		{"daybook.key.created", admin, "api_key:" + wide, "success", "POST /v1/keys", key(nil, "record", "operate")},
		{"daybook.org.created", admin, "org:org_new", "success", "POST /v1/organizations", nil},
		{"daybook.schema.registered", admin, "schema:a.b", "success", "POST /v1/actions/{action}/schemas", nil},
	}
	if diff := cmp.Diff(want, f.acts(control.Instance)); diff != "" {
		t.Errorf("the instance:\n%s", diff)
	}
}

// A key that the log cannot know of is not made; one that must end ends all the same; and who only looks does not notice.
func TestActsWithoutLog(t *testing.T) {
	t.Parallel()
	frozen := &daybook.Error{Code: daybook.CodeUnavailable, Rule: "log_frozen", Message: "frozen"}
	f, a := audited(t, func(selfaudit.Recorder) selfaudit.Recorder { return faultyBook{err: frozen} })
	w := f.do(ask{method: "POST", path: "/v1/keys", key: f.acme, body: `{"org":"org_acme","scopes":["read"]}`})
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "dbk_") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	ids := func() (ids []string) {
		keys, err := f.keys.All(t.Context(), func(k *control.Key) bool { return k.Org == "org_acme" && k.RevokedAt.IsZero() })
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			ids = append(ids, k.ID)
		}
		return ids
	}
	all := ids()
	if len(all) != 1 {
		t.Fatalf("%d keys", len(all))
	}
	if w := f.do(ask{path: "/v1/events", key: f.acme}); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.do(ask{method: "DELETE", path: "/v1/keys/" + all[0], key: f.admin}); w.Code != http.StatusNoContent || len(ids()) != 0 {
		t.Errorf("%d %s: %v", w.Code, w.Body, ids())
	}
	a.Close(t.Context())
	if s := a.Stats(); s.Lost != 2 || s.Recorded != 0 {
		t.Errorf("the look and the end of the key are logged instead: %+v", s)
	}
}

// The log of the instance is for operators to read, and nobody's to write or to own.
func TestInstanceLog(t *testing.T) {
	t.Parallel()
	f, a := audited(t, nil)
	f.do(ask{method: "POST", path: "/v1/organizations", key: f.admin, body: `{"id":"org_new"}`})
	instance := []string{"Daybook-Org", string(control.Instance)}
	if w := f.do(ask{path: "/v1/events", key: f.admin, header: instance}); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "daybook.org.created") {
		t.Errorf("an operator: %d %s", w.Code, w.Body)
	}
	for name, tt := range map[string]struct {
		a    ask
		code int
	}{
		"no operator reads": {ask{path: "/v1/events", key: f.key("", auth.All&^auth.Operate), header: instance}, http.StatusNotFound},
		"an org reads":      {ask{path: "/v1/events", key: f.acme, header: instance}, http.StatusNotFound},
		"records":           {ask{method: "POST", path: "/v1/events", key: f.admin, header: instance, body: event("a.b", "")}, http.StatusForbidden},
		"owns":              {ask{method: "POST", path: "/v1/organizations", key: f.admin, body: `{"id":"daybook:instance"}`}, http.StatusForbidden},
		"an org's action":   {ask{method: "POST", path: "/v1/events", key: f.acme, body: event("daybook.log.viewed", "")}, http.StatusBadRequest},
	} {
		if w := f.do(tt.a); w.Code != tt.code {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	door := f.do(ask{method: "POST", path: "/audit_logs/events", key: f.admin, body: `{"organization_id":"daybook:instance","event":{"action":"a.b",` +
		`"occurred_at":"2026-02-02T16:35:39Z","actor":{"id":"u","type":"user"},"targets":[],"context":{"location":""}}}`})
	if door.Code != http.StatusNotFound {
		t.Errorf("through the door: %d %s", door.Code, door.Body)
	}
	a.Close(t.Context())
	if acts := f.acts(control.Instance); len(acts) != 2 || acts[1].Action != "daybook.log.viewed" {
		t.Errorf("%+v", acts)
	}
}

// What a producer sends and the log does not take is a count in the log, by rule: at once, and summed up at the end. Never a body.
func TestRefusedEvents(t *testing.T) {
	t.Parallel()
	f, a := audited(t, nil)
	send := func(status int, body string, header ...string) {
		t.Helper()
		w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: body, header: header})
		if w.Code != status {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	for range 3 {
		send(http.StatusBadRequest, `{"action":"topsecret","actor":{"type":"user"}}`)
	}
	send(http.StatusBadRequest, `[`+event("a.b", "")+`,{"topsecret":1},{"topsecret":2}]`)
	send(http.StatusCreated, event("a.b", ""), "Idempotency-Key", "k")
	send(http.StatusConflict, event("a.c", ""), "Idempotency-Key", "k")
	send(http.StatusBadRequest, `{"topsecret":`)
	a.Close(t.Context())
	got := map[string]float64{}
	for _, x := range f.refusals("org_acme") {
		got[x.Action+" "+x.Metadata.Rule] += x.Metadata.Events
	}
	want := map[string]float64{
		"daybook.event.rejected required": 3, "daybook.event.rejected unknown_member": 2, "daybook.event.conflict key_conflict": 1, "daybook.event.rejected syntax": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(f.refusals("org_acme")) != 5 {
		t.Errorf("%d events for one burst", len(f.refusals("org_acme")))
	}
}

type refusal struct {
	Action   string
	Outcome  string
	Metadata struct {
		Rule   string
		Events float64
	}
}

// refusals returns what the log of org says of events that it did not take.
func (f *fixture) refusals(org daybook.OrgID) (list []refusal) {
	f.t.Helper()
	page, err := f.book.Search(f.t.Context(), daybook.EventQuery{Org: org, Text: "action:daybook.event.rejected,daybook.event.conflict", Asc: true, Limit: 1000})
	if err != nil {
		f.t.Fatal(err)
	}
	for i := range page.Entries {
		text := page.Entries[i].AppendJSON(nil)
		var r refusal
		if err := json.Unmarshal(text, &r); err != nil || r.Outcome != "failure" || strings.Contains(string(text), "topsecret") {
			f.t.Errorf("%v: %s", err, text)
		}
		list = append(list, r)
	}
	return list
}
