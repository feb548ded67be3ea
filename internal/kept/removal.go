package kept

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/stored"
	"github.com/daybook-audit/daybook/leaf"
)

// Why is the reason for which an entry is gone. It stands in stored bytes.
type Why byte

// The reasons. NotGone is the zero value.
const (
	NotGone     Why = iota
	ByErasure       // named by an erase entry
	ByRetention     // named by a prune entry
	LeftOut         // the log has it, an excerpt has not
)

// Tombstone returns the body of an entry of form FormLeaf or FormHash: why it is gone, and the erasure or rule that removed it.
func Tombstone(why Why, by string) []byte { return append([]byte{byte(why)}, by...) }

// Tombstone says why an entry of which no payload is left is gone, and the erasure or rule that removed it, if that is known.
func (e *Entry) Tombstone() (why Why, by string, err error) {
	if e.Form == FormNone {
		return ByRetention, "", nil
	}
	if len(e.Body) == 0 || Why(e.Body[0]) < ByErasure || Why(e.Body[0]) > LeftOut {
		return NotGone, "", stored.Damaged("entry %d does not say why it is gone", e.Seq)
	}
	return Why(e.Body[0]), string(e.Body[1:]), nil
}

// Erase returns e without the fields whose indexes are given, which ascend, or without anything when fields is nil; with names, the
// names of what is gone stay. It keeps the payload root. changed is false when nothing of it was left to remove. It reads into d.
func (e *Entry) Erase(d *leaf.Doc, fields []int, names bool, why Why, by string) (out Entry, changed bool, err error) {
	out = *e
	switch {
	case e.Gone():
		return out, false, nil
	case fields == nil:
		return e.Reduce(d, FormLeaf, why, by)
	}
	var fs []leaf.Field
	if e.Form == FormFields {
		fs, err = ReadFields(e.Body)
	} else if err = d.Read(e.Text(nil)); err == nil {
		fs = d.Fields(&e.Secret)
	}
	if err != nil {
		return out, false, err
	}
	for _, i := range fields {
		if i >= len(fs) || fs[i].Withheld {
			continue
		}
		f := leaf.Field{Withheld: true, Commitment: fs[i].Commit()}
		if names {
			f.Path = fs[i].Path
		}
		fs[i], changed = f, true
	}
	if changed {
		out.Form, out.Secret, out.IDAt, out.Body = FormFields, [16]byte{}, 0, FieldsBody(fs)
	}
	return out, changed, nil
}

// Reduce returns e in form FormLeaf or FormHash; changed is false when no more than that was left of it. It reads into d.
func (e *Entry) Reduce(d *leaf.Doc, form Form, why Why, by string) (out Entry, changed bool, err error) {
	if e.Form >= form {
		return *e, false, nil
	}
	l, err := e.Leaf(d)
	if err != nil {
		return *e, false, err
	}
	out = Entry{Seq: e.Seq, Kind: e.Kind, Form: form, Body: Tombstone(why, by)}
	if form == FormLeaf {
		out.ID, out.Received, out.Root = e.ID, e.Received, tlog.Hash(l.Root)
	} else {
		out.LeafHash = l.Hash()
	}
	return out, true, nil
}

// Missing returns the indexes of the fields that were removed; -1 alone: all of them.
func (e *Entry) Missing() ([]int, error) {
	switch {
	case e.Gone():
		if why, _, err := e.Tombstone(); err != nil || why == LeftOut {
			return nil, err
		}
		return []int{-1}, nil
	case e.Form == FormFields:
		fs, err := ReadFields(e.Body)
		var missing []int
		for i := range fs {
			if Erased(&fs[i]) {
				missing = append(missing, i)
			}
		}
		return missing, err
	}
	return nil, nil
}

// Disclosed returns the fields with their salts, as far as they are there. It reads into d; the result is nobody else's. Its errors are
// those of Leaf.
func (e *Entry) Disclosed(d *leaf.Doc) ([]leaf.Field, error) {
	if e.Form == FormFields {
		return ReadFields(e.Body)
	}
	if _, err := e.Leaf(d); err != nil {
		return nil, err
	}
	return d.Fields(&e.Secret), nil
}

// HasErased reports whether something of the payload was removed, though not by retention, and not only left out of an excerpt.
func (e *Entry) HasErased() bool {
	if e.Form == FormFields {
		fs, err := ReadFields(e.Body)
		return err != nil || slices.ContainsFunc(fs, func(f leaf.Field) bool { return Erased(&f) })
	}
	return e.Form == FormLeaf && !e.Pruned()
}
