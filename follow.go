package daybook

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/daybook-audit/daybook/internal/merkle"
	"github.com/daybook-audit/daybook/internal/packed"
)

// fleet is how a Book knows of the other processes that use its store: one goroutine watches where the shards stand and brings this
// process up to date, so that a read is behind the newest acknowledgement of another process by what Watch takes, and what others have
// merged, erased, frozen or dropped is neither held nor shown here.
type fleet struct {
	b      *Book
	store  Fleet
	holder string // this process, in leases
	stop   context.CancelFunc
	done   chan struct{} // closed when run has returned
}

// newFleet returns nil when nobody else can use the store.
func newFleet(b *Book) *fleet {
	store, ok := b.store.(Fleet)
	if !ok {
		return nil
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		panic(err) // crypto/rand.Read never returns an error
	}
	return &fleet{b: b, store: store, holder: hex.EncodeToString(id[:]), done: make(chan struct{})}
}

// begin notes from where on the shards tell of changes. It comes before their heads are read.
func (f *fleet) begin(ctx context.Context) error {
	places, err := f.store.Watch(ctx, nil)
	if err != nil {
		return fmt.Errorf("read where the shards stand: %w", err)
	}
	for _, s := range f.b.shards {
		s.mark = places[s.no].Moved
	}
	return nil
}

func (f *fleet) start() {
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	go f.run(ctx)
}

func (f *fleet) close() {
	f.stop()
	<-f.done
}

// run follows the store until ctx ends. While the store does not answer, reads go on with what is known, and commits find out by themselves.
func (f *fleet) run(ctx context.Context) {
	defer close(f.done)
	var seen []Place
	failures := 0
	for ctx.Err() == nil {
		places, err := f.store.Watch(ctx, seen)
		if err == nil {
			seen = places
			err = f.follow(ctx, places, followPatience)
		}
		if err == nil {
			failures = 0
			continue
		}
		if ctx.Err() != nil {
			return
		}
		seen = nil
		if errors.Is(err, errHeld) { // its sequencer asks the store all the time
			pause(ctx, againEvery)
			continue
		}
		failures++
		wait := backoff(failures)
		f.b.o.Logger.ErrorContext(ctx, "following the store failed", slog.Any("error", err), slog.Int("failures", failures), slog.Duration("retry_in", wait))
		pause(ctx, wait)
	}
}

// followPatience is how long a shard that is committing just now holds up those that are followed after it.
const followPatience = 250 * time.Millisecond

// follow brings every shard to its place, or further. It is errHeld when that is all that is wrong with any.
func (f *fleet) follow(ctx context.Context, places []Place, patience time.Duration) error {
	var held, errs error
	for _, s := range f.b.shards { // one that cannot be read does not hold up another
		err := s.follow(ctx, places[s.no], patience)
		switch {
		case errors.Is(err, errHeld):
			held = err
		case err != nil:
			errs = errors.Join(errs, fmt.Errorf("follow shard %d: %w", s.no, err))
		}
	}
	return cmp.Or(errs, held)
}

// refresh brings s up to everything that any process was told before the call.
func (f *fleet) refresh(ctx context.Context, s *shard) error {
	places, err := f.store.Watch(ctx, nil)
	if err == nil {
		err = s.follow(ctx, places[s.no], 0)
	}
	if err != nil {
		return fmt.Errorf("refresh shard %d: %w", s.no, err)
	}
	return nil
}

// refreshAll is refresh of every shard.
func (f *fleet) refreshAll(ctx context.Context) error {
	places, err := f.store.Watch(ctx, nil)
	if err != nil {
		return fmt.Errorf("read where the shards stand: %w", err)
	}
	return f.follow(ctx, places, 0)
}

