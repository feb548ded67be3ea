// Package bundle writes evidence bundles, daybook-bundle/v1 (docs/reference/integrity.md, section 12): the lines, their members, which fields
// a mask withholds, the footer. What the lines say is its caller's to answer for; package verify judges it.
package bundle

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/anchors"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/internal/timestamp"
	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/leaf"
)

// Writer writes one bundle. Its methods are called in the order of the format: Header, Rotation, Consistency, RangeProof, Control, then Entry,
// Leaf and Hash by seq, Anchor, Done. After an error what was written is worthless. It belongs to one goroutine, and its memory does not grow
// with the bundle.
type Writer struct {
	Count Count

	w      *bufio.Writer
	sum    hash.Hash
	mask   Mask
	line   []byte // the memory of the line being made
	hashes []byte // leaf hashes that wait for their line
	first  int64  // seq of the first
}

// Count says what was written so far.
type Count struct {
	Shown        int64 // entries with what is left of their payload
	Leaves       int64 // entries whose payload is gone
	Hidden       int64 // entries of which only the leaf hash is there
	Lines, Bytes int64
}

// NewWriter returns the writer of a bundle that goes to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: bufio.NewWriterSize(w, 64<<10), sum: sha256.New()}
}

// Header is what a bundle says of itself, and the checkpoint that it hangs on. What is empty is left out.
type Header struct {
	Origin, Vkey, ClockVkey, AnchorVkey string
	From, To, Size                      int64
	Filter                              string
	Mask                                Mask   // applied to every entry of kind 0
	Info                                []byte // a JSON object
	Note                                []byte // the checkpoint of Size
}

// Header writes the header and the checkpoint.
func (w *Writer) Header(h *Header) error {
	w.mask = h.Mask
	l := appendMember(w.begin("header"), "format", "daybook-bundle/v1")
	l = appendMember(l, "origin", h.Origin)
	l = appendMember(l, "vkey", h.Vkey)
	if h.ClockVkey != "" {
		l = appendMember(l, "clock_vkey", h.ClockVkey)
	}
	if h.AnchorVkey != "" {
		l = appendMember(l, "anchor_vkey", h.AnchorVkey)
	}
	l = appendNumber(l, "from", h.From)
	l = appendNumber(l, "to", h.To)
	l = appendNumber(l, "size", h.Size)
	if h.Filter != "" {
		l = appendMember(l, "filter", h.Filter)
	}
	if len(h.Mask) > 0 {
		l = append(appendName(l, "mask"), '[')
		for i, m := range h.Mask {
			if i > 0 {
				l = append(l, ',')
			}
			l = rawjson.Quote(l, []byte(m))
		}
		l = append(l, ']')
	}
	if len(h.Info) > 0 {
		l = rawjson.AppendCompact(appendName(l, "info"), h.Info)
	}
	if err := w.end(l); err != nil {
		return err
	}
	return w.end(appendMember(w.begin("checkpoint"), "note", string(h.Note)))
}

// Rotation writes how a reader of an older key comes to the next one: the note by the older key, the entry in its tree that names the next,
// and that the note is of the same log.
func (w *Writer) Rotation(vkey string, note []byte, e *Entry, inclusion, consistency []tlog.Hash) error {
	l := appendMember(w.begin("rotation"), "vkey", vkey)
	l = appendMember(l, "note", string(note))
	l = e.append(append(appendName(l, "entry"), '{'), nil)
	l = appendHashes(append(l, '}'), "proof", inclusion)
	return w.end(appendHashes(l, "consistency", consistency))
}

// Consistency writes an older checkpoint and its proof.
func (w *Writer) Consistency(note []byte, proof []tlog.Hash) error {
	return w.end(appendHashes(appendMember(w.begin("consistency"), "note", string(note)), "proof", proof))
}

// RangeProof writes what lies beside the range.
func (w *Writer) RangeProof(left, right []tlog.Hash) error {
	return w.end(appendHashes(appendHashes(w.begin("range_proof"), "left", left), "right", right))
}

// Control writes a control entry beside the range, and that it is in the tree.
func (w *Writer) Control(e *Entry, proof []tlog.Hash) error {
	return w.end(appendHashes(e.append(append(w.begin("control"), ','), nil), "proof", proof))
}

// Entry writes an entry of the range.
func (w *Writer) Entry(e *Entry) error {
	if err := w.flushHashes(); err != nil {
		return err
	}
	w.Count.Shown++
	mask := w.mask
	if e.Kind != 0 {
		mask = nil
	}
	return w.end(e.append(append(w.begin("entry"), ','), mask))
}

// Leaf writes an entry of which the payload is gone.
func (w *Writer) Leaf(l *leaf.Leaf) error {
	if err := w.flushHashes(); err != nil {
		return err
	}
	w.Count.Leaves++
	return w.end(appendBytes(appendNumber(w.begin("leaf"), "seq", l.Seq), "leaf", l.Append(nil)))
}

// maxHashes is how many leaf hashes stand in one line.
const maxHashes = 4096

