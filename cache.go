package daybook

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/daybook-audit/daybook/internal/packed"
)

// chunkSeqs is the run of seqs whose block metas are listed and cached together: 64 windows.
const chunkSeqs = 64 * windowSize

// blockCache keeps what searches read again and again: block metas with their filters, by chunks of a log, the descriptions of
// windows in the tail, and unpacked blocks. All are bounded by bytes; what was used longest ago goes first. It is safe for concurrent use, and what it hands out is never
// changed. A swapped block may stay listed here: reading it is ErrNotExist then, and the reader forgets the chunk and lists again.
type blockCache struct {
	mu     sync.Mutex
	logs   map[LogNo]*cachedLog
	chunks recency
	blocks recency
}

// cachedLog is what is cached of one log. Forgetting a log takes it out of the map, so that what was being read meanwhile is
// not put in under the old knowledge.
type cachedLog struct {
	chunks  map[int64]*cached
	windows map[int64]*cached
	blocks  map[BlockRef]*cached
}

// cached is one chunk, one window or one block, in a ring.
type cached struct {
	next, prev *cached
	bytes      int64
	log        LogNo
	no         int64 // of the chunk or the window
	ref        BlockRef
	chunk      *metaChunk
	window     *tailWindow
	block      *packed.Block
}

// metaChunk lists the blocks of one chunk, without a gap, from the chunk's first seq to end. It is never changed.
type metaChunk struct {
	metas    []BlockMeta
	end      int64
	filtered bool // the metas have their filters
}

// newBlockCache returns a cache for so many bytes of metas, and two thirds of that in blocks.
func newBlockCache(bytes int64) *blockCache {
	c := &blockCache{logs: map[LogNo]*cachedLog{}}
	c.chunks.init(bytes)
	c.blocks.init(bytes / 3 * 2)
	return c
}

// drop forgets what is known of a log's blocks: the merger calls it when it has replaced some. What is known of the tail stays true.
func (c *blockCache) drop(log LogNo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.logs[log]
	if l == nil {
		return
	}
	for _, e := range l.chunks {
		c.chunks.remove(e)
	}
	for _, e := range l.blocks {
		c.blocks.remove(e)
	}
	delete(c.logs, log)
	if len(l.windows) > 0 {
		c.logs[log] = &cachedLog{windows: l.windows}
	}
}

// forget forgets everything about a log, what describes its tail included: values that were removed from it are in no cache then.
func (c *blockCache) forget(log LogNo) {
	c.drop(log)
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.logs[log]; l != nil {
		for _, e := range l.windows {
			c.chunks.remove(e)
		}
		delete(c.logs, log)
	}
}

// dropChunk forgets the chunk that holds seq.
func (c *blockCache) dropChunk(log LogNo, seq int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.logs[log]
	if l == nil {
		return
	}
	if e := l.chunks[seq/chunkSeqs]; e != nil {
		c.chunks.remove(e)
		delete(l.chunks, seq/chunkSeqs)
	}
}

// open returns what is cached of log. The caller holds mu.
func (c *blockCache) open(log LogNo) *cachedLog {
	l := c.logs[log]
	if l == nil {
		l = &cachedLog{}
		c.logs[log] = l
	}
	if l.chunks == nil {
		l.chunks, l.blocks = map[int64]*cached{}, map[BlockRef]*cached{}
	}
	return l
}

// add puts e into a ring and lets what was used longest ago go. The caller holds mu and has put e into its log's map.
func (c *blockCache) add(r *recency, e *cached) {
	r.add(e)
	for r.bytes > r.limit && r.ring.prev != e {
		oldest := r.ring.prev
		r.remove(oldest)
		l := c.logs[oldest.log]
		switch {
		case oldest.chunk != nil:
			delete(l.chunks, oldest.no)
		case oldest.window != nil:
			delete(l.windows, oldest.no)
		default:
			delete(l.blocks, oldest.ref)
		}
		if len(l.chunks)+len(l.windows)+len(l.blocks) == 0 {
			delete(c.logs, oldest.log)
		}
	}
}

// window returns the description of a window of the tail, nil if there is none.
func (c *blockCache) window(log LogNo, no int64) *tailWindow {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.logs[log]; l != nil && l.windows[no] != nil {
		e := l.windows[no]
		c.chunks.use(e)
		return e.window
	}
	return nil
}

// putWindow keeps the description of a window of the tail.
func (c *blockCache) putWindow(log LogNo, no int64, t *tailWindow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.open(log)
	if l.windows == nil {
		l.windows = map[int64]*cached{}
	}
	if l.windows[no] == nil {
		e := &cached{log: log, no: no, window: t, bytes: t.bytes()}
		l.windows[no] = e
		c.add(&c.chunks, e)
	}
}

// metas returns the blocks of the chunk that holds seq, at least through packed or the chunk's end, with filters if asked for.
func (c *blockCache) metas(ctx context.Context, s Store, log LogNo, seq, packed int64, filters bool) (*metaChunk, error) {
	no := seq / chunkSeqs
	want := min(packed, (no+1)*chunkSeqs)
	c.mu.Lock()
	l := c.open(log)
	var have *metaChunk
	if e := l.chunks[no]; e != nil {
		have = e.chunk
		c.chunks.use(e)
	}
	c.mu.Unlock()
	if have != nil && have.end >= want && (have.filtered || !filters) {
		return have, nil
	}
	got, err := listChunk(ctx, s, log, no, want, filters, have)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.logs[log] != l {
		return got, nil // forgotten meanwhile
	}
	if e := l.chunks[no]; e != nil {
		c.chunks.remove(e)
	}
	e := &cached{log: log, no: no, chunk: got, bytes: got.bytes()}
	l.chunks[no] = e
	c.add(&c.chunks, e)
	return got, nil
}

// block returns the block of the log of h that m describes. ErrNotExist: it was swapped out. With into it is not kept, since what reads a
// whole log would push out what searches need: unless it is cached it stands in into, and is good until that is used again.
func (c *blockCache) block(ctx context.Context, s Store, h *Head, m *BlockMeta, into *[]byte) (*packed.Block, error) {
	log, ref := h.Log, m.BlockRef
	c.mu.Lock()
	l := c.open(log)
	if e := l.blocks[ref]; e != nil {
		if into == nil {
			c.blocks.use(e)
		}
		c.mu.Unlock()
		return e.block, nil
	}
	c.mu.Unlock()
	b, err := readBlock(ctx, s, h, m, into)
	if err != nil || into != nil {
		return b, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.logs[log] == l && l.blocks[ref] == nil {
		e := &cached{log: log, ref: ref, block: b, bytes: b.Bytes()}
		l.blocks[ref] = e
		c.add(&c.blocks, e)
	}
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

// recency is a ring of what was used, most recently first, bounded by bytes. It is guarded by the cache's mutex.
type recency struct {
	ring         cached
	bytes, limit int64
}

func (r *recency) init(limit int64) { r.ring.next, r.ring.prev, r.limit = &r.ring, &r.ring, limit }

func (r *recency) add(e *cached) {
	r.link(e)
	r.bytes += e.bytes
}

func (r *recency) use(e *cached) {
	e.prev.next, e.next.prev = e.next, e.prev
	r.link(e)
}

func (r *recency) link(e *cached) {
	e.next, e.prev = r.ring.next, &r.ring
	e.next.prev, r.ring.next = e, e
}

func (r *recency) remove(e *cached) {
	e.prev.next, e.next.prev = e.next, e.prev
	r.bytes -= e.bytes
}
