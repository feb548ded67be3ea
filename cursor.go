package daybook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

// A cursor is "c_" and the base64url form of what the next page needs, version 1, with 16 bytes of HMAC-SHA-256 at the end. It
// carries the question itself, so that a further request needs nothing but the cursor. Integers are varints; texts have their
// length in front.
//
//	version 1 · log id 10 · epoch · flags · size · seq · [occurred_at] · now · [from] · [to] · zone · query
//
// The MAC also covers the org and the condition that the search is within: neither is carried, both must be the same again.
const (
	cursorPrefix  = "c_"
	cursorVersion = 1
	cursorMAC     = 16
	maxCursor     = 16 << 10 // characters; a query has at most 4,096 bytes
	maxZone       = 255
)

// The flags.
const (
	cursorOccurred = 1 << iota // in the order of occurred_at
	cursorAsc
	cursorFrom
	cursorTo
	cursorFlags = 1<<iota - 1
)

// errCursor is the one answer to a cursor that does not fit: what is wrong with it is nobody's business.
var errCursor = &Error{
	Code: CodeInvalid, Rule: "cursor_invalid", Field: "cursor",
	Message: "this cursor does not belong to this question; begin again without a cursor",
}

// makeCursor returns the cursor with which p goes on.
func (b *Book) makeCursor(p *question) string {
	d := make([]byte, 0, 128+len(p.text))
	d = append(d, cursorVersion)
	d = append(d, p.logID[:]...)
	d = binary.AppendVarint(d, int64(p.epoch))
	flags := p.flags()
	d = append(d, flags)
	d = binary.AppendVarint(d, p.size)
	d = binary.AppendVarint(d, p.at.seq)
	if flags&cursorOccurred != 0 {
		d = binary.AppendVarint(d, p.at.occurred)
	}
	d = binary.AppendVarint(d, p.now)
	if flags&cursorFrom != 0 {
		d = binary.AppendVarint(d, p.from)
	}
	if flags&cursorTo != 0 {
		d = binary.AppendVarint(d, p.to)
	}
	for _, s := range []string{p.zone.String(), p.text} {
		d = binary.AppendVarint(d, int64(len(s)))
		d = append(d, s...)
	}
	d = append(d, b.cursorMAC(d, p.org, p.within)...)
	return cursorPrefix + base64.RawURLEncoding.EncodeToString(d)
}

func (p *question) flags() (f byte) {
	if p.order == OrderOccurred {
		f |= cursorOccurred
	}
	if p.asc {
		f |= cursorAsc
	}
	if p.from != openFrom {
		f |= cursorFrom
	}
	if p.to != openTo {
		f |= cursorTo
	}
	return f
}

// cursorMAC authenticates a cursor for one org and one condition.
func (b *Book) cursorMAC(d []byte, org OrgID, within string) []byte {
	m := hmac.New(sha256.New, b.o.CursorKey)
	head := append([]byte("daybook/cursor/v1\n"), org...)
	head = append(head, '\n') // in no org id
	head = binary.AppendVarint(head, int64(len(within)))
	m.Write(append(head, within...))
	m.Write(d)
	return m.Sum(nil)[:cursorMAC]
}

// readCursor returns the question that q's cursor goes on with, without its query. Every error is errCursor.
func (b *Book) readCursor(q *EventQuery, within string) (*question, error) {
	text, ok := strings.CutPrefix(q.Cursor, cursorPrefix)
	if !ok || len(text) > maxCursor {
		return nil, errCursor
	}
	d, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(d) <= cursorMAC {
		return nil, errCursor
	}
	d, mac := d[:len(d)-cursorMAC], d[len(d)-cursorMAC:]
	if !hmac.Equal(mac, b.cursorMAC(d, q.Org, within)) {
		return nil, errCursor
	}
	p, zone, ok := readCursorBody(d)
	if !ok {
		return nil, errCursor
	}
	p.org, p.within = q.Org, within
	if p.zone = q.Zone; p.zone == nil || p.zone.String() != zone { // a zone of the caller's own making cannot be loaded
		if p.zone, err = time.LoadLocation(zone); err != nil {
			return nil, errCursor
		}
	}
	return p, nil
}

// readCursorBody reads what stands before the MAC.
func readCursorBody(d []byte) (p *question, zone string, ok bool) {
	r := cursorReader{rest: d, ok: true}
	p = &question{pinned: true, from: openFrom, to: openTo, at: position{set: true}}
	if r.byte() != cursorVersion {
		return nil, "", false
	}
	copy(p.logID[:], r.bytes(len(p.logID)))
	p.epoch = int(r.varint())
	flags := r.byte()
	if flags&^cursorFlags != 0 {
		return nil, "", false
	}
	p.asc = flags&cursorAsc != 0
	p.size, p.at.seq = r.varint(), r.varint()
	if flags&cursorOccurred != 0 {
		p.order, p.at.occurred = OrderOccurred, r.varint()
	}
	p.now = r.varint()
	if flags&cursorFrom != 0 {
		p.from = r.varint()
	}
	if flags&cursorTo != 0 {
		p.to = r.varint()
	}
	zone = r.text(maxZone)
	p.text = r.text(maxCursor)
	return p, zone, r.ok && len(r.rest) == 0
}

// cursorReader reads and remembers whether something was not there.
type cursorReader struct {
	rest []byte
	ok   bool
}

func (r *cursorReader) bytes(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.ok, n = false, 0
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *cursorReader) byte() byte {
	if b := r.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *cursorReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.ok = false
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *cursorReader) text(limit int64) string {
	n := r.varint()
	if n < 0 || n > limit {
		r.ok = false
		return ""
	}
	return string(r.bytes(int(n)))
}
