package crm

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Enum is an enum of the application: its constants by number.
type Enum map[int]string

// Value is one constant of an enum. It never changes: the number is given once and the name stays.
type Value struct {
	Value int    `json:"value"`
	Name  string `json:"name"`
}

// Bounds of a value.
const (
	MaxValue = math.MaxInt32
	MaxName  = 128 // characters
)

// Check reports every value of old that now is renumbered, renamed or missing, and every new one that does not continue at the largest
// of old plus one: for a test of the application that compares its constants with a committed list. When old is empty, now may have any
// numbers. It returns nil, or an error with one line for each.
func Check(old, now Enum) error {
	errs := now.check()
	numbers := now.numbers()
	for _, v := range slices.Sorted(maps.Keys(old)) {
		was := old[v]
		switch is, ok := now[v]; {
		case ok && is != was:
			errs = append(errs, fmt.Errorf("value %d is %q and was %q: a number is never reused or renamed", v, is, was))
		case ok:
		case numbers[was] != nil:
			errs = append(errs, fmt.Errorf("%q is %d and was %d: a value is never renumbered", was, numbers[was][0], v))
		default:
			errs = append(errs, fmt.Errorf("value %d (%q) is missing: a value is never removed", v, was))
		}
	}
	if len(old) == 0 {
		return errors.Join(errs...)
	}
	next := slices.Max(slices.Collect(maps.Keys(old))) + 1
	for _, v := range slices.Sorted(maps.Keys(now)) {
		if _, known := old[v]; known {
			continue
		}
		if v != next {
			errs = append(errs, fmt.Errorf("value %d (%q) is new and must be %d: new values continue at the largest plus one", v, now[v], next))
			continue
		}
		next++
	}
	return errors.Join(errs...)
}

// check says what is wrong with an enum whatever was before.
func (e Enum) check() (errs []error) {
	for name, values := range e.numbers() {
		if len(values) > 1 {
			errs = append(errs, fmt.Errorf("%q stands for the values %v: a name has one number", name, values))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	for _, v := range slices.Sorted(maps.Keys(e)) {
		if err := (Value{v, e[v]}).check(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// numbers are the values of each name, ascending.
func (e Enum) numbers() map[string][]int {
	of := make(map[string][]int, len(e))
	for _, v := range slices.Sorted(maps.Keys(e)) {
		of[e[v]] = append(of[e[v]], v)
	}
	return of
}

// check says what is wrong with a value by itself.
func (v Value) check() error {
	switch {
	case v.Value < 0 || v.Value > MaxValue:
		return fmt.Errorf("value %d is not from 0 to %d", v.Value, MaxValue)
	case v.Name == "":
		return fmt.Errorf("value %d has no name", v.Value)
	case !utf8.ValidString(v.Name) || strings.ContainsFunc(v.Name, unicode.IsControl):
		return fmt.Errorf("the name of value %d holds control characters", v.Value)
	case utf8.RuneCountInString(v.Name) > MaxName:
		return fmt.Errorf("the name of value %d has more than %d characters", v.Value, MaxName)
	}
	return nil
}

// Numbers is one enum of an org, as far as it was read from the log. It is never changed; the zero value is empty.
type Numbers struct {
	values []Value // ascending
	next   int     // of the next append to this enum
	holes  bool    // an append is gone from the log, by retention or erasure: there may be values that are not known
}

// Values returns the values, ascending.
func (n *Numbers) Values() []Value { return slices.Clone(n.values) }

// Name returns the name of a value.
func (n *Numbers) Name(value int) (string, bool) {
	i, ok := slices.BinarySearchFunc(n.values, value, func(v Value, value int) int { return cmp.Compare(v.Value, value) })
	if !ok {
		return "", false
	}
	return n.values[i].Name, true
}

// Number returns the value of a name.
func (n *Numbers) Number(name string) (int, bool) {
	for _, v := range n.values {
		if v.Name == name {
			return v.Value, true
		}
	}
	return 0, false
}

// Next is the number that the next value gets: the largest plus one, and 1 for the first.
func (n *Numbers) Next() int {
	if len(n.values) == 0 {
		return 1
	}
	return n.values[len(n.values)-1].Value + 1
}

// Enum returns the values as an Enum.
func (n *Numbers) Enum() Enum {
	e := make(Enum, len(n.values))
	for _, v := range n.values {
		e[v.Value] = v.Name
	}
	return e
}

// Free reports whether values with numbers of their own may be appended: nothing is numbered yet, or a part of the numbering is gone.
func (n *Numbers) Free() bool { return len(n.values) == 0 || n.holes }

// extended returns n with values appended, or false when they do not continue it.
func (n *Numbers) extended(add []Value) (*Numbers, bool) {
	out := &Numbers{values: slices.Clone(n.values), next: n.next, holes: n.holes}
	for _, v := range add {
		if _, taken := out.Name(v.Value); taken || v.check() != nil {
			return nil, false
		}
		if _, taken := out.Number(v.Name); taken {
			return nil, false
		}
		if !n.Free() && v.Value != out.Next() {
			return nil, false
		}
		i, _ := slices.BinarySearchFunc(out.values, v.Value, func(has Value, value int) int { return cmp.Compare(has.Value, value) })
		out.values = slices.Insert(out.values, i, v)
	}
	return out, len(add) > 0
}
