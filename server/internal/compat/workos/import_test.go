package workos_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/server/internal/compat/workos"
)

// TestImport: a row of a CSV is the event that the door would have recorded.
func TestImport(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ row, event, key string }{
		"everything": {
			`{"id":"audit_log_event_01","action":"user.signed_in","occurred_at":"2022-09-02T16:35:39.317Z","actor_id":"user_1","actor_type":"user","actor_name":"Jon",` +
				`"actor_metadata":"{\"role\":\"admin\"}","context_location":"192.0.2.8","context_user_agent":"Chrome/104.0.0","metadata":"{\"extra\":\"data\"}",` +
				`"target_id_0":"team_1","target_type_0":"team","target_name_0":"","target_metadata_0":"{}","target_id_1":"user_2","target_type_1":"user","target_name_1":"Ann","target_metadata_1":"{\"a\":1}","other":"x"}`,
			`{"action":"user.signed_in","occurred_at":"2022-09-02T16:35:39.317Z","actor":{"type":"user","id":"user_1","name":"Jon","metadata":{"role":"admin"}},` +
				`"targets":[{"type":"team","id":"team_1"},{"type":"user","id":"user_2","name":"Ann","metadata":{"a":1}}],` +
				`"context":{"ip":"192.0.2.8","user_agent":"Chrome/104.0.0"},"metadata":{"extra":"data"}}`, "audit_log_event_01",
		},
		"one of ours, with columns of a wider event": {
			`{"id":"evt_01m7z7rs1affyad5cmxxj94a79","action":"a.b","occurred_at":"2022-09-02T16:35:39Z","actor_id":"u","actor_type":"user","target_id_0":"","target_type_0":"","target_name_0":"","target_metadata_0":""}`,
			`{"id":"evt_01m7z7rs1affyad5cmxxj94a79","action":"a.b","occurred_at":"2022-09-02T16:35:39Z","actor":{"type":"user","id":"u"},"targets":[]}`, "evt_01m7z7rs1affyad5cmxxj94a79",
		},
	} {
		got, err := workos.Import([]byte(tt.row))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(tt.event, string(got.Event)); diff != "" || got.Key != tt.key {
			t.Errorf("%s, key %q (-want +got):\n%s", name, got.Key, diff)
		}
	}
	for row, want := range map[string]string{
		`{"action":"a.b","occurred_at":"yesterday","actor_id":"u","actor_type":"user"}`:                              "occurred_at",
		`{"action":"","occurred_at":"2022-09-02T16:35:39Z","actor_id":"u","actor_type":"user"}`:                      "event.action",
		`{"action":"a.b","occurred_at":"2022-09-02T16:35:39Z","actor_type":"user"}`:                                  "event.actor.id",
		`{"action":"a.b","occurred_at":"2022-09-02T16:35:39Z","actor_id":"u","actor_type":"user","metadata":"x"}`:    "metadata is not a JSON object",
		`{"action":"a.b","occurred_at":"2022-09-02T16:35:39Z","actor_id":"u","actor_type":"user","target_id_0":"7"}`: "event.targets.0.type",
		`{"action":1}`: "object of texts",
		`x`:            "",
	} {
		if _, err := workos.Import([]byte(row)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", row, err)
		}
	}
}
