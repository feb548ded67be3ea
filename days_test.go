package daybook

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook/leaf"
)

func TestDayCounts(t *testing.T) {
	t.Parallel()
	t.Run("entries are counted in their hour", func(t *testing.T) {
		t.Parallel()
		var d dayCounts
		const day = 20_000 * microsPerDay
		d.add(day, nil)
		d.add(day+microsPerHour-1, []byte("failure"))
		d.add(day+microsPerHour, []byte("denied"))
		d.add(day+microsPerDay-1, []byte("success"))
		var want dayCounts
		want.hour[0], want.hour[1], want.hour[23] = outcomeCounts{2, 1, 0}, outcomeCounts{1, 0, 1}, outcomeCounts{1, 0, 0}
		if d != want {
			t.Errorf("counts %v, want %v", d, want)
		}
		if k := dayKey(day + microsPerDay - 1); k != (SlipKey{Kind: slipDay, B: 20_000}) {
			t.Errorf("key %v", k)
		}
		if k := dayKey(253402300799999999); k.B >= 1<<24 { // the end of 9999
			t.Errorf("day %d does not fit its key", k.B)
		}
	})
	t.Run("what was written is read", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			var d dayCounts
			for i := range d.hour {
				h := &d.hour[i]
				h.failure, h.denied = rapid.Int64Range(0, 1<<50).Draw(t, "failure"), rapid.Int64Range(0, 1<<50).Draw(t, "denied")
				h.total = h.failure + h.denied + rapid.Int64Range(0, 1<<50).Draw(t, "rest")
			}
			got, err := parseDayCounts(d.encode())
			if err != nil || got != d {
				t.Fatalf("read %v, %v; want %v", got, err, d)
			}
		})
	})
	t.Run("what is not a day slip is refused", func(t *testing.T) {
		t.Parallel()
		good := new(dayCounts).encode()
		for name, b := range map[string][]byte{
			"empty": {}, "short": good[:len(good)-1], "long": append(slices.Clone(good), 0), "more failures than entries": func() []byte {
				b := slices.Clone(good)
				b[2] = 1
				return b
			}(),
		} {
			if _, err := parseDayCounts(b); CodeOf(err) != CodeTampered {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := parseDayCounts([]byte{2}); !errors.Is(err, ErrNewer) {
			t.Errorf("version 2: %v", err)
		}
	})
}

func readDoc(t *testing.T, text string) *leaf.Doc {
	t.Helper()
	d := leaf.Get()
	if err := d.Read([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFacetTally(t *testing.T) {
	t.Parallel()
	t.Run("entries are counted once for each value", func(t *testing.T) {
		t.Parallel()
		var tally facetTally
		for range 2 { // the second time after a reset
			tally.reset()
			for _, text := range []string{
				`{"action":"a.b","actor":{"type":"user","id":"u1"},"targets":[{"type":"doc","id":"1"},{"type":"doc","id":"2"},{"type":"dir","id":"1"}],"outcome":"failure"}`,
				`{"action":"a.b","actor":{"type":"user","id":"u2","metadata":{"type":"x"}},"targets":[{"type":"doc","id":"1","metadata":{"type":"y"}}]}`,
				`{"action":"a.c","metadata":{"action":"z"}}`,
			} {
				tally.add(readDoc(t, text))
			}
			got, err := parseFacets(tally.append(nil))
			if err != nil {
				t.Fatal(err)
			}
			want := facetCounts{
				{values: []facetValue{{"a.b", 2}, {"a.c", 1}}},
				{values: []facetValue{{"user", 2}}},
				{values: []facetValue{{"doc", 2}, {"dir", 1}}},
				{values: []facetValue{{"success", 2}, {"failure", 1}}},
				{values: []facetValue{{"u1", 1}, {"u2", 1}}},
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(facetCount{}, facetValue{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.field("outcome").values[0].value != "success" || got.field("nothing") != nil {
				t.Error("field does not find by name")
			}
		}
	})
	t.Run("what is not named is bounded", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			counts := map[string]int64{}
			var tally facetTally
			d := leaf.Get()
			for range rapid.IntRange(1, 300).Draw(t, "n") {
				id := fmt.Sprintf("u%d", rapid.IntRange(0, 40).Draw(t, "id"))
				counts[id]++
				if err := d.Read([]byte(`{"actor":{"id":"` + id + `"}}`)); err != nil {
					t.Fatal(err)
				}
				tally.add(d)
			}
			c, err := parseFacets(tally.append(nil))
			if err != nil {
				t.Fatal(err)
			}
			f := c.field("actor.id")
			if len(f.values) != min(16, len(counts)) {
				t.Fatalf("%d of %d values are named", len(f.values), len(counts))
			}
			for _, v := range f.values {
				if counts[v.value] != v.count {
					t.Fatalf("%s counts %d, want %d", v.value, v.count, counts[v.value])
				}
				delete(counts, v.value)
			}
			rest := int64(0)
			for id, n := range counts {
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
		var tally facetTally
		tally.add(readDoc(t, `{"targets":[`+strings.Join(targets, ",")+`]}`))
		c, err := parseFacets(tally.append(nil))
		if err != nil || len(c.field("target.type").values) != 64 || c.field("target.type").other != 192 {
			t.Errorf("%v, %v", c.field("target.type"), err)
		}
	})
}

func FuzzSlip(f *testing.F) {
	var d dayCounts
	d.add(5*microsPerHour, []byte("denied"))
	f.Add(d.encode())
	var tally facetTally
	tally.fields[0].add([]byte("a.b"), 1)
	tally.fields[4].add([]byte("u1"), 1)
	f.Add(tally.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parseDayCounts(b); err == nil {
			if again, err := parseDayCounts(d.encode()); err != nil || again != d {
				t.Fatalf("%v written and read: %v, %v", d, again, err)
			}
		} else if CodeOf(err) != CodeTampered && !errors.Is(err, ErrNewer) {
			t.Fatalf("day slip refused with %v", err)
		}
		c, err := parseFacets(b)
		if err != nil {
			if CodeOf(err) != CodeTampered && !errors.Is(err, ErrNewer) {
				t.Fatalf("facets refused with %v", err)
			}
			return
		}
		for i := range c {
			if c[i].unnamed() > 0 && c[i].other == 0 || len(c[i].values) > facetFields[i].top {
				t.Fatalf("facets %v", c)
			}
		}
	})
}
