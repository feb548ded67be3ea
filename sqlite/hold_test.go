package sqlite_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/sqlite"
)

func TestHold(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "daybook.db")
	s, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), commit(0, 1000)); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Hold(path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a store that is open can be held: %v", err)
	}
	files := map[string][]byte{} // as a crash leaves them: the commit is in the write-ahead log alone
	for _, name := range []string{"", "-wal"} {
		if files[name], err = os.ReadFile(path + name); err != nil || len(files[name]) == 0 {
			t.Fatalf("%q: %d bytes, %v", name, len(files[name]), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	clear(files[""][:100]) // it cannot be opened
	for name, b := range files {
		if err := os.WriteFile(path+name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	held, err := sqlite.Hold(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(path, sqlite.Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a held store can be opened: %v", err)
	}
	there := filepath.Join(filepath.Dir(path), "there.db")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := held.SetAside(there); err == nil {
		t.Error("a file that was there was replaced")
	}
	aside := path + ".before"
	if err := held.SetAside(aside); err != nil {
		t.Fatal(err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(aside + name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %d bytes instead of %d, %v", name, len(got), len(want), err)
		}
		if _, err := os.Lstat(path + name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q is left: %v", name, err)
		}
	}
	// What a crash may have left of a log goes when a store is made there.
	if err := os.WriteFile(path+"-wal", files["-wal"], 0o600); err != nil {
		t.Fatal(err)
	}
	if tail, err := open(t, path).Tail(t.Context(), 0, 0, 1<<20); err != nil || len(tail.Rows) != 0 {
		t.Errorf("a new store has %d commits, %v", len(tail.Rows), err)
	}
}
