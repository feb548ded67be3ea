package workos_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/server/internal/compat/workos"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// shown is how an answer stands in a golden file.
func shown(w *httptest.ResponseRecorder) string { return fmt.Sprintf("%d\n%s\n", w.Code, w.Body) }

const invoicePaid = `{"actor":{"metadata":{"type":"object","properties":{"role":{"type":"string"}}}},
 "targets":[{"type":"invoice","metadata":{"type":"object","properties":{"cost":{"type":"number"}}}}],
 "metadata":{"type":"object","properties":{"transactionId":{"type":"string"}}}}`

// eventOf is an event of an action with the members given.
func eventOf(action, targets, more string) string {
	return `{"organization_id":"org_acme","event":{"action":"` + action + `","occurred_at":"2026-02-02T16:35:39.317Z",` +
		`"actor":{"id":"u1","type":"user"},"targets":` + targets + `,"context":{"location":"1.2.3.4"}` + more + `}}`
}

// TestSchemas walks through every answer about schemas, in this order on one door.
func TestSchemas(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	manage, read := f.Key("org_acme", "manage", "read"), f.Key("org_acme", "read")
	const path = "/audit_logs/actions/invoice.paid/schemas"
	targets := `[{"id":"i1","type":"invoice"}]`
	for _, c := range []struct{ name, method, target, key, body string }{
		{"create", "POST", path, manage, invoicePaid},
		{"create_again", "POST", path, manage, strings.ReplaceAll(invoicePaid, "\n", "")},
		{"create_node", "POST", path, manage, `{"actor":{"metadata":{"type":"object","properties":{}}},"targets":[{"type":"invoice"},{"type":"team"}]}`},
		{"create_null", "POST", "/audit_logs/actions/a%2Fb%3Ac/schemas", manage, `{"actor":null,"targets":[{"type":"x","metadata":null}],"metadata":null,"unknown":1}`},
		{"create_unescaped", "POST", "/audit_logs/actions/a/b:c/schemas", manage, `{"targets":[{"type":"x"}]}`},
		{"no_targets", "POST", path, manage, `{}`},
		{"empty_targets", "POST", path, manage, `{"targets":[]}`},
		{"types", "POST", path, manage, `{"actor":1,"targets":[1,{},{"type":2,"metadata":"x"}],"metadata":[]}`},
		{"invalid", "POST", path, manage, `{"targets":[{"type":"x","metadata":{"type":"text"}}]}`},
		{"remote", "POST", path, manage, `{"targets":[{"type":"x"}],"metadata":{"$ref":"file:///etc/passwd"}}`},
		{"reserved", "POST", "/audit_logs/actions/daybook.key.created/schemas", manage, `{"targets":[{"type":"x"}]}`},
		{"not_json", "POST", path, manage, `{"targets":`},
		{"forbidden", "POST", path, read, invoicePaid},
		{"unauthorized", "POST", path, "", invoicePaid},
		{"no_route", "POST", "/audit_logs/actions/invoice.paid", manage, `{}`},
		{"list", "GET", path, read, ""},
		{"list_unknown", "GET", "/audit_logs/actions/none/schemas", read, ""},
		{"list_limit", "GET", path + "?limit=101", read, ""},
		{"list_order", "GET", path + "?order=up&limit=x&after=als_", read, ""},
		{"list_cursor", "GET", path + "?after=als_OQ", read, ""},
		{"actions", "GET", "/audit_logs/actions", read, ""},
		{"actions_of_others", "GET", "/audit_logs/actions", f.Key("org_globex", "read"), ""},
		{"event", "POST", "/audit_logs/events", f.acme, eventOf("invoice.paid", targets, `,"version":1`)},
		{"event_newest", "POST", "/audit_logs/events", f.acme, eventOf("invoice.paid", `[{"id":"i1","type":"invoice"},{"id":"t","type":"team"}]`, "")},
		{"event_target", "POST", "/audit_logs/events", f.acme, eventOf("invoice.paid", `[{"id":"i1","type":"order"}]`, `,"version":1`)},
		{"event_no_target", "POST", "/audit_logs/events", f.acme, eventOf("invoice.paid", `null`, `,"version":1`)},
		{"event_metadata", "POST", "/audit_logs/events", f.acme, eventOf("invoice.paid", `[{"id":"i1","type":"invoice","metadata":{"cost":"1"}}]`, `,"version":1,"metadata":{"transactionId":7}`)},
		{"event_version", "POST", "/audit_logs/events", f.acme, eventOf("invoice.paid", targets, `,"version":3`)},
		{"event_free", "POST", "/audit_logs/events", f.acme, eventOf("other", targets, "")},
	} {
		doortest.Golden(t, "schema_"+c.name, shown(f.serve(c.method, c.target, c.key, c.body)))
	}
	doortest.Golden(t, "schema_entries", strings.Join(f.Entries("org_acme"), "\n")+"\n")
}

