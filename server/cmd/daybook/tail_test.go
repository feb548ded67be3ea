package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// follower is a `daybook tail` in this process, whose output is read line by line.
type follower struct {
	lines  *bufio.Scanner
	stderr bytes.Buffer
	stop   context.CancelCauseFunc
	code   chan int
}

func follow(t *testing.T, server, key string, args ...string) *follower {
	t.Helper()
	ctx, stop := context.WithCancelCause(t.Context())
	in, out := io.Pipe()
	f := &follower{lines: bufio.NewScanner(in), stop: stop, code: make(chan int, 1)}
	vars := map[string]string{"DAYBOOK_SERVER": server, "DAYBOOK_API_KEY": key, "DAYBOOK_ORG": "org_acme"}
	go func() {
		code := run(ctx, append([]string{"tail"}, args...), strings.NewReader(""), out, &f.stderr, func(name string) string { return vars[name] })
		out.Close() //nolint:errcheck // a pipe's never fails
		f.code <- code
	}()
	return f
}

func (f *follower) next(t *testing.T) string {
	t.Helper()
	if !f.lines.Scan() {
		t.Fatalf("the tail ended: exit %d, %s", <-f.code, f.stderr.String())
	}
	return f.lines.Text()
}

// TestTail follows a log while it grows: every entry once, in order, from the position asked for, and a clean end.
func TestTail(t *testing.T) {
	t.Parallel()
	m, key := serverFor(t, filepath.Join(t.TempDir(), "daybook.db"), "")
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	record := func(action string) {
		vars := map[string]string{"DAYBOOK_SERVER": m.URL, "DAYBOOK_API_KEY": key, "DAYBOOK_ORG": "org_acme"}
		var errs bytes.Buffer
		if code := run(t.Context(), []string{"record", action, "--actor", "user:1"}, nil, io.Discard, &errs, func(name string) string { return vars[name] }); code != 0 {
			t.Fatalf("record: exit %d: %s", code, errs.String())
		}
	}
	for i := range 5 {
		record(fmt.Sprintf("a.b%d", i))
	}
	f := follow(t, m.URL, key, "-action:a.b3", "--from-seq", "1", "--json", "seq", "-o", "ndjson")
	if f.lines.Scan() { // what begins with - is a flag until --
		t.Fatalf("a query was taken from a flag: %s", f.lines.Text())
	}
	if code := <-f.code; code != exitUsage {
		t.Fatalf("exit %d: %s", code, f.stderr.String())
	}
	f = follow(t, m.URL, key, "--from-seq", "1", "--json", "seq", "-o", "ndjson", "--", "-action:a.b3")
	for _, want := range []string{`{"seq":1}`, `{"seq":2}`, `{"seq":4}`} {
		if got := f.next(t); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	for i := range 3 {
		record("live.now")
		if got, want := f.next(t), fmt.Sprintf(`{"seq":%d}`, 5+i); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	f.stop(errInterrupted)
	if f.lines.Scan() {
		t.Errorf("a line after the end: %s", f.lines.Text())
	}
	if code := <-f.code; code != exitInterrupted {
		t.Errorf("exit %d, want %d: %s", code, exitInterrupted, f.stderr.String())
	}
}

// TestExits: what a server answers becomes the exit code of the table, with the request id to ask about.
func TestExits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		code   int
		says   string
	}{
		{400, `{"code":"invalid_value","detail":"from is wrong"}`, exitUsage, "from is wrong"},
		{401, `{"code":"unauthorized","detail":"no"}`, exitDenied, "does not take this key"},
		{403, `{"code":"forbidden","detail":"scope \"read\" is missing on key_1"}`, exitDenied, "lacks the scope read"},
		{404, `{"code":"not_found","detail":"gone"}`, exitNotFound, "gone"},
		{409, `{"code":"key_conflict","detail":"other"}`, exitConflict, "stands for other content"},
		{413, `{"code":"too_large","detail":"big"}`, exitUsage, "big"},
		{500, `{"code":"internal","detail":"internal error"}`, exitFailed, "the server made a mistake"},
		{503, `{"code":"log_frozen","detail":"frozen"}`, exitFailed, "the log is frozen"},
		{418, `I am another program`, exitUsage, "answered 418"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Request-Id", "req_7f3k2q9x4m")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body) //nolint:errcheck // the client sees it
		}))
		vars := map[string]string{"DAYBOOK_SERVER": server.URL, "DAYBOOK_API_KEY": "dbk_x"}
		var errs bytes.Buffer
		code := run(t.Context(), []string{"org", "get", "org_acme"}, nil, io.Discard, &errs, func(name string) string { return vars[name] })
		server.Close()
		if code != c.code || !strings.Contains(errs.String(), c.says) || !strings.Contains(errs.String(), "request id: req_7f3k2q9x4m") || strings.Contains(errs.String(), "dbk_") {
			t.Errorf("%d %s: exit %d, want %d and %q:\n%s", c.status, c.body, code, c.code, c.says, errs.String())
		}
	}
}
