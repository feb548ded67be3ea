package daybook

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kindMark is the kind of a node that stands for a hidden value: its text is the tag, empty when there is none.
const kindMark = 'm'

// state is what a version holds.
type state[T any] struct {
	value   *T       // hidden values are zero
	tree    *node    // as Diff sees value, with marks for hidden values
	hidden  []string // pointers to them
	unknown []string // pointers to members that T has no place for
}

// state reads a version in the shape that T has now.
func (h *History[T]) state(v *stored) (state[T], error) {
	text := json.RawMessage(v.doc)
	for n := v.Schema; n < h.o.Schema; n++ {
		lift := h.o.Upcast[n]
		if lift == nil {
			return state[T]{}, fmt.Errorf("daybook: version %d has shape %d, and nothing lifts it to %d: HistoryOptions.Upcast", v.Number, n, n+1)
		}
		var err error
		if text, err = lift(text); err != nil {
			return state[T]{}, fmt.Errorf("lift version %d from shape %d: %w", v.Number, n, err)
		}
	}
	kept, err := parseNode(text)
	if err != nil || kept == nil {
		return state[T]{}, fmt.Errorf("version %d holds no document: %w", v.Number, err)
	}
	s := state[T]{value: new(T)}
	shown := kept.shown()
	if shown == nil {
		shown = &node{kind: 'z'}
	}
	if err := json.Unmarshal(shown.appendJSON(nil), s.value); err != nil {
		return state[T]{}, fmt.Errorf("version %d does not fit its type: %w", v.Number, err)
	}
	if s.tree, err = treeOf(s.value); err != nil {
		return state[T]{}, err
	}
	s.tree = s.overlay(s.tree, kept, "")
	return s, nil
}

// document returns what is kept of v.
func (h *History[T]) document(v *T) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", h.targetType, err)
	}
	n, err := parseNode(text)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", h.targetType, err)
	}
	tree, err := treeOf(v)
	if err != nil {
		return "", err
	}
	rules, err := h.o.Diff.rules()
	if err != nil {
		return "", err
	}
	x := veil{redact: h.clerk.o.Redact, secret: h.o.Diff.Secret}
	s := spot{path: "/metadata/version", new: tree}
	s.rules, s.treat = reach(rules, "", false)
	if n = x.node(s, n); n == nil {
		return "", fmt.Errorf("daybook: DiffOptions ignore all of %s", h.targetType)
	}
	return string(n.appendJSON(nil)), nil
}

// difference compares two trees, of which hidden values may be marks.
func (h *History[T]) difference(before, after *node) (Changes, error) {
	before, after = before.reconciled(after, h.o.Diff.Secret)
	return difference(before, after, h.o.Diff)
}

// treeOf returns v as Diff sees it.
func treeOf[T any](v *T) (*node, error) {
	b := builder{kept: true}
	n := b.root(reflect.ValueOf(v))
	return n, b.err
}

// veil hides what is not kept of a document.
type veil struct {
	redact Redactor
	secret []byte
}

// node returns what is kept of n, nil for nothing. s is its place: s.new the node of the Go value, which carries the treatments.
func (x *veil) node(s spot, n *node) *node {
	s.treat |= s.new.treatment()
	switch {
	case s.treat&treatIgnore != 0:
		return nil
	case s.treat&treatMask != 0:
		return x.mark("$masked", n)
	case s.treat&treatHash != 0:
		return x.mark("$hash", n)
	}
	text := n.appendJSON(nil)
	if safe := compacted(x.redact.Redact(s.path, text)); string(safe) != string(text) {
		other, err := parseNode(safe)
		if err != nil || string(safe) == maskedWire {
			return x.mark("$masked", n)
		}
		return other
	}
	if !n.isContainer() {
		return n
	}
	out := &node{kind: n.kind}
	for i, kid := range n.kids {
		step := strconv.Itoa(i)
		if n.kind == 'o' {
			step = n.names[i]
		}
		below := s.child(step, nil, s.new.step(step))
		if below.new == nil && s.new != nil && s.new.kind == 'o' {
			continue // a field that is never recorded
		}
		if kept := x.node(below, kid); kept != nil {
			if n.kind == 'o' {
				out.names = append(out.names, step)
			}
			out.kids = append(out.kids, kept)
		}
	}
	if len(out.names) > 0 && strings.HasPrefix(out.names[0], "$") { // no document can pass for a mark
		out = &node{kind: 'o', names: []string{"$json"}, kids: []*node{out}}
	}
	return out
}

// mark returns the object that stands for n. A masked value has a tag, too, when there is a secret: its change is seen, its value is not.
func (x *veil) mark(name string, n *node) *node {
	value := &node{kind: 't'}
	if len(x.secret) >= minSecret {
		value = &node{kind: 's', text: n.tag(x.secret)}
	}
	return &node{kind: 'o', names: []string{name}, kids: []*node{value}}
}

// marked returns the node of the mark that n is, nil when it is none; and what n wraps when it is wrapped.
func (n *node) marked() (mark, wrapped *node) {
	if n.kind != 'o' || len(n.names) != 1 {
		return nil, nil
	}
	switch n.names[0] {
	case "$json":
		return nil, n.kids[0]
	case "$masked":
		return &node{kind: kindMark, text: n.kids[0].text, treat: treatMask}, nil
	case "$hash":
		return &node{kind: kindMark, text: n.kids[0].text, treat: treatHash}, nil
	}
	return nil, nil
}

