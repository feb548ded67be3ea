package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
)

// faultyBook answers a recording with an error, or panics.
type faultyBook struct {
	api.Book
	err error
}

func (b faultyBook) RecordJSON(context.Context, daybook.OrgID, daybook.Request) (daybook.Result, error) {
	if b.err == nil {
		panic("secret of the heap")
	}
	return daybook.Result{}, b.err
}

// TestFaults: what a Book can answer, and what the caller is told. Nothing of the inside is told.
func TestFaults(t *testing.T) {
	t.Parallel()
	many := &daybook.BatchError{}
	for i := range 100 {
		many.Errors = append(many.Errors, daybook.EventError{Index: 2 * i, Err: &daybook.Error{Code: daybook.CodeInvalid, Rule: "required", Field: "/action", Message: "m"}})
	}
	for name, tt := range map[string]struct {
		err        error
		status     int
		code       string
		retryAfter string
	}{
		"overloaded":     {&daybook.Error{Code: daybook.CodeOverloaded, Message: "m"}, 503, "overloaded", "1"},
		"no space":       {&daybook.Error{Code: daybook.CodeOverloaded, Message: "m", Err: fmt.Errorf("append: %w", daybook.ErrNoSpace)}, 507, "overloaded", "30"},
		"frozen":         {&daybook.Error{Code: daybook.CodeUnavailable, Rule: "log_frozen", Message: "m"}, 503, "log_frozen", "5"},
		"unknown":        {fmt.Errorf("%w: %w", daybook.ErrUnknownOutcome, errDisk), 503, "unknown_outcome", "1"},
		"unknown, coded": {fmt.Errorf("%w: %w", daybook.ErrUnknownOutcome, &daybook.Error{Code: daybook.CodeInvalid}), 503, "unknown_outcome", "1"},
		"key conflict":   {&daybook.Error{Code: daybook.CodeConflict, Rule: "key_conflict", Message: "m"}, 409, "key_conflict", ""},
		"tampered":       {&daybook.Error{Code: daybook.CodeTampered, Rule: "damaged", Message: "secret block 7"}, 500, "store_damaged", ""},
		"internal":       {fmt.Errorf("append 3 events: %w", errDisk), 500, "internal", ""},
		"coded internal": {&daybook.Error{Code: daybook.CodeInternal, Message: "secret", Err: errDisk}, 500, "internal", ""},
		"unreachable":    {fmt.Errorf("look up keys: %w: %w", daybook.ErrUnreachable, errDisk), 503, "store_unreachable", "1"},
		"too slow":       {context.DeadlineExceeded, 503, "overloaded", "1"},
		"many":           {many, 400, "required", ""},
		"panic":          {nil, 500, "internal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &logged{}
			f := newFixture(t, setup{deps: func(d *api.Deps) { d.Book, d.Logger = faultyBook{d.Book, tt.err}, log.logger() }})
			w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: event("a.b", "")})
			var p struct {
				Title, Code, Detail string
				Status              int
				RequestID           string `json:"request_id"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if w.Code != tt.status || p.Status != tt.status || p.Code != tt.code || w.Header().Get("Retry-After") != tt.retryAfter || p.Title != http.StatusText(tt.status) {
				t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
			}
			if p.RequestID != w.Header().Get("X-Request-Id") || !strings.Contains(log.String(), p.RequestID) {
				t.Errorf("the request id %s is not in the log:\n%s", p.RequestID, log)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("the answer tells of the inside: %s", w.Body)
			}
			if tt.status == 500 && tt.err != nil && !strings.Contains(log.String(), tt.err.Error()) {
				t.Errorf("the log does not hold the error in full:\n%s", log)
			}
			if tt.err == nil && !strings.Contains(log.String(), "secret of the heap") {
				t.Errorf("the log does not hold the panic:\n%s", log)
			}
		})
	}
}

// No key, no body and no query is ever logged, at whatever level.
func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	log := &logged{}
	f := newFixture(t, setup{deps: func(d *api.Deps) { d.Logger = log.logger() }})
	f.record(f.acme, event("bodysecret.done", ""))
	f.do(ask{path: "/v1/events?q=querysecret", key: f.acme})
	f.do(ask{path: "/v1/events", key: f.acme + "x"})
	f.do(ask{path: "/v1/events?from=timesecret", key: f.acme})
	f.do(ask{method: "POST", path: "/v1/keys", key: f.admin, body: `{"org":null,"scopes":["read"]}`})
	f.do(ask{path: "/v1/whoami%E2%80%AE%1B[2J%0A", key: f.acme})
	for line := range strings.Lines(log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["msg"] != "request" || fields["request_id"] == nil {
			t.Errorf("%v: %s", err, line)
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 6 {
		t.Errorf("%d lines for 6 requests", n)
	}
	for _, secret := range []string{"dbk_", "querysecret", "bodysecret", "timesecret", "\x1b", "\u202e", `\u001b`, f.acme[4:20]} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{rate: 2})
	var last *httptest.ResponseRecorder
	for range 3 {
		last = f.do(ask{path: "/v1/whoami", key: f.acme})
	}
	if last.Code != 429 || last.Header().Get("Retry-After") != "1" || !strings.Contains(last.Body.String(), `"rate_limited"`) {
		t.Errorf("%d %v %s", last.Code, last.Header(), last.Body)
	}
	if w := f.do(ask{path: "/v1/whoami", key: f.globex}); w.Code != 200 {
		t.Errorf("another key: %d", w.Code)
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, event("a.b", `,"targets":[{"type":"a/b","id":"c d/e%2Ff"}]`))
	count := func(path string) int {
		w := f.do(ask{path: path, key: f.acme})
		if w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		return strings.Count(w.Body.String(), `"action"`)
	}
	// Percent-decoded once: %252F is the id's own %2F.
	if n := count("/v1/targets/a%2Fb/c%20d%2Fe%252Ff/events"); n != 1 {
		t.Errorf("%d entries of the target", n)
	}
	if n := count("/v1/targets/a%2Fb/c%20d%2Fe%2Ff/events"); n != 0 {
		t.Errorf("%d entries of a target decoded twice", n)
	}
	if n := count("/v1/actors/user/usr_7/events"); n != 1 {
		t.Errorf("%d entries of the actor", n)
	}
	for path, want := range map[string]int{
		"/v1/targets/a//events": 404, "/v1/events/": 404, "/v1/../v1/whoami": 404, "//v1/whoami": 404, "/v1/./whoami": 404, "/v1/whoami/.": 404,
		"/v1/targets/a/%2E%2E/events": 200, "/": 404, "/v1/targets/a/b/c/events": 404, "/v1/whoami%2F": 404,
	} {
		w := f.do(ask{path: path, key: f.acme})
		if w.Code != want || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	for path, allow := range map[string]string{
		"/v1/events": "GET, HEAD, POST", "/v1/keys/key_x": "DELETE", "/v1/whoami": "GET, HEAD", "/audit_logs/events": "POST",
	} {
		w := f.do(ask{method: "PATCH", path: path, key: f.acme})
		if w.Code != 405 || w.Header().Get("Allow") != allow {
			t.Errorf("PATCH %s: %d, Allow %q", path, w.Code, w.Header().Get("Allow"))
		}
	}
	if w := f.do(ask{method: "HEAD", path: "/v1/events", key: f.acme}); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	if w := f.do(ask{path: "/readyz"}); w.Code != 200 {
		t.Errorf("at first: %d", w.Code)
	}
	f.server.Close()
	f.server.Close()
	if w := f.do(ask{path: "/readyz"}); w.Code != 503 || !strings.Contains(w.Body.String(), "not_ready") || w.Header().Get("Retry-After") == "" {
		t.Errorf("while stopping: %d %s", w.Code, w.Body)
	}
	if w := f.do(ask{path: "/healthz"}); w.Code != 200 {
		t.Errorf("alive while stopping: %d", w.Code)
	}
	broken := newFixture(t, setup{deps: func(d *api.Deps) { d.Docs = failingDocuments{} }})
	if w := broken.do(ask{path: "/readyz"}); w.Code != 503 || strings.Contains(w.Body.String(), "fire") {
		t.Errorf("with a broken store: %d %s", w.Code, w.Body)
	}
}

type failingDocuments struct{ daybook.Documents }

func (failingDocuments) List(context.Context, string, daybook.OrgID, string, int) ([]daybook.Document, error) {
	return nil, errDisk
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, event("a.b", ""))
	f.do(ask{path: "/v1/nothing/" + strings.Repeat("x", 100), key: f.acme})
	text := f.do(ask{path: "/metrics", key: f.admin}).Body.String()
	for _, want := range []string{
		`daybook_http_requests_total{method="POST",route="/v1/events",status="201"} 1`,
		`daybook_http_requests_total{method="any",route="none",status="404"} 1`,
		`daybook_entries_total 1`, `daybook_commit_seconds_count 1`, "daybook_merge_debt_entries", "daybook_queue_bytes 0", "daybook_commit_wait_seconds_bucket", "go_goroutines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not there", want)
		}
	}
	if strings.Contains(text, "xxxx") || strings.Contains(text, "org_acme") {
		t.Error("a path or an org is a label")
	}
	without := newFixture(t, setup{deps: func(d *api.Deps) { d.Metrics = nil }})
	if w := without.do(ask{path: "/metrics", key: without.admin}); w.Code != 404 {
		t.Errorf("without metrics: %d", w.Code)
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{deps: func(d *api.Deps) {
		d.Backup = func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, "SQLite format 3")
			return err
		}
	}})
	w := f.do(ask{path: "/v1/backup", key: f.admin})
	if w.Code != 200 || w.Body.String() != "SQLite format 3" || w.Header().Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	failing := newFixture(t, setup{deps: func(d *api.Deps) {
		d.Backup = func(context.Context, io.Writer) error { return errDisk }
	}})
	if w := failing.do(ask{path: "/v1/backup", key: failing.admin}); w.Code != 500 || w.Header().Get("Content-Disposition") != "" {
		t.Errorf("before the first byte: %d %v", w.Code, w.Header())
	}
	log := &logged{}
	half := newFixture(t, setup{deps: func(d *api.Deps) {
		d.Logger = log.logger()
		d.Backup = func(_ context.Context, w io.Writer) error {
			_, _ = io.WriteString(w, "half")
			return errDisk
		}
	}})
	server := httptest.NewServer(half.server)
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+half.admin)
	response, err := http.DefaultClient.Do(r)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	if err == nil {
		t.Error("half a backup looks like a whole one")
	}
	server.Close() // waits for the handler, and so for its line
	if !strings.Contains(log.String(), errDisk.Error()) || !strings.Contains(log.String(), `"level":"ERROR"`) {
		t.Errorf("the log does not say why: %s", log)
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ peer, forwarded, want string }{
		{"198.51.100.7:1", "203.0.113.9", "198.51.100.7"}, // not a proxy of ours: the header is anybody's
		{"10.1.2.3:1", "203.0.113.9", "203.0.113.9"},
		{"10.1.2.3:1", "1.1.1.1, 203.0.113.9, 10.9.9.9", "203.0.113.9"},
		{"10.1.2.3:1", "", "10.1.2.3"},
		{"10.1.2.3:1", "nonsense", "10.1.2.3"},
		{"10.1.2.3:1", "1.1.1.1, nonsense, 10.9.9.9", "10.9.9.9"},
		{"[::ffff:10.1.2.3]:1", "2001:db8::9", "2001:db8::9"},
	} {
		log := &logged{}
		f := newFixture(t, setup{deps: func(d *api.Deps) {
			d.Logger, d.TrustedProxies = log.logger(), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		}})
		r := ask{path: "/v1/whoami", key: f.acme, header: []string{"X-Forwarded-For", tt.forwarded}}.request(t.Context())
		r.RemoteAddr = tt.peer
		f.send(r)
		if !strings.Contains(log.String(), `"client":"`+tt.want+`"`) {
			t.Errorf("%s, %q: %s", tt.peer, tt.forwarded, log)
		}
	}
}

// The example lines of the documents: a key or an id used again.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	post := func(body string, header ...string) (int, string) {
		w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: body, header: header})
		return w.Code, strings.ReplaceAll(w.Body.String(), `"duplicate":true`, `"duplicate":false`)
	}
	batch := "[" + event("a.one", "") + "," + event("a.two", "") + "]"
	code, first := post(batch, "Idempotency-Key", "k")
	if code != 201 {
		t.Fatal(code, first)
	}
	f.Add(time.Hour)
	// White space and the order of members do not matter.
	again := "[ " + `{"actor":{"id":"usr_7","type":"user"},"action":"a.one"}` + " ,\n" + event("a.two", "") + "]"
	if code, text := post(again, "Idempotency-Key", "k"); code != 200 || text != first {
		t.Errorf("again: %d %s, was %s", code, text, first)
	}
	if code, text := post(event("a.one", ""), "Idempotency-Key", "k"); code != 409 || !strings.Contains(text, "key_conflict") {
		t.Errorf("other content: %d %s", code, text)
	}
	for _, key := range []string{"", strings.Repeat("k", 256)} {
		r := ask{method: "POST", path: "/v1/events", key: f.acme, body: batch}.request(t.Context())
		r.Header["Idempotency-Key"] = []string{key}
		if w := f.send(r); w.Code != 400 || !strings.Contains(w.Body.String(), `"field":"Idempotency-Key"`) {
			t.Errorf("a key of %d bytes: %d %s", len(key), w.Code, w.Body)
		}
	}
	if code, _ := post(batch, "Idempotency-Key", strings.Repeat("k", 255)); code != 201 {
		t.Errorf("a key of 255 bytes: %d", code)
	}
	// The key is one organization's.
	if w := f.do(ask{method: "POST", path: "/v1/events", key: f.globex, body: event("a.b", ""), header: []string{"Idempotency-Key", "k"}}); w.Code != 201 {
		t.Errorf("another organization: %d %s", w.Code, w.Body)
	}
}
