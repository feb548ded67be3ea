package daybook

import (
	"context"
	"fmt"
	"slices"

	"github.com/daybook-audit/daybook/internal/cache"
	"github.com/daybook-audit/daybook/internal/packed"
)

// chunkSeqs is the run of seqs whose block metas are listed and cached together: 64 windows.
const chunkSeqs = 64 * windowSize

// blockCache keeps what searches read again and again: block metas with their filters, by chunks of a log, the descriptions of
// windows in the tail, and unpacked blocks. All are bounded by bytes. It is safe for concurrent use, and what it hands out is never changed.
// A swapped block may stay listed here: reading it is ErrNotExist then, and the reader forgets the chunk and lists again.
type blockCache struct {
	listings *cache.Cache[listedKey, listing]
	blocks   *cache.Cache[BlockRef, *packed.Block]
}

// listedKey names a chunk or a window of the tail by its number.
type listedKey struct {
	window bool
	no     int64
}

// listing is one of the two.
type listing struct {
	chunk  *metaChunk
	window *tailWindow
}

// metaChunk lists the blocks of one chunk, without a gap, from the chunk's first seq to end. It is never changed.
type metaChunk struct {
	metas    []BlockMeta
	end      int64
	filtered bool // the metas have their filters
}

// newBlockCache returns a cache for so many bytes of metas, and two thirds of that in blocks.
func newBlockCache(bytes int64) *blockCache {
	return &blockCache{listings: cache.New[listedKey, listing](bytes), blocks: cache.New[BlockRef, *packed.Block](bytes / 3 * 2)}
}

// drop forgets what is known of a log's blocks: the merger calls it when it has replaced some. What is known of the tail stays true.
func (c *blockCache) drop(log LogNo) {
	c.listings.Forget(int64(log), func(key listedKey) bool { return key.window })
	c.blocks.Forget(int64(log), nil)
}

// forget forgets everything about a log, what describes its tail included: values that were removed from it are in no cache then.
func (c *blockCache) forget(log LogNo) {
	c.listings.Forget(int64(log), nil)
	c.blocks.Forget(int64(log), nil)
}

// dropChunk forgets the chunk that holds seq.
func (c *blockCache) dropChunk(log LogNo, seq int64) {
	c.listings.Delete(int64(log), listedKey{no: seq / chunkSeqs})
}

// window returns the description of a window of the tail, nil if there is none.
func (c *blockCache) window(log LogNo, no int64) *tailWindow {
	k, _, _ := c.listings.Get(int64(log), listedKey{true, no})
	return k.window
}

// putWindow keeps the description of a window of the tail.
func (c *blockCache) putWindow(log LogNo, no int64, t *tailWindow) {
	key := listedKey{true, no}
	if _, there, of := c.listings.Get(int64(log), key); !there {
		c.listings.Put(int64(log), of, key, listing{window: t}, t.bytes())
	}
}

// metas returns the blocks of the chunk that holds seq, at least through packed or the chunk's end, with filters if asked for.
func (c *blockCache) metas(ctx context.Context, s Store, log LogNo, seq, packed int64, filters bool) (*metaChunk, error) {
	no := seq / chunkSeqs
	want := min(packed, (no+1)*chunkSeqs)
	k, _, of := c.listings.Get(int64(log), listedKey{no: no})
	if have := k.chunk; have != nil && have.end >= want && (have.filtered || !filters) {
		return have, nil
	}
	got, err := listChunk(ctx, s, log, no, want, filters, k.chunk)
	if err != nil {
		return nil, err
	}
	c.listings.Put(int64(log), of, listedKey{no: no}, listing{chunk: got}, got.bytes())
	return got, nil
}

