package daybook

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/leaf"
)

// Of a log's tree the store keeps the roots of complete runs of rootWidth leaves, beside the blocks; everything else is made on
// read: what lies below a run from its entries, what lies above from the roots of the runs.

// The levels of a tree at which subtrees are made in another way; a leaf is of level 0.
const (
	runLevel   = 8  // a run: 1<<runLevel is rootWidth
	chunkLevel = 15 // a chunk: 1<<chunkLevel is chunkSeqs
)

// treeReader gives the hashes of perfect subtrees in one picture of a log. It is what golang.org/x/mod/sumdb/tlog asks for hashes. It
// belongs to one goroutine and one call.
type treeReader struct {
	ctx  context.Context //nolint:containedctx // of the one call that it lives for
	b    *Book
	v    view
	last []tlog.Hash // the leaf hashes of the incomplete run at the end, once read
	lost lostRun     // the last run met that has lost its leaf hashes
}

func (b *Book) treeReader(ctx context.Context, v view) *treeReader {
	return &treeReader{ctx: ctx, b: b, v: v}
}

// ReadHashes returns the hashes with the given storage indexes, which name subtrees by level and place.
func (r *treeReader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hs := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		h, err := r.subtree(level, n)
		if err != nil {
			return nil, err
		}
		hs[i] = h
	}
	return hs, nil
}

// subtree returns the hash of the n-th perfect subtree of a level, which covers the leaves [n<<level, (n+1)<<level). They must all
// be in the picture.
func (r *treeReader) subtree(level int, n int64) (tlog.Hash, error) {
	if x := r.b.excerpt; x != nil {
		return x.subtree(r, level, n)
	}
	return r.own(level, n)
}

// own is subtree of a log that is there.
func (r *treeReader) own(level int, n int64) (tlog.Hash, error) {
	if level < runLevel {
		no := n >> (runLevel - level)
		if r.lost.hashes != nil && r.lost.no == no {
			return r.lost.subtree(level, n)
		}
		leaves, err := r.run(no)
		if CodeOf(err) == CodeGone {
			if r.lost, err = readLostRun(r.ctx, r.b.store, r.v.head.Log, no); err == nil {
				return r.lost.subtree(level, n)
			}
		}
		if err != nil {
			return tlog.Hash{}, err
		}
		first := n << level & (rootWidth - 1)
		return subtreeRoot(leaves[first : first+1<<level]), nil
	}
	ref := nodeRef{r.v.head.Log, level, n}
	if h, ok := r.b.nodes.node(ref); ok {
		return h, nil
	}
	h, err := r.above(level, n)
	if err == nil {
		r.b.nodes.putNode(ref, h)
	}
	return h, err
}

// above makes the hash of a subtree that consists of whole runs.
func (r *treeReader) above(level int, n int64) (tlog.Hash, error) {
	if level <= chunkLevel {
		roots, err := r.runRoots(n<<(level-runLevel), (n+1)<<(level-runLevel))
		if err != nil {
			return tlog.Hash{}, err
		}
		return subtreeRoot(roots), nil
	}
	left, err := r.subtree(level-1, 2*n)
	if err != nil {
		return tlog.Hash{}, err
	}
	right, err := r.subtree(level-1, 2*n+1)
	if err != nil {
		return tlog.Hash{}, err
	}
	return nodeHash(&left, &right), nil
}

// runRoots returns the roots of the complete runs [from, to), all of one chunk.
func (r *treeReader) runRoots(from, to int64) ([]tlog.Hash, error) {
	roots := make([]tlog.Hash, 0, to-from)
	packed := min(to, r.v.head.Packed/rootWidth) // runs that end in blocks
	if from < packed {
		list, err := r.b.cache.metas(r.ctx, r.b.store, r.v.head.Log, from*rootWidth, r.v.head.Packed, false)
		if err != nil {
			return nil, fmt.Errorf("list the roots of runs %d to %d: %w", from, packed, err)
		}
		for n := from; n < packed; n++ {
			root, err := list.root(n)
			if err != nil {
				return nil, err
			}
			roots = append(roots, root)
		}
	}
	for n := max(from, packed); n < to; n++ {
		leaves, err := r.run(n)
		if err != nil {
			return nil, err
		}
		roots = append(roots, subtreeRoot(leaves))
	}
	return roots, nil
}

// root returns the root of the n-th run of the log: the block in which it ends keeps it.
func (m *metaChunk) root(n int64) (tlog.Hash, error) {
	meta := &m.metas[m.find((n+1)*rootWidth-1)]
	at := (n - meta.First/rootWidth) * tlog.HashSize
	if at < 0 || at+tlog.HashSize > int64(len(meta.Roots)) {
		err := damaged("block %d does not keep the root of the entries from %d", meta.First, n*rootWidth)
		return tlog.Hash{}, damagedAt(err, n*rootWidth, (n+1)*rootWidth, CheckTree)
	}
	return tlog.Hash(meta.Roots[at : at+tlog.HashSize]), nil
}

