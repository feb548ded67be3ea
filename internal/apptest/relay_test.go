package apptest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybooktest"
)

// write puts events into the outbox of b, a transaction each.
func write(t *testing.T, b base, clerk *daybook.Clerk, events ...daybook.Event) {
	t.Helper()
	for _, e := range events {
		err := b.inTx(t.Context(), func(ctx context.Context, tx daybook.Tx) error {
			_, err := clerk.RecordTx(ctx, tx, e)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// subjects returns the first target's id of each recorded event.
func subjects(r *daybooktest.Recorder) (ids []string) {
	for _, e := range r.Events() {
		ids = append(ids, e.Targets[0].ID)
	}
	return ids
}

func drain(t *testing.T, relay *daybook.Relay, want int) {
	t.Helper()
	if n, err := relay.Drain(t.Context()); err != nil || n != want {
		t.Errorf("moved %d: %v; want %d", n, err, want)
	}
}

// fickle is a Recorder whose answers a test decides.
type fickle struct {
	*daybooktest.Recorder
	mu     sync.Mutex
	before func(org daybook.OrgID, es []daybook.Event) error // the answer instead of recording
	after  func() error                                      // the answer after recording
	calls  []int                                             // events in each call
}

func (f *fickle) RecordBatch(ctx context.Context, org daybook.OrgID, es []daybook.Event) ([]daybook.Receipt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, len(es))
	if f.before != nil {
		if err := f.before(org, es); err != nil {
			return nil, err
		}
	}
	rs, err := f.Recorder.RecordBatch(ctx, org, es)
	if err == nil && f.after != nil {
		if err := f.after(); err != nil {
			return nil, err
		}
	}
	return rs, err
}

// TestRelay_order: the events of an org arrive in the order of writing, in batches, and small enough for a server.
func TestRelay_order(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		to := &fickle{Recorder: r}
		var want []string
		for i := range 30 {
			e := paid(strconv.Itoa(i))
			if i%3 == 0 {
				e.Org = "other"
				e.Reason = strings.Repeat("x", 2000)
			}
			write(t, b, clerk, e)
		}
		for _, rest := range [][]int{{1, 2}, {0}} { // acme's come first in no batch: 0 is other's
			for i := range 30 {
				if i%3 == rest[0] || len(rest) > 1 && i%3 == rest[1] {
					want = append(want, strconv.Itoa(i))
				}
			}
		}
		drain(t, daybook.NewRelay(b.outbox(), to, daybook.RelayOptions{Batch: 12, Now: r.Now}), 30)
		var got []string
		for _, org := range []daybook.OrgID{"acme", "other"} {
			for _, e := range r.Events() {
				if e.Org == org {
					got = append(got, e.Targets[0].ID)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if n := len(to.calls); n != 6 {
			t.Errorf("%d calls for 30 events of two orgs in batches of 12: %v", n, to.calls)
		}
	})
}

// TestRelay_bytes: a call stays below what a server takes, whatever the batch.
func TestRelay_bytes(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		to := &fickle{Recorder: r}
		e := paid("1")
		e.Metadata = []byte(`{"text":"` + strings.Repeat("x", 200<<10) + `"}`)
		for range 30 {
			write(t, b, clerk, e)
		}
		drain(t, daybook.NewRelay(b.outbox(), to, daybook.RelayOptions{Now: r.Now}), 30)
		if diff := cmp.Diff([]int{20, 10}, to.calls); diff != "" {
			t.Errorf("events a call (-want +got):\n%s", diff)
		}
	})
}

// TestRelay_again: an event whose receipt was lost, or whose row was not deleted, is recorded once.
func TestRelay_again(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		write(t, b, clerk, paid("1"), paid("2"))
		to := &fickle{Recorder: r, after: func() error { return daybook.ErrUnknownOutcome }}
		relay := daybook.NewRelay(b.outbox(), to, daybook.RelayOptions{Now: r.Now})
		if n, err := relay.Drain(t.Context()); n != 0 || !errors.Is(err, daybook.ErrUnknownOutcome) {
			t.Errorf("moved %d: %v", n, err)
		}
		if n := b.count(t, "SELECT COUNT(*) FROM daybook_outbox"); n != 2 {
			t.Errorf("%d rows are left of 2 whose receipts were lost", n)
		}
		to.after = nil
		drain(t, relay, 2)
		if diff := cmp.Diff([]string{"1", "2"}, subjects(r)); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
	})
}

