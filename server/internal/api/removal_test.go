package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

const (
	holdID    = "hold_01m7w2y7m0f2sav0xm2zm5q97j"
	erasureID = "ers_01m8054e3bek9amg680j6srjmm"
)

// settles reports whether a route is one of keeping and removing, or of schemas, which show no entry.
func settles(pattern string) bool {
	for _, part := range []string{"/v1/retention", "/v1/holds", "/v1/erasures", "/v1/actions"} {
		if strings.HasPrefix(pattern, part) {
			return true
		}
	}
	return false
}

// TestGoldenRemoval walks through every JSON shape of retention, holds and erasure, in this order on one server.
func TestGoldenRemoval(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	second, reader := f.key("org_acme", auth.Manage), f.key("org_acme", auth.Read)
	f.record(f.acme, fullEvent)
	f.record(f.acme, login)
	f.Add(40 * 24 * time.Hour)
	f.record(f.acme, event("auth.login", ""))
	post := func(path, body string) ask { return ask{method: "POST", path: path, key: f.acme, body: body} }
	put := func(key, body string) ask { return ask{method: "PUT", path: "/v1/retention", key: key, body: body} }
	settled := map[string]bool{"erasure_done": true, "erasure_list": true, "retention_run_again": true}
	for _, tt := range []struct {
		name string
		ask  ask
	}{
		{"hold_place", post("/v1/holds", `{"id":"`+holdID+`","query":"target:invoice:42","reason":"litigation 26-114"}`)},
		{"hold_place_again", post("/v1/holds", `{"id":"`+holdID+`","query":"","reason":"other"}`)},
		{"hold_no_query", post("/v1/holds", `{"reason":"r"}`)},
		{"hold_null_query", post("/v1/holds", `{"query":null,"reason":"r"}`)},
		{"hold_no_reason", post("/v1/holds", `{"query":"","reason":""}`)},
		{"hold_relative", post("/v1/holds", `{"query":"received:>now-1d","reason":"r"}`)},
		{"hold_get", ask{path: "/v1/holds/" + holdID, key: f.acme}},
		{"hold_list", ask{path: "/v1/holds", key: f.acme}},
		{"hold_forbidden", ask{path: "/v1/holds", key: reader}},

		{"erasure_preview", post("/v1/erasures/preview", `{"actor":{"type":"user","id":"usr_7"}}`)},
		{"erasure_on_hold", post("/v1/erasures", `{"actor":{"type":"user","id":"usr_7"},"reason":"request 7"}`)},
		{"hold_release", post("/v1/holds/"+holdID+"/release", `{"reason":"settled"}`)},
		{"hold_release_again", post("/v1/holds/"+holdID+"/release", `{"reason":"other"}`)},
		{"erasure_run", post("/v1/erasures", `{"id":"`+erasureID+`","actor":{"type":"user","id":"usr_7"},"reason":"request 7","legal_basis":"gdpr_art_17"}`)},
		{"erasure_done", ask{path: "/v1/erasures/" + erasureID, key: f.acme}},
		{"erasure_certificate", ask{path: "/v1/erasures/" + erasureID + "/certificate", key: f.acme}},
		{"erasure_entry", ask{path: "/v1/events/" + firstID, key: f.acme}},
		{"erasure_again", post("/v1/erasures", `{"actor":{"type":"user","id":"usr_7"},"reason":"request 8"}`)},
		{"erasure_nothing_selected", post("/v1/erasures", `{"whole":true,"reason":"r"}`)},
		{"erasure_event_form", post("/v1/erasures", `{"event":"evt_1","whole":true,"reason":"r"}`)},
		{"erasure_no_reason", post("/v1/erasures", `{"all":true,"whole":true}`)},
		{"erasure_bad_query", post("/v1/erasures", `{"query":"actr:1","whole":true,"reason":"r"}`)},

		{"retention_none", ask{path: "/v1/retention", key: f.acme}},
		{"retention_put", put(f.acme, `{"rules":[{"match":"action:auth.*","keep":"400d"},{"match":"","keep":"30d"}],"floor":"30d","erasure_approvers":2}`)},
		{"retention_get", ask{path: "/v1/retention", key: f.acme}},
		{"retention_below_floor", put(f.acme, `{"rules":[{"match":"","keep":"29d"}]}`)},
		{"retention_lower_floor", put(f.acme, `{"rules":[],"floor":"1d"}`)},
		{"retention_bad_keep", put(f.acme, `{"rules":[{"match":"","keep":"1mo"}]}`)},
		{"retention_bad_match", put(f.acme, `{"rules":[{"match":"outcome:denied","keep":"60d"}]}`)},
		{"retention_approvers", put(f.acme, `{"rules":[],"erasure_approvers":3}`)},
		{"retention_plan", post("/v1/retention/plan", `{}`)},
		{"retention_plan_other", post("/v1/retention/plan", `{"rules":[{"match":"action:user.*","keep":"35d"}]}`)},
		{"retention_run", post("/v1/retention/run", `{}`)},
		{"retention_run_again", post("/v1/retention/run", `{}`)},
		{"retention_entry", ask{path: "/v1/events/" + secondID, key: f.acme}},

		{"erasure_awaits", post("/v1/erasures", `{"id":"ers_01m8054e3bek9amg680j6srjmn","query":"action:auth.login","whole":true,"reason":"request 9"}`)},
		{"erasure_awaits_twice", post("/v1/erasures", `{"id":"ers_01m8054e3bek9amg680j6srjmn","query":"action:auth.login","whole":true,"reason":"request 9"}`)},
		{"erasure_get_awaiting", ask{path: "/v1/erasures/ers_01m8054e3bek9amg680j6srjmn", key: second}},
		{"erasure_no_certificate", ask{path: "/v1/erasures/ers_01m8054e3bek9amg680j6srjmn/certificate", key: second}},
		{"erasure_approve_own", post("/v1/erasures/ers_01m8054e3bek9amg680j6srjmn/approve", `{}`)},
		{"erasure_approve", ask{method: "POST", path: "/v1/erasures/ers_01m8054e3bek9amg680j6srjmn/approve", key: second, body: `{}`}},
		{"erasure_list", ask{path: "/v1/erasures", key: f.acme}},
		{"erasure_withdraw_late", ask{method: "DELETE", path: "/v1/erasures/ers_01m8054e3bek9amg680j6srjmn", key: f.acme}},
	} {
		if settled[tt.name] {
			if err := f.book.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		doortest.Golden(t, tt.name, shown(tt.ask, f.do(tt.ask)))
	}
}

// Whoever may operate the instance may lower what others may only raise; a request is withdrawn by whoever manages.
func TestRemovalSettings(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, fullEvent)
	org := []string{"Daybook-Org", "org_acme"}
	for _, tt := range []struct {
		key, body string
		want      int
	}{
		{f.acme, `{"rules":[],"floor":"1y","erasure_approvers":2}`, 200},
		{f.acme, `{"rules":[{"match":"","keep":"1y"}]}`, 200},
		{f.acme, `{"rules":[],"floor":""}`, 403},
		{f.acme, `{"rules":[],"erasure_approvers":1}`, 403},
		{f.admin, `{"rules":[],"floor":"","erasure_approvers":1}`, 200},
		{f.acme, `{"rules":[{"match":"","keep":"60"}]}`, 200},
	} {
		if w := f.do(ask{method: "PUT", path: "/v1/retention", key: tt.key, body: tt.body, header: org}); w.Code != tt.want {
			t.Errorf("%s: %d %s", tt.body, w.Code, w.Body)
		}
	}
	f.do(ask{method: "PUT", path: "/v1/retention", key: f.acme, body: `{"rules":[],"erasure_approvers":2}`})
	w := f.do(ask{method: "POST", path: "/v1/erasures", key: f.acme, body: `{"all":true,"whole":true,"reason":"r"}`})
	var made struct{ ID, State string }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || made.State != "awaiting_approval" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := f.do(ask{method: "DELETE", path: "/v1/erasures/" + made.ID, key: f.acme}); w.Code != http.StatusNoContent {
		t.Errorf("withdraw: %d %s", w.Code, w.Body)
	}
	if w := f.do(ask{path: "/v1/erasures", key: f.acme}); !strings.HasPrefix(w.Body.String(), `{"erasures":[],`) {
		t.Errorf("after it was withdrawn: %s", w.Body)
	}
}

