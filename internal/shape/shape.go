// Package shape is what an event must look like to be recorded, and what is kept of the text that a producer sends.
//
// A text is read strictly (docs/reference/integrity.md, section 2.1) and held against the shape and limits of an event
// (docs/reference/api.md, section 2). What does not fit is a [Refusal] that names the first fault in the order of the text, and says what
// would fit. What fits is kept as it was sent, but for what [Accept] says; accepting what was kept changes nothing more. Nothing is
// allocated for an ordinary event, and nothing is kept of the argument but what Accepted shares with it. All functions may be called
// concurrently, each with a Doc of its own.
package shape

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/daybook-audit/daybook/internal/difference"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

// Accepted is one event as it will be hashed and kept.
type Accepted struct {
	Text        []byte   // one line of JSON
	ID          [16]byte // zero: none was given
	IDAt        int      // 1 + offset in Text of the 30 characters of the id; 0: none
	Occurred    int64    // µs since 1970 (UTC), finer digits cut off
	HasOccurred bool
	Action      int // index in the Doc of the field action
	Version     int // 0: none is named
}

// Flags is the member in which an entry says what was wrong with it; producers cannot give it.
const Flags = "flags"

// Accept reads one event of a producer. With reserved, actions that begin with "daybook." are allowed. The error is a [Refusal].
//
// The text is kept as it was sent, with four exceptions: white space goes when it holds line breaks or tabs or surrounds the
// object; id and occurred_at are dropped when null, since an entry shows its own; the name context.location becomes context.ip;
// before and after become changes. It may share memory with the argument. On return d holds the fields of Accepted.Text.
func Accept(d *leaf.Doc, text []byte, reserved bool) (Accepted, error) {
	text = bytes.Trim(text, " \t\r\n")
	a, met, err := read(d, text, reserved)
	if err != nil {
		return Accepted{}, err
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

// Stamped reads text, an accepted event that names no version, again with a version and with flags, a JSON list; 0 and nil: without.
func Stamped(d *leaf.Doc, text []byte, version int, flags []byte) (Accepted, error) {
	out := []byte{'{'}
	for name, value := range rawjson.Each(text) {
		if version == 0 || rawjson.Text(name) != "version" { // it is null
			out = append(append(append(rawjson.Comma(out), name...), ':'), value...)
		}
	}
	if version > 0 {
		out = strconv.AppendInt(append(rawjson.Comma(out), `"version":`...), int64(version), 10)
	}
	if flags != nil {
		out = append(append(rawjson.Comma(out), `"`+Flags+`":`...), flags...)
	}
	out = append(out, '}')
	if err := Read(d, out); err != nil {
		return Accepted{}, err
	}
	c := checker{d: d, text: out, reserved: true, flags: true, out: Accepted{Text: out}}
	err := c.check()
	return c.out, err
}

// readRewritten reads text again after rewriting it. When its differences make too many fields, one change stands for all of them.
func readRewritten(d *leaf.Doc, text []byte, reserved bool) (Accepted, error) {
	changed, err := rewritten(text, MaxChanges)
	if err != nil {
		return Accepted{}, err
	}
	a, _, err := read(d, changed, reserved)
	if e, ok := errors.AsType[*Refusal](err); ok && e.Rule == "too_many_fields" {
		if changed, err = rewritten(text, 1); err == nil {
			a, _, err = read(d, changed, reserved)
		}
	}
	return a, err
}

// read reads and checks text as it is, and says what of it must be rewritten.
func read(d *leaf.Doc, text []byte, reserved bool) (Accepted, int, error) {
	if err := Read(d, text); err != nil {
		return Accepted{}, 0, err
	}
	c := checker{d: d, text: text, reserved: reserved, out: Accepted{Text: text}}
	if err := c.check(); err != nil {
		return Accepted{}, 0, err
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
	var before, after []byte
	for name, value := range rawjson.Each(text) {
		switch rawjson.Text(name) {
		case "before":
			before = rawjson.NotNull(value)
		case "after":
			after = rawjson.NotNull(value)
		}
	}
	changes, err := compared(before, after, most)
	if err != nil {
		return nil, fmt.Errorf("compare before and after: %w", err)
	}
	out := make([]byte, 0, len(text)+64)
	out = append(out, '{')
	placed := len(changes) == 0
	for name, value := range rawjson.Each(text) {
		switch rawjson.Text(name) {
		case "id", "occurred_at":
			if rawjson.NotNull(value) == nil {
				continue
			}
		case "before", "after":
			if !placed {
				placed = true
				out = difference.AppendJSON(append(rawjson.Comma(out), `"changes":`...), changes)
			}
			continue
		case "changes":
			if rawjson.NotNull(value) == nil {
				continue
			}
		case "context":
			value = rewrittenContext(value)
		}
		out = append(append(append(rawjson.Comma(out), name...), ':'), value...)
	}
	return append(out, '}'), nil
}

// compared returns the differences of two documents; an empty text is none.
func compared(before, after []byte, most int) ([]difference.Change, error) {
	x, err := difference.Parse(before)
	if err != nil {
		return nil, err
	}
	y, err := difference.Parse(after)
	if err != nil {
		return nil, err
	}
	return difference.Compare(x, y, &difference.Options{Most: most})
}

// rewrittenContext returns the context raw with the name location replaced by ip, and without one of the two that is null.
func rewrittenContext(raw []byte) []byte {
	named := false
	for name, value := range rawjson.Each(raw) {
		named = named || rawjson.Text(name) == "location" && rawjson.NotNull(value) != nil
	}
	if rawjson.NotNull(raw) == nil {
		return raw
	}
	out := []byte{'{'}
	for name, value := range rawjson.Each(raw) {
		switch rawjson.Text(name) {
		case "location":
			if rawjson.NotNull(value) == nil {
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