// TestRelay_deadLetters: a refused event does not stop the others, is tried again and becomes a dead letter that can be revived.
func TestRelay_deadLetters(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		write(t, b, clerk, paid("1"), paid("2"), paid("3"))
		b.must(t, "UPDATE daybook_outbox SET event = REPLACE(event, 'invoice.paid', 'daybook.paid') WHERE n = 2")
		write(t, b, clerk, paid("4"))
		b.must(t, "UPDATE daybook_outbox SET event = 'no JSON' WHERE n = 4")
		relay := daybook.NewRelay(b.outbox(), r, daybook.RelayOptions{Tries: 3, Now: r.Now})
		drain(t, relay, 2)
		stats := func(waiting, dead int64) {
			t.Helper()
			if s, err := relay.Stats(t.Context()); err != nil || s.Waiting != waiting || s.DeadLetters != dead {
				t.Errorf("stats %+v %v, want %d waiting and %d dead", s, err, waiting, dead)
			}
		}
		stats(2, 0)
		drain(t, relay, 0) // too early for a second try
		for range 2 {
			r.Advance(time.Hour)
			drain(t, relay, 0)
		}
		stats(0, 2)
		var fault string
		if err := b.QueryRowContext(t.Context(), "SELECT fault FROM daybook_outbox WHERE n = 2").Scan(&fault); err != nil || !strings.Contains(fault, "daybook.") {
			t.Errorf("fault %q %v", fault, err)
		}
		b.must(t, "UPDATE daybook_outbox SET event = REPLACE(event, 'daybook.paid', 'invoice.paid'), dead = 0, tries = 0 WHERE n = 2")
		r.Advance(time.Hour)
		drain(t, relay, 1)
		if diff := cmp.Diff([]string{"1", "3", "2"}, subjects(r)); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
	})
}

// TestRelay_oneOrgFails: a log that refuses writes delays its org alone; a server that is down delays all, and neither loses or kills.
func TestRelay_oneOrgFails(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		r, clerk := daybooktest.New(t, daybook.ClerkOptions{})
		of := func(org daybook.OrgID, id string) daybook.Event {
			e := paid(id)
			e.Org = org
			return e
		}
		write(t, b, clerk, of("frozen", "1"), of("frozen", "2"), of("well", "3"))
		frozen := &daybook.Error{Code: daybook.CodeUnavailable, Rule: "log_frozen", Message: "frozen"}
		to := &fickle{Recorder: r, before: func(org daybook.OrgID, _ []daybook.Event) error {
			if org == "frozen" {
				return frozen
			}
			return nil
		}}
		relay := daybook.NewRelay(b.outbox(), to, daybook.RelayOptions{Batch: 1, Tries: 1, Now: r.Now})
		drain(t, relay, 1) // the frozen org was first, and rests now
		drain(t, relay, 0)
		down := errors.New("connection refused")
		to.before = func(daybook.OrgID, []daybook.Event) error { return down }
		for range 5 {
			r.Advance(time.Hour)
			if _, err := relay.Drain(t.Context()); !errors.Is(err, down) {
				t.Errorf("the server is down: %v", err)
			}
		}
		to.before = nil
		r.Advance(time.Hour)
		drain(t, relay, 2)
		if diff := cmp.Diff([]string{"3", "1", "2"}, subjects(r)); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
	})
}

// TestRelay_lease: one relay works at a time; another takes over when the first gave the lease back, or was killed long enough ago.
func TestRelay_lease(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		write(t, b, clerk, paid("1"))
		second := daybook.NewRelay(b.outbox(), r, daybook.RelayOptions{Now: r.Now})
		to := &fickle{Recorder: r}
		to.before = func(daybook.OrgID, []daybook.Event) error {
			drain(t, second, 0) // the first is at work
			return nil
		}
		drain(t, daybook.NewRelay(b.outbox(), to, daybook.RelayOptions{Now: r.Now}), 1)
		write(t, b, clerk, paid("2"))
		drain(t, second, 1) // the lease was given back
		b.must(t, fmt.Sprintf("UPDATE daybook_relay SET holder = 'killed', until_at = %d", r.Now().Add(30*time.Second).UnixMicro()))
		write(t, b, clerk, paid("3"))
		drain(t, second, 0)
		r.Advance(31 * time.Second)
		drain(t, second, 1)
	})
}

// TestRelay_lateCommit: an event that was written first and committed last is moved all the same.
func TestRelay_lateCommit(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		if b.d == daybook.SQLite {
			return // it has one writer at a time: there is no late commit
		}
		r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		relay := daybook.NewRelay(b.outbox(), r, daybook.RelayOptions{Now: r.Now})
		err := b.inTx(t.Context(), func(ctx context.Context, tx daybook.Tx) error {
			if _, err := clerk.RecordTx(ctx, tx, paid("late")); err != nil {
				return err
			}
			write(t, b, clerk, paid("early"))
			drain(t, relay, 1)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		drain(t, relay, 1)
		if diff := cmp.Diff([]string{"early", "late"}, subjects(r)); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
	})
}

// TestRelay_Run: it moves what is written while it runs, gives the lease back when ctx ends, and says why it ended.
func TestRelay_Run(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		ctx, cancel := context.WithCancel(t.Context())
		recorded := make(chan struct{}, 8)
		to := &fickle{Recorder: r, after: func() error { recorded <- struct{}{}; return nil }}
		relay := daybook.NewRelay(b.outbox(), to, daybook.RelayOptions{Poll: time.Hour})
		ended := make(chan error)
		go func() { ended <- relay.Run(ctx) }()
		for i := range 3 {
			write(t, b, clerk, paid(strconv.Itoa(i)))
			relay.Wake()
			<-recorded
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
		if n := b.count(t, "SELECT until_at FROM daybook_relay"); n != 0 {
			t.Errorf("the lease was kept until %d", n)
		}
	})
}
