package retraced

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
)

// Event is an event as Retraced's publisher API takes it. A string that is empty was absent. A nil map was absent too; an empty one was
// sent, and the hash knows the difference.
type Event struct {
	Action, CRUD           string
	Group                  *Group
	Created                time.Time // zero: absent
	Actor                  *Actor    // nil: absent
	Target                 *Target   // nil: absent
	SourceIP, Description  string
	IsFailure, IsAnonymous bool
	Fields, Metadata       map[string]string
	Component, Version     string
	ExternalID             string
}

// Group is whose event it is: the organization.
type Group struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Actor is who acted.
type Actor struct {
	ID, Name, Href string
	Fields         map[string]string
}

// Target is what was acted on.
type Target struct {
	ID, Type, Name, Href string
	Fields               map[string]string
}

// kept is metadata.retraced of an entry: what has no place of its own in a Daybook event.
type kept struct {
	Project     string            `json:"project,omitempty"`
	CRUD        string            `json:"crud,omitempty"`
	Group       *Group            `json:"group,omitempty"`
	Description string            `json:"description,omitempty"`
	Component   string            `json:"component,omitempty"`
	Version     string            `json:"version,omitempty"`
	IsAnonymous bool              `json:"is_anonymous,omitempty"`
	Fields      map[string]string `json:"fields,omitzero"`
	Metadata    map[string]string `json:"metadata,omitzero"`
}

// described is the metadata of an actor or a target.
type described struct {
	Href   string            `json:"href,omitempty"`
	Fields map[string]string `json:"fields,omitzero"`
}

// The words for what Retraced leaves open.
const (
	actorUser      = "user"
	actorAnonymous = "anonymous"
	targetObject   = "object"
)

// Daybook returns e as Daybook records it: JSON of the native API, for [daybook.Book.RecordJSON]. Nothing of e is lost: [Event.Hash]
// can be computed from the entry again. Which organization it is recorded for is the caller's to say.
func (e *Event) Daybook(project string) []byte { return encode(e.native(project)) }

func (e *Event) native(project string) daybook.Event {
	out := daybook.Event{
		Action: e.Action, OccurredAt: e.Created, Outcome: daybook.Success, CorrelationID: e.ExternalID,
		Context: daybook.Context{IP: e.SourceIP},
		Actor:   daybook.Actor{Type: actorAnonymous, ID: actorAnonymous},
	}
	if e.IsFailure {
		out.Outcome = daybook.Failure
	}
	if a := e.Actor; a != nil {
		out.Actor = daybook.Actor{Type: actorUser, ID: a.ID, Name: a.Name, Metadata: describe(a.Href, a.Fields)}
	}
	if t := e.Target; t != nil {
		kind := t.Type
		if kind == "" {
			kind = targetObject
		}
		out.Targets = []daybook.Target{{Type: kind, ID: t.ID, Name: t.Name, Metadata: describe(t.Href, t.Fields)}}
	}
	out.Metadata = encode(struct {
		Retraced kept `json:"retraced"`
	}{kept{
		Project: project, CRUD: e.CRUD, Group: e.Group, Description: e.Description, Component: e.Component, Version: e.Version,
		IsAnonymous: e.IsAnonymous, Fields: e.Fields, Metadata: e.Metadata,
	}})
	return out
}

func describe(href string, fields map[string]string) json.RawMessage {
	if href == "" && fields == nil {
		return nil
	}
	return encode(described{href, fields})
}

// encode writes JSON as it is, without the escapes that HTML needs.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // our own structs always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// crudOf is the classification of an entry that was recorded in another way: from the verb of its action.
func crudOf(action string) string {
	for _, word := range strings.FieldsFunc(strings.ToLower(action), func(r rune) bool { return r < 'a' || r > 'z' }) {
		for _, v := range verbs {
			if strings.HasPrefix(word, v.begins) {
				return v.crud
			}
		}
	}
	return "u"
}

// verbs are the beginnings of words, so that created and creating count like create.
var verbs = []struct{ begins, crud string }{
	{"creat", "c"},
	{"add", "c"},
	{"insert", "c"},
	{"read", "r"},
	{"view", "r"},
	{"list", "r"},
	{"get", "r"},
	{"export", "r"},
	{"delet", "d"},
	{"remov", "d"},
}
