package crm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/leaf"
)

// Deed is one action as it is recorded, with everything known that the log keeps. Ids are JSON: an integer or a string, as the
// application writes them.
type Deed struct {
	Action, EntityType Value
	NumberIdentifier   json.RawMessage
	User               json.RawMessage // nil: nobody, or the actor of the context
	UserEmail          string
	Previous, Current  json.RawMessage // JSON objects; nil: there is none
	Impersonated       bool
	ImpersonatedBy     json.RawMessage // nil with Impersonated: it is not known who
	ImpersonatorEmail  string
	CreatedAt          time.Time // zero: when it is received
}

// unknown is the id of who is not known.
const unknown = "unknown"

// kept is what the metadata keep of a deed, so that it is shown as it was sent.
type kept struct {
	Action           int             `json:"action"`
	EntityType       int             `json:"entityType"`
	NumberIdentifier json.RawMessage `json:"numberIdentifier"`
	User             json.RawMessage `json:"user,omitempty"`
	ImpersonatedBy   json.RawMessage `json:"impersonatedBy,omitempty"`
	Previous         json.RawMessage `json:"previous"`
	Current          json.RawMessage `json:"current"`
}

// Event returns the deed as an event. Changes that would make it larger than an event may be are left out: what they are made of is in
// the metadata. Nothing is masked yet: [daybook.Redacted] does that, after what differs was found.
func (d *Deed) Event() (daybook.Event, error) {
	k := kept{d.Action.Value, d.EntityType.Value, d.NumberIdentifier, d.User, d.ImpersonatedBy, orNull(d.Previous), orNull(d.Current)}
	metadata, err := json.Marshal(map[string]kept{"crm": k})
	if err != nil {
		return daybook.Event{}, fmt.Errorf("write the metadata: %w", err)
	}
	e := daybook.Event{
		Action: d.Action.Name, OccurredAt: d.CreatedAt, Metadata: metadata, Actor: d.actor(),
		Targets: []daybook.Target{{Type: d.EntityType.Name, ID: idText(d.NumberIdentifier)}},
	}
	if e.Changes, err = daybook.DiffJSON(d.Previous, d.Current, daybook.DiffOptions{}); err != nil {
		return daybook.Event{}, fmt.Errorf("compare previous and current: %w", err)
	}
	text, err := json.Marshal(&e)
	if err != nil {
		return daybook.Event{}, fmt.Errorf("write the event: %w", err)
	}
	doc := leaf.Get()
	defer leaf.Put(doc)
	if doc.Read(text) != nil {
		e.Changes = nil
	}
	return e, nil
}

func (d *Deed) actor() daybook.Actor {
	a := daybook.Actor{Type: "user", ID: idText(d.User), Email: d.UserEmail}
	if d.User == nil {
		a.ID = unknown
		if d.UserEmail == "" {
			a.Type = "system"
		}
	}
	if d.Impersonated {
		by := daybook.Actor{Type: "user", ID: unknown, Email: d.ImpersonatorEmail}
		if d.ImpersonatedBy != nil {
			by.ID = idText(d.ImpersonatedBy)
		}
		a.Via = []daybook.Actor{by}
	}
	return a
}

func orNull(v json.RawMessage) json.RawMessage {
	if v == nil {
		return json.RawMessage("null")
	}
	return v
}

// idText is the text of an id: of a string what it says, of a number what is written.
func idText(id json.RawMessage) string {
	var s string
	if json.Unmarshal(id, &s) == nil {
		return s
	}
	return string(id)
}

// field is a member of an object, in its order.
type field struct {
	name  string
	value json.RawMessage
}

var errNoObject = errors.New("it is not a JSON object")

// fields cuts an object at its top level; nil has none.
func fields(object json.RawMessage) ([]field, error) {
	if object == nil || bytes.Equal(object, []byte("null")) {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNoObject
	}
	var list []field
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errNoObject
		}
		var f field
		if err := d.Decode(&f.value); err != nil {
			return nil, errNoObject
		}
		f.name, _ = name.(string)
		list = append(list, f)
	}
	if _, err := d.Token(); err != nil {
		return nil, errNoObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNoObject
	}
	return list, nil
}

func value(list []field, name string) json.RawMessage {
	for _, f := range list {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// Difference returns what a consumer of the audit log sees as changed: every field at the top level of one of the two objects whose value
// differs, with the value that it has in current, null when it is gone. Values are compared as [daybook.EqualJSON] does; nil has no
// fields.
func Difference(previous, current json.RawMessage) (json.RawMessage, error) {
	was, err := fields(previous)
	if err != nil {
		return nil, fmt.Errorf("previous: %w", err)
	}
	is, err := fields(current)
	if err != nil {
		return nil, fmt.Errorf("current: %w", err)
	}
	differs := map[string]bool{}
	for _, f := range was {
		differs[f.name] = !daybook.EqualJSON(f.value, value(is, f.name))
	}
	for _, f := range is {
		if value(was, f.name) == nil {
			differs[f.name] = true
		}
	}
	return render(was, is, differs), nil
}

// render writes the fields that differ: those that were there first, then the new ones.
func render(was, is []field, differs map[string]bool) json.RawMessage {
	out := []byte{'{'}
	write := func(name string) {
		if !differs[name] {
			return
		}
		differs[name] = false
		if len(out) > 1 {
			out = append(out, ',')
		}
		key, _ := json.Marshal(name) // strings always encode
		out = append(append(append(out, key...), ':'), orNull(value(is, name))...)
	}
	for _, list := range [][]field{was, is} {
		for _, f := range list {
			write(f.name)
		}
	}
	return append(out, '}')
}

// differenceOf is Difference of what was recorded: the changes know of fields whose values are masked and look the same. Without them the
// two objects are compared.
func differenceOf(previous, current json.RawMessage, changes daybook.Changes) (json.RawMessage, error) {
	differs := map[string]bool{}
	for _, c := range changes {
		if c.Path == "" {
			differs = nil
			break
		}
		name, _, _ := strings.Cut(c.Path[1:], "/")
		differs[pointer.Name(name)] = true
	}
	if len(differs) == 0 {
		return Difference(previous, current)
	}
	was, err := fields(previous)
	if err != nil {
		return nil, fmt.Errorf("previous: %w", err)
	}
	is, err := fields(current)
	if err != nil {
		return nil, fmt.Errorf("current: %w", err)
	}
	return render(was, is, differs), nil
}
