package daybook

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/daybook-audit/daybook/internal/difference"
)

// state is what a version holds.
type state[T any] struct {
	value *T // hidden values are zero
	difference.Kept
}

// state reads a version in the shape that T has now.
func (h *History[T]) state(v *storedVersion) (state[T], error) {
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
	kept, err := difference.ReadKept(text)
	if err != nil {
		return state[T]{}, fmt.Errorf("version %d holds no document: %w", v.Number, err)
	}
	s := state[T]{value: new(T), Kept: kept}
	if err := json.Unmarshal(s.Shown(), s.value); err != nil {
		return state[T]{}, fmt.Errorf("version %d does not fit its type: %w", v.Number, err)
	}
	tree, err := difference.Of(reflect.ValueOf(s.value), true)
	if err != nil {
		return state[T]{}, err
	}
	s.Over(tree)
	return s, nil
}

// document returns what is kept of v.
func (h *History[T]) document(v *T) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", h.targetType, err)
	}
	tree, err := difference.Of(reflect.ValueOf(v), true)
	if err != nil {
		return "", err
	}
	redact := func(path string, value []byte) []byte { return h.clerk.o.Redact.Redact(path, value) }
	kept, err := h.o.Diff.rules().Keep(text, tree, "/metadata/version", redact)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", h.targetType, err)
	}
	if kept == nil {
		return "", fmt.Errorf("daybook: DiffOptions ignore all of %s", h.targetType)
	}
	return string(kept), nil
}

// difference compares what two versions hold; nil is none.
func (h *History[T]) difference(before, after *difference.Tree) (Changes, error) {
	return changesOf(difference.CompareKept(before, after, h.o.Diff.rules()))
}
