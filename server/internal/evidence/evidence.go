// Package evidence opens an evidence bundle as a log that can only be read: it verifies the file, and what it shows becomes an excerpt over
// which a Book searches. It writes no file and asks nobody.
package evidence

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/verify"
)

// File is a bundle that was read.
type File struct {
	Name    string // without its folder
	Head    verify.Head
	Report  *verify.Report
	Org     daybook.OrgID // as the file calls the log; nothing proves it
	Excerpt *daybook.Excerpt
}

// Errors of files that cannot be looked at, whatever is trusted.
var (
	// ErrNotEvidence says that a file is none that proves anything.
	ErrNotEvidence = errors.New("this is no evidence bundle")
	// ErrNoEntries says that a file proves something, and shows no entries.
	ErrNoEntries = errors.New("this proves an event and does not show it")
	// ErrUnreadable says that a bundle ends, or is damaged, before its first entry.
	ErrUnreadable = errors.New("nothing of the bundle can be read")
)

// Open reads the bundle in a file, plain or compressed, from start to end, and verifies it by what o trusts. A bundle that does not verify
// is returned too: who looks at it must be told what Report says. What was read before a fault that ended the reading is in it.
//
// Errors: that of the file, or ErrNotEvidence, ErrNoEntries or ErrUnreadable with what is wrong.
func Open(path string, o verify.Options) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the bundle: %w", err)
	}
	f, err := Read(in, filepath.Base(path), o)
	return f, errors.Join(err, in.Close())
}

// Read is Open of a file that is open.
func Read(in io.Reader, name string, o verify.Options) (*File, error) {
	buffered := bufio.NewReaderSize(in, 64<<10)
	if err := look(buffered); err != nil {
		return nil, err
	}
	c := &copier{file: &File{Name: name}}
	o.Copy = c
	r := verify.Bundle(buffered, o)
	switch {
	case c.err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, c.err)
	case c.w == nil:
		return nil, fmt.Errorf("%w: %s", ErrUnreadable, said(r))
	}
	var err error
	if c.file.Excerpt, err = c.w.Done(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	c.file.Report = r
	return c.file, nil
}

// said is the first finding of a report.
func said(r *verify.Report) string {
	if len(r.Findings) == 0 {
		return "it has no entries"
	}
	return r.Findings[0].String()
}

// look refuses what is another kind of file, by how it begins.
func look(in *bufio.Reader) error {
	start, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the bundle: %w", err)
	}
	line, _, _ := bytes.Cut(start, []byte("\n"))
	switch {
	case bytes.HasPrefix(start, []byte("\x1f\x8b")), bytes.Contains(line, []byte(`"daybook-bundle/`)):
		return nil
	case bytes.HasPrefix(start, []byte("c2sp.org/tlog-proof")):
		return ErrNoEntries
	case bytes.HasPrefix(start, []byte("PAR1")):
		return fmt.Errorf("%w: it is a Parquet file, which proves nothing", ErrNotEvidence)
	case bytes.HasPrefix(start, []byte("{")):
		return fmt.Errorf("%w: it is JSON without proofs, such as an NDJSON export", ErrNotEvidence)
	case len(start) == 0:
		return fmt.Errorf("%w: it is empty", ErrNotEvidence)
	}
	return ErrNotEvidence
}

// copier makes an excerpt of what a bundle shows.
type copier struct {
	file *File
	w    *daybook.ExcerptWriter
	err  error // the first
}

// Begin implements [verify.Copier].
func (c *copier) Begin(h verify.Head) {
	c.file.Head, c.file.Org = h, orgOf(&h)
	signed := int64(0)
	if !h.Signed.IsZero() {
		signed = h.Signed.UnixMicro()
	}
	c.w, c.err = daybook.NewExcerptWriter(daybook.ExcerptHead{
		Signed: signed,
		Org:    c.file.Org, Origin: h.Origin, Vkey: h.Vkey, ClockVkey: h.ClockVkey, From: h.From, To: h.To, Size: h.Size, Note: []byte(h.Note),
		Left: h.Left, Right: h.Right, Filtered: h.Filtered, Filter: h.Filter, Mask: h.Mask,
	})
}

// orgOf is what the maker of a bundle calls the organization, or else the id of its log.
func orgOf(h *verify.Head) daybook.OrgID {
	var info struct {
		Org daybook.OrgID `json:"org"`
	}
	if err := json.Unmarshal(h.Info, &info); err == nil && info.Org.Valid() {
		return info.Org
	}
	if id := daybook.OrgID(h.Origin[strings.LastIndexByte(h.Origin, '/')+1:]); id.Valid() {
		return id
	}
	return "log"
}

// Entry implements [verify.Copier].
func (c *copier) Entry(e *verify.Entry, proof []tlog.Hash) {
	c.add(&daybook.ExcerptEntry{Leaf: e.Leaf, Secret: e.Secret, Payload: e.Payload, Fields: e.Fields, Proof: proof})
}

// Leaf implements [verify.Copier].
func (c *copier) Leaf(l leaf.Leaf) { c.add(&daybook.ExcerptEntry{Leaf: l}) }

func (c *copier) add(e *daybook.ExcerptEntry) {
	if c.err == nil {
		c.err = c.w.Add(e)
	}
}

// Hashes implements [verify.Copier].
func (c *copier) Hashes(first int64, hs []tlog.Hash) {
	if c.err == nil {
		c.err = c.w.AddHashes(first, hs)
	}
}
