package daybook

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/internal/shape"
	"github.com/daybook-audit/daybook/leaf"
)

// accept judges one event of a producer: see [shape.Accept]. On return d holds the fields of what is kept. The error is an *Error that names
// the first fault in the order of the text.
func accept(d *leaf.Doc, text []byte, reserved bool) (shape.Accepted, error) {
	a, err := shape.Accept(d, text, reserved)
	return a, refusalOf(err)
}

// refusalOf returns the *Error of what package shape refuses.
func refusalOf(err error) error {
	e, ok := errors.AsType[*shape.Refusal](err)
	if !ok {
		return err
	}
	out := &Error{Code: CodeInvalid, Rule: e.Rule, Field: e.Field, Message: e.Message}
	if e.Rule == shape.TooLarge {
		out.Code = CodeTooLarge
	}
	return out
}

// decodeEvent reads the JSON of an event that was accepted before. It is lenient: unknown members are ignored and nothing is held
// against the limits. Members that are null stay zero, but for the old and new of a change, where null is a value.
func decodeEvent(text []byte, e *Event) error {
	*e = Event{Org: e.Org}
	if err := json.Unmarshal(text, (*plainEvent)(e)); err != nil {
		return fmt.Errorf("decode an event: %w", err)
	}
	e.OccurredAt = truncated(e.OccurredAt)
	for _, raw := range [...]*json.RawMessage{&e.Metadata, &e.Actor.Metadata} {
		*raw = rawjson.NotNull(*raw)
	}
	for i := range e.Actor.Via {
		e.Actor.Via[i].Metadata = rawjson.NotNull(e.Actor.Via[i].Metadata)
	}
	for i := range e.Targets {
		e.Targets[i].Metadata = rawjson.NotNull(e.Targets[i].Metadata)
	}
	if h := e.Context.HTTP; h != nil {
		h.Params, h.Request, h.Response = rawjson.NotNull(h.Params), rawjson.NotNull(h.Request), rawjson.NotNull(h.Response)
	}
	return nil
}

// plainEvent is an Event without its methods.
type plainEvent Event

// UnmarshalJSON reads the JSON of an event leniently: unknown members are ignored. Org keeps its value.
func (e *Event) UnmarshalJSON(text []byte) error { return decodeEvent(text, e) }

// truncated returns t in UTC without what is finer than microseconds; the zero time stays zero.
func truncated(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
