package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/daybook-audit/daybook/internal/delivery"
)

// A Recorder records events durably: *Book in this process, *client.Client over HTTP.
//
// A nil error means the event survives power loss. When the error is not an *Error the outcome is unknown: call again with the
// same Event.ID and get the first receipt, with Duplicate set. The same id with other content is an *Error with CodeConflict.
// RecordBatch records all of es or none; its receipts stand in the order of es. Both may be called concurrently and MUST NOT keep
// or change what e points to after they return.
type Recorder interface {
	Record(ctx context.Context, org OrgID, e Event) (Receipt, error)
	RecordBatch(ctx context.Context, org OrgID, es []Event) ([]Receipt, error)
}

// ErrNoActor says that neither the event nor the context names who acted. See [System] for what a program does by itself.
var ErrNoActor = errors.New("daybook: the event has no actor: set Event.Actor, use WithActor, or System for what nobody asked for")

// ActorPolicy says what becomes of an event without an actor.
type ActorPolicy int

// The policies.
const (
	RequireActor   ActorPolicy = iota // ErrNoActor
	UnknownIsValid                    // recorded with the actor unknown:unknown, and counted
)

// FailurePolicy says what the caller learns when the Recorder fails.
type FailurePolicy int

// The policies.
const (
	FailClosed FailurePolicy = iota // the error is returned, and the caller refuses the operation: security, money, deletion
	FailOpen                        // the loss is logged and counted, and nil is returned: high-volume reads
	FailSpool                       // the event is put into the spool, from where it is recorded later, and nil is returned: all else
)

// FailureRule gives the actions of a glob their policy; "*" stands for any run of characters.
type FailureRule struct {
	Action string // "invoice.*"
	Policy FailurePolicy
}

// ClerkOptions are those of a Clerk. The zero value records synchronously, fails closed and demands an actor.
type ClerkOptions struct {
	Org     OrgID         // of a single-tenant program
	Actor   ActorPolicy   // default RequireActor
	Failure []FailureRule // the first match holds; none: FailClosed

	// Spool is a folder for events that are recorded later; RecordAsync and FailSpool need it. Several processes may share it, each takes a
	// part of it. What a process that is dead left there is recorded by the next Clerk.
	Spool         string
	MaxSpoolBytes int64 // beyond which the spool takes nothing, default 1 GiB
	MaxQueueBytes int64 // of the events that TryRecord keeps in memory, default 8 MiB

	Redact Redactor     // default DefaultRedactor
	Secret []byte       // ≥ 32 bytes: the key of `hash` tags in a History, and of carriers
	Logger *slog.Logger // default: discards; only losses are logged

	Now   func() time.Time // default time.Now; when an event happened that is delivered later
	NewID func() ID        // default NewID; fixed in tests
}

// ClerkStats counts since NewClerk.
type ClerkStats struct {
	Unknown int64 // events recorded without an actor, under UnknownIsValid
	Lost    int64 // events that were not recorded and whose caller did not learn of it: under FailOpen, in a panic, or refused later
	Full    int64 // events that TryRecord refused with ErrQueueFull

	Spooled    int64 // events put into the spool
	SpoolBytes int64 // that wait there now
}

// Clerk is what application code holds to record events: it completes an event from the context, redacts it, hands it to a
// [Recorder] and applies the failure policy. It is safe for concurrent use. One that has a spool, or is asked to TryRecord, must be closed.
type Clerk struct {
	to                           Recorder
	o                            ClerkOptions
	unknown, lost, full, spooled atomic.Int64

	spool *delivery.Spool // nil: there is none
	queue *delivery.Queue

	closed atomic.Bool
	gap    gap
}

