package daybook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/checkpoint"
	"github.com/daybook-audit/daybook/internal/kept"
)

// The acts of control entries about keys and epochs (docs/reference/integrity.md, section 9).
const (
	opKey   = "key"
	opEpoch = "epoch"

	keyAdded   = "added"
	keyRetired = "retired"
)

// keyOverlap is how long an older key signs beside the newer one, and the last epoch's beside this one's: a reader who looks once a month
// finds the way from the key it knows to the one that counts.
const keyOverlap = 30 * 24 * time.Hour

// keyAct is what a control entry says about keys or an epoch.
type keyAct struct {
	Op             string    `json:"op"`
	State          string    `json:"state,omitempty"`
	Generation     int       `json:"generation,omitempty"`
	Epoch          int       `json:"epoch,omitempty"`
	Cause          string    `json:"cause,omitempty"`
	Vkey           string    `json:"vkey"`
	Prev           *prevHead `json:"prev,omitempty"`
	PrevCheckpoint string    `json:"prev_checkpoint,omitempty"`
	Lost           string    `json:"lost,omitempty"`
	Reason         string    `json:"reason,omitempty"`
	By             Party     `json:"by"`

	seq, received int64
}

// prevHead is where the last epoch ended, as far as it survived.
type prevHead struct {
	Origin string    `json:"origin"`
	Vkey   string    `json:"vkey,omitempty"` // empty: it was derived from another master key
	Size   int64     `json:"size"`
	Root   tlog.Hash `json:"root"`
}

// key takes a control entry about keys or an epoch. The caller holds a.mu.
func (a *knownActs) key(text []byte, e *kept.Entry) error {
	act := keyAct{seq: e.Seq, received: e.Received}
	if err := json.Unmarshal(text, &act); err != nil {
		return fmt.Errorf("control entry %d: %w", e.Seq, err)
	}
	a.keys = append(a.keys, act)
	return nil
}

