package daybook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

// accepted is one event as it will be hashed and kept.
type accepted struct {
	text        []byte // one line of JSON
	id          ID     // zero: none was given
	idAt        int    // 1 + offset in text of the 30 characters of the id; 0: none
	occurred    int64  // µs since 1970 (UTC), finer digits cut off
	hasOccurred bool
	action      int // index in the Doc of the field action
	version     int // 0: none is named
}

// accept reads one event of a producer: the text is read strictly (docs/reference/integrity.md, section 2.1) and held against the
// shape and limits of an event (docs/reference/api.md, section 2). With reserved, actions that begin with "daybook." are allowed. The
// error is an *Error that names the first fault in the order of the text.
//
// The text is kept as it was sent, with four exceptions: white space goes when it holds line breaks or tabs or surrounds the
// object; id and occurred_at are dropped when null, since an entry shows its own; the name context.location becomes context.ip;
// before and after become changes. It may share memory with the argument. On return d holds the fields of accepted.text.
func accept(d *leaf.Doc, text []byte, reserved bool) (accepted, error) {
	text = bytes.Trim(text, " \t\r\n")
	a, met, err := read(d, text, reserved)
	if err != nil {
		return accepted{}, err
	}
	if met&mustRewrite == 0 && !broken(text) {
		return a, nil
	}
	if broken(text) {
		text = rawjson.Compact(text)
	}
	if met&mustRewrite == 0 {
		a, _, err = read(d, text, reserved)
		return a, err
	}
	return readRewritten(d, text, reserved)
}

// readRewritten reads text again after rewriting it. When its differences make too many fields, one change stands for all of them.
func readRewritten(d *leaf.Doc, text []byte, reserved bool) (accepted, error) {
	changed, err := rewritten(text, maxChanges)
	if err != nil {
		return accepted{}, err
	}
	a, _, err := read(d, changed, reserved)
	if e, ok := errors.AsType[*Error](err); ok && e.Rule == "too_many_fields" {
		if changed, err = rewritten(text, 1); err == nil {
			a, _, err = read(d, changed, reserved)
		}
	}
	return a, err
}

// read reads and checks text as it is, and says what of it must be rewritten.
func read(d *leaf.Doc, text []byte, reserved bool) (accepted, int, error) {
	if err := d.Read(text); err != nil {
		return accepted{}, 0, refusedText(err)
	}
	c := checker{d: d, text: text, reserved: reserved, out: accepted{text: text}}
	if err := c.check(); err != nil {
		return accepted{}, 0, err
	}
	return c.out, c.met, nil
}

// broken reports whether text has line breaks or tabs; in strict JSON they are always white space.
func broken(text []byte) bool {
	return bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 || bytes.IndexByte(text, '\t') >= 0
}

// rewritten returns text, which was checked, with its before and after as changes, no more than most, its context.location as
// context.ip, and without an id or occurred_at that is null. It is a pure function of text.
func rewritten(text []byte, most int) ([]byte, error) {
	var before, after json.RawMessage
	for name, value := range rawjson.Each(text) {
		switch rawjson.Text(name) {
		case "before":
			before = notNull(value)
		case "after":
			after = notNull(value)
		}
	}
	changes, err := DiffJSON(before, after, DiffOptions{MaxChanges: most})
	if err != nil {
		return nil, fmt.Errorf("compare before and after: %w", err)
	}
	out := make([]byte, 0, len(text)+64)
	out = append(out, '{')
	placed := len(changes) == 0
	for name, value := range rawjson.Each(text) {
		switch rawjson.Text(name) {
		case "id", "occurred_at":
			if notNull(value) == nil {
				continue
			}
		case "before", "after":
			if !placed {
				placed = true
				if out, err = appendChanges(append(rawjson.Comma(out), `"changes":`...), changes); err != nil {
					return nil, err
				}
			}
			continue
		case "changes":
			if notNull(value) == nil {
				continue
			}
		case "context":
			value = rewrittenContext(value)
		}
		out = append(append(append(rawjson.Comma(out), name...), ':'), value...)
	}
	return append(out, '}'), nil
}

// rewrittenContext returns the context raw with the name location replaced by ip, and without one of the two that is null.
func rewrittenContext(raw []byte) []byte {
	named := false
	for name, value := range rawjson.Each(raw) {
		named = named || rawjson.Text(name) == "location" && notNull(value) != nil
	}
	if notNull(raw) == nil {
		return raw
	}
	out := []byte{'{'}
	for name, value := range rawjson.Each(raw) {
		switch rawjson.Text(name) {
		case "location":
			if notNull(value) == nil {
				continue
			}
			name = []byte(`"ip"`)
		case "ip":
			if named {
				continue // it is null: both together were refused
			}
		}
		out = append(append(append(rawjson.Comma(out), name...), ':'), value...)
	}
	return append(out, '}')
}

// notNull returns raw, or nil when it is null.
func notNull(raw []byte) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
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
		*raw = notNull(*raw)
	}
	for i := range e.Actor.Via {
		e.Actor.Via[i].Metadata = notNull(e.Actor.Via[i].Metadata)
	}
	for i := range e.Targets {
		e.Targets[i].Metadata = notNull(e.Targets[i].Metadata)
	}
	if h := e.Context.HTTP; h != nil {
		h.Params, h.Request, h.Response = notNull(h.Params), notNull(h.Request), notNull(h.Response)
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

// refusedText turns a refusal of package leaf into an *Error.
func refusedText(err error) error {
	e, ok := errors.AsType[*leaf.Error](err)
	if !ok {
		return err
	}
	out := &Error{Code: CodeInvalid, Rule: e.Code, Field: e.Pointer, Message: e.Message + "."}
	if e.Code == "too_large" {
		out.Code = CodeTooLarge
	}
	return out
}
