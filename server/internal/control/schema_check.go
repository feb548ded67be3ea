package control

import (
	"context"
	"fmt"
	"strconv"

	"github.com/daybook-audit/daybook"
)

// Modes: what becomes of an event that does not keep to a schema.
const (
	SchemaOpen       = "open"       // it is refused; an action without a schema is free
	SchemaQuarantine = "quarantine" // it is recorded and flagged, and so is an action without a schema
	SchemaStrict     = "strict"     // it is refused, and so is an action without a schema
)

// Flags of entries that were recorded although they do not keep to a schema.
const (
	FlagViolation = "schema_violation"
	FlagMissing   = "schema_missing" // the action has no schema
)

// SchemaRules is how the events of a door are judged. The zero value is the default.
type SchemaRules struct {
	Mode  string // empty: SchemaOpen
	Exact bool   // the types of the targets are those of the schema, each as often; else each of them occurs
	First bool   // an event that names no version is held against version 1; else against the newest that fits
}

func (r SchemaRules) check() error {
	switch r.Mode {
	case "", SchemaOpen, SchemaQuarantine, SchemaStrict:
		return nil
	}
	return fmt.Errorf("there is no mode %q", r.Mode)
}

// SchemaError is the cause of the refusal of an event: all that is wrong with it.
type SchemaError struct {
	Action     string
	Violations []Violation // at least one, at most 100
}

// Error counts.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("%d violations of the schema of %q", len(e.Violations), e.Action)
}

func (s *Schemas) rulesOf(door string) SchemaRules {
	if r, ok := s.rules[door]; ok {
		return r
	}
	return s.rules[""]
}

// Applies is part of daybook.Schemas. Where nothing is registered it costs a look into memory.
func (s *Schemas) Applies(ctx context.Context, org daybook.OrgID, door string) (bool, error) {
	if mode := s.rulesOf(door).Mode; mode == SchemaQuarantine || mode == SchemaStrict {
		return true, nil
	}
	r := s.current(ctx)
	return len(r.of[""]) > 0 || len(r.of[org]) > 0, nil
}

// Check is part of daybook.Schemas. A refusal is a *daybook.Error around a *SchemaError.
func (s *Schemas) Check(ctx context.Context, e daybook.SchemaCase) (daybook.Verdict, error) {
	rules := s.rulesOf(e.Door)
	a := s.current(ctx).action(e.Org, e.Action)
	if a == nil {
		switch rules.Mode {
		case SchemaQuarantine:
			return daybook.Verdict{Flag: FlagMissing}, nil
		case SchemaStrict:
			return daybook.Verdict{}, &daybook.Error{
				Code: daybook.CodeInvalid, Rule: "schema_missing", Field: "/action", Message: fmt.Sprintf("no schema is registered for the action %q.", e.Action),
				Err: &SchemaError{e.Action, []Violation{{InstancePath: "/action", SchemaPath: "#", Keyword: "enum", Params: map[string]any{}, Message: "is not registered"}}},
			}
		}
		return daybook.Verdict{}, nil
	}
	version, wrong, err := a.judge(&e, rules)
	switch {
	case err != nil:
		return daybook.Verdict{}, err
	case len(wrong) == 0:
		return daybook.Verdict{Version: version}, nil
	case rules.Mode == SchemaQuarantine:
		return daybook.Verdict{Flag: FlagViolation}, nil
	}
	return daybook.Verdict{}, refusal(e.Action, wrong)
}

func refusal(action string, wrong []Violation) error {
	first := &wrong[0]
	at := first.InstancePath
	if at == "" {
		at = "the event"
	}
	message := fmt.Sprintf("the event does not keep to the schema of %q: %s %s", action, at, first.Message)
	if n := len(wrong) - 1; n > 0 {
		message += fmt.Sprintf(" (and %d more)", n)
	}
	return &daybook.Error{
		Code: daybook.CodeInvalid, Rule: "schema_violation", Field: first.InstancePath, Message: message + ".", Err: &SchemaError{action, wrong},
	}
}

// maxTried is how many versions an event that names none is held against, from the newest on.
const maxTried = 50

