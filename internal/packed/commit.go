package packed

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/stored"
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

// Commit is one commit. It never changes, so that any number of goroutines may read it. Its entries hold no pointers, so that many commits
// in memory cost the collector nothing.
type Commit struct {
	ID      [16]byte
	Runs    []Run
	entries []commitEntry
	bodies  []byte
}

// Run is the neighbouring entries that a commit adds to one log.
type Run struct {
	Log             int64 // the store's number of the log
	First, Received int64 // seq and received_at of the first entry; both rise by one per entry
	Count, At       int   // number of entries, and the first of them in the commit
	Check           [8]byte
}

type commitEntry struct {
	leaf     tlog.Hash
	id       [16]byte
	secret   [16]byte
	off, len uint32 // of the body
	idAt     uint32
	state    byte // as stored
}

// CommitWriter packs commits, reusing its memory. It belongs to one goroutine; the zero value is ready.
type CommitWriter struct{ row []byte }

// Pack returns the commit with an id of the entries es, all whole, which runs divides in order, and its row, which is valid until the next
// call. It keeps runs, of which it sets At, and nothing of es.
func (w *CommitWriter) Pack(id [16]byte, runs []Run, es []kept.Entry) (c Commit, row []byte) {
	size := 0
	for i := range es {
		size += len(es[i].Body)
	}
	plain := appendColumns(make([]byte, 0, size+len(es)*maxColumnBytes), es, false)
	c = Commit{ID: id, Runs: runs, entries: make([]commitEntry, len(es)), bodies: plain[len(plain)-size:]}
	off := uint32(0)
	for i := range es {
		e := &es[i]
		c.entries[i] = commitEntry{leaf: e.LeafHash, id: e.ID, secret: e.Secret, off: off, len: uint32(len(e.Body)), idAt: uint32(e.IDAt), state: plain[i]}
		off += uint32(len(e.Body))
	}
	w.row = c.append(w.row[:0], plain)
	return c, w.row
}

// append adds the row of c to b. plain is the frame's content.
func (c *Commit) append(b, plain []byte) []byte {
	b = append(b, commitMagic...)
	b = append(b, c.ID[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.entries)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.Runs)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(plain)))
	b = append(b, 0, 0, 0, 0) // frame length, below
	at := 0
	for i := range c.Runs {
		r := &c.Runs[i]
		r.At = at
		at += r.Count
		b = binary.BigEndian.AppendUint64(b, uint64(r.Log))
		b = binary.BigEndian.AppendUint64(b, uint64(r.First))
		b = binary.BigEndian.AppendUint64(b, uint64(r.Received))
		b = binary.BigEndian.AppendUint32(b, uint32(r.Count))
		b = append(b, r.Check[:]...)
	}
	for i := range c.entries {
		e := &c.entries[i]
		b = append(b, e.leaf[:]...)
		b = append(b, e.secret[:]...)
		b = append(b, e.id[6:]...)
	}
	at = len(b)
	b = deflate(b, plain, S2)
	binary.BigEndian.PutUint32(b[36:], uint32(len(b)-at))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// ReadCommit reads a row. Bytes that contradict themselves are a [stored.DamageError]; a version, codec or form that it does not know is
