package daybook

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/checkpoint"
	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// removals is what a check of one log has met of removed entries and fields, and of control entries that explain them. What is whole
// and neighbours is kept as one range.
type removals struct {
	whole  [kept.FormNone + 1]leaf.Items // gone, by form
	fields leaf.Items                    // gone, each of one entry
	erases []leaf.Items
	acts   [kept.FormNone + 1]leaf.Items // whole entries named by erase and prune entries, by the form that they allow, in no order
	holds  map[string][]leaf.Items       // in force, by id
}

// control takes a control entry. What cannot be read explains nothing.
func (c *logCheck) control(seq int64, text []byte) {
	r := &c.removals
	says, err := parseControl(text)
	switch {
	case err != nil:
	case says.Op == opHold && says.State == holdPlaced:
		if r.holds == nil {
			r.holds = map[string][]leaf.Items{}
		}
		r.holds[says.HoldID] = append(r.holds[says.HoldID], says.items)
	case says.Op == opHold && says.State == holdReleased:
		delete(r.holds, says.HoldID)
	case says.removes() && says.items.Last() < seq:
		r.act(says)
		for _, id := range slices.Sorted(maps.Keys(r.holds)) {
			for _, items := range r.holds[id] {
				if first, ok := items.Meets(says.items); ok {
					c.find(seq, "hold_violated", "the %s entry names entry %d, which %s holds", says.Op, first, id)
					break
				}
			}
		}
	}
}

// act takes what a control entry removes.
func (r *removals) act(c *control) {
	if c.Op == opErase {
		r.erases = append(r.erases, c.items)
	}
	for _, it := range c.items {
		if it.Fields == nil {
			r.acts[c.form()] = append(r.acts[c.form()], it)
		}
	}
}

// remainder is entry for one that is not whole.
func (c *logCheck) remainder(e *kept.Entry) (tlog.Hash, bool) {
	h, err := e.Hash(c.doc)
	if err != nil {
		c.find(e.Seq, "payload_damaged", "%v", err)
		return tlog.Hash{}, false
	}
	if c.gone = e.Pruned(); !e.Form.HasLeaf() {
		c.record, c.terms = query.Record{Seq: e.Seq}, c.terms[:0]
	} else if c.gone {
		c.record = query.Record{Org: string(c.head.Org), Seq: e.Seq, Received: e.Received, Occurred: e.Received}
		c.terms = append(c.terms[:0], query.NewTerm('i', e.ID[:]))
	} else if err := readRecord(e, c.head.Org, c.doc, &c.record); err != nil {
		c.find(e.Seq, "payload_damaged", "%v", err)
		return tlog.Hash{}, false
	} else {
		c.terms = query.AppendTerms(c.terms[:0], &c.record)
	}
	if text, err := e.Remainder(); err == nil && e.Kind == KindControl {
		c.control(e.Seq, text) // what it does is still there: only reason and by may be erased
	}
	if err := c.removals.gone(e); err != nil {
		c.find(e.Seq, "payload_damaged", "%v", err)
		return tlog.Hash{}, false
	}
	return h, true
}

// lostEntry takes an entry of a run that has lost its leaf hashes. At the end of the run, of which the meta m has the root, the tree is
// continued. It returns false when that cannot be.
func (c *logCheck) lostEntry(m *BlockMeta, e *kept.Entry) bool {
	c.timeless = true
	if e.Form != kept.FormNone || c.lost != int(e.Seq%merkle.RunWidth) {
		c.find(e.Seq, "root_mismatch", "only a part of the run of 256 entries has lost its hashes")
		return false
	}
	if err := c.removals.gone(e); err != nil {
		c.find(e.Seq, "payload_damaged", "%v", err)
	}
	if c.lost++; c.lost < merkle.RunWidth {
		return true
	}
	c.lost = 0
	list := metaChunk{metas: []BlockMeta{*m}}
	root, err := list.root(e.Seq / merkle.RunWidth)
	if err != nil {
		c.find(e.Seq, "root_mismatch", "%v", err)
		return false
	}
	c.roots = append(c.roots, root[:]...)
	c.edges(e.Seq/merkle.RunWidth, root)
	c.tree.AppendSubtree(merkle.RunLevel, root)
	c.compareSigned()
	return true
}

// edges compares the edges of a run that has lost its leaf hashes with its root and with the checkpoints inside it.
func (c *logCheck) edges(no int64, root tlog.Hash) {
	first := no * merkle.RunWidth
	for s := &c.signed; s.more && s.note.Size < first+merkle.RunWidth; c.nextSigned() {
		size := s.note.Size
		whole := c.tree.Clone()
		whole.AppendSubtree(merkle.RunLevel, root)
		var at, end tlog.Hash
		lost, err := readLost(c.ctx, c.f.store, c.head.Log, first)
		if err == nil {
			at, end, err = lost.Heads(&c.tree, size)
		}
		switch {
		case err != nil:
			c.find(size-1, "checkpoint_mismatch", "nothing shows any more that the checkpoint of size %d is one of this log: %v", size, err)
		case at != s.note.Root || end != whole.Root():
			c.find(size-1, "checkpoint_mismatch", "the edge that was kept of the checkpoint of size %d does not give its root", size)
		}
	}
}

// gone notes what of e is gone.
func (r *removals) gone(e *kept.Entry) error {
	if e.Gone() {
		_, _, err := e.Tombstone()
		list := &r.whole[e.Form]
		if n := len(*list); n > 0 && (*list)[n-1].Last == e.Seq-1 {
			(*list)[n-1].Last = e.Seq
		} else {
			*list = append(*list, leaf.Item{First: e.Seq, Last: e.Seq})
		}
		return ofStored(err)
	}
	fs, err := kept.ReadFields(e.Body)
	if err != nil {
		return ofStored(err)
	}
	it := leaf.Item{First: e.Seq, Last: e.Seq}
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
	for _, items := range c.f.erased[logIDOf(checkpoint.Origin("", c.head.LogID))] {
		r.act(&control{Op: opErase, items: items})
	}
	var acts leaf.Items
	for form := kept.FormNone; form >= kept.FormLeaf; form-- { // who may take more may take less
		acts = append(acts, r.acts[form]...)
		slices.SortFunc(acts, func(a, b leaf.Item) int { return cmp.Compare(a.First, b.First) })
		i, through := 0, int64(-1)
		for _, gone := range r.whole[form] {
			for seq := gone.First; seq <= gone.Last; seq = max(seq, through) + 1 {
				for ; i < len(acts) && acts[i].First <= seq; i++ {
					through = max(through, acts[i].Last)
				}
				if through < seq {
					c.find(seq, "unauthorised_removal", "the entry is gone, and no erase or prune entry that leaves as little names it")
					break
				}
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
