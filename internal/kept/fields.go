package kept

import (
	"encoding/binary"

	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/internal/stored"
	"github.com/daybook-audit/daybook/leaf"
)

// TypeLeftOut is the type of a withheld field that was not erased, but left out of an excerpt. No store holds it.
const TypeLeftOut = 1

// Erased reports whether the value of a field is gone, and not only left out of an excerpt.
func Erased(f *leaf.Field) bool { return f.Withheld && f.Type != TypeLeftOut }

// FieldsBody returns the body of an entry of form FormFields: uvarint number of fields, then of each its type, salt, path and value, the
// lengths as uvarints, or, for an erased one, 0, its commitment and the path it had, which is empty when names are not kept. One that an
// excerpt leaves out has TypeLeftOut for that 0.
func FieldsBody(fs []leaf.Field) []byte {
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

// ReadFields reads the body of an entry of form FormFields. The fields share its memory. A withheld field has the path that it had, if that
// was kept; nothing proves it.
func ReadFields(b []byte) ([]leaf.Field, error) {
	r := stored.Read(b)
	n := r.Count(min(leaf.MaxFields, int64(len(b))))
	if n == 0 {
		return nil, stored.Damaged("an erased entry of %d bytes does not say how many fields it has", len(b))
	}
	fs := make([]leaf.Field, n)
	for i := range fs {
		f := &fs[i]
		f.Type = r.Byte()
		if f.Type <= TypeLeftOut {
			f.Withheld = true
			copy(f.Commitment[:], r.Take(len(f.Commitment)))
			f.Path = r.Bytes(leaf.MaxPath)
			continue
		}
		copy(f.Salt[:], r.Take(len(f.Salt)))
		f.Path, f.Value = r.Bytes(leaf.MaxPath), r.Bytes(leaf.MaxPayload)
	}
	if !r.End() {
		return nil, stored.Damaged("the %d fields of an erased entry do not fit %d bytes", n, len(b))
	}
	return fs, nil
}

// ErasedNames returns how many of the fields are erased, how many an excerpt leaves out, and the JSON pointers of the erased ones whose
// names were kept, in the order of the fields.
func ErasedNames(fs []leaf.Field) (erased, leftOut int, names []string) {
	for i := range fs {
		switch f := &fs[i]; {
		case !f.Withheld:
		case f.Type == TypeLeftOut:
			leftOut++
		default:
			if erased++; len(f.Path) > 0 {
				names = append(names, pointer.OfPath(f.Path))
			}
		}
	}
	return erased, leftOut, names
}
