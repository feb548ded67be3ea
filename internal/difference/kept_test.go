package difference_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/internal/difference"
)

type card struct {
	Name   string            `json:"name"`
	Number string            `json:"number" daybook:"mask"`
	Notes  map[string]string `json:"notes"`
	Scraps string            `json:"scraps" daybook:"-"`
}

// read returns what text keeps, over the value that it shows.
func read(t *testing.T, text []byte, value *card) difference.Kept {
	t.Helper()
	kept, err := difference.ReadKept(text)
	if err != nil {
		t.Fatal(err)
	}
	kept.Over(tree(t, value))
	return kept
}

func tree(t *testing.T, value *card) *difference.Tree {
	t.Helper()
	tree, err := difference.Of(reflect.ValueOf(value), true)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestKept follows a document into a version and back: what is hidden is never in the text, and its change is seen all the same.
func TestKept(t *testing.T) {
	t.Parallel()
	o := &difference.Options{Ignore: []string{"/notes/draft"}, Secret: []byte(strings.Repeat("k", difference.MinSecret)), Most: 10}
	keep := func(number, pin string) []byte {
		c := card{Name: "Ada", Number: number, Notes: map[string]string{"draft": "x", "pin": pin, "$odd": "1"}, Scraps: "s"}
		text := []byte(`{"name":"Ada","number":"` + number + `","notes":{"$odd":"1","draft":"x","pin":"` + pin + `"},"scraps":"s"}`)
		out, err := o.Keep(text, tree(t, &c), "/metadata/version", func(path string, value []byte) []byte {
			if path == "/metadata/version/notes/pin" {
				return []byte(difference.Masked)
			}
			return value
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	text := keep("4111", "0000")
	if s := string(text); strings.Contains(s, "4111") || strings.Contains(s, "0000") || strings.Contains(s, "draft") || strings.Contains(s, "scraps") {
		t.Fatalf("kept %s", s)
	}
	one := card{Name: "Ada", Notes: map[string]string{"$odd": "1"}}
	first := read(t, text, &one)
	if got, want := string(first.Shown()), `{"name":"Ada","notes":{"$odd":"1"}}`; got != want {
		t.Errorf("shows %s, want %s", got, want)
	}
	if diff := cmp.Diff([]string{"/notes/pin", "/number"}, first.Hidden); diff != "" {
		t.Error(diff)
	}
	if tree(t, &one).Supplied("/number") || !tree(t, &one).Supplied("/name") || tree(t, &one).Supplied("/notes/pin") {
		t.Error("what is hidden counts as supplied, or what is there does not")
	}
	same := read(t, keep("4111", "0000"), &one)
	if changes, err := difference.CompareKept(first.Tree, same.Tree, o); err != nil || changes != nil {
		t.Errorf("equal versions differ: %s, %v", changes, err)
	}
	other := read(t, keep("4112", "0000"), &one)
	changes, err := difference.CompareKept(first.Tree, other.Tree, o)
	if err != nil || len(changes) != 1 || changes[0].Path != "/number" || string(changes[0].New) != difference.Masked {
		t.Errorf("a hidden change: %s, %v", changes, err)
	}
}

// TestKept_unknown names what the type has no place for any more.
func TestKept_unknown(t *testing.T) {
	t.Parallel()
	kept := read(t, []byte(`{"name":"Ada","number":{"$masked":true},"old/name":1}`), &card{Name: "Ada"})
	if diff := cmp.Diff([]string{"/old~1name"}, kept.Unknown); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"", " ", "{", `{"a":1}{}`, `{"a":1,"a":2}`} {
		if _, err := difference.ReadKept([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// TestSide holds that no document passes for a mark.
func TestSide(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"": "", " 1 ": "1", `{"a":1}`: `{"a":1}`, `{"$masked":true}`: `{"$json":{"$masked":true}}`, `{ "\u0024hash":"x"}`: `{"$json":{ "\u0024hash":"x"}}`,
	} {
		if got := string(difference.Side([]byte(raw))); got != want {
			t.Errorf("%q: %s, want %s", raw, got, want)
		}
	}
	if got := string(difference.Mark(difference.Hashed("a\"b"), "$hash")); got != `"a\"b"` {
		t.Errorf("the tag of a hash is %s", got)
	}
	if got := difference.Mark([]byte(`{"$hash":"x","$more":1}`), "$hash"); got != nil {
		t.Errorf("an object of two members is a mark: %s", got)
	}
}
