package daybook

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"golang.org/x/mod/sumdb/tlog"
)

// maxAnchorSearch bounds how many leaves back an anchor of a log is looked for: at an interval of 5 minutes, 14 days.
const maxAnchorSearch = 4096

// addSignatures returns the note old with the signature lines that only note has.
func addSignatures(old, note []byte) []byte {
	_, lines, _ := bytes.Cut(note, []byte("\n\n"))
	_, have, _ := bytes.Cut(old, []byte("\n\n"))
	out := slices.Clone(old)
	for line := range bytes.Lines(lines) {
		if !bytes.Contains(have, line) {
			out = append(out, line...)
		}
	}
	return out
}

// anchorOf is an anchor of one log: what a bundle's anchor line says.
type anchorOf struct {
	size       int64
	root       tlog.Hash
	batchIndex int64
	batchProof []tlog.Hash
	leaf       []byte
	proof      []tlog.Hash
	note       []byte
}

// find returns the newest signed anchor of the log with this origin at a size of at most atMost; nil: none was found.
func (a *anchorLog) find(ctx context.Context, origin string, atMost int64) (*anchorOf, error) {
	size, note, err := a.note(ctx)
	if errors.Is(err, ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tag := tagOf(origin)
	for n := size - 1; n >= max(0, size-maxAnchorSearch); n-- {
		doc, err := a.leafAt(ctx, n)
		if err != nil {
			return nil, err
		}
		i, ok := doc.find(tag)
		if !ok {
			continue
		}
		entry := doc.Batch[i*BatchEntrySize:]
		found := &anchorOf{
			size: int64(binary.BigEndian.Uint64(entry[32:])), root: tlog.Hash(entry[40:BatchEntrySize]), batchIndex: int64(i), leaf: doc.Leaf, note: note,
		}
		if found.size > atMost {
			continue
		}
		read, err := batchTree(doc.Batch)
		if err == nil {
			found.batchProof, err = tlog.ProveRecord(int64(len(doc.Batch)/BatchEntrySize), int64(i), read)
		}
		if err == nil {
			found.proof, err = tlog.ProveRecord(size, n, a.hashes(ctx))
		}
		if err != nil {
			return nil, fmt.Errorf("prove leaf %d of the anchor log: %w", n, err)
		}
		return found, nil
	}
	return nil, nil
}

// find returns the place of a log in the batch, which is sorted by tag.
func (d *anchorDocument) find(tag [32]byte) (int, bool) {
	n := len(d.Batch) / BatchEntrySize
	at := func(i int) []byte { return d.Batch[i*BatchEntrySize:][:32] }
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), tag[:]) >= 0 })
	return i, i < n && bytes.Equal(at(i), tag[:])
}

// anchorLine returns the anchor line of a bundle of l of a size, without what ends it; nil: there is none.
func (l *Log) anchorLine(ctx context.Context, size int64) ([]byte, error) {
	if l.b.signer == nil || l.b.signer.anchors == nil {
		return nil, nil
	}
	a, err := l.Anchor(ctx, size)
	if err != nil {
		if CodeOf(err) == CodeNotFound {
			err = nil
		}
		return nil, err
	}
	line := append([]byte(nil), `{"t":"anchor"`...)
	line = appendNumber(line, "size", a.Size)
	line = appendBytesMember(line, "root", a.Root[:])
	line = appendHashes(line, "consistency", a.Consistency)
	line = appendNumber(line, "batch_index", a.BatchIndex)
	line = appendHashes(line, "batch_proof", a.BatchProof)
	line = appendBytesMember(line, "leaf", a.Leaf)
	line = appendHashes(line, "proof", a.Proof)
	return appendMember(line, "note", string(a.Note)), nil
}

// RenewAnchors begins a new anchor log, with an origin and a key of its own, if the one there is contradicts what was signed of it: it was
// rolled back with the store. It reports whether it did. What the old one had anchored stays anchored for whoever kept it.
func (b *Book) RenewAnchors(ctx context.Context) (bool, error) {
	if b.signer == nil || b.signer.anchors == nil {
		return false, nil
	}
	return b.signer.anchors.renew(ctx)
}
