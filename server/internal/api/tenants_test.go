package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/server/internal/auth"
)

// kept is what TestTenants looks for in the answers to the other organization: it stands in every event, name and id of org_acme.
const kept = "acmesecret"

// tenant is what org_acme has, for org_globex to try.
type tenant struct {
	event, key, cursor, actorCursor, logCursor, hold, erasure, orgErasure, export, doorExport, snapshot, crmCursor, view string
	session, theirs                                                                                                      string // the cookie of its portal, as a text, and that of org_globex as a header
}

// logPath begins the routes of a log.
const logPath = "/v1/organizations/{org}/log"

// trial is a request of one organization for what is another's. missing is the same request for what nobody has: both must be
// answered alike. Without it the answer must be 200 and show nothing of the other.
type trial struct{ ask, missing ask }

// tenantTrials holds, for each row of the table of routes, how org_globex tries to reach org_acme. A route without one fails.
func tenantTrials(f *fixture, of tenant) map[string][]trial {
	get := func(path string, header ...string) ask { return ask{path: path, key: f.globex, header: header} }
	send := func(method, path, body string, header ...string) ask {
		return ask{method: method, path: path, key: f.globex, body: body, header: header}
	}
	const noHold, noErasure = "hold_01m7z7rs1affyad5cmxxj94a70", "ers_01m7z7rs1affyad5cmxxj94a70"
	other := func(method, path, body string) []trial {
		return []trial{{send(method, path, body, "Daybook-Org", "org_acme"), send(method, path, body, "Daybook-Org", "org_none")}}
	}
	const noEvent, noKey, noExport = "evt_01m7z7rs1affyad5cmxxj94a70", "key_00000000000000000000000000", "exp_00000000000000000000000000"
	theirs, _ := f.export.Link("exp_of_globex") // who has made an address for one export has none for another
	header := func(path string) trial {
		return trial{get(path, "Daybook-Org", "org_acme"), get(path, "Daybook-Org", "org_none")}
	}
	cursor := func(path, theirs string) trial {
		return trial{get(path + "?cursor=" + theirs), get(path + "?cursor=c_AAAA")}
	}
	instance := func(paths ...string) (list []trial) { // names no organization: naming one changes nothing
		for _, path := range paths {
			list = append(list, trial{get(path, "Daybook-Org", "org_acme"), get(path)})
		}
		return list
	}
	doorExport := func(org string) ask { return send("POST", "/audit_logs/exports", exportBody(org)) }
	door := func(org string) ask {
		return send("POST", "/audit_logs/events", `{"organization_id":"`+org+`","event":{"action":"a.b","occurred_at":"2026-02-02T16:35:39Z",`+
			`"actor":{"id":"u","type":"user"},"targets":[],"context":{"location":""}}}`)
	}
	trials := map[string][]trial{
		"POST /v1/events": {
			{send("POST", "/v1/events", event("a.b", ""), "Daybook-Org", "org_acme"), send("POST", "/v1/events", event("a.b", ""), "Daybook-Org", "org_none")},
		},
		"GET /v1/events":                     {header("/v1/events"), cursor("/v1/events", of.cursor), {ask: get("/v1/events?limit=1000")}, {ask: get("/v1/events?q=acmesec*")}},
		"GET /v1/events/tail":                {header("/v1/events/tail")}, // the stream itself: TestTailOfAnother
		"GET /v1/events/{id}":                {{get("/v1/events/" + of.event), get("/v1/events/" + noEvent)}, {get("/v1/events/"+of.event, "Daybook-Org", "org_acme"), get("/v1/events/"+noEvent, "Daybook-Org", "org_none")}},
		"GET /v1/targets/{type}/{id}/events": {header("/v1/targets/invoice/42/events"), cursor("/v1/targets/invoice/42/events", of.cursor), {ask: get("/v1/targets/invoice/42/events")}},
		"GET /v1/actors/{type}/{id}/events":  {header("/v1/actors/user/usr_7/events"), cursor("/v1/actors/user/usr_7/events", of.actorCursor), {ask: get("/v1/actors/user/usr_7/events")}},
		"GET /v1/histogram":                  {header("/v1/histogram"), {ask: get("/v1/histogram?from=2026-11-21&to=2026-11-22")}},
		"GET /v1/facets":                     {header("/v1/facets?names=true"), {ask: get("/v1/facets?names=true")}},
		"GET /v1/retention":                  {header("/v1/retention"), {ask: get("/v1/retention")}},
		"PUT /v1/retention":                  other("PUT", "/v1/retention", `{"rules":[]}`),
		"POST /v1/retention/plan":            other("POST", "/v1/retention/plan", `{}`),
		"POST /v1/retention/run":             other("POST", "/v1/retention/run", `{}`),
		"POST /v1/holds":                     other("POST", "/v1/holds", `{"query":"","reason":"r"}`),
		"GET /v1/holds":                      {header("/v1/holds"), {ask: get("/v1/holds")}},
		"GET /v1/holds/{id}":                 {{get("/v1/holds/" + of.hold), get("/v1/holds/" + noHold)}, header("/v1/holds/" + of.hold)},
		"POST /v1/holds/{id}/release":        {{send("POST", "/v1/holds/"+of.hold+"/release", `{"reason":"r"}`), send("POST", "/v1/holds/"+noHold+"/release", `{"reason":"r"}`)}},
		"POST /v1/erasures/preview":          other("POST", "/v1/erasures/preview", `{"all":true,"whole":true}`),
		"POST /v1/erasures":                  other("POST", "/v1/erasures", `{"all":true,"whole":true,"reason":"r"}`),
		"GET /v1/erasures":                   {header("/v1/erasures"), {ask: get("/v1/erasures")}},
		"GET /v1/erasures/{id}":              {{get("/v1/erasures/" + of.erasure), get("/v1/erasures/" + noErasure)}, header("/v1/erasures/" + of.erasure)},
		"POST /v1/erasures/{id}/approve":     {{send("POST", "/v1/erasures/"+of.erasure+"/approve", `{}`), send("POST", "/v1/erasures/"+noErasure+"/approve", `{}`)}},
		"DELETE /v1/erasures/{id}":           {{send("DELETE", "/v1/erasures/"+of.erasure, ""), send("DELETE", "/v1/erasures/"+noErasure, "")}},
		"GET /v1/erasures/{id}/certificate":  {{get("/v1/erasures/" + of.erasure + "/certificate"), get("/v1/erasures/" + noErasure + "/certificate")}},
		"GET /v1/actions":                    {header("/v1/actions"), {ask: get("/v1/actions?limit=1000")}},
		"POST /v1/actions/{action}/schemas":  other("POST", "/v1/actions/a.b/schemas", `{}`),
		"GET /v1/actions/{action}/schemas": {
			header("/v1/actions/" + kept + ".done/schemas"), {get("/v1/actions/" + kept + ".done/schemas"), get("/v1/actions/none/schemas")},
		},
		"GET /v1/actions/{action}/schemas/{version}": {
			header("/v1/actions/" + kept + ".done/schemas/1"), {get("/v1/actions/" + kept + ".done/schemas/1"), get("/v1/actions/none/schemas/1")},
		},
		"POST /v1/organizations":                         {{ask: send("POST", "/v1/organizations", `{"id":"org_acme"}`), missing: send("POST", "/v1/organizations", `{"id":"org_none"}`)}},
		"GET /v1/organizations":                          {{ask: get("/v1/organizations?limit=1000")}, {ask: get("/v1/organizations?cursor=c_AA")}},
		"GET /v1/organizations/{org}":                    {{get("/v1/organizations/org_acme"), get("/v1/organizations/org_none")}},
		"POST /v1/keys":                                  {{send("POST", "/v1/keys", `{"org":"org_acme","scopes":["read"]}`), send("POST", "/v1/keys", `{"org":"org_none","scopes":["read"]}`)}},
		"GET /v1/keys":                                   {header("/v1/keys"), {ask: get("/v1/keys?limit=1000")}},
		"DELETE /v1/keys/{id}":                           {{send("DELETE", "/v1/keys/"+of.key, ""), send("DELETE", "/v1/keys/"+noKey, "")}},
		"GET /v1/whoami":                                 {{ask: get("/v1/whoami")}},
		"GET /v1/backup":                                 {{get("/v1/backup", "Daybook-Org", "org_acme"), get("/v1/backup")}},
		"GET /metrics":                                   {{get("/metrics", "Daybook-Org", "org_acme"), get("/metrics")}},
		"GET /healthz":                                   {{ask: get("/healthz")}},
		"GET /readyz":                                    {{ask: get("/readyz")}},
		"GET /v1/anchor/checkpoint":                      {{get("/v1/anchor/checkpoint", "Daybook-Org", "org_acme"), get("/v1/anchor/checkpoint")}},
		"GET /.well-known/daybook-keys":                  {{ask: get("/.well-known/daybook-keys")}},
		"GET /openapi.json":                              {{ask: get("/openapi.json")}},
		"GET /docs/api":                                  {{ask: get("/docs/api")}},
		"POST /audit_logs/events":                        {{door("org_acme"), door("org_none")}},
		"POST /v1/exports":                               {{send("POST", "/v1/exports", `{"format":"csv"}`, "Daybook-Org", "org_acme"), send("POST", "/v1/exports", `{"format":"csv"}`, "Daybook-Org", "org_none")}},
		"GET /v1/exports":                                {header("/v1/exports"), {ask: get("/v1/exports")}, {ask: get("/v1/exports?cursor=c_eg")}},
		"GET /v1/exports/{id}":                           {{get("/v1/exports/" + of.export), get("/v1/exports/" + noExport)}},
		"DELETE /v1/exports/{id}":                        {{send("DELETE", "/v1/exports/"+of.export, ""), send("DELETE", "/v1/exports/"+noExport, "")}},
		"GET /v1/exports/{id}/file":                      {{get("/v1/exports/" + of.export + "/file?" + theirs), get("/v1/exports/" + noExport + "/file?" + theirs)}, {get("/v1/exports/" + of.export + "/file"), get("/v1/exports/" + noExport + "/file")}},
		"POST /audit_logs/exports":                       {{doorExport("org_acme"), doorExport("org_none")}},
		"GET /audit_logs/exports/{id}":                   {{get("/audit_logs/exports/" + of.doorExport), get("/audit_logs/exports/" + noExport)}},
		"GET /audit_logs/exports/{id}/file.csv":          {{get("/audit_logs/exports/" + of.doorExport + "/file.csv?" + theirs), get("/audit_logs/exports/" + noExport + "/file.csv?" + theirs)}},
		"POST /v1/organizations/{org}/erasure/preview":   {{send("POST", "/v1/organizations/org_acme/erasure/preview", `{}`), send("POST", "/v1/organizations/org_none/erasure/preview", `{}`)}},
		"POST /v1/organizations/{org}/erasure":           {{send("POST", "/v1/organizations/org_acme/erasure", `{"reason":"r"}`), send("POST", "/v1/organizations/org_none/erasure", `{"reason":"r"}`)}},
		"GET /v1/organization-erasures":                  {{get("/v1/organization-erasures", "Daybook-Org", "org_acme"), get("/v1/organization-erasures")}},
		"GET /v1/organization-erasures/{id}":             {{get("/v1/organization-erasures/" + of.orgErasure), get("/v1/organization-erasures/" + noErasure)}},
		"POST /v1/organization-erasures/{id}/approve":    {{send("POST", "/v1/organization-erasures/"+of.orgErasure+"/approve", `{}`), send("POST", "/v1/organization-erasures/"+noErasure+"/approve", `{}`)}},
		"DELETE /v1/organization-erasures/{id}":          {{send("DELETE", "/v1/organization-erasures/"+of.orgErasure, ""), send("DELETE", "/v1/organization-erasures/"+noErasure, "")}},
		"GET /v1/organization-erasures/{id}/certificate": {{get("/v1/organization-erasures/" + of.orgErasure + "/certificate"), get("/v1/organization-erasures/" + noErasure + "/certificate")}},
		"GET /v1/crm/enums":                              {header("/v1/crm/enums"), {ask: get("/v1/crm/enums")}},
		"GET /v1/crm/enums/actions":                      {header("/v1/crm/enums/actions"), {ask: get("/v1/crm/enums/actions")}},
		"POST /v1/crm/enums/actions":                     other("POST", "/v1/crm/enums/actions", `{"name":"a.b"}`),
		"GET /v1/crm/enums/entityTypes":                  {header("/v1/crm/enums/entityTypes"), {ask: get("/v1/crm/enums/entityTypes")}},
		"POST /v1/crm/enums/entityTypes":                 other("POST", "/v1/crm/enums/entityTypes", `{"name":"Lead"}`),
		"POST /v1/crm/entries":                           other("POST", "/v1/crm/entries?append=true", `{"action":"a.b","entityType":"Lead","numberIdentifier":1}`),
		"GET /v1/crm/entries":                            {header("/v1/crm/entries"), {ask: get("/v1/crm/entries?all=true")}, cursor("/v1/crm/entries", of.crmCursor)},
		"GET /v1/crm/entries/{id}":                       {{get("/v1/crm/entries/" + of.event), get("/v1/crm/entries/" + noEvent)}, header("/v1/crm/entries/1")},
		"POST /v1/crm/user-deletions":                    other("POST", "/v1/crm/user-deletions", `{"user":7}`),
		"GET /v1/crm/user-deletions":                     {header("/v1/crm/user-deletions"), {ask: get("/v1/crm/user-deletions")}, cursor("/v1/crm/user-deletions", of.cursor)},
		"POST /logs":                                     other("POST", "/logs", `{"userId":1,"action":"x"}`),
		"GET /logs":                                      {header("/logs"), {ask: get("/logs?all=true&limit=500")}, cursor("/logs", of.logCursor)},
		"GET /logs/{id}":                                 {{get("/logs/" + of.event + "?all=true"), get("/logs/" + noEvent + "?all=true")}, header("/logs/" + of.event), header("/logs/1"), {get("/logs/1?all=true"), get("/logs/2?all=true")}},
		"GET /v1/anchor/checkpoints/{size}":              instance("/v1/anchor/checkpoints/1"),
		"GET /v1/anchor/tile/{path}":                     instance("/v1/anchor/tile/0/000.p/1", "/v1/anchor/tile/entries/000.p/1"),
		"GET /v1/anchor/inclusion":                       instance("/v1/anchor/inclusion?seq=0"),
		"GET /v1/anchor/consistency":                     instance("/v1/anchor/consistency?from=1"),
		"GET /v1/anchor/info":                            instance("/v1/anchor/info"),
		"GET /v1/anchor/batch/{index}":                   instance("/v1/anchor/batch/0"),
		"GET /api/audit/activity":                        {header("/api/audit/activity"), {ask: get("/api/audit/activity?limit=1000")}, {ask: get("/api/audit/activity?cursor=9")}},
		"GET /api/audit/subjects/{type}/{id}":            {header("/api/audit/subjects/invoice/42"), {ask: get("/api/audit/subjects/invoice/42")}},
		"GET /api/audit/versions/{type}/{id}":            {header("/api/audit/versions/invoice/42"), {ask: get("/api/audit/versions/invoice/42?data=true")}},
		"GET /api/audit/dashboard":                       {header("/api/audit/dashboard"), {ask: get("/api/audit/dashboard")}},
		"POST /api/audit/versions/{id}/restore":          {{send("POST", "/api/audit/versions/"+of.snapshot+"/restore", ""), send("POST", "/api/audit/versions/"+noEvent+"/restore", "")}, {send("POST", "/api/audit/versions/"+of.snapshot+"/restore", "", "Daybook-Org", "org_acme"), send("POST", "/api/audit/versions/"+noEvent+"/restore", "", "Daybook-Org", "org_none")}},
	}
	consoleTrials(f, of, trials)
	maps.Copy(trials, map[string][]trial{
		"GET /audit_logs/actions":                         {{ask: get("/audit_logs/actions?limit=100")}},
		"POST /audit_logs/actions/{actionName}/schemas":   {{ask: send("POST", "/audit_logs/actions/x.y/schemas", `{"targets":[]}`), missing: send("POST", "/audit_logs/actions/x.z/schemas", `{"targets":[]}`)}},
		"GET /audit_logs/actions/{actionName}/schemas":    {{get("/audit_logs/actions/private.done/schemas"), get("/audit_logs/actions/missing.done/schemas")}},
		"POST /audit_logs/actions/{path}":                 {{ask: send("POST", "/audit_logs/actions/x/y/schemas", `{}`), missing: send("POST", "/audit_logs/actions/x/z/schemas", `{}`)}},
		"GET /audit_logs/actions/{path}":                  {{get("/audit_logs/actions/private/done/schemas"), get("/audit_logs/actions/missing/done/schemas")}},
		"GET /organizations/{id}/audit_logs_retention":    {{get("/organizations/org_acme/audit_logs_retention"), get("/organizations/org_none/audit_logs_retention")}},
		"PUT /organizations/{id}/audit_logs_retention":    {{send("PUT", "/organizations/org_acme/audit_logs_retention", `{"retention_period_in_days":1}`), send("PUT", "/organizations/org_none/audit_logs_retention", `{"retention_period_in_days":1}`)}},
		"GET /organizations/{id}/audit_log_configuration": {{get("/organizations/org_acme/audit_log_configuration"), get("/organizations/org_none/audit_log_configuration")}},
		"POST /portal/generate_link":                      {{send("POST", "/portal/generate_link", `{"organization":"org_acme"}`), send("POST", "/portal/generate_link", `{"organization":"org_none"}`)}},
		"GET /portal":                                     {{get("/portal?token=" + of.session), get("/portal?token=none")}, {get("/portal?token="), get("/portal")}},
		"POST /portal":                                    {{send("POST", "/portal", "token="+of.session), send("POST", "/portal", "token=none")}},
		"GET /portal/events":                              {{get("/portal/events"), get("/portal/events", "Cookie", "daybook-portal=none")}, {ask: get("/portal/events", "Cookie", of.theirs)}},
		"POST /portal/exports":                            {{send("POST", "/portal/exports", ""), send("POST", "/portal/exports", "", "Cookie", "daybook-portal=none")}},
		"GET /portal/exports/{id}":                        {{get("/portal/exports/"+of.doorExport, "Cookie", of.theirs), get("/portal/exports/"+noExport, "Cookie", of.theirs)}},
	})
	trials["GET "+logPath+"/failures"] = []trial{{get("/v1/organizations/org_acme/log/failures"), get("/v1/organizations/org_none/log/failures")}}
	trials["POST "+logPath+"/failures"] = []trial{{send("POST", "/v1/organizations/org_acme/log/failures", `{}`), send("POST", "/v1/organizations/org_none/log/failures", `{}`)}}
	trials["POST "+logPath+"/keys"] = []trial{{send("POST", "/v1/organizations/org_acme/log/keys", ""), send("POST", "/v1/organizations/org_none/log/keys", "")}}
	for _, log := range []string{"/log", "/log/epochs/0"} {
		ofLog := func(paths ...string) (list []trial) {
			for _, path := range paths {
				list = append(list, trial{get("/v1/organizations/org_acme" + log + path), get("/v1/organizations/org_none" + log + path)})
			}
			return list
		}
		at := "GET " + strings.Replace(logPath+log[len("/log"):], "/0", "/{epoch}", 1)
		maps.Copy(trials, map[string][]trial{
			at + "/checkpoint":         ofLog("/checkpoint"),
			at + "/checkpoints":        ofLog("/checkpoints"),
			at + "/checkpoints/{size}": ofLog("/checkpoints/3"),
			at + "/tile/{path}":        ofLog("/tile/0/000.p/3", "/tile/entries/000.p/1"),
			at + "/inclusion":          ofLog("/inclusion?seq=0", "/inclusion?seq=0&size=1"),
			at + "/consistency":        ofLog("/consistency?from=1&to=2"),
			at + "/bundle":             ofLog("/bundle", "/bundle?from=0&to=1&size=1"),
			at + "/evidence":           ofLog("/evidence?from=0&to=1", "/evidence?from=0&to=1&size=1"),
			at + "/info":               ofLog("/info"),
			at + "/anchor":             ofLog("/anchor", "/anchor?size=1"),
			at + "/proof/{file}": {
				{get("/v1/organizations/org_acme" + log + "/proof/" + of.event + ".tlog-proof"), get("/v1/organizations/org_none" + log + "/proof/" + noEvent + ".tlog-proof")},
				{get("/v1/organizations/org_globex" + log + "/proof/" + of.event + ".tlog-proof"), get("/v1/organizations/org_globex" + log + "/proof/" + noEvent + ".tlog-proof")},
			},
		})
	}
	retracedTrials(f, trials)
	restHapiTrials(f, of, trials)
	return trials
}

