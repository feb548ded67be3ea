package crm

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook"
)

// Deletion says that a user was deleted. Entries of that user show none from then on, those recorded before included; the e-mail and the
// actor's id stay.
type Deletion struct {
	User      json.RawMessage `json:"user"`
	DeletedAt Time            `json:"deletedAt"`
	EventID   daybook.ID      `json:"eventId"`

	ActorID string `json:"-"`
}

// DeletionID is the id of the event that says that a user was deleted: there is one for each user.
func DeletionID(userID string) daybook.ID { return madeID("user", userID) }

// DeletionEvent returns the event that says that a user was deleted. user is the id as JSON, an integer or a string.
func DeletionEvent(user json.RawMessage, by daybook.Actor) (daybook.Event, error) {
	metadata, err := json.Marshal(map[string]map[string]json.RawMessage{"crm": {"user": user}})
	if err != nil {
		return daybook.Event{}, fmt.Errorf("write the metadata: %w", err)
	}
	id := idText(user)
	return daybook.Event{
		ID: DeletionID(id), Action: UserDeleted, Actor: by, Metadata: metadata, Targets: []daybook.Target{{Type: "user", ID: id}},
	}, nil
}

// ReadDeletion reads such an event. One with another id is none.
func ReadDeletion(e *daybook.Entry) (Deletion, bool) {
	var in struct {
		Targets  []struct{ ID string }
		Metadata struct {
			CRM struct {
				User json.RawMessage `json:"user"`
			} `json:"crm"`
		} `json:"metadata"`
	}
	if e.Removed != daybook.NotRemoved || json.Unmarshal(e.Payload, &in) != nil || len(in.Targets) == 0 {
		return Deletion{}, false
	}
	id := in.Targets[0].ID
	if e.ID != DeletionID(id) {
		return Deletion{}, false
	}
	d := Deletion{User: in.Metadata.CRM.User, DeletedAt: Time{time.UnixMicro(e.ReceivedAt)}, EventID: e.ID, ActorID: id}
	if d.User == nil {
		d.User = quoted(id)
	}
	return d, true
}
