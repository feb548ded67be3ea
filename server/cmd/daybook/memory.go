package main

import (
	"context"
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
	mostMemory  = 220 << 20
	besideTail  = 90 << 20 // what is to be had beside the tail
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

// memoryFor returns the limit with a tail of so many bytes.
func memoryFor(tail int64) int64 {
	const step = 8 << 20 // moving it stops the world for a moment
	return min(max(leastMemory, (besideTail+tail)/step*step), mostMemory)
}

// followTail moves the limit of memory with the tail until ctx ends.
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
		if now := memoryFor(m.book.Stats().TailBytes); now != limit {
			limit = now
			debug.SetMemoryLimit(limit)
		}
	}
}
