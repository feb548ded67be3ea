//go:build linux

package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
	"github.com/daybook-audit/daybook/storetest"
)

// TestBackupRestore takes a backup while everybody writes, erases some afterwards, and restores: what was acknowledged before the backup
// is there, what was erased after it is in no file of the restored store before anybody has read it.
func TestBackupRestore(t *testing.T) {
	t.Parallel()
	rounds := 3
	if nightly {
		rounds = 100
	}
	random := seeded(t)
	for round := range rounds {
		load := storetest.Load{Seed: random.Uint64(), Start: crashStart, Writers: 4, Orgs: 5}
		values := rand.New(rand.NewPCG(random.Uint64(), 0))
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			t.Parallel()
			backupRestore(t, load, values)
		})
	}
}

// crashStart is a time for the ids of a load.
const crashStart = 1_795_000_000_000_000

// The orgs of what is erased; those of the load have other names.
const (
	erasedFrom daybook.OrgID = "org_victims"
	erasedOrg  daybook.OrgID = "org_gone"
)

// instance is a store with its high-water store and a Book.
type instance struct {
	store *sqlite.Store
	marks *sqlite.HighWater
	book  *daybook.Book
}

func openInstance(t *testing.T, db, marks string) *instance {
	t.Helper()
	var i instance
	var err error
	if i.store, err = sqlite.Open(db, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	if i.marks, err = sqlite.OpenHighWater(marks); err != nil {
		t.Fatal(err)
	}
	o := smallTail
	o.Origin, o.MasterKey, o.HighWater, o.Dropped = crashOrigin, make([]byte, 32), i.marks, i.store.DeleteOrg
	if i.book, err = daybook.Open(t.Context(), i.store, o); err != nil {
		t.Fatal(err)
	}
	return &i
}

func (i *instance) close(t *testing.T) {
	t.Helper()
	if err := errors.Join(i.book.Close(), i.store.Close(), i.marks.Close()); err != nil {
		t.Fatal(err)
	}
}

func backupRestore(t *testing.T, load storetest.Load, values *rand.Rand) {
	t.Helper()
	dir, outside, backups, restored := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	live := openInstance(t, filepath.Join(dir, "daybook.db"), filepath.Join(outside, "highwater.db"))
	recordVictims(t, live.book, values)
	history, stop := storetest.NewHistory(load), make(chan struct{})
	copied := filepath.Join(backups, "copy.db")
	writeAround(t, live.book, history, stop, func() {
		if _, err := live.store.Backup(t.Context(), copied); err != nil {
			t.Error(err)
		}
	})
	ids := eraseVictims(t, live.book)
	live.close(t)

	verifyCopy(t, copied, history)
	db := duplicate(t, copied, restored)
	store, err := sqlite.Open(db, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := storedIn(t, store, erasedFrom, erasedOrg)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(before.foundIn(t, restored)); n < len(before)/2 {
		t.Fatalf("only %d of %d samples are in the backup: the test looks in the wrong place", n, len(before))
	}
	again := openInstance(t, db, filepath.Join(outside, "highwater.db"))
	if got := again.book.Reapplied(); len(got) != len(ids)+1 {
		t.Errorf("reapplied %+v, want %v and %s", got, ids, erasedOrg)
	}
	check := func(when string) {
		t.Helper()
		after := storedIn(t, again.store)
		gone := runs{}
		for run := range before {
			if _, kept := after[run]; !kept {
				gone[run] = struct{}{}
			}
		}
		if len(gone) < len(before)/3 {
			t.Errorf("%s: only %d of %d samples are of what went", when, len(gone), len(before))
		}
		for run := range gone.foundIn(t, restored) {
			t.Errorf("%s: of what held what was erased %q is found", when, run)
		}
	}
	check("at the start")
	goesOnAfter(t, again.book, ids)
	check("in the next epoch")
	again.close(t)
	verifyRestored(t, db, filepath.Join(outside, "highwater.db"))
}

// writeAround lets the writers of a load write before, while and after do runs. In the history, what was acknowledged before do is known,
// and the rest may have been recorded or not.
func writeAround(t *testing.T, b *daybook.Book, h *storetest.History, stop chan struct{}, do func()) {
	t.Helper()
	var writers sync.WaitGroup
	var begun atomic.Int64
	var mu sync.Mutex
	during := false
	ready := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	for w := range h.Load.Writers {
		writers.Go(func() {
			h.Load.Write(ctx, b, w, 0, 1<<30, 0, func(a storetest.Answer) {
				mu.Lock()
				if during {
					a = storetest.Answer{Writer: a.Writer, No: a.No}
				}
				err := h.Add(a)
				mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if begun.Add(1) == 200 {
					close(ready)
				}
				select {
				case <-stop:
					cancel()
				default:
				}
			})
		})
	}
	<-ready
	mu.Lock()
	during = true
	mu.Unlock()
	do()
	close(stop)
	writers.Wait()
	cancel()
}

// recordVictims records what will be erased, merged so that it lies in blocks.
func recordVictims(t *testing.T, b *daybook.Book, values *rand.Rand) {
	t.Helper()
	for _, org := range []daybook.OrgID{erasedFrom, erasedOrg} {
		var events [][]byte
		for i := range 60 {
			name := make([]byte, 60)
			for k := range name {
				name[k] = byte(values.IntN(256))
			}
			events = append(events, fmt.Appendf(nil, `{"action":"invoice.paid","actor":{"type":"user","id":"usr_%d","name":"%s"}}`, i%3, hex.EncodeToString(name)))
		}
		if _, err := b.RecordJSON(t.Context(), org, daybook.Request{Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, org := range []daybook.OrgID{erasedFrom, erasedOrg} {
		if _, err := b.Checkpoint(t.Context(), org); err != nil {
			t.Fatal(err)
		}
	}
}

// eraseVictims erases fields of one person, whole entries of another, and an organization, and returns the ids of the erasures.
func eraseVictims(t *testing.T, b *daybook.Book) (ids []string) {
	t.Helper()
	for _, r := range []daybook.EraseRequest{
		{Actor: &daybook.Party{Type: "user", ID: "usr_0"}}, {Actor: &daybook.Party{Type: "user", ID: "usr_1"}, Whole: true},
	} {
		r.Org, r.Reason, r.By = erasedFrom, "request 7", daybook.Party{Type: "user", ID: "officer"}
		x, err := b.Erase(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, x.ID)
	}
	if err := b.DropOrg(t.Context(), daybook.DropRequest{Org: erasedOrg}); err != nil {
		t.Fatal(err)
	}
	if err := b.FinishDrop(t.Context(), erasedOrg); err != nil {
		t.Fatal(err)
	}
	if err := b.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if x, err := b.Erasure(t.Context(), erasedFrom, id); err != nil || x.CompletedAt == 0 {
			t.Fatalf("%+v, %v", x, err)
		}
	}
	return ids
}

// goesOnAfter begins the next epoch of every log that was rolled back, and fails unless that of the victims names the erasures.
func goesOnAfter(t *testing.T, b *daybook.Book, ids []string) {
	t.Helper()
	frozen, err := b.FrozenLogs(t.Context())
	if err != nil || len(frozen) == 0 {
		t.Fatalf("%+v, %v", frozen, err)
	}
	for _, f := range frozen {
		if _, err := b.NewEpoch(t.Context(), daybook.EpochRequest{Org: f.Org, Cause: daybook.CauseRestore, By: daybook.Party{Type: "user", ID: "operator"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if x, err := b.Erasure(t.Context(), erasedFrom, id); err != nil || x.CompletedAt == 0 || x.Of == "" {
			t.Errorf("%+v, %v", x, err)
		}
	}
	if info, err := b.Info(t.Context(), erasedOrg); err != nil || info[0].Exists {
		t.Errorf("%+v, %v", info, err)
	}
}

// verifyRestored checks the whole store: nothing but what the next epochs name is gone.
func verifyRestored(t *testing.T, db, marks string) {
	t.Helper()
	store, err := sqlite.Open(db, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := sqlite.OpenHighWater(marks)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(store.Close(), m.Close()); err != nil {
			t.Error(err)
		}
	}()
	report, err := daybook.Fsck(t.Context(), store, daybook.FsckOptions{HighWater: m, Origin: crashOrigin})
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("fsck: %+v, %v", report.Findings, err)
	}
	if err := integrity(t.Context(), db); err != nil {
		t.Error(err)
	}
}

// verifyCopy fails t unless a backup holds everything that was acknowledged before it, whole, and of the rest each request as a whole or
// not at all. It works on a copy: checking repeats requests.
func verifyCopy(t *testing.T, copied string, h *storetest.History) {
	t.Helper()
	store, err := sqlite.Open(duplicate(t, copied, t.TempDir()), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.Check(t, store)
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// duplicate copies a file into a folder, as daybook.db.
func duplicate(t *testing.T, from, dir string) string {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "daybook.db")
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// runs are runs of 16 bytes that say where they are from.
type runs map[[16]byte]struct{}

func (r runs) add(b []byte) {
	for i := 0; i+16 <= len(b); i++ {
		run, different := [16]byte(b[i:]), map[byte]struct{}{}
		for _, c := range run {
			different[c] = struct{}{}
		}
		if len(different) > 6 {
			r[run] = struct{}{}
		}
	}
}

// storedIn returns what a store holds in the blocks of some orgs, or of all and in commits if none is named.
func storedIn(t *testing.T, s *sqlite.Store, orgs ...daybook.OrgID) runs {
	t.Helper()
	r := runs{}
	if len(orgs) == 0 {
		tail, err := s.Tail(t.Context(), 0, 1<<60, 1)
		if err == nil {
			tail, err = s.Tail(t.Context(), 0, tail.Merged, 1<<40)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range tail.Rows {
			r.add(row.Bytes)
		}
	}
	for h, err := range daybook.EveryLog(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		if len(orgs) > 0 && !slices.Contains(orgs, h.Org) {
			continue
		}
		for m, err := range s.Blocks(t.Context(), daybook.BlockQuery{Log: h.Log, To: 1 << 40}) {
			if err != nil {
				t.Fatal(err)
			}
			data, err := s.Read(t.Context(), h.Log, []daybook.BlockRef{m.BlockRef})
			if err != nil {
				t.Fatal(err)
			}
			r.add(data[0])
		}
	}
	return r
}

// foundIn returns how many of r the files of a folder hold.
func (r runs) foundIn(t *testing.T, dir string) runs {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := runs{}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+16 <= len(b); i++ {
			if _, ok := r[[16]byte(b[i:])]; ok {
				found[[16]byte(b[i:])] = struct{}{}
			}
		}
	}
	return found
}
