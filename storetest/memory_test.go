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

func TestMemory_node(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	stores := map[testing.TB]*storetest.MemoryNode{}
	storetest.Run(t, func(tb testing.TB) daybook.Store {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if s := stores[tb]; s != nil {
			stores[tb] = s.Reopen()
		} else {
			stores[tb] = storetest.Memory().Node()
		}
		return stores[tb]
	})
}

func TestMemory_fleet(t *testing.T) {
	t.Parallel()
	storetest.RunFleet(t, nodes(func(n *storetest.MemoryNode) daybook.Store { return n }))
}

// Without a fault a faulty fleet keeps every promise.
func TestFaultyFleet_transparent(t *testing.T) {
	t.Parallel()
	storetest.RunFleet(t, nodes(func(n *storetest.MemoryNode) daybook.Store {
		return storetest.FaultyFleet(n, func(storetest.Step, int) storetest.Fault { return storetest.None })
	}))
}

// nodes opens handles to one store for each test.
func nodes(as func(*storetest.MemoryNode) daybook.Store) func(tb testing.TB) daybook.Store {
	var mu sync.Mutex
	stores := map[testing.TB]*storetest.MemoryStore{}
	return func(tb testing.TB) daybook.Store {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if stores[tb] == nil {
			stores[tb] = storetest.Memory()
		}
		return as(stores[tb].Node())
	}
}
