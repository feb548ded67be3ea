// Package pointer writes and reads JSON pointers (RFC 6901): the one place that knows in which order "~" and "/" are written and taken back.
// A pointer is "" for the whole document, else a "/" before the name of each step; "~0" in a step stands for "~" and "~1" for "/".
package pointer

import (
	"bytes"
	"strings"
)

// Step returns name as a step of a pointer, without the slash before it.
func Step(name string) string {
	if strings.IndexByte(name, '~') < 0 && strings.IndexByte(name, '/') < 0 {
		return name
	}
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// Name returns what a step stands for. What is no valid step is returned as far as it can be read.
func Name(step string) string {
	if strings.IndexByte(step, '~') < 0 {
		return step
	}
	return strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
}

// Names returns what the steps of a pointer stand for, none of the whole document's.
func Names(pointer string) []string {
	if pointer == "" {
		return nil
	}
	steps := strings.Split(pointer[1:], "/")
	for i, step := range steps {
		steps[i] = Name(step)
	}
	return steps
}

// Valid reports whether text has the form of a pointer.
func Valid[T string | []byte](text T) bool {
	if len(text) > 0 && text[0] != '/' {
		return false
	}
	for i := range len(text) {
		if text[i] == '~' && (i+1 == len(text) || text[i+1] != '0' && text[i+1] != '1') {
			return false
		}
	}
	return true
}

// OfPath returns the pointer of the path of a field (docs/reference/integrity.md, section 2.2): the element ~#3 of a list is its index.
func OfPath(path []byte) string { return string(bytes.ReplaceAll(path, []byte("/~#"), []byte("/"))) }
