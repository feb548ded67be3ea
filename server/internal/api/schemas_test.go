package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

const invoiceSchema = `{"actor":{"metadata":{"type":"object","properties":{"role":{"type":"string"}}}},
 "targets":[{"type":"invoice","metadata":{"type":"object","properties":{"cost":{"type":"number"}}}}],
 "metadata":{"type":"object","properties":{"transactionId":{"type":"string"}},"required":["transactionId"]},"event":{"required":["reason"]}}`

const paid = `,"targets":[{"type":"invoice","id":"42"}],"metadata":{"transactionId":"t_1"},"reason":"PO 7781"`

// TestGoldenSchemas walks through every JSON shape of schemas, in this order on one server.
func TestGoldenSchemas(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	reader := f.key("org_acme", auth.Read)
	const path = "/v1/actions/invoice.paid/schemas"
	post := func(key, body string) ask { return ask{method: "POST", path: path, key: key, body: body} }
	send := func(body string) ask { return ask{method: "POST", path: "/v1/events", key: f.acme, body: body} }
	for _, tt := range []struct {
		name string
		ask  ask
	}{
		{"schema_shared", post(f.admin, `{"targets":[{"type":"invoice"}]}`)},
		{"schema_list_shared", ask{path: path, key: f.acme}},
		{"schema_register", post(f.acme, invoiceSchema)},
		{"schema_register_again", post(f.acme, invoiceSchema)},
		{"schema_next", post(f.acme, `{"metadata":{"type":"object","properties":{"transactionId":{"type":"string"}}}}`)},
		{"schema_get", ask{path: path + "/1", key: reader}},
		{"schema_newest", ask{path: path + "/newest", key: reader}},
		{"schema_missing", ask{path: path + "/3", key: f.acme}},
		{"schema_no_number", ask{path: path + "/one", key: f.acme}},
		{"schema_no_action", ask{path: "/v1/actions/none/schemas", key: f.acme}},
		{"schema_list", ask{path: path + "?limit=1", key: f.acme}},
		{"schema_list_next", ask{path: path + "?limit=1&cursor=c_Mg", key: f.acme}},
		{"schema_list_cursor", ask{path: path + "?cursor=c_eA", key: f.acme}},
		{"schema_actions", ask{path: "/v1/actions", key: f.acme}},
		{"schema_actions_shared", ask{path: "/v1/actions", key: f.admin}},
		{"schema_sentence", post(f.acme, `{"sentence":"{actor} paid {target}[ ({reason})]","sentence_denied":"{actor} may not pay {target}"}`)},
		{"schema_sentence_wrong", post(f.acme, `{"sentence":"{actor} paid {targe}"}`)},
		{"schema_sentence_alone", post(f.acme, `{"sentence_failure":"{actor} paid {target}"}`)},
		{"schema_sentences", ask{path: "/v1/sentences", key: reader}},
		{"schema_forbidden", post(reader, `{}`)},
		{"schema_invalid", post(f.acme, `{"metadata":{"type":"text"}}`)},
		{"schema_remote", post(f.acme, `{"event":{"$ref":"https://example.com/event.json"}}`)},
		{"schema_target", post(f.acme, `{"targets":[{}]}`)},
		{"schema_member", post(f.acme, `{"target":[]}`)},
		{"schema_recorded", send(event("invoice.paid", paid))},
		{"schema_recorded_entry", ask{path: "/v1/events?q=action:invoice.paid", key: f.acme}},
		{"schema_violation", send(event("invoice.paid", `,"version":1,"targets":[{"type":"invoice","id":"1","metadata":{"cost":"1"}}]`))},
		{"schema_violation_batch", send(`[` + event("a.b", "") + `,` + event("invoice.paid", `,"metadata":{"transactionId":1}`) + `]`)},
		{"schema_version", send(event("invoice.paid", `,"version":9`))},
	} {
		doortest.Golden(t, tt.name, shown(tt.ask, f.do(tt.ask)))
	}
}

// TestSchemaModes shows that in quarantine nothing is lost, and in strict mode nothing gets by.
func TestSchemaModes(t *testing.T) {
	t.Parallel()
	wrong, none := event("invoice.paid", `,"metadata":{}`), event("never.registered", "")
	for mode, want := range map[string][2]string{
		control.SchemaOpen:       {"schema_violation", ""},
		control.SchemaStrict:     {"schema_violation", "schema_missing"},
		control.SchemaQuarantine: {"", ""},
	} {
		f := newFixture(t, setup{schemas: map[string]control.SchemaRules{"": {Mode: mode}}})
		if w := f.do(ask{method: "POST", path: "/v1/actions/invoice.paid/schemas", key: f.acme, body: invoiceSchema}); w.Code != http.StatusCreated {
			t.Fatal(w.Body)
		}
		for i, body := range []string{wrong, none} {
			w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: body})
			if (w.Code == http.StatusCreated) != (want[i] == "") || !strings.Contains(w.Body.String(), want[i]) {
				t.Errorf("%s: %d %s", mode, w.Code, w.Body)
			}
		}
		flagged := f.do(ask{path: "/v1/events?q=has:flagged", key: f.acme}).Body.String()
		if n := strings.Count(flagged, `"flags":["schema_`); (n == 2) != (mode == control.SchemaQuarantine) {
			t.Errorf("%s: %d flagged: %s", mode, n, flagged)
		}
		metrics := f.do(ask{path: "/metrics", key: f.admin}).Body.String()
		if mode == control.SchemaQuarantine && !strings.Contains(metrics, `daybook_flagged_total{flag="schema_violation"} 1`) {
			t.Error("the metric does not count")
		}
	}
}
