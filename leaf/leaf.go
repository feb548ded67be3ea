package leaf

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// The kinds of an entry.
const (
	Event   = 0 // what a producer said
	Control = 1 // an administrative record that the log itself makes
)

// Size is the length of a leaf.
const Size = 70

// magic begins every leaf; its last byte is the version.
const magic = "DAYB\x01"

// maxSeq bounds positions: every reader, JavaScript included, has the integers below 2^53 exactly.
const maxSeq = 1<<53 - 1

// Leaf is what an entry is in the Merkle tree.
type Leaf struct {
	Kind       byte     // Event or Control
	Seq        int64    // 0-based position in the log, below 2^53
	ReceivedAt int64    // microseconds since 1970-01-01T00:00:00Z
	ID         [16]byte // the event's id
	Root       [32]byte // the payload root
}

// Append adds the 70 bytes of the leaf to dst.
func (l *Leaf) Append(dst []byte) []byte {
	dst = append(dst, magic...)
	dst = append(dst, l.Kind)
	dst = binary.BigEndian.AppendUint64(dst, uint64(l.Seq))
	dst = binary.BigEndian.AppendUint64(dst, uint64(l.ReceivedAt))
	dst = append(dst, l.ID[:]...)
	return append(dst, l.Root[:]...)
}

// Hash returns the leaf hash of RFC 6962: SHA-256 over a zero byte and the leaf.
func (l *Leaf) Hash() [32]byte {
	var b [1 + Size]byte
	return sha256.Sum256(l.Append(append(b[:0], tagLeaf)))
}

// ParseLeaf reads the 70 bytes of a leaf. It refuses other lengths, versions, kinds, and a seq of 2^53 or more, so that every
// leaf it accepts is written again by Append with the same bytes.
func ParseLeaf(b []byte) (Leaf, error) {
	switch {
	case len(b) != Size:
		return Leaf{}, fmt.Errorf("a leaf has %d bytes, not %d", Size, len(b))
	case string(b[:4]) != magic[:4]:
		return Leaf{}, errors.New("a leaf begins with DAYB")
	case b[4] != magic[4]:
		return Leaf{}, fmt.Errorf("version %d of a leaf is not known", b[4])
	case b[5] > Control:
		return Leaf{}, fmt.Errorf("kind %d of a leaf is not known", b[5])
	}
	seq := binary.BigEndian.Uint64(b[6:])
	if seq > maxSeq {
		return Leaf{}, fmt.Errorf("seq %d of a leaf is not below 2^53", seq)
	}
	return Leaf{
		Kind: b[5], Seq: int64(seq), ReceivedAt: int64(binary.BigEndian.Uint64(b[14:])),
		ID: [16]byte(b[22:38]), Root: [32]byte(b[38:70]),
	}, nil
}
