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
	storetest.Run(t, func(t testing.TB) daybook.Store {
		mu.Lock()
		defer mu.Unlock()
		if s := stores[t]; s != nil {
			stores[t] = s.Reopen()
		} else {
			stores[t] = storetest.Memory()
		}
		return stores[t]
	})
}
