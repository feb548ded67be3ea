package daybook

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
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
	db     OutboxDB
	to     Recorder
	o      RelayOptions
	holder string
	wake   chan struct{}

	resting map[OrgID]rest // owned by the goroutine of Run: orgs that cannot be recorded for now
}

// rest is an org's pause.
type rest struct {
	until time.Time
	delay time.Duration
}

// maxResting bounds the orgs that a statement leaves out.
const maxResting = 500

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
	return &Relay{db: db, to: to, o: o, holder: NewID().String(), wake: make(chan struct{}, 1), resting: map[OrgID]rest{}}
}

// Wake tells the Relay to look now. Call it after a commit that wrote events, where a second's delay is too long.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run moves events until ctx ends, gives the lease back, and returns the error of ctx. Call it once at a time.
func (r *Relay) Run(ctx context.Context) error {
	defer r.abandon(ctx)
	delay := r.o.Poll
	for ctx.Err() == nil {
		_, more, err := r.round(ctx)
		pause := r.o.Poll
		switch {
		case err != nil:
			if ctx.Err() == nil {
				r.o.Logger.LogAttrs(ctx, slog.LevelWarn, "relay failed", slog.Any("error", err))
			}
			pause = rand.N(delay) + 1 //nolint:gosec // G404: spreads attempts, keeps no secret
			delay = min(2*delay, r.o.MaxDelay)
		case more:
			delay = r.o.Poll
			continue
		default:
			delay = r.o.Poll
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-r.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return ctx.Err()
}

// Drain moves what waits now and returns how many events reached the log; it is 0 when another Relay works. It is for programs that end,
// and for tests; call it when Run does not run.
func (r *Relay) Drain(ctx context.Context) (int, error) {
	defer r.abandon(ctx)
	sum := 0
	for {
		sent, more, err := r.round(ctx)
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
	if err := queryOne(ctx, r.db, s.Count, []any{0}, &st.Waiting, &oldest); err != nil {
		return RelayStats{}, fmt.Errorf("count the outbox: %w", err)
	}
	if err := queryOne(ctx, r.db, s.Count, []any{1}, &st.DeadLetters, &ignored); err != nil {
		return RelayStats{}, fmt.Errorf("count the dead letters: %w", err)
	}
	if st.Waiting > 0 {
		st.OldestUnsent = max(0, r.o.Now().Sub(time.UnixMicro(oldest)))
	}
	return st, nil
}

// abandon gives the lease back, so that another Relay needs not wait for its end. What fails here costs that wait.
func (r *Relay) abandon(ctx context.Context) {
	s, err := appsql.For(string(r.db.Dialect()))
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = r.db.InTx(ctx, func(ctx context.Context, tx Tx) error {
		_, err := tx.Exec(ctx, s.Abandon, r.holder)
		return err
	})
	if err != nil {
		r.o.Logger.LogAttrs(ctx, slog.LevelWarn, "relay keeps its lease", slog.Any("error", err))
	}
}

// round moves one batch, and says whether to look for more at once. The error is of the database, or a failure of the Recorder that
// concerns every org. It ends: what is taken and not sent may not be sent again before a pause.
func (r *Relay) round(ctx context.Context) (sent int, more bool, err error) {
	s, err := appsql.For(string(r.db.Dialect()))
	if err != nil {
		return 0, false, err
	}
	letters, err := r.take(ctx, s)
	if err != nil || len(letters) == 0 {
		return 0, false, err
	}
	byOrg := map[OrgID][]delivery.Letter{}
	var orgs []OrgID
	for _, l := range letters {
		org := OrgID(l.Org)
		if _, known := byOrg[org]; !known {
			orgs = append(orgs, org)
		}
		byOrg[org] = append(byOrg[org], l)
	}
	for _, org := range orgs {
		outcome, failed := delivery.Deliver(ctx, recorderLog{r.to}, string(org), byOrg[org])
		// A crash here leaves rows that are recorded: the next Relay sends them again, and the log knows their ids.
		if err := r.settle(ctx, s, &outcome); err != nil {
			return sent, false, err
		}
		sent += len(outcome.Sent)
		switch {
		case failed == nil:
			delete(r.resting, org)
		case len(r.resting) < maxResting && ofOneOrg(failed):
			r.pause(ctx, org, failed)
		default:
			return sent, false, fmt.Errorf("record the outbox: %w", failed)
		}
	}
	return sent, true, nil
}

// take renews the lease and returns the oldest rows that may be sent; none when another Relay works.
func (r *Relay) take(ctx context.Context, s *appsql.Statements) (letters []delivery.Letter, err error) {
	now := r.o.Now()
	args := []any{now.UnixMicro()}
	for org, pause := range r.resting {
		if now.Before(pause.until) {
			args = append(args, string(org))
		}
	}
	query := s.Waiting(len(args) - 1)
	args = append(args, r.o.Batch)
	err = r.db.InTx(ctx, func(ctx context.Context, tx Tx) error {
		letters = nil
		if _, err := tx.Exec(ctx, s.Lease, r.holder, now.Add(r.o.Lease).UnixMicro(), r.holder, now.UnixMicro()); err != nil {
			return fmt.Errorf("take the lease of the relay: %w", err)
		}
		var holder string
		if err := queryOne(ctx, tx, s.Holder, nil, &holder); err != nil {
			return fmt.Errorf("look who relays: %w", err)
		}
		if holder != r.holder {
			return nil
		}
		letters, err = queryAll(ctx, tx, query, args, func(l *delivery.Letter) []any { return []any{&l.N, &l.ID, &l.Org, &l.Text, &l.Tries} })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return letters, nil
}

// pause leaves out an org for a while that doubles.
func (r *Relay) pause(ctx context.Context, org OrgID, err error) {
	p := r.resting[org]
	p.delay = min(max(2*p.delay, r.o.Poll), r.o.MaxDelay)
	p.until = r.o.Now().Add(p.delay)
	r.resting[org] = p
	r.o.Logger.LogAttrs(ctx, slog.LevelWarn, "relay pauses for an org", slog.String("org", string(org)), slog.Any("error", err))
}

// ofOneOrg reports whether err says nothing about other orgs.
func ofOneOrg(err error) bool {
	switch CodeOf(err) { //nolint:exhaustive // the others concern the server, or the event
	case CodeForbidden, CodeNotFound, CodeUnavailable, CodeTampered:
		return true
	}
	return false
}

// settle deletes what was sent and notes what was refused.
func (r *Relay) settle(ctx context.Context, s *appsql.Statements, d *delivery.Outcome) error {
	if len(d.Sent) == 0 && len(d.Returned) == 0 {
		return nil
	}
	now := r.o.Now()
	var dead []delivery.Returned
	err := r.db.InTx(ctx, func(ctx context.Context, tx Tx) error {
		dead = nil
		if len(d.Sent) > 0 {
			args := make([]any, len(d.Sent))
			for i, n := range d.Sent {
				args[i] = n
			}
			if _, err := tx.Exec(ctx, s.Sent(len(args)), args...); err != nil {
				return fmt.Errorf("delete what was sent: %w", err)
			}
		}
		for _, f := range d.Returned {
			tries, isDead := f.Tries+1, 0
			if tries >= r.o.Tries {
				isDead = 1
				dead = append(dead, f)
			}
			next := now.Add(min(r.o.Poll<<min(tries, 10), 10*r.o.MaxDelay))
			if _, err := tx.Exec(ctx, s.Refuse, tries, next.UnixMicro(), isDead, truncate(f.Err.Error(), 1000), f.N); err != nil {
				return fmt.Errorf("note a refusal: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle the outbox: %w", err)
	}
	for _, f := range dead {
		r.o.Logger.LogAttrs(ctx, slog.LevelError, "dead letter", slog.String("org", f.Org), slog.String("event_id", f.ID),
			slog.Any("error", f.Err))
	}
	return nil
}
