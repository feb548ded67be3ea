package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Outbox is letters that wait in a database. Of all relays that look at it one works at a time.
type Outbox interface {
	// Take returns the oldest letters that may be sent at now, but none of the orgs without; none while another relay works.
	Take(ctx context.Context, now time.Time, without []string) ([]Letter, error)
	// Settle drops the letters sent and notes what came back, all or nothing.
	Settle(ctx context.Context, sent []int64, back []Note) error
	// Abandon lets another relay work at once.
	Abandon(ctx context.Context) error
}

// Note says what becomes of a letter that came back; its Tries count this one too.
type Note struct {
	Returned
	Next time.Time // before which it is not sent again
	Dead bool      // it is not sent again
}

// RelayLog is a log that knows whose fault a failure is.
type RelayLog interface {
	Log
	// OfOneOrg reports whether an error of Send says nothing about other orgs.
	OfOneOrg(err error) bool
}

// RelayOptions are those of a Relay; none may be zero.
type RelayOptions struct {
	Tries    int           // after which a letter is dead
	Poll     time.Duration // pause when nothing waits
	MaxDelay time.Duration // of the pauses after failures, which double from Poll
	Logger   *slog.Logger
	Now      func() time.Time
}

// Relay moves letters from an Outbox to a log. A letter that the log refuses is sent again, ever later, and is dead after Tries. A failure
// that is no letter's fault delays its org, or everything, and loses nothing. Run and Round are called one at a time.
type Relay struct {
	from    Outbox
	to      RelayLog
	o       RelayOptions
	wake    chan struct{}
	resting map[string]rest // orgs that cannot be recorded for now
}

// rest is an org's pause.
type rest struct {
	until time.Time
	delay time.Duration
}

// maxResting bounds the orgs that Take leaves out.
const maxResting = 500

// NewRelay returns a Relay.
func NewRelay(from Outbox, to RelayLog, o RelayOptions) *Relay {
	return &Relay{from: from, to: to, o: o, wake: make(chan struct{}, 1), resting: map[string]rest{}}
}

// Wake ends a pause of Run. It may be called at any time.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run moves letters until ctx ends and returns its error.
func (r *Relay) Run(ctx context.Context) error {
	defer r.Abandon(ctx)
	delay := r.o.Poll
	for ctx.Err() == nil {
		_, more, err := r.Round(ctx)
		wait := r.o.Poll
		switch {
		case err != nil:
			if ctx.Err() == nil {
				r.o.Logger.LogAttrs(ctx, slog.LevelWarn, "relay failed", slog.Any("error", err))
			}
			wait = rand.N(delay) + 1 //nolint:gosec // G404: spreads attempts, keeps no secret
			delay = min(2*delay, r.o.MaxDelay)
		case more:
			delay = r.o.Poll
			continue
		default:
			delay = r.o.Poll
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-r.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return ctx.Err()
}

// Abandon lets another Relay work, also when ctx has ended. What fails here costs that one a wait.
func (r *Relay) Abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := r.from.Abandon(ctx); err != nil {
		r.o.Logger.LogAttrs(ctx, slog.LevelWarn, "relay keeps its lease", slog.Any("error", err))
	}
}

// Round moves what Take gives once, and says whether to look for more at once. The error is of the Outbox, or a failure of the log that
// concerns every org. It ends: what is taken and not sent may not be sent again before a pause.
func (r *Relay) Round(ctx context.Context) (sent int, more bool, err error) {
	letters, err := r.take(ctx)
	if err != nil || len(letters) == 0 {
		return 0, false, err
	}
	byOrg := map[string][]Letter{}
	var orgs []string
	for i := range letters {
		org := letters[i].Org
		if _, known := byOrg[org]; !known {
			orgs = append(orgs, org)
		}
		byOrg[org] = append(byOrg[org], letters[i])
	}
	for _, org := range orgs {
		outcome, failed := Deliver(ctx, r.to, org, byOrg[org])
		// A crash here leaves letters that are recorded: the next Relay sends them again, and the log knows their ids.
		if err := r.settle(ctx, &outcome); err != nil {
			return sent, false, err
		}
		sent += len(outcome.Sent)
		switch {
		case failed == nil:
			delete(r.resting, org)
		case len(r.resting) < maxResting && r.to.OfOneOrg(failed):
			r.pause(ctx, org, failed)
		default:
			return sent, false, fmt.Errorf("record the outbox: %w", failed)
		}
	}
	return sent, true, nil
}

// take takes letters of orgs that do not rest.
func (r *Relay) take(ctx context.Context) ([]Letter, error) {
	now := r.o.Now()
	var without []string
	for org, p := range r.resting {
		if now.Before(p.until) {
			without = append(without, org)
		}
	}
	letters, err := r.from.Take(ctx, now, without)
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return letters, nil
}

// pause leaves out an org for a while that doubles.
func (r *Relay) pause(ctx context.Context, org string, err error) {
	p := r.resting[org]
	p.delay = min(max(2*p.delay, r.o.Poll), r.o.MaxDelay)
	p.until = r.o.Now().Add(p.delay)
	r.resting[org] = p
	r.o.Logger.LogAttrs(ctx, slog.LevelWarn, "relay pauses for an org", slog.String("org", org), slog.Any("error", err))
}

// settle tells the Outbox what has become of letters, and the operator which are dead.
func (r *Relay) settle(ctx context.Context, o *Outcome) error {
	if len(o.Sent) == 0 && len(o.Returned) == 0 {
		return nil
	}
	now := r.o.Now()
	var back []Note
	for _, l := range o.Returned {
		l.Tries++
		back = append(back, Note{Returned: l, Next: now.Add(min(r.o.Poll<<min(l.Tries, 10), 10*r.o.MaxDelay)), Dead: l.Tries >= r.o.Tries})
	}
	if err := r.from.Settle(ctx, o.Sent, back); err != nil {
		return fmt.Errorf("settle the outbox: %w", err)
	}
	for i := range back {
		if n := &back[i]; n.Dead {
			r.o.Logger.LogAttrs(ctx, slog.LevelError, "dead letter", slog.String("org", n.Org), slog.String("event_id", n.ID), slog.Any("error", n.Err))
		}
	}
	return nil
}
