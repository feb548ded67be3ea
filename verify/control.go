package verify

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/daybook-audit/daybook/leaf"
)

// The operations of control entries.
const (
	opErase = "erase"
	opPrune = "prune"
	opHold  = "hold"
	opKey   = "key"
	opEpoch = "epoch"
)

// errWithheld says that a control entry does not show what it says.
var errWithheld = errors.New("the control entry does not show what it says")

// control is what one control entry says.
type control struct {
	seq   int64
	line  int
	op    string
	state string // of a hold or key
	hold  string // id of a hold
	keep  string // of a prune
	vkey  string // of a key
	items leaf.Items
}

// read fills c from an entry of kind 1. An error is errWithheld, errUnknown, or says that the entry is malformed.
func (c *control) read(e *entry) error {
	c.seq = e.leaf.Seq
	var err error
	if c.op, err = required(e, "/op"); err != nil {
		return errWithheld
	}
	switch c.op {
	case opErase:
		if _, own := e.find("/items"); !own {
			if _, ok := e.find("/of"); ok { // erased again from the log of an earlier epoch, after a restore: nothing of this log
				return nil
			}
		}
		return c.readItems(e)
	case opPrune:
		return c.readPrune(e)
	case opHold:
		return c.readHold(e)
	case opKey:
		if c.state, err = required(e, "/state"); err == nil {
			c.vkey, err = required(e, "/vkey")
		}
		return err
	case opEpoch:
		if c.seq != 0 {
			return errors.New("an epoch entry stands at seq 0 only")
		}
		return nil
	default:
		return fmt.Errorf("the op %q is %w", c.op, errUnknown)
	}
}

// required returns the text at path. What is missing may be among the fields that are withheld.
func required(e *entry, path string) (string, error) {
	s, ok := e.find(path)
	switch {
	case ok:
		return s, nil
	case e.withheld() > 0:
		return "", errWithheld
	default:
		return "", fmt.Errorf("a control entry without %s", path)
	}
}

func (c *control) readItems(e *entry) error {
	text, err := required(e, "/items")
	if err != nil {
		return err
	}
	if c.items, err = leaf.ParseItems(text); err != nil {
		return fmt.Errorf("items: %w", err)
	}
	// From here on "later than what it covers" need not be asked again.
	if c.items.Last() >= c.seq {
		return errors.New("items: they name entries that are not before the entry itself")
	}
	return nil
}

func (c *control) readPrune(e *entry) error {
	var err error
	if c.keep, err = required(e, "/keep"); err != nil {
		return err
	}
	if c.keep != "leaf" && c.keep != "hash" && c.keep != "tile" {
		return fmt.Errorf("what the prune entry keeps, %q, is %w", c.keep, errUnknown)
	}
	if err := c.readItems(e); err != nil {
		return err
	}
	if slices.ContainsFunc(c.items, func(it leaf.Item) bool { return it.Fields != nil }) {
		return errors.New("items: a prune entry names whole entries")
	}
	return nil
}

// readHold reads a hold. One that matched nothing when it was placed has no items.
func (c *control) readHold(e *entry) error {
	var err error
	if c.state, err = required(e, "/state"); err != nil {
		return err
	}
	if c.hold, err = required(e, "/hold_id"); err != nil {
		return err
	}
	switch c.state {
	case "released":
		return nil
	case "placed":
		text, ok := e.find("/items")
		if !ok {
			return nil
		}
		if c.items, err = leaf.ParseItems(text); err != nil {
			return fmt.Errorf("items: %w", err)
		}
		return nil
	default:
		return fmt.Errorf("the state %q of a hold is %w", c.state, errUnknown)
	}
}

// span is a run of entries, both ends included.
type span struct {
	first, last int64
	line        int
}

// spans is a set of entries: ascending, without overlap.
type spans []span

