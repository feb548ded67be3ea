package storetest

import (
	"sync"
	"time"
)

// Clock is a clock for tests. It moves on by a microsecond whenever it is read, so that no two readings are equal, and by Add. It is safe
// for concurrent use.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// ClockAt returns a clock that stands at t.
func ClockAt(t time.Time) *Clock { return &Clock{t: t} }

// Now reads the clock: for options of that name.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(time.Microsecond)
	return c.t
}

// Add moves the clock by d.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}
