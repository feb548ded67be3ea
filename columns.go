package daybook

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The frame of a block: columns of small numbers, then the bodies.

// The state byte of an entry: bits 0–2 form, bit 3 the body holds a backslash, bits 4–7 kind.
const (
	stateForm      = 0x07
	stateBackslash = 0x08
	stateKind      = 4 // shift
)

// maxColumnBytes is the most that one entry takes in the columns: state, received_at, id, id_at, body length.
const maxColumnBytes = 1 + 4*binary.MaxVarintLen64

// appendFrame adds the frame of es to dst, not compressed: state, received_at (the first, then differences), bytes 0–5 of the id
// (differences), id_at, body length, then the bodies.
func appendFrame(dst []byte, es []packed) []byte {
	for i := range es {
		e := &es[i]
		state := e.form | e.kind<<stateKind
		if bytes.IndexByte(e.body, '\\') >= 0 {
			state |= stateBackslash
		}
		dst = append(dst, state)
	}
	for i := range es {
		if i == 0 {
			dst = binary.AppendVarint(dst, es[0].received)
		} else {
			dst = binary.AppendUvarint(dst, uint64(es[i].received-es[i-1].received))
		}
	}
	var before int64
	for i := range es {
		at := idTime(&es[i].id)
		dst = binary.AppendVarint(dst, at-before)
		before = at
	}
	for i := range es {
		dst = binary.AppendUvarint(dst, uint64(es[i].idAt))
	}
	for i := range es {
		dst = binary.AppendUvarint(dst, uint64(len(es[i].body)))
	}
	for i := range es {
		dst = append(dst, es[i].body...)
	}
	return dst
}

// columns is a frame that has been read. It keeps the frame: what entry returns is valid as long as the frame is.
type columns struct {
	state    []byte
	received []int64
	idTime   []int64  // bytes 0–5 of the ids
	idAt     []uint32 // 1 + offset of the id text, 0: none
	end      []uint32 // where each body ends in bodies
	bodies   []byte
}

// readFrame reads a frame of n entries. Every length is checked before it is used; frames of other lengths, times that do not
// ascend and ids out of range are refused. A form or kind that is not known is [ErrNewer].
func readFrame(frame []byte, n int) (columns, error) {
	var c columns
	if n < 0 || n > len(frame)/5 { // each of the five columns takes a byte
		return c, damaged("a frame of %d bytes cannot hold %d entries", len(frame), n)
	}
	c.state = frame[:n:n]
	for _, s := range c.state {
		if s&stateForm != 0 || s>>stateKind > 1 {
			return c, fmt.Errorf("entry of form %d and kind %d: %w", s&stateForm, s>>stateKind, ErrNewer)
		}
	}
	r := columnReader{rest: frame[n:]}
	wide := make([]int64, 2*n)
	c.received, c.idTime = wide[:n:n], wide[n:]
	r.times(c.received)
	r.idTimes(c.idTime)
	narrow := make([]uint32, 2*n)
	c.idAt, c.end = narrow[:n:n], narrow[n:]
	for i := range c.idAt {
		c.idAt[i] = uint32(r.uvarint(1 << 31))
	}
	var end uint64
	for i := range c.end {
		size := r.uvarint(1 << 31)
		if uint64(c.idAt[i]) > size+1 {
			r.bad = true
		}
		if end += size; end > uint64(len(frame)) {
			r.bad = true
			break
		}
		c.end[i] = uint32(end)
	}
	if r.bad || end != uint64(len(r.rest)) {
		return columns{}, damaged("the columns of %d entries do not fit their frame of %d bytes", n, len(frame))
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
func (r *columnReader) times(dst []int64) {
	const furthest = 1 << 62
	var at int64
	for i := range dst {
		if i == 0 {
			at = r.varint()
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

func (r *columnReader) idTimes(dst []int64) {
	const limit = 1 << 48
	var at int64
	for i := range dst {
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

func (c *columns) len() int { return len(c.state) }

// body returns the body of entry i.
func (c *columns) body(i int) []byte {
	var from uint32
	if i > 0 {
		from = c.end[i-1]
	}
	return c.bodies[from:c.end[i]:c.end[i]]
}

// backslash reports whether the body of entry i holds a backslash.
func (c *columns) backslash(i int) bool { return c.state[i]&stateBackslash != 0 }

// entry returns what the frame says of entry i: the seq, the secret and bytes 6–15 of the id are kept elsewhere and are zero here.
func (c *columns) entry(i int) packed {
	p := packed{
		received: c.received[i], kind: c.state[i] >> stateKind, form: c.state[i] & stateForm, idAt: int(c.idAt[i]), body: c.body(i),
	}
	setIDTime(&p.id, c.idTime[i])
	return p
}
