package daybook

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

// The form of an entry says what is left of it (docs/reference/formats.md). Entries are recorded whole; a removal changes the form.
const (
	formWhole  = 0 // body: the accepted JSON
	formFields = 1 // some fields are erased. body: every field with its own salt, or its commitment; the secret is gone
	formLeaf   = 2 // erased whole, or pruned. body: why; the payload root is kept, so that the leaf can be made again
	formHash   = 3 // pruned. body: why; the leaf hash is kept, and neither id nor time
	formNone   = 4 // pruned, with the whole run of 256 that it lies in: nothing is kept of it
)

// keepOf is what the keep section of a block holds of an entry, by form.
var keepOf = [...]int{formWhole: 26, formFields: 10, formLeaf: 42, formHash: tlog.HashSize, formNone: 0}

// hasLeaf reports whether an entry of this form has an id and a time, so that its leaf can be made.
func hasLeaf(form byte) bool { return form < formHash }

// Why is the reason for which an entry is gone.
type Why byte

// The reasons. NotRemoved is the zero value.
const (
	NotRemoved         Why = iota
	RemovedByErasure       // named by an erase entry
	RemovedByRetention     // named by a prune entry
	LeftOut                // the log has it, this [Excerpt] has not
)

// String returns the word of the entry JSON.
func (w Why) String() string {
	switch w {
	case RemovedByErasure:
		return "erased"
	case RemovedByRetention:
		return "retention"
	case LeftOut:
		return "left_out"
	case NotRemoved:
	}
	return ""
}

// tombstoneOf returns the body of an entry of formLeaf or formHash: why it is gone, and the erasure or rule that removed it.
func tombstoneOf(why Why, by string) []byte {
	return append([]byte{byte(why)}, by...)
}

// tombstone says why p, of which no payload is left, is gone, and the erasure or rule that removed it, if that is known.
func (p *packed) tombstone() (why Why, by string, err error) {
	if p.form == formNone {
		return RemovedByRetention, "", nil
	}
	if len(p.body) == 0 || p.body[0] < byte(RemovedByErasure) || p.body[0] > byte(LeftOut) {
		return 0, "", damaged("entry %d does not say why it is gone", p.seq)
	}
	return Why(p.body[0]), string(p.body[1:]), nil
}

// pruned reports whether retention has removed the entry. Searches leave it out; an erased entry they show as what is left of it.
func (p *packed) pruned() bool {
	return !hasLeaf(p.form) || p.form == formLeaf && len(p.body) > 0 && p.body[0] == byte(RemovedByRetention)
}

// gone reports whether nothing of the payload of p is left.
func (p *packed) gone() bool { return p.form >= formLeaf }

// errPruned is the refusal of what retention has left nothing of.
func errPruned(format string, args ...any) error {
	return &Error{Code: CodeGone, Rule: "pruned", Message: fmt.Sprintf(format, args...)}
}

