package daybook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook/internal/checkpoint"
	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/keyring"
)

// key takes a control entry about keys or an epoch. The caller holds a.mu.
func (a *knownActs) key(text []byte, e *kept.Entry) error {
	act, err := keyring.Read(text, e.Seq, e.Received)
	if err == nil {
		a.keys = append(a.keys, act)
	}
	return err
}

// keyActs returns what the control entries of t say about its keys, oldest first, and what a decision about them rests on.
func (g *signer) keyActs(ctx context.Context, s *shard, t *logTail) ([]keyring.Act, *basis, error) {
	a := g.b.acts(t.no)
	a.mu.Lock()
	defer a.mu.Unlock()
	for try := 0; ; try++ {
		s.mu.RLock()
		v := s.viewOf(t)
		s.mu.RUnlock()
		err := a.catchUp(ctx, g.b, &v)
		if err == nil {
			return a.keys, v.basis(), nil
		}
		if !errors.Is(err, ErrNotExist) || try == 10 { // else folded and swapped meanwhile
			return nil, nil, fmt.Errorf("read the keys of %s: %w", t.org, err)
		}
	}
}

// logKeys returns the keys of t by generation, retired ones included. The caller has the turn of t.
func (g *signer) logKeys(ctx context.Context, s *shard, t *logTail) (keyring.Keys, error) {
	keys, _, err := g.keysNow(ctx, s, t)
	return keys, err
}

// keysNow is logKeys with what a decision about the keys rests on.
func (g *signer) keysNow(ctx context.Context, s *shard, t *logTail) (keyring.Keys, *basis, error) {
	acts, rests, err := g.keyActs(ctx, s, t)
	if err != nil {
		return nil, nil, err
	}
	keys, err := g.ring(t).Keys(acts)
	if errors.Is(err, keyring.ErrOtherMaster) {
		err = g.errOtherMaster(t)
	}
	return keys, rests, err
}

// ring returns the keys that t can have. The caller has the turn of t.
func (g *signer) ring(t *logTail) *keyring.Ring {
	if t.sig.ring == nil {
		t.sig.ring = keyring.New(g.b.o.MasterKey, g.origin(t))
	}
	return t.sig.ring
}

func (g *signer) errOtherMaster(t *logTail) error {
	return &Error{
		Code: CodeUnavailable, Rule: "master_key", Message: "this log was signed with keys from another master key: it is not signed",
		Err: fmt.Errorf("origin %s", g.origin(t)),
	}
}

// signers returns the keys that sign t now: the log's, oldest first, then that of the last epoch for a while. The caller has the turn of t.
func (g *signer) signers(ctx context.Context, s *shard, t *logTail) ([]*checkpoint.Key, error) {
	keys, err := g.logKeys(ctx, s, t)
	if err != nil {
		return nil, err
	}
	if !keys.Carry(t.sig.newest.Note) {
		return nil, g.errOtherMaster(t)
	}
	signers := keys.Signers()
	acts, _, err := g.keyActs(ctx, s, t)
	if err != nil || t.epoch == 0 || len(acts) == 0 || acts[0].Cause == CauseKeyCompromise {
		return signers, err
	}
	last, err := g.ring(t).LastEpoch(acts, g.b.now())
	if last != nil {
		signers = append(signers, last)
	}
	return signers, err
}

// RotateKey adds the next key to org's log: a control entry says so, and from then on every checkpoint is signed by both keys. The first
// checkpoint after that is signed before RotateKey returns. When the overlap of 30 days is over, the older key is retired by itself, with
// the next signing. An *Error of CodeNotFound: no such org; of CodeConflict with the rule key_rotation: the last rotation is not over.
func (b *Book) RotateKey(ctx context.Context, org OrgID, by Party) (Vkey, error) {
	s, t, err := b.signed(ctx, org)
	if err != nil {
		return Vkey{}, err
	}
	v, err := again(ctx, func() (Vkey, error) { return b.signer.rotate(ctx, s, t, by) })
	if err != nil {
		return Vkey{}, fmt.Errorf("rotate the key of %s: %w", org, err)
	}
	_, err = b.Checkpoint(ctx, org)
	return v, err
}

func (g *signer) rotate(ctx context.Context, s *shard, t *logTail, by Party) (Vkey, error) {
	if err := t.sig.lock(ctx); err != nil {
		return Vkey{}, err
	}
	defer t.sig.unlock()
	if err := g.vet(ctx, s, t); err != nil {
		return Vkey{}, err
	}
	keys, rests, err := g.keysNow(ctx, s, t)
	if err != nil {
		return Vkey{}, err
	}
	last := keys.Newest()
	if older := keys.Older(); len(older) > 0 {
		added := time.UnixMicro(last.Added).UTC()
		return Vkey{}, &Error{
			Code: CodeConflict, Rule: "key_rotation", Message: fmt.Sprintf("generation %d was added on %s and generation %d signs beside it until %s",
				last.Generation(), added.Format(time.DateOnly), older[0].Generation(), added.Add(keyring.Overlap).Format(time.DateOnly)),
		}
	}
	next, err := g.ring(t).Key(last.Generation() + 1)
	if err != nil {
		return Vkey{}, err
	}
	act := keyring.Act{Op: keyring.OpKey, State: keyring.Added, Generation: next.Generation(), Vkey: next.Vkey(), By: by}
	rc, err := g.b.recordControl(ctx, t.org, act.Text(), rests)
	return Vkey{Vkey: next.Vkey(), Generation: next.Generation(), State: KeyCurrent, Seq: rc.Seq}, err
}

// retire retires the keys of t whose overlap is over. A crash after it leaves the entry: from then on the key does not sign. The caller
// has the turn of t.
func (g *signer) retire(ctx context.Context, s *shard, t *logTail) error {
	keys, rests, err := g.keysNow(ctx, s, t)
	if err != nil {
		return err
	}
	for _, k := range keys.Due(g.b.now()) {
		act := keyring.Act{Op: keyring.OpKey, State: keyring.Retired, Generation: k.Generation(), Vkey: k.Vkey(), By: Party{Type: "system", ID: "rotation"}}
		rc, err := g.b.recordControl(ctx, t.org, act.Text(), rests)
		if errors.Is(err, errActsMoved) {
			return nil // another process does, or the next signing
		}
		if err != nil {
			return fmt.Errorf("retire generation %d of %s: %w", k.Generation(), t.org, err)
		}
		rests.seen = rc.Seq + 1
		if g.b.metrics.Retire != nil {
			g.b.metrics.Retire(t.org, Vkey{Vkey: act.Vkey, Generation: act.Generation, State: KeyRetired, Seq: rc.Seq})
		}
	}
	return nil
}
