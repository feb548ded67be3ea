package daybook

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/packed"
	"github.com/daybook-audit/daybook/leaf"
)

// Done ends the excerpt. The writer is of no more use.
func (w *ExcerptWriter) Done() (*Excerpt, error) {
	x := w.x
	if err := w.open(floorTo(x.is.Size, windowSize) + windowSize); err != nil { // behind everything
		return nil, err
	}
	for i := range w.drafts {
		if err := w.finish(&w.drafts[i]); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(x.blocks, func(a, b Block) int { return cmp.Compare(a.First, b.First) })
	tree := w.tree.End(x.is.Size, x.is.Right)
	x.head.Frontier, x.root = tree.Hashes, tree.Root()
	for i := range x.blocks {
		if r := x.blocks[i].Received; r.Min <= r.Max {
			x.head.LastReceived = max(x.head.LastReceived, r.Max)
		}
	}
	x.note.At = cmp.Or(x.is.Signed, x.head.LastReceived)
	for day, counts := range w.days {
		x.slips = append(x.slips, Slip{SlipKey: SlipKey{Kind: slipDay, B: day}, Bytes: counts.Encode()})
	}
	slices.SortFunc(x.slips, func(a, b Slip) int { return a.compare(b.SlipKey) })
	return x, nil
}

// compare orders keys as stores do.
func (k SlipKey) compare(o SlipKey) int {
	return cmp.Or(cmp.Compare(k.Kind, o.Kind), cmp.Compare(k.A, o.A), cmp.Compare(k.B, o.B))
}

// finish makes the blocks of a window that was put aside: by now it is known why something of it is missing.
func (w *ExcerptWriter) finish(d *draft) error {
	var es []kept.Entry
	for _, text := range d.bytes {
		b, err := packed.ReadBlock(text, nil)
		if err != nil {
			return fmt.Errorf("keep the entries from %d: %w", d.first, ofStored(err))
		}
		for i := range b.Len() {
			es = append(es, b.Entry(i))
		}
	}
	window := leaf.Items{{First: d.first, Last: d.first + int64(len(es)) - 1}}
	var acts []*control
	for _, c := range w.acts {
		if _, ok := c.items.Meets(window); ok {
			acts = append(acts, c)
		}
	}
	for i := range es {
		if err := w.explain(&es[i], acts); err != nil {
			return err
		}
	}
	return w.build(d.first, es)
}

// explain writes into e who removed what is missing, or that it was left out.
func (w *ExcerptWriter) explain(e *kept.Entry, acts []*control) error {
	switch e.Form {
	case kept.FormLeaf, kept.FormHash:
		why, by := kept.ByRetention, ""
		if e.Form == kept.FormHash && w.x.is.Filtered {
			why = kept.LeftOut
		}
		for _, c := range acts {
			if !c.items.Covers(e.Seq, -1) || e.Form == kept.FormHash && (c.Op == opErase || c.form() == kept.FormLeaf) {
				continue
			}
			if why, by = kept.ByRetention, c.Policy; c.Op == opErase {
				why, by = kept.ByErasure, c.ErasureID
			}
			break
		}
		e.Body = kept.Tombstone(why, by)
	case kept.FormFields:
		fs, err := kept.ReadFields(e.Body)
		if err != nil {
			return ofStored(err)
		}
		for i := range fs {
			if fs[i].Withheld && len(w.x.is.Mask) > 0 && !slices.ContainsFunc(acts, func(c *control) bool { return c.Op == opErase && c.items.Covers(e.Seq, i) }) {
				fs[i].Type = kept.TypeLeftOut
			}
		}
		e.Body = kept.FieldsBody(fs)
	case kept.FormWhole, kept.FormNone:
	}
	return nil
}
