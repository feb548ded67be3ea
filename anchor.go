package daybook

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/anchors"
)

// AnchorCheckpoint is a checkpoint of the anchor log.
type AnchorCheckpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Note   []byte // the signed note
	// Consistency proves that the first old leaves, at least one, are the beginning of this tree.
	Consistency func(ctx context.Context, old int64) ([]tlog.Hash, error)
}

// Witness is a place for checkpoints of the anchor log that the instance cannot change afterwards: a C2SP witness, a timestamp, a file
// on another machine.
type Witness interface {
	// Name says which it is, in logs.
	Name() string
	// Tell hands over a checkpoint and returns signature lines to be added to its note, each ended by a line break, or none. It MAY be
	// told the same checkpoint twice, and MUST be told sizes that do not fall; after an error it is told the next checkpoint, not this
	// one again. It is called by one goroutine at a time and MUST end with ctx.
	Tell(ctx context.Context, c *AnchorCheckpoint) (signatures []byte, err error)
}

// openAnchors returns the anchor log of b; nil: it has none.
func openAnchors(b *Book) *anchors.Log {
	if b.o.Anchors == nil {
		return nil
	}
	told := make([]anchors.Witness, len(b.o.Witnesses))
	for i, w := range b.o.Witnesses {
		told[i] = teller{w}
	}
	return anchors.Open(anchors.Options{
		Host: b.o.Origin, Master: b.o.MasterKey, Every: b.o.SignEvery, Shared: b.fleet != nil,
		Shelf: anchorShelf{b.o.Anchors}, Marks: anchorMarks{b.o.HighWater}, Witnesses: told, Now: b.now, Monotonic: monotonic,
		Told: func(ctx context.Context, witness string, size int64, err error) {
			if err != nil {
				b.o.Logger.ErrorContext(ctx, "tell a witness", slog.String("witness", witness), slog.Int64("size", size), slog.Any("error", err))
			}
			if b.metrics.Witness != nil {
				b.metrics.Witness(witness, err)
			}
		},
	})
}

// anchorShelf keeps the anchor log under the empty org.
type anchorShelf struct{ docs Documents }

// Get is part of anchors.Shelf.
func (s anchorShelf) Get(ctx context.Context, kind, id string) (data []byte, version int64, err error) {
	d, err := s.docs.Get(ctx, kind, "", id)
	if errors.Is(err, ErrNotExist) {
		return nil, 0, nil
	}
	return d.Data, d.Version, err
}

// Put is part of anchors.Shelf.
func (s anchorShelf) Put(ctx context.Context, kind, id string, version int64, data []byte) (moved bool, err error) {
	_, err = s.docs.Put(ctx, Document{Kind: kind, ID: id, Version: version, Data: data})
	if errors.Is(err, ErrVersionMoved) {
		return true, nil
	}
	return false, err
}

// anchorMarks are the high-water marks of the anchor log.
type anchorMarks struct{ marks HighWater }

// Mark is part of anchors.Marks.
func (m anchorMarks) Mark(ctx context.Context, origin string) (anchors.Mark, bool, error) {
	mark, ok, err := m.marks.Mark(ctx, origin)
	return anchors.Mark(mark), ok, err
}

// Advance is part of anchors.Marks.
func (m anchorMarks) Advance(ctx context.Context, origin string, old, next anchors.Mark) error {
	return m.marks.Advance(ctx, origin, Mark(old), Mark(next))
}

// teller is a witness as the anchor log tells it.
type teller struct{ Witness }

// Tell is part of anchors.Witness.
func (t teller) Tell(ctx context.Context, c *anchors.Checkpoint) ([]byte, error) {
	return t.Witness.Tell(ctx, (*AnchorCheckpoint)(c))
}

// ofAnchors returns an error of the anchor log as callers of a Book know it.
func ofAnchors(err error) error {
	e, ok := errors.AsType[*anchors.Error](err)
	if !ok {
		return err
	}
	switch e.Kind {
	case anchors.Damaged:
		return &Error{Code: CodeTampered, Rule: "damaged", Message: e.Text, Err: err}
	case anchors.Contradicts:
		return &Error{Code: CodeTampered, Rule: "anchor_rollback", Message: e.Text, Err: err}
	case anchors.Invalid:
		return &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "from", Message: e.Text}
	default:
		return &Error{Code: CodeNotFound, Message: e.Text}
	}
}

