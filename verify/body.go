package verify

import (
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/leaf"
)

// The functions of this file read the range proof, the control entries from outside the range, and the entries of the range.

func (b *bundle) readRangeProof() error {
	left, err := b.parser.hashes(b.ms.get("left"))
	if err != nil {
		return malformed(-1, "left", err)
	}
	right, err := b.parser.hashes(b.ms.get("right"))
	if err != nil {
		return malformed(-1, "right", err)
	}
	if b.tree, err = NewRange(b.head.from, b.head.to, b.head.size, left, right); err != nil {
		b.find(RootMismatch, -1, "%v", err)
	}
	b.times.begin()
	b.copyHead(left, right)
	return nil
}

// readEntryLine reads the entry of a control or entry line and checks what can be checked without its place.
func (b *bundle) readEntryLine(own []string) (*entry, error) {
	e := &b.entry
	if err := e.read(&b.parser, b.ms, own); err != nil {
		return nil, malformed(-1, "entry", err)
	}
	seq := e.leaf.Seq
	if e.leaf.Hash() != e.hash {
		b.find(LeafMismatch, seq, "what entry %d shows does not give its leaf hash: it was changed", seq)
	}
	if err := e.checkID(); err != nil {
		b.find(IDMismatch, seq, "entry %d: %v", seq, err)
	}
	for i := range e.fields {
		if e.fields[i].Withheld {
			b.rep.Withheld++
			b.gone.fields = append(b.gone.fields, withheldField{seq, int32(min(b.number, 1<<31-1)), int16(i)})
		}
	}
	if e.leaf.Kind == leaf.Control {
		b.rep.Controls++
		b.readOperation(e)
	}
	return e, nil
}

// The members that lines with an entry have beside it.
var (
	ofEntry   = []string{"t"}
	ofControl = []string{"t", "proof"}
)

// readOperation keeps what a control entry says. What it says counts only if its leaf is proved, and if that fails the exit code is 6
// whatever it says.
func (b *bundle) readOperation(e *entry) {
	var c control
	err := c.read(e)
	switch {
	case err == nil:
		c.line = b.number
		b.gone.controls = append(b.gone.controls, c)
	case errors.Is(err, errUnknown):
		b.find(Unsupported, e.leaf.Seq, "entry %d: %v", e.leaf.Seq, err)
	case errors.Is(err, errWithheld):
		b.find(ControlWithheld, e.leaf.Seq, "entry %d: %v", e.leaf.Seq, err)
	default:
		b.find(Malformed, e.leaf.Seq, "entry %d: %v", e.leaf.Seq, err)
	}
}

func (b *bundle) readControl() error {
	if b.ms.get("proof") == nil {
		return stop(Malformed, -1, "control: the member \"proof\" is missing")
	}
	proof, err := b.parser.hashes(b.ms.get("proof"))
	if err != nil {
		return malformed(-1, "proof", err)
	}
	e, err := b.readEntryLine(ofControl)
	if err != nil {
		return err
	}
	seq := e.leaf.Seq
	if e.leaf.Kind != leaf.Control {
		return stop(Malformed, seq, "entry %d is no control entry", seq)
	}
	if seq >= b.head.from && seq < b.head.to || seq <= b.control {
		return stop(PositionMismatch, seq, "the control entry %d does not stand here", seq)
	}
	b.control = seq
	if err := CheckInclusion(proof, b.note.Size, b.note.Root, seq, e.hash); err != nil {
		b.find(ProofInvalid, seq, "the inclusion proof of the control entry %d: %v", seq, err)
	}
	b.receipt(seq, e.hash)
	b.outside(e)
	b.copyEntry(e, proof)
	return nil
}

// place checks that count leaves from seq on stand next, and counts them. After a gap there is no root: it is reported once, where it
// begins. It returns false if the line stands where another was already.
func (b *bundle) place(seq, count int64) bool {
	if seq == b.pos && count <= b.head.to-seq {
		b.pos += count
		return true
	}
	b.find(PositionMismatch, seq, "entry %d stands where entry %d belongs", seq, b.pos)
	b.tree = nil
	if seq < b.pos || count > b.head.to-seq {
		return false
	}
	b.pos = seq + count
	return true
}

