package sqlite

import (
	"context"
	"slices"
	"sync"
)

// turns is a lock with two queues. Whoever waits as urgent goes before everybody else, so a commit waits for at most the one
// transaction that is running. The zero value is free.
type turns struct {
	mu     sync.Mutex
	held   bool
	urgent []chan struct{}
	others []chan struct{}
}

// take waits for the lock, or until ctx ends.
func (t *turns) take(ctx context.Context, urgent bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	if !t.held {
		t.held = true
		t.mu.Unlock()
		return nil
	}
	queue := &t.others
	if urgent {
		queue = &t.urgent
	}
	mine := make(chan struct{})
	*queue = append(*queue, mine)
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(*queue, mine)
	if i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 { // it was given to us meanwhile
		t.give()
	}
	return ctx.Err()
}

// give passes the lock on.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, queue := range []*[]chan struct{}{&t.urgent, &t.others} {
		if len(*queue) > 0 {
			next := (*queue)[0]
			*queue = slices.Delete(*queue, 0, 1)
			close(next)
			return
		}
	}
	t.held = false
}
