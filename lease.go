package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// The leases of a Book. There is one of each for the whole store: the merger goes through the shards one after the other in one goroutine,
// its surveys, removals and drops know no shards, and a second process that merges would take the same two cores of the same database.
const (
	leaseMerge = "merge" // folds, rewrites, removes, drops
	leaseSign  = "sign"  // signs what changed per interval, and anchors it; on demand every process signs
)

// Why work under a lease is ended.
var (
	errLeaseLost   = errors.New("daybook: the lease was lost") // it has ended, and somebody else may have it
	errLeaseWanted = errors.New("daybook: another process waits for the lease")
)

// lease is one kind of work that one process at a time does for all.
type lease struct {
	f      *fleet
	name   string
	ttl    time.Duration
	yields bool          // it is handed over to a process in which somebody waits for it
	poke   chan struct{} // one slot: somebody waits for it
	wanted atomic.Int32  // how many do

	mu    sync.Mutex
	until time.Time // by the monotonic clock of this process; zero: not held
}

func (f *fleet) lease(name string) *lease {
	return &lease{f: f, name: name, ttl: f.b.o.LeaseTime, poke: make(chan struct{}, 1)}
}

// monotonic reads the clock that leases are held by: no other may be set back or forward, and a process that was stopped finds it moved on.
func monotonic() time.Time { return time.Now() } //nolint:forbidigo // Options.Now may be set; this one measures

// Alone calls work while no other process that uses the same store is in an Alone of that name, and returns what work returns. It waits for
// its turn. The context of work ends when the turn may have passed to another: when the store did not answer in time, or this process was
// stopped for longer than Options.LeaseTime. Work must then end soon; once it has, Alone waits for the next turn and calls it again. A turn
// of a process that died is taken over after Options.LeaseTime. The error is that of ctx when it ends while Alone waits.
//
// A turn keeps two from doing the same work; it does not keep a process that wakes up late from finishing a step. So each step compares
// what it replaces, as Documents do by their version. Over a store of one process work is called at once. The names merge and sign are the
// Book's own.
func (b *Book) Alone(ctx context.Context, name string, work func(ctx context.Context) error) error {
	if b.fleet == nil {
		return work(ctx)
	}
	return b.fleet.lease(name).hold(ctx, work)
}

// hold is Alone for this lease.
func (l *lease) hold(ctx context.Context, work func(ctx context.Context) error) error {
	for {
		if err := l.wait(ctx); err != nil {
			return err
		}
		lost, err := l.keep(ctx, work)
		if lost == nil {
			return err
		}
		l.f.b.o.Logger.WarnContext(ctx, "a lease has ended", slog.String("lease", l.name), slog.Any("error", lost))
		if errors.Is(lost, errLeaseWanted) && !pause(ctx, l.ttl/3) { // whoever waits comes first
			return context.Cause(ctx)
		}
	}
}

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// next is the lease of who is to have this one next.
func (l *lease) next() string { return l.name + ".next" }

// take takes or renews the lease. It ends, by this process's clock, no later than by the store's: it begins when the store is asked.
func (l *lease) take(ctx context.Context) error {
	asked := monotonic()
	if err := l.f.store.Lease(ctx, l.name, l.f.holder, l.ttl); err != nil {
		return fmt.Errorf("take the lease %s: %w", l.name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = asked.Add(l.ttl)
	return nil
}

// left returns for how long it is still held; at most 0: it is not.
func (l *lease) left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until.IsZero() {
		return 0
	}
	return l.until.Sub(monotonic())
}

// want has the lease asked for often, until done is called: somebody waits for what is done under it.
func (l *lease) want() (done func()) {
	l.wanted.Add(1)
	select {
	case l.poke <- struct{}{}:
	default:
	}
	return func() { l.wanted.Add(-1) }
}

// wait takes the lease as soon as it is free.
func (l *lease) wait(ctx context.Context) error {
	failures := 0
	for {
		err := l.take(ctx)
		if err == nil {
			return nil
		}
		if l.yields && l.wanted.Load() > 0 {
			_ = l.f.store.Lease(ctx, l.next(), l.f.holder, l.ttl) // who has the lease sees it; a failure only makes it later
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		wait := l.ttl/4 + rand.N(l.ttl/6) //nolint:gosec // jitter
		if !errors.Is(err, ErrLeaseHeld) {
			failures++
			wait = backoff(failures)
			l.f.b.o.Logger.ErrorContext(ctx, "waiting for a lease failed", slog.String("lease", l.name), slog.Any("error", err), slog.Duration("retry_in", wait))
		} else if l.wanted.Load() > 0 {
			wait = min(wait, 50*time.Millisecond)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-l.poke:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// keep calls work, renews the lease meanwhile, and gives it back. lost says why it ended while work ran, if it did.
func (l *lease) keep(ctx context.Context, work func(ctx context.Context) error) (lost, err error) {
	held, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	renewed := make(chan struct{})
	stop, stopped := context.WithCancel(held)
	go func() {
		defer close(renewed)
		l.renew(stop, cancel)
	}()
	go l.expire(stop, cancel)
	err = work(held)
	if cause := context.Cause(held); ctx.Err() == nil && (errors.Is(cause, errLeaseLost) || errors.Is(cause, errLeaseWanted)) {
		lost = cause
	} else if errors.Is(err, errLeaseLost) { // work found out first
		lost = errLeaseLost
	}
	stopped()
	<-renewed
	l.mu.Lock()
	l.until = time.Time{}
	l.mu.Unlock()
	if errors.Is(lost, errLeaseLost) {
		return lost, err
	}
	back, done := context.WithTimeout(context.WithoutCancel(ctx), l.ttl)
	defer done()
	if backErr := l.f.store.Lease(back, l.name, l.f.holder, 0); backErr != nil { // it ends by itself
		l.f.b.o.Logger.WarnContext(ctx, "giving a lease back failed", slog.String("lease", l.name), slog.Any("error", backErr))
	}
	return lost, err
}

// expire calls ended when the lease has ended by this process's clock, whether or not the store answers who renews it.
func (l *lease) expire(ctx context.Context, ended context.CancelCauseFunc) {
	for left := l.left(); left > 0; left = l.left() {
		if !pause(ctx, left) {
			return
		}
	}
	ended(errLeaseLost)
}

// renew renews the lease three times as often as it must, until ctx ends. When it could not in time, or somebody else has it or waits for
// it, it calls ended.
func (l *lease) renew(ctx context.Context, ended context.CancelCauseFunc) {
	for wait := l.ttl / 3; pause(ctx, min(wait, max(l.left(), 0))); {
		left := l.left()
		if left <= 0 {
			ended(errLeaseLost)
			return
		}
		try, cancel := context.WithTimeout(ctx, left)
		err := l.take(try)
		if err == nil && l.yields && l.wantedElsewhere(try) {
			err = errLeaseWanted
		}
		cancel()
		switch {
		case err == nil:
			wait = l.ttl / 3
		case errors.Is(err, errLeaseWanted):
			ended(err)
			return
		case errors.Is(err, ErrLeaseHeld):
			ended(errLeaseLost)
			return
		default:
			wait = l.ttl / 20
		}
	}
}

// wantedElsewhere reports whether somebody in another process waits for the lease.
func (l *lease) wantedElsewhere(ctx context.Context) bool {
	err := l.f.store.Lease(ctx, l.next(), l.f.holder, l.ttl)
	if err == nil {
		_ = l.f.store.Lease(ctx, l.next(), l.f.holder, 0) // it ends by itself
	}
	return errors.Is(err, ErrLeaseHeld)
}
