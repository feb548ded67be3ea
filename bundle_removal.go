package daybook

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/leaf"
)

// explanation is a control entry that says that something in the range of a bundle was removed, or one of a hold.
type explanation struct {
	entry kept.Entry
	items leaf.Items // of a removal
	form  kept.Form  // to which it reduces what it names as a whole
}

// controls writes the control entries outside the bundle's range that explain what is missing in it. With them come all holds, placed
// and released, so that a reader can follow which were in force when something was removed.
func (s *bundler) controls() error {
	if err := s.findExplanations(s.view); err != nil {
		return err
	}
	whole := s.begin > 0 && s.q.First == s.begin // what came before must be judged without seeing it
	if !whole && !slices.ContainsFunc(s.why, func(r explanation) bool { return r.items != nil && s.outside(r.entry.Seq) }) {
		return nil
	}
	d := leaf.Get()
	defer leaf.Put(d)
	for i := range s.why {
		e := &s.why[i].entry
		if !s.outside(e.Seq) {
			continue
		}
		in, err := s.l.inclusion(s.tree, e.Seq, s.e.size)
		if err != nil {
			return err
		}
		if err := s.show(e, in.LeafHash, false, d); err != nil {
			return err
		}
		if err := s.out.Control(&s.shown, in.Proof); err != nil {
			return err
		}
	}
	return nil
}

// outside reports whether an entry is in the tree and not in the range.
func (s *bundler) outside(seq int64) bool {
	return seq < s.e.size && (seq < s.q.First || seq >= s.q.End)
}

// findExplanations adds what v says about removals since the last time.
func (s *bundler) findExplanations(v view) error {
	covered := leaf.Items{{First: s.q.First, Last: s.q.End - 1}}
	err := s.l.b.eachControl(s.ctx, v, s.looked, func(e *kept.Entry) error {
		text, err := e.Remainder()
		if err != nil {
			return ofStored(err)
		}
		c, err := parseControl(text)
		if err != nil {
			return nil //nolint:nilerr // what cannot be read explains nothing
		}
		r := explanation{entry: *e}
		if c.removes() {
			// A bundle that begins with what is left of the log shows who removed what came before.
			_, ok := c.items.Meets(covered)
			if !ok && (c.form() != kept.FormNone || s.q.First != s.begin) {
				return nil
			}
			r.items, r.form = c.items, c.form()
		} else if c.Op != opHold || s.q.WithoutHolds {
			return nil
		}
		r.entry.Body = slices.Clone(e.Body) // its block need not be kept
		s.why = append(s.why, r)
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for control entries: %w", err)
	}
	s.looked = v.size
	return nil
}

// explained refuses an entry of which something was removed since the checkpoint that the bundle hangs on: what explains it is in no
// tree that the reader gets. What nothing explains is shown as it is: the verifier will say so.
func (s *bundler) explained(e *kept.Entry) error {
	missing, err := e.Missing()
	if err != nil {
		return ofStored(err)
	}
	for _, field := range missing {
		if s.removed(e, field, s.e.size) {
			continue
		}
		if !s.removed(e, field, math.MaxInt64) {
			if err := s.findExplanations(s.l.view()); err != nil {
				return err
			}
		}
		if s.removed(e, field, math.MaxInt64) {
			return &Error{
				Code: CodeConflict, Rule: "removed_since",
				Message: fmt.Sprintf("something of entry %d was removed after the checkpoint of size %d: begin again with a newer one", e.Seq, s.e.size),
			}
		}
	}
	return nil
}

// removed reports whether a control entry below size explains that field of e is gone; -1: the whole of it.
func (s *bundler) removed(e *kept.Entry, field int, size int64) bool {
	return slices.ContainsFunc(s.why, func(r explanation) bool {
		return r.entry.Seq < size && r.items.Covers(e.Seq, field) && r.form >= min(e.Form, kept.FormHash)
	})
}

// eachControl gives the control entries about removal in v from a seq on, in order: erasures, prunings and holds. What it gives is valid
// during the call.
func (b *Book) eachControl(ctx context.Context, v view, from int64, each func(e *kept.Entry) error) error {
	slips, err := b.controlSlips(ctx, v.head.Log)
	if err != nil {
		return err
	}
	for _, s := range slips {
		if s.seq < from || s.seq >= v.head.Packed {
			continue
		}
		err := b.eachLeaf(ctx, v, s.seq, s.seq+1, func(e *kept.Entry, _ *leaf.Doc) error { return each(e) })
		if err != nil {
			return fmt.Errorf("read control entry %d: %w", s.seq, err)
		}
	}
	for i := v.runAt(max(from, v.head.Packed)); i < len(v.runs); i++ {
		r := v.runs[i].from(from)
		for k := range r.len() {
			if r.c.Kind(r.at+k) != KindControl {
				continue
			}
			e := r.entry(k)
			if err := each(&e); err != nil {
				return err
			}
		}
	}
	return nil
}
