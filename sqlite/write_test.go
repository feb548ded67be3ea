package sqlite_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
)

// The end of a context does not interrupt a COMMIT that was sent, nor make one that succeeded look failed.
func TestAppend_context_ends_before_commit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "daybook.db")
	ctx, cancel := context.WithCancel(t.Context())
	s, err := sqlite.Open(path, sqlite.BeforeCommit(cancel))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(ctx, commit(0, 100)); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tail, err := open(t, path).Tail(t.Context(), 0, 0, 1)
	if err != nil || tail.Last != 1 {
		t.Errorf("last is %d, %v", tail.Last, err)
	}
}

// A commit waits for the transaction that runs, not for those that wait: when the third transaction is about to be committed, the commit
// that came last is there.
func TestAppend_goes_before_waiting_merges(t *testing.T) {
	t.Parallel()
	about, goOn := make(chan struct{}), make(chan struct{})
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "daybook.db"), sqlite.BeforeCommit(func() {
		about <- struct{}{}
		<-goOn
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	var calls sync.WaitGroup
	call := func(f func() error) {
		calls.Go(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	merge := func() error { return s.Replace(t.Context(), nil) }
	call(merge)
	<-about
	for range 4 {
		call(merge)
	}
	s.AwaitWaiting(4)
	call(func() error { return s.Append(t.Context(), commit(0, 100)) })
	s.AwaitWaiting(5)
	for i, want := range []int{0, 0, 1, 1, 1, 1} { // rows that are there before each of the six COMMITs
		if i > 0 {
			<-about
		}
		if tail, err := s.Tail(t.Context(), 0, 0, 1<<20); err != nil || len(tail.Rows) != want {
			t.Errorf("%d rows before COMMIT %d, want %d (%v)", len(tail.Rows), i, want, err)
		}
		goOn <- struct{}{}
	}
	calls.Wait()
}

func TestBackup(t *testing.T) {
	t.Parallel()
	t.Run("it is whole and consistent while commits go on", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		s := open(t, filepath.Join(dir, "daybook.db"))
		var all []*daybook.Commit
		add := func() {
			c := commit(daybook.CommitNo(len(all)), 100_000)
			if err := s.Append(t.Context(), c); err != nil {
				t.Error(err)
			}
			all = append(all, c)
		}
		for range 100 {
			add()
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for ctx.Err() == nil {
				add()
			}
		})
		dst := filepath.Join(dir, "copy.db")
		stat, err := s.Backup(t.Context(), dst)
		stop()
		wg.Wait()
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dst)
		if err != nil || info.Size() != stat.Bytes || info.Mode() != 0o600 {
			t.Errorf("the copy is %v, want %d bytes (%v)", info, stat.Bytes, err)
		}
		if stat.Through < 100 || int(stat.Through) > len(all) {
			t.Errorf("through %d of %d", stat.Through, len(all))
		}
		if err := integrity(t, dst); err != nil {
			t.Error(err)
		}
		restored := open(t, dst)
		tail, err := restored.Tail(t.Context(), 0, 0, 1<<40)
		if err != nil || tail.Last != stat.Through || len(tail.Rows) != int(stat.Through) {
			t.Fatalf("last %d, %d rows, %v; want %d", tail.Last, len(tail.Rows), err, stat.Through)
		}
		for i, row := range tail.Rows {
			if string(row.Bytes) != string(all[i].Bytes) {
				t.Fatalf("commit %d differs", row.N)
			}
		}
		if err := restored.Append(t.Context(), commit(stat.Through, 100)); err != nil {
			t.Error(err)
		}
	})
	t.Run("it never replaces a file", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		s := open(t, filepath.Join(dir, "daybook.db"))
		dst := filepath.Join(dir, "copy.db")
		if err := os.WriteFile(dst, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Backup(t.Context(), dst); !errors.Is(err, fs.ErrExist) {
			t.Errorf("error is %v", err)
		}
		if b, err := os.ReadFile(dst); err != nil || string(b) != "mine" {
			t.Errorf("the file is %q, %v", b, err)
		}
	})
	t.Run("given up, it leaves nothing and the store goes on", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		s := open(t, filepath.Join(dir, "daybook.db"))
		for n := range daybook.CommitNo(50) {
			if err := s.Append(t.Context(), commit(n, 100_000)); err != nil {
				t.Fatal(err)
			}
		}
		sqlite.AfterStep(s, cancel)
		if _, err := s.Backup(ctx, filepath.Join(dir, "copy.db")); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		sqlite.AfterStep(s, nil)
		names, err := filepath.Glob(filepath.Join(dir, "copy*"))
		if err != nil || len(names) > 0 {
			t.Errorf("left %v, %v", names, err)
		}
		if err := s.Append(t.Context(), commit(50, 100)); err != nil {
			t.Error(err)
		}
		if _, err := s.Backup(t.Context(), filepath.Join(dir, "copy.db")); err != nil {
			t.Error(err)
		}
	})
}
