package daybook

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// DiffOptions says what a difference leaves out, hides and counts. The zero value shows everything. A pointer is that of RFC 6901,
// "*" stands for any one step, and a rule holds for everything below its pointer.
type DiffOptions struct {
	Ignore     []string // never recorded
	Mask       []string // recorded that it changed, not the values
	Hash       []string // an HMAC of old and new instead of the values: comparable, not readable
	Quiet      []string // recorded, but a change of only quiet values is no change
	Secret     []byte   // ≥ 32 bytes, the key of the HMAC; needed where something is hashed
	MaxChanges int      // default 1,000; beyond it, one change of the nearest common parent
}

// Diff compares two values of one type, recursively. A nil before is a creation, a nil after a deletion: the members are listed one
// by one. Struct tags:
//
//	daybook:"-"      never recorded
//	daybook:"mask"   record that it changed, not the values
//	daybook:"hash"   record an HMAC of old and new: comparable, not readable
//	daybook:"quiet"  recorded, but a change of only quiet fields is no change
//	daybook:"key"    matches the elements of a slice, so that a move is not a rewrite
//
// It walks Go values, not JSON: json:"-" and omitempty do not hide a clearing, though the name in a json tag is the name in the
// path. Unexported fields are not seen. A type with a MarshalJSON or MarshalText of its own is what that writes, unless its
// fields carry tags of ours. Times are compared with Equal at microseconds, nil and empty slices and maps are equal, numbers are
// compared exactly by value, and what cannot be encoded becomes "!unencodable": recording never fails for that. The error speaks
// of o or of a tag.
//
// Changes stand in the order of their paths: members by name, elements by index. An element is compared with the one of the same
// index, unless keyed.
func Diff[T any](before, after *T, o DiffOptions) (Changes, error) {
	b := builder{}
	x, y := b.root(reflect.ValueOf(before)), b.root(reflect.ValueOf(after))
	if b.err != nil {
		return nil, b.err
	}
	return difference(x, y, o)
}

// DiffJSON compares two JSON documents; an empty text is no document, as nil is to [Diff]. Numbers are compared by value, exactly:
// 1.0 and 1 are equal, 9007199254740993 and 9007199254740992 are not. The order of members means nothing. The error names the text
// that is not strict JSON (RFC 8259 without duplicate names), or a wrong option.
func DiffJSON(before, after json.RawMessage, o DiffOptions) (Changes, error) {
	x, err := parseNode(before)
	if err != nil {
		return nil, fmt.Errorf("read the document before: %w", err)
	}
	y, err := parseNode(after)
	if err != nil {
		return nil, fmt.Errorf("read the document after: %w", err)
	}
	return difference(x, y, o)
}

// Changed returns e with Changes set to the difference; ok is false when nothing but quiet fields changed: then record nothing.
func Changed[T any](e Event, before, after *T, o DiffOptions) (with Event, ok bool, err error) {
	changes, err := Diff(before, after, o)
	if err != nil {
		return e, false, err
	}
	e.Changes = changes
	return e, len(changes) > 0, nil
}

// treatment is how a value is recorded.
type treatment byte

const (
	treatIgnore treatment = 1 << iota
	treatMask
	treatHash
	treatQuiet
)

// rule is a treatment for what stands at the pointer steps and below; steps lose their first on the way down.
type rule struct {
	steps []string
	treat treatment
}

// differ compares two trees.
type differ struct {
	secret  []byte
	changes Changes
	loud    bool // one change at least is not quiet
	most    int
	tagged  bool // the trees carry treatments of struct tags
}

// spot is one place of both trees; a node that is not there is nil.
type spot struct {
	path     string
	old, new *node
	rules    []rule // that reach here or below
	treat    treatment
}

// minSecret is the length of a key that cannot be guessed.
const minSecret = 32

