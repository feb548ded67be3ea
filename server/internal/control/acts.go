package control

import (
	"bytes"
	"encoding/json"

	"github.com/daybook-audit/daybook"
)

// What is done to the settings of a log stands in it, whichever door it came through: these functions say what. Who did it, and from
// where, is the caller's to add.

// SchemaRegistered is the event of a schema that is registered; was is the version before it, or nil.
func SchemaRegistered(was, is *Schema) daybook.Event {
	e := daybook.Event{Action: "daybook.schema.registered", Targets: []daybook.Target{{Type: "schema", ID: is.Action}}}
	before := map[string]any{}
	if was != nil {
		before = was.members()
	}
	after := is.members()
	for _, name := range []string{"version", "actor", "targets", "metadata", "event", "sentence", "sentence_failure", "sentence_denied"} {
		changed(&e, "/"+name, before[name], after[name])
	}
	return e
}

// members are what a schema says, but for what it does not say.
func (s *Schema) members() map[string]any {
	m := map[string]any{"version": s.Version}
	for name, raw := range map[string]json.RawMessage{"actor": s.Actor, "metadata": s.Metadata, "event": s.Event} {
		if raw != nil {
			m[name] = raw
		}
	}
	for name, text := range map[string]string{"sentence": s.Sentences.Success, "sentence_failure": s.Sentences.Failure, "sentence_denied": s.Sentences.Denied} {
		if text != "" {
			m[name] = text
		}
	}
	if len(s.Targets) > 0 {
		m["targets"] = s.Targets
	}
	return m
}

// RetentionChanged is the event of a change of how the log of org is kept.
func RetentionChanged(org daybook.OrgID, before, after *Retention) daybook.Event {
	e := daybook.Event{Action: "daybook.retention.changed", Targets: []daybook.Target{{Type: "log", ID: string(org)}}}
	changed(&e, "/rules", before.rules(), after.rules())
	changed(&e, "/leave", before.Leave, after.Leave)
	changed(&e, "/floor", before.Floor, after.Floor)
	changed(&e, "/erasure_approvers", before.Approvers, after.Approvers)
	return e
}

// ViewingChanged is the event of a change of where the log of org may be shown.
func ViewingChanged(org daybook.OrgID, was, is *Viewing) daybook.Event {
	e := daybook.Event{Action: "daybook.viewer_settings.changed", Targets: []daybook.Target{{Type: "log", ID: string(org)}}}
	changed(&e, "/origins", was.Origins, is.Origins)
	changed(&e, "/lifetime_s", int64(was.Lifetime.Seconds()), int64(is.Lifetime.Seconds()))
	return e
}

func (r *Retention) rules() []ruleDocument {
	rules := []ruleDocument{}
	for _, rule := range r.Rules {
		rules = append(rules, ruleDocument(rule))
	}
	return rules
}

// changed notes a change, if it is one; nil, and an empty text, are null in a change of something else.
func changed(e *daybook.Event, path string, was, is any) {
	old, now := value(was), value(is)
	if bytes.Equal(old, now) {
		return
	}
	e.Changes = append(e.Changes, daybook.Change{Path: path, Old: daybook.JSON(old), New: daybook.JSON(now)})
}

func value(v any) []byte {
	if v == nil || v == "" {
		return []byte("null")
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs, and JSON that was read, always encode
	}
	return text
}
