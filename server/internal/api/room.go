package api

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// room is how much of something all requests may hold at once, so that a server that is asked for more than it can do refuses at once,
// keeps within its memory, and answers in time what it took in.
type room struct {
	limit int64
	held  atomic.Int64
}

// take takes n, or nothing when the rest is less. Who is alone gets what it asks for.
func (r *room) take(n int64) bool {
	if held := r.held.Add(n); held > r.limit && held > n {
		r.held.Add(-n)
		return false
	}
	return true
}

func (r *room) give(n int64) { r.held.Add(-n) }

// crew is the requests at work: those whose body is there and whose answer is not. There may be as many as get their answer in half a
// second at the pace of now, at least leastAtWork and never more than limit. So a machine that is slower than usual, or does more work
// for a request, refuses earlier, and who is taken in does not wait long.
type crew struct {
	room
	now   func() time.Time
	done  atomic.Int64 // since the pace was looked at
	most  atomic.Int64 // at the pace of then
	mu    sync.Mutex
	since time.Time // when that was. Guarded by mu, like pace
	pace  float64   // requests a second
}

const (
	leastAtWork = 1024
	paceEvery   = 200 * time.Millisecond
	mayWait     = 500 * time.Millisecond
)

func (c *crew) open(limit int, now func() time.Time) {
	c.limit, c.now, c.since = int64(limit), now, now()
	c.most.Store(min(leastAtWork, c.limit))
}

// full reports whether enter would refuse now.
func (c *crew) full() bool { return c.held.Load() >= c.most.Load() }

// enter takes one in, or refuses.
func (c *crew) enter() bool {
	if c.held.Add(1) > c.most.Load() {
		c.held.Add(-1)
		return false
	}
	return true
}

// leave lets one go, and now and then looks at the pace.
func (c *crew) leave() {
	c.held.Add(-1)
	c.done.Add(1)
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	now := c.now()
	took := now.Sub(c.since)
	if took < paceEvery {
		return
	}
	c.pace = (c.pace + float64(c.done.Swap(0))/took.Seconds()) / 2
	c.since = now
	c.most.Store(min(max(int64(c.pace*mayWait.Seconds()), leastAtWork), c.limit))
}

// errBusy refuses what there is no room for.
var errBusy = &requestError{status: http.StatusServiceUnavailable, code: "overloaded", detail: "the server has more requests than it can answer in time; try again."}

// busy says so to this client; also a door's answer carries the header then. What is left of the body is read only when it is little.
func (c *call) busy() error {
	h := c.Header()
	h.Set("Retry-After", "1")
	if c.r.ContentLength < 0 || c.r.ContentLength > smallBody {
		h.Set("Connection", "close")
	}
	return errBusy
}
