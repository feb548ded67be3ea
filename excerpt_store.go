package daybook

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sort"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/packed"
)

var _ Store = (*Excerpt)(nil)

// errReadOnly is the refusal of whoever wants to change an excerpt.
var errReadOnly = &Error{Code: CodeForbidden, Rule: "read_only", Message: "this is an excerpt of a log: nothing is recorded, changed or removed here"}

// errLeftOut is the refusal of what an excerpt does not hold.
func errLeftOut(format string, args ...any) error {
	return &Error{Code: CodeGone, Rule: "left_out", Message: fmt.Sprintf(format, args...)}
}

// Shards returns 1.
func (x *Excerpt) Shards() int { return 1 }

// Close returns nil: there is nothing to give back.
func (x *Excerpt) Close() error { return nil }

// Heads implements [Appender]. With create an org that is not the excerpt's is refused.
func (x *Excerpt) Heads(_ context.Context, orgs []OrgID, create bool) ([]Head, error) {
	heads := make([]Head, len(orgs))
	for i, org := range orgs {
		switch {
		case org == x.head.Org:
			heads[i] = x.headNow()
		case create:
			return nil, errReadOnly
		default:
			heads[i] = Head{Org: org}
		}
	}
	return heads, nil
}

func (x *Excerpt) headNow() Head {
	h := x.head
	h.Frontier, h.Turn = slices.Clone(h.Frontier), 0
	return h
}

// LogHeads implements [Appender].
func (x *Excerpt) LogHeads(_ context.Context, logs []LogNo) ([]Head, error) {
	heads := make([]Head, len(logs))
	for i, no := range logs {
		if no != x.head.Log {
			return nil, fmt.Errorf("log %d: %w", no, ErrNotExist)
		}
		heads[i] = x.headNow()
	}
	return heads, nil
}

// Append refuses.
func (x *Excerpt) Append(context.Context, *Commit) error { return errReadOnly }

// Keys returns none: an excerpt has no idempotency keys.
func (x *Excerpt) Keys(context.Context, []KeyRef) ([]Key, error) { return nil, nil }

// Logs implements [Reader].
func (x *Excerpt) Logs(_ context.Context, after LogNo, limit int) ([]Head, error) {
	if after >= x.head.Log || limit < 1 {
		return nil, nil
	}
	return []Head{x.headNow()}, nil
}

// Epochs implements [Reader].
func (x *Excerpt) Epochs(_ context.Context, org OrgID) ([]Head, error) {
	if org != x.head.Org {
		return nil, nil
	}
	return []Head{x.headNow()}, nil
}

// Tail returns an empty one: everything is in blocks.
func (x *Excerpt) Tail(context.Context, int, CommitNo, int) (Tail, error) { return Tail{}, nil }

// Blocks implements [Reader]. Windows of which nothing is there have blocks too, which are made when they are asked for.
func (x *Excerpt) Blocks(ctx context.Context, q BlockQuery) iter.Seq2[BlockMeta, error] {
	return func(yield func(BlockMeta, error) bool) {
		from, to := max(0, q.From), min(q.To, x.is.Size)
		if q.Log != x.head.Log {
			return
		}
		for from < to {
			if ctx.Err() != nil {
				yield(BlockMeta{}, context.Cause(ctx))
				return
			}
			at := from
			if q.Desc {
				at = to - 1
			}
			m := x.meta(at)
			if !q.Filters {
				m.Filter = nil
			}
			if !yield(m, nil) {
				return
			}
			if from = m.end(); q.Desc {
				from, to = max(0, q.From), m.First
			}
		}
	}
}

// meta describes the block that holds seq.
func (x *Excerpt) meta(seq int64) BlockMeta {
	i := sort.Search(len(x.blocks), func(i int) bool { return x.blocks[i].end() > seq })
	if i < len(x.blocks) && x.blocks[i].First <= seq {
		return x.blocks[i].BlockMeta
	}
	m := x.none
	m.First, m.Gen = floorTo(seq, windowSize), 1
	m.N = int(min(m.First+windowSize, x.is.Size) - m.First)
	return m
}

// Read implements [Reader].
func (x *Excerpt) Read(_ context.Context, log LogNo, refs []BlockRef) ([][]byte, error) {
	out := make([][]byte, len(refs))
	for i, ref := range refs {
		if log != x.head.Log || ref.First < 0 || ref.First >= x.is.Size || ref.Gen != 1 {
			return nil, fmt.Errorf("block %d of log %d: %w", ref.First, log, ErrNotExist)
		}
		k, there := slices.BinarySearchFunc(x.blocks, ref.First, func(b Block, first int64) int { return int(b.First - first) })
		if there {
			out[i] = slices.Clone(x.blocks[k].Bytes)
			continue
		}
		m := x.meta(ref.First)
		if m.First != ref.First {
			return nil, fmt.Errorf("block %d of log %d: %w", ref.First, log, ErrNotExist)
		}
		es := make([]kept.Entry, m.N)
		for j := range es {
			es[j] = kept.Entry{Seq: m.First + int64(j), Form: kept.FormNone}
		}
		out[i] = new(packed.BlockWriter).Append(nil, x.head.packed(), es, packed.Zstd)
	}
	return out, nil
}

