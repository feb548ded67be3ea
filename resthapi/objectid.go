package resthapi

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/daybook-audit/daybook"
)

// An _id is 24 hex digits. One that the log gives is the second of received_at (4 bytes) and the seq (8 bytes), so that the order of
// _ids is that of the log and no index is needed. One that a document brought becomes the event's id, a UUIDv7 of a form of its own,
// and is read back from it. A seq is below 2^40: an _id whose bytes 5 to 7 are zero is one that the log gives.

// given is the upper part of the 12 bits after the time in the id of an event whose document brought its _id.
const given = 0x3ff

// EventID returns the id of the event of a document that has an _id of its own, ErrID for one that cannot be kept.
func EventID(id string) (daybook.ID, error) {
	var b [12]byte
	if n, err := hex.Decode(b[:], []byte(id[:min(len(id), 24)])); err != nil || n != 12 || len(id) != 24 || reserved(b) {
		return daybook.ID{}, ErrID
	}
	var out daybook.ID
	ms := uint64(binary.BigEndian.Uint32(b[:4])) * 1000
	rest := binary.BigEndian.Uint64(b[4:])
	binary.BigEndian.PutUint64(out[:8], ms<<16|0x7000|given<<2|rest>>62)
	binary.BigEndian.PutUint64(out[8:], 1<<63|rest&(1<<62-1))
	return out, nil
}

// reserved reports whether b is an _id that the log gives.
func reserved(b [12]byte) bool { return b[4] == 0 && b[5] == 0 && b[6] == 0 }

// GivenID returns the _id that the document of an event brought; false: it brought none.
func GivenID(id daybook.ID) (string, bool) {
	high, low := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	ms := high >> 16
	if high>>12&0xf != 7 || high>>2&0x3ff != given || low>>62 != 2 || ms%1000 != 0 || ms/1000 >= 1<<32 {
		return "", false
	}
	var b [12]byte
	binary.BigEndian.PutUint32(b[:4], uint32(ms/1000))
	binary.BigEndian.PutUint64(b[4:], high<<62|low&(1<<62-1))
	if reserved(b) {
		return "", false
	}
	return hex.EncodeToString(b[:]), true
}

// LogID returns the _id that the log gives to an entry without one; received is µs since 1970.
func LogID(received, seq int64) string {
	return fmt.Sprintf("%08x%016x", uint32(received/1e6), seq)
}

// ParseLogID reads the second and the seq of an _id that the log gave; false: it gave none such.
func ParseLogID(id string) (second, seq int64, ok bool) {
	var b [12]byte
	if len(id) != 24 {
		return 0, 0, false
	}
	if _, err := hex.Decode(b[:], []byte(id)); err != nil || !reserved(b) {
		return 0, 0, false
	}
	return int64(binary.BigEndian.Uint32(b[:4])), int64(binary.BigEndian.Uint64(b[4:])), true
}
