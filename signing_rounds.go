package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/daybook-audit/daybook/internal/anchors"
)

// start signs in the background.
func (g *signer) start() {
	ctx, cancel := context.WithCancel(context.Background())
	g.stop = cancel
	if g.b.fleet == nil {
		go g.run(ctx)
		return
	}
	g.lease, g.kept = g.b.fleet.lease(leaseSign), make(chan struct{})
	go g.keep(ctx)
	go g.answer(ctx)
}

// keep signs per interval while this process has the lease.
func (g *signer) keep(ctx context.Context) {
	defer close(g.kept)
	_ = g.lease.hold(ctx, func(ctx context.Context) error { // round logs what fails; hold returns when ctx has ended
		g.begin(ctx)
		g.intervals(ctx, nil)
		return nil
	})
}

// answer signs at once what this process has recorded and is to be signed so.
func (g *signer) answer(ctx context.Context) {
	defer close(g.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.wakes:
			g.round(ctx, g.takeSoon())
		}
	}
}

// close signs every changed log a last time and waits for it, and for the witnesses that are being told.
func (g *signer) close() {
	g.stop()
	<-g.done
	ctx := context.Background()
	if g.lease != nil {
		<-g.kept
		if g.lease.take(ctx) != nil {
			return // whoever has it signs what this process leaves
		}
		defer func() { _ = g.b.fleet.store.Lease(ctx, leaseSign, g.b.fleet.holder, 0) }() // it ends by itself
	}
	g.round(ctx, g.changed())
	g.anchor(ctx)
	if g.anchors != nil {
		g.anchors.Wait()
	}
}

// run signs what was signed before and changed since, then whatever changes, until ctx ends.
func (g *signer) run(ctx context.Context) {
	defer close(g.done)
	g.begin(ctx)
	g.intervals(ctx, g.wakes)
}

// intervals signs what changed per interval, and what is to be signed soon, until ctx ends.
func (g *signer) intervals(ctx context.Context, wakes <-chan struct{}) {
	tick := time.NewTicker(time.Duration(g.every) * time.Microsecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.round(ctx, g.changed())
			g.anchor(ctx)
		case <-wakes:
			g.round(ctx, g.takeSoon())
		}
	}
}

// begin looks at every log of the store: an old copy is found even if nobody writes to it, and what was recorded before a crash is
// signed.
func (g *signer) begin(ctx context.Context) {
	for h, err := range everyLog(ctx, g.b.store) {
		if err != nil {
			if g.failed(ctx, err) {
				g.b.o.Logger.ErrorContext(ctx, "list logs to sign", slog.Any("error", err))
			}
			return
		}
		if h.State != LogOpen {
			continue
		}
		s := g.b.shardOf(h.Org)
		t, err := s.open(ctx, h.Org, false)
		if err == nil && t == nil {
			continue // dropped meanwhile
		}
		if err == nil {
			err = g.b.vet(ctx, s, t)
		}
		if err != nil && g.failed(ctx, err) {
			g.b.o.Logger.ErrorContext(ctx, "compare a log with what was signed", slog.Any("error", err))
		}
	}
	g.round(ctx, g.changed())
}

// failed takes an error of the background, which may break the Book, and reports whether to log it: not if it comes from stopping.
func (g *signer) failed(ctx context.Context, err error) bool {
	if errors.Is(err, ErrBroken) {
		g.b.fail(err)
	}
	return ctx.Err() == nil
}

// round signs logs.
func (g *signer) round(ctx context.Context, logs map[*logTail]*shard) {
	begin, signed := g.b.o.Now(), 0
	for t, s := range logs {
		if ctx.Err() != nil {
			return
		}
		err := g.signChanged(ctx, s, t)
		if errors.Is(err, errHeld) {
			g.later(s, t)
			continue
		}
		if err != nil && !frozenBy(err) {
			err = fmt.Errorf("%s: %w", t.org, err)
			if g.failed(ctx, err) {
				g.b.o.Logger.ErrorContext(ctx, "sign a log", slog.Any("error", err))
			}
			if errors.Is(err, ErrBroken) {
				return
			}
			continue
		}
		signed++
	}
	if signed > 0 && g.b.metrics.Sign != nil {
		g.b.metrics.Sign(signed, g.b.o.Now().Sub(begin).Seconds())
	}
}

