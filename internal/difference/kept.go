package difference

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/internal/rawjson"
)

// kindMark is the kind of a node that stands for a hidden value: its text is the tag, empty when there is none.
const kindMark = 'm'

// Keep returns what is kept of a document, whose text and tree these are, as a version: without what o ignores, and with marks in the place
// of what o or a tag masks or hashes. What redact, which is asked for every value by its pointer below at, replaces is kept as replaced. nil:
// o ignores all of it. The error speaks of o or of the text.
func (o *Options) Keep(text []byte, tree *Tree, at string, redact func(path string, value []byte) []byte) ([]byte, error) {
	n, err := Parse(text)
	if err != nil {
		return nil, err
	}
	rules, err := o.rules()
	if err != nil {
		return nil, err
	}
	x := veil{redact: redact, secret: o.Secret}
	s := spot{path: at, new: tree}
	s.rules, s.treat = reach(rules, "", false)
	if n = x.node(s, n); n == nil {
		return nil, nil
	}
	return n.appendJSON(nil), nil
}

// Kept is what was kept of a document.
type Kept struct {
	Tree    *Tree    // as Compare sees the value, with marks for hidden values; set by Over
	Hidden  []string // pointers to them
	Unknown []string // pointers to members that the value has no place for
	kept    *Tree
}

// ReadKept reads what Keep returned.
func ReadKept(text []byte) (Kept, error) {
	n, err := Parse(text)
	if err == nil && n == nil {
		err = errors.New("there is no text")
	}
	return Kept{kept: n}, err
}

// Shown returns the JSON of what is not hidden: hidden members are missing, in a list null stands for a hidden element.
func (s *Kept) Shown() []byte {
	shown := s.kept.shown()
	if shown == nil {
		shown = &Tree{kind: 'z'}
	}
	return shown.appendJSON(nil)
}

// Over sets the tree of s to that of the value that Shown was decoded into, with marks in the places of what is hidden; it changes tree.
func (s *Kept) Over(tree *Tree) { s.Tree = s.overlay(tree, s.kept, "") }

// CompareKept is Compare for trees with marks, which it changes: a hidden value is equal to what it may well be, the same value by its tag,
// or one that nobody knows.
func CompareKept(before, after *Tree, o *Options) ([]Change, error) {
	before, after = before.reconciled(after, o.Secret)
	return Compare(before, after, o)
}

// veil hides what is not kept of a document.
type veil struct {
	redact func(path string, value []byte) []byte
	secret []byte
}

// node returns what is kept of n, nil for nothing. s is its place: s.new the node of the Go value, which carries the treatments.
func (x *veil) node(s spot, n *Tree) *Tree {
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
	if safe := rawjson.Compact(x.redact(s.path, text)); string(safe) != string(text) {
		other, err := Parse(safe)
		if err != nil || string(safe) == Masked {
			return x.mark("$masked", n)
		}
		return other
	}
	if !n.isContainer() {
		return n
	}
	out := &Tree{kind: n.kind}
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
		out = &Tree{kind: 'o', names: []string{"$json"}, kids: []*Tree{out}}
	}
	return out
}

// mark returns the object that stands for n. A masked value has a tag, too, when there is a secret: its change is seen, its value is not.
func (x *veil) mark(name string, n *Tree) *Tree {
	value := &Tree{kind: 't'}
	if len(x.secret) >= MinSecret {
		value = &Tree{kind: 's', text: n.tag(x.secret)}
	}
	return &Tree{kind: 'o', names: []string{name}, kids: []*Tree{value}}
}

// marked returns the node of the mark that n is, nil when it is none; and what n wraps when it is wrapped.
func (n *Tree) marked() (mark, wrapped *Tree) {
	if n.kind != 'o' || len(n.names) != 1 {
		return nil, nil
	}
	switch n.names[0] {
	case "$json":
		return nil, n.kids[0]
	case "$masked":
		return &Tree{kind: kindMark, text: n.kids[0].text, treat: treatMask}, nil
	case "$hash":
		return &Tree{kind: kindMark, text: n.kids[0].text, treat: treatHash}, nil
	}
	return nil, nil
}

// shown returns n without marks; nil when it is one. In a list null stands for a mark, so that the others keep their places.
func (n *Tree) shown() *Tree {
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
func (n *Tree) plain() *Tree {
	if !n.isContainer() {
		return n
	}
	out := &Tree{kind: n.kind}
	for i, kid := range n.kids {
		shown := kid.shown()
		switch {
		case shown == nil && n.kind == 'o':
			continue
		case shown == nil:
			shown = &Tree{kind: 'z'}
		}
		if n.kind == 'o' {
			out.names = append(out.names, n.names[i])
		}
		out.kids = append(out.kids, shown)
	}
	return out
}

// overlay returns tree with the marks of kept, and notes where they are and what of kept the tree has no place for.
func (s *Kept) overlay(tree, kept *Tree, path string) *Tree {
	mark, wrapped := kept.marked()
	if mark != nil {
		s.Hidden = append(s.Hidden, path)
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
		below := path + "/" + pointer.Step(step)
		was := tree.step(step)
		mark, _ := kid.marked()
		switch {
		case was == nil && mark == nil:
			s.Unknown = append(s.Unknown, below)
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
func (n *Tree) reconciled(m *Tree, secret []byte) (was, is *Tree) {
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
			j = slices.IndexFunc(m.kids, func(other *Tree) bool { return other.key == kid.key })
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
func (n *Tree) orSame(other *Tree, secret []byte) *Tree {
	if n.text == "" || len(secret) < MinSecret || other.tag(secret) == n.text {
		return other
	}
	return n
}

// step returns the member or element of that name, nil without one.
func (n *Tree) step(step string) *Tree {
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

// Supplied reports whether anything is at a pointer below n: not absent, null, false, 0, or empty.
func (n *Tree) Supplied(at string) bool {
	for _, name := range pointer.Names(at) {
		n = n.step(name)
	}
	return !n.isZero()
}

// isZero reports whether n is nothing that anybody supplied: absent, null, false, 0, or empty.
func (n *Tree) isZero() bool {
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
