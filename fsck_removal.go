package daybook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// removals is what a check of one log has met of removed entries and fields, and of control entries that explain them. What is whole
// and neighbours is kept as one range.
type removals struct {
	whole  leaf.Items // gone
	fields leaf.Items // gone, each of one entry
	erases []leaf.Items
	acts   leaf.Items // whole entries named by erase and prune entries, in no order
}

// erased takes what an erasure names that stands elsewhere.
func (r *removals) erased(items leaf.Items) {
	r.erases = append(r.erases, items)
	for _, it := range items {
		if it.Fields == nil {
			r.acts = append(r.acts, it)
		}
	}
}

// readElsewhere reads what authorises removals from logs in which it does not stand: the entries of later epochs that say what was erased
// again after a restore, and, until there are such, the list beside the high-water marks. Both by the id of the log that it is about.
func (f *fsck) readElsewhere(ctx context.Context) error {
	if f.o.HighWater != nil {
		rows, err := f.o.HighWater.Removals(ctx)
		if err != nil {
			return fmt.Errorf("read what was removed: %w", err)
		}
		_, erasures, err := readListed(rows)
		if err != nil {
			return err
		}
		for _, l := range erasures {
			f.erased[logIDOf(l.target)] = append(f.erased[logIDOf(l.target)], l.items(newestSize))
		}
	}
	for h, err := range everyLog(ctx, f.store) {
		if err != nil {
			return err
		}
		if h.Epoch == 0 || h.State == LogClosed {
			continue
		}
		if err := f.readOf(ctx, &h); err != nil {
			return err
		}
	}
	return nil
}

// readOf reads the control entries of one log that are about others. What cannot be read is found by the check of the log itself.
func (f *fsck) readOf(ctx context.Context, h *Head) error {
	take := func(e *packed) {
		if e.kind != KindControl {
			return
		}
		text, err := e.remainder()
		if err != nil {
			return
		}
		if c, err := parseControl(text); err == nil && c.Op == opErase && c.Of != "" {
			f.erased[logIDOf(c.Of)] = append(f.erased[logIDOf(c.Of)], c.ofItems)
		}
	}
	for _, r := range f.tails[h.Log] {
		for i := range r.len() {
			e := r.entry(i)
			take(&e)
		}
	}
	for m, err := range f.store.Blocks(ctx, BlockQuery{Log: h.Log, From: 0, To: h.Packed}) {
		if err != nil {
			return fmt.Errorf("list the blocks of log %d: %w", h.Log, err)
		}
		if m.State&stateControl == 0 {
			continue
		}
		data, err := f.store.Read(ctx, h.Log, []BlockRef{m.BlockRef})
		if errors.Is(err, ErrNotExist) {
			continue // swapped beside a running server; a check then may have to be made again
		}
		if err != nil {
			return fmt.Errorf("read a block of log %d: %w", h.Log, err)
		}
		b, err := unpackBlock(data[0])
		if err != nil {
			continue //nolint:nilerr // the check of the log finds it
		}
		for i := range b.len() {
			e := b.entry(i)
			take(&e)
		}
	}
	return nil
}

// control takes a control entry. What is none that removes, or cannot be read, explains nothing.
func (r *removals) control(seq int64, text []byte) {
	c, err := parseControl(text)
	if err != nil || c.Op != opErase && c.Op != opPrune || c.Of != "" || c.items.Last() >= seq {
		return
	}
	if c.Op == opErase {
		r.erases = append(r.erases, c.items)
	}
	for _, it := range c.items {
		if it.Fields == nil {
			r.acts = append(r.acts, it)
		}
	}
}

// remainder is entry for one that is not whole.
func (c *logCheck) remainder(e *packed) (tlog.Hash, bool) {
	l, err := e.leafOf(c.doc)
	if err != nil {
		c.find(e.seq, "payload_damaged", "%v", err)
		return tlog.Hash{}, false
	}
	if c.gone = e.pruned(); c.gone {
		c.record = query.Record{Org: string(c.head.Org), Seq: e.seq, Received: e.received, Occurred: e.received}
		c.terms = append(c.terms[:0], query.NewTerm('i', e.id[:]))
	} else if err := e.record(c.head.Org, c.doc, &c.record); err != nil {
		c.find(e.seq, "payload_damaged", "%v", err)
		return tlog.Hash{}, false
	} else {
		c.terms = query.AppendTerms(c.terms[:0], &c.record)
	}
	if text, err := e.remainder(); err == nil && e.kind == KindControl {
		c.removals.control(e.seq, text) // what it does is still there: only reason and by may be erased
	}
	if err := c.removals.gone(e); err != nil {
		c.find(e.seq, "payload_damaged", "%v", err)
		return tlog.Hash{}, false
	}
	return l.Hash(), true
}

// gone notes what of e is gone.
func (r *removals) gone(e *packed) error {
	if e.form == formLeaf {
		_, _, err := e.tombstone()
		if n := len(r.whole); n > 0 && r.whole[n-1].Last == e.seq-1 {
			r.whole[n-1].Last = e.seq
		} else {
			r.whole = append(r.whole, leaf.Item{First: e.seq, Last: e.seq})
		}
		return err
	}
	fs, err := readFields(e.body)
	if err != nil {
		return err
	}
	it := leaf.Item{First: e.seq, Last: e.seq}
	for i := range fs {
		if fs[i].Withheld {
			it.Fields = append(it.Fields, i)
			fs[i].Path = nil
		}
	}
	if err := leaf.CheckShape(fs); err != nil {
		return fmt.Errorf("the fields that are left: %w", err)
	}
	r.fields = append(r.fields, it)
	return nil
}

// lawful finds what is gone and was named by no control entry that removes.
func (c *logCheck) lawful() {
	r := &c.removals
	if len(r.whole)+len(r.fields) > 0 {
		for _, items := range c.f.erased[logIDOf(originOf("", c.head.LogID))] {
			r.erased(items)
		}
	}
	slices.SortFunc(r.acts, func(a, b leaf.Item) int { return cmp.Compare(a.First, b.First) })
	i, through := 0, int64(-1)
	for _, gone := range r.whole {
		for seq := gone.First; seq <= gone.Last; seq = max(seq, through) + 1 {
			for ; i < len(r.acts) && r.acts[i].First <= seq; i++ {
				through = max(through, r.acts[i].Last)
			}
			if through < seq {
				c.find(seq, "unauthorised_removal", "the entry is gone, and no erase or prune entry names it")
				break
			}
		}
	}
	for _, gone := range r.fields {
		for _, field := range gone.Fields {
			if !slices.ContainsFunc(r.erases, func(is leaf.Items) bool { return is.Covers(gone.First, field) }) {
				c.find(gone.First, "unauthorised_removal", "field %d is gone, and no erase entry names it", field)
			}
		}
	}
}
