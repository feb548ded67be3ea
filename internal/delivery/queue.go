package delivery

import (
	"context"
	"errors"
	"log/slog"
	"sync"
)

// ErrQueueFull says that the letters that wait in memory have no room.
var ErrQueueFull = errors.New("daybook: the queue is full")

// Queue is letters in memory; a crash loses them. It is safe for concurrent use.
type Queue struct {
	office Office
	log    *slog.Logger
	most   int64

	mu      sync.Mutex
	letters []Letter
	bytes   int64 // of letters, and of those on their way
	count   int   // the same
	closed  bool
	wake    chan struct{} // nil: run was never started
	ended   chan struct{}
	cancel  context.CancelFunc
}

// NewQueue returns a queue that holds at most so many bytes of letters. It has no goroutine before the first letter.
func NewQueue(most int64, of Office, log *slog.Logger) *Queue {
	return &Queue{office: of, log: log, most: most}
}

// Add queues l. It never waits: without room for l it is [ErrQueueFull], and [ErrClosed] after Close.
func (q *Queue) Add(l Letter) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	size := int64(len(l.Text))
	if q.bytes+size > q.most {
		return ErrQueueFull
	}
	if q.wake == nil {
		ctx, cancel := context.WithCancel(context.Background())
		q.wake, q.ended, q.cancel = make(chan struct{}, 1), make(chan struct{}), cancel
		go q.run(ctx)
	}
	q.letters, q.bytes, q.count = append(q.letters, l), q.bytes+size, q.count+1
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

// run delivers until ctx ends, or until the queue is closed and empty.
func (q *Queue) run(ctx context.Context) {
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
			letters[i].N = int64(i)
		}
		left, _ := bring(ctx, q.office, q.log, letters)
		q.mu.Lock()
		for i := range letters {
			q.bytes -= int64(len(letters[i].Text))
		}
		q.count -= len(letters) - len(left)
		q.mu.Unlock()
		if len(left) > 0 {
			return
		}
	}
}

// Close takes no more letters, delivers until ctx ends and returns how many were not. Call it once.
func (q *Queue) Close(ctx context.Context) (lost int) {
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
