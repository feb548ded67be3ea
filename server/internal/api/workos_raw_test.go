package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/server/internal/auth"
)

// TestWorkOSRaw sends what the clients of Go and Python put on the wire, header by header: versions, null members, spaces, letters of
// header names, a content type without content.
func TestWorkOSRaw(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	server := httptest.NewServer(f.server)
	t.Cleanup(server.Close)
	if err := f.orgs.Ensure(t.Context(), "org_1"); err != nil {
		t.Fatal(err)
	}
	key := f.key("", auth.Record|auth.Read|auth.Export|auth.Manage)
	f.Add(time.Second)
	body := func(name string) string {
		text, err := os.ReadFile("../compat/workos/testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimRight(string(text), "\n")
	}
	goHeaders := "User-Agent: workos-go/v1.14.0\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n"
	pythonHeaders := "User-Agent: WorkOS Python/3.12 Python SDK/5.0\r\nAccept-Encoding: gzip, deflate\r\naccept: application/json\r\nConnection: keep-alive\r\ncontent-type: application/json\r\n"
	for _, c := range []struct {
		name, method, path, header, body, want string
		status                                 int
	}{
		{"go_event", "POST", "/audit_logs/events", goHeaders, body("go1"), `{"success":true}`, 201},
		{"go_event_again", "POST", "/audit_logs/events", goHeaders, body("go1"), `{"success":true}`, 201},
		{"go_event_keyed", "POST", "/audit_logs/events", goHeaders + "Idempotency-Key: go-1\r\n", strings.Replace(body("go1"), ".678912345Z", ".678912346+01:00", 1), `{"success":true}`, 201},
		{"go_event_other", "POST", "/audit_logs/events", goHeaders + "Idempotency-Key: go-1\r\n", body("go1"), `"code":"idempotency_key_reused"`, 400},
		{"go_v10_null_targets", "POST", "/audit_logs/events", goHeaders + "Idempotency-Key: go-2\r\n", strings.Replace(body("go1"), `"targets":[{"id":"team_123","name":"","type":"team"}]`, `"targets":null`, 1), `{"success":true}`, 201},
		{"python_event", "POST", "/audit_logs/events", pythonHeaders + "idempotency-key: py-1\r\n", body("python5"), `{"success":true}`, 201},
		{"python_event_again", "POST", "/audit_logs/events", pythonHeaders + "IDEMPOTENCY-KEY: py-1\r\n", body("python5"), `{"success":true}`, 201},
		{"go_export", "POST", "/audit_logs/exports", goHeaders, `{"organization_id":"org_1","range_start":"2026-01-01T00:00:00Z","range_end":"2027-01-01T00:00:00Z","actions":null,"actors":["jonatas"],"targets":null}`, `"state":"pending"`, 201},
		{"python_export", "POST", "/audit_logs/exports", pythonHeaders, `{"actions": null, "actor_names": null, "actor_ids": null, "organization_id": "org_1", "range_end": "2027-01-01T00:00:00", "range_start": "2026-01-01T00:00:00", "targets": null}`, `"code":"invalid_audit_log_export_range_date"`, 400},
		{"python_export_zone", "POST", "/audit_logs/exports", pythonHeaders, `{"actions": null, "actor_names": null, "actor_ids": null, "organization_id": "org_1", "range_end": "2027-01-01T00:00:00+00:00", "range_start": "2026-01-01T00:00:00+00:00", "targets": null}`, `"state":"pending"`, 201},
		{"go_get", "GET", "/audit_logs/exports/exp_0", goHeaders, "", `{"message":"Audit Log Export not found: 'exp_0'."}`, 404},
		{"go_schema", "POST", "/audit_logs/actions/document.updated/schemas", goHeaders + "Idempotency-Key: go-3\r\n", `{"targets":[{"type":"team"}],"actor":null,"metadata":null}`, `"object":"audit_log_schema","version":1`, 201},
		{"go_schemas", "GET", "/audit_logs/actions/document.updated/schemas?limit=10&order=desc", goHeaders, "", `"list_metadata":{"before":null,"after":null}`, 200},
		{"python_actions", "GET", "/audit_logs/actions?limit=10&order=desc", pythonHeaders, "", `"object":"audit_log_action","name":"document.updated"`, 200},
		{"go_retention", "GET", "/organizations/org_1/audit_logs_retention", goHeaders, "", `{"retention_period_in_days":null}`, 200},
		{"python_portal", "POST", "/portal/generate_link", pythonHeaders, `{"intent": "audit_logs", "organization": "org_1", "return_url": null, "success_url": null, "intent_options": null}`, `{"link":"http://127.0.0.1:`, 201},
		{"no_such_path", "GET", "/audit_log_schemas", goHeaders, "", `{"message":"Not Found"}`, 404},
		{"wrong_method", "DELETE", "/organizations/org_1/audit_logs_retention", goHeaders, "", `{"message":"Method Not Allowed"}`, 405},
	} {
		head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s", c.method, c.path, server.Listener.Addr(), key, c.header)
		if c.body != "" {
			head += fmt.Sprintf("Content-Length: %d\r\n", len(c.body))
		}
		status, header, text := sendRaw(t, server.Listener.Addr().String(), head+"\r\n"+c.body)
		if status != c.status || !strings.Contains(text, c.want) || header.Get("Content-Type") != "application/json; charset=utf-8" || !strings.HasPrefix(header.Get("X-Request-Id"), "req_") {
			t.Errorf("%s: %d %s %v", c.name, status, text, header)
		}
		if again := strings.HasSuffix(c.name, "_again"); c.path == "/audit_logs/events" && status == 201 && (header.Get("Daybook-Duplicate") == "true") != again {
			t.Errorf("%s: Daybook-Duplicate is %s", c.name, header.Get("Daybook-Duplicate"))
		}
		if status == 405 && header.Get("Allow") != "GET, HEAD, PUT" {
			t.Errorf("%s: Allow is %s", c.name, header.Get("Allow"))
		}
	}
}

// sendRaw writes a request as it is and reads the answer.
func sendRaw(t *testing.T, address, request string) (status int, header http.Header, body string) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // what was sent is answered
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}
