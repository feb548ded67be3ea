package crm

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pointer"
)

// Entry is one action as readers see it. Its JSON is the entity of the audit log, with what is ours behind it.
type Entry struct {
	ID               int64           `json:"id"`     // position in the log + 1
	Action           *int            `json:"action"` // nil: it was recorded in another way, and its name has no number
	ActionName       string          `json:"actionName"`
	EntityType       *int            `json:"entityType"`
	EntityTypeName   string          `json:"entityTypeName"`
	NumberIdentifier json.RawMessage `json:"numberIdentifier"` // an integer or a string, as it was recorded; null: there is none
	ChangedObjects   ChangedObjects  `json:"changedObjects"`
	User             json.RawMessage `json:"user"` // null: there was none, or the user was deleted
	UserEmail        *string         `json:"userEmail"`
	IsImpersonated   bool            `json:"isImpersonated"`
	ImpersonatedBy   *Impersonator   `json:"impersonatedBy"` // nil: not impersonated
	CreatedAt        Time            `json:"createdAt"`
	EventID          daybook.ID      `json:"eventId"`
	Seq              int64           `json:"seq"`
	ActorID          string          `json:"actorId"` // never nulled: two deleted users stay two
	Changes          daybook.Changes `json:"changes"`

	Erased  []string `json:"erased,omitempty"`  // JSON pointers of what was erased of the event
	Removed string   `json:"removed,omitempty"` // why nothing of it is left

	LeafHash string `json:"-"` // base64
	ours     bool
}

// ChangedObjects are the record before and after, whole, and what differs.
type ChangedObjects struct {
	Previous   json.RawMessage `json:"previous"`
	Current    json.RawMessage `json:"current"`
	Difference json.RawMessage `json:"difference"`
}

// Impersonator is the real person.
type Impersonator struct {
	ID    json.RawMessage `json:"id"` // null: that user was deleted
	Email *string         `json:"email"`

	actorID string
}

// Time is a moment that JSON shows in UTC with milliseconds.
type Time struct{ time.Time }

// MarshalJSON writes the time.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

var null = json.RawMessage("null")

// Read returns an entry as readers see it, with its users as if none were deleted. r gives numbers to names that were recorded in other
// ways.
func Read(e *daybook.Entry, r *Registry) (Entry, error) {
	out := Entry{
		ID: e.Seq + 1, Seq: e.Seq, EventID: e.ID, LeafHash: base64.StdEncoding.EncodeToString(e.LeafHash[:]), Erased: e.ErasedFields,
		CreatedAt: Time{time.UnixMicro(e.ReceivedAt)}, NumberIdentifier: null, User: null, Changes: daybook.Changes{},
		ChangedObjects: ChangedObjects{null, null, json.RawMessage("{}")},
	}
	if e.Removed != daybook.NotRemoved {
		out.Removed = e.Removed.String()
		return out, nil
	}
	if e.Kind == daybook.KindControl {
		var c struct {
			Op string `json:"op"`
		}
		err := json.Unmarshal(e.Payload, &c)
		out.ActionName = c.Op
		return out, err
	}
	event, err := e.Event()
	if err != nil {
		return out, fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	var m struct {
		CRM *struct {
			kept
			EntityType *int `json:"entityType"`
			Action     *int `json:"action"`
		} `json:"crm"`
	}
	if len(event.Metadata) > 0 {
		_ = json.Unmarshal(event.Metadata, &m) // what has another form is not ours
	}
	out.take(&event, r)
	if k := m.CRM; k != nil && k.EntityType != nil {
		out.ours = true
		out.Action, out.EntityType = k.Action, k.EntityType
		out.NumberIdentifier = orNull(k.NumberIdentifier)
		out.ChangedObjects.Previous, out.ChangedObjects.Current = orNull(k.Previous), orNull(k.Current)
		if k.User != nil {
			out.User = k.User
		}
		if out.ImpersonatedBy != nil && k.ImpersonatedBy != nil {
			out.ImpersonatedBy.ID = k.ImpersonatedBy
		}
		out.ChangedObjects.Difference, err = differenceOf(out.ChangedObjects.Previous, out.ChangedObjects.Current, event.Changes)
	}
	if err != nil { // erased in part: the rest is shown
		out.ChangedObjects.Difference = json.RawMessage("{}")
	}
	return out, nil
}

// take reads what every event has.
func (x *Entry) take(e *daybook.Event, r *Registry) {
	x.ActionName, x.CreatedAt, x.ActorID = e.Action, Time{e.OccurredAt}, e.Actor.ID
	if n, ok := r.Actions.Number(e.Action); ok {
		x.Action = &n
	}
	if len(e.Targets) > 0 {
		x.EntityTypeName = e.Targets[0].Type
		x.NumberIdentifier = quoted(e.Targets[0].ID)
		if n, ok := r.EntityTypes.Number(x.EntityTypeName); ok {
			x.EntityType = &n
		}
	}
	if e.Actor.Type != "system" && e.Actor.ID != unknown && e.Actor.ID != "" {
		x.User = quoted(e.Actor.ID)
	}
	x.UserEmail = maybe(e.Actor.Email)
	if len(e.Actor.Via) > 0 {
		via := &e.Actor.Via[0]
		x.IsImpersonated = true
		x.ImpersonatedBy = &Impersonator{ID: quoted(via.ID), Email: maybe(via.Email), actorID: via.ID}
	}
	if len(e.Changes) > 0 {
		x.Changes = e.Changes
	}
	x.ChangedObjects.Difference = changedFields(e.Changes)
}

// changedFields is the difference of an event that keeps no objects: its changes by path, the first slash left out.
func changedFields(changes daybook.Changes) json.RawMessage {
	var is []field
	differs := map[string]bool{}
	for _, c := range changes {
		name := pointer.Name(strings.TrimPrefix(c.Path, "/"))
		text, err := c.New.MarshalJSON()
		if err != nil || c.Path == "" {
			continue
		}
		differs[name] = true
		is = append(is, field{name, text})
	}
	return render(nil, is, differs)
}

// quoted is an id as JSON; "" is null.
func quoted(id string) json.RawMessage {
	if id == "" {
		return null
	}
	text, _ := json.Marshal(id) // strings always encode
	return text
}

func maybe(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// hide nulls the users that were deleted.
func (x *Entry) hide(deleted map[string]bool) {
	if deleted[x.ActorID] {
		x.User = null
	}
	if by := x.ImpersonatedBy; by != nil && deleted[by.actorID] {
		by.ID = null
	}
}

// TimeOf is the moment of µs since 1970.
func TimeOf(micros int64) Time { return Time{time.UnixMicro(micros)} }
