package daybook

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/daybook-audit/daybook/internal/appsql"
	"github.com/daybook-audit/daybook/internal/delivery"
)

// RelayOptions are those of a Relay. The zero value works.
type RelayOptions struct {
	Batch    int              // rows moved at a time, default 256
	Tries    int              // after which a refused row becomes a dead letter, default 20
	Poll     time.Duration    // pause when nothing waits, default 1 s
	MaxDelay time.Duration    // of the pauses after failures, which double from Poll with jitter; default 1 min
	Lease    time.Duration    // for which a Relay that was killed keeps others from working, default 30 s
	Logger   *slog.Logger     // default: discards; failures and dead letters are logged
	Now      func() time.Time // default time.Now
}

// RelayStats says what waits.
type RelayStats struct {
	OldestUnsent         time.Duration // since the oldest waiting event was written; 0 when none waits
	Waiting, DeadLetters int64
}

// A Relay moves committed rows of daybook_outbox to a Recorder and deletes them after the receipt: at least once. The event id makes
// a repeat harmless. There is no cursor, so a late commit cannot be skipped. Events of one org are sent in the order in which they were
// written; one that the log refuses is tried again, ever later, and becomes a dead letter after Tries: it stays in the table with
// dead = 1 and the refusal in fault, and UPDATE daybook_outbox SET dead = 0, tries = 0 sends it again. A failure that is not the event's
// fault delays its org, or everything, and loses nothing.
//
// Of all Relays of one database one works at a time, by a lease in daybook_relay; the others wait. Should two of them work after all,
// because their clocks differ by more than the lease, each event is still recorded once. No transaction is held while the Recorder is
// asked.
type Relay struct {
	db    OutboxDB
	o     RelayOptions
	moves *delivery.Relay
}

// NewRelay returns a Relay that moves the outbox of db to a Recorder. The tables are those of [OutboxSchema].
func NewRelay(db OutboxDB, to Recorder, o RelayOptions) *Relay {
	setDefault(&o.Batch, 256)
	setDefault(&o.Tries, 20)
	setDefault(&o.Poll, time.Second)
	setDefault(&o.MaxDelay, time.Minute)
	setDefault(&o.Lease, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // where the clock comes from
	}
	from := outboxTable{db: db, holder: NewID().String(), lease: o.Lease, batch: o.Batch}
	return &Relay{db: db, o: o, moves: delivery.NewRelay(from, recorderLog{to}, delivery.RelayOptions{
		Tries: o.Tries, Poll: o.Poll, MaxDelay: o.MaxDelay, Logger: o.Logger, Now: o.Now,
	})}
}

// Wake tells the Relay to look now. Call it after a commit that wrote events, where a second's delay is too long.
func (r *Relay) Wake() { r.moves.Wake() }

// Run moves events until ctx ends, gives the lease back, and returns the error of ctx. Call it once at a time.
func (r *Relay) Run(ctx context.Context) error { return r.moves.Run(ctx) }

// Drain moves what waits now and returns how many events reached the log; it is 0 when another Relay works. It is for programs that end,
// and for tests; call it when Run does not run.
func (r *Relay) Drain(ctx context.Context) (int, error) {
	defer r.moves.Abandon(ctx)
	sum := 0
	for {
		sent, more, err := r.moves.Round(ctx)
		sum += sent
		if err != nil || !more {
			return sum, err
		}
	}
}

// Stats counts what waits.
func (r *Relay) Stats(ctx context.Context) (RelayStats, error) {
	s, err := appsql.For(string(r.db.Dialect()))
	if err != nil {
		return RelayStats{}, err
	}
	st := RelayStats{}
	var oldest, ignored int64
	if _, err := appsql.One(ctx, r.db, s.Count, []any{0}, &st.Waiting, &oldest); err != nil {
		return RelayStats{}, fmt.Errorf("count the outbox: %w", err)
	}
	if _, err := appsql.One(ctx, r.db, s.Count, []any{1}, &st.DeadLetters, &ignored); err != nil {
		return RelayStats{}, fmt.Errorf("count the dead letters: %w", err)
	}
	if st.Waiting > 0 {
		st.OldestUnsent = max(0, r.o.Now().Sub(time.UnixMicro(oldest)))
	}
	return st, nil
}

// OfOneOrg reports whether err says nothing about other orgs.
func (recorderLog) OfOneOrg(err error) bool {
	switch CodeOf(err) { //nolint:exhaustive // the others concern the server, or the event
	case CodeForbidden, CodeNotFound, CodeUnavailable, CodeTampered:
		return true
	}
	return false
}

// outboxTable is daybook_outbox, for the holder of the lease.
type outboxTable struct {
	db     OutboxDB
	holder string
	lease  time.Duration
	batch  int
}

// in calls f in a transaction, with the statements of its dialect.
func (t outboxTable) in(ctx context.Context, f func(ctx context.Context, tx Tx, s *appsql.Statements) error) error {
	s, err := appsql.For(string(t.db.Dialect()))
	if err != nil {
		return err
	}
	return t.db.InTx(ctx, func(ctx context.Context, tx Tx) error { return f(ctx, tx, s) })
}

// Take renews the lease and returns the oldest rows that may be sent; none when another Relay works.
func (t outboxTable) Take(ctx context.Context, now time.Time, without []string) (letters []delivery.Letter, err error) {
	args := []any{now.UnixMicro()}
	for _, org := range without {
		args = append(args, org)
	}
	args = append(args, t.batch)
	err = t.in(ctx, func(ctx context.Context, tx Tx, s *appsql.Statements) error {
		letters = nil
		if _, err := tx.Exec(ctx, s.Lease, t.holder, now.Add(t.lease).UnixMicro(), t.holder, now.UnixMicro()); err != nil {
			return fmt.Errorf("take the lease of the relay: %w", err)
		}
		var holder string
		switch found, err := appsql.One(ctx, tx, s.Holder, nil, &holder); {
		case err != nil:
			return fmt.Errorf("look who relays: %w", err)
		case !found:
			return fmt.Errorf("daybook_relay has no row: %w", ErrNotExist)
		}
		if holder != t.holder {
			return nil
		}
		var err error
		letters, err = appsql.All(ctx, tx, s.Waiting(len(without)), args, func(l *delivery.Letter) []any { return []any{&l.N, &l.ID, &l.Org, &l.Text, &l.Tries} })
		return err
	})
	return letters, err
}

// Settle deletes what was sent and notes what was refused.
func (t outboxTable) Settle(ctx context.Context, sent []int64, back []delivery.Note) error {
	return t.in(ctx, func(ctx context.Context, tx Tx, s *appsql.Statements) error {
		if len(sent) > 0 {
			args := make([]any, len(sent))
			for i, n := range sent {
				args[i] = n
			}
			if _, err := tx.Exec(ctx, s.Sent(len(args)), args...); err != nil {
				return fmt.Errorf("delete what was sent: %w", err)
			}
		}
		for i := range back {
			n, dead := &back[i], 0
			if n.Dead {
				dead = 1
			}
			if _, err := tx.Exec(ctx, s.Refuse, n.Tries, n.Next.UnixMicro(), dead, truncate(n.Err.Error(), 1000), n.N); err != nil {
				return fmt.Errorf("note a refusal: %w", err)
			}
		}
		return nil
	})
}

// Abandon gives the lease back, so that another Relay needs not wait for its end.
func (t outboxTable) Abandon(ctx context.Context) error {
	return t.in(ctx, func(ctx context.Context, tx Tx, s *appsql.Statements) error {
		_, err := tx.Exec(ctx, s.Abandon, t.holder)
		return err
	})
}
