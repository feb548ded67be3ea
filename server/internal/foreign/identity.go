package foreign

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/dumps"
)

// Identified returns m's event with an id: its own; or one made of what its source calls it and of when it occurred; or of where it stands
// and what it says. So the same file gives the same ids, and recording it again records nothing twice. The event has passed the strict
// reading of [leaf.Doc.Read] on return, with d, and has an action.
func (s *Source) Identified(d *leaf.Doc, m Made, rec *dumps.Record) ([]byte, error) {
	if err := d.Read(m.Event); err != nil {
		return nil, err
	}
	hasAction, occurred := false, ""
	for i := range d.Len() {
		switch string(d.Path(i)) {
		case "/id":
			return m.Event, nil
		case "/action":
			hasAction = true
		case "/occurred_at":
			occurred = string(d.Value(i))
		}
	}
	if !hasAction {
		return nil, errors.New("required: the event has no action")
	}
	var id daybook.ID
	if m.Key != "" {
		id = hashedID(occurred, []byte(s.Name+"\n"), []byte(m.Key))
	} else {
		var position [8]byte
		binary.BigEndian.PutUint64(position[:], uint64(rec.N))
		id = hashedID(occurred, position[:], rec.Text)
	}
	return slices.Concat([]byte(`{"id":"`), []byte(id.String()), []byte(`",`), m.Event[1:]), nil
}

// hashedID is a UUIDv7 of a time and a hash; without a time it is of 1970.
func hashedID(occurred string, parts ...[]byte) daybook.ID {
	h := sha256.New()
	for _, part := range parts {
		h.Write(part)
	}
	var id daybook.ID
	copy(id[:], h.Sum(nil))
	at, err := time.Parse(time.RFC3339Nano, occurred)
	if err != nil || at.UnixMilli() < 0 {
		at = time.UnixMilli(0)
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}
