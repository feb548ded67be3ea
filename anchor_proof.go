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
		entry := doc.Batch[i*batchEntrySize:]
		found := &anchorOf{
			size: int64(binary.BigEndian.Uint64(entry[32:])), root: tlog.Hash(entry[40:batchEntrySize]), batchIndex: int64(i), leaf: doc.Leaf, note: note,
		}
		if found.size > atMost {
			continue
		}
		read, err := batchTree(doc.Batch)
		if err == nil {
			found.batchProof, err = tlog.ProveRecord(int64(len(doc.Batch)/batchEntrySize), int64(i), read)
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
	n := len(d.Batch) / batchEntrySize
	at := func(i int) []byte { return d.Batch[i*batchEntrySize:][:32] }
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), tag[:]) >= 0 })
	return i, i < n && bytes.Equal(at(i), tag[:])
}

// anchorLine returns the anchor line of a bundle of l of a size, without what ends it; nil: there is none.
func (l *Log) anchorLine(ctx context.Context, size int64) ([]byte, error) {
	if l.b.signer == nil || l.b.signer.anchors == nil {
		return nil, nil
	}
	found, err := l.b.signer.anchors.find(ctx, l.b.signer.origin(l.t), size)
	if err != nil || found == nil {
		return nil, err
	}
	proof := []tlog.Hash{}
	if found.size > 0 && found.size < size {
		if proof, err = l.b.treeReader(ctx, l.view()).consistency(found.size, size); err != nil {
			return nil, err
		}
	}
	line := append([]byte(nil), `{"t":"anchor"`...)
	line = appendNumber(line, "size", found.size)
	line = appendBytesMember(line, "root", found.root[:])
	line = appendHashes(line, "consistency", proof)
	line = appendNumber(line, "batch_index", found.batchIndex)
	line = appendHashes(line, "batch_proof", found.batchProof)
	line = appendBytesMember(line, "leaf", found.leaf)
	line = appendHashes(line, "proof", found.proof)
	return appendMember(line, "note", string(found.note)), nil
}

// RenewAnchors begins a new anchor log, with an origin and a key of its own, if the one there is contradicts what was signed of it: it was
// rolled back with the store. It reports whether it did. What the old one had anchored stays anchored for whoever kept it.
func (b *Book) RenewAnchors(ctx context.Context) (bool, error) {
	if b.signer == nil || b.signer.anchors == nil {
		return false, nil
	}
	return b.signer.anchors.renew(ctx)
}

// AnchorNote returns the newest checkpoint of the instance's anchor log with the signatures of its witnesses. An *Error of CodeNotFound:
// nothing was anchored yet, or there is no anchor log.
func (b *Book) AnchorNote(ctx context.Context) ([]byte, error) {
	if b.signer != nil && b.signer.anchors != nil {
		_, note, err := b.signer.anchors.note(ctx)
		if !errors.Is(err, ErrNotExist) {
			return note, err
		}
	}
	return nil, &Error{Code: CodeNotFound, Message: "nothing is anchored yet"}
}
