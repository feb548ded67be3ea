package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook/internal/checkpoint"
)

// The causes of a new epoch.
const (
	CauseRestore       = "restore"        // the store was restored from a copy that is older than what was signed
	CauseFailover      = "failover"       // a standby took over that had not received everything
	CauseKeyCompromise = "key_compromise" // somebody else may sign: nothing of the old keys is carried over
	CauseOther         = "other"
)

// EpochRequest asks for a new epoch.
type EpochRequest struct {
	Org    OrgID
	Cause  string // one of the Cause constants
	Reason string // in words; it stands in the log for ever
	By     Party
}

// errEnded is why nothing is recorded in the log of an epoch that is being ended.
var errEnded = errors.New("daybook: the epoch has ended")

// NewEpoch ends the log of an org for ever and begins its next one, with a log id, an origin and a key of its own, whose first entry says
// where the last one ended as far as it survived, and at least what was lost. The old log stays readable. It is for a log that was rolled
// back, and for keys that somebody else has. It returns the new log, signed.
//
// What a crash or an error leaves behind: either the old log as it was, or a new log that takes nothing until the same call is repeated,
// which then only says what is missing. An *Error of CodeNotFound: no such org; of CodeInvalid: no such cause.
func (b *Book) NewEpoch(ctx context.Context, r EpochRequest) (LogInfo, error) {
	switch r.Cause {
	case CauseRestore, CauseFailover, CauseKeyCompromise, CauseOther:
	default:
		return LogInfo{}, &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "cause", Message: "cause is restore, failover, key_compromise or other."}
	}
	s, t, err := b.signed(Consistent(ctx), r.Org)
	if err == nil {
		err = b.signer.beginEpoch(ctx, s, t, &r)
	}
	if err != nil {
		return LogInfo{}, fmt.Errorf("begin a new epoch of %s: %w", r.Org, err)
	}
	if err := b.reapply(ctx, r.Org); err != nil { // what was erased again from the old log is named by the new one
		return LogInfo{}, err
	}
	if _, err := b.Checkpoint(ctx, r.Org); err != nil {
		return LogInfo{}, err
	}
	return b.LogInfo(ctx, r.Org)
}

func (g *signer) beginEpoch(ctx context.Context, s *shard, t *logTail, r *EpochRequest) error {
	old := t
	if s.unbegun(t) { // an earlier call ended here
		epochs, err := g.b.store.Epochs(ctx, t.org)
		if err != nil {
			return fmt.Errorf("read the epochs of %s: %w", t.org, err)
		}
		for i := range epochs {
			if epochs[i].Epoch == t.epoch-1 {
				old = s.logOf(epochs[i])
			}
		}
	}
	act, err := g.ended(ctx, s, old, r)
	if err != nil {
		return err
	}
	next := t
	if old == t {
		if next, err = g.end(ctx, s, t); err != nil {
			return err
		}
		if act, err = g.endedElsewhere(ctx, s, old, r, act); err != nil {
			return err
		}
	}
	k, err := checkpoint.NewKey(g.b.o.MasterKey, checkpoint.Log, g.origin(next), 1)
	if err != nil {
		return err
	}
	act.Epoch, act.Vkey = next.epoch, k.Vkey()
	rc, err := g.b.recordControl(ctx, r.Org, keyText(act), &basis{log: next.no})
	if errors.Is(err, errActsMoved) {
		return nil // another process has begun it meanwhile
	}
	if err == nil && rc.Seq != 0 {
		err = damaged("the entry of epoch %d is number %d", next.epoch, rc.Seq)
	}
	return err
}

// endedElsewhere is ended once more, after the store takes nothing in old any more, if other processes have recorded in it until then.
func (g *signer) endedElsewhere(ctx context.Context, s *shard, old *logTail, r *EpochRequest, act *keyAct) (*keyAct, error) {
	if g.b.fleet == nil {
		return act, nil
	}
	if err := g.b.fleet.refresh(ctx, s); err != nil {
		return nil, err
	}
	s.mu.RLock()
	same := old.size == act.Prev.Size
	s.mu.RUnlock()
	if same {
		return act, nil
	}
	return g.ended(ctx, s, old, r)
}

