package shape_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/internal/shape"
)

// TestAccept_refusals: rule, field and message of everything that is refused.
func TestAccept_refusals(t *testing.T) {
	t.Parallel()
	more := func(s string) string { return fmt.Sprintf(minimal, ","+s) }
	many := func(n int, element string) string { return strings.TrimSuffix(strings.Repeat(element+",", n), ",") }
	tests := []struct{ name, text, rule, field, message string }{
		{"empty object", `{}`, "required", "/action", "action is required."},
		{"no action", `{"actor":{"type":"user","id":"1"}}`, "required", "/action", "action is required."},
		{"null action", `{"action":null,"actor":{"type":"user","id":"1"}}`, "required", "/action", "action is required."},
		{"no actor", `{"action":"a"}`, "required", "/actor/type", "actor.type is required."},
		{"null actor", `{"action":"a","actor":null}`, "required", "/actor/type", "actor.type is required."},
		{"empty actor", `{"action":"a","actor":{}}`, "required", "/actor/type", "actor.type is required."},
		{"no actor.id", `{"action":"a","actor":{"type":"user"}}`, "required", "/actor/id", "actor.id is required."},
		{"null actor.id", `{"action":"a","actor":{"type":"user","id":null}}`, "required", "/actor/id", "actor.id is required."},
		{"no path", more(`"changes":[{"path":"/a"},{"new":1},{"path":"/b"}]`), "required", "/changes/1/path", "changes[1].path is required."},
		{"last without path", more(`"changes":[{"path":"/a"},{}]`), "required", "/changes/1/path", "changes[1].path is required."},

		{"action a number", `{"action":1,"actor":{"type":"user","id":"1"}}`, "invalid_type", "/action", "action must be a string."},
		{"action an object", `{"action":{"a":{"b":1}},"actor":{"type":"user","id":"1"}}`, "invalid_type", "/action", "action must be a string."},
		{"id a number", `{"action":"a","actor":{"type":"user","id":7}}`, "invalid_type", "/actor/id", "actor.id must be a string."},
		{"actor a string", `{"action":"a","actor":"me"}`, "invalid_type", "/actor", "actor must be an object."},
		{"actor a list", `{"action":"a","actor":[{"type":"user"}]}`, "invalid_type", "/actor", "actor must be an object."},
		{"actor an empty list", `{"action":"a","actor":[]}`, "invalid_type", "/actor", "actor must be an object."},
		{"targets an object", more(`"targets":{"0":{"id":"1"}}`), "invalid_type", "/targets", "targets must be a list."},
		{"targets a string", more(`"targets":"invoice"`), "invalid_type", "/targets", "targets must be a list."},
		{"targets empty object", more(`"targets":{}`), "invalid_type", "/targets", "targets must be a list."},
		{"target null", more(`"targets":[{"id":"1"},null]`), "invalid_type", "/targets/1", "targets[1] must be an object."},
		{"target a list", more(`"targets":[[1]]`), "invalid_type", "/targets/0", "targets[0] must be an object."},
		{"target an empty list", more(`"targets":[[]]`), "invalid_type", "/targets/0", "targets[0] must be an object."},
		{"target name", more(`"targets":[{"name":false}]`), "invalid_type", "/targets/0/name", "targets[0].name must be a string."},
		{"target metadata", more(`"targets":[{"metadata":[{"a":1}]}]`), "invalid_type", "/targets/0/metadata", "targets[0].metadata must be an object."},
		{"metadata a string", more(`"metadata":"x"`), "invalid_type", "/metadata", "metadata must be an object."},
		{"metadata a list", more(`"metadata":[]`), "invalid_type", "/metadata", "metadata must be an object."},
		{"version a string", more(`"version":"1"`), "invalid_type", "/version", "version must be an integer."},
		{"version an object", more(`"version":{"a":1}`), "invalid_type", "/version", "version must be an integer."},
		{"version with a point", more(`"version":1.0`), "invalid_type", "/version", "version must be an integer, written without point and exponent."},
		{"version with an exponent", more(`"version":1e2`), "invalid_type", "/version", "version must be an integer, written without point and exponent."},
		{"http a string", more(`"context":{"http":"GET"}`), "invalid_type", "/context/http", "context.http must be an object."},
		{"status a string", more(`"context":{"http":{"status_code":"200"}}`), "invalid_type", "/context/http/status_code", "context.http.status_code must be an integer."},
		{"location a list", more(`"context":{"location":["x"]}`), "invalid_type", "/context/location", "context.location must be a string."},
		{"error a string", more(`"error":"limit"`), "invalid_type", "/error", "error must be an object."},
		{"error.code", more(`"error":{"code":404}`), "invalid_type", "/error/code", "error.code must be a string."},
		{"changes an object", more(`"changes":{"a":1}`), "invalid_type", "/changes", "changes must be a list."},
		{"change a string", more(`"changes":["/a"]`), "invalid_type", "/changes/0", "changes[0] must be an object."},
		{"via an object", `{"action":"a","actor":{"type":"u","id":"1","via":{"id":"2"}}}`, "invalid_type", "/actor/via", "actor.via must be a list."},
		{"occurred_at a number", more(`"occurred_at":1700000000`), "invalid_type", "/occurred_at", "occurred_at must be a string."},
		{"reason a list", more(`"reason":[]`), "invalid_type", "/reason", "reason must be a string."},

		{"empty action", `{"action":"","actor":{"type":"user","id":"1"}}`, "invalid_value", "/action", "action must be 1 to 512 bytes long, not 0."},
		{"long action", `{"action":"` + strings.Repeat("a", 513) + `","actor":{"type":"user","id":"1"}}`, "invalid_value", "/action", "action must be 1 to 512 bytes long, not 513."},
		{"empty type", `{"action":"a","actor":{"type":"","id":"1"}}`, "invalid_value", "/actor/type", "actor.type must be 1 to 512 bytes long, not 0."},
		{"long target id", more(`"targets":[{"id":"` + strings.Repeat("é", 257) + `"}]`), "invalid_value", "/targets/0/id", "targets[0].id must be 1 to 512 bytes long, not 514."},
		{"empty via id", `{"action":"a","actor":{"type":"u","id":"1","via":[{"id":""}]}}`, "invalid_value", "/actor/via/0/id", "actor.via[0].id must be 1 to 512 bytes long, not 0."},
		{"outcome", more(`"outcome":"ok"`), "invalid_value", "/outcome", `outcome must be "success", "failure" or "denied".`},
		{"version 0", more(`"version":0`), "invalid_value", "/version", "version must be an integer from 1 to 2147483647."},
		{"version −1", more(`"version":-1`), "invalid_value", "/version", "version must be an integer from 1 to 2147483647."},
		{"version 2³¹", more(`"version":2147483648`), "invalid_value", "/version", "version must be an integer from 1 to 2147483647."},
		{"version of many digits", more(`"version":` + strings.Repeat("9", 400)), "invalid_value", "/version", "version must be an integer from 1 to 2147483647."},
		{"year 1969", more(`"occurred_at":"1969-12-31T23:59:59Z"`), "invalid_value", "/occurred_at", "occurred_at must lie in the years 1970 to 9999 (UTC)."},
		{"257 targets", more(`"targets":[` + many(257, `{"id":"1"}`) + `]`), "invalid_value", "/targets", "targets holds at most 256."},
		{"17 via", `{"action":"a","actor":{"type":"u","id":"1","via":[` + many(17, `{}`) + `]}}`, "invalid_value", "/actor/via", "actor.via holds at most 16."},
		{"1,001 changes", more(`"changes":[` + many(1001, `{"path":""}`) + `]`), "invalid_value", "/changes", "changes holds at most 1000."},
		{"ip and location", more(`"context":{"location":"a","ip":"b"}`), "invalid_value", "/context/location", "Give context.ip or context.location, not both: they are one member."},
		{"changes and before", more(`"changes":[],"before":{}`), "invalid_value", "/changes", "Give changes, or before and after, not both."},
		{"after and changes", more(`"after":1,"changes":[{"path":""}]`), "invalid_value", "/changes", "Give changes, or before and after, not both."},

		{"id without prefix", more(`"id":"01m7z7rs1affyad5cmxxj94a79"`), "invalid_format", "/id", ""},
		{"id of another kind", more(`"id":"org_01m7z7rs1affyad5cmxxj94a79"`), "invalid_format", "/id", ""},
		{"id beyond 128 bits", more(`"id":"evt_81m7z7rs1affyad5cmxxj94a79"`), "invalid_format", "/id", ""},
		{"id in capitals", more(`"id":"evt_01M7Z7RS1AFFYAD5CMXXJ94A79"`), "invalid_format", "/id", ""},
		{"empty id", more(`"id":""`), "invalid_format", "/id", ""},
		{"id with escapes", more(`"id":"\u0065vt_01m7z7rs1affyad5cmxxj94a79"`), "invalid_format", "/id", "id must be written without escapes."},
		{"zero id", more(`"id":"evt_00000000000000000000000000"`), "invalid_value", "/id", "id must not be zero."},
		{"day without time", more(`"occurred_at":"2026-11-21"`), "invalid_format", "/occurred_at", ""},
		{"path without slash", more(`"changes":[{"path":"amount"}]`), "invalid_format", "/changes/0/path", ""},
		{"path with a bad escape", more(`"changes":[{"path":"/a~2"}]`), "invalid_format", "/changes/0/path", ""},

		{"unknown member", more(`"acton":"x"`), "unknown_member", "/acton", `"acton" is not a member of an event. Did you mean "action"?`},
		{"camel case", more(`"occurredAt":"x"`), "unknown_member", "/occurredAt", `"occurredAt" is not a member of an event. Did you mean "occurred_at"?`},
		{"unlike any", more(`"severity":null`), "unknown_member", "/severity", `"severity" is not a member of an event. Free data belongs in metadata.`},
		{"container", more(`"extra":{"a":[1]}`), "unknown_member", "/extra", `"extra" is not a member of an event. Free data belongs in metadata.`},
		{"name with slash", more(`"a/b~c":1`), "unknown_member", "/a~1b~0c", `"a/b~c" is not a member of an event. Free data belongs in metadata.`},
		{"of actor", `{"action":"a","actor":{"typ":"user","id":"1"}}`, "unknown_member", "/actor/typ", `"typ" is not a member of actor. Did you mean "type"?`},
		{"of actor, free", `{"action":"a","actor":{"department":"user","id":"1"}}`, "unknown_member", "/actor/department", `"department" is not a member of actor. Free data belongs in actor.metadata.`},
		{"of target", more(`"targets":[{"id":"1"},{"ID":"2"}]`), "unknown_member", "/targets/1/ID", `"ID" is not a member of targets[1]. Did you mean "id"?`},
		{"of context", more(`"context":{"city":"Rome"}`), "unknown_member", "/context/city", `"city" is not a member of context. Free data belongs in metadata.`},
		{"of http", more(`"context":{"http":{"status":200}}`), "unknown_member", "/context/http/status", ""},
		{"of error", more(`"error":{"msg":"x"}`), "unknown_member", "/error/msg", ""},
		{"of change", more(`"changes":[{"path":"","from":1}]`), "unknown_member", "/changes/0/from", ""},
		{"via of a via", `{"action":"a","actor":{"type":"u","id":"1","via":[{"id":"2","via":[]}]}}`, "unknown_member", "/actor/via/0/via", ""},
		{"of via", `{"action":"a","actor":{"type":"u","id":"1","via":[{"nme":"2"}]}}`, "unknown_member", "/actor/via/0/nme", `"nme" is not a member of actor.via[0]. Did you mean "name"?`},
		{"long name", more(`"` + strings.Repeat("é", 50) + `":1`), "unknown_member", "/" + strings.Repeat("é", 50), `"` + strings.Repeat("é", 32) + `"… (100 bytes) is not a member of an event. Free data belongs in metadata.`},

		{"org", more(`"org":"acme"`), "reserved_member", "/org", "org is the log's own member and cannot be given."},
		{"null seq", more(`"seq":null`), "reserved_member", "/seq", "seq is the log's own member and cannot be given."},
		{"received_at", more(`"received_at":"x"`), "reserved_member", "/received_at", ""},
		{"leaf_hash", more(`"leaf_hash":"x"`), "reserved_member", "/leaf_hash", ""},
		{"erased_fields", more(`"erased_fields":["x"]`), "reserved_member", "/erased_fields", ""},
		{"masked_fields", more(`"masked_fields":[]`), "reserved_member", "/masked_fields", ""},
		{"reserved action", `{"action":"daybook.x","actor":{"type":"user","id":"1"}}`, "reserved_action", "/action", ""},

		{"duplicate", more(`"action":"x"`), "duplicate_key", "/action", `the name "action" stands twice in one object.`},
		{"nothing", ``, "syntax", "", ""},
		{"only white space", "\n\t ", "syntax", "", ""},
		{"cut short", `{"action":"a"`, "syntax", "", ""},
		{"list", `[]`, "not_object", "", ""},
		{"newline in a string", "{\"action\":\"a\nb\"}", "syntax", "/action", ""},
		{"newline in a number", "{\"version\":1\n2}", "syntax", "", ""},
		{"two objects", `{} {}`, "trailing_data", "", ""},
		{"half a pair", more(`"reason":"\ud800"`), "lone_surrogate", "", ""},
		{"nul", more(`"reason":"\u0000"`), "nul", "/reason", ""},
		{"not UTF-8", more("\"reason\":\"\xff\""), "invalid_utf8", "", ""},
		{"too many fields", more(`"metadata":{"a":[` + many(1023, "1") + `]}`), "too_many_fields", "", ""},
		{"too large", more(`"reason":"` + strings.Repeat("x", 256<<10) + `"`), "too_large", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := acceptText(tt.text)
			var e *shape.Refusal
			if !errors.As(err, &e) {
				t.Fatalf("not refused with a Refusal: %v", err)
			}
			if e.Rule != tt.rule {
				t.Errorf("refused as %s (%s), want %s", e.Rule, e.Message, tt.rule)
			}
			if tt.field != "" && e.Field != tt.field {
				t.Errorf("field %q, want %q", e.Field, tt.field)
			}
			if tt.message != "" && e.Message != tt.message {
				t.Errorf("message %q, want %q", e.Message, tt.message)
			}
		})
	}
}

