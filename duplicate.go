package daybook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/leaf"
)

// lookUp finds out what of the request is recorded already, answers that, and leaves the rest in the job. done: nothing is left.
// The job then says through which commit was looked; the sequencer looks at the few that came after.
func (q *recording) lookUp(ctx context.Context, hashes [][16]byte) (done bool, err error) {
	v, err := q.b.view(ctx, q.job.org)
	if err != nil {
		return false, err
	}
	if len(hashes) > 0 {
		key, err := q.findKey(ctx, hashes)
		if err != nil {
			return false, err
		}
		if key != nil {
			return q.answerKey(ctx, *key, key.Hash == hashes[0])
		}
	}
	if err := q.answerIDs(ctx, v, v.size); err != nil {
		return false, err
	}
	q.job.looked = v.through
	if len(q.job.events) == 0 && len(q.job.keys) == 0 {
		q.fill()
		return true, nil
	}
	return false, nil
}

// findKey returns the first of hashes that the store keeps and that has not expired.
func (q *recording) findKey(ctx context.Context, hashes [][16]byte) (*Key, error) {
	refs := make([]KeyRef, len(hashes))
	for i, h := range hashes {
		refs[i] = KeyRef{Log: q.job.log.no, Hash: h}
	}
	keys, err := q.b.store.Keys(ctx, refs)
	if err != nil {
		return nil, fmt.Errorf("look up idempotency keys: %w", err)
	}
	now := q.b.o.Now().Unix() / 3600
	for _, ref := range refs {
		for i := range keys {
			if keys[i].KeyRef == ref && keys[i].Expires > now {
				return &keys[i], nil
			}
		}
	}
	return nil, nil
}

// answerKey answers a request whose key is known: what carries an id that was in the log before the key's entries is answered by
// that id, and the rest must be the key's entries, in order and in content. own is false when the entry was found by another hash
// than the one this request would keep; that hash is then kept too.
func (q *recording) answerKey(ctx context.Context, k Key, own bool) (done bool, err error) {
	v, err := q.b.view(ctx, q.job.org)
	if err != nil {
		return false, err
	}
	if k.First+int64(k.N) > v.size && q.early < maxEarly {
		// The store has the commit and the sequencer does not yet know that it has: the next look is after it does.
		q.early, q.job.looked = q.early+1, v.through
		return false, nil
	}
	if err := q.answerIDs(ctx, v, k.First); err != nil {
		return false, err
	}
	if len(q.job.events) != k.N {
		return false, errKeyConflict()
	}
	entries, err := q.b.entries(ctx, v, k.First, k.First+int64(k.N))
	if err != nil {
		return false, err
	}
	for i := range entries {
		same, rc, err := q.compare(&q.job.events[i], &entries[i])
		if err != nil {
			return false, err
		}
		if !same {
			return false, errKeyConflict()
		}
		q.receipts[q.index[i]] = rc
	}
	q.job.events, q.index = nil, nil
	if own || len(q.job.keys) == 0 {
		q.job.keys = nil
		q.fill()
		return true, nil
	}
	q.job.keys[0].first, q.job.keys[0].n = k.First, k.N
	q.job.looked = v.through
	return false, nil
}

// maxEarly is how often a key may be found before its entries: more often is no commit under way but a store that lost some.
const maxEarly = 3

func errKeyConflict() error {
	return &Error{
		Code: CodeConflict, Rule: "key_conflict", Field: "Idempotency-Key", Message: "this idempotency key was used with other content",
	}
}

// answerIDs answers events whose id is in the log below seq before, and takes them out of the job.
func (q *recording) answerIDs(ctx context.Context, v view, before int64) error {
	var ids []ID
	for i := range q.job.events {
		if q.job.events[i].explicit {
			ids = append(ids, q.job.events[i].id)
		}
	}
	if len(ids) == 0 || v.size == 0 {
		return nil
	}
	found, err := q.b.find(ctx, v, ids)
	if err != nil {
		return fmt.Errorf("look up %d event ids: %w", len(ids), err)
	}
	kept, index := q.job.events[:0], q.index[:0]
	for i := range q.job.events {
		p := &q.job.events[i]
		e, ok := found[p.id]
		if !p.explicit || !ok || e.Seq >= before {
			kept, index = append(kept, *p), append(index, q.index[i])
			continue
		}
		same, rc, err := q.compare(p, &e)
		if err != nil {
			return err
		}
		if !same {
			if err := q.conflict(q.index[i], fmt.Sprintf("%s is recorded with other content", p.id)); err != nil {
				return err
			}
			continue
		}
		q.receipts[q.index[i]] = rc
	}
	q.job.events, q.index = kept, index
	return nil
}

