package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// anchorLeaf is one leaf of an anchor log: a batch of trees that were signed in one interval.
type anchorLeaf struct {
	index     int64
	time      int64 // microseconds
	count     int64
	batchRoot tlog.Hash
}

const (
	anchorLeafSize  = 65
	anchorLeafMagic = "DAYA\x01"
)

// parseAnchorLeaf reads "DAYA" 0x01 ‖ u64 index ‖ i64 time ‖ u32 count ‖ root of the batch ‖ i64 time of the leaf before.
func parseAnchorLeaf(b []byte) (anchorLeaf, error) {
	if string(b[:5]) != anchorLeafMagic {
		return anchorLeaf{}, errors.New("a leaf of an anchor log begins with DAYA and version 1")
	}
	l := anchorLeaf{
		index: int64(binary.BigEndian.Uint64(b[5:])), time: int64(binary.BigEndian.Uint64(b[13:])),
		count: int64(binary.BigEndian.Uint32(b[21:])), batchRoot: tlog.Hash(b[25:57]),
	}
	if l.index < 0 || l.index >= maxInt || l.index == 0 && binary.BigEndian.Uint64(b[57:]) != 0 {
		return anchorLeaf{}, errors.New("the index of an anchor leaf is below 2^53, and none is before the first")
	}
	return l, nil
}

// anchor is one anchor line.
type anchor struct {
	tree        tlog.Tree // of this log
	consistency []tlog.Hash
	batchIndex  int64
	batchProof  []tlog.Hash
	leaf        anchorLeaf
	leafHash    tlog.Hash
	proof       []tlog.Hash
	note        *Note // of the anchor log
}

func (b *bundle) readAnchor() error {
	var a anchor
	if err := b.parseAnchor(&a); err != nil {
		return err
	}
	pinned, signed := b.anchorSigned(a.note)
	sound := signed
	bad := func(format string, args ...any) {
		sound = false
		b.find(ProofInvalid, -1, format, args...)
	}
	if err := CheckConsistency(a.consistency, b.note.Size, b.note.Root, a.tree.N, a.tree.Hash); err != nil {
		bad("the consistency proof from the anchored size %d: %v", a.tree.N, err)
	}
	tag := sha256.Sum256([]byte(b.head.origin))
	member := binary.BigEndian.AppendUint64(tag[:], uint64(a.tree.N))
	member = append(member, a.tree.Hash[:]...)
	if err := CheckInclusion(a.batchProof, a.leaf.count, a.leaf.batchRoot, a.batchIndex, tlog.RecordHash(member)); err != nil {
		bad("the tree of size %d is not in the batch of the anchor: %v", a.tree.N, err)
	}
	if err := CheckInclusion(a.proof, a.note.Size, a.note.Root, a.leaf.index, a.leafHash); err != nil {
		bad("the batch is not in the anchor log: %v", err)
	}
	if sound {
		b.linked[a.tree] = true
		b.anchorTimes(&a)
		if pinned {
			b.anchored = true
			b.rep.Anchored = max(b.rep.Anchored, a.tree.N)
		}
	}
	return nil
}

func (b *bundle) parseAnchor(a *anchor) error {
	ms := b.ms
	for _, m := range []struct {
		name string
		read func(value []byte) error
	}{
		{"size", func(v []byte) (err error) { a.tree.N, err = integer(v); return err }},
		{"root", func(v []byte) error { return decodeHash(&a.tree.Hash, v) }},
		{"consistency", func(v []byte) (err error) { a.consistency, err = b.parser.hashes(v); return err }},
		{"batch_index", func(v []byte) (err error) { a.batchIndex, err = integer(v); return err }},
		{"batch_proof", func(v []byte) (err error) { a.batchProof, err = b.parser.hashes(v); return err }},
		{"proof", func(v []byte) (err error) { a.proof, err = b.parser.hashes(v); return err }},
		{"leaf", func(v []byte) (err error) {
			var raw [anchorLeafSize]byte
			if err = encoded(raw[:], v); err == nil {
				a.leafHash = tlog.RecordHash(raw[:])
				a.leaf, err = parseAnchorLeaf(raw[:])
			}
			return err
		}},
	} {
		if err := m.read(ms.get(m.name)); err != nil {
			return malformed(-1, m.name, err)
		}
	}
	var err error
	a.note, err = b.noteOf()
	return err
}

// anchorSigned judges the signature of the anchor log: by the key of the header, and by pinned ones.
func (b *bundle) anchorSigned(n *Note) (pinned, signed bool) {
	if k := b.head.anchor; k != nil {
		_, err := n.Signed(*k)
		if err == nil && n.Origin == k.Name() {
			signed = true
		} else {
			b.find(SignatureInvalid, -1, "the anchor and the anchor key of the header: it did not sign")
		}
	}
	keys := b.o.AnchorKeys
	if b.o.Policy != nil {
		keys = append(slices.Clip(keys), b.o.Policy.Logs...)
	}
	for _, k := range keys {
		_, err := n.Signed(k)
		if err == nil && n.Origin == k.Name() {
			pinned, signed = true, true
		} else if errors.Is(err, ErrBadSignature) && (b.head.anchor == nil || !k.Equal(*b.head.anchor)) {
			b.find(SignatureInvalid, -1, "the anchor and the pinned key %s: %v", k, err)
		}
	}
	if b.head.anchor == nil && !signed {
		b.find(KeyUnknown, -1, "the header names no anchor key, and no pinned one signed the anchor")
	}
	return pinned, signed
}

// anchorTimes adds what the anchor says about times: nothing below the anchored size is later than it.
func (b *bundle) anchorTimes(a *anchor) {
	b.anchors = append(b.anchors, bound{size: a.tree.N, last: a.leaf.time})
	if b.o.Policy == nil {
		return
	}
	for _, k := range b.o.Policy.Witnesses {
		if t, err := a.note.Signed(k); err == nil {
			b.anchors = append(b.anchors, bound{size: a.tree.N, last: t.Add(b.skew).UnixMicro()})
		}
	}
	b.cosigned = b.cosigned || a.tree.N >= b.head.to && b.o.Policy.Satisfied(a.note)
}
