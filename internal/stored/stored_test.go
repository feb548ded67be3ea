package stored_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/daybook-audit/daybook/internal/stored"
)

func TestReader(t *testing.T) {
	t.Parallel()
	text := append(binary.AppendUvarint([]byte{7}, 300), 2, 'a', 'b')
	r, err := stored.Open(text, 7, "a text")
	if err != nil || r.Count(300) != 300 || string(r.Bytes(2)) != "ab" || !r.End() {
		t.Errorf("%x is not read: %v", text, err)
	}
	for name, read := range map[string]func(r *stored.Reader){
		"too large":       func(r *stored.Reader) { r.Count(299) },
		"too long":        func(r *stored.Reader) { r.Count(300); r.Bytes(1) },
		"beyond the end":  func(r *stored.Reader) { r.Count(300); r.Bytes(2); r.Count(math.MaxInt64) },
		"not to the end":  func(r *stored.Reader) { r.Count(300) },
		"length too long": func(r *stored.Reader) { r.Bytes(300) },
		"refused":         func(r *stored.Reader) { r.Count(300); r.Bytes(2); r.Refuse() },
	} {
		r, err := stored.Open(text, 7, "a text")
		if err != nil {
			t.Fatal(err)
		}
		if read(&r); r.End() {
			t.Errorf("%s: it is well", name)
		}
	}
	if _, err := stored.Open(text, 8, "a text"); !errors.Is(err, stored.ErrNewer) {
		t.Errorf("another version: %v", err)
	}
	if _, err := stored.Open(nil, 8, "a text"); err == nil || errors.Is(err, stored.ErrNewer) {
		t.Errorf("no text: %v", err)
	}
}
