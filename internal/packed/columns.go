package packed

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/stored"
)

// What the frame of a commit row and the frame of a block have in common: columns of small numbers, then the bodies.

// The state byte of an entry: bits 0–2 form, bit 3 the body holds a backslash or is not the accepted text, bits
// 4–7 kind.
const (
	stateForm      = 0x07
	stateBackslash = 0x08
	stateKind      = 4 // shift
)

func formOf(state byte) kept.Form { return kept.Form(state & stateForm) }

// maxColumnBytes is the most that one entry takes in the columns: state, received_at, id, id_at, body length.
const maxColumnBytes = 1 + 4*binary.MaxVarintLen64

// appendColumns adds the frame of es to dst, not compressed: state, received_at (only with times: the first, then differences),
// the first 6 bytes of the id (differences), id_at, body length, then the bodies. An entry without a leaf is left out of the columns of
// times, ids and id_at. Nothing in it depends on a seq, and nothing on a time without times.
func appendColumns(dst []byte, es []kept.Entry, times bool) []byte {
	for i := range es {
		e := &es[i]
		state := byte(e.Form) | e.Kind<<stateKind
		if e.Form != kept.FormWhole || bytes.IndexByte(e.Body, '\\') >= 0 {
			state |= stateBackslash
		}
		dst = append(dst, state)
	}
	if times {
		dst = appendTimes(dst, es)
	}
	var before int64
	for i := range es {
		if es[i].Form.HasLeaf() {
			high := idHigh(&es[i].ID)
			dst = binary.AppendVarint(dst, high-before)
			before = high
		}
	}
	for i := range es {
		if es[i].Form.HasLeaf() {
			dst = binary.AppendUvarint(dst, uint64(es[i].IDAt))
		}
	}
	for i := range es {
		dst = binary.AppendUvarint(dst, uint64(len(es[i].Body)))
	}
	for i := range es {
		dst = append(dst, es[i].Body...)
	}
	return dst
}

func appendTimes(dst []byte, es []kept.Entry) []byte {
	first, before := true, int64(0)
	for i := range es {
		switch {
		case !es[i].Form.HasLeaf():
			continue
		case first:
			dst = binary.AppendVarint(dst, es[i].Received)
		default:
			dst = binary.AppendUvarint(dst, uint64(es[i].Received-before))
		}
		first, before = false, es[i].Received
	}
	return dst
}

// idHigh returns bytes 0–5 of id, the time of a UUIDv7 in ms.
func idHigh(id *[16]byte) int64 { return int64(binary.BigEndian.Uint64(id[:]) >> 16) }

// setIDHigh sets bytes 0–5 of id.
func setIDHigh(id *[16]byte, v int64) {
	binary.BigEndian.PutUint32(id[:], uint32(v>>16))
	binary.BigEndian.PutUint16(id[4:], uint16(v))
}

// columns is a frame that has been read, and keeps it.
type columns struct {
	state    []byte
	received []int64  // nil when the frame holds no times; 0: the entry has none any more
	high     []int64  // bytes 0–5 of the ids
	idAt     []uint32 // 1 + offset of the id text, 0: none
	end      []uint32 // where each body ends in bodies
	bodies   []byte
}

// readColumns reads a frame of n entries. Every length is checked before it is used; frames of other lengths, times that do not
// ascend and ids out of range are refused. A form or kind that is not known is [stored.ErrNewer].
func readColumns(frame []byte, n int, times bool) (columns, error) {
	var c columns
	const perEntry = 2 // at least: state and body length
	if n < 0 || n > len(frame)/perEntry {
		return c, stored.Damaged("a frame of %d bytes cannot hold %d entries", len(frame), n)
	}
	c.state = frame[:n:n]
	last := kept.FormWhole // in a commit, which has no times
	if times {
		last = kept.FormNone
	}
	for _, s := range c.state {
		if formOf(s) > last || s>>stateKind > 1 {
			return c, fmt.Errorf("entry of form %d and kind %d: %w", s&stateForm, s>>stateKind, stored.ErrNewer)
		}
	}
	r := columnReader{rest: frame[n:]}
	wide := make([]int64, 2*n)
	c.high = wide[:n:n]
	if times {
		c.received = wide[n:]
		r.times(c.state, c.received)
	}
	r.highs(c.state, c.high)
	narrow := make([]uint32, 2*n)
	c.idAt, c.end = narrow[:n:n], narrow[n:]
	for i, s := range c.state {
		if formOf(s).HasLeaf() {
			c.idAt[i] = uint32(r.uvarint(1 << 31))
		}
	}
	var end uint64
	for i := range c.end {
		size := r.uvarint(1 << 31)
		if uint64(c.idAt[i]) > size+1 || c.idAt[i] > 0 && formOf(c.state[i]) != kept.FormWhole {
			r.bad = true
		}
		if end += size; end > uint64(len(frame)) {
			r.bad = true
			break
		}
		c.end[i] = uint32(end)
	}
	if r.bad || end != uint64(len(r.rest)) {
		return columns{}, stored.Damaged("the columns of %d entries do not fit their frame of %d bytes", n, len(frame))
	}
	c.bodies = r.rest
	return c, nil
}

// columnReader reads numbers and remembers whether one was not there or out of range.
type columnReader struct {
	rest []byte
	bad  bool
}

func (r *columnReader) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > limit {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *columnReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// times reads received_at: it strictly increases.
func (r *columnReader) times(state []byte, dst []int64) {
	const furthest = 1 << 62
	first, at := true, int64(0)
	for i, s := range state {
		if !formOf(s).HasLeaf() {
			continue
		}
		if first {
			first, at = false, r.varint()
		} else {
			delta := r.uvarint(furthest)
			if delta == 0 {
				r.bad = true
			}
			at += int64(delta)
		}
		if at < 0 || at > furthest {
			r.bad = true
			return
		}
		dst[i] = at
	}
}

func (r *columnReader) highs(state []byte, dst []int64) {
	const limit = 1 << 48
	var at int64
	for i, s := range state {
		if !formOf(s).HasLeaf() {
			continue
		}
		delta := r.varint()
		if delta <= -limit || delta >= limit {
			r.bad = true
			return
		}
		if at += delta; at < 0 || at >= limit {
			r.bad = true
			return
		}
		dst[i] = at
	}
}

// Len returns the number of entries.
func (c *columns) Len() int { return len(c.state) }

// Body returns the body of entry i.
func (c *columns) Body(i int) []byte {
	var from uint32
	if i > 0 {
		from = c.end[i-1]
	}
	return c.bodies[from:c.end[i]:c.end[i]]
}

// Escaped reports whether the body of entry i may say something in another spelling than a search would look for: it holds a backslash, or
// is not the accepted text.
func (c *columns) Escaped(i int) bool { return c.state[i]&stateBackslash != 0 }

// entry returns what the frame says of entry i. The seq, the secret and bytes 6–15 of the id are kept elsewhere and are zero here,
// and so is received_at in a frame without times.
func (c *columns) entry(i int) kept.Entry {
	e := kept.Entry{Kind: c.state[i] >> stateKind, Form: formOf(c.state[i]), IDAt: int(c.idAt[i]), Body: c.Body(i)}
	if c.received != nil {
		e.Received = c.received[i]
	}
	setIDHigh(&e.ID, c.high[i])
	return e
}