// [stored.ErrNewer]. It does not compare leaf hashes with bodies: a check of the whole log does. What it returns keeps nothing of b.
func ReadCommit(b []byte) (Commit, error) {
	if len(b) < commitHeader+4 || string(b[:4]) != commitMagic[:4] {
		return Commit{}, stored.Damaged("what should be a commit are %d other bytes", len(b))
	}
	codec := Codec(b[5])
	if string(b[:5]) != commitMagic[:5] || !codec.known() || b[6]|b[7] != 0 {
		return Commit{}, fmt.Errorf("commit that begins with %x: %w", b[:8], stored.ErrNewer)
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return Commit{}, stored.Damaged("the checksum of a commit does not agree")
	}
	entries, runs := int(binary.BigEndian.Uint32(b[24:])), int(binary.BigEndian.Uint32(b[28:]))
	plainLen, frameLen := int(binary.BigEndian.Uint32(b[32:])), int(binary.BigEndian.Uint32(b[36:]))
	if plainLen > maxPlain || commitHeader+runSize*runs+entrySize*entries+frameLen != len(body) {
		return Commit{}, stored.Damaged("the sections of a commit do not fit its %d bytes", len(b))
	}
	c := Commit{ID: [16]byte(b[8:]), Runs: make([]Run, runs), entries: make([]commitEntry, entries)}
	b = body[commitHeader:]
	at := 0
	for i := range c.Runs {
		c.Runs[i] = Run{
			Log: int64(binary.BigEndian.Uint64(b)), First: int64(binary.BigEndian.Uint64(b[8:])), Received: int64(binary.BigEndian.Uint64(b[16:])),
			Count: int(binary.BigEndian.Uint32(b[24:])), At: at, Check: [8]byte(b[28:]),
		}
		at += c.Runs[i].Count
		b = b[runSize:]
	}
	if at != entries {
		return Commit{}, stored.Damaged("a commit of %d entries, of which its runs have %d", entries, at)
	}
	for i := range c.entries {
		e := &c.entries[i]
		e.leaf, e.secret = tlog.Hash(b), [16]byte(b[32:])
		copy(e.id[6:], b[48:58])
		b = b[entrySize:]
	}
	if err := c.readFrame(codec, b, plainLen); err != nil {
		return Commit{}, err
	}
	return c, nil
}

// readFrame fills the entries with what the frame says about them, and keeps its bodies.
func (c *Commit) readFrame(codec Codec, frame []byte, size int) error {
	plain, err := inflate(codec, frame, size, nil)
	if err != nil {
		return err
	}
	cols, err := readColumns(plain, len(c.entries), false)
	if err != nil {
		return err
	}
	c.bodies = cols.bodies
	off := uint32(0)
	for i := range c.entries {
		e := &c.entries[i]
		setIDHigh(&e.id, cols.high[i])
		e.state, e.idAt, e.off, e.len = cols.state[i], cols.idAt[i], off, cols.end[i]-off
		off = cols.end[i]
	}
	return nil
}

// Len returns the number of entries.
func (c *Commit) Len() int { return len(c.entries) }

// Raw returns how many bytes the bodies have.
func (c *Commit) Raw() int { return len(c.bodies) }

// Entry returns entry i, without the seq and received_at, which its run has.
func (c *Commit) Entry(i int) kept.Entry {
	e := &c.entries[i]
	return kept.Entry{
		ID: e.id, Secret: e.secret, Kind: e.state >> stateKind, Form: formOf(e.state), IDAt: int(e.idAt), Body: c.Body(i), LeafHash: e.leaf,
	}
}

// Kind returns the kind of entry i.
func (c *Commit) Kind(i int) byte { return c.entries[i].state >> stateKind }

// EntryID returns the id of entry i.
func (c *Commit) EntryID(i int) [16]byte { return c.entries[i].id }

// LeafHash returns the leaf hash of entry i.
func (c *Commit) LeafHash(i int) tlog.Hash { return c.entries[i].leaf }

// Body returns the body of entry i.
func (c *Commit) Body(i int) []byte {
	e := &c.entries[i]
	return c.bodies[e.off : e.off+e.len : e.off+e.len]
}

// Escaped reports of entry i what it does of a [Block].
func (c *Commit) Escaped(i int) bool { return c.entries[i].state&stateBackslash != 0 }

// Bytes is what the entries [from, to) hold in memory, about.
func (c *Commit) Bytes(from, to int) int64 {
	const beside = 96 // of an entry, beside its body
	if from == to {
		return 0
	}
	last := &c.entries[to-1]
	return int64(last.off+last.len-c.entries[from].off) + int64(to-from)*beside
}
