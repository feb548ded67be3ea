package daybook

import (
	"context"
	"errors"
	"sync"
)

// ErrQueueFull says that the events that wait in memory have no room.
var ErrQueueFull = errors.New("daybook: the queue is full")

// TryRecord completes e like [Clerk.Record] and keeps it in memory until it is recorded, for high-volume reads. It never blocks: when the
// Recorder does not keep up it returns [ErrQueueFull], which is counted. A crash loses what is queued.
func (c *Clerk) TryRecord(ctx context.Context, e Event) error {
	e, text, err := c.outgoing(ctx, e)
	if err != nil || silenced(ctx, c) {
		return err
	}
	if err := c.queue.add(c, letter{id: e.ID.String(), org: e.Org, text: string(text)}); err != nil { //nolint:contextcheck // its goroutine outlives the call
		if errors.Is(err, ErrQueueFull) {
			c.full.Add(1)
		}
		return err
	}
	return nil
}

// queue is the events of TryRecord.
type queue struct {
	mu      sync.Mutex
	letters []letter
	bytes   int64 // of letters, and of those on their way
	count   int   // the same
	closed  bool
	wake    chan struct{} // nil: run was never started
	ended   chan struct{}
	cancel  context.CancelFunc
}

// add queues l, and starts the goroutine that delivers when it is the first.
func (q *queue) add(c *Clerk, l letter) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	size := int64(len(l.text))
	if q.bytes+size > c.o.MaxQueueBytes {
		return ErrQueueFull
	}
	if q.wake == nil {
		ctx, cancel := context.WithCancel(context.Background())
		q.wake, q.ended, q.cancel = make(chan struct{}, 1), make(chan struct{}), cancel
		go q.run(ctx, c)
	}
	q.letters, q.bytes, q.count = append(q.letters, l), q.bytes+size, q.count+1
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

// run delivers until ctx ends, or until the queue is closed and empty.
func (q *queue) run(ctx context.Context, c *Clerk) {
	defer close(q.ended)
	for {
		q.mu.Lock()
		letters, closed := q.letters, q.closed
		q.letters = nil
		q.mu.Unlock()
		if len(letters) == 0 {
			if closed {
				return
			}
			select {
			case <-q.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		for i := range letters {
			letters[i].n = int64(i)
		}
		left, _ := c.deliverAll(ctx, letters)
		q.mu.Lock()
		for _, l := range letters {
			q.bytes -= int64(len(l.text))
		}
		q.count -= len(letters) - len(left)
		q.mu.Unlock()
		if len(left) > 0 {
			return
		}
	}
}

// close delivers until ctx ends and returns how many were not.
func (q *queue) close(ctx context.Context) (lost int) {
	q.mu.Lock()
	q.closed = true
	wake := q.wake
	q.mu.Unlock()
	if wake == nil {
		return 0
	}
	select {
	case wake <- struct{}{}:
	default:
	}
	select {
	case <-q.ended:
	case <-ctx.Done():
	}
	q.cancel()
	<-q.ended
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}