// difference compares two documents; nil is none.
func difference(before, after *node, o DiffOptions) (Changes, error) {
	rules, err := o.rules()
	if err != nil {
		return nil, err
	}
	w := &differ{secret: o.Secret, most: o.MaxChanges, tagged: before.tagged() || after.tagged()}
	if w.most <= 0 {
		w.most = maxChanges
	}
	if len(w.secret) < minSecret && (len(o.Hash) > 0 || before.has(treatHash) || after.has(treatHash)) {
		return nil, fmt.Errorf("daybook: to hash values, DiffOptions.Secret must have at least %d bytes", minSecret)
	}
	root := spot{old: before, new: after}
	root.rules, root.treat = reach(rules, "", false)
	w.walk(root)
	switch {
	case !w.loud:
		return nil, nil
	case len(w.changes) > w.most:
		w.changes = w.changes[:0]
		w.emit(w.commonParent(root))
	}
	return w.changes, nil
}

// rules returns the rules of o.
func (o *DiffOptions) rules() ([]rule, error) {
	var rules []rule
	for _, list := range [...]struct {
		pointers []string
		treat    treatment
	}{{o.Ignore, treatIgnore}, {o.Mask, treatMask}, {o.Hash, treatHash}, {o.Quiet, treatQuiet}} {
		for _, p := range list.pointers {
			if !isPointer([]byte(p)) {
				return nil, fmt.Errorf("daybook: %q in DiffOptions is not a JSON pointer (RFC 6901)", p)
			}
			var steps []string
			if p != "" {
				steps = strings.Split(p[1:], "/")
			}
			for i, step := range steps {
				steps[i] = fieldName([]byte(step))
			}
			rules = append(rules, rule{steps, list.treat})
		}
	}
	return rules, nil
}

// reach returns the rules that hold at or below the member step, and the treatment of those that hold at it. Without below, rules
// are those of this very place.
func reach(rules []rule, step string, below bool) (left []rule, treat treatment) {
	for _, r := range rules {
		if below {
			if r.steps[0] != step && r.steps[0] != "*" {
				continue
			}
			r.steps = r.steps[1:]
		}
		if len(r.steps) == 0 {
			treat |= r.treat
			continue
		}
		left = append(left, r)
	}
	return left, treat
}

// walk adds the changes of s.
func (w *differ) walk(s spot) {
	s.treat |= s.old.treatment() | s.new.treatment()
	switch {
	case s.treat&treatIgnore != 0, s.old == nil && s.new == nil:
	case s.treat&(treatMask|treatHash) != 0:
		if !s.old.equal(s.new) {
			w.emit(s)
		}
	case w.descends(s):
		for _, child := range w.children(s) {
			w.walk(child)
		}
	case !s.old.equal(s.new):
		w.emit(s)
	}
}

// descends reports whether s is compared by its members: two objects, two lists, or one alone that is the document itself or has
// a part that is treated in its own way.
func (w *differ) descends(s spot) bool {
	switch {
	case s.old != nil && s.new != nil:
		return s.old.kind == s.new.kind && s.old.isContainer()
	case s.old == nil:
		return s.new.isContainer() && len(s.new.kids) > 0 && w.apart(s, s.new)
	default:
		return s.old.isContainer() && len(s.old.kids) > 0 && w.apart(s, s.old)
	}
}

// apart reports whether n, which stands alone in s, is recorded member by member.
func (w *differ) apart(s spot, n *node) bool {
	return s.path == "" && n.kind == 'o' || len(s.rules) > 0 || w.tagged && n.tagged()
}

// child returns the place below s that step names.
func (s *spot) child(step string, was, is *node) spot {
	c := spot{path: s.path + "/" + escaped(step), old: was, new: is}
	c.rules, c.treat = reach(s.rules, step, true)
	c.treat |= s.treat
	return c
}

// children pairs the members or elements of both sides of s.
func (w *differ) children(s spot) []spot {
	n := s.old
	if n == nil {
		n = s.new
	}
	switch {
	case n.kind == 'o':
		return s.members()
	case s.old != nil && s.new != nil && s.old.keyed() && s.new.keyed():
		return s.elementsByKey()
	}
	var out []spot
	for i := range max(s.old.len(), s.new.len()) {
		out = append(out, s.child(strconv.Itoa(i), s.old.at(i), s.new.at(i)))
	}
	return out
}

