// Package daybooktest is for the tests of applications that record: a Clerk whose events are kept in memory, and what asks for them.
//
//	r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "org_acme"})
//	… what the application does with clerk …
//	daybooktest.RequireRecorded(t, r, daybooktest.Match{Action: "invoice.paid", TargetID: "42"})
package daybooktest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// epoch is the first time of a Recorder's clock.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

// Recorder keeps what is recorded in the memory of the test. It refuses what a log would refuse, and knows repeats: behind it is a
// *daybook.Book. It is safe for concurrent use.
type Recorder struct {
	book *daybook.Book

	mu     sync.Mutex
	events []daybook.Event
	fails  error
	now    time.Time
	ids    uint64
}

var _ daybook.Recorder = (*Recorder)(nil)

// New returns a Clerk with the options o and the Recorder that it records with. Its clock stands still at 2026-01-02T03:04:05.678Z, and its
// ids count from evt_01kdyak3see008000000000001, so that golden files hold; o.Now and o.NewID win. Both end with the test.
func New(t testing.TB, o daybook.ClerkOptions) (*Recorder, *daybook.Clerk) {
	t.Helper()
	r := &Recorder{now: epoch}
	if o.Now == nil {
		o.Now = r.Now
	}
	if o.NewID == nil {
		o.NewID = r.newID
	}
	book, err := daybook.Open(context.WithoutCancel(t.Context()), storetest.Memory(), daybook.Options{Now: o.Now})
	if err != nil {
		t.Fatalf("open a book in memory: %v", err)
	}
	r.book = book
	t.Cleanup(func() {
		if err := book.Close(); err != nil {
			t.Errorf("close the book in memory: %v", err)
		}
	})
	clerk, err := daybook.NewClerk(r, o)
	if err != nil {
		t.Fatalf("make a clerk: %v", err)
	}
	return r, clerk
}

// Record is part of daybook.Recorder.
func (r *Recorder) Record(ctx context.Context, org daybook.OrgID, e daybook.Event) (daybook.Receipt, error) {
	if err := r.failure(); err != nil {
		return daybook.Receipt{}, err
	}
	receipt, err := r.book.Record(ctx, org, e)
	if err == nil {
		r.keep(org, []daybook.Event{e}, []daybook.Receipt{receipt})
	}
	return receipt, err
}

// RecordBatch is part of daybook.Recorder.
func (r *Recorder) RecordBatch(ctx context.Context, org daybook.OrgID, es []daybook.Event) ([]daybook.Receipt, error) {
	if err := r.failure(); err != nil {
		return nil, err
	}
	receipts, err := r.book.RecordBatch(ctx, org, es)
	if err == nil {
		r.keep(org, es, receipts)
	}
	return receipts, err
}

func (r *Recorder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fails
}

// keep notes what was recorded for the first time.
func (r *Recorder) keep(org daybook.OrgID, es []daybook.Event, receipts []daybook.Receipt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range es {
		if !receipts[i].Duplicate {
			e.Org, e.ID = org, receipts[i].ID
			r.events = append(r.events, e)
		}
	}
}

// Events returns what was recorded so far, in the order of recording.
func (r *Recorder) Events() []daybook.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Book returns the book behind r, for what the application reads.
func (r *Recorder) Book() *daybook.Book { return r.book }

// Fail makes every later attempt to record fail with err; nil mends it. So a test sees what the application does without its log.
func (r *Recorder) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fails = err
}

// Now is the clock.
func (r *Recorder) Now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// Advance moves the clock.
func (r *Recorder) Advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// newID returns ids of one moment that count.
func (r *Recorder) newID() daybook.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids++
	id := daybook.ID{6: 0x70, 8: 0x80}
	for i, ms := 5, epoch.UnixMilli(); i >= 0; i, ms = i-1, ms>>8 {
		id[i] = byte(ms)
	}
	for i, n := 15, r.ids; i > 8; i, n = i-1, n>>8 {
		id[i] = byte(n)
	}
	return id
}
