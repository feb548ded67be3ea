package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// alone calls f under the merger's mu, while this process merges: it waits until it does.
func (m *merger) alone(ctx context.Context, f func() error) error {
	if m.lease == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		return f()
	}
	defer m.lease.want()()
	for {
		m.mu.Lock()
		if m.holds {
			err := f()
			m.mu.Unlock()
			if !errors.Is(err, errLeaseLost) {
				return err
			}
			m.mu.Lock()
		}
		begun := m.begun
		if m.holds {
			begun = m.ended
		}
		m.mu.Unlock()
		select {
		case <-begun:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.done:
			return &Error{Code: CodeUnavailable, Rule: "closing", Message: "the log is being closed"}
		}
	}
}

// live merges while this process has the lease.
func (m *merger) live(ctx context.Context) {
	defer close(m.done)
	if m.lease == nil {
		m.run(ctx)
		return
	}
	_ = m.lease.hold(ctx, func(ctx context.Context) error { // run logs what fails; hold returns when ctx has ended
		m.begin(ctx)
		m.run(ctx)
		m.end()
		return m.leased()
	})
}

// begin forgets everything that the merger believed when it had the lease last, and begins as after a start.
func (m *merger) begin(ctx context.Context) {
	if err := m.b.fleet.refreshAll(ctx); err != nil && ctx.Err() == nil { // what is old is found by comparing
		m.b.o.Logger.WarnContext(ctx, "the merger begins with what is known", slog.Any("error", err))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetAll()
	m.again, m.debts, m.survey, m.drops = false, newDebts(), survey{}, drops{}
	m.removals.queue, m.removals.surveyed, m.removals.after = nil, false, 0
	m.owed.Store(0)
	m.countRemovals()
	m.closedMu.Lock()
	m.closed, m.lookAt = nil, nil
	m.closedMu.Unlock()
	m.holds, m.ended = true, make(chan struct{})
	close(m.begun)
}

// end says that this process does not merge any more.
func (m *merger) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holds, m.begun = false, make(chan struct{})
	close(m.ended)
	m.removals.queue = nil
	m.owed.Store(0)
	m.countRemovals()
}

// forgetAll drops what the merger believes about the store.
func (m *merger) forgetAll() {
	m.slice.reset()
	clear(m.days)
	clear(m.open)
	clear(m.stale)
	clear(m.turns)
	clear(m.lastTurns)
	m.openPieces = 0
}

// leased returns an error when the lease has ended: a process that was stopped finds out by itself, before it goes on.
func (m *merger) leased() error {
	if m.lease != nil && m.lease.left() <= 0 {
		return errLeaseLost
	}
	return nil
}

// lookAgain has the merger find out whether something is to be removed from a log that another process has folded, if it merges.
func (m *merger) lookAgain(log LogNo) {
	m.closedMu.Lock()
	defer m.closedMu.Unlock()
	if m.lookAt == nil {
		m.lookAt = map[LogNo]struct{}{}
	}
	m.lookAt[log] = struct{}{}
}

// takeLookAt finds removals in the logs that another process has changed.
func (m *merger) takeLookAt(ctx context.Context) error {
	m.closedMu.Lock()
	logs := m.lookAt
	m.lookAt = nil
	m.closedMu.Unlock()
	for log := range logs {
		if err := m.findRemovals(ctx, log); err != nil {
			m.lookAgain(log)
			return err
		}
		delete(logs, log)
	}
	return nil
}

// plan begins to change the log of h: what was read of it in an earlier turn is read again.
func (m *merger) plan(h *Head) {
	if h.Turn == 0 {
		return // nobody else changes it
	}
	if last, ok := m.lastTurns[h.Log]; ok && last != h.Turn {
		m.forgetOpen(h.Log)
		clear(m.days)
	}
	m.turns[h.Log], m.lastTurns[h.Log] = h.Turn, h.Turn
}

// takeTurns says of each swap in which turn it was planned.
func (m *merger) takeTurns(swaps []Swap) {
	for i := range swaps {
		if turn := m.turns[swaps[i].Log]; turn != 0 {
			swaps[i].Turn = turn
			m.turns[swaps[i].Log]++
		}
	}
}

// turned notes the turn that a swap has left its log in.
func (m *merger) turned(swap *Swap) {
	if swap.Turn == 0 {
		return
	}
	m.lastTurns[swap.Log] = swap.Turn + 1
	for _, s := range m.b.shards {
		s.turned(swap.Log, swap.Turn+1)
	}
}

// refreshFleet is refresh of s in a store of several processes, which tells what became of every log.
func (m *merger) refreshFleet(ctx context.Context, s *shard) error {
	for log, of := range m.stale {
		err := m.b.fleet.refresh(ctx, of)
		if errors.Is(err, errHeld) && of != s {
			continue // one shard does not hold up another
		}
		if err != nil {
			return err
		}
		if err := m.findRemovals(ctx, log); err != nil {
			return err
		}
		delete(m.stale, log)
	}
	return nil
}

// freshView is viewOf with everything that other processes were told before the turn of its head was read. A hold that they placed is in it,
// or raises the turn of the log later: then what is planned now is not applied.
func (m *merger) freshView(ctx context.Context, log LogNo) (view, error) {
	if m.lease == nil {
		return m.viewOf(ctx, log)
	}
	v, err := m.viewOf(ctx, log)
	if err != nil {
		return view{}, err
	}
	turn := v.head.Turn
	if err := m.b.fleet.refresh(ctx, m.b.shardOf(v.head.Org)); err != nil {
		return view{}, err
	}
	if v, err = m.viewOf(ctx, log); err == nil && v.head.Turn != turn {
		err = fmt.Errorf("log %d went from turn %d to %d: %w", log, turn, v.head.Turn, ErrSwapped)
	}
	return v, err
}
