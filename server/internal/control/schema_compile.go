package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/daybook-audit/daybook"
)

// compiledSchema is a schema ready to judge; a part that is nil judges nothing.
type compiledSchema struct {
	actor, metadata, event *jsonschema.Schema
	targets                []*jsonschema.Schema // by place in SchemaParts.Targets
}

func (p *SchemaParts) compile() (*compiledSchema, error) {
	c := &compiledSchema{targets: make([]*jsonschema.Schema, len(p.Targets))}
	var err error
	if c.actor, err = compilePart(p.Actor, "/actor/metadata"); err != nil {
		return nil, err
	}
	for i, t := range p.Targets {
		if c.targets[i], err = compilePart(t.Metadata, "/targets/"+strconv.Itoa(i)+"/metadata"); err != nil {
			return nil, err
		}
	}
	if c.metadata, err = compilePart(p.Metadata, "/metadata"); err != nil {
		return nil, err
	}
	c.event, err = compilePart(p.Event, "/event")
	return c, err
}

// schemaURL is the name under which a part is compiled. Nothing is fetched from it, nor from anywhere else.
const schemaURL = "https://schema.invalid/"

// closedLoader refuses every schema but those that are given or part of the standard: no file is read and no address is asked.
type closedLoader struct{}

// Load is part of jsonschema.URLLoader.
func (closedLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not fetched: a schema stands alone", url)
}

// compilePart compiles one JSON Schema, of draft 7 unless it names another. Patterns are RE2. What is no schema, refers to another one or
// to itself, or takes too long to judge with, is refused with the rule invalid_schema.
func compilePart(raw json.RawMessage, field string) (*jsonschema.Schema, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	value, err := decodeValue(raw)
	if err != nil {
		return nil, invalidSchema(field, err.Error())
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.UseLoader(closedLoader{})
	if err := c.AddResource(schemaURL, value); err != nil {
		return nil, invalidSchema(field, err.Error())
	}
	s, err := c.Compile(schemaURL)
	if err != nil {
		return nil, invalidSchema(field, err.Error())
	}
	if _, err := cost(s, map[*jsonschema.Schema]int{}); err != nil {
		return nil, invalidSchema(field, err.Error())
	}
	return s, nil
}

func invalidSchema(field, why string) error {
	const most = 400
	why = strings.Join(strings.Fields(strings.ReplaceAll(why, schemaURL, "")), " ")
	if len(why) > most {
		why = strings.ToValidUTF8(why[:most], "") + "…"
	}
	return &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_schema", Field: field, Message: "this is no JSON Schema that events can be held against: " + why + "."}
}

// maxCost bounds how many subschemas one schema means when every reference is written out. Judging an event takes at most that many steps
// for each of its values, of which it has 1,024 at most: without a bound 64 KiB of references could keep a processor busy for years.
const maxCost = 1000

const underWay = -1

// cost counts the subschemas that s means. seen holds what was counted.
func cost(s *jsonschema.Schema, seen map[*jsonschema.Schema]int) (int, error) {
	switch n := seen[s]; {
	case n == underWay:
		return 0, errors.New("it refers to itself")
	case n > 0:
		return n, nil
	}
	seen[s] = underWay
	sum := 1
	for _, sub := range below(s) {
		n, err := cost(sub, seen)
		if err != nil {
			return 0, err
		}
		if sum += n; sum > maxCost {
			return 0, fmt.Errorf("it means more than %d subschemas", maxCost)
		}
	}
	seen[s] = sum
	return sum, nil
}

// below returns the subschemas that are asked while s is.
func below(s *jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	add := func(subs ...*jsonschema.Schema) {
		for _, sub := range subs {
			if sub != nil {
				all = append(all, sub)
			}
		}
	}
	either := func(v any) {
		switch v := v.(type) {
		case *jsonschema.Schema:
			add(v)
		case []*jsonschema.Schema:
			add(v...)
		}
	}
	add(s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else, s.PropertyNames, s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems, s.ContentSchema)
	if s.DynamicRef != nil {
		add(s.DynamicRef.Ref)
	}
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems} {
		add(list...)
	}
	for _, sub := range s.Properties {
		add(sub)
	}
	for _, sub := range s.PatternProperties {
		add(sub)
	}
	for _, sub := range s.DependentSchemas {
		add(sub)
	}
	for _, sub := range s.Dependencies {
		either(sub)
	}
	either(s.AdditionalProperties)
	either(s.Items)
	either(s.AdditionalItems)
	return all
}

// decodeValue reads JSON with numbers as they are written, but for those whose exponent would make arithmetic with them endless: they
// become the nearest float.
func decodeValue(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return tamed(v), nil
}

func tamed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			v[name] = tamed(e)
		}
	case []any:
		for i, e := range v {
			v[i] = tamed(e)
		}
	case json.Number:
		return tamedNumber(v)
	}
	return v
}

func tamedNumber(n json.Number) any {
	const most = 400
	at := strings.IndexAny(string(n), "eE")
	if at < 0 {
		return n
	}
	if e, err := strconv.Atoi(strings.TrimPrefix(string(n[at+1:]), "+")); err == nil && e > -most && e < most {
		return n
	}
	f, _ := strconv.ParseFloat(string(n), 64) // out of range: ±Inf, or 0
	return max(-math.MaxFloat64, min(math.MaxFloat64, f))
}
