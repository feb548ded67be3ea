package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/anchors"
	"github.com/daybook-audit/daybook/internal/checkpoint"
)

// The steps are those of docs/reference/integrity.md, section 5.

// signer makes the checkpoints of all logs, on demand and per interval.
type signer struct {
	b     *Book
	clock *checkpoint.Key
	every int64 // µs

	wakes chan struct{} // one slot: soon has something
	stop  context.CancelFunc
	done  chan struct{} // closed when run has returned

	anchors *anchors.Log // nil: there is none

	lease *lease        // nil: no other process signs
	kept  chan struct{} // closed when keep has returned

	mu       sync.Mutex
	soon     map[*logTail]*shard    // to be signed at once
	toAnchor map[LogNo]anchors.Head // signed and not anchored
}

// logSigning is what this process knows of one log's checkpoints.
type logSigning struct {
	vetted atomic.Bool  // the log was compared with its mark, once
	size   atomic.Int64 // of the newest checkpoint of this process or before it; −1: none

	turn chan struct{} // one slot: of whoever vets or signs the log; guards what follows

	failed  error             // why the log could not be vetted when that was last tried, at
	at      time.Time         // of the monotonic clock
	mark    Mark              // of the high-water store when this process last looked, and found to be a head of this log
	newest  Checkpoint        // given out last; Note nil: none
	derived []*checkpoint.Key // the log's keys that were needed so far
}

// lock waits for the turn to vet or sign the log, or for the end of ctx. Whoever waited while the log could not be vetted gets the error of
// that: many who wait for a store that does not answer do not ask it one after the other.
func (l *logSigning) lock(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	default:
	}
	asked := monotonic()
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.failed != nil && l.at.After(asked) && !l.vetted.Load() {
		defer l.unlock()
		return l.failed
	}
	return nil
}

func (l *logSigning) unlock() { <-l.turn }

// newSigner returns nil when the options have no origin: nothing is signed.
func newSigner(b *Book) (*signer, error) {
	o := &b.o
	if o.Origin == "" && len(o.MasterKey) == 0 && o.HighWater == nil {
		return nil, nil
	}
	if err := checkKeys(o.Origin, o.MasterKey); err != nil {
		return nil, err
	}
	if o.HighWater == nil {
		return nil, &Error{Code: CodeInvalid, Rule: "high_water", Message: "Options.HighWater is not set: without it a restored copy would be signed"}
	}
	clock, err := checkpoint.NewKey(o.MasterKey, checkpoint.Clock, o.Origin+"/clock", 1)
	if err != nil {
		return nil, err
	}
	return &signer{
		b: b, clock: clock, every: o.SignEvery.Microseconds(), anchors: openAnchors(b), wakes: make(chan struct{}, 1), done: make(chan struct{}),
		soon: map[*logTail]*shard{}, toAnchor: map[LogNo]anchors.Head{},
	}, nil
}

// checkpoint returns the newest checkpoint of t, signing first if that is due.
func (g *signer) checkpoint(ctx context.Context, s *shard, t *logTail) (Checkpoint, error) {
	if err := t.sig.lock(ctx); err != nil {
		return Checkpoint{}, err
	}
	defer t.sig.unlock()
	err := g.vet(ctx, s, t)
	if err == nil {
		err = s.writable(t)
	}
	if frozenBy(err) && t.sig.newest.Note != nil {
		return t.sig.newest, nil
	}
	if err != nil {
		return Checkpoint{}, s.neverSigned(t, err)
	}
	s.mu.RLock()
	size := t.size
	s.mu.RUnlock()
	if c := &t.sig.newest; c.Note != nil && c.Size == size && g.b.now()-c.At.UnixMicro() < g.every {
		return *c, nil
	}
	return g.sign(ctx, s, t)
}

