//go:build workosnode

// These tests download npm packages: go test -tags workosnode -run TestWorkOSNode ./internal/api

package api_test

import (
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/server/internal/auth"
)

// TestWorkOSNode runs the official client, in several major versions, against the door: it must not see that this is not WorkOS.
func TestWorkOSNode(t *testing.T) {
	t.Parallel()
	const want = `create: ok
repeat: ok
key of another event: BadRequestException 400 idempotency_key_reused Another idempotency key (key-1) with different request parameters was found. Please use a different idempotency key.
without an action: UnprocessableEntityException 422  The following requirement must be met: required
nested metadata: BadRequestException 400 invalid_audit_log_event Invalid Audit Log event. /metadata/nested: must be string,number,boolean
wrong key: UnauthorizedException 401  Could not authorize the request. Maybe your API key is invalid?
`
	script, err := filepath.Abs("testdata/workos/client.cjs")
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"2.20.0", "4.0.3", "6.8.0", "7.82.0", "8.13.0", "9.3.1", "10.14.0", "11.0.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setup{})
			server := httptest.NewServer(f.server)
			t.Cleanup(server.Close)
			folder := t.TempDir()
			install := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, "@workos-inc/node@"+version)
			if out, err := install.CombinedOutput(); err != nil {
				t.Fatalf("npm install: %v\n%s", err, out)
			}
			style := "camel"
			if strings.HasPrefix(version, "2.") {
				style = "snake"
			}
			key := f.key("", auth.Record)
			f.add(time.Second)
			port := server.URL[strings.LastIndexByte(server.URL, ':')+1:]
			out, err := exec.CommandContext(t.Context(), "node", script, folder, port, key, style).CombinedOutput()
			if err != nil || string(out) != want {
				t.Errorf("%v\n%s", err, out)
			}
			w := f.do(ask{path: "/v1/events", key: f.admin, header: []string{"Daybook-Org", "org_1"}})
			if strings.Count(w.Body.String(), `"seq"`) != 1 || !strings.Contains(w.Body.String(), `"occurred_at":"2026-01-02T03:04:05.678Z"`) {
				t.Errorf("the log: %s", w.Body)
			}
		})
	}
}
