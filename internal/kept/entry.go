// Package kept is one entry as Daybook keeps it: what was recorded, without what can be made again, and what removals have left of it. It makes
// the leaf and the JSON of what is left, and takes more away; how entries become the bytes of a store is package packed's
// (docs/reference/formats.md).
//
// Whoever has an Entry can rely on this: what is there is what was accepted, byte for byte; a removal never changes the leaf hash that the
// entry has in its log; and what a removal took is in no byte of what it returns. What stored bytes say that cannot be is a
// [stored.DamageError].
package kept

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/stored"
	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/leaf"
)

// IDTextLen is the length of an event id's text, which bodies are kept without.
const IDTextLen = 30

// Form says what is left of an entry. Entries are recorded whole; a removal raises the form.
type Form byte

// The forms. They stand in stored bytes.
const (
	FormWhole  Form = 0 // body: the accepted JSON
	FormFields Form = 1 // some fields are erased. body: every field with its own salt, or its commitment; the secret is gone
	FormLeaf   Form = 2 // erased whole, or pruned. body: why; the payload root is kept, so that the leaf can be made again
	FormHash   Form = 3 // pruned. body: why; the leaf hash is kept, and neither id nor time
	FormNone   Form = 4 // pruned, with the whole run of 256 that it lies in: nothing is kept of it
)

// HasLeaf reports whether an entry of this form has an id and a time, so that its leaf can be made.
func (f Form) HasLeaf() bool { return f < FormHash }

// Entry is one entry. Its slices may belong to a commit or a block and are never changed.
type Entry struct {
	Seq, Received int64 // Received: µs since 1970; 0 when the form has none
	ID            [16]byte
	Secret        [16]byte
	Kind          byte
	Form          Form
	IDAt          int       // 1 + offset of the id text in the accepted JSON; 0: it carries no id
	Body          []byte    // the accepted JSON with the id text cut out; of another form than Whole, what that says
	LeafHash      tlog.Hash // zero: not known without the payload
	Root          tlog.Hash // of form FormLeaf: the payload root
}

// Text appends the accepted JSON of an entry that is whole to dst.
func (e *Entry) Text(dst []byte) []byte {
	if e.IDAt == 0 {
		return append(dst, e.Body...)
	}
	dst = append(dst, e.Body[:e.IDAt-1]...)
	dst = typeid.Append(dst, "evt", e.ID)
	return append(dst, e.Body[e.IDAt-1:]...)
}

// Gone reports whether nothing of the payload is left.
func (e *Entry) Gone() bool { return e.Form >= FormLeaf }

// Pruned reports whether retention has removed the entry. Searches leave it out; an erased entry they show as what is left of it.
func (e *Entry) Pruned() bool {
	return !e.Form.HasLeaf() || e.Form == FormLeaf && len(e.Body) > 0 && Why(e.Body[0]) == ByRetention
}

// NoLeafError says that pruning has left no leaf of an entry.
type NoLeafError struct{ Seq int64 }

// Error names the entry.
func (e *NoLeafError) Error() string {
	return fmt.Sprintf("the leaf of entry %d was removed by retention", e.Seq)
}

// Leaf computes the leaf. It reads into d. A [NoLeafError]: pruning has left none.
func (e *Entry) Leaf(d *leaf.Doc) (leaf.Leaf, error) {
	l := leaf.Leaf{Kind: e.Kind, Seq: e.Seq, ReceivedAt: e.Received, ID: e.ID}
	switch e.Form {
	case FormHash, FormNone:
		return l, &NoLeafError{e.Seq}
	case FormLeaf:
		l.Root = e.Root
	case FormFields:
		fs, err := ReadFields(e.Body)
		if err != nil {
			return l, err
		}
		l.Root = leaf.FieldsRoot(fs)
	case FormWhole:
		if err := d.Read(e.Text(nil)); err != nil {
			return l, &stored.DamageError{Text: fmt.Sprintf("the payload of entry %d cannot be read", e.Seq), Err: err}
		}
		l.Root = d.Root(&e.Secret)
	}
	return l, nil
}

// Hash returns the leaf hash: the one that is kept, else that of the leaf. Its errors are those of Leaf.
func (e *Entry) Hash(d *leaf.Doc) (tlog.Hash, error) {
	if e.LeafHash != (tlog.Hash{}) {
		return e.LeafHash, nil
	}
	l, err := e.Leaf(d)
	return l.Hash(), err
}

// Remainder returns the JSON of what is left: the accepted JSON without the erased fields. Of an entry that is whole it is the body, with
// the text of its id cut out.
func (e *Entry) Remainder() ([]byte, error) {
	switch {
	case e.Gone():
		return []byte("{}"), nil
	case e.Form == FormFields:
		fs, err := ReadFields(e.Body)
		if err != nil {
			return nil, err
		}
		return Shown(fs), nil
	}
	return e.Body, nil
}
