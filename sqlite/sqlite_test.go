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
	var paths sync.Map // testing.TB → path
	storetest.Run(t, func(t testing.TB) daybook.Store {
		path, ok := paths.Load(t)
		if !ok {
			path = filepath.Join(t.TempDir(), "daybook.db")
			paths.Store(t, path)
		}
		s, err := sqlite.Open(path.(string), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