// neverSigned replaces err where waiting is in vain: an epoch that ended before it was signed gets no checkpoint any more.
func (s *shard) neverSigned(t *logTail, err error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !frozenBy(err) || t.head.State == LogOpen {
		return err
	}
	return &Error{
		Code: CodeNotFound, Rule: "never_signed", Err: err,
		Message: fmt.Sprintf("epoch %d of this log ended before it was ever signed: its entries are there, and nothing proves them to an outsider", t.epoch),
	}
}

// writable returns an *Error with the rule log_frozen if nothing may be appended to t or signed.
func (s *shard) writable(t *logTail) error {
	s.mu.RLock()
	cause, state := t.fault, t.head.State
	if cause == nil {
		cause = t.frozen
	}
	s.mu.RUnlock()
	if cause != nil || state != LogOpen {
		return &Error{Code: CodeUnavailable, Rule: "log_frozen", Message: "this log is frozen: reads go on, nothing is recorded", Err: cause}
	}
	return nil
}

// signedHead is what is signed: a log between two commits.
type signedHead struct {
	view view
	root tlog.Hash
	at   int64 // µs; from here on this process gives no entry of the shard an earlier time
}

// head takes a picture of t between two commits. When ctx ends first, the picture is still taken, and nobody looks at it.
func (g *signer) head(ctx context.Context, s *shard, t *logTail) (signedHead, error) {
	h := new(signedHead)
	err := s.between(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		h.view, h.root = s.viewOf(t), t.tree.Root()
		h.at = max(g.b.now(), t.received, t.sig.mark.At)
		s.signed = max(s.signed, h.at)
	})
	if err != nil {
		return signedHead{}, err
	}
	return *h, nil
}

// sign signs the head of t and stores the note. The caller has the turn of t and has vetted it.
//
// What a crash leaves behind: before the high-water mark is raised, nothing. After it, a mark that is ahead of every note: the next
// signing finds its own head, or one that extends it, and goes on. After the note is stored, a checkpoint that nobody was given: the
// log's signature of this head is always the same.
func (g *signer) sign(ctx context.Context, s *shard, t *logTail) (Checkpoint, error) {
	if err := g.retire(ctx, s, t); err != nil {
		return Checkpoint{}, err
	}
	return g.signHead(ctx, s, t)
}

// signHead is sign with the keys as they are.
func (g *signer) signHead(ctx context.Context, s *shard, t *logTail) (Checkpoint, error) {
	origin := g.origin(t)
	for refreshed := false; ; {
		h, err := g.head(ctx, s, t)
		if err != nil {
			return Checkpoint{}, fmt.Errorf("read the head of %s: %w", t.org, err)
		}
		old, marked, err := g.b.o.HighWater.Mark(ctx, origin)
		if err != nil {
			return Checkpoint{}, fmt.Errorf("read the high-water mark of %s: %w", t.org, err)
		}
		if old.Size > h.view.size && !refreshed { // another process signed what this one has not seen yet
			if err := g.refresh(ctx, s); err != nil {
				return Checkpoint{}, err
			}
			refreshed = true
			continue
		}
		keys, err := g.signers(ctx, s, t)
		if err != nil {
			return Checkpoint{}, err
		}
		if err := g.extends(ctx, s, t, &h, old, marked); err != nil {
			return Checkpoint{}, err
		}
		next := Mark{Size: h.view.size, Root: h.root, At: max(h.at, old.At)}
		err = g.b.o.HighWater.Advance(ctx, origin, old, next)
		if errors.Is(err, ErrMarkMoved) {
			continue // another node signed; what it signed is compared with our log now
		}
		if err != nil {
			return Checkpoint{}, fmt.Errorf("raise the high-water mark of %s: %w", t.org, err)
		}
		t.sig.mark = next
		return g.release(ctx, s, t, next, keys)
	}
}

// refresh brings s up to what other processes were told.
func (g *signer) refresh(ctx context.Context, s *shard) error {
	if g.b.fleet == nil {
		return nil
	}
	return g.b.fleet.refresh(ctx, s)
}

