package sqlite_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
	"github.com/daybook-audit/daybook/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	paths := map[testing.TB]string{}
	storetest.Run(t, func(tb testing.TB) daybook.Store {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if paths[tb] == "" {
			paths[tb] = filepath.Join(tb.TempDir(), "daybook.db")
		}
		s, err := sqlite.Open(paths[tb], sqlite.Options{})
		if err != nil {
			tb.Fatal(err)
		}
		return s
	})
}
