package daybook

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// What the frame of a commit row and the frame of a block have in common: columns of small numbers, then the bodies.

// The state byte of an entry: bits 0–2 form, bit 3 the body holds a backslash or is not the accepted text, bits
// 4–7 kind.
const (
	stateForm      = 0x07
	stateBackslash = 0x08
	stateKind      = 4 // shift
)

// maxColumnBytes is the most that one entry takes in the columns: state, received_at, id, id_at, body length.
const maxColumnBytes = 1 + 4*binary.MaxVarintLen64

// appendColumns adds the frame of es to dst, not compressed: state, received_at (only with times: the first, then differences),
// the first 6 bytes of the id (differences), id_at, body length, then the bodies. An entry without a leaf is left out of the columns of
// times, ids and id_at. Nothing in it depends on a seq, and nothing on a time without times.
func appendColumns(dst []byte, es []packed, times bool) []byte {
	for i := range es {
		e := &es[i]
		state := e.form | e.kind<<stateKind
		if e.form != formWhole || bytes.IndexByte(e.body, '\\') >= 0 {
			state |= stateBackslash
		}
		dst = append(dst, state)
	}
	if times {
		dst = appendTimes(dst, es)
	}
	var before int64
	for i := range es {
		if hasLeaf(es[i].form) {
			high := idHigh(&es[i].id)
			dst = binary.AppendVarint(dst, high-before)
			before = high
		}
	}
	for i := range es {
		if hasLeaf(es[i].form) {
			dst = binary.AppendUvarint(dst, uint64(es[i].idAt))
		}
	}
	for i := range es {
		dst = binary.AppendUvarint(dst, uint64(len(es[i].body)))
	}
	for i := range es {
		dst = append(dst, es[i].body...)
	}
	return dst
}

func appendTimes(dst []byte, es []packed) []byte {
	first, before := true, int64(0)
	for i := range es {
		switch {
		case !hasLeaf(es[i].form):
			continue
		case first:
			dst = binary.AppendVarint(dst, es[i].received)
		default:
			dst = binary.AppendUvarint(dst, uint64(es[i].received-before))
		}
		first, before = false, es[i].received
	}
	return dst
}

// idHigh returns bytes 0–5 of id, the time of a UUIDv7 in ms.
func idHigh(id *ID) int64 {
	return int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
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
// ascend and ids out of range are refused. A form or kind that is not known is [ErrNewer].
func readColumns(frame []byte, n int, times bool) (columns, error) {
	var c columns
	const perEntry = 2 // at least: state and body length
	if n < 0 || n > len(frame)/perEntry {
		return c, damaged("a frame of %d bytes cannot hold %d entries", len(frame), n)
	}
	c.state = frame[:n:n]
	last := byte(formWhole) // in a commit, which has no times
	if times {
		last = formNone
	}
	for _, s := range c.state {
		if s&stateForm > last || s>>stateKind > 1 {
			return c, fmt.Errorf("entry of form %d and kind %d: %w", s&stateForm, s>>stateKind, ErrNewer)
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
		if hasLeaf(s & stateForm) {
			c.idAt[i] = uint32(r.uvarint(1 << 31))
		}
	}
	var end uint64
	for i := range c.end {
		size := r.uvarint(1 << 31)
		if uint64(c.idAt[i]) > size+1 || c.idAt[i] > 0 && c.state[i]&stateForm != formWhole {
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
func (r *columnReader) times(state []byte, dst []int64) {
	const furthest = 1 << 62
	first, at := true, int64(0)
	for i, s := range state {
		if !hasLeaf(s & stateForm) {
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
		if !hasLeaf(s & stateForm) {
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

// entry returns what the frame says of entry i. The seq, the secret and bytes 6–15 of the id are kept elsewhere and are zero here,
// and so is received_at in a frame without times.
func (c *columns) entry(i int) packed {
	p := packed{kind: c.state[i] >> stateKind, form: c.state[i] & stateForm, idAt: int(c.idAt[i]), body: c.body(i)}
	if c.received != nil {
		p.received = c.received[i]
	}
	setIDHigh(&p.id, c.high[i])
	return p
}

// damaged says that stored bytes contradict each other.
func damaged(format string, args ...any) error {
	return &Error{Code: CodeTampered, Rule: "damaged", Message: fmt.Sprintf(format, args...)}
}

// encoder and decoder serve every goroutine: making one costs far more than packing a block. They are made at once and not on first
// use, since they hold channels: a program that tests with synctest would tie them to the bubble of its first test.
var (
	encoder = newEncoder()
	decoder = newDecoder()
)

func newEncoder() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(false),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	e.EncodeAll([]byte{0}, nil) // makes the channels
	return e
}

// newDecoder returns a decoder that never writes more than the capacity of the destination: a frame that unpacks to more than its row
// says is refused, whatever it says itself.
func newDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(1<<30), zstd.WithDecoderConcurrency(0))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
}

// The codecs of a frame. 2 is kept for a layout by columns.
const (
	codecZstd = 1 // for what stays
	codecS2   = 3 // for what is soon rewritten: a third of the time for half as much more space (BenchmarkDeflate)
)

// deflate adds the frame of plain to dst.
func deflate(dst, plain []byte, codec byte) []byte {
	if codec == codecZstd {
		return encoder.EncodeAll(plain, dst)
	}
	at := len(dst)
	dst = slices.Grow(dst, s2.MaxEncodedLen(len(plain)))
	return dst[:at+len(s2.Encode(dst[at:cap(dst)], plain))]
}

// inflate returns the plain bytes of a frame, exactly size of them. They stand in into if it has room; else it allocates size bytes: the
// caller bounds it.
func inflate(codec byte, frame []byte, size int, into []byte) (plain []byte, err error) {
	if cap(into) < size {
		into = make([]byte, 0, size)
	}
	into = into[:0:size] // never more than the row says
	switch codec {
	case codecZstd:
		plain, err = decoder.DecodeAll(frame, into)
	case codecS2:
		if n, lenErr := s2.DecodedLen(frame); lenErr != nil || n != size {
			return nil, damaged("a frame that does not hold %d bytes", size)
		}
		plain, err = s2.Decode(into[:size], frame)
	default:
		return nil, fmt.Errorf("codec %d: %w", codec, ErrNewer)
	}
	if err != nil {
		return nil, &Error{Code: CodeTampered, Rule: "damaged", Message: "a compressed frame cannot be read", Err: err}
	}
	if len(plain) != size {
		return nil, damaged("a frame of %d bytes instead of %d", len(plain), size)
	}
	return plain, nil
}
