package merkle

import (
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// Bounds of a Cache: about 5 MiB of nodes and 2 MiB of runs.
const (
	maxNodes = 64 << 10
	maxRuns  = 256
)

// node names a subtree of a log.
type node struct {
	log   int64
	level int
	n     int64
}

// Cache remembers hashes of complete subtrees of many logs, which never change, erasure or not. When it is full it begins anew. It is safe
// for concurrent use; what it hands out is never changed.
type Cache struct {
	mu    sync.Mutex
	nodes map[node]tlog.Hash
	runs  map[node][]tlog.Hash // the leaf hashes of complete runs
}

// NewCache returns an empty cache.
func NewCache() *Cache { return &Cache{nodes: map[node]tlog.Hash{}, runs: map[node][]tlog.Hash{}} }

// ForgetRuns drops the leaf hashes of a log, which retention may take.
func (c *Cache) ForgetRuns(log int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at := range c.runs {
		if at.log == log {
			delete(c.runs, at)
		}
	}
}

func (c *Cache) node(at node) (tlog.Hash, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.nodes[at]
	return h, ok
}

func (c *Cache) putNode(at node, h tlog.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.nodes) >= maxNodes {
		clear(c.nodes)
	}
	c.nodes[at] = h
}

func (c *Cache) run(at node) []tlog.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[at]
}

func (c *Cache) putRun(at node, leaves []tlog.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.runs) >= maxRuns {
		clear(c.runs)
	}
	c.runs[at] = leaves
}
