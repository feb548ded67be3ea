package daybook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/daybook-audit/daybook/internal/anchors"
)

// evidence is what a bundle says of the checkpoint that it hangs on.
type evidence struct {
	origin, vkey, clockVKey, anchorVKey string

	size      int64
	note      []byte
	rotations []rotation // oldest first
	older     []olderNote
	anchor    *anchors.Anchor // nil: there is none
}

// rotation is how a reader of an older key comes to the next one: a note signed by the older key, in whose tree an entry names the
// next.
type rotation struct {
	vkey string // the older key
	note olderNote
	seq  int64 // of the key entry
}

// olderNote is a checkpoint of a smaller size.
type olderNote struct {
	size int64
	note []byte
}

// evidence collects what the bundle that q asks for hangs on. With no size asked for it signs first.
func (l *Log) evidence(ctx context.Context, q *BundleQuery) (*evidence, error) {
	if x := l.b.excerpt; x != nil {
		return x.evidence(q)
	}
	var c Checkpoint
	var err error
	if q.Size == 0 {
		c, err = l.Checkpoint(ctx)
	} else {
		c, err = l.CheckpointAt(ctx, q.Size)
	}
	if err != nil {
		return nil, err
	}
	info, err := l.Info(ctx)
	if err != nil {
		return nil, err
	}
	signed := len(info.Keys) - 1 // the newest key that signed it
	for signed >= 0 && !signedBy(c.Note, info.Keys[signed].Vkey) {
		signed--
	}
	if signed < 0 {
		return nil, damagedAt(damaged("no key of the log has signed its checkpoint of size %d", c.Size), -1, -1, CheckCheckpoint)
	}
	e := &evidence{origin: info.Origin, vkey: info.Keys[signed].Vkey, size: c.Size, note: c.Note, anchorVKey: info.AnchorVkey}
	if name, _, _ := strings.Cut(info.ClockVkey, "+"); name != "" && bytes.Contains(c.Note, []byte("\n— "+name+" ")) {
		e.clockVKey = info.ClockVkey
	}
	if e.rotations, err = l.rotations(ctx, info.Keys[:signed+1], e.size); err != nil {
		return nil, err
	}
	if e.older, err = l.olderNotes(ctx, q, e.size); err != nil {
		return nil, err
	}
	e.anchor, err = l.anchor(ctx, e.size)
	return e, err
}

// signedBy reports whether a note has a signature by the key of vkey that holds.
func signedBy(text []byte, vkey string) bool {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return false
	}
	_, err = note.Open(text, note.VerifierList(v))
	return err == nil
}

// rotations returns how a reader of each older key comes to the last of keys, as far as there are checkpoints that show it.
func (l *Log) rotations(ctx context.Context, keys []Vkey, size int64) ([]rotation, error) {
	var rs []rotation
	for i := len(keys) - 1; i > 0; i-- {
		r := rotation{vkey: keys[i-1].Vkey, seq: keys[i].Seq}
		for n, err := range l.b.store.Notes(ctx, l.t.no, r.seq+1, size+1, false) {
			if err != nil {
				return nil, fmt.Errorf("read the checkpoints of %s: %w", l.t.org, err)
			}
			if signedBy(n.Note, r.vkey) {
				r.note = olderNote{n.Size, n.Note}
				break
			}
		}
		if r.note.note == nil {
			break // nothing leads on from the keys before, either
		}
		rs = append(rs, r)
	}
	slices.Reverse(rs)
	return rs, nil
}

// olderNotes returns the checkpoints that q links to its own.
func (l *Log) olderNotes(ctx context.Context, q *BundleQuery, size int64) ([]olderNote, error) {
	sizes := append(slices.Clone(q.Since), q.First)
	slices.Sort(sizes)
	var older []olderNote
	for _, at := range slices.Compact(sizes) {
		if at >= size || at == 0 && !slices.Contains(q.Since, 0) {
			continue // it is no older one
		}
		if at < 1 {
			return nil, &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "since", Message: "an older checkpoint has a size of at least 1."}
		}
		c, err := l.CheckpointAt(ctx, at)
		if errors.Is(err, ErrNotExist) && !slices.Contains(q.Since, at) {
			continue
		}
		if err != nil {
			return nil, err
		}
		older = append(older, olderNote{c.Size, c.Note})
	}
	return older, nil
}
