package daybook

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/leaf"
)

// Of a log's tree the store keeps the roots of complete runs of merkle.RunWidth leaves, beside the blocks; everything else is made on
// read.

// treeSource is what the tree of one picture of a log is made of. It belongs to one goroutine and one call.
type treeSource struct {
	ctx context.Context //nolint:containedctx // of the one call that it lives for
	b   *Book
	v   view
}

// tree returns the tree of a picture of a log.
func (b *Book) tree(ctx context.Context, v view) *merkle.Tree {
	t := &merkle.Tree{Log: int64(v.head.Log), Size: v.size, Source: &treeSource{ctx: ctx, b: b, v: v}, Cache: b.nodes}
	if b.excerpt != nil {
		t.Part = b.excerpt.part
	}
	return t
}

// Leaves is part of merkle.Source.
func (s *treeSource) Leaves(from, to int64) ([]tlog.Hash, error) {
	leaves := make([]tlog.Hash, 0, to-from)
	err := s.b.eachLeaf(s.ctx, s.v, from, to, func(e *kept.Entry, d *leaf.Doc) error {
		h, err := e.Hash(d)
		leaves = append(leaves, h)
		return ofStored(err)
	})
	if err != nil {
		return nil, fmt.Errorf("read the leaves %d to %d: %w", from, to, err)
	}
	return leaves, nil
}

// Roots is part of merkle.Source: the roots are beside the blocks in which runs end.
func (s *treeSource) Roots(from, to int64) ([]tlog.Hash, error) {
	packed := min(to, s.v.head.Packed/merkle.RunWidth)
	if from >= packed {
		return nil, nil
	}
	list, err := s.b.cache.metas(s.ctx, s.b.store, s.v.head.Log, from*merkle.RunWidth, s.v.head.Packed, false)
	if err != nil {
		return nil, fmt.Errorf("list the roots of runs %d to %d: %w", from, packed, err)
	}
	roots := make([]tlog.Hash, 0, to-from)
	for n := from; n < packed; n++ {
		root, err := list.root(n)
		if err != nil {
			return nil, err
		}
		roots = append(roots, root)
	}
	return roots, nil
}

// Lost is part of merkle.Source.
func (s *treeSource) Lost(first int64, err error) (*merkle.Lost, error) {
	if CodeOf(err) != CodeGone {
		return nil, err
	}
	return readLost(s.ctx, s.b.store, s.v.head.Log, first)
}

// root returns the root of the n-th run of the log: the block in which it ends keeps it.
func (m *metaChunk) root(n int64) (tlog.Hash, error) {
	meta := &m.metas[m.find((n+1)*merkle.RunWidth-1)]
	at := (n - meta.First/merkle.RunWidth) * tlog.HashSize
	if at < 0 || at+tlog.HashSize > int64(len(meta.Roots)) {
		err := damaged("block %d does not keep the root of the entries from %d", meta.First, n*merkle.RunWidth)
		return tlog.Hash{}, damagedAt(err, n*merkle.RunWidth, (n+1)*merkle.RunWidth, CheckTree)
	}
	return tlog.Hash(meta.Roots[at : at+tlog.HashSize]), nil
}

// eachLeaf gives the entries [from, to) of v in order, with a Doc that may be used for reading them. It reads blocks past the cache, so
// that reading a whole log does not empty it. What it gives is valid during the call.
func (b *Book) eachLeaf(ctx context.Context, v view, from, to int64, each func(e *kept.Entry, d *leaf.Doc) error) error {
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
			e := blk.Entry(int(from - m.First))
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