// signChanged signs t unless its newest checkpoint is that of its head.
func (g *signer) signChanged(ctx context.Context, s *shard, t *logTail) error {
	if err := t.sig.lock(ctx); err != nil {
		return err
	}
	defer t.sig.unlock()
	if err := g.vet(ctx, s, t); err != nil {
		return err
	}
	if err := s.writable(t); err != nil {
		return err
	}
	s.mu.RLock()
	changed := t.size > t.sig.size.Load()
	s.mu.RUnlock()
	if !changed {
		return nil
	}
	if done, err := g.signedElsewhere(ctx, s, t); done || err != nil {
		return err
	}
	_, err := g.sign(ctx, s, t)
	return err
}

// signedElsewhere reports whether another process has signed the head of t. The caller has the turn of t.
func (g *signer) signedElsewhere(ctx context.Context, s *shard, t *logTail) (bool, error) {
	if g.lease == nil {
		return false, nil
	}
	c, stored, err := g.b.storedNote(ctx, t, t.sig.size.Load()+1, newestSize)
	if err != nil || !stored {
		return false, err
	}
	s.mu.RLock()
	same := c.Size == t.size && c.Root == t.tree.Root()
	s.mu.RUnlock()
	if !same {
		return false, nil
	}
	t.sig.newest = c
	t.sig.size.Store(c.Size)
	g.anchorSoon(t, Mark{Size: c.Size, Root: c.Root, At: c.At.UnixMicro()})
	return true, nil
}

// changed returns the logs with entries beyond their newest checkpoint.
func (g *signer) changed() map[*logTail]*shard {
	logs := map[*logTail]*shard{}
	for _, s := range g.b.shards {
		s.mu.RLock()
		for _, t := range s.logs {
			if t.size > max(t.sig.size.Load(), 0) && t.frozen == nil && t.fault == nil && t.head.State == LogOpen {
				logs[t] = s
			}
		}
		s.mu.RUnlock()
	}
	return logs
}

// signSoon has t signed at once, in the background: a control entry was recorded.
func (g *signer) signSoon(s *shard, t *logTail) {
	g.later(s, t)
	g.again()
}

// later has t signed with what is to be signed soon.
func (g *signer) later(s *shard, t *logTail) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.soon[t] = s
}

// again looks for what is to be signed soon.
func (g *signer) again() {
	select {
	case g.wakes <- struct{}{}:
	default:
	}
}

func (g *signer) takeSoon() map[*logTail]*shard {
	g.mu.Lock()
	defer g.mu.Unlock()
	logs := g.soon
	g.soon = map[*logTail]*shard{}
	return logs
}

// anchorSoon puts a head of t into the next leaf of the anchor log.
func (g *signer) anchorSoon(t *logTail, m Mark) {
	if g.anchors == nil || m.Size == 0 { // of the empty log nothing is proved
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.Size >= g.toAnchor[t.no].Size {
		g.toAnchor[t.no] = anchors.Head{Tag: anchors.Tag(g.origin(t)), Size: m.Size, Root: m.Root, At: m.At}
	}
}

// anchor anchors what was signed since the last time. After a failure it is anchored with the next leaf.
func (g *signer) anchor(ctx context.Context) {
	g.mu.Lock()
	heads := g.toAnchor
	g.toAnchor = map[LogNo]anchors.Head{}
	g.mu.Unlock()
	if len(heads) == 0 || ctx.Err() != nil {
		return
	}
	err := ofAnchors(g.anchors.Append(ctx, slices.Collect(maps.Values(heads))))
	if err == nil {
		return
	}
	if g.failed(ctx, err) {
		g.b.o.Logger.ErrorContext(ctx, "anchor the checkpoints", slog.Any("error", err))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for no, h := range heads {
		if h.Size >= g.toAnchor[no].Size {
			g.toAnchor[no] = h
		}
	}
}
