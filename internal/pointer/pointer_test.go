package pointer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/internal/pointer"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"": nil, "/": {""}, "/a/b": {"a", "b"}, "/a~1b/~01": {"a/b", "~1"}, "/~0~1": {"~/"}, "/a//0": {"a", "", "0"},
	} {
		if got := pointer.Names(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestValid(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": true, "/": true, "/a/~0/~1x": true, "a": false, "/~": false, "/~2": false, "/a~": false, "/~/1": false,
	} {
		if got := pointer.Valid(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
		if got := pointer.Valid([]byte(text)); got != want {
			t.Errorf("%q as bytes: %v, want %v", text, got, want)
		}
	}
}

// FuzzStep holds that every name makes one valid step, which stands for that name.
func FuzzStep(f *testing.F) {
	for _, name := range []string{"", "a", "~", "/", "~1", "~01/~0"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		step := pointer.Step(name)
		if strings.Contains(step, "/") || !pointer.Valid("/"+step) || pointer.Name(step) != name {
			t.Errorf("the step of %q is %q, which stands for %q", name, step, pointer.Name(step))
		}
	})
}