// fieldsBody returns the body of an entry of formFields: uvarint number of fields, then of each its type, salt, path and value, the
// lengths as uvarints, or, for an erased one, 0, its commitment and the path it had, which is empty when names are not kept. One that an
// excerpt leaves out has fieldLeftOut for that 0; no store holds it.
func fieldsBody(fs []leaf.Field) []byte {
	dst := binary.AppendUvarint(nil, uint64(len(fs)))
	for i := range fs {
		f := &fs[i]
		if f.Withheld {
			dst = append(append(dst, f.Type), f.Commitment[:]...)
			dst = appendBytes(dst, f.Path)
			continue
		}
		dst = append(append(dst, f.Type), f.Salt[:]...)
		dst = appendBytes(appendBytes(dst, f.Path), f.Value)
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// readFields reads the body of an entry of formFields. The fields share its memory. A withheld field has the path that it had, if
// that was kept; nothing proves it.
func readFields(b []byte) ([]leaf.Field, error) {
	r := columnReader{rest: b}
	n := r.uvarint(leaf.MaxFields)
	if r.bad || n == 0 || n > uint64(len(r.rest)) {
		return nil, damaged("the erased entry has %d fields in %d bytes", n, len(b))
	}
	fs := make([]leaf.Field, n)
	for i := range fs {
		f := &fs[i]
		f.Type = r.byte()
		if f.Type <= fieldLeftOut {
			f.Withheld = true
			copy(f.Commitment[:], r.take(len(f.Commitment)))
			f.Path = r.bytes(leaf.MaxPath)
			continue
		}
		copy(f.Salt[:], r.take(len(f.Salt)))
		f.Path, f.Value = r.bytes(leaf.MaxPath), r.bytes(leaf.MaxPayload)
	}
	if r.bad || len(r.rest) > 0 {
		return nil, damaged("the %d fields of an erased entry do not fit %d bytes", n, len(b))
	}
	return fs, nil
}

func (r *columnReader) byte() byte {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

// bytes reads a length and that many bytes.
func (r *columnReader) bytes(limit uint64) []byte { return r.take(int(r.uvarint(limit))) }

// take reads n bytes.
func (r *columnReader) take(n int) []byte {
	if n > len(r.rest) {
		r.bad = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// leafOf computes the leaf of p. It reads into d. CodeGone: pruning has left no leaf.
func (p *packed) leafOf(d *leaf.Doc) (leaf.Leaf, error) {
	l := leaf.Leaf{Kind: p.kind, Seq: p.seq, ReceivedAt: p.received, ID: p.id}
	switch p.form {
	case formHash, formNone:
		return l, errPruned("the leaf of entry %d was removed by retention", p.seq)
	case formLeaf:
		l.Root = p.root
	case formFields:
		fs, err := readFields(p.body)
		if err != nil {
			return l, err
		}
		l.Root = leaf.FieldsRoot(fs)
	default:
		if err := d.Read(p.text(nil)); err != nil {
			return l, &Error{Code: CodeTampered, Rule: "damaged", Message: fmt.Sprintf("the payload of entry %d cannot be read", p.seq), Err: err}
		}
		l.Root = d.Root(&p.secret)
	}
	return l, nil
}

// remainder returns the JSON of what is left of p: the accepted JSON without the erased fields. For an entry that is whole it is the
// body, with the text of its id cut out.
func (p *packed) remainder() ([]byte, error) {
	switch p.form {
	case formFields:
		fs, err := readFields(p.body)
		if err != nil {
			return nil, err
		}
		return appendShown(nil, fs), nil
	case formLeaf, formHash, formNone:
		return []byte("{}"), nil
	}
	return p.body, nil
}

// erased says what of an entry is gone though the rest of it is there.
type erased struct {
	count int      // fields whose values are gone
	left  int      // fields that an excerpt leaves out
	names []string // the JSON pointers of those whose names were kept
}

// erasedOf says which fields are withheld.
func erasedOf(fs []leaf.Field) erased {
	var e erased
	for i := range fs {
		if !fs[i].Withheld {
			continue
		}
		if fs[i].Type == fieldLeftOut {
			e.left++
			continue
		}
		e.count++
		if len(fs[i].Path) > 0 {
			e.names = append(e.names, pointerOf(fs[i].Path))
		}
	}
	return e
}

// hasErased reports whether a field of p, of formFields, is gone, and not only left out of an excerpt.
func (p *packed) hasErased() bool {
	fs, err := readFields(p.body)
	return err != nil || slices.ContainsFunc(fs, func(f leaf.Field) bool { return f.Withheld && f.Type != fieldLeftOut })
}

// pointerOf returns the JSON pointer (RFC 6901) of a field's path: the element ~#3 of an array is its index.
func pointerOf(path []byte) string { return string(bytes.ReplaceAll(path, []byte("/~#"), []byte("/"))) }

// appendShown adds the JSON object that the disclosed ones of fs give. Elements of arrays of which nothing is left, and which others
// follow, are null, so that every element keeps its index.
func appendShown(dst []byte, fs []leaf.Field) []byte {
	shown := make([]*leaf.Field, 0, len(fs))
	for i := range fs {
		if !fs[i].Withheld && len(fs[i].Path) > 0 {
			shown = append(shown, &fs[i])
		}
	}
	return appendObject(dst, shown, 0)
}

// appendObject adds the object whose fields, in the order of their paths, are fs; what stands in their paths before at is its own
// place. All fields below one member stand together: a common prefix is contiguous in the order of bytes.
func appendObject(dst []byte, fs []*leaf.Field, at int) []byte {
	dst = append(dst, '{')
	for len(fs) > 0 {
		name, n := nextComponent(fs, at)
		dst = rawjson.Comma(dst)
		dst = appendString(dst, unescaped(name))
		dst = append(dst, ':')
		dst = appendChild(dst, fs[:n], at+1+len(name))
		fs = fs[n:]
	}
	return append(dst, '}')
}

// appendArray is appendObject for an array. In the order of bytes element 10 stands before element 2.
func appendArray(dst []byte, fs []*leaf.Field, at int) []byte {
	type element struct {
		fs  []*leaf.Field
		end int
	}
	var elements []element
	for len(fs) > 0 {
		name, n := nextComponent(fs, at)
		i, err := strconv.Atoi(string(name[2:]))
		if err != nil || i < 0 || i >= leaf.MaxFields {
			i = len(elements) // not written by us: it keeps a place
		}
		for len(elements) <= i {
			elements = append(elements, element{})
		}
		elements[i] = element{fs[:n], at + 1 + len(name)}
		fs = fs[n:]
	}
	dst = append(dst, '[')
	for i := range elements {
		dst = rawjson.Comma(dst)
		if elements[i].fs == nil {
			dst = append(dst, "null"...)
			continue
		}
		dst = appendChild(dst, elements[i].fs, elements[i].end)
	}
	return append(dst, ']')
}

// nextComponent returns the component of the first path that begins at its slash at, and the number of fields that share it.
func nextComponent(fs []*leaf.Field, at int) (name []byte, n int) {
	path := fs[0].Path
	end := len(path)
	if i := bytes.IndexByte(path[at+1:], '/'); i >= 0 {
		end = at + 1 + i
	}
	n = 1
	for n < len(fs) && len(fs[n].Path) > end && fs[n].Path[end] == '/' && bytes.Equal(fs[n].Path[:end], path[:end]) {
		n++
	}
	return path[at+1 : end], n
}

// appendChild adds the value of a member or element whose path ends at end.
func appendChild(dst []byte, fs []*leaf.Field, end int) []byte {
	f := fs[0]
	if len(f.Path) > end {
		if bytes.HasPrefix(f.Path[end:], []byte("/~#")) {
			return appendArray(dst, fs, end)
		}
		return appendObject(dst, fs, end)
	}
	switch f.Type {
	case leaf.String:
		return appendString(dst, f.Value)
	case leaf.Number:
		return append(dst, f.Value...)
	case leaf.True:
		return append(dst, "true"...)
	case leaf.False:
		return append(dst, "false"...)
	case leaf.EmptyObject:
		return append(dst, "{}"...)
	case leaf.EmptyArray:
		return append(dst, "[]"...)
	}
	return append(dst, "null"...)
}

func appendString(dst, text []byte) []byte {
	out, err := jsontext.AppendQuote(dst, text)
	if err != nil { // the text is not UTF-8, which strict reading refuses
		return append(dst, `""`...)
	}
	return out
}

// unescaped returns the name that a component of a path stands for.
func unescaped(name []byte) []byte {
	if bytes.IndexByte(name, '~') < 0 {
		return name
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(name, []byte("~1"), []byte("/")), []byte("~0"), []byte("~"))
}

// erase returns p without the fields whose indexes are given, which ascend, or without anything when fields is nil; with names, the
// names of what is gone stay. It keeps the payload root. changed is false when nothing of it was left to remove. It reads into d.
func (p *packed) erase(d *leaf.Doc, fields []int, names bool, why Why, by string) (out packed, changed bool, err error) {
	out = *p
	switch {
	case p.gone():
		return out, false, nil
	case fields == nil:
		return p.reduce(d, formLeaf, why, by)
	}
	var fs []leaf.Field
	if p.form == formFields {
		fs, err = readFields(p.body)
	} else if err = d.Read(p.text(nil)); err == nil {
		fs = d.Fields(&p.secret)
	}
	if err != nil {
		return out, false, fmt.Errorf("entry %d: %w", p.seq, err)
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
		out.form, out.secret, out.idAt, out.body = formFields, [16]byte{}, 0, fieldsBody(fs)
	}
	return out, changed, nil
}

// reduce returns p as formLeaf or formHash; changed is false when no more than that was left of it. It reads into d.
func (p *packed) reduce(d *leaf.Doc, form byte, why Why, by string) (out packed, changed bool, err error) {
	if p.form >= form {
		return *p, false, nil
	}
	l, err := p.leafOf(d)
	if err != nil {
		return *p, false, err
	}
	out = packed{seq: p.seq, kind: p.kind, form: form, body: tombstoneOf(why, by)}
	if form == formLeaf {
		out.id, out.received, out.root = p.id, p.received, tlog.Hash(l.Root)
	} else {
		out.leaf = l.Hash()
	}
	return out, true, nil
}
