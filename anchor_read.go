package daybook

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Anchors is the instance's anchor log up to its newest checkpoint, to be read by who verifies it. It names no organization: a leaf is
// the root of a batch. It is safe for concurrent use.
type Anchors struct {
	Origin string
	Vkey   string
	Size   int64  // of the newest checkpoint, at least 1
	Note   []byte // that checkpoint, with the signatures of its witnesses
	// SignEvery is how often a leaf is added at least while any log grows.
	SignEvery time.Duration

	log *anchorLog
}

// Anchors returns the anchor log as it is now. An *Error of CodeNotFound: nothing was anchored yet, or there is no anchor log.
func (b *Book) Anchors(ctx context.Context) (*Anchors, error) {
	if b.signer == nil || b.signer.anchors == nil {
		return nil, errNothingAnchored
	}
	a := b.signer.anchors
	size, note, err := a.note(ctx)
	if errors.Is(err, ErrNotExist) {
		return nil, errNothingAnchored
	}
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return &Anchors{Origin: a.origin, Vkey: a.key.vkey(), Size: size, Note: note, SignEvery: b.o.SignEvery, log: a}, nil
}

var errNothingAnchored = &Error{Code: CodeNotFound, Message: "nothing is anchored yet"}

// NoteAt returns the stored checkpoint of exactly this size. An *Error of CodeNotFound: none was signed.
func (a *Anchors) NoteAt(ctx context.Context, size int64) ([]byte, error) {
	d, err := a.log.docs.Get(ctx, kindAnchorNote, "", a.log.id(size))
	if errors.Is(err, ErrNotExist) {
		return nil, errBeyond("the anchor log was not signed at size %d", size)
	}
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of the anchor log of size %d: %w", size, err)
	}
	var stored anchorNote
	if err := json.Unmarshal(d.Data, &stored); err != nil {
		return nil, damaged("the checkpoint of the anchor log of size %d", size)
	}
	return stored.Note, nil
}

// Tile returns a tile of the tree (C2SP tlog-tiles), as that of a log. An *Error of CodeNotFound: it reaches beyond the checkpoint.
func (a *Anchors) Tile(ctx context.Context, level int, n int64, width int) ([]byte, error) {
	size, err := tileSize(level, n, width)
	if err == nil {
		err = a.covers(size)
	}
	if err != nil {
		return nil, err
	}
	indexes := make([]int64, width)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(runLevel*level, tileWidth*n+int64(i))
	}
	hs, err := a.log.hashes(ctx).ReadHashes(indexes)
	if err != nil {
		return nil, fmt.Errorf("make tile %d of level %d of the anchor log: %w", n, level, err)
	}
	tile := make([]byte, 0, width*tlog.HashSize)
	for _, h := range hs {
		tile = append(tile, h[:]...)
	}
	return tile, nil
}

// EntryBundle returns width leaves, at most 256, from leaf 256·n on: each is 65 bytes after their number in two bytes. Errors are those
// of Tile.
func (a *Anchors) EntryBundle(ctx context.Context, n int64, width int) ([]byte, error) {
	size, err := tileSize(0, n, width)
	if err == nil {
		err = a.covers(size)
	}
	if err != nil {
		return nil, err
	}
	bundle := make([]byte, 0, width*(2+anchorLeafSize))
	for i := tileWidth * n; i < size; i++ {
		doc, err := a.log.leafAt(ctx, i)
		if err != nil {
			return nil, err
		}
		bundle = binary.BigEndian.AppendUint16(bundle, anchorLeafSize)
		bundle = append(bundle, doc.Leaf...)
	}
	return bundle, nil
}

// Inclusion proves that a leaf is in the tree of a size, which is at most that of the checkpoint. An *Error of CodeNotFound: it is not.
func (a *Anchors) Inclusion(ctx context.Context, index, size int64) (Inclusion, error) {
	if err := a.covers(size); err != nil {
		return Inclusion{}, err
	}
	if index < 0 || index >= size {
		return Inclusion{}, errBeyond("leaf %d is not in a tree of size %d", index, size)
	}
	read := a.log.hashes(ctx)
	p, err := tlog.ProveRecord(size, index, read)
	if err != nil {
		return Inclusion{}, fmt.Errorf("prove leaf %d of the anchor log: %w", index, err)
	}
	hs, err := read.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		return Inclusion{}, err
	}
	return Inclusion{Seq: index, Size: size, LeafHash: hs[0], Proof: p}, nil
}

// Consistency proves that the tree of from leaves, at least 1, is the beginning of that of to. Errors are those of [Book.Consistency].
func (a *Anchors) Consistency(ctx context.Context, from, to int64) ([]tlog.Hash, error) {
	if err := a.covers(to); err != nil {
		return nil, err
	}
	if from < 1 || from > to {
		return nil, &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "from", Message: fmt.Sprintf("from is 1 to %d.", to)}
	}
	p, err := tlog.ProveTree(to, from, a.log.hashes(ctx))
	if err != nil {
		return nil, fmt.Errorf("prove size %d of the anchor log to be the beginning of size %d: %w", from, to, err)
	}
	return p, nil
}

// Batch returns what a leaf is the root of: for each log 72 bytes, SHA-256 of its origin, size and root. It says which logs grew when, of
// every organization: it is for the operator. An *Error of CodeNotFound: there is no such leaf.
func (a *Anchors) Batch(ctx context.Context, index int64) ([]byte, error) {
	if index < 0 || index >= a.Size {
		return nil, errBeyond("there is no leaf %d", index)
	}
	doc, err := a.log.leafAt(ctx, index)
	return doc.Batch, err
}

func (a *Anchors) covers(size int64) error {
	if size > a.Size {
		return errBeyond("the newest checkpoint of the anchor log is of size %d", a.Size)
	}
	return nil
}

// Anchor shows that the instance had a head of one log in its anchor log: what says it for this log, and nothing of any other.
type Anchor struct {
	Size        int64       // of the log
	Root        tlog.Hash   // of the log at that size
	Consistency []tlog.Hash // from Size to the size that was asked for; empty when they are equal
	BatchIndex  int64       // of the log in its batch
	BatchProof  []tlog.Hash // that it is in the batch whose root the leaf holds
	Leaf        []byte      // of the anchor log, 65 bytes
	Proof       []tlog.Hash // that the leaf is in the anchor log
	Note        []byte      // the checkpoint of the anchor log
}

// Anchor returns the newest signed anchor of this log at a size of at most size. An *Error of CodeNotFound: there is none, or size lies
// beyond the log.
func (l *Log) Anchor(ctx context.Context, size int64) (Anchor, error) {
	if l.b.signer == nil || l.b.signer.anchors == nil {
		return Anchor{}, errNothingAnchored
	}
	tree, err := l.tree(ctx, size)
	if err != nil {
		return Anchor{}, err
	}
	found, err := l.b.signer.anchors.find(ctx, l.b.signer.origin(l.t), size)
	if err != nil {
		return Anchor{}, err
	}
	if found == nil {
		return Anchor{}, errNothingAnchored
	}
	a := Anchor{
		Size: found.size, Root: found.root, BatchIndex: found.batchIndex, BatchProof: found.batchProof,
		Leaf: found.leaf, Proof: found.proof, Note: found.note,
	}
	if found.size > 0 && found.size < size {
		a.Consistency, err = tree.consistency(found.size, size)
	}
	return a, err
}
