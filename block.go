package daybook

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/timestamp"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// The block, version 1. Integers are big-endian; uvarint and zigzag are those of encoding/binary.
//
//	 0  8         "DBKB", version 1, codec, flags 0 0
//	 8  10 2 8 4  log id, epoch, first seq, number of entries n
//	32  4·3       keep length, plain length, frame length
//	44            keep section, entries in order: secret 16 if it is whole · bytes 6–15 of the id · payload root 32 if only its leaf is left
//	              frame: columns state[n] · received_at (the first, then differences) · zigzag of bytes 0–5 of the id against the entry
//	              before · id_at · body length; then the bodies
//	    4         CRC-32C of all before
const (
	blockMagic  = "DBKB\x01"
	blockHeader = 44
)

// Bounds of a block: it never crosses a window, the aligned run of windowSize seqs, and its bodies are at most maxBlockBytes.
const (
	windowSize    = 512
	maxBlockBytes = 2 << 20
	maxBlockPlain = maxBlockBytes + windowSize*maxColumnBytes
	maxSeq        = 1 << 53
)

// blockWriter packs blocks, reusing its memory. It belongs to one goroutine; the zero value is ready.
type blockWriter struct{ plain []byte }

// append adds the block of es, consecutive entries of the log that h names, to dst.
func (w *blockWriter) append(dst []byte, h *Head, es []packed, codec byte) []byte {
	w.plain = appendColumns(w.plain[:0], es, true)
	start := len(dst)
	dst = append(dst, blockMagic...)
	dst = append(dst, codec, 0, 0)
	dst = append(dst, h.LogID[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.Epoch))
	dst = binary.BigEndian.AppendUint64(dst, uint64(es[0].seq))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(es)))
	dst = append(dst, 0, 0, 0, 0) // keep length, below
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(w.plain)))
	dst = append(dst, 0, 0, 0, 0) // frame length, below
	for i := range es {
		dst = appendKept(dst, &es[i])
	}
	at := len(dst)
	binary.BigEndian.PutUint32(dst[start+32:], uint32(at-start-blockHeader))
	dst = deflate(dst, w.plain, codec)
	binary.BigEndian.PutUint32(dst[start+40:], uint32(len(dst)-at))
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// appendKept adds what the keep section holds of e.
func appendKept(dst []byte, e *packed) []byte {
	switch e.form {
	case formHash:
		return append(dst, e.leaf[:]...)
	case formNone:
		return dst
	case formWhole:
		dst = append(dst, e.secret[:]...)
	}
	dst = append(dst, e.id[6:]...)
	if e.form == formLeaf {
		dst = append(dst, e.root[:]...)
	}
	return dst
}

// packBlock returns the block of es, consecutive entries of the log that h names, of one window and at most 2 MiB of bodies. Who
// packs many keeps a blockWriter.
func packBlock(h *Head, es []packed) []byte { return new(blockWriter).append(nil, h, es, codecZstd) }

// block is a block that has been read. It keeps the bytes that it was read from, and what it hands out lives as long as it does.
type block struct {
	logID [10]byte
	epoch int
	seq   int64 // of the first entry
	keep  []byte
	kept  []uint32 // where each entry begins in keep; nil: all are whole
	columns
}

// unpackBlock reads a block. Damage is an *Error of CodeTampered; a magic, version, codec or form that it does not know is
// [ErrNewer]. It does not compare the bodies with the tree: that is Fsck's.
func unpackBlock(b []byte) (*block, error) { return unpackBlockInto(b, nil) }

