package verify

import (
	"bytes"
	"errors"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/leaf"
)

// The functions of this file read the lines before the entries: which log, which tree, who signed it, and which older trees it extends.

// format names the format of bundles.
const format = "daybook-bundle/v1"

// header is the first line of a bundle: what its maker says about it. Nothing of it is trusted by itself.
type header struct {
	origin   string
	key      Key
	clock    *Key
	anchor   *Key
	from, to int64
	size     int64

	// What the copy leaves out, and what its maker says of it.
	filter string
	mask   []string
	info   []byte
}

// rotation leads from an older key to the next.
type rotation struct {
	key   Key    // the older one
	next  string // the vkey that the control entry names
	holds bool   // nothing is wrong with this step
	line  int
}

func (b *bundle) readHeader() error {
	if f, err := unquote(b.ms.get("format")); err != nil {
		return malformed(-1, "format", err)
	} else if f != format {
		return stop(Unsupported, -1, "the format is %q, this version knows %q", f, format)
	}
	h := &b.head
	var err error
	if h.origin, err = unquote(b.ms.get("origin")); err != nil {
		return malformed(-1, "origin", err)
	}
	for _, m := range []struct {
		name string
		n    *int64
	}{{"from", &h.from}, {"to", &h.to}, {"size", &h.size}} {
		if *m.n, err = integer(b.ms.get(m.name)); err != nil {
			return malformed(-1, m.name, err)
		}
	}
	key, err := b.key("vkey")
	if err != nil {
		return err
	}
	h.key = *key
	if h.clock, err = b.key("clock_vkey"); err != nil {
		return err
	}
	if h.anchor, err = b.key("anchor_vkey"); err != nil {
		return err
	}
	if err := b.readCopy(); err != nil {
		return err
	}
	return b.checkHeader()
}

// key reads a vkey, or nothing if the header has none of this name.
func (b *bundle) key(name string) (*Key, error) {
	value := b.ms.get(name)
	if value == nil {
		return nil, nil //nolint:nilnil // no key is no error
	}
	text, err := unquote(value)
	if err != nil {
		return nil, malformed(-1, name, err)
	}
	k, err := ParseKey(text)
	if err != nil {
		return nil, malformed(-1, name, err)
	}
	return &k, nil
}

// readCopy reads what the header says was left out of this copy.
func (b *bundle) readCopy() error {
	h := &b.head
	var err error
	if filter := b.ms.get("filter"); filter != nil {
		if h.filter, err = unquote(filter); err != nil {
			return malformed(-1, "filter", err)
		}
		b.rep.Filtered = true
	}
	if mask := b.ms.get("mask"); mask != nil {
		paths, err := b.parser.array(mask, leaf.MaxFields)
		for _, p := range paths {
			var path string
			if err == nil {
				path, err = unquote(p)
			}
			h.mask = append(h.mask, path)
		}
		if err != nil {
			return malformed(-1, "mask", err)
		}
		b.rep.Masked = true
	}
	if info := b.ms.get("info"); info != nil && info[0] != '{' {
		return stop(Malformed, -1, "info: not a JSON object")
	} else if info != nil {
		h.info = bytes.Clone(info)
	}
	return nil
}

func (b *bundle) checkHeader() error {
	h := &b.head
	if h.key.Name() != h.origin || h.key.Cosigner() {
		b.find(HeaderMismatch, -1, "the vkey is not a key of the origin %q", h.origin)
	}
	if h.clock != nil && !h.clock.Cosigner() {
		b.find(HeaderMismatch, -1, "the clock_vkey is not the key of a clock")
	}
	if h.anchor != nil && h.anchor.Cosigner() {
		b.find(HeaderMismatch, -1, "the anchor_vkey is not the key of a log")
	}
	if h.from >= h.to || h.to > h.size {
		return stop(HeaderMismatch, -1, "there is no range from %d to %d in a tree of %d", h.from, h.to, h.size)
	}
	b.pos = h.from
	b.rep.Origin, b.rep.Key, b.rep.From, b.rep.To, b.rep.Size = h.origin, h.key.String(), h.from, h.to, h.size
	b.times.keep = h.anchor != nil || len(b.o.AnchorKeys) > 0
	return nil
}

