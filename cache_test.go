package daybook

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
)

// lister lists blocks, and says how often it was asked. Every listing is made by one of lists, the last one again and again.
type lister struct {
	Store
	lists [][]BlockMeta
	asked []BlockQuery
	meet  func() // called while a listing is under way
}

func (l *lister) Blocks(_ context.Context, q BlockQuery) iter.Seq2[BlockMeta, error] {
	metas := l.lists[min(len(l.asked), len(l.lists)-1)]
	l.asked = append(l.asked, q)
	return func(yield func(BlockMeta, error) bool) {
		if l.meet != nil {
			l.meet()
		}
		for _, m := range metas {
			if m.First < q.To && m.end() > q.From && !yield(m, nil) {
				return
			}
		}
	}
}

// metasOf returns metas of blocks with these numbers of entries, from seq first on.
func metasOf(first int64, sizes ...int) (ms []BlockMeta) {
	for _, n := range sizes {
		ms = append(ms, BlockMeta{BlockRef: BlockRef{First: first}, N: n})
		first += int64(n)
	}
	return ms
}

func starts(c *metaChunk) (out []int64) {
	for i := range c.metas {
		out = append(out, c.metas[i].First)
	}
	return append(out, c.end)
}

func TestBlockCacheMetas(t *testing.T) {
	t.Parallel()
	type call struct {
		seq, packed int64
		filters     bool
	}
	for name, test := range map[string]struct {
		lists [][]BlockMeta
		calls []call
		asked int
		want  []int64 // of the last call
	}{
		"listed once": {[][]BlockMeta{metasOf(0, 100, 100)}, []call{{0, 200, true}, {150, 200, true}, {150, 200, false}}, 1, []int64{0, 100, 200}},
		"filters are added": {
			[][]BlockMeta{metasOf(0, 100)}, []call{{0, 100, false}, {0, 100, true}, {0, 100, false}}, 2, []int64{0, 100},
		},
		"what is new is added": {
			[][]BlockMeta{metasOf(0, 100), metasOf(0, 100, 50)}, []call{{0, 100, true}, {0, 150, true}}, 2, []int64{0, 100, 150},
		},
		"a block that grew replaces what it covers": {
			[][]BlockMeta{metasOf(0, 100, 50), metasOf(0, 100, 120)}, []call{{0, 150, true}, {0, 220, true}}, 2, []int64{0, 100, 220},
		},
		"what does not fit is listed anew": {
			[][]BlockMeta{metasOf(0, 100, 50), metasOf(0, 140, 80)}, []call{{0, 150, true}, {0, 220, true}}, 3, []int64{0, 140, 220},
		},
		"a gap is listed again": {
			[][]BlockMeta{append(metasOf(0, 100), metasOf(150, 50)...), metasOf(0, 200)}, []call{{0, 200, true}}, 2, []int64{0, 200},
		},
		"an overlap is listed again": {
			[][]BlockMeta{append(metasOf(0, 100), metasOf(50, 150)...), metasOf(0, 200)}, []call{{0, 200, true}}, 2, []int64{0, 200},
		},
		"chunks are apart": {
			[][]BlockMeta{append(metasOf(0, chunkSeqs), metasOf(chunkSeqs, 10)...)},
			[]call{{chunkSeqs - 1, chunkSeqs + 10, true}, {chunkSeqs, chunkSeqs + 10, true}},
			2,
			[]int64{chunkSeqs, chunkSeqs + 10},
		},
	} {
		l, c := &lister{lists: test.lists}, newBlockCache(1<<20)
		var got *metaChunk
		for _, call := range test.calls {
			var err error
			if got, err = c.metas(t.Context(), l, 1, call.seq, call.packed, call.filters); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if len(l.asked) != test.asked || !slices.Equal(starts(got), test.want) {
			t.Errorf("%s: asked %d times, blocks %v, want %d and %v", name, len(l.asked), starts(got), test.asked, test.want)
		}
	}
	t.Run("blocks that never cover the log are damage", func(t *testing.T) {
		t.Parallel()
		_, err := newBlockCache(1<<20).metas(t.Context(), &lister{lists: [][]BlockMeta{metasOf(0, 10)}}, 1, 0, 20, false)
		if CodeOf(err) != CodeTampered {
			t.Errorf("error %v", err)
		}
	})
}

func TestBlockCacheDrop(t *testing.T) {
	t.Parallel()
	c, l := newBlockCache(1<<20), &lister{lists: [][]BlockMeta{metasOf(0, 100)}}
	l.meet = func() { c.drop(1) } // what is listed may be gone already
	for range 2 {
		if _, err := c.metas(t.Context(), l, 1, 0, 100, true); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.asked) != 2 {
		t.Errorf("asked %d times: what was read before a drop was kept after it", len(l.asked))
	}
	l.meet = nil
	c.putWindow(1, 7, &tailWindow{})
	for range 2 {
		if _, err := c.metas(t.Context(), l, 1, 0, 100, true); err != nil {
			t.Fatal(err)
		}
		c.dropChunk(1, 5)
	}
	if c.drop(1); len(l.asked) != 4 || c.window(1, 7) == nil || c.window(2, 7) != nil {
		t.Errorf("asked %d times, window %v", len(l.asked), c.window(1, 7))
	}
}

func TestBlockCacheBound(t *testing.T) {
	t.Parallel()
	c := newBlockCache(10 << 10)
	l := &lister{lists: [][]BlockMeta{{{BlockRef: BlockRef{}, N: 100, Filter: make([]byte, 2000)}}}}
	for log := LogNo(1); log <= 20; log++ {
		if _, err := c.metas(t.Context(), l, log, 0, 100, true); err != nil {
			t.Fatal(err)
		}
		c.putWindow(log, 0, &tailWindow{BlockMeta: BlockMeta{Filter: make([]byte, 1000)}})
		if _, err := c.metas(t.Context(), l, 1, 0, 100, true); err != nil { // log 1 is always in use
			t.Fatal(err)
		}
	}
	if n := c.listings.Bytes(); n > 10<<10 || n < 5<<10 {
		t.Errorf("%d bytes are kept", n)
	}
	if len(l.asked) != 20 {
		t.Errorf("asked %d times: what was used last went first", len(l.asked))
	}
}

// failing lists nothing and reads nothing.
type failing struct{ Store }

var errDisk = errors.New("disk")

func (failing) Blocks(context.Context, BlockQuery) iter.Seq2[BlockMeta, error] {
	return func(yield func(BlockMeta, error) bool) { yield(BlockMeta{}, errDisk) }
}

func (failing) Read(context.Context, LogNo, []BlockRef) ([][]byte, error) {
	return nil, fmt.Errorf("read: %w", errDisk)
}

func TestBlockCacheErrors(t *testing.T) {
	t.Parallel()
	c := newBlockCache(1 << 20)
	if _, err := c.metas(t.Context(), failing{}, 1, 0, 10, false); !errors.Is(err, errDisk) {
		t.Errorf("list: %v", err)
	}
	if _, err := c.block(t.Context(), failing{}, &Head{Log: 1}, &BlockMeta{}, nil); !errors.Is(err, errDisk) {
		t.Errorf("read: %v", err)
	}
}
