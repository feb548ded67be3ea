package daybook

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"golang.org/x/mod/sumdb/tlog"
)

// The commit row, version 1. Integers are big-endian; uvarint and zigzag are those of encoding/binary.
//
//	 0  8     "DBKC", version 1, codec, flags 0 0
//	 8  16    commit id
//	24  4·4   entries E, runs R, plain length, frame length
//	40  36·R  run: log u64, first seq u64, first received_at i64, count u32, check[8] of the frontier after the run
//	    58·E  in run order: leaf hash 32, secret 16, bytes 6–15 of the id
//	          frame: columns state[E] · zigzag of bytes 0–5 of the id against the entry before · id_at · body length; then the bodies
//	    4     CRC-32C of all before
const (
	commitMagic  = "DBKC\x01\x03\x00\x00"
	commitHeader = 40
	runSize      = 36
	entrySize    = 58
	maxPlain     = 64 << 20 // what a reader is willing to unpack: above anything a writer makes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// packCommit writes the row of c over row and returns it. plain is the frame's content, whose end c.bodies is.
func packCommit(row []byte, id [16]byte, c *tailCommit, plain []byte) []byte {
	b := append(row[:0], commitMagic...)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.entries)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.runs)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(plain)))
	b = append(b, 0, 0, 0, 0) // frame length, below
	for i := range c.runs {
		r := &c.runs[i]
		b = appendUint64(b, uint64(r.log))
		b = appendUint64(b, uint64(r.first))
		b = appendUint64(b, uint64(r.received))
		b = binary.BigEndian.AppendUint32(b, uint32(r.count))
		b = append(b, r.check[:]...)
	}
	for i := range c.entries {
		e := &c.entries[i]
		b = append(b, e.leaf[:]...)
		b = append(b, e.secret[:]...)
		b = append(b, e.id[6:]...)
	}
	at := len(b)
	b = deflate(b, plain, codecS2)
	binary.BigEndian.PutUint32(b[36:], uint32(len(b)-at))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// unpackCommit reads the row of commit n. Damage is CodeTampered; a magic, version, codec or form that it does not know is ErrNewer.
// It does not compare leaf hashes with bodies: that is Fsck's. What it returns keeps nothing of b.
func unpackCommit(n CommitNo, b []byte) (*tailCommit, error) {
	if len(b) < commitHeader+4 || string(b[:4]) != commitMagic[:4] {
		return nil, damaged("commit %d is damaged", n)
	}
	codec := b[5]
	if string(b[:5]) != commitMagic[:5] || codec != codecZstd && codec != codecS2 || b[6]|b[7] != 0 {
		return nil, fmt.Errorf("commit %d: %w", n, ErrNewer)
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return nil, damaged("commit %d is damaged", n)
	}
	entries, runs := int(binary.BigEndian.Uint32(b[24:])), int(binary.BigEndian.Uint32(b[28:]))
	plainLen, frameLen := int(binary.BigEndian.Uint32(b[32:])), int(binary.BigEndian.Uint32(b[36:]))
	if plainLen > maxPlain || commitHeader+runSize*runs+entrySize*entries+frameLen != len(body) {
		return nil, damaged("commit %d is damaged", n)
	}
	c := &tailCommit{n: n, id: [16]byte(b[8:]), runs: make([]commitRun, runs), entries: make([]tailEntry, entries)}
	b = body[commitHeader:]
	at := 0
	for i := range c.runs {
		c.runs[i] = commitRun{
			log: LogNo(binary.BigEndian.Uint64(b)), first: int64(binary.BigEndian.Uint64(b[8:])), received: int64(binary.BigEndian.Uint64(b[16:])),
			count: int(binary.BigEndian.Uint32(b[24:])), at: at, check: [8]byte(b[28:]),
		}
		at += c.runs[i].count
		b = b[runSize:]
	}
	if at != entries {
		return nil, damaged("commit %d is damaged", n)
	}
	for i := range c.entries {
		e := &c.entries[i]
		e.leaf, e.secret = tlog.Hash(b), [16]byte(b[32:])
		copy(e.id[6:], b[48:58])
		b = b[entrySize:]
	}
	plain, err := inflate(codec, b, plainLen, nil)
	if err != nil {
		return nil, fmt.Errorf("commit %d: %w", n, err)
	}
	cols, err := readColumns(plain, entries, false)
	if err != nil {
		return nil, fmt.Errorf("commit %d: %w", n, err)
	}
	c.take(&cols)
	return c, nil
}

// take fills the entries with what a frame says about them, and keeps its bodies.
func (c *tailCommit) take(cols *columns) {
	c.bodies = cols.bodies
	off := uint32(0)
	for i := range c.entries {
		e := &c.entries[i]
		setIDHigh(&e.id, cols.high[i])
		e.state, e.idAt, e.off, e.len = cols.state[i], cols.idAt[i], off, cols.end[i]-off
		off = cols.end[i]
	}
}

func appendUint64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }
