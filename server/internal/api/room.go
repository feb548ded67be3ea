package api

import (
	"net/http"
	"sync/atomic"
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

// full reports whether take(1) would be refused now.
func (r *room) full() bool { return r.held.Load() >= r.limit && r.limit > 0 }

func (r *room) give(n int64) { r.held.Add(-n) }

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