// keyActs returns what the control entries of t say about its keys, oldest first, and what a decision about them rests on.
func (g *signer) keyActs(ctx context.Context, s *shard, t *logTail) ([]keyAct, *basis, error) {
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

// logKey is a key of a log with what its entries say about it.
type logKey struct {
	*checkpoint.Key
	seq     int64 // of the entry that added it; −1: the log began with it
	added   int64 // received_at of that entry, µs
	retired bool
}

// logKeys returns the keys of t by generation, retired ones included. The caller has the turn of t.
func (g *signer) logKeys(ctx context.Context, s *shard, t *logTail) ([]logKey, error) {
	keys, _, err := g.keysNow(ctx, s, t)
	return keys, err
}

// keysNow is logKeys with what a decision about the keys rests on.
func (g *signer) keysNow(ctx context.Context, s *shard, t *logTail) ([]logKey, *basis, error) {
	acts, rests, err := g.keyActs(ctx, s, t)
	if err != nil {
		return nil, nil, err
	}
	keys, err := g.keysOf(t, acts)
	return keys, rests, err
}

// keysOf returns the keys of t by what its control entries say.
func (g *signer) keysOf(t *logTail, acts []keyAct) ([]logKey, error) {
	first, err := g.derive(t, 1)
	if err != nil {
		return nil, err
	}
	keys := []logKey{{Key: first, seq: -1}}
	for i := range acts {
		switch act := &acts[i]; {
		case act.Op == opKey && act.State == keyAdded:
			k, err := g.derive(t, act.Generation)
			if err != nil {
				return nil, err
			}
			if k.Vkey() != act.Vkey {
				return nil, g.errOtherMaster(t)
			}
			keys = append(keys, logKey{Key: k, seq: act.seq, added: act.received})
		case act.Op == opKey && act.State == keyRetired:
			for j := range keys {
				keys[j].retired = keys[j].retired || keys[j].Vkey() == act.Vkey
			}
		}
	}
	return keys, nil
}

// derive returns the key of a generation of t, from memory if it was asked for before. The caller has the turn of t.
func (g *signer) derive(t *logTail, generation int) (*checkpoint.Key, error) {
	for _, k := range t.sig.derived {
		if k.Generation() == generation {
			return k, nil
		}
	}
	k, err := checkpoint.NewKey(g.b.o.MasterKey, checkpoint.Log, g.origin(t), generation)
	if err == nil {
		t.sig.derived = append(t.sig.derived, k)
	}
	return k, err
}

func (g *signer) errOtherMaster(t *logTail) error {
	return &Error{
		Code: CodeUnavailable, Rule: "master_key", Message: "this log was signed with keys from another master key: it is not signed",
		Err: fmt.Errorf("origin %s", g.origin(t)),
	}
}

// signers returns the keys that sign t now: the log's, oldest first, then those of the last epoch for a while. The caller has the turn of t.
func (g *signer) signers(ctx context.Context, s *shard, t *logTail) ([]*checkpoint.Key, error) {
	keys, err := g.logKeys(ctx, s, t)
	if err != nil {
		return nil, err
	}
	if !carriesKey(t.sig.newest.Note, keys) {
		return nil, g.errOtherMaster(t)
	}
	var signers []*checkpoint.Key
	for i := range keys {
		if !keys[i].retired {
			signers = append(signers, keys[i].Key)
		}
	}
	last, err := g.lastEpochKeys(ctx, s, t)
	return append(signers, last...), err
}

// lastEpochKeys returns the keys of the epoch before t if they sign t's checkpoints too.
func (g *signer) lastEpochKeys(ctx context.Context, s *shard, t *logTail) ([]*checkpoint.Key, error) {
	if t.epoch == 0 {
		return nil, nil
	}
	acts, _, err := g.keyActs(ctx, s, t)
	if err != nil || len(acts) == 0 || acts[0].Op != opEpoch || acts[0].Cause == CauseKeyCompromise || acts[0].Prev == nil {
		return nil, err
	}
	if g.b.now()-acts[0].received >= keyOverlap.Microseconds() {
		return nil, nil
	}
	for generation := 1; generation <= maxGenerations; generation++ {
		k, err := checkpoint.NewKey(g.b.o.MasterKey, checkpoint.Log, acts[0].Prev.Origin, generation)
		if err != nil {
			return nil, err
		}
		if k.Vkey() == acts[0].Prev.Vkey {
			return []*checkpoint.Key{k}, nil
		}
	}
	return nil, nil
}

// maxGenerations bounds the search for the generation of a key that is known by its vkey alone.
const maxGenerations = 100

// carriesKey reports whether one of keys is named in the signatures of note; an empty note is signed by whoever comes.
func carriesKey(note []byte, keys []logKey) bool {
	return len(note) == 0 || slices.ContainsFunc(keys, func(k logKey) bool { return k.Signed(note) })
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
	last := &keys[len(keys)-1]
	for i := range keys[:len(keys)-1] {
		if !keys[i].retired {
			return Vkey{}, &Error{
				Code: CodeConflict, Rule: "key_rotation", Message: fmt.Sprintf("generation %d was added on %s and generation %d signs beside it until %s",
					last.Generation(), time.UnixMicro(last.added).UTC().Format(time.DateOnly), keys[i].Generation(),
					time.UnixMicro(last.added).UTC().Add(keyOverlap).Format(time.DateOnly)),
			}
		}
	}
	next, err := g.derive(t, last.Generation()+1)
	if err != nil {
		return Vkey{}, err
	}
	rc, err := g.b.recordControl(ctx, t.org, keyText(&keyAct{Op: opKey, State: keyAdded, Generation: next.Generation(), Vkey: next.Vkey(), By: by}), rests)
	return Vkey{Vkey: next.Vkey(), Generation: next.Generation(), State: KeyCurrent, Seq: rc.Seq}, err
}

// retire retires the keys of t whose overlap is over. A crash after it leaves the entry: from then on the key does not sign. The caller
// has the turn of t.
func (g *signer) retire(ctx context.Context, s *shard, t *logTail) error {
	keys, rests, err := g.keysNow(ctx, s, t)
	if err != nil || len(keys) < 2 || g.b.now()-keys[len(keys)-1].added < keyOverlap.Microseconds() {
		return err
	}
	for i := range keys[:len(keys)-1] {
		if keys[i].retired {
			continue
		}
		act := &keyAct{Op: opKey, State: keyRetired, Generation: keys[i].Generation(), Vkey: keys[i].Vkey(), By: Party{Type: "system", ID: "rotation"}}
		rc, err := g.b.recordControl(ctx, t.org, keyText(act), rests)
		if errors.Is(err, errActsMoved) {
			return nil // another process does, or the next signing
		}
		if err != nil {
			return fmt.Errorf("retire generation %d of %s: %w", keys[i].Generation(), t.org, err)
		}
		rests.seen = rc.Seq + 1
		if g.b.metrics.Retire != nil {
			g.b.metrics.Retire(t.org, Vkey{Vkey: act.Vkey, Generation: act.Generation, State: KeyRetired, Seq: rc.Seq})
		}
	}
	return nil
}

// keyText returns the payload of a control entry.
func keyText(act *keyAct) []byte {
	text, err := json.Marshal(act)
	if err != nil {
		panic(err) // strings and numbers always have a JSON
	}
	return text
}
