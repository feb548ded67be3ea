package selfaudit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook"
)

// run records what waits until Close. It alone takes from waiting.
func (a *Auditor) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a.done.Go(func() { <-a.stop; cancel() })
	wait := time.Duration(0) // after a refusal
	for {
		next := a.endWindows(false)
		again := a.drain(ctx)
		switch {
		case again:
			wait = min(max(2*wait, 50*time.Millisecond), 10*time.Second)
			timer.Reset(wait)
		case next.IsZero():
			wait = 0
			timer.Reset(time.Hour)
		default:
			wait = 0
			timer.Reset(max(next.Sub(a.now()), time.Second)) // windows end together, not one by one
		}
		select {
		case <-a.stop:
			return
		case <-timer.C:
		case <-a.woken(again):
		}
	}
}

// woken is the channel of wake, unless the Book has just refused: then only time helps.
func (a *Auditor) woken(refused bool) <-chan struct{} {
	if refused {
		return nil
	}
	return a.wake
}

// maxTries is how often a batch is tried that fails without a reason that says whether it ever can be recorded: for some minutes. One
// that the Book is too busy for is tried until Close.
const maxTries = 30

// drain records what waits, a batch of one log after the other, and reports whether to try again later.
func (a *Auditor) drain(ctx context.Context) (again bool) {
	for {
		some := a.peek()
		if len(some) == 0 {
			return false
		}
		err := a.record(ctx, some[0].org, some)
		if err != nil && transient(err) && a.tries < maxTries {
			if daybook.CodeOf(err) != daybook.CodeOverloaded {
				a.tries++
			}
			a.mu.Lock()
			a.taken = 0
			a.mu.Unlock()
			return true
		}
		a.tries = 0
		a.mu.Lock()
		if err != nil {
			for i := range some {
				a.lose(&some[i], err.Error())
			}
		}
		a.waiting, a.taken = a.waiting[len(some):], 0
		if len(a.waiting) == 0 {
			a.waiting = nil // lets go of what was recorded
		}
		a.mu.Unlock()
	}
}

// peek returns the events at the head of those that wait, as far as they are of one log.
func (a *Auditor) peek() []entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for n < len(a.waiting) && n < batch && a.waiting[n].org == a.waiting[0].org {
		n++
	}
	a.taken = n
	return a.waiting[:n:n]
}

// transient says that the same events may be taken later: the Book is busy, nobody knows whether it has them (their ids make the
// repeat safe), or the server is stopping and Close tries once more.
func transient(err error) bool {
	_, coded := errors.AsType[*daybook.Error](err)
	return daybook.CodeOf(err) == daybook.CodeOverloaded || !coded
}

// record records events of one log, all or none.
func (a *Auditor) record(ctx context.Context, org daybook.OrgID, some []entry) error {
	r := daybook.Request{Internal: true}
	for i := range some {
		text, err := json.Marshal(some[i].event)
		if err != nil {
			return &daybook.Error{Code: daybook.CodeInvalid, Message: "the event " + some[i].event.Action + " cannot be written", Err: err}
		}
		r.Events = append(r.Events, text)
	}
	if _, err := a.to.RecordJSON(ctx, org, r); err != nil {
		return fmt.Errorf("record %s in the log of %s: %w", some[0].event.Action, org, err)
	}
	a.mu.Lock()
	a.stats.Recorded += int64(len(some))
	a.mu.Unlock()
	return nil
}

// Close ends every window, records what waits as far as the Book takes it until ctx ends, and logs the rest. What is noted later is
// logged at once. Call it after the last request and before the Book closes.
func (a *Auditor) Close(ctx context.Context) {
	if a == nil {
		return
	}
	close(a.stop)
	a.done.Wait()
	a.endWindows(true)
	for wait := 10 * time.Millisecond; a.drain(ctx) && ctx.Err() == nil; wait = min(2*wait, time.Second) {
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for i := range a.waiting {
		a.lose(&a.waiting[i], "the server stops")
	}
	a.waiting = nil
}