// What is done about keeping and removing stands in the log in words, too.
func TestRemovalAudited(t *testing.T) {
	t.Parallel()
	f, auditor := audited(t, nil)
	t.Cleanup(func() { auditor.Close(context.Background()) })
	f.record(f.acme, fullEvent)
	for _, a := range []ask{
		{method: "PUT", path: "/v1/retention", body: `{"rules":[{"match":"","keep":"1d"}]}`},
		{method: "POST", path: "/v1/holds", body: `{"id":"` + holdID + `","query":"target:invoice:43","reason":"litigation"}`},
		{method: "POST", path: "/v1/holds/" + holdID + "/release", body: `{"reason":"settled"}`},
		{method: "POST", path: "/v1/erasures", body: `{"event":"` + firstID + `","whole":true,"reason":"request 7"}`},
	} {
		a.key = f.acme
		if w := f.do(a); w.Code >= 300 {
			t.Fatalf("%s: %d %s", a.path, w.Code, w.Body)
		}
	}
	for _, action := range []string{"daybook.retention.changed", "daybook.hold.placed", "daybook.hold.released", "daybook.erasure.approved"} {
		page, err := f.book.Search(t.Context(), daybook.EventQuery{Org: "org_acme", Text: "action:" + action})
		if err != nil || len(page.Entries) != 1 {
			t.Errorf("%s: %d entries, %v", action, len(page.Entries), err)
			continue
		}
		if text := string(page.Entries[0].Payload); !strings.Contains(text, `"actor":{"type":"api_key","id":"key_`) {
			t.Errorf("%s", text)
		}
	}
}
