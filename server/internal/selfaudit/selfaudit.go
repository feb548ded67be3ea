// Package selfaudit records in a log what is done to it through the server: who looked at it, who took a copy, who made a key. Its
// events are entries like any other, with actions that begin with "daybook." and that nobody else may record.
package selfaudit

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
)

// Recorder is what an Auditor asks of a [daybook.Book].
type Recorder interface {
	RecordJSON(ctx context.Context, org daybook.OrgID, r daybook.Request) (daybook.Result, error)
}

// Options is how an Auditor works.
type Options struct {
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // what could not be recorded is logged here, at the level error; nil: nothing is logged
	Window time.Duration    // how long the equal looks of one principal are one; 0: five minutes
	Each   bool             // every look is an event of its own
	Blind  bool             // looks are not recorded at all
}

// The limits of what waits in memory. They bound what a reader can do who asks another question every time.
const (
	maxLooks   = 10_000 // looks that are remembered, so that the next equal one is no event
	maxWaiting = 4_096  // events that wait to be recorded
	maxCrowds  = 4_096  // principals whose looks are only counted
	batch      = 100    // events recorded in one request

	patience = 3 * time.Second // how long an act that has happened keeps its caller
)

// Auditor records acts and looks. Safe for concurrent use; the nil Auditor records nothing.
//
// An act (Did) is durable before it happens, so that nothing is made that the log does not know. One that must happen whatever
// becomes of its event (After) is recorded when it has happened, before its answer unless the Book is busy. A look (Saw) never waits and never fails: it is recorded behind the answer. The first
// of equal looks is recorded at once, the others within the window are summed up in one event at its end.
//
// On overload, that is when the Book takes no events or somebody asks thousands of different questions, looks are only counted, by
// principal and action, and the counts are recorded as soon as there is room: who looked, how often and how far is kept, what exactly
// was asked is not. What cannot be recorded at all (a frozen log, a shutdown without room) is logged as an error, event by event, and
// counted in Stats.Lost. A crash loses the looks of its last moments, the sums of open windows, and acts that waited for a busy Book.
type Auditor struct {
	to  Recorder
	now func() time.Time
	log *slog.Logger
	o   Options

	mu       sync.Mutex
	looks    map[same]*look     // first look of each, until its window ends
	crowds   map[principal]*sum // what could only be counted
	waiting  []entry
	stats    Stats
	deadline time.Time // when the next window ends; zero: none is open
	closed   bool

	taken int // of waiting, those being recorded; guarded by mu

	tries int // of the batch at the head; owned by run, then by Close

	wake chan struct{} // one place: something waits, or a window has opened
	stop chan struct{}
	done sync.WaitGroup
}

// Stats counts since New.
type Stats struct {
	Recorded int64 // events recorded
	Lost     int64 // events that were logged instead
	Waiting  int64 // events that wait now
}

// entry is an event on its way into a log. Its id is given here, so that recording it again after an unknown outcome is no second one.
type entry struct {
	org   daybook.OrgID
	event daybook.Event
}

// New returns an Auditor that records with to until Close.
func New(to Recorder, o Options) *Auditor {
	a := &Auditor{
		to: to, now: o.Now, log: o.Logger, o: o, looks: map[same]*look{}, crowds: map[principal]*sum{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	if a.now == nil {
		a.now = time.Now //nolint:forbidigo // the default of an option
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.o.Window == 0 {
		a.o.Window = 5 * time.Minute
	}
	a.done.Go(a.run)
	return a
}

// Did records an act in the log of org: durable when it returns nil. Any error is that of [daybook.Book.RecordJSON], and whoever calls
// it before the act leaves the act undone.
func (a *Auditor) Did(ctx context.Context, org daybook.OrgID, act daybook.Event) error {
	if a == nil {
		return nil
	}
	return a.record(ctx, org, []entry{a.entry(org, act)})
}

// After records an act that has happened and cannot be undone for want of an event, such as the end of a key: durable on return,
// unless the Book does not take it within some seconds. Then it waits its turn; how many may wait is not bounded, since such acts
// are rare. That ctx ends does not matter.
func (a *Auditor) After(ctx context.Context, org daybook.OrgID, act daybook.Event) {
	if a == nil {
		return
	}
	e := a.entry(org, act)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := a.record(ctx, org, []entry{e})
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
	case transient(err):
		a.push(e)
	default:
		a.lose(&e, err.Error())
	}
}

// Later records an act that has happened behind the caller, who waits for nothing: it must not be lost more than a look must.
func (a *Auditor) Later(org daybook.OrgID, act daybook.Event) {
	if a == nil {
		return
	}
	e := a.entry(org, act)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.push(e)
}

// entry completes an event: its id, if it has none, when it happened, how it ended.
func (a *Auditor) entry(org daybook.OrgID, e daybook.Event) entry {
	if e.ID.IsZero() {
		e.ID = daybook.NewID()
	}
	if e.OccurredAt.IsZero() {
		e.OccurredAt = a.now()
	}
	if e.Outcome == "" {
		e.Outcome = daybook.Success
	}
	return entry{org, e}
}

// push lets an event wait, or logs it when nobody records any more. The caller holds mu.
func (a *Auditor) push(e entry) {
	if a.closed {
		a.lose(&e, "the server has stopped")
		return
	}
	a.waiting = append(a.waiting, e)
	a.rouse()
}

func (a *Auditor) rouse() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// lose logs an event that no log will hold. The line has what the event would have had, but for its metadata. The caller holds mu.
func (a *Auditor) lose(e *entry, why string) {
	a.stats.Lost++
	var target string
	if len(e.event.Targets) > 0 {
		target = e.event.Targets[0].Type + ":" + e.event.Targets[0].ID
	}
	a.log.Error("self-audit event lost", slog.String("reason", why), slog.String("org", string(e.org)),
		slog.String("action", e.event.Action), slog.String("outcome", string(e.event.Outcome)), slog.String("actor", e.event.Actor.Type+":"+e.event.Actor.ID),
		slog.String("target", target), slog.Time("occurred_at", e.event.OccurredAt), slog.String("request_id", e.event.Context.RequestID))
}

// Silence forgets what waits to be recorded in the log of org, and who looked at it: the organization is being erased.
func (a *Auditor) Silence(org daybook.OrgID) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.looks, func(is same, _ *look) bool { return is.org == org })
	maps.DeleteFunc(a.crowds, func(who principal, _ *sum) bool { return who.org == org })
	kept := slices.Clone(a.waiting[:a.taken])
	for _, e := range a.waiting[a.taken:] {
		if e.org != org {
			kept = append(kept, e)
		}
	}
	a.waiting = kept
}

// Stats returns the counts.
func (a *Auditor) Stats() Stats {
	if a == nil {
		return Stats{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.stats
	s.Waiting = int64(len(a.waiting))
	return s
}
