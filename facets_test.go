package daybook_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/storetest"
)

func TestFacets(t *testing.T) {
	t.Parallel()
	t.Run("count what looking at every entry counts", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			c := newClock()
			withBook(t, quiet(c), func(b *daybook.Book) {
				o := &oracle{t: t, b: b, org: "org_a"}
				drawLog(t, o, c)
				for range 3 {
					q := daybook.FacetQuery{EventQuery: drawQuery(t, o, c), Top: rapid.IntRange(1, 64).Draw(t, "top")}
					if rapid.Bool().Draw(t, "time alone") {
						q.Text = ""
					}
					checkFacets(t, o, q)
				}
			})
		})
	})
	t.Run("counts are exact to 10,000", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), quiet(newClock()))
		for n, want := range map[int]daybook.Count{9999: {9999, true}, 10_000: {10_000, true}, 10_001: {10_000, false}} {
			org := daybook.OrgID("org_" + string(rune('a'+n-9999)))
			for range 9 {
				record(t, b, org, daybook.Request{Events: texts(0, 1000)})
			}
			record(t, b, org, daybook.Request{Events: texts(0, n-9000)})
			for _, text := range []string{"", "action:invoice.paid"} {
				f, err := b.Facets(t.Context(), daybook.FacetQuery{EventQuery: daybook.EventQuery{Org: org, Text: text}, Fields: []string{}})
				if err != nil || f.Count != want || len(f.Fields) != 0 || !f.Searched.Complete {
					t.Errorf("%d entries, query %q: %+v, error %v", n, text, f, err)
				}
			}
		}
	})
	t.Run("the budget is said", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		options := quiet(c)
		options.Now = func() time.Time { c.move(40 * time.Millisecond); return c.now() }
		b := open(t, storetest.Memory(), options)
		for i := range 20 {
			record(t, b, "org_a", daybook.Request{Events: texts(i, 512)})
			c.move(24 * time.Hour)
		}
		settle(t, b)
		f, err := b.Facets(t.Context(), daybook.FacetQuery{EventQuery: daybook.EventQuery{Org: "org_a", Text: "-nothing"}})
		if err != nil || f.Searched.Complete || f.Searched.Reason != daybook.ReasonTime || f.Count.Exact || f.Count.Value == 0 {
			t.Errorf("%+v, error %v", f, err)
		}
	})
	t.Run("an unknown field is refused", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), quiet(newClock()))
		if _, err := b.Facets(t.Context(), daybook.FacetQuery{EventQuery: daybook.EventQuery{Org: "org_a"}, Fields: []string{"actor"}}); daybook.CodeOf(err) != daybook.CodeInvalid {
			t.Errorf("error %v", err)
		}
	})
}

// facetPaths are the paths of the fields, of events with one target at most.
var facetPaths = map[string]string{
	"action": "/action", "actor.type": "/actor/type", "target.type": "/targets/~#0/type", "outcome": "/outcome", "actor.id": "/actor/id",
}

func checkFacets(t *rapid.T, o *oracle, q daybook.FacetQuery) {
	got, err := o.b.Facets(t.Context(), q)
	if err != nil {
		t.Fatalf("facets %+v: %v", q, err)
	}
	entries := o.find(q.EventQuery, len(o.entries))
	if got.Count.Value != int64(len(entries)) || !got.Count.Exact || !got.Searched.Complete || len(got.Fields) != 5 {
		t.Fatalf("facets %+v: %+v, want %d", q, got, len(entries))
	}
	d := leaf.Get()
	defer leaf.Put(d)
	for _, facet := range got.Fields {
		want := map[string]int64{}
		for _, k := range entries {
			if err := d.Read([]byte(k.Text)); err != nil {
				t.Fatalf("read: %v", err)
			}
			if facet.Field == "outcome" && !strings.Contains(k.Text, `"outcome"`) {
				want["success"]++
			}
			for i := range d.Len() {
				if string(d.Path(i)) == facetPaths[facet.Field] {
					want[string(d.Value(i))]++
				}
			}
		}
		if len(facet.Values) != min(len(want), q.Top) {
			t.Fatalf("%s: %d values, want %d of %d", facet.Field, len(facet.Values), q.Top, len(want))
		}
		sum := facet.Other
		for _, v := range facet.Values { // few values: each block names them all
			if sum += v.Count; v.Count != want[v.Value] || v.Excess != 0 {
				t.Fatalf("%s %q: %+v, want %d", facet.Field, v.Value, v, want[v.Value])
			}
		}
		for _, n := range want {
			sum -= n
		}
		if sum != 0 {
			t.Fatalf("%s: %d too many: %+v", facet.Field, sum, facet)
		}
		if !slices.IsSortedFunc(facet.Values, func(a, b daybook.FacetValue) int { return cmp.Compare(b.Count, a.Count) }) {
			t.Fatalf("%s: not by count: %+v", facet.Field, facet.Values)
		}
	}
}
