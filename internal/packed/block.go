package packed

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/stored"
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

// Bounds of a block. A writer keeps to them, and a reader refuses what does not.
const (
	Window   = 512     // a block never crosses a window, an aligned run of so many seqs
	MaxBytes = 2 << 20 // the bodies of a block of more than one entry
	MaxSeq   = 1 << 53

	maxBlockPlain = MaxBytes + Window*maxColumnBytes
)

// Log names the log whose entries a block holds.
type Log struct {
	ID    [10]byte
	Epoch int
}

// BlockWriter packs blocks, reusing its memory. It belongs to one goroutine; the zero value is ready.
type BlockWriter struct{ plain []byte }

// Append adds the block of es, consecutive entries of log within the bounds of a block, to dst.
func (w *BlockWriter) Append(dst []byte, log Log, es []kept.Entry, codec Codec) []byte {
	w.plain = appendColumns(w.plain[:0], es, true)
	start := len(dst)
	dst = append(dst, blockMagic...)
	dst = append(dst, byte(codec), 0, 0)
	dst = append(dst, log.ID[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(log.Epoch))
	dst = binary.BigEndian.AppendUint64(dst, uint64(es[0].Seq))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(es)))
	dst = append(dst, 0, 0, 0, 0) // keep length, below
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(w.plain)))
	dst = append(dst, 0, 0, 0, 0) // frame length, below
	for i := range es {
		dst = appendKeep(dst, &es[i])
	}
	at := len(dst)
	binary.BigEndian.PutUint32(dst[start+32:], uint32(at-start-blockHeader))
	dst = deflate(dst, w.plain, codec)
	binary.BigEndian.PutUint32(dst[start+40:], uint32(len(dst)-at))
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// keepOf is how many bytes the keep section of a block holds of an entry, by form.
var keepOf = [...]int{kept.FormWhole: 26, kept.FormFields: 10, kept.FormLeaf: 42, kept.FormHash: tlog.HashSize, kept.FormNone: 0}

// appendKeep adds what the keep section holds of e.
func appendKeep(dst []byte, e *kept.Entry) []byte {
	switch e.Form {
	case kept.FormWhole:
		return append(append(dst, e.Secret[:]...), e.ID[6:]...)
	case kept.FormFields:
		return append(dst, e.ID[6:]...)
	case kept.FormLeaf:
		return append(append(dst, e.ID[6:]...), e.Root[:]...)
	case kept.FormHash:
		return append(dst, e.LeafHash[:]...)
	case kept.FormNone:
	}
	return dst
}

// Block is a block that has been read. It keeps the bytes that it was read from, and what it hands out lives as long as it does. It never
// changes, so that any number of goroutines may read it.
type Block struct {
	Log   Log
	First int64 // the seq of the first entry
	keep  []byte
	at    []uint32 // where each entry begins in keep; nil: all are whole
	columns
}

// ReadBlock reads a block. What stands in it unpacked stands in *into, which grows as needed, so that the block is good until that is used
// again; with nil the block has memory of its own. Bytes that contradict themselves are a [stored.DamageError]; a magic, version, codec
// or form that it does not know is [stored.ErrNewer]. It does not compare the bodies with the tree: a check of the whole log does.
func ReadBlock(b []byte, into *[]byte) (*Block, error) {
	if len(b) < blockHeader+4 {
		return nil, stored.Damaged("a block of %d bytes", len(b))
	}
	body := b[: len(b)-4 : len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return nil, stored.Damaged("the checksum of a block does not agree")
	}
	codec := Codec(b[5])
	if string(b[:5]) != blockMagic || !codec.known() || b[6]|b[7] != 0 {
		return nil, fmt.Errorf("block that begins with %x: %w", b[:8], stored.ErrNewer)
	}
	first, n := binary.BigEndian.Uint64(b[20:]), uint64(binary.BigEndian.Uint32(b[28:]))
	keep, plain, frame := binary.BigEndian.Uint32(b[32:]), binary.BigEndian.Uint32(b[36:]), binary.BigEndian.Uint32(b[40:])
	switch {
	case n < 1 || n > Window || first >= MaxSeq || first/Window != (first+n-1)/Window:
		return nil, stored.Damaged("a block of %d entries from %d is not within one window", n, first)
	case uint64(keep) > uint64(keepOf[kept.FormLeaf])*n || plain > maxBlockPlain || uint64(keep)+uint64(frame) != uint64(len(body)-blockHeader):
		return nil, stored.Damaged("the sections of block %d do not fit its %d bytes", first, len(b))
	}
	var room []byte
	if into != nil {
		if cap(*into) < int(plain) {
			*into = make([]byte, plain)
		}
		room = *into
	}
	text, err := inflate(codec, body[blockHeader+keep:], int(plain), room)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", first, err)
	}
	out := &Block{
		Log: Log{[10]byte(b[8:]), int(binary.BigEndian.Uint16(b[18:]))}, First: int64(first), keep: body[blockHeader : blockHeader+keep],
	}
	if out.columns, err = readColumns(text, int(n), true); err != nil {
		return nil, fmt.Errorf("block %d: %w", first, err)
	}
	if !out.placeKeep() {
		return nil, stored.Damaged("what block %d keeps of its entries does not fit %d bytes", first, keep)
	}
	return out, nil
}

// placeKeep finds out where each entry begins in keep; false: it has another length.
func (b *Block) placeKeep() bool {
	size, whole := 0, true
	for _, s := range b.state {
		size += keepOf[formOf(s)]
		whole = whole && formOf(s) == kept.FormWhole
	}
	if size != len(b.keep) {
		return false
	}
	if whole {
		return true
	}
	b.at = make([]uint32, len(b.state))
	at := 0
	for i, s := range b.state {
		b.at[i] = uint32(at)
		at += keepOf[formOf(s)]
	}
	return true
}

// Received returns received_at of entry i; 0: its form has none.
func (b *Block) Received(i int) int64 { return b.received[i] }

// Entry returns entry i, without a leaf hash unless it is of FormHash: blocks do not keep it while it can be made.
func (b *Block) Entry(i int) kept.Entry {
	e := b.entry(i)
	e.Seq = b.First + int64(i)
	if b.at == nil {
		k := b.keep[keepOf[kept.FormWhole]*i:]
		e.Secret = [16]byte(k)
		copy(e.ID[6:], k[16:26])
		return e
	}
	k := b.keep[b.at[i]:]
	switch e.Form {
	case kept.FormHash:
		e.LeafHash = tlog.Hash(k)
		fallthrough
	case kept.FormNone:
		e.ID = [16]byte{}
		return e
	case kept.FormWhole:
		e.Secret = [16]byte(k)
		k = k[16:]
	case kept.FormLeaf:
		e.Root = tlog.Hash(k[10:])
	case kept.FormFields:
	}
	copy(e.ID[6:], k[:10])
	return e
}

// Bytes is what b holds in memory, about.
func (b *Block) Bytes() int64 { return int64(len(b.keep) + len(b.bodies) + 25*b.Len()) }
