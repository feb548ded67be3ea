package tavivo

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

// incoming is a body of POST /logs; every value is the caller's own token.
type incoming struct {
	userID, action []byte
	metaData       []byte // null when there is none
	masked         []byte // metaData without its secrets: what is recorded

	// Of an imported row.
	eventID    daybook.ID
	occurredAt string // RFC 3339
	rowID      []byte
}

var null = []byte("null")

// Limits of texts: characters as the door says, bytes as an event does.
const (
	maxCharacters = 256
	maxBytes      = 512
)

var integer = regexp.MustCompile(`^(0|[1-9][0-9]{0,15})$`)

const maxInteger = "9007199254740991" // 2^53-1: what the callers' JavaScript counts to

// decode reads a body that was accepted as strict JSON. Other members are ignored, as the original ignores them.
func decode(body []byte) (*incoming, []fieldError) {
	members := rawjson.Members(body)
	in := &incoming{userID: rawjson.Find(members, "userId"), action: rawjson.Find(members, "action"), metaData: rawjson.Find(members, "metaData")}
	if in.metaData == nil {
		in.metaData = rawjson.Find(members, "metadata")
	}
	if in.metaData == nil {
		in.metaData = null
	}
	var errs []fieldError
	for _, f := range []struct {
		name, want string
		value      []byte
		ok         func([]byte) bool
	}{
		{"userId", "must be an integer from 0 to " + maxInteger + " or a string of 1 to 256 characters", in.userID, isUserID},
		{"action", "must be a string of 1 to 256 characters", in.action, isShortText},
	} {
		switch {
		case f.value == nil || f.value[0] == 'n':
			errs = append(errs, fieldError{f.name, "is required"})
		case !f.ok(f.value):
			errs = append(errs, fieldError{f.name, f.want})
		}
	}
	return in, errs
}

func isUserID(v []byte) bool {
	if rawjson.IsNumber(v) {
		text := string(v)
		return integer.MatchString(text) && (len(text) < len(maxInteger) || text <= maxInteger)
	}
	return isShortText(v)
}

// isShortText also holds what an event holds: a text of 512 bytes at most.
func isShortText(v []byte) bool {
	if !rawjson.IsString(v) {
		return false
	}
	text := rawjson.Text(v)
	return text != "" && utf8.RuneCountInString(text) <= maxCharacters && len(text) <= maxBytes
}

// scalar is the text of a number or of a string that is not empty, as far as an event can hold it; "" for everything else.
func scalar(v []byte) string {
	switch {
	case rawjson.IsNumber(v) && len(v) <= maxBytes:
		return string(v)
	case rawjson.IsString(v):
		if text := rawjson.Text(v); len(text) <= maxBytes {
			return text
		}
	}
	return ""
}

// text is scalar for strings alone.
func text(v []byte) string {
	if rawjson.IsString(v) {
		return scalar(v)
	}
	return ""
}

// event returns the log as Daybook's JSON. Everything in it is masked; what is compared to find the changes is not. When the changes
// make the event larger than one may be they are left out: everything is in the metadata.
func (in *incoming) event(doc *leaf.Doc, m *masker, recordedBy []byte) []byte {
	event := in.write(in.changes(m), recordedBy)
	if doc.Read(event) != nil {
		return in.write(nil, recordedBy)
	}
	return event
}

