package daybook

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed head of a log: a C2SP tlog-checkpoint. Docs: docs/reference/integrity.md, section 6.
type Checkpoint struct {
	Org   OrgID
	Epoch int
	Size  int64
	Root  tlog.Hash
	At    time.Time // what the clock line of Note says, in whole seconds
	Note  []byte    // the signed note: the log's signature first, then others, the clock's last
}

// Checkpoint returns the newest checkpoint of org's log. If entries were recorded since the last one, or if that is older than the
// interval of signing, it signs one first; so its Size is that of the log when the call began, or larger. What it returns is stored and
// stays available from CheckpointAt, except that a later time for an unchanged log is not stored.
//
// A log that is frozen signs nothing: its newest stored checkpoint is returned. An *Error of CodeNotFound: no such org; of
// CodeUnavailable with the rule signing_off: Options have no Origin, or log_frozen: the log is frozen and has no checkpoint.
func (b *Book) Checkpoint(ctx context.Context, org OrgID) (Checkpoint, error) {
	s, t, err := b.signed(ctx, org)
	if err != nil {
		return Checkpoint{}, err
	}
	return (&Log{b, s, t}).Checkpoint(ctx)
}

// CheckpointAt returns the stored checkpoint of exactly this size of org's log. It signs nothing. If there is none, or no such org: an
// *Error of CodeNotFound, which is ErrNotExist too.
func (b *Book) CheckpointAt(ctx context.Context, org OrgID, size int64) (Checkpoint, error) {
	s, t, err := b.signed(ctx, org)
	if err != nil {
		return Checkpoint{}, err
	}
	return (&Log{b, s, t}).CheckpointAt(ctx, size)
}

// errSigningOff is the refusal of an instance that does not sign.
func errSigningOff() error {
	return &Error{Code: CodeUnavailable, Rule: "signing_off", Message: "this instance signs no checkpoints: it has no origin"}
}

// signed returns the log of an org whose checkpoints are asked for.
func (b *Book) signed(ctx context.Context, org OrgID) (*shard, *logTail, error) {
	if b.signer == nil && b.excerpt == nil {
		return nil, nil, errSigningOff()
	}
	s := b.shardOf(org)
	t, err := s.open(ctx, org, false)
	if err == nil && t == nil {
		err = &Error{Code: CodeNotFound, Message: fmt.Sprintf("there is no log of %q", truncate(string(org), 128))}
	}
	return s, t, err
}

// storedNote returns the largest stored checkpoint with from ≤ size < to; false: there is none.
func (b *Book) storedNote(ctx context.Context, t *logTail, from, to int64) (Checkpoint, bool, error) {
	for n, err := range b.store.Notes(ctx, t.no, from, to, true) {
		if err != nil {
			return Checkpoint{}, false, fmt.Errorf("read the checkpoints of %s: %w", t.org, err)
		}
		c, err := openNote(n)
		c.Org, c.Epoch = t.org, t.epoch
		return c, err == nil, err
	}
	return Checkpoint{}, false, nil
}

// newestSize as the bound of storedNote asks for the newest checkpoint: none is larger.
const newestSize = math.MaxInt64

// checkpointText returns what a checkpoint says: three lines.
func checkpointText(origin string, size int64, root tlog.Hash) string {
	return origin + "\n" + strconv.FormatInt(size, 10) + "\n" + base64.StdEncoding.EncodeToString(root[:]) + "\n"
}

// signNote signs a head with every key and, last, with the clock.
func signNote(text string, keys []*signingKey, clock *signingKey, at int64) ([]byte, error) {
	signers := make([]note.Signer, 0, len(keys)+1)
	for _, k := range keys {
		signers = append(signers, k)
	}
	if clock != nil {
		signers = append(signers, clockSigner{clock, at})
	}
	return note.Sign(&note.Note{Text: text}, signers...)
}

// wholeSeconds rounds a time in µs up to a second: what a clock line can say.
func wholeSeconds(at int64) int64 { return (at + 999_999) / 1_000_000 }

// openNote reads a stored checkpoint. It checks no signature: who stores notes could store others, and what counts is that the root is
// the log's.
func openNote(n StoredNote) (Checkpoint, error) {
	c := Checkpoint{Size: n.Size, At: time.Unix(wholeSeconds(n.At), 0).UTC(), Note: n.Note}
	lines := bytes.SplitN(n.Note, []byte("\n"), 4)
	if len(lines) != 4 || string(lines[1]) != strconv.FormatInt(n.Size, 10) {
		return c, damagedAt(damaged("the checkpoint of size %d is no note of that size", n.Size), -1, -1, CheckCheckpoint)
	}
	root, err := base64.StdEncoding.Strict().DecodeString(string(lines[2]))
	if err != nil || len(root) != tlog.HashSize {
		return c, damagedAt(damaged("the checkpoint of size %d has no root", n.Size), -1, -1, CheckCheckpoint)
	}
	c.Root = tlog.Hash(root)
	return c, nil
}

// frozenBy reports whether err says that a log is frozen.
func frozenBy(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Rule == "log_frozen"
}
