package resthapi

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Bounds of a filter.
const (
	maxDepth     = 16
	maxOperators = 200
	maxPattern   = 256 // characters of a regular expression
)

// condition is a filter, or a part of one.
type condition interface{ match(d *document) bool }

// both holds when all of its parts do, anyOf when one does, neither when none does.
type (
	both    []condition
	anyOf   []condition
	neither []condition
)

func (c both) match(d *document) bool {
	return !slices.ContainsFunc(c, func(p condition) bool { return !p.match(d) })
}

func (c anyOf) match(d *document) bool {
	return slices.ContainsFunc(c, func(p condition) bool { return p.match(d) })
}
func (c neither) match(d *document) bool { return !anyOf(c).match(d) }

// atPath holds when what stands at a path passes a test.
type atPath struct {
	path string
	test test
}

func (c atPath) match(d *document) bool { return c.test(d.at(c.path)) }

// test judges the values found at a path; none: there is nothing.
type test func(found []any) bool

// some returns the test that one value, or one element of one that is a list, passes f.
func someValue(f func(any) bool) test {
	return func(found []any) bool {
		return slices.ContainsFunc(found, func(v any) bool {
			if f(v) {
				return true
			}
			list, ok := v.([]any)
			return ok && slices.ContainsFunc(list, f)
		})
	}
}

// isEqual is the test of equality. null is equal to what is not there.
func isEqual(to any) test {
	has := someValue(func(v any) bool { return equal(v, to) })
	if to == nil {
		return func(found []any) bool { return len(found) == 0 || has(found) }
	}
	return has
}

func isNot(t test) test { return func(found []any) bool { return !t(found) } }

func isOneOf(list []any) test {
	tests := make([]test, len(list))
	for i, v := range list {
		tests[i] = isEqual(v)
	}
	return func(found []any) bool { return slices.ContainsFunc(tests, func(t test) bool { return t(found) }) }
}

func isAll(tests []test) test {
	return func(found []any) bool { return !slices.ContainsFunc(tests, func(t test) bool { return !t(found) }) }
}

// whereReader reads a filter, and counts what it may hold.
type whereReader struct {
	operators int
	source    string // $where, for refusals
}

// parseWhere reads a filter.
func parseWhere(text string) (condition, *fault) {
	v, ok := decoded([]byte(text))
	object, is := v.(map[string]any)
	if !ok || !is {
		return nil, badQuery("$where", "must be a JSON object")
	}
	return (&whereReader{source: "$where"}).filter(object, 1)
}

func (r *whereReader) refuse(name string) *fault {
	f := badQuery(name, "is not allowed")
	f.keys = []string{r.source}
	return f
}

func (r *whereReader) wrong(name, is string) *fault {
	f := badQuery(name, is)
	f.keys = []string{r.source}
	return f
}

// count takes an operator into account.
func (r *whereReader) count(depth int) *fault {
	if r.operators++; r.operators > maxOperators || depth > maxDepth {
		return r.wrong(r.source, fmt.Sprintf("holds at most %d operators in %d levels", maxOperators, maxDepth))
	}
	return nil
}

func (r *whereReader) filter(object map[string]any, depth int) (condition, *fault) {
	all := make(both, 0, len(object))
	for _, name := range names(object) {
		if f := r.count(depth); f != nil {
			return nil, f
		}
		var c condition
		var f *fault
		switch {
		case name == "$and", name == "$or", name == "$nor":
			c, f = r.logic(name, object[name], depth)
		case strings.HasPrefix(name, "$"), !knownPath(name):
			f = r.refuse(name)
		default:
			var t test
			t, f = r.operand(name, object[name], depth)
			c = atPath{name, t}
		}
		if f != nil {
			return nil, f
		}
		all = append(all, c)
	}
	return all, nil
}

