package daybook

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
)

// letter is an event on its way: a row of the outbox, or a record of the spool or the queue.
type letter struct {
	n     int64
	id    string
	org   OrgID
	text  string
	tries int
}

// delivery is the letters of one org on their way.
type delivery struct {
	to      Recorder
	org     OrgID
	sent    []int64
	refused []refusal
}

// refusal is a letter that the log does not take.
type refusal struct {
	letter letter
	err    error
}

// maxDelivery bounds the bytes of one call: a server takes 5 MiB.
const maxDelivery = 4 << 20

// deliver sends letters in their order, in calls that a server takes. It returns the first failure that is not an event's fault.
func (d *delivery) deliver(ctx context.Context, letters []letter) error {
	for start, end := 0, 0; start < len(letters); start = end {
		size := 0
		for end = start; end < len(letters) && (end == start || size+len(letters[end].text) <= maxDelivery); end++ {
			size += len(letters[end].text)
		}
		if err := d.call(ctx, letters[start:end]); err != nil {
			return err
		}
	}
	return nil
}

// call sends letters together, and without those that are refused until the rest is recorded.
func (d *delivery) call(ctx context.Context, letters []letter) error {
	var events []Event
	var of []letter
	for _, l := range letters {
		e, err := l.event()
		if err != nil {
			d.refused = append(d.refused, refusal{l, err})
			continue
		}
		events, of = append(events, e), append(of, l)
	}
	for len(events) > 0 {
		_, err := d.to.RecordBatch(ctx, d.org, events)
		if err == nil {
			for _, l := range of {
				d.sent = append(d.sent, l.n)
			}
			return nil
		}
		batch, named := errors.AsType[*BatchError](err)
		switch {
		case !ofTheEvent(err):
			return err
		case named && len(events) > 1:
			for _, wrong := range slices.Backward(batch.Errors) { // from the end, so that the indexes before stay right
				at := wrong.Index
				d.refused = append(d.refused, refusal{of[at], wrong.Err})
				events, of = append(events[:at:at], events[at+1:]...), append(of[:at:at], of[at+1:]...)
			}
		case len(events) == 1:
			d.refused = append(d.refused, refusal{of[0], err})
			return nil
		default: // it does not say which: one by one
			for _, l := range of {
				if err := d.call(ctx, []letter{l}); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return nil
}

// ofTheEvent reports whether err says that an event will not do.
func ofTheEvent(err error) bool {
	switch CodeOf(err) { //nolint:exhaustive // the others are not the event's fault
	case CodeInvalid, CodeConflict, CodeTooLarge:
		return true
	}
	return false
}

// event returns what the letter holds.
func (l *letter) event() (Event, error) {
	e := Event{Org: l.org}
	if err := json.Unmarshal([]byte(l.text), &e); err != nil {
		return e, &Error{Code: CodeInvalid, Rule: "syntax", Message: "the row holds no event", Err: err}
	}
	id, err := ParseID(l.id)
	if err != nil || id != e.ID {
		return e, &Error{Code: CodeInvalid, Rule: "invalid_value", Field: "/id", Message: "the row names another event than it holds", Err: err}
	}
	return e, nil
}
