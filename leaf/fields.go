package leaf

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

// Field is one field of an entry whose payload is not complete: disclosed with its salt, or withheld and known by its commitment
// alone.
type Field struct {
	Path  []byte
	Type  byte   // one of s n t f z o a
	Value []byte // the text of a string or the token of a number; nothing for other types
	Salt  [16]byte

	Withheld   bool
	Commitment [32]byte // of a withheld field; nothing else of it is set
}

// Commit returns the commitment to f.
func (f *Field) Commit() [32]byte {
	if f.Withheld {
		return f.Commitment
	}
	return sha256.Sum256(appendField(nil, f.Salt[:], f.Path, f.Type, f.Value))
}

// Salt returns the salt of field i of the entry with this secret.
func Salt(secret *[16]byte, i int) [16]byte {
	pair := salts(secret, i/2)
	return [16]byte(pair[i%2*16:])
}

// Fields returns the fields of the payload with their salts, all disclosed, in the order of their indexes. It sorts d as
// [Doc.Sort] does; the result shares no memory with d.
func (d *Doc) Fields(secret *[16]byte) []Field {
	d.Sort()
	fs := make([]Field, d.Len())
	for i := range fs {
		fs[i] = Field{Path: bytes.Clone(d.Path(i)), Type: d.Type(i), Value: bytes.Clone(d.Value(i)), Salt: Salt(secret, i)}
	}
	return fs
}

// FieldsRoot returns the payload root of the entry with these fields, which stand in the order of their indexes. It says nothing
// about their shape: see [CheckShape].
func FieldsRoot(fs []Field) [32]byte {
	b := make([]byte, 0, 5+len(fs)*sha256.Size)
	b = append(b, tagRoot)
	b = binary.BigEndian.AppendUint32(b, uint32(len(fs)))
	for i := range fs {
		c := fs[i].Commit()
		b = append(b, c[:]...)
	}
	return sha256.Sum256(b)
}