// Hash writes an entry of which only the leaf hash is shown. Neighbours share a line, which is written when it is full or something else
// follows.
func (w *Writer) Hash(seq int64, h tlog.Hash) error {
	if len(w.hashes) == 0 {
		w.first = seq
	}
	w.Count.Hidden++
	if w.hashes = append(w.hashes, h[:]...); len(w.hashes) < maxHashes*tlog.HashSize {
		return nil
	}
	return w.flushHashes()
}

func (w *Writer) flushHashes() error {
	if len(w.hashes) == 0 {
		return nil
	}
	l := appendNumber(w.begin("hashes"), "seq", w.first)
	l = appendNumber(l, "count", int64(len(w.hashes)/tlog.HashSize))
	l = appendBytes(l, "hashes", w.hashes)
	w.hashes = w.hashes[:0]
	return w.end(l)
}

// Anchor writes that the instance had a head of the log.
func (w *Writer) Anchor(a *anchors.Anchor) error {
	if err := w.flushHashes(); err != nil {
		return err
	}
	l := appendNumber(w.begin("anchor"), "size", a.Size)
	l = appendBytes(l, "root", a.Root[:])
	l = appendHashes(l, "consistency", a.Consistency)
	l = appendNumber(l, "batch_index", a.BatchIndex)
	l = appendHashes(l, "batch_proof", a.BatchProof)
	l = appendBytes(l, "leaf", a.Leaf)
	l = appendHashes(l, "proof", a.Proof)
	return w.end(appendMember(l, "note", string(a.Note)))
}

// Done writes the footer, and all that is still held.
func (w *Writer) Done() error {
	if err := w.flushHashes(); err != nil {
		return err
	}
	l := appendNumber(w.begin("footer"), "lines", w.Count.Lines)
	if err := w.end(appendBytes(l, "sha256", w.sum.Sum(nil))); err != nil {
		return err
	}
	if err := w.w.Flush(); err != nil {
		return fmt.Errorf("line %d: %w", w.Count.Lines, err)
	}
	return nil
}

// begin begins a line of a type; its members follow.
func (w *Writer) begin(kind string) []byte {
	return append(append(append(w.line[:0], `{"t":"`...), kind...), '"')
}

// end closes the line and writes it.
func (w *Writer) end(line []byte) error {
	line = append(line, '}', '\n')
	w.line = line
	w.sum.Write(line)
	w.Count.Lines++
	w.Count.Bytes += int64(len(line))
	if _, err := w.w.Write(line); err != nil {
		return fmt.Errorf("line %d: %w", w.Count.Lines, err)
	}
	return nil
}

// Entry is one entry as a bundle shows it: its payload and the secret that opens it, or its fields one by one. With both the payload is
// shown unless a mask withholds one of the fields; Fields is changed then.
type Entry struct {
	Seq      int64
	Kind     byte
	ID       [16]byte
	Received int64 // µs since 1970
	Hash     tlog.Hash
	Secret   [16]byte
	Payload  []byte // JSON that was read strictly before; nil: it is not whole
	Fields   []leaf.Field
}

// append adds the members of an ENTRY, without braces and without a comma in front.
func (e *Entry) append(dst []byte, mask Mask) []byte {
	dst = append(dst, `"seq":`...)
	dst = strconv.AppendInt(dst, e.Seq, 10)
	dst = appendNumber(dst, "kind", int64(e.Kind))
	dst = append(typeid.Append(append(appendName(dst, "id"), '"'), "evt", e.ID), '"')
	dst = append(timestamp.Append(append(appendName(dst, "received_at"), '"'), e.Received), '"')
	dst = appendBytes(dst, "leaf_hash", e.Hash[:])
	if masked := mask.withhold(e.Fields); e.Payload != nil && !masked {
		dst = appendBytes(dst, "secret", e.Secret[:])
		return rawjson.AppendCompact(appendName(dst, "payload"), e.Payload)
	}
	return appendFields(appendName(dst, "fields"), e.Fields)
}

func appendFields(dst []byte, fs []leaf.Field) []byte {
	dst = append(dst, '[')
	for i := range fs {
		f := &fs[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		if f.Withheld {
			dst = append(appendBase64(append(dst, `{"c":`...), f.Commitment[:]), '}')
			continue
		}
		dst = rawjson.Quote(append(dst, `{"p":`...), f.Path)
		dst = append(dst, `,"t":"`...)
		dst = append(dst, f.Type, '"')
		if f.Type == leaf.String || f.Type == leaf.Number {
			dst = rawjson.Quote(append(dst, `,"v":`...), f.Value)
		}
		dst = append(appendBase64(append(dst, `,"s":`...), f.Salt[:]), '}')
	}
	return append(dst, ']')
}

func appendName(dst []byte, name string) []byte {
	return append(append(append(dst, ',', '"'), name...), '"', ':')
}

func appendMember(dst []byte, name, text string) []byte {
	return rawjson.Quote(appendName(dst, name), []byte(text))
}

func appendNumber(dst []byte, name string, n int64) []byte {
	return strconv.AppendInt(appendName(dst, name), n, 10)
}

func appendBytes(dst []byte, name string, b []byte) []byte {
	return appendBase64(appendName(dst, name), b)
}

func appendHashes(dst []byte, name string, hs []tlog.Hash) []byte {
	dst = append(appendName(dst, name), '[')
	for i := range hs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendBase64(dst, hs[i][:])
	}
	return append(dst, ']')
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}