// TestSchemaModes holds the table of modes, and that a replay is answered as one whatever was registered meanwhile.
func TestSchemaModes(t *testing.T) {
	t.Parallel()
	wrong, free := eventOf("invoice.paid", `[]`, ""), eventOf("other", `[]`, "")
	for mode, want := range map[string][2]int{control.SchemaOpen: {400, 201}, control.SchemaQuarantine: {201, 201}, control.SchemaStrict: {400, 400}} {
		f := newFixtureWith(t, workos.Settings{}, control.SchemaRules{Mode: mode})
		before := f.post(f.acme, "k1", wrong)
		if w := f.serve("POST", "/audit_logs/actions/invoice.paid/schemas", f.Key("", "manage"), invoicePaid); w.Code != 201 {
			t.Fatal(w.Body)
		}
		if again := f.post(f.acme, "k1", wrong); before.Code == 201 && (again.Code != 201 || again.Header().Get("Daybook-Duplicate") != "true") {
			t.Errorf("%s: a replay after the registration: %d %s", mode, again.Code, again.Body)
		}
		fresh := strings.Replace(wrong, "u1", "u2", 1)
		if got := [2]int{f.post(f.acme, "", fresh).Code, f.post(f.acme, "", free).Code}; got != want {
			t.Errorf("%s: %v", mode, got)
		}
		if n := strings.Count(strings.Join(f.Entries("org_acme"), ""), `"flags":["schema_`); (n > 0) != (mode == control.SchemaQuarantine) {
			t.Errorf("%s: %d flags", mode, n)
		}
	}
	f := newFixtureWith(t, workos.Settings{}, control.SchemaRules{Mode: control.SchemaStrict})
	doortest.Golden(t, "schema_event_strict", shown(f.post(f.acme, "", free)))
}

// TestLists walks through a list in both directions and orders, as the SDKs do.
func TestLists(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	key := f.Key("org_acme", "manage", "read")
	for i := range 25 {
		body := fmt.Sprintf(`{"targets":[{"type":"t%d"}]}`, i)
		for _, path := range []string{"/audit_logs/actions/a.b/schemas", fmt.Sprintf("/audit_logs/actions/a.%02d/schemas", i)} {
			if w := f.serve("POST", path, key, body); w.Code != 201 {
				t.Fatal(w.Body)
			}
		}
	}
	type list struct {
		Object string
		Data   []struct {
			Version int
			Name    string
		}
		Metadata struct{ Before, After *string } `json:"list_metadata"`
	}
	get := func(query string) (l list) {
		t.Helper()
		w := f.serve("GET", "/audit_logs/actions/a.b/schemas?"+query, key, "")
		if err := json.Unmarshal(w.Body.Bytes(), &l); err != nil || w.Code != 200 || l.Object != "list" || !strings.Contains(w.Body.String(), `"list_metadata":{"before":`) {
			t.Fatalf("%s: %d %s", query, w.Code, w.Body)
		}
		return l
	}
	versions := func(l list) (all []int) {
		for _, s := range l.Data {
			all = append(all, s.Version)
		}
		return all
	}
	var down, up, back []int
	l := get("")
	if len(l.Data) != 10 || l.Metadata.Before != nil || get("order=normal").Data[0].Version != 25 {
		t.Errorf("the first page: %+v", l)
	}
	for down = versions(l); l.Metadata.After != nil; down = append(down, versions(l)...) {
		l = get("after=" + url.QueryEscape(*l.Metadata.After))
	}
	for back = versions(l); l.Metadata.Before != nil; back = append(versions(l), back...) {
		l = get("before=" + url.QueryEscape(*l.Metadata.Before))
	}
	for l = get("order=asc&limit=7"); ; l = get("order=asc&limit=7&after=" + *l.Metadata.After) {
		if up = append(up, versions(l)...); l.Metadata.After == nil {
			break
		}
	}
	var want, reverse []int
	for i := range 25 {
		want, reverse = append(want, 25-i), append(reverse, i+1)
	}
	for name, got := range map[string][]int{"down": down, "back": back} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if diff := cmp.Diff(reverse, up); diff != "" {
		t.Errorf("up: %s", diff)
	}
	var actions list
	if err := json.Unmarshal(f.serve("GET", "/audit_logs/actions?limit=100", key, "").Body.Bytes(), &actions); err != nil || len(actions.Data) != 26 || actions.Data[0].Name != "a.24" || actions.Data[25].Name != "a.b" {
		t.Errorf("actions: %+v, %v", actions, err)
	}
}