// Consistent returns a context with which reads of a [Book] see everything that any process was told is recorded before the call of
// Consistent: entries, counts, proofs, checkpoints, holds. Without it they see what this process was told, and what others were told up to
// a moment ago, less than a second. It costs one question to the store for every shard that is read, once, and an error when the store does
// not answer it. Over a store of one process it costs nothing.
func Consistent(ctx context.Context) context.Context {
	return context.WithValue(ctx, freshnessKey{}, &freshness{})
}

type freshnessKey struct{}

// freshness is which shards were refreshed since a Consistent.
type freshness struct {
	mu   sync.Mutex
	done []*shard
}

// consistent refreshes s if ctx asks for it and nobody did for it yet.
func (s *shard) consistent(ctx context.Context) error {
	if s.b.fleet == nil {
		return nil
	}
	fresh, _ := ctx.Value(freshnessKey{}).(*freshness)
	if fresh == nil {
		return nil
	}
	fresh.mu.Lock()
	defer fresh.mu.Unlock()
	if slices.Contains(fresh.done, s) {
		return nil
	}
	err := s.b.fleet.refresh(ctx, s)
	if err == nil {
		fresh.done = append(fresh.done, s)
	}
	return err
}

// follow brings s to p, or further. It may be called by anybody but the sequencer. With patience it is errHeld when a commit is under way
// for longer.
func (s *shard) follow(ctx context.Context, p Place, patience time.Duration) error {
	select { // one reads for all
	case s.following <- struct{}{}:
		defer func() { <-s.following }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	behind := new(bool)
	if err := s.betweenSoon(ctx, patience, func() { // what this process is committing just now need not be read
		s.mu.RLock()
		defer s.mu.RUnlock()
		*behind = p.Last > s.last || p.Moved > s.mark
	}); err != nil || !*behind {
		return err
	}
	s.mu.RLock()
	moved := p.Moved > s.mark
	s.mu.RUnlock()
	err := s.sync(ctx, moved, func(apply func() error) error {
		result := new(error)
		if err := s.betweenSoon(ctx, patience, func() { *result = apply() }); err != nil {
			return err // nobody looks at what apply returns
		}
		return *result
	})
	s.announce()
	return err
}

// turn runs what changes the tail between two commits, and returns its error.
type turn func(apply func() error) error

// inline is the turn of the sequencer itself.
func inline(apply func() error) error { return apply() }

// catchUp applies what others did, so that the next commit is prepared on top of it. Only the sequencer calls it, or load before it runs.
func (s *shard) catchUp(ctx context.Context) error { return s.sync(ctx, false, inline) }

// sync applies the commits that others made and, with moved or when a log was frozen or closed since, what became of the logs.
func (s *shard) sync(ctx context.Context, moved bool, in turn) error {
	tail, err := s.takeCommits(ctx, in)
	if err != nil || s.b.fleet == nil {
		return err
	}
	s.mu.RLock()
	since, states := s.mark, s.states
	s.mu.RUnlock()
	if !moved && states == tail.States {
		return nil
	}
	heads, now, err := s.b.fleet.store.Moved(ctx, s.no, since)
	if err != nil {
		return fmt.Errorf("read which logs moved: %w", err)
	}
	// What these heads say is folded was committed before, and a hold that raised a turn was too: whoever sees the heads has seen that.
	if _, err := s.takeCommits(ctx, in); err != nil {
		return err
	}
	return in(func() error {
		s.takeHeads(heads)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.mark, s.states = max(s.mark, now), max(s.states, tail.States)
		return nil
	})
}

// skip goes on behind commits that were merged and trimmed before this process saw them: from the heads that they were folded into.
func (s *shard) skip(ctx context.Context, in turn) error {
	tail, err := s.b.store.Tail(ctx, s.no, newestCommit, 1)
	if err != nil {
		return fmt.Errorf("read the tail: %w", err)
	}
	s.mu.RLock()
	since := s.mark
	s.mu.RUnlock()
	heads, now, err := s.b.fleet.store.Moved(ctx, s.no, since) // after Merged was read: all of it is folded here
	if err != nil {
		return fmt.Errorf("read which logs moved: %w", err)
	}
	return in(func() error {
		s.mu.Lock()
		if s.last >= tail.Merged {
			s.mu.Unlock()
			return nil // somebody else did
		}
		s.b.o.Logger.WarnContext(ctx, "commits were merged before this process saw them", slog.Int("shard", s.no), slog.Int64("from", int64(s.last)), slog.Int64("to", int64(tail.Merged)))
		s.skips++
		s.last, s.merged, s.signed = tail.Merged, max(s.merged, tail.Merged), max(s.signed, tail.Signed)
		// The filter knows no id of what was skipped, wherever that went.
		s.ids.Miss(s.b.now())
		s.mu.Unlock()
		s.takeHeads(heads)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.mark = max(s.mark, now)
		for _, t := range s.logs {
			t.unseen = max(t.unseen, t.received)
		}
		s.dropFolded()
		return nil
	})
}

// takeHeads takes over what other processes did to logs. It runs between two commits.
func (s *shard) takeHeads(heads []Head) {
	var closed []Head
	for i := range heads {
		h := &heads[i]
		s.mu.RLock()
		t := s.logs[h.Log]
		known := t != nil && h.Org != "" && h.Turn == t.head.Turn && h.Packed == t.head.Packed && h.State == t.head.State
		wasClosed := t != nil && t.head.State == LogClosed
		s.mu.RUnlock()
		if known { // this process did it
			continue
		}
		// Before the head: whoever sees the new one must not find old blocks, and what was erased is in no cache.
		s.b.forgetLog(h.Log)
		switch {
		case h.Org == "":
			s.dropped(h.Log)
			continue
		case h.State == LogClosed && !wasClosed:
			closed = append(closed, *h)
		case h.State != LogClosed:
			s.b.merger.lookAgain(h.Log)
		}
		s.takeHead(h)
	}
	if len(closed) > 0 {
		s.b.merger.dropSoon(closed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropFolded()
}

// takeHead is takeHeads of one that is there.
func (s *shard) takeHead(h *Head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, newest := s.logs[h.Log], s.orgs[h.Org]
	if t == nil {
		if h.State == LogOpen && newest != nil && newest.epoch < h.Epoch {
			s.addLog(*h) // the next epoch of a log that is in use here
		}
		return
	}
	switch {
	case h.State == LogClosed:
		s.closeLog(t)
	case h.State == LogOpen && (newest == nil || newest.epoch < h.Epoch):
		s.orgs[h.Org] = t
	}
	if t.fault == nil && h.Packed > t.size { // what was skipped
		t.size, t.received, t.controls, t.unseen, t.emptyAt = h.Packed, h.LastReceived, h.Packed, h.LastReceived, 0
		t.ahead = max(t.ahead, h.IDAhead)
		t.tree = merkle.Frontier{Size: h.Packed, Hashes: slices.Clone(h.Frontier)}
	}
	s.setHead(t, *h)
}

// dropFolded lets go of commits of which everything is in blocks. The caller holds mu.
func (s *shard) dropFolded() {
	n := slices.IndexFunc(s.commits, func(c *tailCommit) bool {
		return slices.ContainsFunc(c.Runs, func(r packed.Run) bool {
			t := s.logs[LogNo(r.Log)]
			return t != nil && t.fault == nil && r.First+int64(r.Count) > t.head.Packed
		})
	})
	if n < 0 {
		n = len(s.commits)
	}
	s.letGo(n)
	if len(s.commits) == 0 {
		s.tailSince, s.removes = 0, false
	}
	s.madeRoom()
}

// forgetLog drops everything that was read of the blocks of a log.
func (b *Book) forgetLog(log LogNo) {
	b.cache.forget(log)
	b.nodes.ForgetRuns(int64(log))
	b.actsMu.Lock()
	a := b.actsOf[log]
	b.actsMu.Unlock()
	if a != nil {
		a.doubted.Store(true)
	}
}
