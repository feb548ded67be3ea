package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/storetest"
)

// TestBackupRestore brings back a server as it was while everybody wrote: from a copy by pg_basebackup, or from an older copy and the
// archived write-ahead log up to a named point. What was acknowledged before the copy, or the point, is there. To the high-water store,
// which was not copied, it is a rollback: logs of which more was signed are frozen, take nothing, and go on in a new epoch. What was
// erased afterwards is erased again before anybody can read it.
func TestBackupRestore(t *testing.T) {
	t.Parallel()
	rounds := 1
	if os.Getenv("DAYBOOK_TEST_SIZE") == "nightly" {
		rounds = 20
	}
	for round := range rounds {
		for name, back := range map[string]func(*testing.T, *pgtest.Server) (during func(), restore func() *pgtest.Server){
			"copy": toCopy, "point in time": toPoint,
		} {
			t.Run(fmt.Sprint(name, " ", round), func(t *testing.T) {
				t.Parallel()
				backupRestore(t, back)
			})
		}
	}
}

// archiving keeps the write-ahead log beside the data folder, in which PostgreSQL runs the command.
var archiving = []string{"archive_mode=on", "archive_command=mkdir -p ../archive && test ! -e ../archive/%f && cp %p ../archive/%f"}

// toCopy makes the copy while the writers write, and starts a server on it.
func toCopy(t *testing.T, live *pgtest.Server) (during func(), restore func() *pgtest.Server) {
	t.Helper()
	copied := filepath.Join(live.Folder(), "copy")
	during = func() { live.Run(t, "pg_basebackup", "-D", copied, "-c", "fast", "-X", "stream") }
	return during, func() *pgtest.Server { return pgtest.Start(t, pgtest.Options{Data: copied}) }
}

// toPoint makes the copy before anybody writes and names the point while they do. Nobody can connect before that point is reached.
func toPoint(t *testing.T, live *pgtest.Server) (during func(), restore func() *pgtest.Server) {
	t.Helper()
	copied := filepath.Join(live.Folder(), "copy")
	live.Run(t, "pg_basebackup", "-D", copied, "-c", "fast", "-X", "stream")
	during = func() {
		live.SQL(t, "postgres", "SELECT pg_create_restore_point('here')")
		live.SQL(t, "postgres", "SELECT pg_switch_wal()") // archived when the server stops in order, at the latest
	}
	return during, func() *pgtest.Server {
		if err := os.WriteFile(filepath.Join(copied, "recovery.signal"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return pgtest.Start(t, pgtest.Options{Data: copied, Settings: []string{
			"restore_command=cp '" + live.Folder() + "/archive/%f' %p", "recovery_target_name=here", "recovery_target_action=promote", "hot_standby=off",
		}})
	}
}

func backupRestore(t *testing.T, back func(*testing.T, *pgtest.Server) (during func(), restore func() *pgtest.Server)) {
	t.Helper()
	live := pgtest.Start(t, pgtest.Options{Settings: archiving})
	base := live.Database(t)
	o := busy()
	o.HighWater, o.LeaseTime = storetest.Marks(), time.Second
	s, b := openBook(t, live.URL(base), o)
	by := daybook.Party{Type: "user", ID: "officer"}
	victim := []byte(`{"action":"user.login","actor":{"type":"user","id":"1","name":"victim"}}`)
	if _, err := b.RecordJSON(t.Context(), "org_victim", daybook.Request{Events: [][]byte{victim, victim}}); err != nil {
		t.Fatal(err)
	}
	h := storetest.NewHistory(storetest.Load{Seed: rand.Uint64(), Start: time.Now().UnixMicro(), Writers: 4, Orgs: 5})
	during, restore := back(t, live)
	writeAround(t, b, h, during)
	if _, err := b.Erase(t.Context(), daybook.EraseRequest{Org: "org_victim", Actor: &daybook.Party{Type: "user", ID: "1"}, Reason: "r", By: by}); err != nil {
		t.Fatal(err)
	}
	if err := b.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Close(), s.Close()); err != nil { // which signs everything
		t.Fatal(err)
	}
	live.Kill(syscall.SIGINT)

	restored := restore()
	s, err := postgres.Open(t.Context(), restored.URL(base), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.Check(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, b = openBook(t, restored.URL(base), o)
	if n := len(b.Reapplied()); n != 1 {
		t.Errorf("%d erasures were carried out again: %+v", n, b.Reapplied())
	}
	for e, err := range b.Events(t.Context(), daybook.EventQuery{Org: "org_victim", Text: "victim"}) {
		t.Errorf("entry %d is found: %v", e.Seq, err)
	}
	frozen, err := b.FrozenLogs(t.Context())
	if err != nil || len(frozen) == 0 {
		t.Fatalf("frozen: %+v, %v", frozen, err)
	}
	for _, f := range frozen {
		if _, err := b.RecordJSON(t.Context(), f.Org, daybook.Request{Events: [][]byte{victim}}); daybook.CodeOf(err) != daybook.CodeUnavailable {
			t.Errorf("%s is frozen and takes entries: %v", f.Org, err)
		}
		info, err := b.NewEpoch(t.Context(), daybook.EpochRequest{Org: f.Org, Cause: daybook.CauseRestore, By: by})
		if err != nil || info.Epoch != 1 {
			t.Fatalf("new epoch of %s: %+v, %v", f.Org, info, err)
		}
		if _, err := b.Record(t.Context(), f.Org, daybook.Event{Action: "load.resumed", Actor: daybook.Actor{Type: "user", ID: "1"}}); err != nil {
			t.Errorf("%s in its new epoch: %v", f.Org, err)
		}
	}
	if !slices.ContainsFunc(frozen, func(f daybook.FrozenLog) bool { return f.Org == "org_victim" }) {
		t.Errorf("the erasure was signed, and its log is not frozen: %+v", frozen)
	}
	if err := errors.Join(b.Settle(t.Context()), b.Close()); err != nil {
		t.Fatal(err)
	}
	report, err := daybook.Fsck(t.Context(), s, daybook.FsckOptions{HighWater: o.HighWater, Origin: o.Origin})
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("fsck: %+v, %v", report.Findings, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	restored.Run(t, "pg_amcheck", "--install-missing", "-d", base)
}

func openBook(t *testing.T, url string, o daybook.Options) (*postgres.Store, *daybook.Book) {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, postgres.Options{Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	b, err := daybook.Open(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

// writeAround lets the writers of h write before, while and after do runs. What was acknowledged before it is in the history, of the rest
// it says that it may have been recorded.
func writeAround(t *testing.T, b *daybook.Book, h *storetest.History, do func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	begun, late, during, done, ready := 0, 0, false, false, make(chan struct{})
	var writers sync.WaitGroup
	for w := range h.Load.Writers {
		writers.Go(func() {
			h.Load.Write(ctx, b, w, 0, 1<<30, 0, func(a storetest.Answer) {
				mu.Lock()
				defer mu.Unlock()
				if during {
					a = storetest.Answer{Writer: a.Writer, No: a.No}
				}
				if err := h.Add(a); err != nil {
					t.Error(err)
				}
				if begun++; begun == 100 {
					close(ready)
				}
				if done {
					late++
				}
				if late == 100 {
					cancel()
				}
			})
		})
	}
	<-ready
	mu.Lock()
	during = true
	mu.Unlock()
	do()
	mu.Lock()
	done = true
	mu.Unlock()
	writers.Wait()
}