func TestTenants(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	of := tenant{}
	for range 3 {
		body := f.record(f.acme, event(kept+".done", `,"targets":[{"type":"invoice","id":"42","name":"`+kept+`"}],"reason":"`+kept+`"`))
		var receipt struct{ ID string }
		if err := json.Unmarshal([]byte(body), &receipt); err != nil {
			t.Fatal(err)
		}
		of.event = receipt.ID
	}
	of.cursor = nextCursor(t, f.do(ask{path: "/v1/events?limit=1", key: f.acme}))
	of.actorCursor = nextCursor(t, f.do(ask{path: "/v1/actors/user/usr_7/events?limit=1", key: f.acme}))
	for range 2 {
		f.do(ask{method: "POST", path: "/v1/crm/entries?append=true", key: f.acme, body: `{"action":"` + kept + `","entityType":"` + kept + `","numberIdentifier":"` + kept + `","user":"usr_7"}`})
	}
	var list struct{ NextCursor string }
	if err := json.Unmarshal(f.do(ask{path: "/v1/crm/entries?limit=1", key: f.acme}).Body.Bytes(), &list); err != nil || list.NextCursor == "" {
		t.Fatal("no cursor of entries", err)
	}
	of.crmCursor = list.NextCursor
	link := f.do(ask{path: "/logs?all=true&limit=1", key: f.acme}).Header().Get("Link")
	_, of.logCursor, _ = strings.Cut(strings.TrimSuffix(link, `>; rel="next"`), "cursor=")
	var who struct{ ID string }
	if err := json.Unmarshal(f.do(ask{path: "/v1/whoami", key: f.acme}).Body.Bytes(), &who); err != nil {
		t.Fatal(err)
	}
	of.key = who.ID
	made := func(path, body string) string {
		var of struct{ ID string }
		w := f.do(ask{method: "POST", path: path, key: f.acme, body: body})
		if err := json.Unmarshal(w.Body.Bytes(), &of); err != nil || of.ID == "" {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return of.ID
	}
	for _, action := range []string{kept + ".done", "private.done", "private%2Fdone"} {
		if w := f.do(ask{method: "POST", path: "/v1/actions/" + action + "/schemas", key: f.acme, body: `{"sentence":"` + kept + `"}`}); w.Code != http.StatusCreated {
			t.Fatal(w.Body)
		}
	}
	f.do(ask{method: "PUT", path: "/v1/retention", key: f.acme, body: `{"rules":[{"match":"","keep":"30d"}],"erasure_approvers":2}`})
	of.hold = made("/v1/holds", `{"query":"actor:usr_1","reason":"`+kept+`"}`)
	of.erasure = made("/v1/erasures", `{"query":"actor:usr_7","whole":true,"reason":"`+kept+`"}`)
	var pending struct{ ID string }
	w := f.do(ask{method: "POST", path: "/v1/organizations/org_acme/erasure", key: f.admin, body: `{"reason":"` + kept + `"}`})
	if err := json.Unmarshal(w.Body.Bytes(), &pending); err != nil || pending.ID == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	of.orgErasure = pending.ID
	of.view = made("/v1/views", `{"name":"`+kept+`","search":"","shared":true}`)
	of.snapshot = f.snapshot(f.acme)
	of.export = f.exportOf(f.acme, `{"format":"ndjson"}`).ID
	of.doorExport = f.doorExport(f.acme, "org_acme")
	_, of.session, _ = strings.Cut(f.openPortal(f.acme, "org_acme"), "=")
	of.theirs = f.openPortal(f.globex, "org_globex")
	trials := tenantTrials(f, of)
	sizeBefore := f.do(ask{path: "/v1/organizations/org_acme", key: f.acme}).Body.String()
	for _, row := range f.server.Rows() {
		name := row.Method + " " + row.Pattern
		list, ok := trials[name]
		if !ok {
			t.Errorf("%s is not in the table of trials", name)
			continue
		}
		delete(trials, name)
		for _, tr := range list {
			got := f.do(tr.ask)
			if strings.Contains(got.Body.String(), kept) || strings.Contains(got.Body.String(), of.event) || strings.Contains(got.Body.String(), of.key) {
				t.Errorf("%s %s %v shows what is another's: %s", name, tr.ask.path, tr.ask.header, got.Body)
			}
			if tr.missing.path == "" {
				if got.Code != http.StatusOK {
					t.Errorf("%s: %d %s", name, got.Code, got.Body)
				}
				continue
			}
			// Whoever names another's organization learns nothing, not even that there is one. Without the scope nobody gets that far.
			if slices.Contains(tr.ask.header, "Daybook-Org") && row.Scopes != auth.Operate && got.Code != http.StatusNotFound {
				t.Errorf("%s with Daybook-Org of another: %d", name, got.Code)
			}
			want := f.do(tr.missing)
			if got.Code < 400 || got.Code != want.Code || alike(got) != alike(want) {
				t.Errorf("%s: what is another's is answered unlike what is missing:\n%s\n%s", name, alike(got), alike(want))
			}
		}
	}
	for name := range trials {
		t.Errorf("%s has trials and no route", name)
	}
	if after := f.do(ask{path: "/v1/organizations/org_acme", key: f.acme}).Body.String(); after != sizeBefore {
		t.Errorf("org_acme was changed: %s, was %s", after, sizeBefore)
	}
	if w := f.do(ask{path: "/v1/whoami", key: f.acme}); w.Code != http.StatusOK {
		t.Errorf("the key of org_acme was revoked: %d", w.Code)
	}
}

// alike is an answer without what differs between any two.
func alike(w *httptest.ResponseRecorder) string {
	text := w.Body.String()
	for _, r := range random[:1] {
		text = r.form.ReplaceAllString(text, r.text)
	}
	text = regexp.MustCompile(`exp_[0-9a-z]{26}`).ReplaceAllString(text, "EXPORT")
	text = strings.NewReplacer("org_acme", "ORG", "org_none", "ORG", "private", "ACTION", "missing", "ACTION").Replace(text)
	return text + w.Header().Get("Content-Type")
}

func nextCursor(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var page struct {
		NextCursor string `json:"next_cursor"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || page.NextCursor == "" {
		t.Fatalf("no next_cursor: %v %s", err, w.Body)
	}
	return page.NextCursor
}

// snapshot records one of the togo door for the org of key, and returns its id.
func (f *fixture) snapshot(key string) string {
	var receipt struct{ ID string }
	text := f.record(key, event("invoice.snapshot", `,"targets":[{"type":"invoice","id":"42"}],"metadata":{"togo":{"kind":"snapshot","snapshot":{"x":"`+kept+`"}}}`))
	if err := json.Unmarshal([]byte(text), &receipt); err != nil {
		f.t.Fatal(err)
	}
	return receipt.ID
}

// scopeTrials holds, for each row of the table of routes, a request that is right but for the scope. A route without one fails.
func scopeTrials(f *fixture) map[string]ask {
	acme := []string{"Daybook-Org", "org_acme"}
	keyed := f.key("org_globex", auth.Read)
	revoked := strings.Fields(f.do(ask{path: "/v1/whoami", key: keyed}).Body.String())[0]
	revoked = revoked[len(`{"id":"`):][:30]
	x := f.exportOf(f.acme, `{"format":"ndjson"}`)
	link, _ := f.export.Link(x.ID)
	door := f.doorExport(f.acme, "org_acme")
	doorLink, _ := f.export.Link(door)
	asks := map[string]ask{
		"POST /v1/events":                                {method: "POST", path: "/v1/events", body: event("a.b", ""), header: acme},
		"GET /v1/events":                                 {path: "/v1/events", header: acme},
		"GET /v1/events/tail":                            {method: "HEAD", path: "/v1/events/tail", header: acme},
		"GET /v1/events/{id}":                            {path: "/v1/events/" + firstID, header: acme},
		"GET /v1/targets/{type}/{id}/events":             {path: "/v1/targets/a/b/events", header: acme},
		"GET /v1/actors/{type}/{id}/events":              {path: "/v1/actors/a/b/events", header: acme},
		"GET /v1/histogram":                              {path: "/v1/histogram", header: acme},
		"GET /v1/facets":                                 {path: "/v1/facets", header: acme},
		"GET /v1/retention":                              {path: "/v1/retention", header: acme},
		"PUT /v1/retention":                              {method: "PUT", path: "/v1/retention", body: `{"rules":[]}`, header: acme},
		"POST /v1/retention/plan":                        {method: "POST", path: "/v1/retention/plan", body: `{}`, header: acme},
		"POST /v1/retention/run":                         {method: "POST", path: "/v1/retention/run", body: `{}`, header: acme},
		"POST /v1/holds":                                 {method: "POST", path: "/v1/holds", body: `{"query":"seq:0","reason":"r","id":"hold_01m7z7rs1affyad5cmxxj94a70"}`, header: acme},
		"GET /v1/holds":                                  {path: "/v1/holds", header: acme},
		"GET /v1/holds/{id}":                             {path: "/v1/holds/hold_01m7z7rs1affyad5cmxxj94a70", header: acme},
		"POST /v1/holds/{id}/release":                    {method: "POST", path: "/v1/holds/hold_01m7z7rs1affyad5cmxxj94a70/release", body: `{"reason":"r"}`, header: acme},
		"POST /v1/erasures/preview":                      {method: "POST", path: "/v1/erasures/preview", body: `{"query":"nothing","whole":true}`, header: acme},
		"POST /v1/erasures":                              {method: "POST", path: "/v1/erasures", body: `{"query":"nothing","whole":true,"reason":"r"}`, header: acme},
		"GET /v1/erasures":                               {path: "/v1/erasures", header: acme},
		"GET /v1/erasures/{id}":                          {path: "/v1/erasures/ers_01m7z7rs1affyad5cmxxj94a70", header: acme},
		"POST /v1/erasures/{id}/approve":                 {method: "POST", path: "/v1/erasures/ers_01m7z7rs1affyad5cmxxj94a70/approve", body: `{}`, header: acme},
		"DELETE /v1/erasures/{id}":                       {method: "DELETE", path: "/v1/erasures/ers_01m7z7rs1affyad5cmxxj94a70", header: acme},
		"GET /v1/erasures/{id}/certificate":              {path: "/v1/erasures/ers_01m7z7rs1affyad5cmxxj94a70/certificate", header: acme},
		"GET /v1/actions":                                {path: "/v1/actions", header: acme},
		"POST /v1/actions/{action}/schemas":              {method: "POST", path: "/v1/actions/x.y/schemas", body: `{}`, header: acme},
		"GET /v1/actions/{action}/schemas":               {path: "/v1/actions/x.y/schemas", header: acme},
		"GET /v1/actions/{action}/schemas/{version}":     {path: "/v1/actions/x.y/schemas/1", header: acme},
		"POST /v1/exports":                               {method: "POST", path: "/v1/exports", body: `{"format":"csv"}`, header: acme},
		"GET /v1/exports":                                {path: "/v1/exports", header: acme},
		"GET /v1/exports/{id}":                           {path: "/v1/exports/" + x.ID, header: acme},
		"DELETE /v1/exports/{id}":                        {method: "DELETE", path: "/v1/exports/exp_none", header: acme},
		"GET /v1/exports/{id}/file":                      {path: "/v1/exports/" + x.ID + "/file?" + link},
		"POST /v1/organizations":                         {method: "POST", path: "/v1/organizations", body: `{}`},
		"GET /v1/organizations":                          {path: "/v1/organizations"},
		"GET /v1/organizations/{org}":                    {path: "/v1/organizations/org_acme"},
		"POST /v1/keys":                                  {method: "POST", path: "/v1/keys", body: `{"org":"org_acme","scopes":["read"]}`},
		"GET /v1/keys":                                   {path: "/v1/keys", header: acme},
		"DELETE /v1/keys/{id}":                           {method: "DELETE", path: "/v1/keys/" + revoked},
		"GET /v1/whoami":                                 {path: "/v1/whoami"},
		"GET /v1/backup":                                 {path: "/v1/backup"},
		"GET /v1/anchor/checkpoint":                      {path: "/v1/anchor/checkpoint"},
		"GET /metrics":                                   {path: "/metrics"},
		"GET /healthz":                                   {path: "/healthz"},
		"GET /readyz":                                    {path: "/readyz"},
		"GET /.well-known/daybook-keys":                  {path: "/.well-known/daybook-keys"},
		"GET /openapi.json":                              {path: "/openapi.json"},
		"GET /docs/api":                                  {path: "/docs/api"},
		"POST /v1/organizations/{org}/erasure/preview":   {method: "POST", path: "/v1/organizations/org_acme/erasure/preview", body: `{}`},
		"POST /v1/organizations/{org}/erasure":           {method: "POST", path: "/v1/organizations/org_none/erasure", body: `{"reason":"r"}`},
		"GET /v1/organization-erasures":                  {path: "/v1/organization-erasures"},
		"GET /v1/organization-erasures/{id}":             {path: "/v1/organization-erasures/ers_01m7z7rs1affyad5cmxxj94a70"},
		"POST /v1/organization-erasures/{id}/approve":    {method: "POST", path: "/v1/organization-erasures/ers_01m7z7rs1affyad5cmxxj94a70/approve", body: `{}`},
		"DELETE /v1/organization-erasures/{id}":          {method: "DELETE", path: "/v1/organization-erasures/ers_01m7z7rs1affyad5cmxxj94a70"},
		"GET /v1/organization-erasures/{id}/certificate": {path: "/v1/organization-erasures/ers_01m7z7rs1affyad5cmxxj94a70/certificate"},
		"GET /v1/anchor/checkpoints/{size}":              {path: "/v1/anchor/checkpoints/1"},
		"GET /v1/anchor/tile/{path}":                     {path: "/v1/anchor/tile/0/000.p/1"},
		"GET /v1/anchor/inclusion":                       {path: "/v1/anchor/inclusion?seq=0"},
		"GET /v1/anchor/consistency":                     {path: "/v1/anchor/consistency?from=1"},
		"GET /v1/anchor/info":                            {path: "/v1/anchor/info"},
		"GET /v1/anchor/batch/{index}":                   {path: "/v1/anchor/batch/0"},
		"GET /api/audit/activity":                        {path: "/api/audit/activity", header: acme},
		"GET /api/audit/subjects/{type}/{id}":            {path: "/api/audit/subjects/a/b", header: acme},
		"GET /api/audit/versions/{type}/{id}":            {path: "/api/audit/versions/a/b", header: acme},
		"GET /api/audit/dashboard":                       {path: "/api/audit/dashboard", header: acme},
		"POST /api/audit/versions/{id}/restore":          {method: "POST", path: "/api/audit/versions/" + f.snapshot(f.acme) + "/restore", header: acme},
		"POST /audit_logs/events": {method: "POST", path: "/audit_logs/events", body: `{"organization_id":"org_acme","event":{"action":"a.b",` +
			`"occurred_at":"2026-02-02T16:35:39Z","actor":{"id":"u","type":"user"},"targets":[],"context":{"location":""}}}`},
		"GET /v1/crm/enums":                     {path: "/v1/crm/enums", header: acme},
		"GET /v1/crm/enums/actions":             {path: "/v1/crm/enums/actions", header: acme},
		"POST /v1/crm/enums/actions":            {method: "POST", path: "/v1/crm/enums/actions", body: `{"name":"a.b"}`, header: acme},
		"GET /v1/crm/enums/entityTypes":         {path: "/v1/crm/enums/entityTypes", header: acme},
		"POST /v1/crm/enums/entityTypes":        {method: "POST", path: "/v1/crm/enums/entityTypes", body: `{"name":"Lead"}`, header: acme},
		"POST /v1/crm/entries":                  {method: "POST", path: "/v1/crm/entries?append=true", body: `{"action":"a.b","entityType":"Lead","numberIdentifier":1}`, header: acme},
		"GET /v1/crm/entries":                   {path: "/v1/crm/entries", header: acme},
		"GET /v1/crm/entries/{id}":              {path: "/v1/crm/entries/1", header: acme},
		"POST /v1/crm/user-deletions":           {method: "POST", path: "/v1/crm/user-deletions", body: `{"user":7}`, header: acme},
		"GET /v1/crm/user-deletions":            {path: "/v1/crm/user-deletions", header: acme},
		"POST /logs":                            {method: "POST", path: "/logs", body: `{"userId":1,"action":"x"}`, header: acme},
		"GET /logs":                             {path: "/logs", header: acme},
		"GET /logs/{id}":                        {path: "/logs/1", header: acme},
		"POST /audit_logs/exports":              {method: "POST", path: "/audit_logs/exports", body: exportBody("org_acme")},
		"GET /audit_logs/exports/{id}":          {path: "/audit_logs/exports/" + door},
		"GET /audit_logs/exports/{id}/file.csv": {path: "/audit_logs/exports/" + door + "/file.csv?" + doorLink},
	}
	consoleScopes(f, asks)
	portal := []string{"Cookie", f.openPortal(f.acme, "org_acme")}
	maps.Copy(asks, map[string]ask{
		"GET /audit_logs/actions":                         {path: "/audit_logs/actions"},
		"POST /audit_logs/actions/{actionName}/schemas":   {method: "POST", path: "/audit_logs/actions/x.y/schemas", body: `{"targets":[{"type":"x"}]}`},
		"GET /audit_logs/actions/{actionName}/schemas":    {path: "/audit_logs/actions/x.y/schemas"},
		"POST /audit_logs/actions/{path}":                 {method: "POST", path: "/audit_logs/actions/x/y/schemas", body: `{"targets":[{"type":"x"}]}`},
		"GET /audit_logs/actions/{path}":                  {path: "/audit_logs/actions/x/y/schemas"},
		"GET /organizations/{id}/audit_logs_retention":    {path: "/organizations/org_acme/audit_logs_retention"},
		"PUT /organizations/{id}/audit_logs_retention":    {method: "PUT", path: "/organizations/org_acme/audit_logs_retention", body: `{"retention_period_in_days":365}`},
		"GET /organizations/{id}/audit_log_configuration": {path: "/organizations/org_acme/audit_log_configuration"},
		"POST /portal/generate_link":                      {method: "POST", path: "/portal/generate_link", body: `{"organization":"org_acme"}`},
		"GET /portal":                                     {path: "/portal?token=none"},
		"POST /portal":                                    {method: "POST", path: "/portal", body: "token=none"},
		"GET /portal/events":                              {path: "/portal/events", header: portal},
		"POST /portal/exports":                            {method: "POST", path: "/portal/exports", header: portal},
		"GET /portal/exports/{id}":                        {path: "/portal/exports/" + door, header: portal},
	})
	asks["GET "+logPath+"/failures"] = ask{path: "/v1/organizations/org_acme/log/failures"}
	asks["POST "+logPath+"/failures"] = ask{
		method: "POST", path: "/v1/organizations/org_acme/log/failures", body: `{"failures":[{"check":"leaf","finding":"leaf_mismatch","seq":1,"detail":"d"}],"reason":"r"}`,
	}
	asks["POST "+logPath+"/keys"] = ask{method: "POST", path: "/v1/organizations/org_acme/log/keys"}
	for _, log := range []string{"", "/epochs/0"} {
		at, ofLog := "GET "+strings.Replace(logPath+log, "/0", "/{epoch}", 1), "/v1/organizations/org_acme/log"+log
		maps.Copy(asks, map[string]ask{
			at + "/checkpoint":         {path: ofLog + "/checkpoint"},
			at + "/checkpoints":        {path: ofLog + "/checkpoints"},
			at + "/checkpoints/{size}": {path: ofLog + "/checkpoints/1"},
			at + "/tile/{path}":        {path: ofLog + "/tile/0/000.p/1"},
			at + "/inclusion":          {path: ofLog + "/inclusion?seq=0"},
			at + "/consistency":        {path: ofLog + "/consistency?from=1"},
			at + "/proof/{file}":       {path: ofLog + "/proof/" + firstID + ".tlog-proof"},
			at + "/bundle":             {path: ofLog + "/bundle"},
			at + "/evidence":           {path: ofLog + "/evidence?from=0&to=1"},
			at + "/info":               {path: ofLog + "/info"},
			at + "/anchor":             {path: ofLog + "/anchor"},
		})
	}
	retracedScopes(f, asks)
	restHapiScopes(asks)
	return asks
}

// TestScopes asks each route with keys of every single scope, of all but those that it needs, and without a key.
func TestScopes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, fullEvent)
	trials := scopeTrials(f)
	keys := map[auth.Scopes]string{}
	for s := auth.Record; s <= auth.Operate; s <<= 1 {
		keys[s] = f.key("", s)
		keys[auth.All&^s] = f.key("", auth.All&^s)
	}
	for _, row := range f.server.Rows() {
		name := row.Method + " " + row.Pattern
		a, ok := trials[name]
		if !ok {
			t.Errorf("%s is not in the table of scopes", name)
			continue
		}
		for scopes, key := range keys {
			a.key = key
			got := f.do(a).Code
			may := row.Open || row.Scopes == auth.None || scopes.Has(row.Scopes)
			if name == "POST /api/audit/versions/{id}/restore" { // what it gives back must be readable, too
				may = may && scopes.Has(auth.Read)
			}
			if refused := got == http.StatusForbidden || got == http.StatusUnauthorized; refused == may {
				t.Errorf("%s with %s: %d", name, scopes, got)
			}
		}
		a.key = ""
		if got := f.do(a).Code; (got == http.StatusUnauthorized) == row.Open {
			t.Errorf("%s without a key: %d", name, got)
		}
	}
	open := slices.Collect(func(yield func(string) bool) {
		for _, row := range f.server.Rows() {
			if row.Open && !yield(row.Pattern) {
				return
			}
		}
	})
	want := []string{
		"/v1/exports/{id}/file",
		"/v1/session", "/v1/session", // signing in takes a key, signing out a cookie
		"/healthz", "/readyz", "/.well-known/daybook-keys", "/openapi.json", "/docs/api",
		// WorkOS: a signed link, and what the cookie of a portal opens.
		"/audit_logs/exports/{id}/file.csv", "/portal", "/portal", "/portal/events", "/portal/exports", "/portal/exports/{id}",
		// Retraced: a viewer token, and the session that it is exchanged for.
		"/auditlog/viewer/v1/viewersession", "/auditlog/viewer/v1/graphql", "/auditlog/viewer/v1/graphql",
		"/viewer/v1/viewersession", "/viewer/v1/graphql", "/viewer/v1/graphql",
	}
	if !slices.Equal(open, want) {
		t.Errorf("open without a key: %v", open)
	}
}

// A key ends at once when it is revoked here, and its text is in no document and in no line of the log.
func TestRevokedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	w := f.do(ask{method: "POST", path: "/v1/keys", key: f.acme, body: `{"name":"ci","org":"org_acme","scopes":["record"]}`})
	var made struct{ ID, Key string }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil {
		t.Fatal(err)
	}
	f.record(made.Key, event("a.b", ""))
	for range 2 {
		if w := f.do(ask{method: "DELETE", path: "/v1/keys/" + made.ID, key: f.acme}); w.Code != http.StatusNoContent || w.Body.Len() > 0 {
			t.Errorf("revoke: %d %s", w.Code, w.Body)
		}
	}
	if w := f.do(ask{method: "POST", path: "/v1/events", key: made.Key, body: event("a.b", "")}); w.Code != http.StatusUnauthorized {
		t.Errorf("after the revocation: %d", w.Code)
	}
	f.auth.Close()
	f.Add(time.Minute)
	list := f.do(ask{path: "/v1/keys", key: f.acme}).Body.String()
	if strings.Contains(list, "dbk_") || !strings.Contains(list, `"revoked_at":"2026-`) || !strings.Contains(list, `"last_used_at":"2026-`) {
		t.Errorf("the list: %s", list)
	}
}

func TestKeyPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	seen := map[string]bool{}
	path := "/v1/keys?limit=2"
	for pages := 0; ; pages++ {
		var page struct {
			Keys       []struct{ ID string }
			NextCursor *string `json:"next_cursor"`
		}
		w := f.do(ask{path: path, key: f.admin})
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || len(page.Keys) == 0 || pages > 5 {
			t.Fatalf("page %d: %v %s", pages, err, w.Body)
		}
		for _, k := range page.Keys {
			if seen[k.ID] {
				t.Errorf("%s is on two pages", k.ID)
			}
			seen[k.ID] = true
		}
		if page.NextCursor == nil {
			break
		}
		path = "/v1/keys?limit=2&cursor=" + *page.NextCursor
	}
	if len(seen) != 3 {
		t.Errorf("%d keys on all pages", len(seen))
	}
	manager := f.key("", auth.Manage)
	if w := f.do(ask{path: "/v1/keys", key: manager}); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "org_required") {
		t.Errorf("a manager of all, without an organization: %d %s", w.Code, w.Body)
	}
	// With an organization: those that reach it, as far as one may see them. There are two for all now, the manager's among them.
	for who, own := range map[string]struct {
		key string
		all int
	}{"operator": {f.admin, 2}, "manager of all": {manager, 0}, "manager": {f.acme, 0}} {
		w := f.do(ask{path: "/v1/keys", key: own.key, header: []string{"Daybook-Org", "org_acme"}})
		if text := w.Body.String(); strings.Count(text, `"org":"org_acme"`) != 1 || strings.Count(text, `"org":null`) != own.all || strings.Contains(text, "globex") {
			t.Errorf("the %s asks for org_acme: %s", who, text)
		}
	}
	if w := f.do(ask{path: "/v1/keys", key: f.admin, header: []string{"Daybook-Org", "org_none"}}); w.Code != http.StatusNotFound {
		t.Errorf("of an organization that is not there: %d %s", w.Code, w.Body)
	}
}
