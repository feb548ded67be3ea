// Package difference says where two documents differ, and how much of that may be shown.
//
// A document is a [Tree]: of JSON text, [Parse], or of a Go value, [Of], whose struct tags say how its fields are treated. [Compare] walks two
// of them: numbers are compared as decimal numbers, texts as they are after unescaping, objects whatever the order of their members. [Options]
// and tags leave out, mask or hash values; a value with a part that may not be shown is never shown in half. What is kept of a document as a
// version, with marks where something is hidden, is of the same trees: [Options.Keep], [ReadKept].
//
// Everything here is pure: nothing is read but the arguments, and what is safe to read is safe to use concurrently.
package difference

import (
	"fmt"
	"strconv"

	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/internal/rawjson"
)

// Options says what a difference leaves out, hides and counts. A pointer is that of RFC 6901, "*" stands for any one step, and a rule holds
// for everything below its pointer.
type Options struct {
	Ignore []string // never shown
	Mask   []string // shown that it changed, not the values
	Hash   []string // an HMAC of old and new instead of the values
	Quiet  []string // shown, but a change of only quiet values is no change
	Secret []byte   // the key of the HMAC, at least MinSecret bytes; needed where something is hashed
	Most   int      // changes; beyond it, one change of the nearest common parent
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
	changes []Change
	loud    bool // one change at least is not quiet
	most    int
	tagged  bool // the trees carry treatments of struct tags
}

// spot is one place of both trees; a node that is not there is nil.
type spot struct {
	path     string
	old, new *Tree
	rules    []rule // that reach here or below
	treat    treatment
}

// MinSecret is the length in bytes of a key that cannot be guessed.
const MinSecret = 32

// Change is one place in which two documents differ. Path is a JSON pointer (RFC 6901); Old and New are the wire form of a side, see [Side];
// no bytes: absent.
type Change struct {
	Path     string
	Old, New []byte
}

// AppendJSON adds changes to dst as an event lists them.
func AppendJSON(dst []byte, changes []Change) []byte {
	dst = append(dst, '[')
	for i := range changes {
		c := &changes[i]
		dst = append(append(rawjson.Comma(dst), `{"path":`...), rawjson.Quote(nil, []byte(c.Path))...)
		if len(c.Old) > 0 {
			dst = append(append(dst, `,"old":`...), c.Old...)
		}
		if len(c.New) > 0 {
			dst = append(append(dst, `,"new":`...), c.New...)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// Compare returns where two documents differ, in the order of their paths: members by name, elements by index; nil is no document. The
// error speaks of o. It returns nothing when only quiet values differ, and one change of the nearest common parent when there are more
// than o.Most. The trees are not changed.
func Compare(before, after *Tree, o *Options) ([]Change, error) {
	rules, err := o.rules()
	if err != nil {
		return nil, err
	}
	w := &differ{secret: o.Secret, most: o.Most, tagged: before.tagged() || after.tagged()}
	if len(w.secret) < MinSecret && (len(o.Hash) > 0 || before.has(treatHash) || after.has(treatHash)) {
		return nil, fmt.Errorf("daybook: to hash values, DiffOptions.Secret must have at least %d bytes", MinSecret)
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
func (o *Options) rules() ([]rule, error) {
	var rules []rule
	for _, list := range [...]struct {
		pointers []string
		treat    treatment
	}{{o.Ignore, treatIgnore}, {o.Mask, treatMask}, {o.Hash, treatHash}, {o.Quiet, treatQuiet}} {
		for _, p := range list.pointers {
			if !pointer.Valid(p) {
				return nil, fmt.Errorf("daybook: %q in DiffOptions is not a JSON pointer (RFC 6901)", p)
			}
			rules = append(rules, rule{pointer.Names(p), list.treat})
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
		if !s.old.Equal(s.new) {
			w.emit(s)
		}
	case w.descends(s):
		for _, child := range w.children(s) {
			w.walk(child)
		}
	case !s.old.Equal(s.new):
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
func (w *differ) apart(s spot, n *Tree) bool {
	return s.path == "" && n.kind == 'o' || len(s.rules) > 0 || w.tagged && n.tagged()
}

// child returns the place below s that step names.
func (s *spot) child(step string, was, is *Tree) spot {
	c := spot{path: s.path + "/" + pointer.Step(step), old: was, new: is}
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
		var was *Tree
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
	w.changes = append(w.changes, Change{Path: s.path, Old: w.side(s, s.old), New: w.side(s, s.new)})
}

// side returns one side of s as it is recorded. A value with a part that is masked or hashed is masked whole: never half of it.
func (w *differ) side(s spot, n *Tree) []byte {
	switch {
	case n == nil:
		return nil
	case s.treat&treatMask != 0:
		return []byte(Masked)
	case s.treat&treatHash != 0:
		return Hashed(n.tag(w.secret))
	}
	raw, ok := w.rendered(nil, s, n)
	if !ok {
		return []byte(Masked)
	}
	return Side(raw)
}

// rendered adds the JSON of n to dst without what is ignored; ok is false when a part of it may not be shown.
func (w *differ) rendered(dst []byte, s spot, n *Tree) (out []byte, ok bool) {
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
