package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/daybook-audit/daybook"
)

// MemoryNode is a [MemoryStore] as one of several processes sees it: a [daybook.Fleet]. See [MemoryStore.Node].
type MemoryNode struct{ *MemoryStore }

var (
	_ daybook.Fleet     = (*MemoryNode)(nil)
	_ daybook.Store     = (*MemoryNode)(nil)
	_ daybook.Documents = (*MemoryNode)(nil)
)

// shared is what several processes need of a store to know of each other. It is guarded by content.mu.
type shared struct {
	moved  int64                   // grows with every change of a log
	states int64                   // as in a Tail
	gone   map[daybook.LogNo]int64 // logs that were dropped, and when, in moved
	leases map[string]memoryLease
	now    func() time.Time // the store's clock
	woken  chan struct{}    // closed and replaced by every change that Watch tells of
	turn   chan struct{}    // closed when whoever has it in AppendNext is done; nil: nobody has
}

type memoryLease struct {
	holder string
	until  time.Time
}

func newShared() shared {
	return shared{
		gone: map[daybook.LogNo]int64{}, leases: map[string]memoryLease{}, woken: make(chan struct{}),
		now: time.Now, //nolint:forbidigo // SetClock sets another
	}
}

// alone returns what a copy of the store knows: nobody has a lease on it.
func (s *shared) alone() shared {
	return shared{
		moved: s.moved, states: s.states, gone: maps.Clone(s.gone), now: s.now, leases: map[string]memoryLease{}, woken: make(chan struct{}),
	}
}

// move notes a change of l.
func (s *shared) move(l *memoryLog) {
	s.moved++
	l.moved = s.moved
	s.wake()
}

// wake answers those who watch.
func (s *shared) wake() {
	close(s.woken)
	s.woken = make(chan struct{})
}

// Node returns another handle to the same content: what another process sees that uses the same store at the same time. Every such
// process, m's too, then needs a handle from Node: m itself is one process and knows of no other.
func (m *MemoryStore) Node() *MemoryNode {
	return &MemoryNode{&MemoryStore{content: m.content, fleet: true}}
}

// Reopen closes the handle and returns a new one to the same content: what a restart is to a process. What it held, it holds no more.
func (n *MemoryNode) Reopen() *MemoryNode { return &MemoryNode{n.MemoryStore.Reopen()} }

// SetClock sets the clock that leases end by.
func (m *MemoryStore) SetClock(now func() time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
}

// Holder returns who has a lease, empty for nobody.
func (m *MemoryStore) Holder(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l, ok := m.leases[name]; ok && m.now().Before(l.until) {
		return l.holder
	}
	return ""
}

// longestTurn is how long AppendNext keeps others waiting.
const longestTurn = 100 * time.Millisecond

// takeTurn waits until nobody is in AppendNext, or was for too long.
func (c *content) takeTurn() (release func()) {
	timer := time.NewTimer(longestTurn)
	defer timer.Stop()
	c.mu.Lock()
	for c.turn != nil {
		theirs := c.turn
		c.mu.Unlock()
		late := false
		select {
		case <-theirs:
		case <-timer.C:
			late = true
		}
		c.mu.Lock()
		if late && c.turn == theirs {
			break
		}
	}
	mine := make(chan struct{})
	c.turn = mine
	c.mu.Unlock()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.turn == mine {
			c.turn = nil
		}
		close(mine)
	}
}

// Append implements [daybook.Appender].
func (n *MemoryNode) Append(ctx context.Context, c *daybook.Commit) error {
	defer n.takeTurn()()
	return n.MemoryStore.Append(ctx, c)
}

// AppendNext implements [daybook.Fleet].
func (n *MemoryNode) AppendNext(ctx context.Context, shard int, after daybook.CommitNo, build func(newer daybook.Tail) (*daybook.Commit, error)) error {
	defer n.takeTurn()()
	newer, err := n.Tail(ctx, shard, after, 1<<20)
	if err != nil {
		return err
	}
	c, err := build(newer)
	if err != nil || c == nil {
		return err
	}
	return n.MemoryStore.Append(ctx, c)
}

// Watch implements [daybook.Fleet].
func (n *MemoryNode) Watch(ctx context.Context, seen []daybook.Place) ([]daybook.Place, error) {
	for {
		if err := n.enter(ctx); err != nil {
			return nil, err
		}
		now, woken := []daybook.Place{{Last: n.last, Moved: n.moved}}, n.woken
		n.mu.Unlock()
		if !slices.Equal(seen, now) {
			return now, nil
		}
		select {
		case <-woken:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Moved implements [daybook.Fleet].
func (n *MemoryNode) Moved(ctx context.Context, shard int, since int64) (heads []daybook.Head, now int64, err error) {
	if err := n.enter(ctx); err != nil {
		return nil, 0, err
	}
	defer n.mu.Unlock()
	if shard != 0 {
		return nil, 0, fmt.Errorf("moved logs of shard %d of 1", shard)
	}
	for _, l := range n.logs {
		if l != nil && (l.moved > since || since == 0) {
			heads = append(heads, n.headOf(l))
		}
	}
	for log, moved := range n.gone {
		if moved > since {
			heads = append(heads, daybook.Head{Log: log})
		}
	}
	return heads, n.moved, nil
}

// Lease implements [daybook.Fleet].
func (n *MemoryNode) Lease(ctx context.Context, name, holder string, ttl time.Duration) error {
	if err := n.enter(ctx); err != nil {
		return err
	}
	defer n.mu.Unlock()
	now := n.now()
	l, ok := n.leases[name]
	switch other := ok && l.holder != holder && now.Before(l.until); {
	case ttl <= 0 && !other:
		delete(n.leases, name)
	case ttl > 0 && other:
		return fmt.Errorf("lease %s: %w", name, daybook.ErrLeaseHeld)
	case ttl > 0:
		n.leases[name] = memoryLease{holder, now.Add(ttl)}
	}
	return nil
}
