package cache_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/daybook-audit/daybook/internal/cache"
)

func put(c *cache.Cache[string, int], log int64, key string, value int, bytes int64) {
	_, _, known := c.Get(log, key)
	c.Put(log, known, key, value, bytes)
}

func has(c *cache.Cache[string, int], log int64, key string, want int) bool {
	v, ok := c.Peek(log, key)
	return ok && v == want
}

// TestBound: what was used longest ago goes first, and what was put last stays.
func TestBound(t *testing.T) {
	t.Parallel()
	c := cache.New[string, int](100)
	put(c, 1, "a", 1, 40)
	put(c, 1, "b", 2, 40)
	if v, ok, _ := c.Get(1, "a"); !ok || v != 1 {
		t.Errorf("a is %d %t", v, ok)
	}
	if !has(c, 1, "b", 2) { // which is no use
		t.Error("b is gone")
	}
	if put(c, 2, "a", 3, 40); !has(c, 1, "a", 1) || has(c, 1, "b", 2) || !has(c, 2, "a", 3) || c.Bytes() != 80 {
		t.Errorf("%d bytes are kept, b: %t", c.Bytes(), has(c, 1, "b", 2))
	}
	if put(c, 2, "a", 4, 30); !has(c, 2, "a", 4) || c.Bytes() != 70 {
		t.Errorf("a value in place of another: %d bytes are kept", c.Bytes())
	}
	if put(c, 3, "large", 5, 1000); !has(c, 3, "large", 5) || c.Bytes() != 1000 || has(c, 1, "a", 1) {
		t.Errorf("a value above the bound: %d bytes are kept", c.Bytes())
	}
	c.Delete(3, "large")
	c.Delete(3, "large")
	if c.Delete(4, "none"); c.Bytes() != 0 {
		t.Errorf("after the last was deleted %d bytes are kept", c.Bytes())
	}
}

// TestForget: what was being read while its log was forgotten is not kept; of other logs it is.
func TestForget(t *testing.T) {
	t.Parallel()
	c := cache.New[string, int](100)
	put(c, 1, "stays", 1, 10)
	put(c, 1, "goes", 2, 10)
	_, _, one := c.Get(1, "new")
	_, _, two := c.Get(2, "new")
	c.Forget(1, func(key string) bool { return key == "stays" })
	c.Put(1, one, "new", 3, 10)
	if c.Put(2, two, "new", 4, 10); has(c, 1, "new", 3) || has(c, 1, "goes", 2) || !has(c, 1, "stays", 1) || !has(c, 2, "new", 4) || c.Bytes() != 20 {
		t.Errorf("%d bytes are kept", c.Bytes())
	}
	_, _, again := c.Get(1, "new")
	if c.Put(1, again, "new", 5, 10); !has(c, 1, "new", 5) {
		t.Error("what is read after that is not kept")
	}
	c.Forget(1, nil)
	c.Forget(3, nil)
	if c.Put(1, again, "new", 6, 10); has(c, 1, "stays", 1) || has(c, 1, "new", 5) || has(c, 1, "new", 6) || c.Bytes() != 10 {
		t.Errorf("%d bytes are kept", c.Bytes())
	}
}

// TestConcurrent: under the race detector, and the bytes agree with what is there.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	c := cache.New[string, int](500)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 2000 {
				log, key := int64(i%3), strconv.Itoa((i*g)%40)
				v, ok, known := c.Get(log, key)
				switch {
				case ok && strconv.Itoa(v) != key:
					t.Errorf("%s is %d", key, v)
				case i%97 == 0:
					c.Forget(log, func(key string) bool { return len(key) == 1 })
				case i%31 == 0:
					c.Delete(log, key)
				case !ok:
					v, _ = strconv.Atoi(key)
					c.Put(log, known, key, v, int64(1+v))
				}
			}
		})
	}
	group.Wait()
	kept := int64(0)
	for log := range int64(3) {
		for v := range 40 {
			if has(c, log, strconv.Itoa(v), v) {
				kept += int64(1 + v)
			}
		}
	}
	if kept != c.Bytes() || kept == 0 || kept > 500 {
		t.Errorf("%d bytes are there, %d counted", kept, c.Bytes())
	}
}