// noteOf reads the note of a line and holds its origin against the header's.
func (b *bundle) noteOf() (*Note, error) {
	text, err := unquote(b.ms.get("note"))
	if err != nil {
		return nil, malformed(-1, "note", err)
	}
	n, err := ParseNote([]byte(text))
	if err != nil {
		return nil, malformed(-1, "note", err)
	}
	return n, nil
}

func (b *bundle) readCheckpoint() error {
	n, err := b.noteOf()
	if err != nil {
		return err
	}
	b.note = n
	b.rep.Note, b.rep.Root = n.String(), n.Root
	if n.Origin != b.head.origin || n.Size != b.head.size {
		b.find(HeaderMismatch, -1, "the checkpoint is of %q at size %d, the header says %q at %d", n.Origin, n.Size, b.head.origin, b.head.size)
	}
	if _, err := n.Signed(b.head.key); err != nil {
		b.find(SignatureInvalid, -1, "the checkpoint and the key of the header: %v", err)
	}
	if b.head.clock != nil {
		t, err := n.Signed(*b.head.clock)
		if err != nil {
			b.find(SignatureInvalid, -1, "the checkpoint and the clock key of the header: %v", err)
			return nil
		}
		b.rep.Signed = t
		b.times.signedBy(n.Size, t, b.skew, 0)
	}
	b.rep.Witnesses = b.witnessed(n)
	return nil
}

// witnessed adds the bounds that the times of the policy's witnesses give, and returns how many have signed.
func (b *bundle) witnessed(n *Note) int {
	count := 0
	if b.o.Policy == nil {
		return 0
	}
	for _, k := range b.o.Policy.Witnesses {
		t, err := n.Signed(k)
		switch {
		case err == nil:
			count++
			b.times.signedBy(n.Size, t, b.skew, b.skew)
		case errors.Is(err, ErrBadSignature):
			b.find(SignatureInvalid, -1, "the note of size %d and the witness %s: %v", n.Size, k.Name(), err)
		}
	}
	return count
}

// older checks a note of an older tree against the signed root, and remembers what it links.
func (b *bundle) older(n *Note, proof []tlog.Hash, what string) bool {
	if n.Origin != b.head.origin {
		b.find(HeaderMismatch, -1, "the note of the %s line is of the origin %q", what, n.Origin)
		return false
	}
	if err := CheckConsistency(proof, b.note.Size, b.note.Root, n.Size, n.Root); err != nil {
		b.find(ProofInvalid, -1, "the consistency proof from size %d: %v", n.Size, err)
		return false
	}
	b.linked[tlog.Tree{N: n.Size, Hash: n.Root}] = true
	return true
}

// clocked adds the bounds that the log's own clock and the witnesses give with an older tree.
func (b *bundle) clocked(n *Note) {
	b.witnessed(n)
	if b.head.clock == nil {
		return
	}
	t, err := n.Signed(*b.head.clock)
	switch {
	case err == nil:
		b.times.signedBy(n.Size, t, b.skew, 0)
	case errors.Is(err, ErrBadSignature):
		b.find(SignatureInvalid, -1, "the note of size %d and the clock key: %v", n.Size, err)
	}
}

func (b *bundle) readRotation() error {
	key, err := b.key("vkey")
	if err != nil {
		return err
	}
	ms := b.ms
	n, err := b.noteOf()
	if err != nil {
		return err
	}
	proof, err := b.parser.hashes(ms.get("proof"))
	if err != nil {
		return malformed(-1, "proof", err)
	}
	consistency, err := b.parser.hashes(ms.get("consistency"))
	if err != nil {
		return malformed(-1, "consistency", err)
	}
	inner, err := b.parser.object(nil, ms.get("entry"))
	if err != nil {
		return malformed(-1, "entry", err)
	}
	r := rotation{key: *key, line: b.number, holds: true}
	bad := func(code Code, format string, args ...any) {
		r.holds = false
		b.find(code, -1, format, args...)
	}
	if key.Name() != b.head.origin || key.Cosigner() {
		bad(HeaderMismatch, "the vkey of the rotation is not a key of the origin")
	}
	if _, err := n.Signed(*key); err != nil {
		bad(SignatureInvalid, "the note of the rotation and its key: %v", err)
	}
	r.holds = b.older(n, consistency, "rotation") && r.holds
	b.clocked(n)
	if err := b.readKeyEntry(&r, inner, n, proof, bad); err != nil {
		return err
	}
	b.rotations = append(b.rotations, r)
	return nil
}