// unpackBlockInto is unpackBlock into memory of the caller, which grows as needed: the block is good until it is used again. nil: the
// block has memory of its own.
func unpackBlockInto(b []byte, into *[]byte) (*block, error) {
	if len(b) < blockHeader+4 {
		return nil, damaged("a block of %d bytes", len(b))
	}
	body := b[: len(b)-4 : len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return nil, damaged("the checksum of a block does not agree")
	}
	if codec := b[5]; string(b[:5]) != blockMagic || codec != codecZstd && codec != codecS2 || b[6]|b[7] != 0 {
		return nil, fmt.Errorf("block that begins with %x: %w", b[:8], ErrNewer)
	}
	first, n := binary.BigEndian.Uint64(b[20:]), uint64(binary.BigEndian.Uint32(b[28:]))
	keep, plain, frame := binary.BigEndian.Uint32(b[32:]), binary.BigEndian.Uint32(b[36:]), binary.BigEndian.Uint32(b[40:])
	switch {
	case n < 1 || n > windowSize || first >= maxSeq || first/windowSize != (first+n-1)/windowSize:
		return nil, damaged("a block of %d entries from %d is not within one window", n, first)
	case uint64(keep) > uint64(keepOf[formLeaf])*n || plain > maxBlockPlain || uint64(keep)+uint64(frame) != uint64(len(body)-blockHeader):
		return nil, damaged("the sections of block %d do not fit its %d bytes", first, len(b))
	}
	rest := body[blockHeader+keep:]
	var room []byte
	if into != nil {
		if cap(*into) < int(plain) {
			*into = make([]byte, plain)
		}
		room = *into
	}
	text, err := inflate(b[5], rest, int(plain), room)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", first, err)
	}
	out := &block{
		logID: [10]byte(b[8:]), epoch: int(binary.BigEndian.Uint16(b[18:])), seq: int64(first), keep: body[blockHeader : blockHeader+keep],
	}
	if out.columns, err = readColumns(text, int(n), true); err != nil {
		return nil, fmt.Errorf("block %d: %w", first, err)
	}
	if !out.placeKept() {
		return nil, damaged("what block %d keeps of its entries does not fit %d bytes", first, keep)
	}
	return out, nil
}

// placeKept finds out where each entry begins in keep; false: it has another length.
func (b *block) placeKept() bool {
	size, whole := 0, true
	for _, s := range b.state {
		size += keepOf[s&stateForm]
		whole = whole && s&stateForm == formWhole
	}
	if size != len(b.keep) {
		return false
	}
	if whole {
		return true
	}
	b.kept = make([]uint32, len(b.state))
	at := 0
	for i, s := range b.state {
		b.kept[i] = uint32(at)
		at += keepOf[s&stateForm]
	}
	return true
}

// first returns the seq of the first entry.
func (b *block) first() int64 { return b.seq }

// entry returns entry i, without a leaf hash unless it is of formHash: blocks do not keep it while it can be made.
func (b *block) entry(i int) packed {
	p := b.columns.entry(i)
	p.seq = b.seq + int64(i)
	if b.kept == nil {
		k := b.keep[keepOf[formWhole]*i:]
		p.secret = [16]byte(k)
		copy(p.id[6:], k[16:26])
		return p
	}
	k := b.keep[b.kept[i]:]
	switch p.form {
	case formHash:
		p.leaf = tlog.Hash(k)
		fallthrough
	case formNone:
		p.id = ID{}
		return p
	case formWhole:
		p.secret = [16]byte(k)
		k = k[16:]
	case formLeaf:
		p.root = tlog.Hash(k[10:])
	}
	copy(p.id[6:], k[:10])
	return p
}

// bytes is what b holds in memory, about.
func (b *block) bytes() int { return len(b.keep) + len(b.bodies) + 25*b.len() }

// plain reports whether no body of b holds a backslash, so that a string stands in it as it is written or not at all.
func (b *block) plain() bool {
	for _, s := range b.state {
		if s&stateBackslash != 0 {
			return false
		}
	}
	return true
}

// record reads what is left of the payload of p into d and fills r with what a query asks for. The id text in the payload reads as
// empty.
func (p *packed) record(org OrgID, d *leaf.Doc, r *query.Record) error {
	if err := p.recordWithoutID(org, d, r); err != nil {
		return err
	}
	r.ID = p.id.String()
	return nil
}

// recordWithoutID is record, but leaves out the text of the id, which takes an allocation.
func (p *packed) recordWithoutID(org OrgID, d *leaf.Doc, r *query.Record) error {
	text, err := p.remainder()
	if err != nil {
		return err
	}
	if err := d.ReadTrusted(text); err != nil {
		return &Error{Code: CodeTampered, Rule: "damaged", Message: fmt.Sprintf("the payload of entry %d cannot be read", p.seq), Err: err}
	}
	*r = query.Record{Org: string(org), Seq: p.seq, Received: p.received, Occurred: p.received, Control: p.kind == KindControl, Doc: d}
	r.Erased = p.form == formFields && p.hasErased() || p.form == formLeaf && !p.pruned()
	if p.kind != KindEvent {
		return nil
	}
	for i := range d.Len() {
		if string(d.Path(i)) == "/occurred_at" {
			if at, bad := timestamp.Parse(d.Value(i)); bad == "" {
				r.Occurred = at
			}
			break
		}
	}
	return nil
}
