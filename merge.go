package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daybook-audit/daybook/internal/kept"
)

// merger turns the tails of all shards into blocks, in one goroutine. It holds no lock of a shard while it works: it takes a picture
// of the tail (cutTail), and tells the shard what became of it (setFolded, trimmed).
type merger struct {
	b     *Book
	wakes chan struct{} // one slot
	stop  context.CancelFunc
	done  chan struct{} // closed when run has returned

	owed         atomic.Int64            // entries in finished windows of several pieces
	pendingCount atomic.Int64            // removals that are not carried out
	pendingLogs  atomic.Pointer[[]LogNo] // those they are in
	released     atomic.Bool             // a hold was, since the merger looked

	// mu is held by whoever merges: run, one step at a time, or settle. It owns everything below.
	mu         sync.Mutex
	builder    blockBuilder
	entries    []kept.Entry // of the part of the tail being folded
	older      []kept.Entry // of the blocks being rewritten, and of that part
	slice      mergeSlice
	open       map[LogNo][]piece // the pieces of each log's last, unfinished window, as far as known
	openPieces int               // sum of their numbers
	days       map[dayRef]string // day slips as they are stored; empty: there is none
	stale      map[LogNo]*shard  // logs whose folded head is to be read again after a failure
	again      bool              // a cut failed before its end
	debts      debts
	survey     survey
	removals   pendingRemovals
	drops      drops
	load       load

	closedMu sync.Mutex
	closed   []Head             // guarded by closedMu: logs that were closed since the merger looked
	lookAt   map[LogNo]struct{} // guarded by closedMu: logs that another process has changed since

	// Of a store of several processes. All but lease are guarded by mu.
	lease     *lease          // nil: no other process merges
	holds     bool            // this process does
	begun     chan struct{}   // closed when it does
	ended     chan struct{}   // closed when it did
	turns     map[LogNo]int64 // in which the logs being changed are, as far as planned
	lastTurns map[LogNo]int64 // in which this process has left, or seen, logs
}

func newMerger(b *Book) *merger {
	m := &merger{
		b: b, wakes: make(chan struct{}, 1), done: make(chan struct{}), open: map[LogNo][]piece{}, days: map[dayRef]string{},
		stale: map[LogNo]*shard{}, slice: mergeSlice{days: map[dayRef]*dayCounts{}, times: 1}, debts: newDebts(),
		begun: make(chan struct{}), turns: map[LogNo]int64{}, lastTurns: map[LogNo]int64{},
	}
	if b.fleet != nil {
		m.slice.times = fleetSlices
		m.lease = b.fleet.lease(leaseMerge)
		m.lease.yields = true
	}
	return m
}

// start begins to merge.
func (m *merger) start() {
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	go m.live(ctx)
}

// close stops merging and waits for the step under way. What is not merged stays in the commits.
func (m *merger) close() {
	m.stop()
	<-m.done
}

// wake says that something was committed.
func (m *merger) wake() {
	select {
	case m.wakes <- struct{}{}:
	default:
	}
}

// debt returns the number of entries that lie in pieces although their window is finished.
func (m *merger) debt() int64 { return m.owed.Load() }

// run merges until ctx ends. A failure is logged and the step repeated, later each time; the tail grows meanwhile, and admission
// slows down by itself.
func (m *merger) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failures := 0
	for ctx.Err() == nil {
		worked, err := m.step(ctx)
		wakes, wait := m.wakes, time.Duration(0)
		switch {
		case ctx.Err() != nil, errors.Is(err, errLeaseLost):
			return
		case failures == 0 && errors.Is(err, ErrSwapped):
			failures++ // the plan was old: make another one
			continue
		case errors.Is(err, ErrBroken):
			m.b.fail(err)
			return
		case err != nil:
			failures++
			wakes, wait = nil, backoff(failures)
			m.b.o.Logger.ErrorContext(ctx, "merge failed", slog.Any("error", err), slog.Int("failures", failures), slog.Duration("retry_in", wait))
		case worked:
			failures = 0
			continue
		default:
			failures = 0
			wait = m.pause()
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-wakes:
		case <-timer.C:
		}
	}
}

// backoff returns how long to wait after so many failures in a row: 0.1 s to 30 s, by half up or down.
func backoff(failures int) time.Duration {
	d := min(100*time.Millisecond<<min(failures-1, 10), 30*time.Second)
	return d/2 + rand.N(d) //nolint:gosec // jitter
}

// step does one piece of work, or none when there is none to do now.
func (m *merger) step(ctx context.Context) (worked bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.leased(); err != nil {
		return false, err
	}
	now := m.b.now()
	again := m.again
	m.again = false
	for _, s := range m.b.shards {
		if again || s.due(&m.b.o, now) {
			worked = true
			err = errors.Join(err, m.mergePart(ctx, s, m.b.o.TailBytes)) // one shard does not hold up another
		}
	}
	m.again = err != nil
	if worked {
		return true, err
	}
	if worked, err := m.removeStep(ctx); worked || err != nil {
		return worked, err
	}
	if worked, err := m.dropStep(ctx); worked || err != nil {
		return worked, err
	}
	if m.owed.Load() > maxDebt || m.load.quiet(m.b, now) {
		return m.idle(ctx)
	}
	return false, nil
}