// TestOrganization walks through retention and configuration.
func TestOrganization(t *testing.T) {
	t.Parallel()
	f := newFixture(t, workos.Settings{})
	manage, read := f.Key("org_acme", "manage"), f.Key("org_acme", "read")
	const retention, configuration = "/organizations/org_acme/audit_logs_retention", "/organizations/org_acme/audit_log_configuration"
	for _, c := range []struct{ name, method, target, key, body string }{
		{"retention_none", "GET", retention, read, ""},
		{"configuration_none", "GET", configuration, read, ""},
		{"retention_set", "PUT", retention, manage, `{"retention_period_in_days":400}`},
		{"retention_get", "GET", retention, read, ""},
		{"configuration_set", "GET", configuration, read, ""},
		{"retention_years", "PUT", retention, manage, `{"retention_period":"10_YEARS"}`},
		{"retention_months", "PUT", retention, manage, `{"retention_period":"1_MONTH"}`},
		{"retention_words", "PUT", retention, manage, `{"retention_period":"1_MONTHS"}`},
		{"retention_word_type", "PUT", retention, manage, `{"retention_period":1}`},
		{"retention_missing", "PUT", retention, manage, `{}`},
		{"retention_type", "PUT", retention, manage, `{"retention_period_in_days":"30"}`},
		{"retention_fraction", "PUT", retention, manage, `{"retention_period_in_days":30.5}`},
		{"retention_zero", "PUT", retention, manage, `{"retention_period_in_days":0}`},
		{"retention_long", "PUT", retention, manage, `{"retention_period_in_days":36501}`},
		{"retention_huge", "PUT", retention, manage, `{"retention_period_in_days":99999999999999999999}`},
		{"retention_forbidden", "PUT", retention, read, `{"retention_period_in_days":30}`},
		{"retention_other", "GET", "/organizations/org_globex/audit_logs_retention", read, ""},
		{"configuration_unknown", "GET", "/organizations/org_0/audit_log_configuration", f.Key("", "read"), ""},
	} {
		w := f.serve(c.method, c.target, c.key, c.body)
		if w.Code >= 400 {
			f.check(w)
		}
		doortest.Golden(t, "org_"+c.name, shown(w))
	}
	f.post(f.acme, "", body("org_acme", ""))
	if w := f.serve("GET", configuration, read, ""); !strings.Contains(w.Body.String(), `"state":"active"`) {
		t.Errorf("after an event: %s", w.Body)
	}
	strict := newFixture(t, workos.Settings{OwnRetention: true})
	manage = strict.Key("org_acme", "manage")
	for body, want := range map[string]int{`{"retention_period_in_days":31}`: 422, `{"retention_period_in_days":30}`: 200, `{"retention_period":"2_YEARS"}`: 200} {
		if w := strict.serve("PUT", retention, manage, body); w.Code != want {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

// What narrower rules say stays, and nothing goes below the floor.
func TestRetentionKeepsRules(t *testing.T) {
	t.Parallel()
	var retentions *control.Retentions
	f := newFixture(t, workos.Settings{}, func(d *workos.Deps) { retentions = d.Retentions })
	_, _, err := retentions.Set(t.Context(), "org_acme", control.Retention{Rules: []control.RetentionRule{{Match: "action:auth.*", Keep: "2y"}, {Match: "", Keep: "90d"}}, Floor: "60d"}, true,
		func(_, _ control.Retention) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	key := f.Key("org_acme", "manage", "read")
	const path = "/organizations/org_acme/audit_logs_retention"
	if w := f.serve("PUT", path, key, `{"retention_period_in_days":30}`); w.Code != 422 || !strings.Contains(w.Body.String(), `"field":"retention_period_in_days"`) {
		t.Errorf("below the floor: %d %s", w.Code, w.Body)
	}
	if w := f.serve("PUT", path, key, `{"retention_period_in_days":365}`); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	got, err := retentions.Get(t.Context(), "org_acme")
	if diff := cmp.Diff([]control.RetentionRule{{Match: "action:auth.*", Keep: "2y"}, {Keep: "365d"}}, got.Rules); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// FuzzManage: whatever comes to the routes that manage is answered by the rules, and never as a failure of ours.
func FuzzManage(f *testing.F) {
	for _, text := range []string{
		invoicePaid, `{"targets":[{"type":"x","metadata":{"$ref":"#"}}]}`, `{"retention_period":"1_MONTH"}`, `{"retention_period_in_days":1e9}`,
		`{"organization":"org_acme","return_url":"http://[::1]/","it_contact_emails":["a@b"]}`, `{"targets":null,"actor":[]}`, `{`,
	} {
		f.Add(text, "limit=1&order=asc&after=als_MQ")
	}
	f.Fuzz(func(t *testing.T, text, query string) {
		fx := newFixture(t, workos.Settings{})
		key := fx.Key("org_acme", "manage", "read")
		for _, route := range []string{"POST /audit_logs/actions/a.b/schemas", "PUT /organizations/org_acme/audit_logs_retention", "POST /portal/generate_link"} {
			method, path, _ := strings.Cut(route, " ")
			if w := fx.serve(method, path, key, text); w.Code >= 500 {
				t.Errorf("%s: %d %s", route, w.Code, w.Body)
			} else if w.Code >= 400 {
				fx.check(w)
			}
		}
		for _, path := range []string{"/audit_logs/actions", "/audit_logs/actions/a.b/schemas"} {
			u := url.URL{Path: path, RawQuery: strings.Map(func(r rune) rune {
				if r <= ' ' || r > '~' || r == '#' {
					return 'x'
				}
				return r
			}, query)}
			if w := fx.serve("GET", u.String(), key, ""); w.Code >= 500 || w.Code == 400 {
				t.Errorf("%s: %d %s", u.String(), w.Code, w.Body)
			}
		}
	})
}
