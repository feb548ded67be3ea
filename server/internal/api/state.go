package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
)

// state is a thing as its changes say that it was. It begins as nothing.
type state struct {
	value any // of encoding/json, numbers as they are written; nil: nothing is known, or it is null
	// disagrees says that a change was of another value than the one that the changes before it have left: one of them is missing.
	disagrees bool
}

// apply makes s what it is after changes. Those of one event are independent of each other but for places in arrays: what is removed has
// the places of before, what is there the places of after.
func (s *state) apply(changes daybook.Changes) {
	removed, kept := []daybook.Change{}, []daybook.Change{}
	for _, c := range changes {
		if c.New.Present() {
			kept = append(kept, c)
		} else {
			removed = append(removed, c)
		}
	}
	slices.SortStableFunc(removed, func(a, b daybook.Change) int { return -byPlace(a.Path, b.Path) })
	slices.SortStableFunc(kept, func(a, b daybook.Change) int { return byPlace(a.Path, b.Path) })
	for _, c := range append(removed, kept...) {
		s.value = s.put(s.value, steps(c.Path), &c)
	}
}

// put returns v with a change at the place that path leads to.
func (s *state) put(v any, path []string, c *daybook.Change) any {
	if len(path) == 0 {
		s.compare(v, v != nil, c)
		if !c.New.Present() {
			return nil
		}
		return decoded(wire(c.New))
	}
	name := path[0]
	if list, ok := v.([]any); ok {
		return s.putInList(list, name, path, c)
	}
	object, ok := v.(map[string]any)
	if !ok {
		if v != nil {
			s.disagrees = true
		}
		object = map[string]any{}
	}
	was, there := object[name]
	if len(path) > 1 {
		object[name] = s.put(was, path[1:], c)
		return object
	}
	s.compare(was, there, c)
	if c.New.Present() {
		object[name] = decoded(wire(c.New))
	} else {
		delete(object, name)
	}
	return object
}

func (s *state) putInList(list []any, name string, path []string, c *daybook.Change) any {
	at, err := strconv.Atoi(name)
	inside := err == nil && at >= 0 && at < len(list)
	switch {
	case len(path) > 1 && inside:
		list[at] = s.put(list[at], path[1:], c)
	case len(path) > 1 || err != nil || at < 0 || at > len(list):
		s.disagrees = true
	case !c.New.Present():
		if !inside {
			s.disagrees = true
			break
		}
		s.compare(list[at], true, c)
		list = slices.Delete(list, at, at+1)
	case !c.Old.Present():
		list = slices.Insert(list, at, decoded(wire(c.New)))
	default:
		s.compare(nil, inside, c)
		if inside {
			s.compare(list[at], true, c)
			list[at] = decoded(wire(c.New))
		}
	}
	return list
}

// compare notes that what was there is not what the change says was there. What nobody may read agrees with everything.
func (s *state) compare(was any, there bool, c *daybook.Change) {
	if c.Old.Masked() || c.Old.Hash() != "" || marked(was) {
		return
	}
	if there != c.Old.Present() {
		if !there && string(c.Old.Raw()) == "null" {
			return // a document that did not exist is null in some events
		}
		s.disagrees = true
		return
	}
	if there && was != nil && !sameValue(was, decoded(c.Old.Raw())) {
		s.disagrees = true
	}
}

// raw is the state as JSON.
func (s *state) raw() json.RawMessage {
	if s.value == nil {
		return json.RawMessage("null")
	}
	return marshal(s.value)
}

// masked returns the pointers of values that were masked or hashed when they were recorded.
func masked(v any, at string) (found []string) {
	if marked(v) {
		return []string{at}
	}
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			found = append(found, masked(inner, at+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name))...)
		}
	case []any:
		for i, inner := range v {
			found = append(found, masked(inner, at+"/"+strconv.Itoa(i))...)
		}
	}
	slices.Sort(found)
	return found
}

// marked reports whether v stands for a value that nobody may read.
func marked(v any) bool {
	object, ok := v.(map[string]any)
	if !ok || len(object) != 1 {
		return false
	}
	_, isMasked := object["$masked"]
	_, isHashed := object["$hash"]
	return isMasked || isHashed
}

// wire is a value as a state holds it: one that nobody may read is what stands for it.
func wire(v daybook.Value) json.RawMessage {
	if v.Masked() || v.Hash() != "" {
		return marshal(v)
	}
	return v.Raw()
}

func decoded(raw json.RawMessage) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// sameValue compares as a difference does: numbers by value.
func sameValue(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	changes, err := daybook.DiffJSON(marshal(a), marshal(b), daybook.DiffOptions{})
	return err == nil && len(changes) == 0
}

func steps(pointer string) []string {
	if pointer == "" {
		return nil
	}
	list := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i := range list {
		list[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(list[i])
	}
	return list
}

// byPlace orders pointers, steps that are numbers by their value.
func byPlace(a, b string) int {
	x, y := steps(a), steps(b)
	for i := range min(len(x), len(y)) {
		m, errM := strconv.Atoi(x[i])
		n, errN := strconv.Atoi(y[i])
		order := cmp.Compare(x[i], y[i])
		if errM == nil && errN == nil {
			order = cmp.Compare(m, n)
		}
		if order != 0 {
			return order
		}
	}
	return cmp.Compare(len(x), len(y))
}
