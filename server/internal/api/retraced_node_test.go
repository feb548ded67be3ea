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

// TestRetracedNode runs the official client, in several versions, against the door: it recomputes every hash, and it must not see that
// this is not Retraced.
func TestRetracedNode(t *testing.T) {
	t.Parallel()
	const (
		event = `event: true
anonymous: true
`
		bulk = `bulk: 2
bulk, one wrong: Error Unexpected HTTP response: 400 Bad Request
bulk of 51: Error Unexpected HTTP response: 400 Bad Request
`
		rest = `without an action: Error Unexpected HTTP response: 400 Bad Request
unknown member: Error Unexpected HTTP response: 400 Bad Request
wrong key: Error Unexpected HTTP response: 401 Unauthorized
viewer token: true
query: {"total":2,"pages":["invoice.update","invoice.update"],"at":"2026-01-02T03:04:05.678Z","fields":{},"ip":"2001:db8::1","by":"Ada Lovelace",` +
			`"on":{"id":"inv:42%","name":"Invoice 42","href":"https://app.example/i/42","type":"invoice"},"of":{"id":"org-1","name":"Acme: 100% & co"},` +
			`"failed":true,"says":"**Ada Lovelace** performed the action **invoice.update** on the item **Invoice 42**.","what":"Ada updated invoice 42",` +
			`"from":["billing","git-abc123"]}
query that is wrong: Error Unexpected HTTP response: 400 Bad Request
`
	)
	script, err := filepath.Abs("testdata/retraced/client.cjs")
	if err != nil {
		t.Fatal(err)
	}
	folder, clients, err := nodeClients(t.Context(), "testdata/retraced")
	if err != nil {
		t.Fatal(err)
	}
	if len(clients) < 3 {
		t.Errorf("only %d versions", len(clients))
	}
	for _, client := range clients {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setup{})
			server := httptest.NewServer(f.server)
			t.Cleanup(server.Close)
			key := f.key("", auth.Record|auth.Read|auth.Viewer)
			f.Add(time.Second)
			out, err := exec.CommandContext(t.Context(), "node", script, folder, client, server.URL+"/auditlog", key).CombinedOutput()
			if want := event + bulk + rest; err != nil || string(out) != want {
				t.Errorf("%v\n%s", err, out)
			}
			w := f.do(ask{path: "/v1/events?q=action:invoice.*", key: f.admin, header: []string{"Daybook-Org", "org-1"}})
			if strings.Count(w.Body.String(), `"seq"`) != 3 || !strings.Contains(w.Body.String(), `"crud":"c"`) {
				t.Errorf("the log: %s", w.Body)
			}
		})
	}
}
