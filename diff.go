package daybook

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/daybook-audit/daybook/internal/difference"
	"github.com/daybook-audit/daybook/internal/shape"
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
	x, err := difference.Of(reflect.ValueOf(before), false)
	if err != nil {
		return nil, err
	}
	y, err := difference.Of(reflect.ValueOf(after), false)
	if err != nil {
		return nil, err
	}
	return changesOf(difference.Compare(x, y, o.rules()))
}

// DiffJSON compares two JSON documents; an empty text is no document, as nil is to [Diff]. Numbers are compared by value, exactly:
// 1.0 and 1 are equal, 9007199254740993 and 9007199254740992 are not. The order of members means nothing. The error names the text
// that is not strict JSON (RFC 8259 without duplicate names), or a wrong option.
func DiffJSON(before, after json.RawMessage, o DiffOptions) (Changes, error) {
	x, err := difference.Parse(before)
	if err != nil {
		return nil, fmt.Errorf("read the document before: %w", err)
	}
	y, err := difference.Parse(after)
	if err != nil {
		return nil, fmt.Errorf("read the document after: %w", err)
	}
	return changesOf(difference.Compare(x, y, o.rules()))
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

// minSecret is the length of a key that cannot be guessed.
const minSecret = difference.MinSecret

// rules returns o as the comparison takes it.
func (o *DiffOptions) rules() *difference.Options {
	most := o.MaxChanges
	if most <= 0 {
		most = shape.MaxChanges
	}
	return &difference.Options{Ignore: o.Ignore, Mask: o.Mask, Hash: o.Hash, Quiet: o.Quiet, Secret: o.Secret, Most: most}
}

// changesOf returns what a comparison found.
func changesOf(found []difference.Change, err error) (Changes, error) {
	if err != nil || len(found) == 0 {
		return nil, err
	}
	changes := make(Changes, len(found))
	for i := range found {
		changes[i] = Change{Path: found[i].Path, Old: Value{found[i].Old}, New: Value{found[i].New}}
	}
	return changes, nil
}

// EqualJSON reports whether two JSON texts are one value: numbers are compared exactly, strings as they are after unescaping, lists in
// their order, objects whatever the order of members. What is not JSON equals nothing.
func EqualJSON(a, b json.RawMessage) bool {
	x, err := difference.Parse(a)
	if err != nil || x == nil {
		return false
	}
	y, err := difference.Parse(b)
	return err == nil && x.Equal(y)
}