// pause returns how long there is nothing to do unless something is committed.
func (m *merger) pause() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.owed.Load() > 0 || !m.survey.done {
		return quietPeriod
	}
	wait := m.b.o.TailAge
	now := m.b.now()
	for _, in := range []time.Duration{m.removalsIn(now), m.dropsIn(now)} {
		if in >= 0 {
			wait = min(wait, in)
		}
	}
	for _, s := range m.b.shards {
		s.mu.RLock()
		if s.tailSince != 0 {
			wait = min(wait, time.Duration(s.tailSince-now)*time.Microsecond+m.b.o.TailAge)
		}
		s.mu.RUnlock()
	}
	return max(wait, time.Millisecond)
}

// settle merges everything committed so far, wherever, and works off the debt. Tests, benchmarks and backups call it; it may run beside run.
func (m *merger) settle(ctx context.Context) error {
	return m.alone(ctx, func() error {
		if m.lease != nil {
			if err := m.b.fleet.refreshAll(ctx); err != nil {
				return err
			}
		}
		return m.settleNow(ctx)
	})
}

func (m *merger) settleNow(ctx context.Context) error {
	for range 10 { // swapped plans are made again; nobody else swaps for long
		err := m.settleOnce(ctx)
		if !errors.Is(err, ErrSwapped) && !errors.Is(err, ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("settle: %w", ErrSwapped)
}

func (m *merger) settleOnce(ctx context.Context) error {
	for _, s := range m.b.shards {
		if err := m.mergeTail(ctx, s); err != nil {
			m.again = true
			return err
		}
	}
	m.again = false
	for {
		if worked, err := m.removeStep(ctx); err != nil {
			return err
		} else if !worked {
			break
		}
	}
	for {
		if worked, err := m.dropStep(ctx); err != nil {
			return err
		} else if !worked {
			break
		}
	}
	for {
		if worked, err := m.idle(ctx); err != nil || !worked {
			return err
		}
	}
}

// due reports whether the tail of s is to be merged.
func (s *shard) due(o *Options, now int64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.removes || s.tailBytes >= o.TailBytes || s.tailEntries >= o.TailEntries || s.tailSince != 0 && now-s.tailSince >= o.TailAge.Microseconds()
}

// intact reports whether no log of s that is kept is frozen because its commits contradict its head.
func (s *shard) intact() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.logs {
		if t.fault != nil && t.head.State != LogClosed {
			return false
		}
	}
	return true
}

// mergeTail folds everything that s has in its tail, and drops the commits.
func (m *merger) mergeTail(ctx context.Context, s *shard) error {
	return m.mergePart(ctx, s, math.MaxInt64)
}

// mergePart is mergeTail of the oldest commits, about so many bytes of them. A crash between two slices leaves some logs folded and
// the commits in place: the next start, like the next cut, goes on from each log's head. A crash between the last slice and the trim
// leaves commits that hold nothing new.
func (m *merger) mergePart(ctx context.Context, s *shard, bytes int64) error {
	if err := m.refresh(ctx, s); err != nil {
		return err
	}
	logs, through := s.cutTail(bytes)
	if through == 0 {
		return nil
	}
	defer m.dropScratch()
	if err := m.foldAll(ctx, s, logs); err != nil {
		m.forget(s)
		return err
	}
	if s.intact() { // else the store keeps every commit: those of a frozen log are its evidence, and are in no block
		if err := m.b.store.Trim(ctx, s.no, through, m.b.o.Now().Unix()/3600); err != nil {
			return fmt.Errorf("trim through commit %d: %w", through, err)
		}
	}
	s.trimmed(through)
	return nil
}

func (m *merger) foldAll(ctx context.Context, s *shard, logs []cutLog) error {
	for i := range logs {
		if err := m.fold(ctx, s, &logs[i]); err != nil {
			return fmt.Errorf("merge log %d: %w", logs[i].head.Log, err)
		}
	}
	return m.flush(ctx, s)
}

// dropScratch lets go of the tail that was merged.
func (m *merger) dropScratch() {
	clear(m.entries[:cap(m.entries)])
	clear(m.older[:cap(m.older)])
}

// forget drops the slice and what the merger believes about the store after a failure: it is read again. s is the shard whose heads
// the slice moves; rewrites move none.
func (m *merger) forget(s *shard) {
	if m.lease != nil { // another process may have changed anything
		defer clear(m.turns)
		defer clear(m.lastTurns)
		clear(m.open)
		m.openPieces = 0
	}
	for i := range m.slice.swaps {
		if m.slice.swaps[i].Fold != nil {
			m.stale[m.slice.swaps[i].Log] = s
		}
	}
	m.slice.reset()
	clear(m.days)
}

// refresh reads the folded heads of logs whose last Replace failed, of all shards, at least of next: it may have been written all the same.
func (m *merger) refresh(ctx context.Context, next *shard) error {
	if m.lease != nil && len(m.stale) > 0 {
		return m.refreshFleet(ctx, next)
	}
	for log, s := range m.stale {
		heads, err := m.b.store.LogHeads(ctx, []LogNo{log})
		if err != nil {
			return fmt.Errorf("read the head of log %d: %w", log, err)
		}
		s.mu.RLock()
		t := s.logs[log]
		moved := t != nil && heads[0].Packed > t.head.Packed
		s.mu.RUnlock()
		m.b.cache.drop(log)
		if moved {
			s.setFolded(heads[0])
			if err := m.findRemovals(ctx, log); err != nil {
				return err
			}
		}
		delete(m.stale, log)
	}
	return nil
}