// shown returns n without marks; nil when it is one. In a list null stands for a mark, so that the others keep their places.
func (n *node) shown() *node {
	mark, wrapped := n.marked()
	switch {
	case mark != nil:
		return nil
	case wrapped != nil:
		return wrapped.plain()
	}
	return n.plain()
}

// plain is shown for what is no mark itself.
func (n *node) plain() *node {
	if !n.isContainer() {
		return n
	}
	out := &node{kind: n.kind}
	for i, kid := range n.kids {
		shown := kid.shown()
		switch {
		case shown == nil && n.kind == 'o':
			continue
		case shown == nil:
			shown = &node{kind: 'z'}
		}
		if n.kind == 'o' {
			out.names = append(out.names, n.names[i])
		}
		out.kids = append(out.kids, shown)
	}
	return out
}

// overlay returns tree with the marks of kept, and notes where they are and what of kept the tree has no place for.
func (s *state[T]) overlay(tree, kept *node, path string) *node {
	mark, wrapped := kept.marked()
	if mark != nil {
		s.hidden = append(s.hidden, path)
		return mark
	}
	if wrapped != nil {
		kept = wrapped
	}
	if tree == nil || !tree.isContainer() || kept.kind != tree.kind {
		return tree
	}
	for i, kid := range kept.kids {
		step := strconv.Itoa(i)
		if kept.kind == 'o' {
			step = kept.names[i]
		}
		below := path + "/" + escaped(step)
		was := tree.step(step)
		mark, _ := kid.marked()
		switch {
		case was == nil && mark == nil:
			s.unknown = append(s.unknown, below)
		case was == nil && kept.kind == 'o': // of a map: it is not there without its value
			tree.names, tree.kids = append(tree.names, step), append(tree.kids, s.overlay(nil, kid, below))
		default:
			tree.kids[slices.Index(tree.kids, was)] = s.overlay(was, kid, below)
		}
	}
	tree.below = 0
	tree.seal()
	return tree
}

// reconciled returns both trees with marks made equal to what they may well be: the same value by its tag, or one that nobody knows.
func (n *node) reconciled(m *node, secret []byte) (was, is *node) {
	switch {
	case n == nil || m == nil:
		return n, m
	case n.kind == kindMark && m.kind == kindMark:
		if n.text == "" || m.text == "" {
			return m, m
		}
		return n, m
	case n.kind == kindMark:
		return n.orSame(m, secret), m
	case m.kind == kindMark:
		return n, m.orSame(n, secret)
	case n.kind != m.kind || !n.isContainer():
		return n, m
	}
	byKey := n.kind == 'a' && n.keyed() && m.keyed()
	for i, kid := range n.kids {
		j := i
		switch {
		case n.kind == 'o':
			j = slices.Index(m.names, n.names[i])
		case byKey:
			j = slices.IndexFunc(m.kids, func(other *node) bool { return other.key == kid.key })
		}
		if j >= 0 && j < len(m.kids) {
			n.kids[i], m.kids[j] = kid.reconciled(m.kids[j], secret)
		}
	}
	n.below, m.below = 0, 0
	n.seal()
	m.seal()
	return n, m
}

// orSame returns other when the mark n may stand for it, else n.
func (n *node) orSame(other *node, secret []byte) *node {
	if n.text == "" || len(secret) < minSecret || other.tag(secret) == n.text {
		return other
	}
	return n
}

// step returns the member or element of that name, nil without one.
func (n *node) step(step string) *node {
	if n == nil {
		return nil
	}
	i := -1
	switch n.kind {
	case 'o':
		i = slices.Index(n.names, step)
	case 'a':
		if at, err := strconv.Atoi(step); err == nil && at < len(n.kids) {
			i = at
		}
	}
	if i < 0 {
		return nil
	}
	return n.kids[i]
}

// find returns what is at a JSON pointer below n.
func (n *node) find(pointer string) *node {
	if pointer == "" {
		return n
	}
	for step := range strings.SplitSeq(pointer[1:], "/") {
		n = n.step(fieldName([]byte(step)))
	}
	return n
}

// isZero reports whether n is nothing that anybody supplied: absent, null, false, 0, or empty.
func (n *node) isZero() bool {
	if n == nil {
		return true
	}
	switch n.kind {
	case 's':
		return n.text == ""
	case 'n':
		return canonicalNumber(n.text) == "0"
	case 'o', 'a':
		return len(n.kids) == 0
	}
	return n.kind == 'z' || n.kind == 'f'
}

// textColumn reads an id from a column of text.
type textColumn struct{ id *ID }

// Scan is part of sql.Scanner.
func (c textColumn) Scan(v any) error { return c.id.UnmarshalText([]byte(columnText(v))) }

// actorColumn reads an actor from a column of JSON.
type actorColumn struct{ actor *Actor }

// Scan is part of sql.Scanner.
func (c actorColumn) Scan(v any) error { return json.Unmarshal([]byte(columnText(v)), c.actor) }

// microsColumn reads a time from a column of µs since 1970.
type microsColumn struct{ at *time.Time }

// Scan is part of sql.Scanner.
func (c microsColumn) Scan(v any) error {
	micros, ok := v.(int64)
	if !ok {
		return fmt.Errorf("daybook: a time in µs is %T in the database", v)
	}
	*c.at = time.UnixMicro(micros).UTC()
	return nil
}

// columnText returns what drivers give for a column of text.
func columnText(v any) string {
	switch t := v.(type) {
	case string:
		return t
	case []byte:
		return string(t)
	}
	return fmt.Sprint(v)
}