// union makes a set of runs in any order.
func union(list []span) spans {
	slices.SortFunc(list, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	out := list[:0]
	for _, s := range list {
		if n := len(out); n > 0 && s.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// from returns the first run that ends at seq or later.
func (ss spans) from(seq int64) int {
	i, _ := slices.BinarySearchFunc(ss, seq, func(s span, seq int64) int {
		if s.last < seq {
			return -1
		}
		return 1
	})
	return i
}

// missing returns the first run of [first,last] that is not in the set; ok: there is one.
func (ss spans) missing(first, last int64) (gap span, ok bool) {
	i := ss.from(first)
	if i < len(ss) && ss[i].first <= first {
		if ss[i].last >= last {
			return span{}, false
		}
		first, i = ss[i].last+1, i+1
	}
	if i < len(ss) && ss[i].first <= last {
		last = ss[i].first - 1
	}
	return span{first: first, last: last}, true
}

func (ss spans) has(seq int64) bool {
	_, gap := ss.missing(seq, seq)
	return !gap
}

// withheldField is one field that is not shown.
type withheldField struct {
	seq   int64
	line  int32
	field int16
}

// removals collects what is missing and what control entries say about it. It grows with both, not with what is shown.
type removals struct {
	controls []control
	leaves   []span // bodies that are gone
	hashes   []span // of which only the leaf hash is there
	fields   []withheldField
}

// missing adds entries that are not shown.
func missing(list []span, first, last int64, line int) []span {
	if n := len(list); n > 0 && list[n-1].last+1 == first {
		list[n-1].last = last
		return list
	}
	return append(list, span{first, last, line})
}

// allowed holds what control entries allow to be missing.
type allowed struct {
	erased spans         // whole entries, by erase
	gone   spans         // whole entries, by erase or prune
	hashed spans         // entries of which at most the leaf hash was kept
	tiled  spans         // entries of which not even that was kept
	fields map[int]spans // by index, the entries whose field was erased
}

func (r *removals) allowed() allowed {
	var erased, gone, hashed, tiled []span
	fields := map[int][]span{}
	for i := range r.controls {
		c := &r.controls[i]
		if c.op != opErase && c.op != opPrune {
			continue
		}
		for _, it := range c.items {
			s := span{first: it.First, last: it.Last}
			for _, f := range it.Fields {
				fields[f] = append(fields[f], s)
			}
			if it.Fields != nil {
				continue
			}
			gone = append(gone, s)
			if c.op == opErase {
				erased = append(erased, s)
			} else if c.keep != "leaf" {
				hashed = append(hashed, s)
			}
			if c.keep == "tile" {
				tiled = append(tiled, s)
			}
		}
	}
	a := allowed{erased: union(erased), gone: union(gone), hashed: union(hashed), tiled: union(tiled), fields: map[int]spans{}}
	for f, list := range fields {
		a.fields[f] = union(list)
	}
	return a
}

// judge reports what is missing without a control entry, what was removed under a hold, and what should be missing and is not. The
// entries of [from,to) were shown; masked and filtered copies leave out more than was removed.
func (r *removals) judge(rep *Report, holds Holds) {
	slices.SortStableFunc(r.controls, func(a, b control) int { return cmp.Compare(a.seq, b.seq) })
	a := r.allowed()
	rep.tiled = a.tiled
	report := func(list []span, allowed spans, what string) {
		for _, s := range list {
			for gap, ok := allowed.missing(s.first, s.last); ok; gap, ok = allowed.missing(gap.last+1, s.last) {
				rep.Add(Finding{UnauthorisedRemoval, s.line, gap.first, fmt.Sprintf("%s of %s", what, run(gap))})
				if gap.last == s.last {
					break
				}
			}
		}
	}
	report(r.leaves, a.gone, "no erase or prune entry explains the missing body")
	if !rep.Filtered {
		report(r.hashes, a.hashed, "no prune entry that keeps hashes explains the missing leaf")
	}
	for _, f := range r.fields {
		if !rep.Masked && !a.erased.has(f.seq) && !a.fields[int(f.field)].has(f.seq) {
			rep.Add(Finding{UnauthorisedRemoval, int(f.line), f.seq, fmt.Sprintf("no erase entry explains the withheld field %d", f.field)})
		}
	}
	for _, s := range a.tiled {
		if s.first < rep.From {
			s.last = min(s.last, rep.From-1)
			rep.note("%s were pruned with their hashes: the prune entry is all that is left of them", run(s))
		}
	}
	r.judgeHolds(rep, holds)
	r.noteShown(rep)
}

func run(s span) string {
	if s.first == s.last {
		return fmt.Sprintf("entry %d", s.first)
	}
	return fmt.Sprintf("entries %d to %d", s.first, s.last)
}

// Holds are legal holds in force, by hold id: a long list of items stands in several control entries.
type Holds map[string][]leaf.Items

// judgeHolds follows holds through the log, from those that were in force before the range, if the reader knows them.
func (r *removals) judgeHolds(rep *Report, before Holds) {
	holds := make(Holds, len(before))
	for id, items := range before {
		holds[id] = slices.Clone(items)
	}
	for i := range r.controls {
		c := &r.controls[i]
		if before != nil && c.seq < rep.From {
			continue
		}
		switch {
		case c.op == opHold && c.state == "placed":
			holds[c.hold] = append(holds[c.hold], c.items)
		case c.op == opHold:
			delete(holds, c.hold)
		case c.op == opErase || c.op == opPrune:
			for _, id := range slices.Sorted(maps.Keys(holds)) {
				for _, items := range holds[id] {
					if seq, ok := items.Meets(c.items); ok {
						rep.Add(Finding{HoldViolated, c.line, c.seq, fmt.Sprintf("the %s entry covers entry %d, which %s holds", c.op, seq, id)})
						break
					}
				}
			}
		}
	}
	rep.Holds = holds // not nil: the entries of a range were judged
}

// noteShown notes what a control entry removed and this copy shows. Finding one of each control entry is enough.
func (r *removals) noteShown(rep *Report) {
	whole := union(slices.Concat(r.leaves, r.hashes))
	for i := range r.controls {
		c := &r.controls[i]
		if c.op != opErase && c.op != opPrune {
			continue
		}
		if seq, ok := r.shown(c.items, whole, rep.From, rep.To); ok {
			rep.note("entry %d is shown although the %s entry %d removes it or a part of it: the removal was not carried out in this copy", seq, c.op, c.seq)
		}
	}
}

// shown returns an entry of [from,to) that items name and that is shown.
func (r *removals) shown(items leaf.Items, whole spans, from, to int64) (int64, bool) {
	for _, it := range items {
		first, last := max(it.First, from), min(it.Last, to-1)
		for first <= last {
			gap, ok := whole.missing(first, last)
			if !ok {
				break
			}
			for seq := gap.first; seq <= gap.last; seq++ {
				if it.Fields == nil || !r.withholds(seq, it.Fields) {
					return seq, true
				}
			}
			first = gap.last + 1
		}
	}
	return 0, false
}

// withholds reports whether all these fields of the entry are withheld.
func (r *removals) withholds(seq int64, fields []int) bool {
	i, _ := slices.BinarySearchFunc(r.fields, seq, func(f withheldField, seq int64) int {
		if f.seq < seq {
			return -1
		}
		return 1
	})
	for _, want := range fields {
		for i < len(r.fields) && r.fields[i].seq == seq && int(r.fields[i].field) < want {
			i++
		}
		if i == len(r.fields) || r.fields[i].seq != seq || int(r.fields[i].field) != want {
			return false
		}
	}
	return true
}
