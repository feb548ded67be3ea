package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/verify"
)

// pruned is a watched log of which whole runs have lost their hashes: its first 512 entries and, from 768 on, nothing. A control entry
// lies at 600.
func pruned(t *testing.T) *watched {
	t.Helper()
	var ahead atomic.Int64
	w := watch(t, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	w.record(595)
	h, err := w.book.PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_acme", Text: "seq:3", Reason: "r", By: daybook.Party{Type: "user", ID: "usr_7"}})
	if err != nil || h.Seq != 600 {
		t.Fatalf("%+v, %v", h, err)
	}
	if _, err := w.book.ReleaseHold(t.Context(), "org_acme", h.ID, "over", daybook.Party{Type: "user", ID: "usr_7"}); err != nil {
		t.Fatal(err)
	}
	w.record(500)
	server := w.start()
	if code, line := w.round(server, "--state", w.dir+"/behind"); code != 0 || line.New != 1102 {
		t.Fatalf("exit %d, %+v", code, line)
	}
	ahead.Store(int64(10 * 24 * time.Hour))
	w.record(3)
	keep, err := daybook.ParsePeriod("5d")
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.book.ApplyRetention(t.Context(), "org_acme", daybook.Retention{Rules: []daybook.RetentionRule{{Keep: keep, Leave: daybook.LeaveTile}}})
	if err != nil || out.Entries != 1100 {
		t.Fatalf("%+v, %v", out, err)
	}
	for again := true; again; again = w.book.Stats().Removals > 0 {
		if _, err := w.book.Checkpoint(t.Context(), "org_acme"); err != nil {
			t.Fatal(err)
		}
		if err := w.book.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := w.book.LogInfo(t.Context(), "org_acme"); err != nil || info.MinIndex != 1024 {
		t.Fatalf("%+v, %v", info, err)
	}
	return w
}

// TestVerify_pruned verifies a log online whose first runs were pruned with their hashes: the prune entries explain them, and what
// they do not explain is verified as well.
func TestVerify_pruned(t *testing.T) {
	t.Parallel()
	w := pruned(t)
	server := w.start()
	stdout, stderr, code := w.run("verify", "--full", "--server", server.URL, "--org", "org_acme", "--vkey", w.vkey, "-o", "json")
	if code != 0 || !strings.Contains(stdout, `"hashed":`) || !strings.Contains(stdout, "entries 0 to 511 were pruned with their hashes") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	for state, size := range map[string]int64{"behind": 5, "new": 1107} {
		if code, line := w.round(server, "--state", w.dir+"/"+state); code != 0 || line.New != size {
			t.Errorf("%s: exit %d, %+v", state, code, line)
		}
	}
	// A server that hides more behind its min_index than the log says is not believed.
	w.front.show(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if from := r.URL.Query().Get("from"); strings.HasSuffix(r.URL.Path, "/bundle") && from == "512" {
			rw.WriteHeader(http.StatusGone)
			return
		}
		w.handler.ServeHTTP(rw, r)
	}))
	if code, line := w.round(server, "--state", w.dir+"/hidden"); code != 7 || !has(line, verify.ProofMissing) {
		t.Errorf("exit %d, %+v", code, line)
	}
}
