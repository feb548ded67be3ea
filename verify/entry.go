package verify

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/leaf"
)

// The members of an entry, beside its line's own.
var (
	entryMembers = []string{"seq", "kind", "id", "received_at", "leaf_hash"}
	entryForms   = []string{"secret", "payload", "fields"}
)

// entry is one entry as it is shown: with its payload, or with some of its fields.
type entry struct {
	leaf   leaf.Leaf
	id     string
	hash   tlog.Hash    // as stated
	secret [16]byte     // of a complete payload
	doc    leaf.Doc     // the same
	fields []leaf.Field // of one that is not; nil: doc holds
}

// Entry is one entry with its payload, as a bundle shows it.
type Entry struct {
	Leaf    leaf.Leaf
	Hash    tlog.Hash    // as the entry states it
	Payload []byte       // the JSON text; nil if some fields are withheld
	Secret  [16]byte     // opens the payload; zero without one
	Fields  []leaf.Field // of an entry without a payload
}

// errLeaf says that what an entry shows does not give its leaf hash.
var errLeaf = errors.New("its content does not give its leaf hash")

// errID says that the payload carries another id than the entry.
var errID = errors.New("the id in its payload is not its own")

// ParseEntry reads the JSON of one entry with seq, kind, id, received_at, leaf_hash and secret and payload, or fields, and computes its
// leaf. It returns an error if the content does not give the leaf hash that it states.
func ParseEntry(text []byte) (Entry, error) {
	var p parser
	text = bytes.TrimSpace(text)
	if holdsNUL(text) {
		return Entry{}, errors.New("a string holds U+0000")
	}
	ms, err := p.object(nil, text)
	if err != nil {
		return Entry{}, fmt.Errorf("read an entry: %w", err)
	}
	var e entry
	if err := e.read(&p, ms, nil); err != nil {
		return Entry{}, fmt.Errorf("read an entry: %w", err)
	}
	if err := e.check(); err != nil {
		return Entry{}, fmt.Errorf("entry %d: %w", e.leaf.Seq, err)
	}
	return Entry{Leaf: e.leaf, Hash: e.hash, Payload: bytes.Clone(ms.get("payload")), Secret: e.secretShown(), Fields: e.fields}, nil
}

// read fills e from the members of an entry, more being those of its line. It computes the payload root; check compares.
func (e *entry) read(p *parser, ms members, more []string) error {
	form := entryForms[:2]
	if ms.get("fields") != nil {
		form = entryForms[2:]
	}
	e.fields = nil
	if err := ms.only(append(append(append(make([]string, 0, 12), more...), entryMembers...), form...), nil); err != nil {
		return err
	}
	if err := e.readLeaf(ms); err != nil {
		return err
	}
	if fields := ms.get("fields"); fields != nil {
		return e.readFields(p, fields)
	}
	if err := encoded(e.secret[:], ms.get("secret")); err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	if err := e.doc.Read(ms.get("payload")); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	e.leaf.Root = e.doc.Root(&e.secret)
	return nil
}

func (e *entry) readLeaf(ms members) error {
	var err error
	if e.leaf.Seq, err = integer(ms.get("seq")); err != nil || e.leaf.Seq == maxInt {
		return errors.New("seq: not a plain decimal below 2^53")
	}
	switch string(ms.get("kind")) {
	case "0":
		e.leaf.Kind = leaf.Event
	case "1":
		e.leaf.Kind = leaf.Control
	default:
		return errors.New("kind: neither 0 nor 1")
	}
	if e.id, err = unquote(ms.get("id")); err != nil {
		return fmt.Errorf("id: %w", err)
	}
	if e.leaf.ID, err = typeid.Parse("evt", e.id); err != nil {
		return fmt.Errorf("id: %w", err)
	}
	at, err := unquote(ms.get("received_at"))
	if err != nil {
		return fmt.Errorf("received_at: %w", err)
	}
	if e.leaf.ReceivedAt, err = parseTime(at); err != nil {
		return fmt.Errorf("received_at: %w", err)
	}
	if err := decodeHash(&e.hash, ms.get("leaf_hash")); err != nil {
		return fmt.Errorf("leaf_hash: %w", err)
	}
	return nil
}

