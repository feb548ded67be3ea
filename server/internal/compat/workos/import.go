package workos

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
)

// Imported is an event of a row of an export.
type Imported struct {
	Event []byte // Daybook's JSON; it carries an id only if the row's is one of Daybook's
	Key   string // what WorkOS calls the row; empty: nothing
}

// Import turns a row of a CSV of WorkOS into the event that POST /audit_logs/events would have recorded: a JSON object of columns, all of
// them text. Columns are found by name, in any order, and those that are not known are left out. The error says what is wrong with the row.
func Import(text []byte) (Imported, error) {
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(text); err != nil {
		return Imported{}, err
	}
	var cells row
	if err := json.Unmarshal(text, &cells); err != nil {
		return Imported{}, errors.New("a row is an object of texts")
	}
	body, err := importBody(cells)
	if err != nil {
		return Imported{}, err
	}
	in, f := decode(doc, body, true)
	if f != nil {
		return Imported{}, errors.New(f.words())
	}
	out := Imported{Event: in.event, Key: cells["id"]}
	if id, err := daybook.ParseID(out.Key); err == nil {
		out.Event = append(append([]byte(`{"id":"`), id.String()...), append([]byte(`",`), in.event[1:]...)...)
	}
	return out, nil
}

// row is what a CSV has of one event, by the names of its columns.
type row map[string]string

// importBody is the request that would have made the row.
func importBody(cells row) ([]byte, error) {
	actor, err := cells.party("actor_", "")
	if err != nil {
		return nil, err
	}
	targets := []any{}
	for i := 0; ; i++ {
		suffix := "_" + strconv.Itoa(i)
		if _, there := cells["target_id"+suffix]; !there {
			break
		}
		target, err := cells.party("target_", suffix)
		if err != nil {
			return nil, err
		}
		if len(target) > 0 { // the columns go up to the widest event of the file
			targets = append(targets, target)
		}
	}
	event := map[string]any{
		"action": cells["action"], "occurred_at": cells["occurred_at"], "actor": actor, "targets": targets,
		"context": map[string]string{"location": cells.first("context_location", "location"), "user_agent": cells.first("context_user_agent", "user_agent")},
	}
	if err := cells.metadata(event, "metadata"); err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"organization_id": "org", "event": event})
}

// party is an actor or a target.
func (cells row) party(prefix, suffix string) (map[string]any, error) {
	p := map[string]any{}
	for _, name := range []string{"id", "type", "name"} {
		if text := cells[prefix+name+suffix]; text != "" {
			p[name] = text
		}
	}
	return p, cells.metadata(p, prefix+"metadata"+suffix)
}

// metadata adds the object of a column to in, unless it is empty.
func (cells row) metadata(in map[string]any, column string) error {
	text := strings.TrimSpace(cells[column])
	if text == "" || text == "{}" {
		return nil
	}
	if text[0] != '{' || !json.Valid([]byte(text)) {
		return fmt.Errorf("%s is not a JSON object", column)
	}
	in["metadata"] = json.RawMessage(text)
	return nil
}

func (cells row) first(names ...string) string {
	for _, name := range names {
		if cells[name] != "" {
			return cells[name]
		}
	}
	return ""
}

// words say what a door's answer says.
func (f *fault) words() string {
	said := strings.TrimSuffix(f.body.Message, ".")
	if errs, err := json.Marshal(f.body.Errors); err == nil && f.body.Errors != nil {
		said += ": " + string(errs)
	}
	return said
}
