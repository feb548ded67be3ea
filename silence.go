package daybook

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync/atomic"
)

// silence is a stretch of a program in which a Clerk records nothing.
type silence struct {
	of   *Clerk
	left atomic.Int64 // events left out
}

// silenceKey is the key of a *silence in a context.
type silenceKey struct{}

// WithoutRecording runs f and leaves out what this Clerk is asked to record with f's context, for bulk imports. The silence itself is
// recorded when f has ended, however it ended: action "recording.suspended", why as its reason, the number of events left out in its
// metadata. It returns f's error joined with that of recording. Events that other Clerks record, or other contexts, are not left out.
func (c *Clerk) WithoutRecording(ctx context.Context, why string, f func(ctx context.Context) error) (err error) {
	if why == "" {
		return &Error{Code: CodeInvalid, Rule: "required", Field: "why", Message: "recording is not suspended without a reason."}
	}
	s := &silence{of: c}
	e := Event{Action: "recording.suspended", Targets: []Target{{Type: "clerk", ID: "recording"}}, Reason: why}
	if e, err = c.completed(ctx, e); err != nil {
		return err // who asks is known before anything is left out
	}
	ended := false
	defer func() {
		if !ended { // f panicked, or ended its goroutine: neither is caught
			e.Outcome = Failure
		}
		e.Metadata = json.RawMessage(`{"left_out":` + strconv.FormatInt(s.left.Load(), 10) + `}`)
		_, failed := c.Record(context.WithValue(Detach(ctx), silenceKey{}, (*silence)(nil)), e)
		if !ended && failed != nil { // nobody is left to return it to
			c.lose(ctx, &e, failed)
		}
		err = errors.Join(err, failed)
	}()
	err = f(context.WithValue(ctx, silenceKey{}, s))
	ended = true
	return err
}

// silenced reports whether e is left out, and counts it.
func silenced(ctx context.Context, c *Clerk) bool {
	s, ok := ctx.Value(silenceKey{}).(*silence)
	if !ok || s == nil || s.of != c {
		return false
	}
	s.left.Add(1)
	return true
}