// TestAccept_limits: what just fits is accepted.
func TestAccept_limits(t *testing.T) {
	t.Parallel()
	many := func(n int, element string) string { return strings.TrimSuffix(strings.Repeat(element+",", n), ",") }
	long := strings.Repeat("a", 512)
	for name, text := range map[string]string{
		"512 bytes":     `{"action":"` + long + `","actor":{"type":"` + long + `","id":"` + long + `"},"targets":[{"type":"` + long + `","id":"` + long + `"}]}`,
		"256 targets":   fmt.Sprintf(minimal, `,"targets":[`+many(256, `{"type":"t","id":"1"}`)+`]`),
		"16 via":        `{"action":"a","actor":{"type":"u","id":"1","via":[` + many(16, `{"type":"u","id":"2"}`) + `]}}`,
		"1,000 changes": fmt.Sprintf(minimal, `,"changes":[`+many(1000, `{"path":"/a"}`)+`]`),
		"version":       fmt.Sprintf(minimal, `,"version":2147483647`),
		"256 KiB":       fmt.Sprintf(minimal, `,"reason":"`+strings.Repeat("x", 256<<10-len(fmt.Sprintf(minimal, `,"reason":""`)))+`"`),
		"long names":    fmt.Sprintf(minimal, `,"context":{"user_agent":"`+strings.Repeat(long, 10)+`","session_id":""}`),
	} {
		if _, err := acceptText(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