// compare computes the payload root of p under the secret of e: equal roots are equal content, whatever the white space, the order
// of members and the escapes. Of an entry that is not whole the secret is gone: then nothing is compared, and what was erased is not
// recorded again. It also returns the receipt of e.
func (q *recording) compare(p *pending, e *kept.Entry) (same bool, rc Receipt, err error) {
	if !e.Form.HasLeaf() { // found by a key that was stored while its entry was being removed
		return true, Receipt{ID: p.id, Org: q.job.org, Seq: e.Seq, LeafHash: e.LeafHash, Duplicate: true}, nil
	}
	d := leaf.Get()
	defer leaf.Put(d)
	l, err := e.Leaf(d)
	if err != nil {
		return false, Receipt{}, fmt.Errorf("read the stored entry: %w", ofStored(err))
	}
	rc = Receipt{ID: e.ID, Org: q.job.org, Seq: e.Seq, LeafHash: tlog.Hash(l.Hash()), ReceivedAt: time.UnixMicro(e.Received).UTC(), Duplicate: true}
	if e.Form != kept.FormWhole {
		return true, rc, nil
	}
	if err := d.Read(p.text); err != nil {
		return false, Receipt{}, fmt.Errorf("read an accepted event again: %w", err)
	}
	if same := d.Root(&e.Secret) == l.Root; same || q.b.o.Schemas == nil {
		return same, rc, nil
	}
	same, err = sameButStamps(d, p, e, l.Root)
	return same, rc, err
}

// entries returns the entries [from, to) of the log in v, from memory or from blocks.
func (b *Book) entries(ctx context.Context, v view, from, to int64) ([]kept.Entry, error) {
	if to > v.size {
		return nil, &Error{Code: CodeTampered, Message: fmt.Sprintf("entries %d to %d are beyond the log's size %d", from, to, v.size)}
	}
	var es []kept.Entry
	for attempt := 0; from < min(to, v.head.Packed); attempt++ {
		got, err := b.blockEntries(ctx, &v.head, from, min(to, v.head.Packed))
		if errors.Is(err, ErrNotExist) && attempt < 10 {
			continue // swapped between the listing and the read: list again
		}
		if err != nil {
			return nil, fmt.Errorf("read entries from %d: %w", from, err)
		}
		es = got
		break
	}
	for _, r := range v.runs {
		for i := max(0, int(from-r.first())); i < r.len() && r.first()+int64(i) < to; i++ {
			es = append(es, r.entry(i))
		}
	}
	if int64(len(es)) != to-from {
		return nil, &Error{Code: CodeTampered, Message: fmt.Sprintf("entries %d to %d: only %d are stored", from, to, len(es))}
	}
	return es, nil
}

func (b *Book) blockEntries(ctx context.Context, h *Head, from, to int64) ([]kept.Entry, error) {
	var metas []BlockMeta
	for m, err := range b.store.Blocks(ctx, BlockQuery{Log: h.Log, From: from, To: to}) {
		if err != nil {
			return nil, err
		}
		metas = append(metas, m)
	}
	var es []kept.Entry
	for chunk := range slices.Chunk(metas, 16) {
		refs := make([]BlockRef, len(chunk))
		for i := range chunk {
			refs[i] = chunk[i].BlockRef
		}
		data, err := b.store.Read(ctx, h.Log, refs)
		if err != nil {
			return nil, err
		}
		for i := range data {
			blk, err := chunk[i].unpack(data[i], h, nil)
			if err != nil {
				return nil, err
			}
			for k := max(0, int(from-blk.First)); k < blk.Len() && blk.First+int64(k) < to; k++ {
				es = append(es, blk.Entry(k))
			}
		}
	}
	return es, nil
}
