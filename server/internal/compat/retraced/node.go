package retraced

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
)

// outline is what searches hold an entry against, read without the rest of it.
type outline struct {
	Action string
	Reason string
	Actor  struct{ Name string }

	Targets  []struct{ Name string }
	Metadata map[string]json.RawMessage

	org  daybook.OrgID
	kept *kept // nil: it was recorded another way
}

// outlineOf reads an entry; of one whose members have another type, such as an erased one, what can be read.
func outlineOf(e *daybook.Entry) *outline {
	o := &outline{org: e.Org}
	_ = json.Unmarshal(e.Payload, o) // accepted before: only types can be others
	if text := o.Metadata["retraced"]; len(text) > 0 && text[0] == '{' {
		k := &kept{}
		if json.Unmarshal(text, k) == nil {
			o.kept = k
		}
	}
	return o
}

// crud is what the producer said, or what the action sounds like.
func (o *outline) crud() string {
	if o.kept != nil && o.kept.CRUD != "" {
		return o.kept.CRUD
	}
	var said string
	if json.Unmarshal(o.Metadata["crud"], &said) == nil && len(said) == 1 && strings.Contains("crud", said) {
		return said
	}
	return crudOf(o.Action)
}

func (o *outline) description() string {
	if o.kept != nil {
		return o.kept.Description
	}
	return o.Reason
}

func (o *outline) actorName() string { return o.Actor.Name }

// targetName is that of the first target.
func (o *outline) targetName() string {
	if len(o.Targets) == 0 {
		return ""
	}
	return o.Targets[0].Name
}

// group is the group of an entry, or the organization in whose log it stands.
func (o *outline) group() string {
	if o.kept != nil && o.kept.Group != nil {
		return o.kept.Group.ID
	}
	return string(o.org)
}

// view is an entry as Retraced shows it.
type view struct {
	*outline
	entry *daybook.Entry
	event daybook.Event
	dated bool // the producer said when it happened
}

func viewOf(e *daybook.Entry) (*view, error) {
	v := &view{outline: outlineOf(e), entry: e}
	var err error
	if v.event, err = e.Event(); err != nil {
		return nil, fmt.Errorf("read entry %d of %s: %w", e.Seq, e.Org, err)
	}
	var top struct {
		OccurredAt *json.RawMessage `json:"occurred_at"`
	}
	v.dated = json.Unmarshal(e.Payload, &top) == nil && top.OccurredAt != nil
	return v, nil
}

// target is the first one; zero: there is none.
func (v *view) target() daybook.Target {
	if len(v.event.Targets) == 0 {
		return daybook.Target{}
	}
	return v.event.Targets[0]
}

// object is a value of the answer with its members in order.
type object []field

type field struct {
	name  string
	value any // object, []object, string, bool, int64 or nil
}

// maybe is a string, or null for an empty one.
func maybe(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// pairs is a map as GraphQL has it: a list of key and value. Nil is null.
func pairs(m map[string]string) any {
	if m == nil {
		return nil
	}
	list := make([]object, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, object{{"key", k}, {"value", m[k]}})
	}
	return list
}

// node is the entry as the type Event of Retraced's schema. orgName is the name of its organization, if it has one.
func (v *view) node(orgName string) object {
	e := &v.event
	occurred := e.OccurredAt.UTC()
	created := any(nil)
	if v.dated {
		created = stamp(occurred)
	}
	k := v.kept
	if k == nil {
		k = &kept{Metadata: v.plainMetadata(), IsAnonymous: e.Actor.Type == actorAnonymous}
	}
	return object{
		{"id", eventID(v.entry.ID)},
		{"action", e.Action},
		{"description", maybe(v.description())},
		{"crud", v.crud()},
		{"group", v.groupNode(orgName)},
		{"actor", v.actor()},
		{"target", v.targetNode()},
		{"display", object{{"markdown", v.markdown()}}},
		{"received", stamp(time.UnixMicro(v.entry.ReceivedAt))},
		{"created", created},
		{"canonical_time", stamp(occurred)},
		{"is_failure", e.Outcome != daybook.Success && e.Outcome != ""},
		{"is_anonymous", k.IsAnonymous},
		{"source_ip", maybe(e.Context.IP)},
		{"country", nil},
		{"loc_subdiv1", nil},
		{"loc_subdiv2", nil},
		{"component", maybe(k.Component)},
		{"version", maybe(k.Version)},
		{"external_id", maybe(e.CorrelationID)},
		{"raw", nil},
		{"fields", pairs(k.Fields)},
		{"metadata", pairs(k.Metadata)},
	}
}

// stamp is a time in the form that JavaScript and Go read alike.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// plainMetadata is the metadata of an entry that was recorded another way: strings as they are, anything else as its JSON.
func (v *view) plainMetadata() map[string]string {
	if len(v.Metadata) == 0 {
		return nil
	}
	m := make(map[string]string, len(v.Metadata))
	for name, text := range v.Metadata {
		var s string
		if json.Unmarshal(text, &s) != nil {
			s = string(text)
		}
		m[name] = s
	}
	return m
}

func (v *view) groupNode(orgName string) any {
	id, group := v.group(), orgName
	if v.kept != nil {
		if v.kept.Group == nil {
			return nil
		}
		if v.kept.Group.Name != "" {
			group = v.kept.Group.Name
		}
	}
	return object{{"id", id}, {"name", maybe(group)}}
}

// details returns what is kept of an actor or a target beside its name.
func (v *view) details(metadata json.RawMessage) described {
	var d described
	if v.kept != nil {
		_ = json.Unmarshal(metadata, &d) // written by this door, or erased
	}
	return d
}

func (v *view) actor() any {
	a := &v.event.Actor
	if a.ID == "" || v.kept != nil && a.Type == actorAnonymous {
		return nil
	}
	d := v.details(a.Metadata)
	return object{{"id", a.ID}, {"name", maybe(a.Name)}, {"href", maybe(d.Href)}, {"fields", pairs(d.Fields)}}
}

func (v *view) targetNode() any {
	t := v.target()
	if t.ID == "" {
		return nil
	}
	d := v.details(t.Metadata)
	return object{{"id", t.ID}, {"name", maybe(t.Name)}, {"href", maybe(d.Href)}, {"type", maybe(t.Type)}, {"fields", pairs(d.Fields)}}
}

// markdown is the sentence that Retraced makes when no template is set.
func (v *view) markdown() string {
	who := "An unknown actor"
	if v.event.Actor.Name != "" {
		who = v.event.Actor.Name
	}
	s := "**" + markdownText(who) + "** performed the action **" + markdownText(v.event.Action) + "**"
	if on := v.target().Name; on != "" {
		s += " on the item **" + markdownText(on) + "**"
	}
	return s + "."
}

var markdownEscapes = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "&", `\&`,
	"~", `\~`, "|", `\|`, "\n", " ", "\r", " ")

// markdownText keeps a name from being read as Markdown or HTML.
func markdownText(s string) string { return markdownEscapes.Replace(s) }
