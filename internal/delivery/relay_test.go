package delivery_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/internal/delivery"
)

// table is an Outbox in memory.
type table struct {
	rows  []delivery.Letter
	next  map[int64]time.Time
	dead  []string
	fail  error
	given int // how often another relay was let work
}

func (t *table) Take(_ context.Context, now time.Time, without []string) (out []delivery.Letter, err error) {
	for _, l := range t.rows {
		if !slices.Contains(without, l.Org) && !now.Before(t.next[l.N]) {
			out = append(out, l)
		}
	}
	return out, t.fail
}

func (t *table) Settle(_ context.Context, sent []int64, back []delivery.Note) error {
	drop := func(n int64) {
		t.rows = slices.DeleteFunc(t.rows, func(l delivery.Letter) bool { return l.N == n })
	}
	for _, n := range sent {
		drop(n)
	}
	for _, n := range back {
		drop(n.N)
		if n.Dead {
			t.dead = append(t.dead, n.Text)
			continue
		}
		t.rows = append(t.rows, n.Letter)
		t.next[n.N] = n.Next
	}
	return nil
}

func (t *table) Abandon(context.Context) error { t.given++; return nil }

// OfOneOrg says that a frozen log is the fault of its org.
func (o *office) OfOneOrg(err error) bool { return errors.Is(err, errFrozen) }

var errFrozen = errors.New("frozen")

// frozen is a log that takes nothing of one org.
type frozen struct {
	*office
	org string
}

func (f frozen) Send(ctx context.Context, org string, letters []delivery.Letter) ([]delivery.Refusal, error) {
	if org == f.org {
		return nil, errFrozen
	}
	return f.office.Send(ctx, org, letters)
}

// TestRelay_Round: what the log refuses is sent again, ever later, and is dead in the end; an org that cannot be recorded rests alone.
func TestRelay_Round(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_790_000_000, 0)
	rows := letters("a", "1", "bad")
	for i, l := range letters("b", "2") {
		l.N = int64(10 + i)
		rows = append(rows, l)
	}
	from, o := &table{rows: rows, next: map[int64]time.Time{}}, &office{refuse: "bad"}
	log := &frozen{o, "b"}
	relay := delivery.NewRelay(from, log, delivery.RelayOptions{
		Tries: 3, Poll: time.Second, MaxDelay: time.Minute, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
	})
	round := func(want int) {
		t.Helper()
		if sent, _, err := relay.Round(t.Context()); sent != want || err != nil {
			t.Errorf("sent %d, want %d: %v", sent, want, err)
		}
	}
	round(1)
	log.org = "" // b rests all the same
	round(0)
	now = now.Add(time.Second)
	round(1)
	for _, pause := range []time.Duration{time.Second, 4 * time.Second} { // two, and four after the second refusal
		now = now.Add(pause)
		round(0)
	}
	if diff := cmp.Diff([]string{"1", "2"}, o.recorded); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"bad"}, from.dead); diff != "" || len(from.rows) > 0 {
		t.Errorf("%d rows left, dead (-want +got):\n%s", len(from.rows), diff)
	}
	from.rows = letters("c", "3")
	o.fail(true)
	if _, _, err := relay.Round(t.Context()); !errors.Is(err, errDown) || len(from.rows) != 1 {
		t.Errorf("a log that is away: %v, %d rows", err, len(from.rows))
	}
	from.fail = errRefused
	if _, _, err := relay.Round(t.Context()); !errors.Is(err, errRefused) {
		t.Errorf("a database that is away: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := relay.Run(ended); !errors.Is(err, context.Canceled) || from.given != 1 {
		t.Errorf("Run ended with %v and let others work %d times", err, from.given)
	}
}