// release signs the head that the high-water mark m names, stores the note unless its size has one, and gives it out.
func (g *signer) release(ctx context.Context, s *shard, t *logTail, m Mark, keys []*checkpoint.Key) (Checkpoint, error) {
	c := Checkpoint{Org: t.org, Epoch: t.epoch, Size: m.Size, Root: m.Root, At: time.Unix(checkpoint.Seconds(m.At), 0).UTC()}
	var err error
	if c.Note, err = checkpoint.Sign(keys[0].Name(), m.Size, m.Root, keys, g.clock, c.At.Unix()); err != nil {
		return Checkpoint{}, fmt.Errorf("sign the head of %s: %w", c.Org, err)
	}
	if t.sig.size.Load() < m.Size { // else it has the same head and a later time: not stored
		err := g.b.store.PutNote(ctx, t.no, StoredNote{Size: m.Size, At: m.At, Note: c.Note})
		if err != nil && !errors.Is(err, ErrExists) {
			return Checkpoint{}, s.refusal(fmt.Errorf("store the checkpoint of %s: %w", c.Org, err))
		}
		g.anchorSoon(t, m)
	}
	t.sig.newest = c
	t.sig.size.Store(m.Size)
	return c, nil
}

// extends returns an error, and freezes t, unless h extends what was signed last.
func (g *signer) extends(ctx context.Context, s *shard, t *logTail, h *signedHead, m Mark, marked bool) error {
	if !marked {
		if t.sig.newest.Note != nil {
			return g.freeze(s, t, "rollback", "checkpoints are stored, and the high-water store knows none of this log")
		}
		return nil
	}
	if m.Size == t.sig.mark.Size && m.Root == t.sig.mark.Root && t.sig.vetted.Load() {
		return nil // this process has seen that it is a head of this log, which it has only appended to since
	}
	if m.Size > h.view.size {
		return g.freeze(s, t, "rollback", "a head of size %d was signed, and the log ends at %d", m.Size, h.view.size)
	}
	root := h.root
	if m.Size < h.view.size {
		var err error
		if root, err = g.b.tree(ctx, h.view).Root(m.Size); err != nil {
			return fmt.Errorf("compute the root of %s at size %d: %w", t.org, m.Size, err)
		}
	}
	if root != m.Root {
		return g.freeze(s, t, "fork", "the head that was signed at size %d has another root than this log has there", m.Size)
	}
	return nil
}

// freeze lets nothing be recorded or signed in t any more: its stored entries are not those that were signed. Nothing is written: as
// long as the two contradict each other, every later start finds it.
func (g *signer) freeze(s *shard, t *logTail, rule, format string, args ...any) error {
	cause := &Error{Code: CodeTampered, Rule: rule, Message: fmt.Sprintf(format, args...)}
	s.mu.Lock()
	first := t.frozen == nil
	if first {
		t.frozen = cause
	}
	s.mu.Unlock()
	if first {
		g.b.o.Logger.Error("log frozen: daybook.integrity.failed", slog.String("org", string(t.org)), slog.Int("epoch", t.epoch), slog.Any("error", cause))
		if g.b.metrics.Freeze != nil {
			g.b.metrics.Freeze(t.org, cause)
		}
	}
	return s.writable(t)
}

// vet compares t with what was signed of it, once, before anything is recorded or signed in it. The caller has the turn.
func (g *signer) vet(ctx context.Context, s *shard, t *logTail) error {
	if t.sig.vetted.Load() {
		return nil
	}
	err := g.compare(ctx, s, t)
	if err != nil && ctx.Err() == nil {
		t.sig.failed, t.sig.at = err, monotonic()
	}
	return err
}