// BatchEntrySize is the length of what a batch holds of one log: SHA-256 of its origin, u64 size, root.
const BatchEntrySize = anchors.EntrySize

// Anchors is the instance's anchor log up to its newest checkpoint, to be read by who verifies it. It names no organization: a leaf is
// the root of a batch. It is safe for concurrent use.
type Anchors struct {
	Origin string
	Vkey   string
	Size   int64  // of the newest checkpoint, at least 1
	Note   []byte // that checkpoint, with the signatures of its witnesses
	// SignEvery is how often a leaf is added at least while any log grows.
	SignEvery time.Duration

	view *anchors.View
}

// Anchors returns the anchor log as it is now. An *Error of CodeNotFound: nothing was anchored yet, or there is no anchor log.
func (b *Book) Anchors(ctx context.Context) (*Anchors, error) {
	if b.signer == nil || b.signer.anchors == nil {
		return nil, errNothingAnchored
	}
	v, err := b.signer.anchors.Newest(ctx)
	if err != nil {
		return nil, ofAnchors(err)
	}
	if v == nil {
		return nil, errNothingAnchored
	}
	return &Anchors{Origin: v.Origin, Vkey: v.Vkey, Size: v.Size, Note: v.Note, SignEvery: b.o.SignEvery, view: v}, nil
}

var errNothingAnchored = &Error{Code: CodeNotFound, Message: "nothing is anchored yet"}

// NoteAt returns the stored checkpoint of exactly this size. An *Error of CodeNotFound: none was signed.
func (a *Anchors) NoteAt(ctx context.Context, size int64) ([]byte, error) {
	note, err := a.view.NoteAt(ctx, size)
	return note, ofAnchors(err)
}

// Tile returns a tile of the tree (C2SP tlog-tiles), as that of a log. An *Error of CodeNotFound: it reaches beyond the checkpoint.
func (a *Anchors) Tile(ctx context.Context, level int, n int64, width int) ([]byte, error) {
	tile, err := a.view.Tile(ctx, level, n, width)
	return tile, ofAnchors(err)
}

// EntryBundle returns width leaves, at most 256, from leaf 256·n on: each is 65 bytes after their number in two bytes. Errors are those
// of Tile.
func (a *Anchors) EntryBundle(ctx context.Context, n int64, width int) ([]byte, error) {
	bundle, err := a.view.EntryBundle(ctx, n, width)
	return bundle, ofAnchors(err)
}

// Inclusion proves that a leaf is in the tree of a size, which is at most that of the checkpoint. An *Error of CodeNotFound: it is not.
func (a *Anchors) Inclusion(ctx context.Context, index, size int64) (Inclusion, error) {
	hash, proof, err := a.view.Inclusion(ctx, index, size)
	if err != nil {
		return Inclusion{}, ofAnchors(err)
	}
	return Inclusion{Seq: index, Size: size, LeafHash: hash, Proof: proof}, nil
}

// Consistency proves that the tree of from leaves, at least 1, is the beginning of that of to. Errors are those of [Book.Consistency].
func (a *Anchors) Consistency(ctx context.Context, from, to int64) ([]tlog.Hash, error) {
	proof, err := a.view.Consistency(ctx, from, to)
	return proof, ofAnchors(err)
}

// Batch returns what a leaf is the root of: for each log 72 bytes, SHA-256 of its origin, size and root. It says which logs grew when, of
// every organization: it is for the operator. An *Error of CodeNotFound: there is no such leaf.
func (a *Anchors) Batch(ctx context.Context, index int64) ([]byte, error) {
	batch, err := a.view.Batch(ctx, index)
	return batch, ofAnchors(err)
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
	tree, _, err := l.tree(ctx, size)
	if err != nil {
		return Anchor{}, err
	}
	found, err := l.b.signer.anchors.Find(ctx, l.b.signer.origin(l.t), size)
	if err != nil {
		return Anchor{}, ofAnchors(err)
	}
	if found == nil {
		return Anchor{}, errNothingAnchored
	}
	a := Anchor{
		Size: found.Size, Root: found.Root, BatchIndex: found.BatchIndex, BatchProof: found.BatchProof,
		Leaf: found.Leaf, Proof: found.Proof, Note: found.Note,
	}
	if found.Size > 0 && found.Size < size {
		a.Consistency, err = tree.Consistency(found.Size, size)
	}
	return a, err
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
	renewed, err := b.signer.anchors.Renew(ctx)
	return renewed, ofAnchors(err)
}