// write writes the event. What stands in metadata.tavivo is what the rows show.
func (in *incoming) write(changes daybook.Changes, recordedBy []byte) []byte {
	entity, action, user := in.entity(), rawjson.Text(in.action), scalar(in.userID)
	out := []byte{'{'}
	if !in.eventID.IsZero() {
		out = append(in.eventID.Append(append(out, `"id":"`...)), `",`...)
	}
	out = rawjson.AppendText(append(out, `"action":`...), eventAction(entity, action))
	out = append(rawjson.AppendText(append(out, `,"actor":{"type":"user","id":`...), user), '}')
	if id := in.entityID(); entity != "" && (id != "" || entity == "user") {
		if id == "" {
			id = user // password actions concern the account itself
		}
		out = rawjson.AppendText(append(out, `,"targets":[{"type":`...), entity)
		out = rawjson.AppendText(append(out, `,"id":`...), id)
		if name := in.entityName(); name != "" {
			out = rawjson.AppendText(append(out, `,"name":`...), name)
		}
		out = append(out, "}]"...)
	}
	if in.occurredAt != "" {
		out = append(append(append(out, `,"occurred_at":"`...), in.occurredAt...), '"')
	}
	if len(changes) > 0 {
		out = append(append(out, `,"changes":`...), encode(changes)...)
	}
	out = append(append(out, `,"metadata":{"tavivo":{"userId":`...), in.userID...)
	out = append(append(out, `,"action":`...), in.action...)
	out = append(append(out, `,"metaData":`...), in.masked...)
	if in.rowID != nil {
		out = append(append(out, `,"id":`...), in.rowID...)
	}
	out = append(out, '}')
	if recordedBy != nil {
		out = append(append(out, `,"recorded_by":`...), recordedBy...)
	}
	return append(out, "}}"...)
}

// reserved begins the actions that only the log itself records.
const reserved = "daybook."

// eventAction is entity.action for an action of one word on something known, else the action as it is.
func eventAction(entity, action string) string {
	if joined := entity + "." + action; entity != "" && !strings.Contains(action, ".") && len(joined) <= maxBytes && !strings.HasPrefix(joined, reserved) {
		return joined
	}
	return action
}

func (in *incoming) entity() string {
	if entity := text(rawjson.At(in.masked, "entity")); entity != "" {
		return entity
	}
	return text(rawjson.At(in.masked, "deleted", "entity"))
}

func (in *incoming) entityID() string {
	for _, path := range [][]string{{"old", "id"}, {"edited", "id"}, {"deleted", "data", "id"}, {"deleted", "id"}, {"id"}} {
		if id := scalar(rawjson.At(in.masked, path...)); id != "" {
			return id
		}
	}
	return ""
}

func (in *incoming) entityName() string {
	if name := text(rawjson.At(in.masked, "old", "name")); name != "" {
		return name
	}
	return text(rawjson.At(in.masked, "deleted", "data", "name"))
}

// changes are the members of edited that differ from old, or everything that was deleted.
func (in *incoming) changes(m *masker) daybook.Changes {
	old, edited := rawjson.At(in.metaData, "old"), rawjson.At(in.metaData, "edited")
	var changes daybook.Changes
	switch patch := rawjson.IsObject(edited) && len(rawjson.Members(edited)) > 0; {
	case patch && rawjson.IsObject(old):
		before := rawjson.Members(old)
		for _, one := range rawjson.Members(edited) {
			was := rawjson.Find(before, one.Name)
			if was == nil || !daybook.EqualJSON(was, one.Value) {
				changes = append(changes, daybook.Change{Path: "/" + pointer(one.Name), Old: m.changed(one.Name, was), New: m.changed(one.Name, one.Value)})
			}
		}
	case patch:
	default:
		gone := rawjson.At(in.metaData, "deleted", "data")
		if !rawjson.IsObject(gone) && rawjson.Text(in.action) == "delete" {
			gone = old
		}
		if !rawjson.IsObject(gone) {
			return nil
		}
		for _, one := range rawjson.Members(gone) {
			changes = append(changes, daybook.Change{Path: "/" + pointer(one.Name), Old: m.changed(one.Name, one.Value)})
		}
	}
	return changes
}

// changed is one side of a change; nil: it is not there.
func (m *masker) changed(name string, v []byte) daybook.Value {
	switch {
	case v == nil:
		return daybook.Value{}
	case m.secret(name):
		return daybook.Masked()
	}
	return daybook.JSON(m.value(nil, v))
}

// encode is the JSON of v without escapes for HTML.
func encode(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // our own structs always encode
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