// Slips implements [Reader].
func (x *Excerpt) Slips(_ context.Context, log LogNo, from, to SlipKey) iter.Seq2[Slip, error] {
	return func(yield func(Slip, error) bool) {
		for i := range x.slips {
			s := x.slips[i]
			if log != x.head.Log || s.compare(from) < 0 || s.compare(to) >= 0 {
				continue
			}
			s.Bytes = slices.Clone(s.Bytes)
			if !yield(s, nil) {
				return
			}
		}
	}
}

// Notes yields the one checkpoint, if it is asked for.
func (x *Excerpt) Notes(_ context.Context, log LogNo, from, to int64, _ bool) iter.Seq2[StoredNote, error] {
	return func(yield func(StoredNote, error) bool) {
		if log == x.head.Log && from <= x.note.Size && x.note.Size < to {
			n := x.note
			n.Note = slices.Clone(n.Note)
			yield(n, nil)
		}
	}
}

// Replace refuses.
func (x *Excerpt) Replace(context.Context, []Swap) error { return errReadOnly }

// Trim does nothing: there are no commits.
func (x *Excerpt) Trim(context.Context, int, CommitNo, int64) error { return nil }

// PutNote refuses.
func (x *Excerpt) PutNote(context.Context, LogNo, StoredNote) error { return errReadOnly }

// NewEpoch refuses.
func (x *Excerpt) NewEpoch(context.Context, LogNo) (Head, error) { return Head{}, errReadOnly }

// DropKeys does nothing: there are none.
func (x *Excerpt) DropKeys(context.Context, LogNo, func(first int64, n int) bool) error { return nil }

// CloseLogs refuses.
func (x *Excerpt) CloseLogs(context.Context, OrgID) error { return errReadOnly }

// DropLog refuses.
func (x *Excerpt) DropLog(context.Context, LogNo) (bool, error) { return false, errReadOnly }

// The functions below are what a Book asks in place of a signer.

// proof returns the inclusion of an entry beside the range, if it came with one.
func (x *Excerpt) proof(seq, size int64) (Inclusion, bool) {
	e, ok := x.outside[seq]
	if !ok || size != x.is.Size {
		return Inclusion{}, false
	}
	return Inclusion{Seq: seq, Size: size, LeafHash: e.hash, Proof: slices.Clone(e.proof)}, true
}

// checkpoint returns the one that the excerpt hangs on.
func (x *Excerpt) checkpoint() (Checkpoint, error) {
	c, err := openNote(x.note)
	c.Org = x.is.Org
	return c, err
}

// checkpointAt is checkpoint, if it is of this size.
func (x *Excerpt) checkpointAt(size int64) (Checkpoint, error) {
	if size != x.is.Size {
		return Checkpoint{}, &Error{Code: CodeNotFound, Message: fmt.Sprintf("there is no checkpoint of size %d in this excerpt", size), Err: ErrNotExist}
	}
	return x.checkpoint()
}

// info adds what is signed.
func (x *Excerpt) info(info LogInfo) LogInfo {
	info.Origin, info.SignedSize, info.ClockVkey = x.is.Origin, x.is.Size, x.is.ClockVkey
	info.Keys = []Vkey{{Vkey: x.is.Vkey, Generation: 1, State: KeyCurrent, Seq: -1}}
	info.MinIndex = max(info.MinIndex, x.is.From)
	return info
}

// evidence is what a bundle of the excerpt hangs on, of which q becomes one.
func (x *Excerpt) evidence(q *BundleQuery) (*evidence, error) {
	for _, size := range append(slices.Clone(q.Since), q.Size) {
		if size != 0 && size != x.is.Size {
			return nil, &Error{Code: CodeNotFound, Message: fmt.Sprintf("there is no checkpoint of size %d in this excerpt", size), Err: ErrNotExist}
		}
	}
	if q.First == 0 {
		q.First = x.is.From
	}
	if q.End == 0 {
		q.End = x.is.To
	}
	if q.First < x.is.From || q.End > x.is.To {
		return nil, errLeftOut("this excerpt holds the entries %d to %d", x.is.From, x.is.To-1)
	}
	for _, m := range x.is.Mask {
		if !slices.Contains(q.Mask, m) {
			q.Mask = append(slices.Clip(q.Mask), m)
		}
	}
	return &evidence{origin: x.is.Origin, vkey: x.is.Vkey, clockVKey: x.is.ClockVkey, size: x.is.Size, note: x.note.Note}, nil
}
