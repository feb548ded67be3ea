package storetest_test

import (
	"sync"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	stores := map[testing.TB]*storetest.MemoryStore{}
	storetest.Run(t, func(tb testing.TB) daybook.Store {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if s := stores[tb]; s != nil {
			stores[tb] = s.Reopen()
		} else {
			stores[tb] = storetest.Memory()
		}
		return stores[tb]
	})
}
