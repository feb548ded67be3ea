package main

import (
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestWorkOSSettings: what the configuration says of the WorkOS door holds there, and nowhere else; and what was registered is there after
// the next start.
func TestWorkOSSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret, _, code := runHere(t, "", "key", "create", "--db", filepath.Join(dir, "elsewhere.db"), "--all-orgs", "--scopes", "read")
	if code != 0 {
		t.Fatalf("key create: exit %d", code)
	}
	secret = strings.TrimSpace(secret)
	vars := map[string]string{
		"DAYBOOK_BOOTSTRAP_KEY": secret, "DAYBOOK_WORKOS_SCHEMA_MODE": "strict", "DAYBOOK_WORKOS_SCHEMA_TARGETS": "exact", "DAYBOOK_WORKOS_SCHEMA_VERSION": "workos",
		"DAYBOOK_WORKOS_RETENTION": "workos", "DAYBOOK_PUBLIC_URL": "https://audit.example.com",
	}
	const event = `{"organization_id":"org_1","event":{"action":"ACTION","occurred_at":"2026-02-02T16:35:39Z","actor":{"id":"u","type":"user"},"targets":TARGETS,"context":{"location":""}}}`
	of := func(action, targets string) string {
		return strings.NewReplacer("ACTION", action, "TARGETS", targets).Replace(event)
	}
	type step struct {
		method, path, body string
		status             int
		want               string
	}
	both := []step{
		{"POST", "/audit_logs/events", of("a.b", `[{"id":"1","type":"x"},{"id":"2","type":"y"}]`), 400, "/targets/1"},
		{"POST", "/audit_logs/events", of("a.b", `[{"id":"2","type":"y"}]`), 400, "/targets/0/type"}, // version 1 holds
		{"POST", "/audit_logs/events", of("free", `[]`), 400, "No schema is registered"},
		{"PUT", "/organizations/org_1/audit_logs_retention", `{"retention_period_in_days":31}`, 422, "invalid_value"},
		{"PUT", "/organizations/org_1/audit_logs_retention", `{"retention_period":"1_YEAR"}`, 200, "365"},
		{"POST", "/portal/generate_link", `{"organization":"org_1"}`, 201, `"link":"https://audit.example.com/portal?token=`},
		{"POST", "/v1/events", `{"action":"free","actor":{"type":"user","id":"u"}}`, 201, `"seq"`}, // the native API has rules of its own
	}
	first := append([]step{
		{"POST", "/audit_logs/actions/a.b/schemas", `{"targets":[{"type":"x"}]}`, 201, `"version":1`},
		{"POST", "/audit_logs/actions/a.b/schemas", `{"targets":[{"type":"y"}]}`, 201, `"version":2`},
		{"POST", "/audit_logs/events", of("a.b", `[{"id":"1","type":"x"}]`), 201, "true"},
	}, both...)
	for _, steps := range [][]step{first, both} {
		s := serve(t, vars, "--db", filepath.Join(dir, "daybook.db"))
		for _, c := range steps {
			r, err := http.NewRequestWithContext(t.Context(), c.method, s.url+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+secret)
			if strings.HasPrefix(c.path, "/v1/") {
				r.Header.Set("Daybook-Org", "org_1")
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close() //nolint:errcheck // read to its end
			if err != nil || res.StatusCode != c.status || !strings.Contains(string(text), c.want) {
				t.Errorf("%s %s %s: %d %s %v", c.method, c.path, c.body, res.StatusCode, text, err)
			}
		}
		s.end(errors.New("enough"))
	}
}