// compare is vet of a log that was not compared yet.
func (g *signer) compare(ctx context.Context, s *shard, t *logTail) error {
	c, stored, err := g.b.storedNote(ctx, t, 0, newestSize)
	if err != nil {
		return err
	}
	m, marked, err := g.b.o.HighWater.Mark(ctx, g.origin(t))
	if err != nil {
		return fmt.Errorf("read the high-water mark of %s: %w", t.org, err)
	}
	if stored {
		t.sig.newest = c
		t.sig.size.Store(c.Size)
	}
	if s.writable(t) == nil {
		s.mu.RLock()
		behind := max(m.Size, c.Size) > t.size
		s.mu.RUnlock()
		if behind { // another process signed what this one has not seen yet
			if err := g.refresh(ctx, s); err != nil {
				return err
			}
		}
		var h signedHead
		s.mu.RLock()
		h.view, h.root = s.viewOf(t), t.tree.Root()
		s.mu.RUnlock()
		if err = g.extends(ctx, s, t, &h, m, marked); err == nil && stored && (c.Size != m.Size || c.Root != m.Root) {
			// It was signed and not marked, or is the last one stored before a crash: in either case a head of this log.
			err = g.extends(ctx, s, t, &h, Mark{Size: c.Size, Root: c.Root}, true)
		}
		if err != nil && !frozenBy(err) {
			return err
		}
		if err == nil {
			t.sig.mark = m
			s.notBefore(m.At)
			if stored && g.anchors != nil && g.anchors.Since(ctx, m.At) {
				g.anchorSoon(t, Mark{Size: c.Size, Root: c.Root, At: m.At})
			}
		}
	}
	t.sig.vetted.Store(true)
	return nil
}

// vet is called before something is recorded in t. It costs nothing after the first time.
func (b *Book) vet(ctx context.Context, s *shard, t *logTail) error {
	if b.signer == nil || t.sig.vetted.Load() {
		return nil
	}
	if err := t.sig.lock(ctx); err != nil {
		return err
	}
	defer t.sig.unlock()
	return b.signer.vet(ctx, s, t)
}

// notBefore lets no entry of the shard get an earlier time.
func (s *shard) notBefore(at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signed = max(s.signed, at)
}

// origin returns the origin of t.
func (g *signer) origin(t *logTail) string { return checkpoint.Origin(g.b.o.Origin, t.id) }

// signedSize returns the size of the newest checkpoint of t, by whatever process, and −1 when there is none. This process has seen the log
// as far when it returns. The caller has the turn of t.
func (g *signer) signedSize(ctx context.Context, s *shard, t *logTail) (int64, error) {
	size := t.sig.size.Load()
	if g.lease == nil {
		return size, nil
	}
	c, stored, err := g.b.storedNote(ctx, t, size+1, newestSize)
	if err != nil || !stored {
		return size, err
	}
	s.mu.RLock()
	behind := c.Size > t.size
	s.mu.RUnlock()
	if behind {
		err = g.refresh(ctx, s)
	}
	return c.Size, err
}

// info adds to l what is signed of t.
func (g *signer) info(ctx context.Context, s *shard, t *logTail, l LogInfo) (LogInfo, error) {
	if err := t.sig.lock(ctx); err != nil {
		return LogInfo{}, err
	}
	defer t.sig.unlock()
	if err := g.vet(ctx, s, t); err != nil && !frozenBy(err) {
		return LogInfo{}, err
	}
	keys, err := g.logKeys(ctx, s, t)
	if err != nil {
		return LogInfo{}, err
	}
	l.Origin, l.ClockVkey, l.SignEvery = g.origin(t), g.clock.Vkey(), g.b.o.SignEvery
	if l.SignedSize, err = g.signedSize(ctx, s, t); err != nil {
		return LogInfo{}, err
	}
	if g.anchors != nil {
		if l.AnchorVkey, err = g.anchors.Vkey(ctx); err != nil {
			return LogInfo{}, ofAnchors(err)
		}
	}
	for i := range keys {
		v := Vkey{Vkey: keys[i].Vkey(), Generation: keys[i].Generation(), State: KeyRetiring, Seq: keys[i].seq}
		switch {
		case keys[i].retired:
			v.State = KeyRetired
		case i == len(keys)-1:
			v.State = KeyCurrent
		}
		l.Keys = append(l.Keys, v)
	}
	return l, nil
}
