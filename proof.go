package daybook

import (
	"context"
	"encoding/base64"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/leaf"
)

// Inclusion shows that an entry is in the tree of a size (RFC 6962 §2.1.1).
type Inclusion struct {
	Seq, Size int64
	LeafHash  tlog.Hash
	Proof     []tlog.Hash // from the leaf up; tlog.CheckRecord checks it
}

// RangeProof shows that the entries [From, To) are exactly those that stand there in the tree of a size: with their leaf hashes it gives
// the root. Docs: docs/reference/integrity.md.
type RangeProof struct {
	From, To, Size int64
	Left, Right    []tlog.Hash // of the perfect subtrees that cover [0, From) and [To, Size), left to right
}

// Inclusion proves that the entry at seq is in the tree of the first size entries. Any size up to the log's own will do; who wants it
// signed takes that of a checkpoint. An *Error of CodeNotFound: no such org, or seq or size lie beyond its log.
func (b *Book) Inclusion(ctx context.Context, org OrgID, seq, size int64) (Inclusion, error) {
	l, err := b.Log(ctx, org, NewestEpoch)
	if err != nil {
		return Inclusion{}, err
	}
	return l.Inclusion(ctx, seq, size)
}

// Inclusion is Book.Inclusion in this log.
func (l *Log) Inclusion(ctx context.Context, seq, size int64) (Inclusion, error) {
	t, _, err := l.tree(ctx, size)
	if err != nil {
		return Inclusion{}, err
	}
	return l.inclusion(t, seq, size)
}

// inclusion is Inclusion in the tree t of l.
func (l *Log) inclusion(t *merkle.Tree, seq, size int64) (Inclusion, error) {
	if seq < 0 || seq >= size {
		return Inclusion{}, errBeyond("entry %d is not in a tree of size %d", seq, size)
	}
	if x := l.b.excerpt; x != nil {
		if in, ok := x.proof(seq, size); ok {
			return in, nil
		}
	}
	h, p, err := t.Inclusion(seq, size)
	if err != nil {
		return Inclusion{}, err
	}
	return Inclusion{Seq: seq, Size: size, LeafHash: h, Proof: p}, nil
}

// Consistency proves that the tree of from entries is the beginning of that of to entries (RFC 6962 §2.1.2). from is at least 1; with
// both equal the proof is empty. An *Error of CodeNotFound: no such org, or to lies beyond its log; of CodeInvalid: from is not
// in 1 to to.
func (b *Book) Consistency(ctx context.Context, org OrgID, from, to int64) ([]tlog.Hash, error) {
	l, err := b.Log(ctx, org, NewestEpoch)
	if err != nil {
		return nil, err
	}
	return l.Consistency(ctx, from, to)
}

// Consistency is Book.Consistency in this log.
func (l *Log) Consistency(ctx context.Context, from, to int64) ([]tlog.Hash, error) {
	t, _, err := l.tree(ctx, to)
	if err != nil {
		return nil, err
	}
	if from < 1 || from > to {
		return nil, &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "from", Message: fmt.Sprintf("from is 1 to %d.", to)}
	}
	return t.Consistency(from, to)
}

// RangeProof proves the entries [from, to) in the tree of a size, from < to ≤ size. It holds at most 2·log2(size)+2 hashes.
func (b *Book) RangeProof(ctx context.Context, org OrgID, from, to, size int64) (RangeProof, error) {
	l, err := b.Log(ctx, org, NewestEpoch)
	if err != nil {
		return RangeProof{}, err
	}
	return l.RangeProof(ctx, from, to, size)
}

// RangeProof is Book.RangeProof in this log.
func (l *Log) RangeProof(ctx context.Context, from, to, size int64) (RangeProof, error) {
	t, _, err := l.tree(ctx, size)
	if err != nil {
		return RangeProof{}, err
	}
	if from < 0 || from >= to || to > size {
		return RangeProof{}, errBeyond("the entries %d to %d are not in a tree of size %d", from, to-1, size)
	}
	p := RangeProof{From: from, To: to, Size: size}
	p.Left, p.Right, err = t.Beside(from, to, size)
	return p, err
}

