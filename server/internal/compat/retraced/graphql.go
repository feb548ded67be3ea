package retraced

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/daybook-audit/daybook/leaf"
)

// The limits of a document. Nesting is bounded by the parser.
const (
	maxDocument = 32 << 10 // bytes
	maxTokens   = 2000
	maxRoots    = 4 // searches in one request
)

// operation is a document that can be answered.
type operation struct {
	roots []*selection
	vars  map[string]any
}

// request is what a client sends.
type request struct {
	Query         string          `json:"query"`
	Variables     json.RawMessage `json:"variables"`
	OperationName string          `json:"operationName"`
}

// readRequest reads the body of a POST, or the query string of a GET.
func readRequest(r *http.Request, body []byte) (request, error) {
	var in request
	if r.Method == http.MethodGet {
		q := r.URL.Query()
		in = request{Query: q.Get("query"), OperationName: q.Get("operationName")}
		if text := q.Get("variables"); text != "" {
			in.Variables = json.RawMessage(text)
			return in, strictObject(in.Variables)
		}
		return in, nil
	}
	if err := strictObject(body); err != nil {
		return in, err
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return in, fmt.Errorf("the request is {query, variables, operationName}: %w", err)
	}
	return in, nil
}

// strictObject refuses what could be read in two ways.
func strictObject(text []byte) error {
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(text); err != nil {
		return fmt.Errorf("Invalid JSON: %w", err) //nolint:staticcheck // Retraced's words
	}
	return nil
}

// parseOperation reads a document and its variables. Its errors are safe to show.
func parseOperation(in request) (*operation, error) {
	switch {
	case strings.TrimSpace(in.Query) == "":
		return nil, fmt.Errorf("Must provide query string.") //nolint:staticcheck,perfsprint // the words of GraphQL's servers
	case len(in.Query) > maxDocument:
		return nil, fmt.Errorf("the document has more than %d bytes", maxDocument)
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: in.Query}, maxTokens)
	if err != nil {
		return nil, fmt.Errorf("Syntax Error: %s", syntaxMessage(err)) //nolint:staticcheck // the words of GraphQL's servers
	}
	op, err := operationOf(doc, in.OperationName)
	if err != nil {
		return nil, err
	}
	s := selector{fragments: doc.Fragments, open: map[string]bool{}}
	o := &operation{}
	if o.roots, err = s.selections("Query", op.SelectionSet, nil); err != nil {
		return nil, err
	}
	if len(o.roots) == 0 || len(o.roots) > maxRoots {
		return nil, fmt.Errorf("a document has 1 to %d root fields", maxRoots)
	}
	o.vars, err = variables(op.VariableDefinitions, in.Variables)
	return o, err
}

func syntaxMessage(err error) string {
	if e, ok := err.(*gqlerror.Error); ok { //nolint:errorlint // what the parser returns
		if len(e.Locations) > 0 {
			return fmt.Sprintf("%s at line %d, column %d", e.Message, e.Locations[0].Line, e.Locations[0].Column)
		}
		return e.Message
	}
	return err.Error()
}

func operationOf(doc *ast.QueryDocument, name string) (*ast.OperationDefinition, error) {
	var op *ast.OperationDefinition
	switch {
	case name != "":
		op = doc.Operations.ForName(name)
		if op == nil {
			return nil, fmt.Errorf("unknown operation %q", shown(name))
		}
	case len(doc.Operations) != 1:
		return nil, fmt.Errorf("name one of the %d operations in operationName", len(doc.Operations))
	default:
		op = doc.Operations[0]
	}
	switch {
	case op.Operation != ast.Query:
		return nil, fmt.Errorf("a %s is not supported: the log is read here", op.Operation)
	case len(op.Directives) > 0:
		return nil, errDirective(op.Directives[0].Name)
	}
	return op, nil
}

// variables reads the values of the variables that the operation declares; what it does not declare is ignored.
func variables(declared ast.VariableDefinitionList, text json.RawMessage) (map[string]any, error) {
	given := map[string]any{}
	if len(text) > 0 && string(text) != "null" {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&given); err != nil {
			return nil, fmt.Errorf("variables must be an object: %w", err)
		}
	}
	vars := map[string]any{}
	for _, v := range declared {
		value, ok := given[v.Variable]
		if !ok && v.DefaultValue != nil {
			if v.DefaultValue.Kind == ast.Variable {
				return nil, fmt.Errorf("the default of $%s must be a literal", shown(v.Variable))
			}
			var err error
			if value, err = v.DefaultValue.Value(nil); err != nil {
				return nil, fmt.Errorf("the default of $%s is no value", shown(v.Variable))
			}
		}
		if value == nil && v.Type != nil && v.Type.NonNull {
			return nil, fmt.Errorf("Variable \"$%s\" of required type %q was not provided.", shown(v.Variable), shown(v.Type.String())) //nolint:staticcheck // the words of GraphQL's servers
		}
		vars[v.Variable] = value
	}
	return vars, nil
}

// arguments reads the arguments of a root field.
type arguments struct {
	vars map[string]any
	list ast.ArgumentList
	met  []string
	err  error
}

func (a *arguments) value(name string) any {
	a.met = append(a.met, name)
	arg := a.list.ForName(name)
	if arg == nil || a.err != nil {
		return nil
	}
	if arg.Value.Kind == ast.Variable {
		v, ok := a.vars[arg.Value.Raw]
		if !ok {
			a.err = fmt.Errorf("variable \"$%s\" is not defined", shown(arg.Value.Raw))
		}
		return v
	}
	v, err := arg.Value.Value(a.vars)
	if err != nil {
		a.err = fmt.Errorf("argument %q is no value", name)
	}
	return v
}

// text returns an argument that is a string; empty: absent.
func (a *arguments) text(name string) string {
	v := a.value(name)
	s, ok := v.(string)
	if !ok && v != nil && a.err == nil {
		a.err = fmt.Errorf("argument %q must be a string", name)
	}
	return s
}

// number returns an argument that is a whole number from lowest to highest; otherwise: when it is absent.
func (a *arguments) number(name string, otherwise, lowest, highest int64) int64 {
	v := a.value(name)
	n := otherwise
	var err error
	switch v := v.(type) {
	case nil, string:
		if v == nil || v == "" {
			return otherwise
		}
		err = strconv.ErrSyntax
	case int64:
		n = v
	case json.Number:
		n, err = strconv.ParseInt(v.String(), 10, 64)
	default:
		err = strconv.ErrSyntax
	}
	if a.err == nil && (err != nil || n < lowest || n > highest) {
		a.err = fmt.Errorf("argument %q must be a whole number from %d to %d", name, lowest, highest)
		if highest == math.MaxInt32 {
			a.err = fmt.Errorf("argument %q must be a whole number, at least %d", name, lowest)
		}
	}
	return n
}

// oneOf returns an argument that is one of the words; empty: absent.
func (a *arguments) oneOf(name string, words ...string) string {
	s := a.text(name)
	if s == "" || slices.Contains(words, s) {
		return s
	}
	if a.err == nil {
		a.err = fmt.Errorf("argument %q must be one of %s", name, strings.Join(words, ", "))
	}
	return ""
}

// done reports the first thing that is wrong: arguments that nobody asked for too.
func (a *arguments) done() error {
	if a.err != nil {
		return a.err
	}
	for _, arg := range a.list {
		if !slices.Contains(a.met, arg.Name) {
			return fmt.Errorf("unknown argument %q", shown(arg.Name))
		}
	}
	return nil
}
