package retraced

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/daybook-audit/daybook"
)

// position is the place of an entry among those of several organizations: by the time of recording, then organization, then seq.
type position struct {
	received int64
	org      daybook.OrgID
	seq      int64
}

func positionOf(e *daybook.Entry) position { return position{e.ReceivedAt, e.Org, e.Seq} }

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.received, q.received), strings.Compare(string(p.org), string(q.org)), cmp.Compare(p.seq, q.seq))
}

// cursor is a position and how many entries the search found when it began, so that every page says the same number.
type cursor struct {
	position
	total int64
}

// A cursor is the base64url form of: version 1 · received · seq · total (varints) · org · 16 bytes of HMAC-SHA-256, which also covers
// who asks and for what.
const (
	cursorVersion = 1
	cursorMAC     = 16
)

func (d *Door) writeCursor(c cursor, scope, text string) string {
	b := []byte{cursorVersion}
	for _, v := range []int64{c.received, c.seq, c.total} {
		b = binary.AppendVarint(b, v)
	}
	b = append(b, c.org...)
	return base64.RawURLEncoding.EncodeToString(append(b, d.cursorSum(b, scope, text)...))
}

func (d *Door) readCursor(s, scope, text string) (c cursor, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < 1+cursorMAC || b[0] != cursorVersion {
		return c, false
	}
	b, sum := b[:len(b)-cursorMAC], b[len(b)-cursorMAC:]
	if !hmac.Equal(sum, d.cursorSum(b, scope, text)) {
		return c, false
	}
	b = b[1:]
	for _, to := range []*int64{&c.received, &c.seq, &c.total} {
		v, n := binary.Varint(b)
		if n <= 0 {
			return c, false
		}
		*to, b = v, b[n:]
	}
	c.org = daybook.OrgID(b)
	return c, true
}

func (d *Door) cursorSum(b []byte, scope, text string) []byte {
	m := hmac.New(sha256.New, d.CursorKey)
	for _, part := range []string{"daybook/retraced/cursor/v1", scope, text} {
		m.Write(binary.AppendVarint(nil, int64(len(part))))
		m.Write([]byte(part))
	}
	m.Write(b)
	return m.Sum(nil)[:cursorMAC]
}
