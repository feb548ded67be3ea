package anchors

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sort"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/merkle"
)

// View is the log up to its newest checkpoint. It is safe for concurrent use.
type View struct {
	Origin string
	Vkey   string
	Size   int64  // of the newest checkpoint, at least 1
	Note   []byte // that checkpoint, with the signatures of its witnesses

	log *Log
}

// Newest returns the log as it is now; nil: nothing was anchored yet.
func (a *Log) Newest(ctx context.Context) (*View, error) {
	size, note, err := a.note(ctx)
	if err != nil || size == 0 {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return &View{Origin: a.origin, Vkey: a.key.Vkey(), Size: size, Note: note, log: a}, nil
}

// NoteAt returns the stored checkpoint of exactly this size. Beyond: none was signed.
func (v *View) NoteAt(ctx context.Context, size int64) ([]byte, error) {
	note, version, err := v.log.noteAt(ctx, size)
	if err == nil && version == 0 {
		err = fault(Beyond, "the anchor log was not signed at size %d", size)
	}
	return note, err
}

// Tile returns a tile of the tree (C2SP tlog-tiles).
func (v *View) Tile(ctx context.Context, level int, n int64, width int) ([]byte, error) {
	if _, err := v.tileSize(level, n, width); err != nil {
		return nil, err
	}
	return merkle.Tile(level, n, width, v.subtree(ctx))
}

// subtree gives the hashes of the tree.
func (v *View) subtree(ctx context.Context) merkle.Subtree {
	read := v.log.hashes(ctx)
	return func(level int, n int64) (tlog.Hash, error) {
		hs, err := read.ReadHashes([]int64{tlog.StoredHashIndex(level, n)})
		if err != nil {
			return tlog.Hash{}, err
		}
		return hs[0], nil
	}
}

// EntryBundle returns width leaves, at most 256, from leaf 256·n on, each after its length in two bytes.
func (v *View) EntryBundle(ctx context.Context, n int64, width int) ([]byte, error) {
	size, err := v.tileSize(0, n, width)
	if err != nil {
		return nil, err
	}
	bundle := make([]byte, 0, width*(2+LeafSize))
	for i := merkle.TileWidth * n; i < size; i++ {
		doc, err := v.log.leaf(ctx, i)
		if err != nil {
			return nil, err
		}
		bundle = binary.BigEndian.AppendUint16(bundle, LeafSize)
		bundle = append(bundle, doc.Leaf...)
	}
	return bundle, nil
}

// Inclusion proves that a leaf is in the tree of a size, which is at most that of the checkpoint.
func (v *View) Inclusion(ctx context.Context, index, size int64) (leaf tlog.Hash, proof []tlog.Hash, err error) {
	if err := v.covers(size); err != nil {
		return leaf, nil, err
	}
	if index < 0 || index >= size {
		return leaf, nil, fault(Beyond, "leaf %d is not in a tree of size %d", index, size)
	}
	if proof, err = tlog.ProveRecord(size, index, v.log.hashes(ctx)); err != nil {
		return leaf, nil, fmt.Errorf("prove leaf %d of the anchor log: %w", index, err)
	}
	leaf, err = v.subtree(ctx)(0, index)
	return leaf, proof, err
}

// Consistency proves that the tree of from leaves, at least 1, is the beginning of that of to.
func (v *View) Consistency(ctx context.Context, from, to int64) ([]tlog.Hash, error) {
	if err := v.covers(to); err != nil {
		return nil, err
	}
	if from < 1 || from > to {
		return nil, fault(Invalid, "from is 1 to %d.", to)
	}
	p, err := tlog.ProveTree(to, from, v.log.hashes(ctx))
	if err != nil {
		return nil, fmt.Errorf("prove size %d of the anchor log to be the beginning of size %d: %w", from, to, err)
	}
	return p, nil
}

// Batch returns what a leaf is the root of: EntrySize bytes for each log, sorted by tag.
func (v *View) Batch(ctx context.Context, index int64) ([]byte, error) {
	if index < 0 || index >= v.Size {
		return nil, fault(Beyond, "there is no leaf %d", index)
	}
	doc, err := v.log.leaf(ctx, index)
	return doc.Batch, err
}

func (v *View) tileSize(level int, n int64, width int) (int64, error) {
	size, ok := merkle.TileSize(level, n, width)
	if !ok {
		return 0, fault(Beyond, "there is no tile %d of level %d with %d hashes", n, level, width)
	}
	return size, v.covers(size)
}

func (v *View) covers(size int64) error {
	if size > v.Size {
		return fault(Beyond, "the newest checkpoint of the anchor log is of size %d", v.Size)
	}
	return nil
}

// maxSearch bounds how many leaves back an anchor of a log is looked for: at an interval of 5 minutes, 14 days.
const maxSearch = 4096

// Anchor shows that the instance had a head of one log: what says it for this log, and nothing of any other.
type Anchor struct {
	Size        int64
	Root        tlog.Hash
	Consistency []tlog.Hash // from Size to a larger one of the log: who has the log proves it
	BatchIndex  int64       // of the log in its batch
	BatchProof  []tlog.Hash // that it is in the batch whose root the leaf holds
	Leaf        []byte
	Proof       []tlog.Hash // that the leaf is in the anchor log
	Note        []byte      // the checkpoint of the anchor log
}

// Find returns the newest signed anchor of the log with this origin at a size of at most atMost, without Consistency; nil: none was found.
func (a *Log) Find(ctx context.Context, origin string, atMost int64) (*Anchor, error) {
	size, note, err := a.note(ctx)
	if err != nil {
		return nil, err
	}
	tag := Tag(origin)
	for n := size - 1; n >= max(0, size-maxSearch); n-- {
		doc, err := a.leaf(ctx, n)
		if err != nil {
			return nil, err
		}
		i, ok := doc.find(tag)
		if !ok {
			continue
		}
		entry := doc.Batch[i*EntrySize:]
		found := &Anchor{
			Size: int64(binary.BigEndian.Uint64(entry[32:])), Root: tlog.Hash(entry[40:EntrySize]), BatchIndex: int64(i), Leaf: doc.Leaf, Note: note,
		}
		if found.Size > atMost {
			continue
		}
		read, err := batchTree(doc.Batch)
		if err == nil {
			found.BatchProof, err = tlog.ProveRecord(int64(len(doc.Batch)/EntrySize), int64(i), read)
		}
		if err == nil {
			found.Proof, err = tlog.ProveRecord(size, n, a.hashes(ctx))
		}
		if err != nil {
			return nil, fmt.Errorf("prove leaf %d of the anchor log: %w", n, err)
		}
		return found, nil
	}
	return nil, nil
}

// find returns the place of a log in the batch, which is sorted by tag.
func (d *document) find(tag [32]byte) (int, bool) {
	n := len(d.Batch) / EntrySize
	at := func(i int) []byte { return d.Batch[i*EntrySize:][:32] }
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), tag[:]) >= 0 })
	return i, i < n && bytes.Equal(at(i), tag[:])
}
