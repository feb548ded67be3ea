package daybook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/termfilter"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// Entry returns the entry of org that has an id. If there is none, or no such org: an *Error of CodeNotFound.
func (b *Book) Entry(ctx context.Context, org OrgID, id ID) (Entry, error) {
	v, err := b.view(ctx, org)
	if err != nil {
		return Entry{}, err
	}
	p, err := b.findOne(ctx, v, id)
	if err != nil {
		return Entry{}, err
	}
	return openPlaced(&p, org)
}

// EntryAt returns the entry of org at seq. If the log does not reach that far, or there is no such org: an *Error of CodeNotFound; of
// CodeGone if retention has left nothing of it.
func (b *Book) EntryAt(ctx context.Context, org OrgID, seq int64) (Entry, error) {
	v, err := b.view(ctx, org)
	if err != nil {
		return Entry{}, err
	}
	if seq < 0 || seq >= v.size {
		return Entry{}, &Error{Code: CodeNotFound, Message: fmt.Sprintf("there is no entry %d", seq)}
	}
	es, err := b.entries(ctx, v, seq, seq+1)
	if err != nil {
		return Entry{}, damagedAt(err, seq, seq+1, CheckBlock)
	}
	if es[0].Form == kept.FormNone {
		return Entry{}, errPruned("entry %d was removed by retention, with the hashes of its whole run", seq)
	}
	return openPlaced(&es[0], org)
}

// openPlaced is openEntry with a Doc of its own. What does not hold of the entry is a [DamageError].
func openPlaced(k *kept.Entry, org OrgID) (Entry, error) {
	d := leaf.Get()
	defer leaf.Put(d)
	e, err := openEntry(k, org, d)
	return e, damagedAt(err, k.Seq, k.Seq+1, CheckPayload)
}

// findOne returns the entry of v that has an id.
func (b *Book) findOne(ctx context.Context, v view, id ID) (kept.Entry, error) {
	found, err := b.find(ctx, v, []ID{id})
	if err != nil {
		return kept.Entry{}, err
	}
	p, ok := found[id]
	if !ok {
		return kept.Entry{}, &Error{Code: CodeNotFound, Message: fmt.Sprintf("there is no event %s", id)}
	}
	return p, nil
}

// find looks ids up in the log of v: first from an id's own time on, less five minutes, where it is if the clock that made it was
// right, then everywhere.
func (b *Book) find(ctx context.Context, v view, ids []ID) (map[ID]kept.Entry, error) {
	f := finder{b: b, v: v, ids: make(map[ID]struct{}, len(ids)), found: make(map[ID]kept.Entry)}
	for _, id := range ids {
		f.ids[id] = struct{}{}
	}
	return f.found, f.find(ctx)
}

// finder looks for ids.
type finder struct {
	b     *Book
	v     view
	ids   map[ID]struct{} // not found yet
	found map[ID]kept.Entry

	damage error // of the first block that could not be read; what is not found may be in it
}

func (f *finder) find(ctx context.Context) error {
	for _, r := range f.v.runs {
		f.tail(r)
	}
	if f.v.head.Packed == 0 {
		return nil
	}
	for id := range f.ids {
		from, err := f.since(ctx, id.Micros()-clockSlack)
		if err != nil {
			return err
		}
		if err := f.blocks(ctx, id, from, f.v.head.Packed); err != nil {
			return err
		}
		if err := f.blocks(ctx, id, 0, from); err != nil {
			return err
		}
		if _, missing := f.ids[id]; missing && f.damage != nil {
			return f.damage
		}
	}
	return nil
}

// tail looks at a run in memory.
func (f *finder) tail(r tailRun) {
	for i := range r.len() {
		if len(f.ids) == 0 {
			return
		}
		id := ID(r.c.EntryID(r.at + i))
		if _, ok := f.ids[id]; ok {
			f.found[id] = r.entry(i)
			delete(f.ids, id)
		}
	}
}

// since returns the first seq in blocks of a block that received something at or after a time. It goes back from the end, chunk by
// chunk: what is looked up is mostly new.
func (f *finder) since(ctx context.Context, at int64) (int64, error) {
	seq := f.v.head.Packed
	for seq > 0 {
		list, err := f.b.cache.metas(ctx, f.b.store, f.v.head.Log, seq-1, f.v.head.Packed, true)
		if err != nil {
			return 0, err
		}
		for _, m := range slices.Backward(list.metas) {
			if m.Received.Max < at && m.Received.Min <= m.Received.Max {
				return seq, nil
			}
			seq = min(seq, m.First)
		}
	}
	return 0, nil
}

// blocks looks for id in the blocks of [from, to).
func (f *finder) blocks(ctx context.Context, id ID, from, to int64) error {
	if _, ok := f.ids[id]; !ok {
		return nil
	}
	term := query.NewTerm('i', id[:])
	swapped := 0
	for from < to {
		list, err := f.b.cache.metas(ctx, f.b.store, f.v.head.Log, from, f.v.head.Packed, true)
		if err != nil {
			return err
		}
		for i := list.find(from); i < len(list.metas) && from < to; i++ {
			m := &list.metas[i]
			if termfilter.Has(m.Filter, m.First, term) {
				err := f.block(ctx, m, id)
				if errors.Is(err, ErrNotExist) && swapped < 100 {
					swapped++
					f.b.cache.dropChunk(f.v.head.Log, from)
					break // list again
				}
				if err != nil {
					return err
				}
				if _, ok := f.ids[id]; !ok {
					return nil
				}
			}
			from = m.end()
		}
	}
	return nil
}

// block looks for id in one block.
func (f *finder) block(ctx context.Context, m *BlockMeta, id ID) error {
	blk, err := f.b.cache.block(ctx, f.b.store, &f.v.head, m, nil)
	if _, bad := errors.AsType[*DamageError](err); bad {
		f.damage = cmp.Or(f.damage, err)
		return nil // it may be in another block
	}
	if err != nil {
		return err
	}
	for i := range blk.Len() {
		if e := blk.Entry(i); e.ID == id && e.Form.HasLeaf() {
			if e.Seq < f.v.head.Packed {
				f.found[id] = e
				delete(f.ids, id)
			}
			return nil
		}
	}
	return nil
}