// NewClerk returns a Clerk that records with to. With a spool it takes over what dead processes left there.
func NewClerk(to Recorder, o ClerkOptions) (*Clerk, error) {
	if to == nil {
		return nil, errors.New("daybook: a Clerk needs a Recorder")
	}
	if o.Org != "" && !o.Org.Valid() {
		return nil, fmt.Errorf("daybook: ClerkOptions.Org %q has not the form of an org id", o.Org)
	}
	if o.Actor != RequireActor && o.Actor != UnknownIsValid {
		return nil, fmt.Errorf("daybook: ClerkOptions.Actor %d is no policy", o.Actor)
	}
	for _, r := range o.Failure {
		if r.Policy < FailClosed || r.Policy > FailSpool {
			return nil, fmt.Errorf("daybook: the failure policy %d of %q is none", r.Policy, r.Action)
		}
		if r.Policy == FailSpool && o.Spool == "" {
			return nil, fmt.Errorf("daybook: FailSpool of %q needs ClerkOptions.Spool", r.Action)
		}
	}
	if o.Secret != nil && len(o.Secret) < minSecret {
		return nil, fmt.Errorf("daybook: ClerkOptions.Secret must have at least %d bytes", minSecret)
	}
	if o.Redact == nil {
		o.Redact = DefaultRedactor{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // where the clock comes from
	}
	if o.NewID == nil {
		o.NewID = NewID
	}
	setDefault(&o.MaxSpoolBytes, 1<<30)
	setDefault(&o.MaxQueueBytes, 8<<20)
	c := &Clerk{to: to, o: o}
	of := office{c, recorderLog{to}}
	c.queue = delivery.NewQueue(o.MaxQueueBytes, of, o.Logger)
	if o.Spool == "" {
		return c, nil
	}
	var err error
	c.spool, err = delivery.OpenSpool(o.Spool, o.MaxSpoolBytes, of, o.Logger)
	return c, err
}

// Record completes e from ctx, redacts it and records it. A field set in e wins over the scope of ctx.
//
// Once it returns nil the event is durable, in the log or in the spool, unless its action fails open. Under FailSpool an event that came
// into the spool has a receipt with ID and Org alone. When the outcome is unknown, the Receipt still has the ID
// that the event was given: call again with it in Event.ID, and with the same context. An event that cannot be completed
// (ErrNoActor, no org) is an error under every policy.
func (c *Clerk) Record(ctx context.Context, e Event) (Receipt, error) {
	e, err := c.completed(ctx, e)
	if err != nil {
		return Receipt{}, err
	}
	if silenced(ctx, c) {
		return Receipt{ID: e.ID, Org: e.Org}, nil
	}
	began := c.o.Now()
	receipt, err := c.to.Record(ctx, e.Org, e)
	if err == nil {
		noteRecorded(ctx)
		c.confess(ctx, e.Org)
		return receipt, nil
	}
	receipt = Receipt{ID: e.ID, Org: e.Org}
	switch c.policy(e.Action) {
	case FailOpen:
		c.lose(ctx, &e, err)
		return receipt, nil
	case FailSpool:
		if ofTheEvent(err) { // it would be refused for ever
			break
		}
		if e.OccurredAt.IsZero() {
			e.OccurredAt = began
		}
		text, failed := appendEvent(nil, &e)
		if failed == nil {
			failed = c.keep(ctx, &e, text)
		}
		if failed != nil {
			return receipt, fmt.Errorf("record %s: %w", e.Action, errors.Join(failed, err))
		}
		return receipt, nil
	case FailClosed:
	}
	return receipt, fmt.Errorf("record %s: %w", e.Action, err)
}

// lose counts and logs an event that was not recorded and whose caller does not learn of it.
func (c *Clerk) lose(ctx context.Context, e *Event, err error) {
	c.lost.Add(1)
	c.gap.add(e.Org, c.o.Now())
	c.o.Logger.LogAttrs(ctx, slog.LevelError, "event lost", slog.String("org", string(e.Org)), slog.String("event_id", e.ID.String()),
		slog.String("action", e.Action), slog.Any("error", err))
}

// Do runs f and records e with f's outcome: Success, Denied for CodeForbidden, else Failure with the error's code. A panic is
// recorded as Failure and goes on. It returns f's error joined with its own. The event is recorded also when ctx has ended
// meanwhile. Of f's error the code is recorded, and the message only when it is an [*Error], whose message is safe to show.
func (c *Clerk) Do(ctx context.Context, e Event, f func(ctx context.Context) error) error {
	ended := false
	defer func() {
		if !ended { // f panicked, or ended its goroutine: neither is caught
			e.Outcome = Failure
			if e.Error == nil {
				e.Error = &EventFault{Code: "panic"}
			}
			if _, err := c.Record(Detach(ctx), e); err != nil { // nobody is left to return it to
				c.lose(ctx, &e, err)
			}
		}
	}()
	err := f(ctx)
	ended = true
	e.Outcome, e.Error = outcomeOf(err, e.Error)
	if _, failed := c.Record(Detach(ctx), e); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

// outcomeOf returns how an operation ended that returned err; a fault given by the caller is kept.
func outcomeOf(err error, fault *EventFault) (Outcome, *EventFault) {
	if err == nil {
		return Success, nil
	}
	outcome := Failure
	if CodeOf(err) == CodeForbidden {
		outcome = Denied
	}
	if fault == nil {
		fault = &EventFault{Code: string(CodeOf(err))}
		if coded, ok := errors.AsType[*Error](err); ok {
			fault.Message = coded.Message
		}
	}
	return outcome, fault
}

// Stats returns the counts.
func (c *Clerk) Stats() ClerkStats {
	st := ClerkStats{Unknown: c.unknown.Load(), Lost: c.lost.Load(), Full: c.full.Load(), Spooled: c.spooled.Load()}
	if c.spool != nil {
		st.SpoolBytes = c.spool.Size()
	}
	return st
}

// Org returns the org for which events under ctx are recorded; empty when neither ctx nor the options name one.
func (c *Clerk) Org(ctx context.Context) OrgID {
	if org := scopeOf(ctx).Org; org != "" {
		return org
	}
	return c.o.Org
}

// Complete returns e as Record would record it under ctx: completed, redacted, and with an id. Recording what it returned records the
// same event. An event that cannot be completed is an error, as there.
func (c *Clerk) Complete(ctx context.Context, e Event) (Event, error) { return c.completed(ctx, e) }

// completed returns e with what it leaves open taken from ctx and the options, redacted, with Org and ID set. OccurredAt stays
// open: a repeat of the same event is then the same event, and reads as of when it was first received.
func (c *Clerk) completed(ctx context.Context, e Event) (Event, error) {
	if c.closed.Load() {
		return e, ErrClosed
	}
	s := scopeOf(ctx)
	if e.Org == "" {
		e.Org = c.Org(ctx)
	}
	if e.Org == "" {
		return e, &Error{
			Code: CodeInvalid, Rule: "org_required",
			Message: "the event has no org: set Event.Org, Scope.Org or ClerkOptions.Org.",
		}
	}
	if e.Actor.IsZero() {
		actor, err := s.actor(ctx)
		if err != nil {
			return e, fmt.Errorf("ask who acted in %s: %w", e.Action, err)
		}
		if e.Actor = actor; actor.IsZero() {
			if c.o.Actor == RequireActor {
				return e, fmt.Errorf("record %s: %w", e.Action, ErrNoActor)
			}
			c.unknown.Add(1)
			e.Actor = Actor{Type: "unknown", ID: "unknown"}
		}
	}
	e.Context = e.Context.over(s.Context)
	if e.Reason == "" {
		e.Reason = s.Reason
	}
	if e.CorrelationID == "" {
		e.CorrelationID = s.CorrelationID
	}
	if e.ID.IsZero() {
		e.ID = c.o.NewID()
	}
	return redacted(e, c.redactorFor(ctx))
}

// policy returns what holds for action.
func (c *Clerk) policy(action string) FailurePolicy {
	for _, r := range c.o.Failure {
		if globMatch(r.Action, action) {
			return r.Policy
		}
	}
	return FailClosed
}

// globMatch reports whether s has the form of glob, where "*" stands for any run of characters.
func globMatch(glob, s string) bool {
	first, rest, star := strings.Cut(glob, "*")
	if !star {
		return glob == s
	}
	s, ok := strings.CutPrefix(s, first)
	if !ok {
		return false
	}
	parts := strings.Split(rest, "*")
	for _, part := range parts[:len(parts)-1] {
		_, after, found := strings.Cut(s, part)
		if !found {
			return false
		}
		s = after
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}