func (b *bundle) readEntry() error {
	e, err := b.readEntryLine(ofEntry)
	if err != nil {
		return err
	}
	if !b.place(e.leaf.Seq, 1) {
		return nil
	}
	b.rep.Entries++
	b.append(e.leaf.Seq, e.hash)
	b.times.entry(b.rep, moment{e.leaf.Seq, e.leaf.ReceivedAt, b.number})
	b.copyEntry(e, nil)
	return nil
}

func (b *bundle) append(seq int64, h tlog.Hash) {
	b.receipt(seq, h)
	if b.tree != nil {
		b.tree.Append(h)
	}
	if b.o.Progress != nil && seq%1024 == 0 {
		b.o.Progress(seq-b.head.from, b.head.to-b.head.from)
	}
}

// receipt holds a leaf against the receipt that a producer was given.
func (b *bundle) receipt(seq int64, h tlog.Hash) {
	if want, ok := b.o.Receipts[seq]; ok && want != h {
		b.find(LeafMismatch, seq, "the receipt of entry %d has another leaf hash", seq)
	}
}

// readLeaf reads an entry whose body is gone.
func (b *bundle) readLeaf() error {
	seq, err := integer(b.ms.get("seq"))
	if err != nil {
		return malformed(-1, "seq", err)
	}
	var raw [leaf.Size]byte
	if err := encoded(raw[:], b.ms.get("leaf")); err != nil {
		return malformed(seq, "leaf", err)
	}
	l, err := leaf.ParseLeaf(raw[:])
	if err != nil {
		return stop(Malformed, seq, "leaf: %w", err)
	}
	if l.Seq != seq {
		b.find(PositionMismatch, seq, "the leaf of entry %d stands at %d", l.Seq, seq)
		b.tree = nil
	}
	if l.Kind == leaf.Control {
		b.find(ControlWithheld, seq, "the body of the control entry %d is not shown", seq)
	}
	if !b.place(seq, 1) {
		return nil
	}
	b.rep.Removed++
	if l.Kind == leaf.Event {
		b.gone.leaves = missing(b.gone.leaves, seq, seq, b.number)
	}
	b.append(seq, l.Hash())
	b.times.entry(b.rep, moment{seq, l.ReceivedAt, b.number})
	if b.o.Copy != nil {
		b.o.Copy.Leaf(l)
	}
	return nil
}

// readHashes reads a run of entries of which only the leaf hashes are there.
func (b *bundle) readHashes() error {
	seq, err := integer(b.ms.get("seq"))
	if err != nil {
		return malformed(-1, "seq", err)
	}
	count, err := integer(b.ms.get("count"))
	if err != nil || count == 0 || count > maxLine/tlog.HashSize {
		return stop(Malformed, seq, "count: not a number of hashes that a line can hold")
	}
	raw := make([]byte, count*tlog.HashSize)
	if err := encoded(raw, b.ms.get("hashes")); err != nil {
		return malformed(seq, "hashes", err)
	}
	if !b.place(seq, count) {
		return nil
	}
	b.rep.Hashed += count
	b.gone.hashes = missing(b.gone.hashes, seq, seq+count-1, b.number)
	hs := make([]tlog.Hash, count)
	for i := range hs {
		hs[i] = tlog.Hash(raw[i*tlog.HashSize:])
		b.append(seq+int64(i), hs[i])
	}
	if b.o.Copy != nil {
		b.o.Copy.Hashes(seq, hs)
	}
	return nil
}

// endBody judges the range: it is complete, and its leaves give the signed root.
func (b *bundle) endBody() {
	if b.pos != b.head.to {
		b.find(PositionMismatch, b.pos, "the entries from %d to %d are missing", b.pos, b.head.to-1)
		b.tree = nil
	}
	if b.tree == nil {
		return
	}
	if root, err := b.tree.Root(); err != nil || root != b.note.Root {
		b.find(RootMismatch, -1, "the leaves give the root %s, signed is %s: something was changed, dropped, inserted or reordered", root, b.note.Root)
	}
}