// readKeyEntry reads the control entry of a rotation: the older tree holds it, and it names the next key.
func (b *bundle) readKeyEntry(r *rotation, ms members, n *Note, proof []tlog.Hash, bad func(Code, string, ...any)) error {
	e := &b.entry
	if err := e.read(&b.parser, ms, nil); err != nil {
		return malformed(-1, "entry", err)
	}
	var c control
	err := errors.New("it is not a control entry")
	if e.leaf.Kind == leaf.Control {
		err = c.read(e)
	}
	if err != nil || c.op != opKey || c.state != "added" {
		bad(ProofInvalid, "the entry of the rotation adds no key: %v", err)
	}
	if e.leaf.Hash() != e.hash {
		bad(LeafMismatch, "the key entry %d: %v", e.leaf.Seq, errLeaf)
	}
	if err := CheckInclusion(proof, n.Size, n.Root, e.leaf.Seq, e.hash); err != nil {
		bad(ProofInvalid, "the inclusion proof of the key entry %d: %v", e.leaf.Seq, err)
	}
	r.next = c.vkey
	b.outside(e)
	return nil
}

// outside remembers the time of an entry that is shown outside the range.
func (b *bundle) outside(e *entry) {
	if seq := e.leaf.Seq; seq < b.head.from || seq >= b.head.to {
		b.times.outside = append(b.times.outside, moment{seq, e.leaf.ReceivedAt, b.number})
	}
}

// readConsistency reads an older checkpoint. If its proof holds it links the tree whoever signed it; its times count only if a key of
// this file signed it, or the reader remembers it.
func (b *bundle) readConsistency() error {
	ms := b.ms
	n, err := b.noteOf()
	if err != nil {
		return err
	}
	proof, err := b.parser.hashes(ms.get("proof"))
	if err != nil {
		return malformed(-1, "proof", err)
	}
	signed := false
	keys := []Key{b.head.key}
	for i := range b.rotations {
		keys = append(keys, b.rotations[i].key)
	}
	for _, k := range keys {
		_, err := n.Signed(k)
		if signed = signed || err == nil; errors.Is(err, ErrBadSignature) {
			b.find(SignatureInvalid, -1, "the note of size %d and the key %s: %v", n.Size, k, err)
		}
	}
	if signed && n.Origin == b.head.origin && n.Size == b.note.Size && n.Root != b.note.Root {
		b.find(Fork, -1, "two signed roots of size %d", n.Size)
		return nil
	}
	known := slices.ContainsFunc(b.memory(), func(m *Note) bool { return m.Size == n.Size && m.Root == n.Root })
	if b.older(n, proof, "consistency") && (signed || known) {
		b.clocked(n)
	}
	return nil
}

// endHead judges who signed: all keys of the file are known now.
func (b *bundle) endHead() {
	for i := range b.rotations {
		if _, err := b.note.Signed(b.rotations[i].key); errors.Is(err, ErrBadSignature) {
			b.rep.Add(Finding{SignatureInvalid, b.rotations[i].line, -1, "the checkpoint and the key of the rotation: " + err.Error()})
		}
	}
	next := b.head.key.String()
	for i := len(b.rotations) - 1; i >= 0; i-- {
		r := &b.rotations[i]
		if r.holds && r.next != next {
			r.holds = false
			b.rep.Add(Finding{ProofInvalid, r.line, -1, "the key entry of the rotation does not name the next key"})
		}
		next = r.key.String()
	}
	b.judgeTrust()
}
