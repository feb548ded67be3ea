package daybook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook/internal/delivery"
)

// Errors of what is recorded later.
var (
	// ErrSpoolFull says that the spool has no room: the Recorder has been away for too long.
	ErrSpoolFull = delivery.ErrSpoolFull
	// ErrQueueFull says that the events that wait in memory have no room.
	ErrQueueFull = delivery.ErrQueueFull
	// ErrClosed says that the Clerk was closed.
	ErrClosed = delivery.ErrClosed
)

// RecordAsync completes e like [Clerk.Record] and returns once it is durable in the spool: it survives the end of the process and power
// loss. Delivery follows in order, at least once, and the event id makes a repeat harmless. When the spool is full it fails with
// [ErrSpoolFull]; it never drops. OccurredAt is the time of the call when e has none. What the log would refuse is refused here.
func (c *Clerk) RecordAsync(ctx context.Context, e Event) (ID, error) {
	e, text, err := c.outgoing(ctx, e)
	if err != nil {
		return e.ID, err
	}
	if c.spool == nil {
		return e.ID, errors.New("daybook: RecordAsync needs ClerkOptions.Spool")
	}
	if silenced(ctx, c) {
		return e.ID, nil
	}
	if err := c.keep(ctx, &e, text); err != nil {
		return e.ID, fmt.Errorf("record %s: %w", e.Action, err)
	}
	return e.ID, nil
}

// keep makes e, whose JSON is text, durable in the spool.
func (c *Clerk) keep(ctx context.Context, e *Event, text []byte) error {
	if err := c.spool.Append(letterOf(e, text)); err != nil {
		return err
	}
	c.spooled.Add(1)
	noteRecorded(ctx)
	return nil
}

// TryRecord completes e like [Clerk.Record] and keeps it in memory until it is recorded, for high-volume reads. It never blocks: when the
// Recorder does not keep up it returns [ErrQueueFull], which is counted. A crash loses what is queued.
func (c *Clerk) TryRecord(ctx context.Context, e Event) error {
	e, text, err := c.outgoing(ctx, e)
	if err != nil || silenced(ctx, c) {
		return err
	}
	if err := c.queue.Add(*letterOf(&e, text)); err != nil { //nolint:contextcheck // its goroutine outlives the call
		if errors.Is(err, ErrQueueFull) {
			c.full.Add(1)
		}
		return err
	}
	return nil
}

// Close refuses new events and records what waits in the spool and in memory until ctx ends. It reports how many stayed in the spool, for
// the next Clerk, and how many in memory were lost. The Recorder stays open.
func (c *Clerk) Close(ctx context.Context) (kept, lost int, err error) {
	if c.closed.Swap(true) {
		return 0, 0, ErrClosed
	}
	lost = c.queue.Close(ctx)
	c.lost.Add(int64(lost))
	if c.spool != nil {
		kept, err = c.spool.Close(ctx)
	}
	return kept, lost, err
}

// office answers for what a Clerk records later.
type office struct {
	c *Clerk
	recorderLog
}

// Lose is told of an event that the log will not have.
func (o office) Lose(ctx context.Context, l delivery.Letter, err error) {
	e, _ := eventOf(&l) // what can be read of it
	o.c.lose(ctx, &e, err)
}

// Arrived is told that events of org are recorded again.
func (o office) Arrived(ctx context.Context, org string) { o.c.confess(ctx, OrgID(org)) }

// recorderLog is a Recorder as those see it who bring it letters.
type recorderLog struct{ to Recorder }

// Send records letters of one org: all of them, or none.
func (r recorderLog) Send(ctx context.Context, org string, letters []delivery.Letter) (refused []delivery.Refusal, err error) {
	events := make([]Event, len(letters))
	for i := range letters {
		if events[i], err = eventOf(&letters[i]); err != nil {
			refused = append(refused, delivery.Refusal{At: i, Err: err})
		}
	}
	if refused != nil {
		return refused, nil
	}
	_, err = r.to.RecordBatch(ctx, OrgID(org), events)
	if !ofTheEvent(err) {
		return nil, err
	}
	if batch, named := errors.AsType[*BatchError](err); named && len(letters) > 1 {
		for _, wrong := range batch.Errors {
			refused = append(refused, delivery.Refusal{At: wrong.Index, Err: wrong.Err})
		}
		return refused, nil
	}
	return []delivery.Refusal{{At: delivery.Unnamed, Err: err}}, nil
}

// ofTheEvent reports whether err says that an event will not do.
func ofTheEvent(err error) bool {
	switch CodeOf(err) { //nolint:exhaustive // the others are not the event's fault
	case CodeInvalid, CodeConflict, CodeTooLarge:
		return true
	}
	return false
}

// letterOf returns e, whose JSON is text, as it goes on its way.
func letterOf(e *Event, text []byte) *delivery.Letter {
	return &delivery.Letter{ID: e.ID.String(), Org: string(e.Org), Text: string(text)}
}

// eventOf returns what a letter holds.
func eventOf(l *delivery.Letter) (Event, error) {
	e := Event{Org: OrgID(l.Org)}
	if err := json.Unmarshal([]byte(l.Text), &e); err != nil {
		return e, &Error{Code: CodeInvalid, Rule: "syntax", Message: "the row holds no event", Err: err}
	}
	id, err := ParseID(l.ID)
	if err != nil || id != e.ID {
		return e, &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "/id", Message: "the row names another event than it holds", Err: err}
	}
	return e, nil
}