// judge holds e against the version that it names, or finds the one that it keeps to. Without one, wrong is what the version named, or the
// newest, says.
func (a *Action) judge(e *daybook.SchemaCase, rules SchemaRules) (version int, wrong []Violation, err error) {
	value, err := decodeValue(e.Text)
	if err != nil {
		return 0, nil, fmt.Errorf("read an accepted event: %w", err)
	}
	event, _ := value.(map[string]any)
	if e.Version == 0 && rules.First {
		wrong, err = a.Schemas[0].violations(event, rules.Exact)
		return 1, wrong, err
	}
	if e.Version != 0 {
		s, err := a.Version(e.Version)
		if err != nil {
			known := make([]any, 0, len(a.Schemas))
			for _, s := range a.Schemas {
				known = append(known, s.Version)
			}
			return 0, []Violation{{
				InstancePath: "/version", SchemaPath: "#/version", Keyword: "enum", Params: map[string]any{"allowedValues": known},
				Message: "must be equal to one of the allowed values",
			}}, nil
		}
		wrong, err = s.violations(event, rules.Exact)
		return s.Version, wrong, err
	}
	for i := len(a.Schemas) - 1; i >= max(0, len(a.Schemas)-maxTried); i-- {
		found, err := a.Schemas[i].violations(event, rules.Exact)
		if err != nil || len(found) == 0 {
			return a.Schemas[i].Version, nil, err
		}
		if wrong == nil {
			wrong = found
		}
	}
	return 0, wrong, nil
}

// Violations says what is wrong with an event, whose JSON is text; with exact its targets are those of the schema, each as often.
func (s *Schema) Violations(text []byte, exact bool) ([]Violation, error) {
	value, err := decodeValue(text)
	if err != nil {
		return nil, err
	}
	event, _ := value.(map[string]any)
	return s.violations(event, exact)
}

// NewSchemaOf returns a schema that is registered nowhere, for who has it in a file.
func NewSchemaOf(action string, p SchemaParts) (*Schema, error) {
	n := NewSchema{Action: action, SchemaParts: p}
	if err := n.check(); err != nil {
		return nil, err
	}
	d := schemaDocument{Action: action, Version: 1, Actor: p.Actor, Targets: p.Targets, Metadata: p.Metadata, Event: p.Event}
	return d.schema(), nil
}

func (s *Schema) violations(event map[string]any, exact bool) ([]Violation, error) {
	c, err := s.parts()
	if err != nil {
		return nil, fmt.Errorf("schema %d of %q: %w", s.Version, s.Action, err)
	}
	v := violations{}
	targets, _ := event["targets"].([]any)
	s.targetTypes(&v, targets, exact)
	actor, _ := event["actor"].(map[string]any)
	v.judge(c.actor, metadataOf(actor), "/actor/metadata", "#/actor/metadata")
	nth := map[string]int{} // of a type, for those that are declared more than once
	for i, t := range targets {
		target, _ := t.(map[string]any)
		kind, _ := target["type"].(string)
		if k := s.declared(kind, nth[kind]); k >= 0 {
			nth[kind]++
			at := strconv.Itoa(i)
			v.judge(c.targets[k], metadataOf(target), "/targets/"+at+"/metadata", "#/targets/"+strconv.Itoa(k)+"/metadata")
		}
	}
	v.judge(c.metadata, metadataOf(event), "/metadata", "#/metadata")
	v.judge(c.event, event, "", "#/event")
	return v.found, nil
}

// declared returns the place of the nth declaration of a type, or of the last one; −1: there is none.
func (s *Schema) declared(kind string, nth int) int {
	last := -1
	for i := range s.Targets {
		if s.Targets[i].Type != kind {
			continue
		}
		if last = i; nth == 0 {
			break
		}
		nth--
	}
	return last
}

// metadataOf returns the metadata of an event, an actor or a target; what is not there is judged as if it were empty.
func metadataOf(of map[string]any) any {
	if m, ok := of["metadata"]; ok && m != nil {
		return m
	}
	return map[string]any{}
}

// targetTypes holds the types of the targets against those that are declared.
func (s *Schema) targetTypes(v *violations, targets []any, exact bool) {
	kinds := make([]string, len(targets))
	free := map[string]int{} // declared, and not met
	for i := range s.Targets {
		if n := free[s.Targets[i].Type]; n == 0 || exact {
			free[s.Targets[i].Type] = n + 1
		}
	}
	var others []int // targets that no declaration stands for
	for i, t := range targets {
		target, _ := t.(map[string]any)
		kinds[i], _ = target["type"].(string)
		switch {
		case free[kinds[i]] > 0:
			free[kinds[i]]--
		case exact || s.declared(kinds[i], 0) < 0:
			others = append(others, i)
		}
	}
	for i := range s.Targets {
		kind := s.Targets[i].Type
		if free[kind] == 0 {
			continue
		}
		free[kind]--
		path := "#/targets/" + strconv.Itoa(i) + "/type"
		if len(others) > 0 {
			v.add("/targets/"+strconv.Itoa(others[0])+"/type", path+"/const", "const", map[string]any{"allowedValue": kind}, "must be equal to constant")
			others = others[1:]
			continue
		}
		v.add("/targets", path+"/contains", "contains", map[string]any{"minContains": 1, "type": kind}, fmt.Sprintf("must contain a target of the type %q", kind))
	}
	if exact {
		for _, i := range others {
			v.add("/targets/"+strconv.Itoa(i), "#/targets/maxItems", "maxItems", map[string]any{"limit": len(s.Targets)}, "is not declared")
		}
	}
}
