package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
	"github.com/daybook-audit/daybook/storetest"
)

func openHighWater(tb testing.TB, path string) *sqlite.HighWater {
	tb.Helper()
	h, err := sqlite.OpenHighWater(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.Close(); err != nil {
			tb.Error(err)
		}
	})
	return h
}

func TestHighWater(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	paths := map[testing.TB]string{}
	storetest.RunHighWater(t, func(tb testing.TB) daybook.HighWater {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if paths[tb] == "" {
			paths[tb] = filepath.Join(tb.TempDir(), "highwater.db")
		}
		return openHighWater(tb, paths[tb])
	})
}

func TestOpenHighWater(t *testing.T) {
	t.Parallel()
	t.Run("the file is for its owner alone", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "highwater.db")
		openHighWater(t, path)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	})
	t.Run("after Close every method fails, and Close does not", func(t *testing.T) {
		t.Parallel()
		h := openHighWater(t, filepath.Join(t.TempDir(), "highwater.db"))
		for range 2 {
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := h.Mark(t.Context(), "a"); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Mark: %v", err)
		}
		if err := h.Advance(t.Context(), "a", daybook.Mark{}, daybook.Mark{Size: 1}); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Advance: %v", err)
		}
		if err := h.Reset(t.Context(), "a", daybook.Mark{Size: 1}); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Reset: %v", err)
		}
	})
	t.Run("a store, a file that is no database and a newer file are refused", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		s, err := sqlite.Open(filepath.Join(dir, "daybook.db"), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		text := filepath.Join(dir, "text")
		if err := os.WriteFile(text, []byte("this is no database, and it is long enough to be one: 0123456789"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{filepath.Join(dir, "daybook.db"), text, filepath.Join(dir, "none", "highwater.db"), ""} {
			if h, err := sqlite.OpenHighWater(path); err == nil {
				t.Errorf("%q was opened: %v", path, h.Close())
			}
		}
		newer := filepath.Join(dir, "newer.db")
		if err := openHighWater(t, newer).Close(); err != nil {
			t.Fatal(err)
		}
		if err := execSQL(t, newer, "PRAGMA user_version = 99"); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlite.OpenHighWater(newer); !errors.Is(err, daybook.ErrNewer) {
			t.Errorf("newer: %v", err)
		}
	})
}
