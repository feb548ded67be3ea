package daybook_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wI2L/jsondiff"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook"
)

// document draws a JSON value whose numbers float64 holds exactly, as the oracle needs.
func document(r *rand.Rand, depth int) any {
	switch n := r.IntN(9); {
	case n < 2 && depth > 0:
		m := map[string]any{}
		for range r.IntN(4) {
			m[[]string{"a", "b", "c/d", "e~f", "é", ""}[r.IntN(6)]] = document(r, depth-1)
		}
		return m
	case n < 4 && depth > 0:
		l := []any{}
		for range r.IntN(4) {
			l = append(l, document(r, depth-1))
		}
		return l
	case n < 6:
		return json.Number([]string{"0", "1", "1.0", "-0", "10e-1", "2.5", "-3"}[r.IntN(7)])
	case n < 7:
		return []string{"", "x", "1"}[r.IntN(3)]
	case n < 8:
		return nil
	}
	return r.IntN(2) == 0
}

// TestDiffJSON_oracle: no change if and only if jsondiff finds none; and our changes, applied to old, make new, as jsondiff sees it.
func TestDiffJSON_oracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		old, err := json.Marshal(document(r, 4))
		if err != nil {
			t.Fatal(err)
		}
		target, err := json.Marshal(document(r, 4))
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(4) == 0 {
			target = old
		}
		most := []int{0, 1, 3}[r.IntN(3)]
		ours, err := daybook.DiffJSON(old, target, daybook.DiffOptions{MaxChanges: most})
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := jsondiff.CompareJSON(old, target)
		if err != nil {
			t.Fatal(err)
		}
		if (len(ours) == 0) != (len(theirs) == 0) {
			t.Fatalf("old %s new %s\nours %v\ntheirs %v", old, target, printed(ours), theirs)
		}
		if most > 0 && len(ours) > most {
			t.Fatalf("%d changes, want at most %d", len(ours), most)
		}
		var doc any
		if err := json.Unmarshal(old, &doc); err != nil {
			t.Fatal(err)
		}
		for _, c := range slices.Backward(ours) { // removals from a list come last first
			doc = apply(t, doc, c)
		}
		made, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := jsondiff.CompareJSON(made, target)
		if err != nil {
			t.Fatal(err)
		}
		if len(rest) != 0 {
			t.Fatalf("old %s new %s\nchanges %v\nmade %s\nrest %v", old, target, printed(ours), made, rest)
		}
	})
}

// apply makes one change in doc.
func apply(t *rapid.T, doc any, c daybook.Change) any {
	var value any
	if c.New.Present() {
		if err := json.Unmarshal(c.New.Raw(), &value); err != nil {
			t.Fatal(err)
		}
	}
	if c.Path == "" {
		return value
	}
	steps := strings.Split(c.Path[1:], "/")
	var set func(at any, steps []string) any
	set = func(at any, steps []string) any {
		step := strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[0])
		switch at := at.(type) {
		case map[string]any:
			switch {
			case len(steps) > 1:
				at[step] = set(at[step], steps[1:])
			case c.New.Present():
				at[step] = value
			default:
				delete(at, step)
			}
			return at
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case len(steps) > 1:
				at[i] = set(at[i], steps[1:])
			case !c.New.Present():
				return append(at[:i:i], at[i+1:]...)
			default:
				for len(at) <= i { // additions come last first too
					at = append(at, nil)
				}
				at[i] = value
			}
			return at
		}
		t.Fatalf("path %s leads through a scalar", c.Path)
		return nil
	}
	return set(doc, steps)
}

// FuzzDiff: texts are compared or refused; a document is equal to itself; the changes of a, b mirror those of b, a; and every
// side of a change is JSON.
func FuzzDiff(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,{"b":null}],"c":1.0}`), []byte(`{"c":1,"a":[1,{"$masked":true}]}`), "/a/*")
	f.Add([]byte(``), []byte(`{"a~b/c":{}}`), "/a~0b~1c")
	f.Add([]byte(`[1e99999999999999999999]`), []byte(`[-0,1e400]`), "")
	f.Add([]byte(`1e`), []byte(`{"a":1,"a":2}`), "x")
	f.Fuzz(func(t *testing.T, before, after []byte, pointer string) {
		o := daybook.DiffOptions{Mask: []string{pointer}, MaxChanges: 5}
		if !strings.HasPrefix(pointer, "/") {
			o = daybook.DiffOptions{}
		}
		there, err := daybook.DiffJSON(before, after, o)
		if err != nil {
			return
		}
		back, err := daybook.DiffJSON(after, before, o)
		if err != nil || len(back) != len(there) {
			t.Fatalf("%v there, %v back: %v", printed(there), printed(back), err)
		}
		for i := range there {
			if there[i].Path != back[i].Path || !there[i].Old.Equal(back[i].New) || !there[i].New.Equal(back[i].Old) {
				t.Fatalf("%v there, %v back", printed(there), printed(back))
			}
			for _, v := range []daybook.Value{there[i].Old, there[i].New} {
				if text, err := v.MarshalJSON(); err != nil || !json.Valid(text) {
					t.Fatalf("value %s: %v", text, err)
				}
			}
		}
		if same, err := daybook.DiffJSON(after, after, o); err != nil || len(same) != 0 {
			t.Fatalf("a document differs from itself: %v %v", printed(same), err)
		}
	})
}