// members pairs by name; both sides are sorted.
func (s *spot) members() []spot {
	var out []spot
	for i, j := 0, 0; i < s.old.len() || j < s.new.len(); {
		switch {
		case j == s.new.len() || i < s.old.len() && s.old.names[i] < s.new.names[j]:
			out = append(out, s.child(s.old.names[i], s.old.kids[i], nil))
			i++
		case i == s.old.len() || s.new.names[j] < s.old.names[i]:
			out = append(out, s.child(s.new.names[j], nil, s.new.kids[j]))
			j++
		default:
			out = append(out, s.child(s.new.names[j], s.old.kids[i], s.new.kids[j]))
			i, j = i+1, j+1
		}
	}
	return out
}

// elementsByKey pairs by key: first those of the new list, under their index in it, then those that are gone, under that of old.
func (s *spot) elementsByKey() []spot {
	where := make(map[string]int, s.old.len())
	for i, kid := range s.old.kids {
		where[kid.key] = i
	}
	out := make([]spot, 0, s.new.len())
	for j, kid := range s.new.kids {
		var was *node
		if i, ok := where[kid.key]; ok {
			was = s.old.kids[i]
			delete(where, kid.key)
		}
		out = append(out, s.child(strconv.Itoa(j), was, kid))
	}
	for i, kid := range s.old.kids {
		if at, ok := where[kid.key]; ok && at == i {
			out = append(out, s.child(strconv.Itoa(i), kid, nil))
		}
	}
	return out
}

// emit adds the change of s as a whole.
func (w *differ) emit(s spot) {
	w.loud = w.loud || s.treat&treatQuiet == 0
	w.changes = append(w.changes, Change{Path: s.path, Old: w.value(s, s.old), New: w.value(s, s.new)})
}

// value returns one side of s as it is recorded. A value with a part that is masked or hashed is masked whole: never half of it.
func (w *differ) value(s spot, n *node) Value {
	switch {
	case n == nil:
		return Value{}
	case s.treat&treatMask != 0:
		return Masked()
	case s.treat&treatHash != 0:
		return Hashed(n.tag(w.secret))
	}
	raw, ok := w.rendered(nil, s, n)
	if !ok {
		return Masked()
	}
	return JSON(raw)
}

// rendered adds the JSON of n to dst without what is ignored; ok is false when a part of it may not be shown.
func (w *differ) rendered(dst []byte, s spot, n *node) (out []byte, ok bool) {
	if len(s.rules) == 0 && !w.tagged || !n.isContainer() {
		return n.appendJSON(dst), true
	}
	dst = append(dst, "{["[n.bracket()])
	for i, kid := range n.kids {
		step := strconv.Itoa(i)
		if n.kind == 'o' {
			step = n.names[i]
		}
		c := s.child(step, nil, kid)
		c.treat |= kid.treat
		switch {
		case c.treat&treatIgnore != 0:
			continue
		case c.treat&(treatMask|treatHash) != 0:
			return dst, false
		}
		dst = comma(dst)
		if n.kind == 'o' {
			dst = append(appendQuoted(dst, n.names[i]), ':')
		}
		if dst, ok = w.rendered(dst, c, kid); !ok {
			return dst, false
		}
	}
	return append(dst, "}]"[n.bracket()]), true
}

// commonParent returns the deepest place that holds every change of s.
func (w *differ) commonParent(s spot) spot {
	for w.descends(s) && s.treat&(treatMask|treatHash) == 0 {
		var changed []spot
		for _, child := range w.children(s) {
			if w.differs(child) {
				changed = append(changed, child)
			}
		}
		if len(changed) != 1 {
			break
		}
		s = changed[0]
	}
	return s
}

// differs reports whether s holds a change.
func (w *differ) differs(s spot) bool {
	probe := differ{secret: w.secret, most: w.most, tagged: w.tagged}
	probe.walk(s)
	return len(probe.changes) > 0
}

// EqualJSON reports whether two JSON texts are one value: numbers are compared exactly, strings as they are after unescaping, lists in
// their order, objects whatever the order of members. What is not JSON equals nothing.
func EqualJSON(a, b json.RawMessage) bool {
	x, err := parseNode(a)
	if err != nil || x == nil {
		return false
	}
	y, err := parseNode(b)
	return err == nil && x.equal(y)
}
