package daybook_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// TestHeldInPages: entries of pages say whether a hold keeps them, in either order, in the tail and in blocks, until it is released.
func TestHeldInPages(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Memory(), quiet(newClock()))
	record(t, b, "org_a", daybook.Request{Events: [][]byte{said("u1", "", ""), said("u2", "", ""), said("u1", "", "")}})
	h, err := b.PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_a", Text: "actor:u1", Reason: "Case 118", By: officer})
	if err != nil {
		t.Fatal(err)
	}
	record(t, b, "org_a", daybook.Request{Events: [][]byte{said("u1", "", "")}}) // one that comes later is kept too
	check := func(name string, q daybook.EventQuery, want ...int64) {
		t.Helper()
		q.Org, q.Text, q.Asc, q.Limit = "org_a", "-is:control", true, 2
		var got []int64
		for more := true; more; {
			page, err := b.Search(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page.Entries {
				if page.Entries[i].Held {
					got = append(got, page.Entries[i].Seq)
				}
			}
			q.Cursor, more = page.NextCursor, page.NextCursor != ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, where := range []string{"in the tail", "in blocks"} {
		check(where, daybook.EventQuery{Held: true}, 0, 2, 4)
		check(where+", by occurred_at", daybook.EventQuery{Held: true, Order: daybook.OrderOccurred}, 0, 2, 4)
		check(where+", not asked", daybook.EventQuery{})
		settle(t, b)
	}
	if _, err := b.ReleaseHold(t.Context(), "org_a", h.ID, "over", officer); err != nil {
		t.Fatal(err)
	}
	check("released", daybook.EventQuery{Held: true})
}