// Tile returns a tile of the tree (C2SP tlog-tiles): width hashes, at most 256, of which the i-th is the root of the 256^level leaves
// from (256·n+i)·256^level on. It is made on read, of whatever width the log allows. An *Error of CodeNotFound: there is no such org,
// or the tile reaches beyond its log; the caller sees to it that it does not reach beyond what is signed.
func (b *Book) Tile(ctx context.Context, org OrgID, level int, n int64, width int) ([]byte, error) {
	l, err := b.Log(ctx, org, NewestEpoch)
	if err != nil {
		return nil, err
	}
	return l.Tile(ctx, level, n, width)
}

// Tile is Book.Tile in this log.
func (l *Log) Tile(ctx context.Context, level int, n int64, width int) ([]byte, error) {
	size, err := tileSize(level, n, width)
	if err != nil {
		return nil, err
	}
	t, _, err := l.tree(ctx, size)
	if err != nil {
		return nil, err
	}
	return merkle.Tile(level, n, width, t.Subtree)
}

// EntryBundle returns width leaves, at most 256, from leaf 256·n on: each is 70 bytes after their number in two bytes. They hold no
// payload, so that a bundle of a range never changes. Errors are those of Tile.
func (b *Book) EntryBundle(ctx context.Context, org OrgID, n int64, width int) ([]byte, error) {
	l, err := b.Log(ctx, org, NewestEpoch)
	if err != nil {
		return nil, err
	}
	return l.EntryBundle(ctx, n, width)
}

// EntryBundle is Book.EntryBundle in this log.
func (l *Log) EntryBundle(ctx context.Context, n int64, width int) ([]byte, error) {
	size, err := tileSize(0, n, width)
	if err != nil {
		return nil, err
	}
	_, v, err := l.tree(ctx, size)
	if err != nil {
		return nil, err
	}
	bundle := make([]byte, 0, width*(2+leaf.Size))
	err = l.b.eachLeaf(ctx, v, merkle.TileWidth*n, size, func(e *kept.Entry, d *leaf.Doc) error {
		one, err := e.Leaf(d)
		bundle = append(bundle, 0, leaf.Size)
		bundle = one.Append(bundle)
		return ofStored(err)
	})
	if err != nil {
		return nil, fmt.Errorf("make entry bundle %d: %w", n, err)
	}
	return bundle, nil
}

// tileSize returns the smallest size of a tree that has the tile.
func tileSize(level int, n int64, width int) (int64, error) {
	size, ok := merkle.TileSize(level, n, width)
	if !ok {
		return 0, errBeyond("there is no tile %d of level %d with %d hashes", n, level, width)
	}
	return size, nil
}

// TLogProof returns a file by which anybody who has the log's vkey can check, offline, that the event with an id is in the log: a C2SP
// tlog-proof with the newest checkpoint, which is signed first if it does not cover the entry; extra is the entry's leaf. Errors are
// those of Entry and Checkpoint.
func (b *Book) TLogProof(ctx context.Context, org OrgID, id ID) ([]byte, error) {
	l, err := b.Log(ctx, org, NewestEpoch)
	if err != nil {
		return nil, err
	}
	return l.TLogProof(ctx, id)
}

// TLogProof is Book.TLogProof in this log.
func (l *Log) TLogProof(ctx context.Context, id ID) ([]byte, error) {
	e, err := l.b.findOne(ctx, l.view(), id)
	if err != nil {
		return nil, err
	}
	c, err := l.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	in, err := l.Inclusion(ctx, e.Seq, c.Size)
	if err != nil {
		return nil, err
	}
	d := leaf.Get()
	defer leaf.Put(d)
	one, err := e.Leaf(d)
	if err != nil {
		return nil, ofStored(err)
	}
	file := append([]byte("c2sp.org/tlog-proof@v1\nextra "), base64.StdEncoding.EncodeToString(one.Append(nil))...)
	file = fmt.Appendf(file, "\nindex %d\n", e.Seq)
	for i := range in.Proof {
		file = append(base64.StdEncoding.AppendEncode(file, in.Proof[i][:]), '\n')
	}
	return append(append(file, '\n'), c.Note...), nil
}

// tree returns the tree of the log, which must have size entries, and the picture that it is of.
func (l *Log) tree(ctx context.Context, size int64) (*merkle.Tree, view, error) {
	v := l.view()
	if size > v.size {
		return nil, v, errBeyond("the log does not reach to size %d", size)
	}
	return l.b.tree(ctx, v), v, nil
}

// errBeyond says that what is asked for lies beyond the log.
func errBeyond(format string, args ...any) error {
	return &Error{Code: CodeNotFound, Message: fmt.Sprintf(format, args...)}
}
