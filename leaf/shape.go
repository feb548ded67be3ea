package leaf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// CheckShape returns an error unless the disclosed fields can come from one payload that [Doc.Read] accepts. Without this check the
// maker of a bundle could commit to a scalar that has members, or to an element without its array, and disclose whichever suits.
func CheckShape(fs []Field) error {
	if len(fs) == 0 || len(fs) > MaxFields {
		return fmt.Errorf("an entry has 1 to 1,024 fields, not %d", len(fs))
	}
	var paths [][]byte
	total := 0
	for i := range fs {
		f := &fs[i]
		if f.Withheld {
			continue
		}
		if err := checkField(f); err != nil {
			return fmt.Errorf("field %d: %w", i, err)
		}
		if len(paths) > 0 && bytes.Compare(paths[len(paths)-1], f.Path) >= 0 {
			return fmt.Errorf("field %d: its path does not come after the one before", i)
		}
		if len(f.Path) == 0 && (f.Type != EmptyObject || len(fs) > 1) {
			return fmt.Errorf("field %d: only an empty payload has a field without a path", i)
		}
		paths = append(paths, f.Path)
		total += len(f.Path)
	}
	if total > MaxPaths {
		return errors.New("all paths together have more than 1 MiB")
	}
	return checkTree(paths, len(fs)-len(paths))
}

// checkField checks one disclosed field by itself.
func checkField(f *Field) error {
	if len(f.Path) > MaxPath {
		return errors.New("its path has more than 65,535 bytes")
	}
	if err := checkText(f.Path); err != nil {
		return fmt.Errorf("its path: %w", err)
	}
	if len(f.Path) > 0 {
		if f.Path[0] != '/' {
			return errors.New("its path does not begin with /")
		}
		if bytes.Count(f.Path, slash) > MaxComponents {
			return errors.New("its path has more than 32 components")
		}
		for c := range bytes.SplitSeq(f.Path[1:], slash) {
			if err := checkComponent(c); err != nil {
				return err
			}
		}
	}
	switch f.Type {
	case String:
		if err := checkText(f.Value); err != nil {
			return fmt.Errorf("its value: %w", err)
		}
		return nil
	case Number:
		// IsValid allows white space around the token, which is not part of it.
		v := jsontext.Value(f.Value)
		if v.Kind() != '0' || bytes.ContainsAny(v, " \t\r\n") || !v.IsValid() {
			return errors.New("its value is not the token of a number")
		}
		return nil
	case True, False, Null, EmptyObject, EmptyArray:
		if len(f.Value) > 0 {
			return fmt.Errorf("type %c has no value", f.Type)
		}
		return nil
	}
	return fmt.Errorf("there is no type %q", f.Type)
}

var (
	slash   = []byte{'/'}
	element = []byte("~#") // in front of the index of an array element
)

func checkText(b []byte) error {
	switch {
	case !utf8.Valid(b):
		return errors.New("not UTF-8")
	case bytes.IndexByte(b, 0) >= 0:
		return errors.New("holds U+0000")
	}
	return nil
}

// checkComponent checks one component of a path: an escaped name, or ~# and an index.
func checkComponent(c []byte) error {
	if bytes.HasPrefix(c, element) {
		if index(c) < 0 {
			return errors.New("an index is a decimal number below 1,024 without leading zero")
		}
		return nil
	}
	for i := range c {
		if c[i] == '~' && (i+1 == len(c) || c[i+1] != '0' && c[i+1] != '1') {
			return errors.New("~ in a path is followed by 0 or 1")
		}
	}
	return nil
}

// index returns the index of an array element's component, or -1. An array has at least one field for each of its elements, so
// the number of fields bounds it.
func index(c []byte) int {
	digits := string(c[len(element):])
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n >= MaxFields || strconv.FormatUint(n, 10) != digits {
		return -1
	}
	return int(n)
}

// container is an object or array on the way from the top to the path being looked at.
type container struct {
	array         bool
	children, top int // of an array: elements seen, largest index seen
}

// checkTree checks the paths, each well-formed by itself, against each other. They are distinct.
func checkTree(paths [][]byte, withheld int) error {
	// In this order everything below one container stands together, which in the bytewise order it does not: /a /a! /a/b.
	slices.SortFunc(paths, compareNested)
	var open []container // open[k] holds component k of the path being looked at
	var before [][]byte  // components of the path before
	missing := 0         // elements of arrays that are not shown
	leave := func(depth int) {
		for ; len(open) > depth; open = open[:len(open)-1] {
			if in := open[len(open)-1]; in.array {
				missing += in.top + 1 - in.children
			}
		}
	}
	for _, p := range paths {
		if len(p) == 0 {
			continue // an empty payload, the only field
		}
		now := bytes.Split(p[1:], slash)
		same := 0
		for same < len(before) && same < len(now) && bytes.Equal(before[same], now[same]) {
			same++
		}
		if before != nil && same == len(before) {
			return fmt.Errorf("%s stands below %s, which is a scalar or empty", short(string(p)), short("/"+string(bytes.Join(before, slash))))
		}
		leave(same + 1)
		for k := same; k < len(now); k++ {
			array := bytes.HasPrefix(now[k], element)
			if k == len(open) {
				open = append(open, container{array: array, top: -1})
			}
			if k == 0 && array {
				return errors.New("the top level is an array")
			}
			in := &open[k]
			if in.array != array {
				return fmt.Errorf("%s: elements of an array stand beside members of an object", short(string(p)))
			}
			if array {
				in.children, in.top = in.children+1, max(in.top, index(now[k]))
			}
		}
		before = now
	}
	leave(0)
	if missing > withheld {
		return fmt.Errorf("%d elements of arrays are missing and %d fields are withheld", missing, withheld)
	}
	return nil
}

// compareNested compares paths as if / came before every other byte.
func compareNested(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		switch x, y := a[i], b[i]; {
		case x == y:
		case x == '/':
			return -1
		case y == '/':
			return 1
		default:
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}