func (r *whereReader) logic(name string, v any, depth int) (condition, *fault) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, r.wrong(name, "must be a nonempty array")
	}
	parts := make([]condition, len(list))
	for i, one := range list {
		object, ok := one.(map[string]any)
		if !ok {
			return nil, r.wrong(name, "must hold objects")
		}
		var f *fault
		if parts[i], f = r.filter(object, depth+1); f != nil {
			return nil, f
		}
	}
	switch name {
	case "$and":
		return both(parts), nil
	case "$or":
		return anyOf(parts), nil
	}
	return neither(parts), nil
}

// operand reads what stands beside a field: operators, or a value that it equals.
func (r *whereReader) operand(field string, v any, depth int) (test, *fault) {
	object, ok := v.(map[string]any)
	if !ok || !hasOperator(object) {
		v, f := r.value(field, v)
		return isEqual(v), f
	}
	return r.fieldOperators(field, object, depth)
}

// hasOperator tells operators from a plain object, as MongoDB does: by the first name.
func hasOperator(object map[string]any) bool {
	return slices.ContainsFunc(names(object), func(name string) bool { return strings.HasPrefix(name, "$") })
}

// fieldOperators reads the operators of one field.
func (r *whereReader) fieldOperators(field string, object map[string]any, depth int) (test, *fault) {
	tests := make([]test, 0, len(object))
	for _, name := range names(object) {
		if f := r.count(depth); f != nil {
			return nil, f
		}
		if name == "$options" && object["$regex"] != nil {
			continue
		}
		t, f := r.operator(field, name, object, depth)
		if f != nil {
			return nil, f
		}
		tests = append(tests, t)
	}
	return isAll(tests), nil
}

func (r *whereReader) operator(field, name string, object map[string]any, depth int) (test, *fault) {
	v := object[name]
	switch name {
	case "$eq", "$ne":
		v, f := r.value(field, v)
		if name == "$ne" {
			return isNot(isEqual(v)), f
		}
		return isEqual(v), f
	case "$gt", "$gte", "$lt", "$lte":
		return r.order(field, name, v)
	case "$in", "$nin", "$all":
		return r.list(field, name, v)
	case "$not":
		inner, ok := v.(map[string]any)
		if !ok || !hasOperator(inner) {
			return nil, r.wrong(name, "must be an object of operators")
		}
		t, f := r.fieldOperators(field, inner, depth+1)
		if f != nil {
			return nil, f
		}
		return isNot(t), nil
	case "$exists":
		want, ok := v.(bool)
		if !ok {
			return nil, r.wrong(name, "must be a boolean")
		}
		return func(found []any) bool { return len(found) > 0 == want }, nil
	case "$type":
		return r.typed(v)
	case "$regex":
		return r.regex(v, object["$options"])
	case "$size":
		return r.size(v)
	case "$elemMatch":
		return r.elements(field, v, depth)
	}
	return nil, r.refuse(name)
}

// value makes what a field is compared with of the field's type.
func (r *whereReader) value(field string, v any) (any, *fault) {
	if field != "date" {
		return v, nil
	}
	d, ok := asDate(v)
	if !ok {
		return nil, r.wrong(field, "must be a valid date")
	}
	return d, nil
}

func (r *whereReader) order(field, name string, v any) (test, *fault) {
	than, f := r.value(field, v)
	if f != nil {
		return nil, f
	}
	return someValue(func(x any) bool {
		if rank(x) != rank(than) {
			return false
		}
		switch c := compare(x, than); name {
		case "$gt":
			return c > 0
		case "$gte":
			return c >= 0
		case "$lt":
			return c < 0
		default:
			return c <= 0
		}
	}), nil
}

func (r *whereReader) list(field, name string, v any) (test, *fault) {
	list, ok := v.([]any)
	if !ok {
		return nil, r.wrong(name, "must be an array")
	}
	values := make([]any, len(list))
	for i, one := range list {
		var f *fault
		if values[i], f = r.value(field, one); f != nil {
			return nil, f
		}
	}
	switch name {
	case "$in":
		return isOneOf(values), nil
	case "$nin":
		return isNot(isOneOf(values)), nil
	}
	tests := make([]test, len(values))
	for i, one := range values {
		tests[i] = isEqual(one)
	}
	all := isAll(tests)
	return func(found []any) bool { return len(tests) > 0 && all(found) }, nil
}