// unbegun reports whether t is the log of a new epoch without the entry that says so: it takes nothing else.
func (s *shard) unbegun(t *logTail) bool {
	if t.epoch == 0 {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return t.size == 0
}

// logOf returns a log by its head, which it takes into memory if it is not there.
func (s *shard) logOf(h Head) *logTail {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.logs[h.Log]; t != nil {
		return t
	}
	return s.addLog(h)
}

// ended returns what the next epoch's first entry says about the log old, in which nothing is recorded from here on.
func (g *signer) ended(ctx context.Context, s *shard, old *logTail, r *EpochRequest) (*keyAct, error) {
	if err := old.sig.lock(ctx); err != nil {
		return nil, err
	}
	defer old.sig.unlock()
	s.mu.Lock()
	ending := old.frozen == nil
	if ending {
		old.frozen = errEnded
	}
	s.mu.Unlock()
	act, err := g.endedAt(ctx, s, old, r)
	if err != nil && ending { // it has not ended
		s.mu.Lock()
		old.frozen = nil
		s.mu.Unlock()
	}
	return act, err
}

// endedAt is ended for a log in which nothing is recorded any more. The caller has its turn.
func (g *signer) endedAt(ctx context.Context, s *shard, old *logTail, r *EpochRequest) (*keyAct, error) {
	var h signedHead
	err := s.between(ctx, func() { // whatever was being committed is in the picture
		s.mu.RLock()
		defer s.mu.RUnlock()
		h.view, h.root = s.viewOf(old), old.tree.Root()
	})
	if err != nil {
		return nil, err
	}
	act := &keyAct{
		Op: opEpoch, Cause: r.Cause, Reason: r.Reason, By: r.By,
		Prev: &prevHead{Origin: g.origin(old), Size: h.view.size, Root: h.root},
	}
	m, marked, err := g.b.o.HighWater.Mark(ctx, g.origin(old))
	if err != nil {
		return nil, fmt.Errorf("read the high-water mark of %s: %w", old.org, err)
	}
	c, stored, err := g.b.storedNote(ctx, old, 0, newestSize)
	if err != nil {
		return nil, err
	}
	keys, err := g.logKeys(ctx, s, old)
	if err != nil && !isRule(err, "master_key") {
		return nil, err
	}
	ours := err == nil && carriesKey(c.Note, keys)
	if ours {
		act.Prev.Vkey = keys[len(keys)-1].Vkey()
	}
	switch {
	case marked && (!stored || m.Size > c.Size) && ours: // signed once, and lost with what it covered: it is signed again, as it was
		note, err := g.signMark(keys, m)
		if err != nil {
			return nil, err
		}
		act.PrevCheckpoint = string(note)
	case stored:
		act.PrevCheckpoint = string(c.Note)
	}
	if lost := max(m.Size, c.Size); lost > h.view.size {
		act.Lost = fmt.Sprintf("%d-%d", h.view.size, lost-1)
		if lost == h.view.size+1 {
			act.Lost = strconv.FormatInt(h.view.size, 10)
		}
	}
	return act, nil
}

// signMark signs a mark with the keys that are not retired.
func (g *signer) signMark(keys []logKey, m Mark) ([]byte, error) {
	var signers []*checkpoint.Key
	for i := range keys {
		if !keys[i].retired {
			signers = append(signers, keys[i].Key)
		}
	}
	return checkpoint.Sign(signers[0].Name(), m.Size, m.Root, signers, g.clock, checkpoint.Seconds(m.At))
}

// end ends the epoch of t in the store and returns the log of the next. An unknown outcome leaves t as nothing that is recorded in; the
// next call of NewEpoch, or Open, finds out.
func (g *signer) end(ctx context.Context, s *shard, t *logTail) (*logTail, error) {
	h, err := g.b.store.NewEpoch(ctx, t.no)
	if err != nil {
		return nil, s.refusal(err)
	}
	next := s.logOf(h)
	s.mu.Lock()
	t.head.State = LogFrozen
	s.orgs[t.org] = next
	s.mu.Unlock()
	g.b.o.Logger.WarnContext(ctx, "an epoch has ended", slog.String("org", string(t.org)), slog.Int("epoch", t.epoch), slog.String("next_origin", g.origin(next)))
	return next, nil
}

// isEpochEntry reports whether text is that of the control entry that begins a log.
func isEpochEntry(text []byte) bool { return strings.HasPrefix(string(text), `{"op":"`+opEpoch+`"`) }

// isRule reports whether err is an *Error with a rule.
func isRule(err error, rule string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Rule == rule
}

// TrustDatabase puts the high-water mark of an org's log anew, from its newest stored checkpoint, when the high-water store has none: it
// was lost. From then on the log is what it is now, whatever was signed before; who remembers a larger checkpoint will notice. An *Error
// of CodeConflict with the rule high_water: there is a mark, and a log that contradicts it goes on only in a new epoch.
func (b *Book) TrustDatabase(ctx context.Context, org OrgID) error {
	s, t, err := b.signed(ctx, org)
	if err == nil {
		err = b.signer.trust(ctx, s, t)
	}
	if err != nil {
		return fmt.Errorf("trust the stored log of %s: %w", org, err)
	}
	return nil
}

func (g *signer) trust(ctx context.Context, s *shard, t *logTail) error {
	if err := t.sig.lock(ctx); err != nil {
		return err
	}
	defer t.sig.unlock()
	_, marked, err := g.b.o.HighWater.Mark(ctx, g.origin(t))
	if err != nil {
		return err
	}
	if marked {
		return &Error{Code: CodeConflict, Rule: "high_water", Message: "the high-water store knows this log: it was not lost"}
	}
	c, stored, err := g.b.storedNote(ctx, t, 0, newestSize)
	if err != nil || !stored {
		return err
	}
	var h signedHead
	s.mu.Lock()
	h.view, h.root = s.viewOf(t), t.tree.Root()
	t.frozen = nil
	s.mu.Unlock()
	t.sig.vetted.Store(false)
	if err := g.extends(ctx, s, t, &h, Mark{Size: c.Size, Root: c.Root}, true); err != nil {
		return err
	}
	if err := g.b.o.HighWater.Reset(ctx, g.origin(t), Mark{Size: c.Size, Root: c.Root, At: c.At.UnixMicro()}); err != nil {
		return err
	}
	g.b.o.Logger.WarnContext(ctx, "a high-water mark was put from the database", slog.String("org", string(t.org)), slog.Int64("size", c.Size))
	return g.vet(ctx, s, t)
}

// FrozenLogs compares every log with what was signed of it and returns those in which nothing can be recorded: rolled back, forked, damaged,
// or a new epoch that was not begun. Without signing it returns those that are damaged.
func (b *Book) FrozenLogs(ctx context.Context) ([]FrozenLog, error) {
	var frozen []FrozenLog
	for h, err := range everyLog(ctx, b.store) {
		if err != nil {
			return nil, err
		}
		if h.State != LogOpen {
			continue
		}
		s := b.shardOf(h.Org)
		t, err := s.open(ctx, h.Org, false)
		if err == nil && t == nil {
			continue // dropped meanwhile
		}
		if err == nil {
			err = b.vet(ctx, s, t)
		}
		if err != nil && !frozenBy(err) {
			return nil, err
		}
		err = s.writable(t)
		if err == nil && s.unbegun(t) {
			err = errUnbegun()
		}
		if err != nil {
			frozen = append(frozen, FrozenLog{Org: t.org, Epoch: t.epoch, Err: err})
		}
	}
	return frozen, nil
}

// FrozenLog is a log in which nothing can be recorded, and why.
type FrozenLog struct {
	Org   OrgID
	Epoch int
	Err   error
}

func errUnbegun() error {
	return &Error{
		Code: CodeUnavailable, Rule: "log_frozen", Message: "this log is frozen: reads go on, nothing is recorded",
		Err: errors.New("a new epoch was begun and not finished: repeat daybook recover --new-epoch"),
	}
}