// block returns the block of the log of h that m describes. ErrNotExist: it was swapped out. With into it is not kept, since what reads a
// whole log would push out what searches need: unless it is cached it stands in into, and is good until that is used again.
func (c *blockCache) block(ctx context.Context, s Store, h *Head, m *BlockMeta, into *[]byte) (*packed.Block, error) {
	log := int64(h.Log)
	if into != nil {
		if b, ok := c.blocks.Peek(log, m.BlockRef); ok {
			return b, nil
		}
		return readBlock(ctx, s, h, m, into)
	}
	b, ok, of := c.blocks.Get(log, m.BlockRef)
	if ok {
		return b, nil
	}
	b, err := readBlock(ctx, s, h, m, nil)
	if err != nil {
		return nil, err
	}
	c.blocks.Put(log, of, m.BlockRef, b, b.Bytes())
	return b, nil
}

// readBlock reads the block of the log of h that m describes, past every cache. What does not hold of it is a [DamageError]. With into it
// stands there, as packed.ReadBlock has it.
func readBlock(ctx context.Context, s Store, h *Head, m *BlockMeta, into *[]byte) (*packed.Block, error) {
	data, err := s.Read(ctx, h.Log, []BlockRef{m.BlockRef})
	if err != nil {
		return nil, fmt.Errorf("read block %d of log %d: %w", m.First, h.Log, err)
	}
	return m.unpack(data[0], h, into)
}

// listChunk reads the metas of a chunk through want. What have lists is kept if it fits: blocks are mostly added at the end.
func listChunk(ctx context.Context, s Store, log LogNo, no, want int64, filters bool, have *metaChunk) (*metaChunk, error) {
	start, end := no*chunkSeqs, (no+1)*chunkSeqs
	if have != nil && (have.filtered || !filters) && have.end < want {
		more, err := listBlocks(ctx, s, BlockQuery{Log: log, From: have.end, To: end, Filters: have.filtered})
		if err != nil {
			return nil, err
		}
		kept := have.metas
		for len(kept) > 0 && len(more) > 0 && kept[len(kept)-1].end() > more[0].First {
			kept = kept[:len(kept)-1]
		}
		if c, ok := newMetaChunk(append(slices.Clip(kept), more...), start, want, have.filtered); ok {
			return c, nil
		}
	}
	const attempts = 10 // blocks may be swapped between two steps of one listing, which then misses or repeats some
	for range attempts {
		metas, err := listBlocks(ctx, s, BlockQuery{Log: log, From: start, To: end, Filters: filters})
		if err != nil {
			return nil, err
		}
		if c, ok := newMetaChunk(metas, start, want, filters); ok {
			return c, nil
		}
	}
	return nil, damagedAt(damaged("the blocks do not cover the entries %d to %d without a gap", start, want-1), start, want, CheckList)
}

func listBlocks(ctx context.Context, s Store, q BlockQuery) ([]BlockMeta, error) {
	var metas []BlockMeta
	for m, err := range s.Blocks(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("list the blocks of log %d from %d: %w", q.Log, q.From, err)
		}
		metas = append(metas, m)
	}
	return metas, nil
}

// newMetaChunk returns false if metas leave a gap between start and want, or overlap.
func newMetaChunk(metas []BlockMeta, start, want int64, filtered bool) (*metaChunk, bool) {
	at := start
	for i := range metas {
		if metas[i].First != at || metas[i].N <= 0 {
			return nil, false
		}
		at = metas[i].end()
	}
	return &metaChunk{metas: metas, end: at, filtered: filtered}, at >= want
}

// find returns the place of the block that holds seq.
func (m *metaChunk) find(seq int64) int {
	i, found := slices.BinarySearchFunc(m.metas, seq, func(b BlockMeta, seq int64) int { return int(b.First - seq) })
	if !found {
		i--
	}
	return i
}

func (m *metaChunk) bytes() int64 {
	const meta = 192 // of a BlockMeta itself
	n := int64(meta)
	for i := range m.metas {
		n += meta + int64(len(m.metas[i].Roots)+len(m.metas[i].Facets)+len(m.metas[i].Filter))
	}
	return n
}

// end returns the seq after the block's last.
func (m *BlockMeta) end() int64 { return m.First + int64(m.N) }
