package control

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/daybook-audit/daybook/internal/pointer"
)

// Violation is one thing that is wrong with an event, in the words of Ajv, the validator that most producers know.
type Violation struct {
	InstancePath string         `json:"instancePath"` // JSON pointer into the event
	SchemaPath   string         `json:"schemaPath"`
	Keyword      string         `json:"keyword"`
	Params       map[string]any `json:"params"`
	Message      string         `json:"message"`
}

// maxViolations bounds what is said about one event.
const maxViolations = 100

// violations collects what is wrong with one event.
type violations struct{ found []Violation }

func (v *violations) add(instance, schema, keyword string, params map[string]any, message string) {
	if len(v.found) < maxViolations {
		v.found = append(v.found, Violation{InstancePath: instance, SchemaPath: schema, Keyword: keyword, Params: params, Message: message})
	}
}

// judge holds the value at the instance path against s.
func (v *violations) judge(s *jsonschema.Schema, value any, instance, schema string) {
	if s == nil {
		return
	}
	err := s.Validate(value)
	if wrong, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		from := len(v.found)
		v.collect(wrong, instance, schema)
		slices.SortStableFunc(v.found[from:], func(a, b Violation) int { // members are judged in no order
			return cmp.Or(strings.Compare(a.InstancePath, b.InstancePath), strings.Compare(a.SchemaPath, b.SchemaPath), strings.Compare(a.Message, b.Message))
		})
	}
}

// collect adds what err says: of a group of schemas its members, and of alternatives also that none fits.
func (v *violations) collect(err *jsonschema.ValidationError, instance, schema string) {
	for _, cause := range err.Causes {
		v.collect(cause, instance, schema)
	}
	switch err.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		return
	}
	var at strings.Builder
	at.WriteString(instance)
	for _, step := range err.InstanceLocation {
		at.WriteString("/" + escaped(step))
	}
	if _, fragment, ok := strings.Cut(err.SchemaURL, "#"); ok {
		schema += fragment
	}
	for _, w := range wordsOf(err.ErrorKind) {
		v.add(at.String(), schema+"/"+w.keyword, w.keyword, w.params, w.message)
	}
}

func escaped(token string) string { return pointer.Step(token) }

type words struct {
	keyword string
	params  map[string]any
	message string
}

func one(keyword string, params map[string]any, format string, args ...any) []words {
	if params == nil {
		params = map[string]any{}
	}
	return []words{{keyword, params, fmt.Sprintf(format, args...)}}
}

func limit(n any) map[string]any { return map[string]any{"limit": n} }

// wordsOf says what is wrong.
func wordsOf(k jsonschema.ErrorKind) []words {
	switch k := k.(type) {
	case *kind.Type:
		want := strings.Join(k.Want, ",")
		return one("type", map[string]any{"type": want}, "must be %s", want)
	case *kind.Enum:
		return one("enum", map[string]any{"allowedValues": k.Want}, "must be equal to one of the allowed values")
	case *kind.Const:
		return one("const", map[string]any{"allowedValue": k.Want}, "must be equal to constant")
	case *kind.Format:
		return one("format", map[string]any{"format": k.Want}, "must match format %q", k.Want)
	case *kind.Pattern:
		return one("pattern", map[string]any{"pattern": k.Want}, "must match pattern %q", k.Want)
	case *kind.MinLength:
		return one("minLength", limit(k.Want), "must NOT have fewer than %d characters", k.Want)
	case *kind.MaxLength:
		return one("maxLength", limit(k.Want), "must NOT have more than %d characters", k.Want)
	case *kind.Minimum:
		return compared("minimum", ">=", k.Want)
	case *kind.Maximum:
		return compared("maximum", "<=", k.Want)
	case *kind.ExclusiveMinimum:
		return compared("exclusiveMinimum", ">", k.Want)
	case *kind.ExclusiveMaximum:
		return compared("exclusiveMaximum", "<", k.Want)
	case *kind.MultipleOf:
		return one("multipleOf", map[string]any{"multipleOf": number(k.Want)}, "must be multiple of %s", number(k.Want))
	case *kind.Not:
		return one("not", nil, "must NOT be valid")
	case *kind.AnyOf:
		return one("anyOf", nil, "must match a schema in anyOf")
	case *kind.OneOf:
		return one("oneOf", map[string]any{"passingSchemas": k.Subschemas}, "must match exactly one schema in oneOf")
	case *kind.FalseSchema:
		return one("false schema", nil, "boolean schema is false")
	}
	return wordsOfMembers(k)
}

// wordsOfMembers says what is wrong with the members of an object or the elements of a list.
func wordsOfMembers(k jsonschema.ErrorKind) []words {
	switch k := k.(type) {
	case *kind.Required:
		return each(k.Missing, "required", "missingProperty", func(name string) string { return "must have required property '" + name + "'" })
	case *kind.AdditionalProperties:
		return each(k.Properties, "additionalProperties", "additionalProperty", func(string) string { return "must NOT have additional properties" })
	case *kind.Dependency:
		return each(k.Missing, "dependencies", "missingProperty", func(name string) string { return dependent(name, k.Prop) })
	case *kind.DependentRequired:
		return each(k.Missing, "dependentRequired", "missingProperty", func(name string) string { return dependent(name, k.Prop) })
	case *kind.PropertyNames:
		return one("propertyNames", map[string]any{"propertyName": k.Property}, "property name must be valid")
	case *kind.MinProperties:
		return one("minProperties", limit(k.Want), "must NOT have fewer than %d properties", k.Want)
	case *kind.MaxProperties:
		return one("maxProperties", limit(k.Want), "must NOT have more than %d properties", k.Want)
	case *kind.MinItems:
		return one("minItems", limit(k.Want), "must NOT have fewer than %d items", k.Want)
	case *kind.MaxItems:
		return one("maxItems", limit(k.Want), "must NOT have more than %d items", k.Want)
	case *kind.AdditionalItems:
		return one("additionalItems", limit(k.Count), "must NOT have %d additional items", k.Count)
	case *kind.UniqueItems:
		i, j := k.Duplicates[1], k.Duplicates[0]
		return one("uniqueItems", map[string]any{"i": i, "j": j}, "must NOT have duplicate items (items ## %d and %d are identical)", j, i)
	case *kind.Contains:
		return one("contains", map[string]any{"minContains": 1}, "must contain at least 1 valid item(s)")
	case *kind.MinContains:
		return one("contains", map[string]any{"minContains": k.Want}, "must contain at least %d valid item(s)", k.Want)
	case *kind.MaxContains:
		return one("contains", map[string]any{"maxContains": k.Want}, "must contain at most %d valid item(s)", k.Want)
	}
	keyword := strings.Join(k.KeywordPath(), "/")
	return one(keyword, nil, "must be valid against %q", keyword)
}

func each(names []string, keyword, param string, message func(name string) string) []words {
	list := make([]words, 0, len(names))
	for _, name := range names {
		list = append(list, words{keyword, map[string]any{param: name}, message(name)})
	}
	return list
}

func dependent(name, of string) string {
	return "must have property " + name + " when property " + of + " is present"
}

func compared(keyword, comparison string, n *big.Rat) []words {
	return one(keyword, map[string]any{"comparison": comparison, "limit": number(n)}, "must be %s %s", comparison, number(n))
}

// number writes n in decimals.
func number(n *big.Rat) json.Number {
	if n.IsInt() {
		return json.Number(n.Num().String())
	}
	f, _ := n.Float64()
	text, _ := json.Marshal(f) // finite
	return json.Number(text)
}
