package facets

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook/internal/stored"
	"github.com/daybook-audit/daybook/leaf"
)

func readDoc(t *testing.T, text string) *leaf.Doc {
	t.Helper()
	d := leaf.Get()
	if err := d.Read([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCounter(t *testing.T) {
	t.Parallel()
	t.Run("entries are counted once for each value", func(t *testing.T) {
		t.Parallel()
		var tally Counter
		for range 2 { // the second time after a reset
			tally.Reset()
			for _, text := range []string{
				`{"action":"a.b","actor":{"type":"user","id":"u1"},"targets":[{"type":"doc","id":"1"},{"type":"doc","id":"2"},{"type":"dir","id":"1"}],"outcome":"failure"}`,
				`{"action":"a.b","actor":{"type":"user","id":"u2","metadata":{"type":"x"}},"targets":[{"type":"doc","id":"1","metadata":{"type":"y"}}]}`,
				`{"action":"a.c","metadata":{"action":"z"}}`,
			} {
				tally.Add(readDoc(t, text))
			}
			got, err := parse(tally.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			want := counts{
				{values: []value{{"a.b", 2}, {"a.c", 1}}},
				{values: []value{{"user", 2}}},
				{values: []value{{"doc", 2}, {"dir", 1}}},
				{values: []value{{"success", 2}, {"failure", 1}}},
				{values: []value{{"u1", 1}, {"u2", 1}}},
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(count{}, value{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
	t.Run("what is not named is bounded", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			said := map[string]int64{}
			var tally Counter
			d := leaf.Get()
			for range rapid.IntRange(1, 300).Draw(t, "n") {
				id := fmt.Sprintf("u%d", rapid.IntRange(0, 40).Draw(t, "id"))
				said[id]++
				if err := d.Read([]byte(`{"actor":{"id":"` + id + `"}}`)); err != nil {
					t.Fatal(err)
				}
				tally.Add(d)
			}
			c, err := parse(tally.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			f := c[4]
			if len(f.values) != min(16, len(said)) {
				t.Fatalf("%d of %d values are named", len(f.values), len(said))
			}
			for _, v := range f.values {
				if said[v.text] != v.count {
					t.Fatalf("%s counts %d, want %d", v.text, v.count, said[v.text])
				}
				delete(said, v.text)
			}
			rest := int64(0)
			for id, n := range said {
				if rest += n; n > f.unnamed() {
					t.Fatalf("%s is not named and counts %d, more than %d", id, n, f.unnamed())
				}
			}
			if rest != f.other {
				t.Fatalf("other %d, want %d", f.other, rest)
			}
		})
	})
	t.Run("many values of one entry are counted", func(t *testing.T) {
		t.Parallel()
		targets := make([]string, 256)
		for i := range targets {
			b, _ := json.Marshal(fmt.Sprintf("type%d", i))
			targets[i] = `{"type":` + string(b) + `}`
		}
		var tally Counter
		tally.Add(readDoc(t, `{"targets":[`+strings.Join(targets, ",")+`]}`))
		c, err := parse(tally.Append(nil))
		if err != nil || len(c[2].values) != 64 || c[2].other != 192 {
			t.Errorf("%v, %v", c[2], err)
		}
	})
}

// TestSum adds up blocks and entries against a count of everything: what is named is wrong by no more than it says.
func TestSum(t *testing.T) {
	t.Parallel()
	if s, unknown := NewSum([]string{"action", "actor"}); s != nil || unknown != "actor" {
		t.Errorf("a sum of no such field: %q", unknown)
	}
	rapid.Check(t, func(t *rapid.T) {
		said := map[string]int64{}
		d := leaf.Get()
		defer leaf.Put(d)
		draw := func() {
			id := fmt.Sprintf("u%d", rapid.IntRange(0, 40).Draw(t, "id"))
			said[id]++
			if err := d.Read([]byte(`{"actor":{"id":"` + id + `"}}`)); err != nil {
				t.Fatal(err)
			}
		}
		s, _ := NewSum([]string{"actor.id"})
		var block Counter
		for range rapid.IntRange(0, 4).Draw(t, "blocks") {
			block.Reset()
			for range rapid.IntRange(1, 90).Draw(t, "entries") {
				draw()
				block.Add(d)
			}
			if err := s.Block(block.Append(nil)); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(0, 20).Draw(t, "more") {
			draw()
			s.Entry(d)
		}
		named := int64(0)
		for _, v := range s.Fields(64)[0].Values {
			if n := said[v.Text]; v.Count < n || v.Count-v.Excess > n {
				t.Fatalf("%s counts %d, said %d with an excess of %d", v.Text, n, v.Count, v.Excess)
			}
			named++
		}
		if named < int64(min(16, len(said))) {
			t.Fatalf("%d of %d values are named", named, len(said))
		}
	})
}

func FuzzBlock(f *testing.F) {
	var tally Counter
	tally.fields[0].add([]byte("a.b"), 1)
	tally.fields[4].add([]byte("u1"), 1)
	f.Add(tally.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parse(b)
		if err != nil {
			if _, damaged := errors.AsType[*stored.DamageError](err); !damaged && !errors.Is(err, stored.ErrNewer) {
				t.Fatalf("facets refused with %v", err)
			}
			return
		}
		for i := range c {
			if c[i].unnamed() > 0 && c[i].other == 0 || len(c[i].values) > fields[i].top {
				t.Fatalf("facets %v", c)
			}
		}
	})
}
