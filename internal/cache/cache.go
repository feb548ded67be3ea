// Package cache keeps what was read, by the log that it is of, within a number of bytes: what was used longest ago goes first. What is
// known of a log can be forgotten at once, and what was being read meanwhile is then not kept either.
package cache

import "sync"

// Cache keeps values of many logs, each under a key. It is safe for concurrent use; what it hands out is whatever was put in.
type Cache[K comparable, V any] struct {
	mu           sync.Mutex
	logs         map[int64]*Log[K, V]
	ring         kept[K, V] // most recently used first
	bytes, limit int64
}

// Log is what was known of a log when something of it was asked for. Only [Cache.Put] has a use for it.
type Log[K comparable, V any] struct{ values map[K]*kept[K, V] }

// kept is one value, in the ring.
type kept[K comparable, V any] struct {
	next, prev *kept[K, V]
	log        int64
	key        K
	value      V
	bytes      int64
}

// New returns an empty cache for so many bytes.
func New[K comparable, V any](limit int64) *Cache[K, V] {
	c := &Cache[K, V]{logs: map[int64]*Log[K, V]{}, limit: limit}
	c.ring.next, c.ring.prev = &c.ring, &c.ring
	return c
}

// Get returns the value under a key, which counts as used now, and for Put what is known of its log.
func (c *Cache[K, V]) Get(log int64, key K) (value V, ok bool, known *Log[K, V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known = c.open(log)
	e := known.values[key]
	if e == nil {
		return value, false, known
	}
	e.prev.next, e.next.prev = e.next, e.prev
	c.link(e)
	return e.value, true, known
}

// Peek is Get for who does not want the value to stay for its sake, and puts none.
func (c *Cache[K, V]) Peek(log int64, key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.logs[log]; l != nil && l.values[key] != nil {
		return l.values[key].value, true
	}
	return value, false
}

// Put keeps a value that takes so many bytes, in place of one that is there, unless its log was forgotten since Get returned known. The
// value that was put last stays, however large.
func (c *Cache[K, V]) Put(log int64, known *Log[K, V], key K, value V, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.logs[log] != known {
		return
	}
	if e := known.values[key]; e != nil {
		c.remove(e)
	}
	e := &kept[K, V]{log: log, key: key, value: value, bytes: bytes}
	known.values[key] = e
	c.link(e)
	for c.bytes += bytes; c.bytes > c.limit && c.ring.prev != e; {
		oldest := c.ring.prev
		c.remove(oldest)
		if l := c.logs[oldest.log]; len(l.values) == 0 {
			delete(c.logs, oldest.log)
		}
	}
}

// Delete forgets one value.
func (c *Cache[K, V]) Delete(log int64, key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.logs[log]; l != nil && l.values[key] != nil {
		c.remove(l.values[key])
	}
}

// Forget forgets a log, but for the values whose keys stay; nil: for none.
func (c *Cache[K, V]) Forget(log int64, stays func(key K) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.logs[log]
	if l == nil {
		return
	}
	for key, e := range l.values {
		if stays == nil || !stays(key) {
			c.remove(e)
		}
	}
	delete(c.logs, log)
	if len(l.values) > 0 {
		c.logs[log] = &Log[K, V]{values: l.values}
		l.values = map[K]*kept[K, V]{}
	}
}

// Bytes returns how many bytes are kept.
func (c *Cache[K, V]) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}

// open returns what is known of log. The caller holds mu.
func (c *Cache[K, V]) open(log int64) *Log[K, V] {
	l := c.logs[log]
	if l == nil {
		l = &Log[K, V]{values: map[K]*kept[K, V]{}}
		c.logs[log] = l
	}
	return l
}

// link puts e at the front of the ring. The caller holds mu.
func (c *Cache[K, V]) link(e *kept[K, V]) {
	e.next, e.prev = c.ring.next, &c.ring
	e.next.prev, c.ring.next = e, e
}

// remove takes e out of the ring and of its log. The caller holds mu.
func (c *Cache[K, V]) remove(e *kept[K, V]) {
	e.prev.next, e.next.prev = e.next, e.prev
	c.bytes -= e.bytes
	delete(c.logs[e.log].values, e.key)
}