// run returns the leaf hashes of the n-th run, as many as the picture holds.
func (r *treeReader) run(n int64) ([]tlog.Hash, error) {
	from, to := n*rootWidth, min((n+1)*rootWidth, r.v.size)
	complete := to-from == rootWidth
	if !complete && r.last != nil {
		return r.last, nil
	}
	ref := nodeRef{r.v.head.Log, runLevel, n}
	if leaves := r.b.nodes.run(ref); leaves != nil && complete {
		return leaves, nil
	}
	leaves := make([]tlog.Hash, 0, rootWidth)
	err := r.b.eachLeaf(r.ctx, r.v, from, to, func(e *packed, d *leaf.Doc) error {
		h, err := e.leafHash(d)
		leaves = append(leaves, h)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the leaves %d to %d: %w", from, to, err)
	}
	if complete {
		r.b.nodes.putRun(ref, leaves)
	} else {
		r.last = leaves
	}
	return leaves, nil
}

// eachLeaf gives the entries [from, to) of v in order, with a Doc that may be used for reading them. It reads blocks past the cache, so
// that reading a whole log does not empty it. What it gives is valid during the call.
func (b *Book) eachLeaf(ctx context.Context, v view, from, to int64, each func(e *packed, d *leaf.Doc) error) error {
	d := leaf.Get()
	defer leaf.Put(d)
	swapped := 0
	for packed := min(to, v.head.Packed); from < packed; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		list, err := b.cache.metas(ctx, b.store, v.head.Log, from, v.head.Packed, false)
		if err != nil {
			return err
		}
		m := &list.metas[list.find(from)]
		blk, err := readBlock(ctx, b.store, &v.head, m, nil)
		if errors.Is(err, ErrNotExist) && swapped < 100 {
			swapped++
			b.cache.dropChunk(v.head.Log, from)
			continue // list again
		}
		if err != nil {
			return err
		}
		for ; from < min(packed, m.end()); from++ {
			e := blk.entry(int(from - m.First))
			if err := each(&e, d); err != nil {
				return damagedAt(err, from, from+1, CheckPayload)
			}
		}
	}
	for i := v.runAt(from); i < len(v.runs) && from < to; i++ {
		r := v.runs[i]
		for k := int(from - r.first()); k < r.len() && from < to; k++ {
			e := r.entry(k)
			if err := each(&e, d); err != nil {
				return err
			}
			from++
		}
	}
	if from < to {
		return damagedAt(damaged("entries %d to %d are not stored", from, to-1), from, to, CheckList)
	}
	return nil
}

// runAt returns the place of the run of the tail that holds seq; the number of runs if none does.
func (v *view) runAt(seq int64) int {
	return sort.Search(len(v.runs), func(i int) bool { return v.runs[i].end() > seq })
}

// leafHash returns the leaf hash of p: entries of the tail have theirs, those of blocks get it from their payload, unless it alone is left.
// CodeGone: pruning has left none.
func (p *packed) leafHash(d *leaf.Doc) (tlog.Hash, error) {
	if p.leaf != (tlog.Hash{}) {
		return p.leaf, nil
	}
	l, err := p.leafOf(d)
	return l.Hash(), err
}

// Bounds of a nodeCache: about 5 MiB of nodes and 2 MiB of runs.
const (
	maxNodes      = 64 << 10
	maxCachedRuns = 256
)

// nodeRef names a subtree of a log.
type nodeRef struct {
	log   LogNo
	level int
	n     int64
}

// nodeCache remembers hashes of complete subtrees, which never change, erasure or not. When it is full it begins anew. It is safe for
// concurrent use; what it hands out is never changed.
type nodeCache struct {
	mu    sync.Mutex
	nodes map[nodeRef]tlog.Hash
	runs  map[nodeRef][]tlog.Hash // the leaf hashes of complete runs
}

func newNodeCache() *nodeCache {
	return &nodeCache{nodes: map[nodeRef]tlog.Hash{}, runs: map[nodeRef][]tlog.Hash{}}
}

func (c *nodeCache) node(ref nodeRef) (tlog.Hash, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.nodes[ref]
	return h, ok
}

func (c *nodeCache) putNode(ref nodeRef, h tlog.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.nodes) >= maxNodes {
		clear(c.nodes)
	}
	c.nodes[ref] = h
}

func (c *nodeCache) run(ref nodeRef) []tlog.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[ref]
}

// forgetRuns drops the leaf hashes of a log.
func (c *nodeCache) forgetRuns(log LogNo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ref := range c.runs {
		if ref.log == log {
			delete(c.runs, ref)
		}
	}
}

func (c *nodeCache) putRun(ref nodeRef, leaves []tlog.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.runs) >= maxCachedRuns {
		clear(c.runs)
	}
	c.runs[ref] = leaves
}
