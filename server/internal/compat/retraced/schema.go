package retraced

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// schema is what a document may select: the members of each type and their types; empty: a value.
var schema = map[string]map[string]string{
	"Query":            {"search": "EventsConnection", "searchPaginated": "EventsConnection", "counts": "CountsConnection"},
	"EventsConnection": {"totalCount": "", "pageInfo": "PageInfo", "edges": "EventEdge"},
	"PageInfo":         {"hasNextPage": "", "hasPreviousPage": ""},
	"EventEdge":        {"cursor": "", "node": "Event"},
	"CountsConnection": {"totalCount": "", "pageInfo": "PageInfo", "edges": "CountEdge"},
	"CountEdge":        {"cursor": "", "node": "", "count": ""},
	"Event":            values("id action description crud received created canonical_time is_failure is_anonymous source_ip country loc_subdiv1 loc_subdiv2 component version external_id raw", "group", "Group", "actor", "Actor", "target", "Target", "display", "Display", "fields", "Field", "metadata", "Field"),
	"Group":            values("id name"),
	"Actor":            values("id name href", "fields", "Field"),
	"Target":           values("id name href type", "fields", "Field"),
	"Display":          values("markdown"),
	"Field":            values("key value"),
}

// values makes the members of a type: names of values, then pairs of a name and its type.
func values(names string, typed ...string) map[string]string {
	m := map[string]string{}
	for n := range strings.FieldsSeq(names) {
		m[n] = ""
	}
	for i := 0; i+1 < len(typed); i += 2 {
		m[typed[i]] = typed[i+1]
	}
	return m
}

// selection is one selected member, its fragments resolved.
type selection struct {
	name, key string // key: under which it is answered
	of        string // its type; empty: a value
	kids      []*selection
	args      ast.ArgumentList
}

// maxSelections bounds what fragments can blow a document up to.
const maxSelections = 1000

// selector resolves a selection set against the schema.
type selector struct {
	fragments ast.FragmentDefinitionList
	open      map[string]bool // the fragments we are in
	n         int
}

func (s *selector) selections(of string, set ast.SelectionSet, list []*selection) ([]*selection, error) {
	for _, one := range set {
		if s.n++; s.n > maxSelections {
			return nil, fmt.Errorf("the document selects more than %d members", maxSelections)
		}
		var err error
		switch one := one.(type) {
		case *ast.Field:
			list, err = s.field(of, one, list)
		case *ast.InlineFragment:
			if len(one.Directives) > 0 {
				return nil, errDirective(one.Directives[0].Name)
			}
			if one.TypeCondition != "" && one.TypeCondition != of {
				return nil, fmt.Errorf("a fragment on %q cannot be spread within %q", shown(one.TypeCondition), of)
			}
			list, err = s.selections(of, one.SelectionSet, list)
		case *ast.FragmentSpread:
			list, err = s.spread(of, one, list)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func errDirective(name string) error {
	return fmt.Errorf("the directive @%s is not supported", shown(name))
}

func (s *selector) spread(of string, one *ast.FragmentSpread, list []*selection) ([]*selection, error) {
	f := s.fragments.ForName(one.Name)
	switch {
	case len(one.Directives) > 0:
		return nil, errDirective(one.Directives[0].Name)
	case f == nil:
		return nil, fmt.Errorf("unknown fragment %q", shown(one.Name))
	case s.open[one.Name]:
		return nil, fmt.Errorf("the fragment %q is within itself", shown(one.Name))
	case f.TypeCondition != of:
		return nil, fmt.Errorf("a fragment on %q cannot be spread within %q", shown(f.TypeCondition), of)
	}
	s.open[one.Name] = true
	defer delete(s.open, one.Name)
	return s.selections(of, f.SelectionSet, list)
}

// field adds one member, merged with an equal one that is there.
func (s *selector) field(of string, f *ast.Field, list []*selection) ([]*selection, error) {
	inner, known := schema[of][f.Name]
	switch {
	case len(f.Directives) > 0:
		return nil, errDirective(f.Directives[0].Name)
	case !known && f.Name != "__typename":
		return nil, fmt.Errorf("cannot query field %q on type %q", shown(f.Name), of)
	case inner == "" && len(f.SelectionSet) > 0:
		return nil, fmt.Errorf("field %q must not have a selection", shown(f.Name))
	case inner != "" && len(f.SelectionSet) == 0:
		return nil, fmt.Errorf("field %q of type %q must have a selection", shown(f.Name), inner)
	case of != "Query" && len(f.Arguments) > 0:
		return nil, fmt.Errorf("unknown argument %q on field %q", shown(f.Arguments[0].Name), shown(f.Name))
	}
	at := (*selection)(nil)
	for _, have := range list {
		if have.key == f.Alias {
			at = have
		}
	}
	if at == nil {
		at = &selection{name: f.Name, key: f.Alias, of: inner, args: f.Arguments}
		list = append(list, at)
	} else if at.name != f.Name || of == "Query" {
		return nil, fmt.Errorf("fields %q conflict: use different aliases", shown(f.Alias))
	}
	var err error
	at.kids, err = s.selections(inner, f.SelectionSet, at.kids)
	return list, err
}

// project cuts a value to what is selected.
func project(of string, v any, kids []*selection) any {
	switch v := v.(type) {
	case object:
		out := make(object, 0, len(kids)+1)
		for _, k := range kids {
			if k.name == "__typename" {
				out = append(out, field{k.key, of})
				continue
			}
			out = append(out, field{k.key, project(k.of, v.get(k.name), k.kids)})
			if of == "Event" && k.key == "country" { // the Node client asks for country when it wants source_ip
				out = append(out, field{"source_ip", v.get("source_ip")})
			}
		}
		return out
	case []object:
		out := make([]object, len(v))
		for i := range v {
			out[i], _ = project(of, v[i], kids).(object)
		}
		return out
	}
	return v
}

func (o object) get(name string) any {
	for i := range o {
		if o[i].name == name {
			return o[i].value
		}
	}
	return nil
}

// appendValue writes the JSON of a value.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case object:
		b = append(b, '{')
		met := map[string]bool{}
		for _, f := range v {
			if met[f.name] {
				continue
			}
			if met[f.name] = true; len(met) > 1 {
				b = append(b, ',')
			}
			b = append(append(b, encode(f.name)...), ':')
			b = appendValue(b, f.value)
		}
		return append(b, '}')
	case []object:
		b = append(b, '[')
		for i := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, v[i])
		}
		return append(b, ']')
	}
	return append(b, encode(v)...)
}
