package daybook

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/checkpoint"
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

// openNote reads a stored checkpoint.
func openNote(n StoredNote) (Checkpoint, error) {
	c := Checkpoint{Size: n.Size, At: time.Unix(checkpoint.Seconds(n.At), 0).UTC(), Note: n.Note}
	root, err := checkpoint.Root(n.Note, n.Size)
	if err != nil {
		return c, damagedAt(damaged("%v", err), -1, -1, CheckCheckpoint)
	}
	c.Root = root
	return c, nil
}

// frozenBy reports whether err says that a log is frozen.
func frozenBy(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Rule == "log_frozen"
}

// ClockVkey returns the verifier key of the clock of an instance, which names its master key without telling it. Errors are those of
// [Open] about Options.Origin and Options.MasterKey.
func ClockVkey(origin string, master []byte) (string, error) {
	if err := checkKeys(origin, master); err != nil {
		return "", err
	}
	k, err := checkpoint.NewKey(master, checkpoint.Clock, origin+"/clock", 1)
	if err != nil {
		return "", err
	}
	return k.Vkey(), nil
}

// checkKeys refuses what no key can be derived from.
func checkKeys(origin string, master []byte) error {
	switch {
	case !checkpoint.ValidHost(origin):
		return &Error{Code: CodeInvalid, Rule: "origin", Message: "an origin is a host name, perhaps with a path: letters, digits and . - _ : /"}
	case len(master) != checkpoint.MasterSize:
		return &Error{Code: CodeInvalid, Rule: "master_key", Message: fmt.Sprintf("a master key has %d bytes, not %d", checkpoint.MasterSize, len(master))}
	}
	return nil
}
