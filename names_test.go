package daybook_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// namesOf asks for the names of the actors that a query finds.
func namesOf(t *testing.T, b *daybook.Book, q daybook.EventQuery, top int) map[string]string {
	t.Helper()
	f, err := b.Facets(t.Context(), daybook.FacetQuery{EventQuery: q, Fields: []string{"actor.id"}, Top: top, Names: true})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range f.Fields[0].Values {
		got[v.Value] = v.Name
	}
	return got
}

func said(id, name, more string) []byte {
	if name != "" {
		name = `,"name":"` + name + `"`
	}
	return []byte(`{"action":"a.b","actor":{"type":"user","id":"` + id + `"` + name + `}` + more + `}`)
}

func TestFacetNames(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Memory(), quiet(newClock()))
	record(t, b, "org_a", daybook.Request{Events: [][]byte{
		said("u1", "Ada", ""), said("u1", "Ada Byron", ""), said("u1", "", ""), said("u2", "", ""), said("u,3 *", "Old", `,"reason":"x"`), said("u,3 *", "New", `,"outcome":"denied"`),
	}})
	record(t, b, "org_b", daybook.Request{Events: [][]byte{said("u2", "Of another organization", "")}})
	all := map[string]string{"u1": "Ada Byron", "u2": "", "u,3 *": "New"}
	for name, c := range map[string]struct {
		q    daybook.EventQuery
		want map[string]string
	}{
		"the newest that is given":      {daybook.EventQuery{Org: "org_a"}, all},
		"of what is asked for":          {daybook.EventQuery{Org: "org_a", Text: "reason:x"}, map[string]string{"u,3 *": "Old"}},
		"not what is withheld":          {daybook.EventQuery{Org: "org_a", Hide: []string{"/actor/name"}}, map[string]string{"u1": "", "u2": "", "u,3 *": ""}},
		"of no other field is withheld": {daybook.EventQuery{Org: "org_a", Hide: []string{"/actor/email"}}, all},
	} {
		if diff := cmp.Diff(c.want, namesOf(t, b, c.q, 20)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	f, err := b.Facets(t.Context(), daybook.FacetQuery{EventQuery: daybook.EventQuery{Org: "org_a"}})
	if err != nil || strings.Contains(fmt.Sprint(f), "Ada") {
		t.Errorf("names that nobody asked for: %+v, error %v", f, err)
	}
}

// TestFacetNamesInBlocks: in blocks too, of more actors than one round asks for, and past those who have no name.
func TestFacetNamesInBlocks(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Memory(), quiet(newClock()))
	want := map[string]string{}
	var texts [][]byte
	for i := range 60 { // the nameless ones came last, and the named ones before them
		id := fmt.Sprintf("%s%02d", strings.Repeat("x", 100), i)
		want[id] = ""
		if i%2 == 0 {
			want[id] = "Name " + id
		}
	}
	for id, name := range want {
		texts = append(texts, said(id, name, ""))
	}
	for range 40 {
		record(t, b, "org_a", daybook.Request{Events: texts})
	}
	settle(t, b)
	if diff := cmp.Diff(want, namesOf(t, b, daybook.EventQuery{Org: "org_a", Text: "action:a.b"}, 64)); diff != "" {
		t.Error(diff)
	}
}
