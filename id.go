package daybook

import (
	"github.com/google/uuid"

	"github.com/daybook-audit/daybook/internal/typeid"
)

// OrgID names an org: 1–128 characters of A–Z, a–z, 0–9 and "._:@-".
type OrgID string

// Valid reports whether o has the form of an org id.
func (o OrgID) Valid() bool {
	if len(o) == 0 || len(o) > 128 {
		return false
	}
	for i := range len(o) {
		c := o[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '_', c == ':', c == '@', c == '-':
		default:
			return false
		}
	}
	return true
}

// ID is an event's id: the 16 bytes of a UUIDv7, printed as a TypeID ("evt_" and 26 characters).
type ID [16]byte

// NewID returns a new id. Ids made by one process ascend.
func NewID() ID { return ID(uuid.Must(uuid.NewV7())) }

// clockSlack is how far a producer's clock may run ahead of ours, µs, before its ids are looked up with more care.
const clockSlack = 5 * 60 * 1_000_000

// idAhead returns the time in an id if it lies more than clockSlack after the entry was received, else 0.
func idAhead(id ID, received int64) int64 {
	if t := id.Micros(); t > received+clockSlack {
		return t
	}
	return 0
}

// idAt returns a UUIDv7 (RFC 9562 §5.7) of a time in ms and random bits.
func idAt(ms int64, random [16]byte) ID {
	id := ID(random)
	setIDHigh(&id, ms)
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// setIDHigh sets bytes 0–5 of id.
func setIDHigh(id *ID, v int64) {
	id[0], id[1], id[2], id[3], id[4], id[5] = byte(v>>40), byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
}

// ParseID reads the text form.
func ParseID(s string) (ID, error) {
	b, err := typeid.Parse("evt", s)
	return ID(b), err
}

// String returns the text form, 30 characters.
func (id ID) String() string { return string(id.Append(nil)) }

// Append adds the text form to dst.
func (id ID) Append(dst []byte) []byte { return typeid.Append(dst, "evt", id) }

// IsZero reports whether id is unset.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText returns the text form.
func (id ID) MarshalText() ([]byte, error) { return id.Append(nil), nil }

// UnmarshalText reads the text form.
func (id *ID) UnmarshalText(b []byte) error {
	v, err := ParseID(string(b))
	if err == nil {
		*id = v
	}
	return err
}

// Micros returns the time in id, µs since 1970: the moment it was made, if it is a UUIDv7.
func (id ID) Micros() int64 {
	return (int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])) * 1000
}
