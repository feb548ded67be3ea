// Package cursor writes down where a search goes on, so that a further request needs nothing but that text: it carries the question
// itself. Whoever holds it cannot change it, and cannot use it for another org or under another condition; it is signed, not hidden.
//
// A cursor is "c_" and the base64url form of what follows, version 1, with 16 bytes of HMAC-SHA-256 at the end. Integers are varints;
// texts have their length in front.
//
//	version 1 · log id 10 · epoch · flags · size · seq · [occurred_at] · now · [from] · [to] · zone · query
//
// The MAC also covers the org and the condition that the search is within: neither is carried, both must be the same again.
package cursor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"

	"github.com/daybook-audit/daybook/internal/stored"
)

const (
	prefix  = "c_"
	version = 1
	macSize = 16
	maxText = 16 << 10 // characters; a query has at most 4,096 bytes
	maxZone = 255
)

// The flags.
const (
	flagOccurred = 1 << iota // in the order of occurred_at
	flagAsc
	flagFrom
	flagTo
	allFlags = 1<<iota - 1
)

// Times that stand for an open bound.
const (
	OpenFrom = math.MinInt64
	OpenTo   = math.MaxInt64
)

// Cursor is a question, and where its answer goes on.
type Cursor struct {
	LogID [10]byte
	Epoch int   // of the log
	Size  int64 // of the log on the first page; later entries are on no page

	ByOccurred, Asc bool
	Seq             int64 // what the next page begins with or after
	Occurred        int64 // the same, µs since 1970; kept only ByOccurred

	Now      int64  // what relative times are relative to
	From, To int64  // of occurred_at
	Zone     string // the name of a time zone, at most 255 bytes
	Query    string // in its normal form
}

// Binding is what a cursor holds for. Key is secret; Within is the condition that nobody typed, empty for none.
type Binding struct {
	Key         []byte
	Org, Within string
}

// Text returns c as a text that only this binding reads. One question has one text.
func (c *Cursor) Text(b *Binding) string {
	d := make([]byte, 0, 128+len(c.Query))
	d = append(d, version)
	d = append(d, c.LogID[:]...)
	d = binary.AppendVarint(d, int64(c.Epoch))
	flags := c.flags()
	d = append(d, flags)
	d = binary.AppendVarint(d, c.Size)
	d = binary.AppendVarint(d, c.Seq)
	if flags&flagOccurred != 0 {
		d = binary.AppendVarint(d, c.Occurred)
	}
	d = binary.AppendVarint(d, c.Now)
	if flags&flagFrom != 0 {
		d = binary.AppendVarint(d, c.From)
	}
	if flags&flagTo != 0 {
		d = binary.AppendVarint(d, c.To)
	}
	for _, s := range []string{c.Zone, c.Query} {
		d = binary.AppendVarint(d, int64(len(s)))
		d = append(d, s...)
	}
	return signed(d, b)
}

func (c *Cursor) flags() (f byte) {
	if c.ByOccurred {
		f |= flagOccurred
	}
	if c.Asc {
		f |= flagAsc
	}
	if c.From != OpenFrom {
		f |= flagFrom
	}
	if c.To != OpenTo {
		f |= flagTo
	}
	return f
}

// signed returns the text of a body.
func signed(body []byte, b *Binding) string {
	return prefix + base64.RawURLEncoding.EncodeToString(append(body, b.mac(body)...))
}

// mac authenticates a body for one org and one condition.
func (b *Binding) mac(body []byte) []byte {
	m := hmac.New(sha256.New, b.Key)
	head := append([]byte("daybook/cursor/v1\n"), b.Org...)
	head = append(head, '\n') // in no org id
	head = binary.AppendVarint(head, int64(len(b.Within)))
	m.Write(append(head, b.Within...))
	m.Write(body)
	return m.Sum(nil)[:macSize]
}

// Read reads what Text wrote under the same binding; everything else is not ok. What is wrong with it is nobody's business.
func Read(text string, b *Binding) (c Cursor, ok bool) {
	text, ok = strings.CutPrefix(text, prefix)
	if !ok || len(text) > maxText {
		return Cursor{}, false
	}
	d, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(d) <= macSize {
		return Cursor{}, false
	}
	d, mac := d[:len(d)-macSize], d[len(d)-macSize:]
	if !hmac.Equal(mac, b.mac(d)) {
		return Cursor{}, false
	}
	return readBody(d)
}

// readBody reads what stands before the MAC.
func readBody(d []byte) (c Cursor, ok bool) {
	r := stored.Read(d)
	c = Cursor{From: OpenFrom, To: OpenTo}
	if r.Byte() != version {
		return Cursor{}, false
	}
	copy(c.LogID[:], r.Take(len(c.LogID)))
	c.Epoch = int(r.Int())
	flags := r.Byte()
	if flags&^allFlags != 0 {
		return Cursor{}, false
	}
	c.Asc, c.ByOccurred = flags&flagAsc != 0, flags&flagOccurred != 0
	c.Size, c.Seq = r.Int(), r.Int()
	if c.ByOccurred {
		c.Occurred = r.Int()
	}
	c.Now = r.Int()
	if flags&flagFrom != 0 {
		c.From = r.Int()
	}
	if flags&flagTo != 0 {
		c.To = r.Int()
	}
	c.Zone, c.Query = text(&r, maxZone), text(&r, maxText)
	if !r.End() {
		return Cursor{}, false
	}
	return c, true
}

// text reads a text of at most limit bytes.
func text(r *stored.Reader, limit int64) string {
	n := r.Int()
	if n < 0 || n > limit {
		r.Refuse()
		return ""
	}
	return string(r.Take(int(n)))
}
