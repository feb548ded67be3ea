package main

import "runtime/debug"

// What the server tells the garbage collector, unless GOGC and GOMEMLIMIT say otherwise. Most of its memory is the tail, which holds no
// pointers: collecting seldom costs little memory and saves processor time, and the limit keeps the whole process
// below 200 MB, an export of millions of entries included (docs/explanation/limits.md).
const (
	collectAt   = 400
	memoryLimit = 160 << 20
)

// tuneMemory sets the collector for a server. It is for the process, so only commands that serve call it.
func (e *env) tuneMemory() {
	if e.getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if e.getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
