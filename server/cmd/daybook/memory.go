package main

import (
	"context"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// What the server tells the garbage collector, unless GOGC and GOMEMLIMIT say otherwise. Most of its memory is the tail, which holds no
// pointers: collecting seldom costs little memory and saves processor time. The limit keeps the whole process below 200 MB, an export of
// millions of entries included, and below 300 MB while more is recorded than can be merged: then the tail grows, and the limit with it,
// since the collector would else run for what cannot be freed.
const (
	collectAt   = 400
	leastMemory = 140 << 20
	mostMemory  = 256 << 20
	besideTail  = 120 << 20 // what is to be had beside the tail
	connection  = 24 << 10  // what one costs that does nothing: its goroutine's stack and its buffers
	free        = 500       // so many connections are paid for by the least
)

// tuneMemory sets the collector for a server, and reports whether the limit is the server's to move. It is for the process, so only
// commands that serve call it.
func (e *env) tuneMemory() (limited bool) {
	if e.getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if limited = e.getenv("GOMEMLIMIT") == ""; limited {
		debug.SetMemoryLimit(leastMemory)
	}
	return limited
}

// memoryFor returns the limit with a tail of so many bytes and so many connections. What connections hold cannot be freed: were the
// limit below it, the collector would do nothing but look for what is not there.
func memoryFor(tail, connections int64) int64 {
	const step = 8 << 20 // moving it stops the world for a moment
	held := max(0, connections-free) * connection
	return min(max(leastMemory, (besideTail+tail)/step*step), mostMemory) + (held+step-1)/step*step
}

// countConnection keeps the number of open connections.
func (m *Main) countConnection(_ net.Conn, state http.ConnState) {
	switch state { //nolint:exhaustive // the others are neither the first nor the last of a connection
	case http.StateNew:
		m.connections.Add(1)
	case http.StateClosed, http.StateHijacked:
		m.connections.Add(-1)
	}
}

// followTail moves the limit of memory with the tail and the connections until ctx ends.
func (m *Main) followTail(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	limit := int64(leastMemory)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := memoryFor(m.book.Stats().TailBytes, m.connections.Load()); now != limit {
			limit = now
			debug.SetMemoryLimit(limit)
		}
	}
}
