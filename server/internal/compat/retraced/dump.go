package retraced

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

// Dumped is an event that comes out of Retraced: a node of its search, a line of its index, or what a producer once sent.
type Dumped struct {
	Event
	ID       daybook.ID // zero: the dump does not say
	Received time.Time  // zero: the same
	Project  string
}

// ReadDump reads one event of a dump: strict JSON with the members of an event, those that Retraced adds, and any others, which are left
// out. Maps may be lists of key and value, times numbers, and null counts as absent; values that are no strings become their JSON. What
// makes an event useless, such as a missing action, is an error whose text is safe to show.
func ReadDump(text []byte) (Dumped, error) {
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(text); err != nil {
		return Dumped{}, fmt.Errorf("read an event of Retraced: %w", err)
	}
	var out Dumped
	kept := []rawjson.Member{}
	for _, m := range members(text) {
		switch m.Name {
		case "id":
			digits := strings.ReplaceAll(looseText(m.Value), "-", "")
			raw, err := hex.DecodeString(digits)
			if err != nil || len(raw) != len(out.ID) {
				return Dumped{}, fmt.Errorf("id %s is not a UUID", shown(digits))
			}
			out.ID = daybook.ID(raw)
		case "received":
			at, ok := looseTime(m.Value)
			if !ok {
				return Dumped{}, fmt.Errorf("received %s is no time", shown(string(m.Value)))
			}
			out.Received = at
		case "project_id":
			out.Project = looseText(m.Value)
		case "fields", "metadata":
			kept = append(kept, rawjson.Member{Name: m.Name, Value: loosePairs(m.Value)})
		case "group", "actor", "target":
			kept = append(kept, rawjson.Member{Name: m.Name, Value: looseParty(m.Name, m.Value)})
		case "action", "crud", "created", "source_ip", "description", "is_failure", "is_anonymous", "component", "version", "external_id":
			kept = append(kept, m)
		}
	}
	d := decoder{}
	out.Event = d.event(kept)
	for _, v := range d.broken {
		if v.Field != "crud" && v.Field != "source_ip" && v.Field != "actor" { // an old dump may lack them: what is left is still worth keeping
			return Dumped{}, errors.New(v.Message)
		}
	}
	return out, nil
}

// Daybook is [Event.Daybook] with the id of the dump, so that importing it again records nothing twice, and the time at which Retraced
// received the event when its producer named none.
func (d *Dumped) Daybook() []byte {
	e := d.native(d.Project)
	e.ID = d.ID
	if e.OccurredAt.IsZero() {
		e.OccurredAt = d.Received
	}
	return encode(e)
}

// looseText is a string, or the JSON of something else.
func looseText(value []byte) string {
	if value[0] == '"' {
		return rawjson.Text(value)
	}
	return string(value)
}

func looseTime(value []byte) (time.Time, bool) {
	if value[0] == '"' {
		return isoTime(rawjson.Text(value))
	}
	return epochTime(string(value))
}

// loosePairs makes a map of strings of a map, or of a list of key and value.
func loosePairs(value []byte) []byte {
	m := map[string]string{}
	switch value[0] {
	case '{':
		for _, one := range rawjson.Members(value) {
			m[one.Name] = looseText(one.Value)
		}
	case '[':
		for one := range rawjson.Elements(value) {
			var pair struct {
				Key   string
				Value json.RawMessage
			}
			if json.Unmarshal(one, &pair) == nil && len(pair.Value) > 0 {
				m[pair.Key] = looseText(pair.Value)
			}
		}
	}
	return encode(m)
}

// partyNames are what is kept of a group, an actor and a target.
var partyNames = map[string]string{"group": " id name ", "actor": " id name href ", "target": " id name href type "}

func looseParty(name string, value []byte) []byte {
	if value[0] != '{' {
		return []byte("{}")
	}
	out := map[string]json.RawMessage{}
	for _, m := range members(value) {
		switch {
		case m.Name == "fields" && name != "group":
			out[m.Name] = loosePairs(m.Value)
		case strings.Contains(partyNames[name], " "+m.Name+" "):
			out[m.Name] = encode(looseText(m.Value))
		}
	}
	return encode(out)
}
