package api_test

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// What differs from run to run is written as what the documents show.
var random = []struct {
	form *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`req_[0-9a-z]{10}`), "req_7f3k2q9x4m"},
	{regexp.MustCompile(`key_[0-9a-z]{26}`), "key_01m7w2y7m0fhra2avt0s3fj8ks"},
	{regexp.MustCompile(`hold_[0-9a-z]{26}`), "hold_01m7w2y7m0f2sav0xm2zm5q97j"},
	{regexp.MustCompile(`ers_[0-9a-z]{26}`), "ers_01m8054e3bek9amg680j6srjmm"},
	{regexp.MustCompile(`view_[0-9a-z]{26}`), "view_01m7w2y7m0fhra2avt0s3fj8ks"},
	{regexp.MustCompile(`org_[0-9a-z]{26}`), "org_01m7w2y7m0fhra2avt0s3fj8ks"},
	{regexp.MustCompile(`dbk_[0-9a-z]{59}`), "dbk_…"},
	{regexp.MustCompile(`"leaf_hash":"[A-Za-z0-9+/]{43}="`), `"leaf_hash":"…"`},
	{regexp.MustCompile(`/o/[0-9a-z]{16}`), "/o/7f3k2q9x4m1n8p5r"},
	{regexp.MustCompile(`\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44,}`), "+…"},
	{regexp.MustCompile(`(extra|—\ [a-z0-9./]+) [A-Za-z0-9+/=]{60,}`), "$1 …"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{43}=`), "…"},
	{regexp.MustCompile(`"c_[A-Za-z0-9_-]+"`), `"c_…"`},
	{regexp.MustCompile(`exp_[0-9a-z]{26}`), "exp_01m7w2y7m0fhra2avt0s3fj8ks"},
	{regexp.MustCompile(`"sha256":"[0-9a-f]{64}"`), `"sha256":"…"`},
	{regexp.MustCompile(`file\?exp=[0-9]+&sig=[A-Za-z0-9_-]+`), "file?exp=…&sig=…"},
	{regexp.MustCompile(`"expires_at":"2026-11-28[0-9T:.-]+Z"`), `"expires_at":"2026-11-28T14:22:07.402118Z"`},
	{regexp.MustCompile(`"url_expires_at":"20[0-9T:.-]+Z"`), `"url_expires_at":"2026-11-21T14:32:07.000000Z"`},
	{regexp.MustCompile(`(started_at|finished_at|received_at|created_at|last_used_at|revoked_at|newest_at|ends_at|placed_at|released_at|requested_at|completed_at|updated_at|until|next)":"20[0-9T:.-]+Z"`), `$1":"2026-11-21T14:22:07.402118Z"`},
	{regexp.MustCompile(`"occurred_at":"2026-11-21T14:22:07\.[0-9]{6}Z"`), `"occurred_at":"2026-11-21T14:22:07.402118Z"`},
	{regexp.MustCompile(`"searched":\{"from":"20[0-9T:.-]+Z","to":"20[0-9T:.-]+Z"`), `"searched":{"from":"…","to":"…"`},
}

// anyEvent finds ids; those that the tests gave stay.
var anyEvent = regexp.MustCompile(`evt_[0-9a-z]{26}`)

// shown is how an answer stands in a golden file.
func shown(a ask, w *httptest.ResponseRecorder) string {
	var b strings.Builder
	method := a.method
	if method == "" {
		method = "GET"
	}
	fmt.Fprintf(&b, "> %s %s\n", method, a.path)
	for i := 0; i < len(a.header); i += 2 {
		fmt.Fprintf(&b, "> %s: %s\n", a.header[i], a.header[i+1])
	}
	if a.body != "" {
		fmt.Fprintf(&b, "%s\n", a.body)
	}
	fmt.Fprintf(&b, "\n< %d\n", w.Code)
	for _, name := range []string{"Allow", "Content-Type", "Retry-After", "WWW-Authenticate"} {
		if v := w.Header().Get(name); v != "" {
			fmt.Fprintf(&b, "< %s: %s\n", name, v)
		}
	}
	text := w.Body.String()
	text = anyEvent.ReplaceAllStringFunc(text, func(id string) string {
		if id == firstID || id == secondID {
			return id
		}
		return "evt_…"
	})
	for _, r := range random {
		text = r.form.ReplaceAllString(text, r.text)
	}
	return b.String() + text + "\n"
}

const (
	firstID  = "evt_01m7z7rs1affyad5cmxxj94a79"
	secondID = "evt_01m7z7rtk9fc29sdmq1s63t63k"
)

var (
	// fullEvent is the example of the documents, every member in it.
	fullEvent = `{"id":"` + firstID + `","action":"invoice.updated","version":3,"occurred_at":"2026-11-21T14:22:07.318Z",` +
		`"actor":{"type":"user","id":"usr_7","name":"Grace Hopper","email":"grace@acme.com","metadata":{"team":"billing"},"via":[{"type":"user","id":"usr_1","name":"Ada Byron"}]},` +
		`"targets":[{"type":"invoice","id":"42","name":"Invoice 42","metadata":{"region":"eu"}}],` +
		`"context":{"ip":"203.0.113.9","user_agent":"Firefox/149.0","request_id":"req_5","trace_id":"4bf9","session_id":"s_1",` +
		`"http":{"method":"PUT","route":"/invoices/{id}","path":"/invoices/42","status_code":200,"params":{},"request":{},"response":{}}},` +
		`"outcome":"failure","error":{"code":"limit","message":"over the limit"},"changes":[{"path":"/amount","old":"1200.00","new":"1450.00"}],` +
		`"reason":"PO 7781","correlation_id":"job_9","metadata":{"plan":"pro"}}`
	login = `{"id":"` + secondID + `","action":"user.login","occurred_at":"2026-11-21T14:22:07.000Z","actor":{"type":"user","id":"usr_9"},"outcome":"denied"}`
)

// TestGolden walks through every JSON shape, in this order on one server.
func TestGolden(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.key("org_acme", auth.Record)
	readOnly := f.key("org_acme", auth.Read)
	ndjson := []string{"Content-Type", "application/x-ndjson"}
	post := func(key, body string, header ...string) ask {
		return ask{method: "POST", path: "/v1/events", key: key, body: body, header: header}
	}
	f.do(ask{path: "/v1/whoami", key: f.globex})
	f.auth.Close() // that its key was used is written
	for _, tt := range []struct {
		name string
		ask  ask
	}{
		{"record_one", post(f.acme, fullEvent)},
		{"record_one_again", post(f.acme, fullEvent)},
		{"record_id_conflict", post(f.acme, strings.Replace(fullEvent, "PO 7781", "PO 7782", 1))},
		{"record_array", post(f.acme, "["+login+","+event("a.b", "")+"]")},
		{"record_array_again", post(f.acme, "["+login+"]")},
		{"record_ndjson", post(f.acme, event("a.b", "")+"\n\r\n  "+event("a.c", "")+"\n", ndjson...)},
		{"record_required", post(f.acme, `{"action":"a.b","actor":{"type":"user"}}`)},
		{"record_duplicate_key", post(f.acme, event("a.b", "")+"\n"+event("a.b", "")+"\n"+event("a.b", "")+"\n"+event("a.b", `,"action":"x"`), ndjson...)},
		{"record_partial", ask{method: "POST", path: "/v1/events?partial=true", key: f.acme, body: "[" + event("a.b", "") + "," + event("", "") + "]"}},
		{"record_partial_all_bad", ask{method: "POST", path: "/v1/events?partial=true", key: f.acme, body: "[" + event("", "") + "]"}},
		{"record_partial_broken_array", ask{method: "POST", path: "/v1/events?partial=true", key: f.acme, body: "[" + event("a.b", "") + `,{"a":}]`}},
		{"record_unknown_member", post(f.acme, event("a.b", `,"metdata":{}`))},
		{"record_reserved_member", post(f.acme, event("a.b", `,"seq":1`))},
		{"record_reserved_action", post(f.acme, event("daybook.key.created", ""))},
		{"record_empty_batch", post(f.acme, "[ ]")},
		{"record_empty_ndjson", post(f.acme, "\n \n", ndjson...)},
		{"record_no_body", post(f.acme, "")},
		{"record_syntax", post(f.acme, `{"action":`)},
		{"record_keyed", post(f.acme, event("a.key", ""), "Idempotency-Key", "k1")},
		{"record_keyed_again", post(f.acme, event("a.key", ""), "Idempotency-Key", "k1")},
		{"record_key_conflict", post(f.acme, event("a.other", ""), "Idempotency-Key", "k1")},
		{"record_media_type", post(f.acme, "a=b", "Content-Type", "application/x-www-form-urlencoded")},
		{"record_encoding", post(f.acme, "{}", "Content-Encoding", "br")},
		{"record_org_required", post(f.admin, event("a.b", ""))},
		{"record_invalid_org", post(f.admin, event("a.b", ""), "Daybook-Org", "org acme")},
		{"record_new_org", post(f.admin, event("a.b", ""), "Daybook-Org", "org_new")},
		{"record_other_org", post(f.acme, event("a.b", ""), "Daybook-Org", "org_globex")},
		{"forbidden", post(readOnly, event("a.b", ""))},
		{"unauthorized", post("", event("a.b", ""))},
		{"method_not_allowed", ask{method: "PUT", path: "/v1/events", key: f.acme}},
		{"no_route", ask{path: "/v2/events", key: f.acme}},

		{"list", ask{path: "/v1/events?limit=2&from=2026-11-14&q=actor:usr_7", key: f.acme}},
		{"list_occurred", ask{path: "/v1/events?order=occurred&asc=true&q=outcome:denied", key: f.acme}},
		{"list_unknown_org", ask{path: "/v1/events", key: f.admin, header: []string{"Daybook-Org", "org_none"}}},
		{"list_query_invalid", ask{path: "/v1/events?q=actr:ada", key: f.acme}},
		{"list_cursor_invalid", ask{path: "/v1/events?cursor=c_AAAA", key: f.acme}},
		{"list_unknown_parameter", ask{path: "/v1/events?offset=10", key: f.acme}},
		{"list_repeated_parameter", ask{path: "/v1/events?limit=1&limit=2", key: f.acme}},
		{"list_limit", ask{path: "/v1/events?limit=1001", key: f.acme}},
		{"list_zone", ask{path: "/v1/events?tz=Local", key: f.acme}},
		{"list_order", ask{path: "/v1/events?order=seq", key: f.acme}},
		{"list_time", ask{path: "/v1/events?from=soon", key: f.acme}},
		{"get", ask{path: "/v1/events/" + firstID, key: f.acme}},
		{"get_missing", ask{path: "/v1/events/evt_01m7z7rs1affyad5cmxxj94a70", key: f.acme}},
		{"get_no_id", ask{path: "/v1/events/nonsense", key: f.acme}},
		{"around", ask{path: "/v1/events/" + secondID + "/around?n=1", key: f.acme}},
		{"around_n", ask{path: "/v1/events/" + secondID + "/around?n=51", key: f.acme}},
		{"list_sentences", ask{path: "/v1/events?limit=2&sentences=true&q=actor:usr_9+OR+actor:usr_1&asc=true", key: f.acme}},
		{"target", ask{path: "/v1/targets/invoice/42/events", key: f.acme}},
		{"actor", ask{path: "/v1/actors/user/usr_1/events", key: f.acme}},
		{"histogram", ask{path: "/v1/histogram?from=2026-11-21T14:00&to=2026-11-21T15:00&bars=4", key: f.acme}},
		{"histogram_bars", ask{path: "/v1/histogram?bars=121", key: f.acme}},
		{"facets", ask{path: "/v1/facets?top=1", key: f.acme}},
		{"facets_count", ask{path: "/v1/facets?fields=", key: f.acme}},
		{"facets_field", ask{path: "/v1/facets?fields=action,actor.name", key: f.acme}},

		{"summary", ask{path: "/v1/summary", key: f.acme}},
		{"complete", ask{path: "/v1/complete?q=actor:grace&pos=11", key: f.acme}},
		{"complete_wrong", ask{path: "/v1/complete?q=act:in&pos=3", key: f.acme}},
		{"complete_pos", ask{path: "/v1/complete?q=a&pos=5000", key: f.acme}},

		{"view_create", ask{method: "POST", path: "/v1/views", key: f.acme, body: `{"name":"Privileged changes","search":"q=action%3Arole.*&from=now-7d","shared":true,"default":true}`}},
		{"view_create_mine", ask{method: "POST", path: "/v1/views", key: readOnly, body: `{"name":"Privileged changes","search":"q=role"}`}},
		{"view_forbidden", ask{method: "POST", path: "/v1/views", key: readOnly, body: `{"name":"x","search":"","shared":true}`}},
		{"view_query", ask{method: "POST", path: "/v1/views", key: readOnly, body: `{"name":"x","search":"q=actr%3Aa"}`}},
		{"view_name", ask{method: "POST", path: "/v1/views", key: readOnly, body: `{"name":" ","search":""}`}},
		{"view_get", ask{path: "/v1/views/privileged-changes", key: f.acme}},
		{"view_get_mine", ask{path: "/v1/views/privileged-changes", key: readOnly}},
		{"view_put_forbidden", ask{method: "PUT", path: "/v1/views/privileged-changes", key: f.key("org_acme", auth.Export|auth.Read), body: `{"name":"x","search":""}`}},
		{"view_put", ask{method: "PUT", path: "/v1/views/privileged-changes", key: f.acme, body: `{"name":"Roles","search":"q=role","shared":true}`}},
		{"view_list", ask{path: "/v1/views", key: readOnly}},
		{"view_delete", ask{method: "DELETE", path: "/v1/views/roles", key: f.acme}},
		{"view_missing", ask{method: "DELETE", path: "/v1/views/roles", key: f.acme}},

		{"log_checkpoint", ask{path: "/v1/organizations/org_acme/log/checkpoint", key: f.acme}},
		{"log_checkpoint_missing", ask{path: "/v1/organizations/org_acme/log/checkpoints/3", key: f.acme}},
		{"log_checkpoint_at", ask{path: "/v1/organizations/org_acme/log/checkpoints/7", key: f.admin}},
		{"instance_keys", ask{path: "/.well-known/daybook-keys"}},
		{"log_info", ask{path: "/v1/organizations/org_acme/log/info", key: f.acme}},
		{"log_inclusion", ask{path: "/v1/organizations/org_acme/log/inclusion?seq=6&size=7", key: f.acme}},
		{"log_inclusion_newest", ask{path: "/v1/organizations/org_acme/log/inclusion?seq=0", key: f.acme}},
		{"log_inclusion_unsigned", ask{path: "/v1/organizations/org_acme/log/inclusion?seq=0&size=8", key: f.acme}},
		{"log_inclusion_seq", ask{path: "/v1/organizations/org_acme/log/inclusion", key: f.acme}},
		{"log_consistency", ask{path: "/v1/organizations/org_acme/log/consistency?from=4&to=7", key: f.acme}},
		{"log_consistency_order", ask{path: "/v1/organizations/org_acme/log/consistency?from=7&to=4", key: f.acme}},
		{"log_proof", ask{path: "/v1/organizations/org_acme/log/proof/" + firstID + ".tlog-proof", key: f.acme}},
		{"log_proof_missing", ask{path: "/v1/organizations/org_acme/log/proof/" + firstID, key: f.acme}},
		{"log_bundle_range", ask{path: "/v1/organizations/org_acme/log/bundle?from=7&to=3", key: f.acme}},
		{"log_bundle_unsigned", ask{path: "/v1/organizations/org_acme/log/bundle?size=1000", key: f.acme}},
		{"log_bundle_scope", ask{path: "/v1/organizations/org_acme/log/bundle", key: readOnly}},
		{"log_tile_missing", ask{path: "/v1/organizations/org_acme/log/tile/0/000.p/8", key: f.acme}},

		{"org_create", ask{method: "POST", path: "/v1/organizations", key: f.admin, body: `{"id":"org_hooli","name":"Hooli"}`}},
		{"org_create_made", ask{method: "POST", path: "/v1/organizations", key: f.admin, body: `{}`}},
		{"org_exists", ask{method: "POST", path: "/v1/organizations", key: f.admin, body: `{"id":"org_hooli"}`}},
		{"org_create_forbidden", ask{method: "POST", path: "/v1/organizations", key: f.acme, body: `{"id":"org_x"}`}},
		{"org_unknown_member", ask{method: "POST", path: "/v1/organizations", key: f.admin, body: `{"ID":"org_x"}`}},
		{"org_wrong_type", ask{method: "POST", path: "/v1/organizations", key: f.admin, body: `{"name":7}`}},
		{"org_get", ask{path: "/v1/organizations/org_acme", key: f.acme}},
		{"org_get_other", ask{path: "/v1/organizations/org_globex", key: f.acme}},
		{"org_list_own", ask{path: "/v1/organizations", key: f.acme}},
		{"org_list_named", ask{path: "/v1/organizations?name=HOOL", key: f.admin}},
		{"org_list_own_named", ask{path: "/v1/organizations?name=globex", key: f.acme}},
		{"org_list_page", ask{path: "/v1/organizations?limit=1", key: f.admin}},
		{"key_create", ask{method: "POST", path: "/v1/keys", key: f.acme, body: `{"name":"ci","org":"org_acme","scopes":["record"],"expires_at":"2027-01-01T00:00:00Z"}`}},
		{"key_create_all", ask{method: "POST", path: "/v1/keys", key: f.admin, body: `{"org":null,"scopes":["read","operate"]}`}},
		{"key_create_forbidden", ask{method: "POST", path: "/v1/keys", key: f.acme, body: `{"org":null,"scopes":["read"]}`}},
		{"key_create_other", ask{method: "POST", path: "/v1/keys", key: f.acme, body: `{"org":"org_globex","scopes":["read"]}`}},
		{"key_no_org", ask{method: "POST", path: "/v1/keys", key: f.admin, body: `{"scopes":["read"]}`}},
		{"key_scope", ask{method: "POST", path: "/v1/keys", key: f.admin, body: `{"org":null,"scopes":["admin"]}`}},
		{"key_time", ask{method: "POST", path: "/v1/keys", key: f.admin, body: `{"org":null,"scopes":["read"],"expires_at":"soon"}`}},
		{"key_list", ask{path: "/v1/keys?limit=1", key: f.globex}},
		{"key_list_forbidden", ask{path: "/v1/keys", key: readOnly}},
		{"key_revoke_missing", ask{method: "DELETE", path: "/v1/keys/key_00000000000000000000000000", key: f.acme}},
		{"whoami", ask{path: "/v1/whoami", key: readOnly}},
		{"backup", ask{path: "/v1/backup", key: f.admin}},
		{"health", ask{path: "/healthz"}},
		{"ready", ask{path: "/readyz"}},
		{"health_parameter", ask{path: "/healthz?verbose=1"}},
		{"log_key_added", ask{method: "POST", path: "/v1/organizations/org_acme/log/keys", key: f.acme}},
		{"log_key_conflict", ask{method: "POST", path: "/v1/organizations/org_acme/log/keys", key: f.admin}},
	} {
		doortest.Golden(t, tt.name, shown(tt.ask, f.do(tt.ask)))
	}
}