// readFields reads the fields of an entry that is not shown whole.
func (e *entry) readFields(p *parser, text []byte) error {
	elements, err := p.array(text, leaf.MaxFields)
	if err != nil {
		return fmt.Errorf("fields: %w", err)
	}
	e.fields = make([]leaf.Field, len(elements))
	var ms members
	for i, element := range elements {
		if ms, err = p.object(ms[:0], element); err == nil {
			err = readField(&e.fields[i], ms)
		}
		if err != nil {
			return fmt.Errorf("field %d: %w", i, err)
		}
	}
	if err := leaf.CheckShape(e.fields); err != nil {
		return err
	}
	e.leaf.Root = leaf.FieldsRoot(e.fields)
	return nil
}

func readField(f *leaf.Field, ms members) error {
	if c := ms.get("c"); c != nil {
		f.Withheld = true
		if err := ms.only([]string{"c"}, nil); err != nil {
			return err
		}
		return encoded(f.Commitment[:], c)
	}
	if err := ms.only([]string{"p", "t", "s"}, []string{"v"}); err != nil {
		return err
	}
	path, err := unquote(ms.get("p"))
	if err != nil {
		return err
	}
	kind, err := unquote(ms.get("t"))
	if err != nil || len(kind) != 1 {
		return errors.New("its type is not one letter")
	}
	f.Path, f.Type = []byte(path), kind[0]
	if v := ms.get("v"); (v != nil) != (f.Type == leaf.String || f.Type == leaf.Number) {
		return errors.New("a string or number has a value, others have none")
	} else if v != nil {
		value, err := unquote(v)
		if err != nil {
			return err
		}
		f.Value = []byte(value)
	}
	return encoded(f.Salt[:], ms.get("s"))
}

// secretShown is what opens a complete payload.
func (e *entry) secretShown() [16]byte {
	if e.fields != nil {
		return [16]byte{}
	}
	return e.secret
}

// check compares the content with the leaf hash and the payload's id with the entry's.
func (e *entry) check() error {
	if e.leaf.Hash() != e.hash {
		return errLeaf
	}
	return e.checkID()
}

// checkID looks for /id and for anything below it. A withheld field cannot be looked at.
func (e *entry) checkID() error {
	n := e.len()
	for i := range n {
		path, kind, value := e.field(i)
		if !bytes.HasPrefix(path, []byte("/id")) || len(path) > 3 && path[3] != '/' {
			continue
		}
		if len(path) > 3 || kind != leaf.String || string(value) != e.id {
			return errID
		}
	}
	return nil
}

func (e *entry) len() int {
	if e.fields != nil {
		return len(e.fields)
	}
	return e.doc.Len()
}

// field returns path, type and value of field i, and nothing of a withheld one.
func (e *entry) field(i int) (path []byte, kind byte, value []byte) {
	if e.fields != nil {
		f := &e.fields[i]
		return f.Path, f.Type, f.Value
	}
	return e.doc.Path(i), e.doc.Type(i), e.doc.Value(i)
}

// find returns the string or number at path, and whether there is one.
func (e *entry) find(path string) (string, bool) {
	for i := range e.len() {
		if p, kind, value := e.field(i); string(p) == path && (kind == leaf.String || kind == leaf.Number) {
			return string(value), true
		}
	}
	return "", false
}

// withheld returns how many fields are not shown.
func (e *entry) withheld() int {
	n := 0
	for i := range e.fields {
		if e.fields[i].Withheld {
			n++
		}
	}
	return n
}

// timeFormat is the only spelling of received_at: UTC, six decimals.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// parseTime returns microseconds since 1970.
func parseTime(s string) (int64, error) {
	t, err := time.Parse(timeFormat, s)
	if err != nil || len(s) != len(timeFormat) || t.Format(timeFormat) != s {
		return 0, errors.New("not a time as in 2006-01-02T15:04:05.000000Z")
	}
	return t.UnixMicro(), nil
}

func formatTime(us int64) string { return time.UnixMicro(us).UTC().Format(timeFormat) }