// typed is $type: of a list it looks at the list and at its elements.
func (r *whereReader) typed(v any) (test, *fault) {
	wanted, ok := v.([]any)
	if !ok {
		wanted = []any{v}
	}
	var ranks []int
	for _, one := range wanted {
		name, _ := one.(string)
		i := slices.Index(typeNames, name)
		if i < 0 {
			return nil, r.wrong("$type", "must be one of ["+strings.Join(typeNames, ", ")+"]")
		}
		ranks = append(ranks, i)
	}
	return someValue(func(x any) bool { return slices.Contains(ranks, rank(x)) }), nil
}

func (r *whereReader) regex(v, options any) (test, *fault) {
	pattern, ok := v.(string)
	flags, is := options.(string)
	if !ok || options != nil && !is {
		return nil, r.wrong("$regex", "must be a string")
	}
	if strings.Trim(flags, "ims") != "" {
		return nil, r.wrong("$options", "must hold only i, m and s")
	}
	if flags != "" {
		flags = "(?" + flags + ")"
	}
	re, err := compiled(pattern, flags)
	if err != nil {
		return nil, r.wrong("$regex", err.Error())
	}
	return someValue(func(x any) bool {
		s, ok := x.(string)
		return ok && re.MatchString(s)
	}), nil
}

// compiled returns a regular expression of RE2, whose time is linear.
func compiled(pattern, flags string) (*regexp.Regexp, error) {
	if n := len([]rune(pattern)); n > maxPattern {
		return nil, fmt.Errorf("must be at most %d characters long", maxPattern)
	}
	re, err := regexp.Compile(flags + pattern)
	if err != nil {
		return nil, fmt.Errorf("must be a valid regular expression (RE2): %w", err)
	}
	return re, nil
}

func (r *whereReader) size(v any) (test, *fault) {
	n, ok := v.(json.Number)
	if !ok {
		return nil, r.wrong("$size", "must be a number")
	}
	size, err := n.Int64()
	if err != nil || size < 0 {
		return nil, r.wrong("$size", "must be an integer of at least 0")
	}
	return func(found []any) bool {
		return slices.ContainsFunc(found, func(x any) bool {
			list, ok := x.([]any)
			return ok && int64(len(list)) == size
		})
	}, nil
}

// elements is $elemMatch: one element passes all operators, or is an object that passes a filter.
func (r *whereReader) elements(field string, v any, depth int) (test, *fault) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, r.wrong("$elemMatch", "must be an object")
	}
	var one func(any) bool
	if hasOperator(object) {
		t, f := r.fieldOperators(field, object, depth+1)
		if f != nil {
			return nil, f
		}
		one = func(x any) bool { return t([]any{x}) }
	} else {
		parts, f := r.members(object, depth+1)
		if f != nil {
			return nil, f
		}
		one = func(x any) bool {
			_, is := x.(map[string]any)
			return is && !slices.ContainsFunc(parts, func(p member) bool { return !p.test(inside(x, p.path)) })
		}
	}
	return func(found []any) bool {
		return slices.ContainsFunc(found, func(x any) bool {
			list, ok := x.([]any)
			return ok && slices.ContainsFunc(list, one)
		})
	}, nil
}

// member is a condition on what stands inside an element.
type member struct {
	path string
	test test
}

func (r *whereReader) members(object map[string]any, depth int) ([]member, *fault) {
	parts := make([]member, 0, len(object))
	for _, name := range names(object) {
		if f := r.count(depth); f != nil {
			return nil, f
		}
		t, f := r.operand("", object[name], depth)
		if f != nil {
			return nil, f
		}
		parts = append(parts, member{name, t})
	}
	return parts, nil
}

// inside returns the values at a path below x.
func inside(x any, path string) []any {
	return (&document{values: map[string]any{"payload": x}}).at("payload." + path)
}
