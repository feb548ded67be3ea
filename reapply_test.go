package daybook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// restored is an instance of which the store is put back to an older copy, and the high-water store is not.
type restored struct {
	*testing.T
	clock *clock
	store *storetest.MemoryStore
	marks *storetest.MemoryMarks
	book  *daybook.Book
}

func newRestored(t *testing.T) *restored {
	t.Helper()
	r := &restored{T: t, clock: newClock(), store: storetest.Memory(), marks: storetest.Marks()}
	r.book = open(t, r.store, r.options())
	var people [][]byte
	for i := range 20 {
		people = append(people, person(i, []string{"usr_1", "usr_2"}[i%2]))
	}
	record(t, r.book, "org_a", daybook.Request{Events: people, Key: "k"})
	record(t, r.book, "org_b", daybook.Request{Events: people})
	checkpoint(t, r.book, "org_a")
	checkpoint(t, r.book, "org_b")
	return r
}

func (r *restored) options() daybook.Options {
	o := signing(r.marks, r.clock)
	o.TailAge, o.TailBytes, o.TailEntries = 1<<60, 1<<40, 1<<40
	return o
}

// back closes the book and opens it on copy.
func (r *restored) back(copied *storetest.MemoryStore) {
	r.Helper()
	if err := r.book.Close(); err != nil {
		r.Fatal(err)
	}
	r.store = copied
	r.book = open(r.T, r.store, r.options())
}

// shows fails unless the newest log of an org shows the name of a person, or does not, as wanted.
func (r *restored) shows(org daybook.OrgID, name string, want bool) {
	r.Helper()
	var out bytes.Buffer
	for e, err := range r.book.Events(r.Context(), daybook.EventQuery{Org: org, Asc: true}) {
		if err != nil {
			r.Fatal(err)
		}
		out.Write(e.AppendJSON(nil))
	}
	if got := strings.Contains(out.String(), name); got != want {
		r.Errorf("%s is there: %v, want %v", name, got, want)
	}
}

func (r *restored) fsck(findings int) {
	r.Helper()
	report, err := daybook.Fsck(r.Context(), r.store, daybook.FsckOptions{HighWater: r.marks, Origin: "audit.example.com"})
	if err != nil || len(report.Findings) != findings {
		r.Errorf("fsck: %+v, %v", report, err)
	}
}

// controls returns the texts of the control entries of an org's newest log that erase.
func (r *restored) controls(org daybook.OrgID) []map[string]string {
	r.Helper()
	var all []map[string]string
	for e, err := range r.book.Events(r.Context(), daybook.EventQuery{Org: org, Text: "is:control", Asc: true}) {
		if err != nil {
			r.Fatal(err)
		}
		var c struct {
			Op, Reason, Items, Of string
			ID                    string `json:"erasure_id"`
			OfItems               string `json:"of_items"`
		}
		if err := json.Unmarshal(e.Payload, &c); err != nil {
			r.Fatal(err)
		}
		if c.Op == "erase" {
			all = append(all, map[string]string{"erasure_id": c.ID, "reason": c.Reason, "items": c.Items, "of": c.Of, "of_items": c.OfItems})
		}
	}
	return all
}

func TestReapply(t *testing.T) {
	t.Parallel()
	usr := &daybook.Party{Type: "user", ID: "usr_1"}
	t.Run("what was erased after the copy is gone before the log is read, and the next epoch says so", func(t *testing.T) {
		t.Parallel()
		r := newRestored(t)
		copied := r.store.Copy()
		record(t, r.book, "org_a", daybook.Request{Events: [][]byte{person(20, "usr_1")}})
		x := erase(t, r.book, daybook.EraseRequest{Org: "org_a", Actor: usr})
		whole := erase(t, r.book, daybook.EraseRequest{Org: "org_a", Text: "seq:1", Whole: true})
		settle(t, r.book)
		for range 3 { // each start does it again, until there is a new epoch
			r.back(copied.Reopen())
			copied = r.store
			r.shows("org_a", "Name of usr_1", false)
			r.shows("org_a", "Name of usr_2", true)
			r.shows("org_b", "Name of usr_1", true)
			r.fsck(1) // it was rolled back, and nothing else is wrong
		}
		frozen, err := r.book.FrozenLogs(t.Context())
		if err != nil || len(frozen) != 1 {
			t.Fatalf("%+v, %v", frozen, err)
		}
		info, err := r.book.NewEpoch(t.Context(), daybook.EpochRequest{Org: "org_a", Cause: daybook.CauseRestore, By: officer})
		if err != nil || info.Size != 3 {
			t.Fatalf("%+v, %v", info, err)
		}
		got := r.controls("org_a")
		slices.SortFunc(got, func(a, b map[string]string) int {
			return strings.Compare(a["erasure_id"], b["erasure_id"])
		})
		old, err := r.book.Log(t.Context(), "org_a", 0)
		if err != nil {
			t.Fatal(err)
		}
		oldInfo, err := old.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0]["erasure_id"] != x.ID || got[1]["erasure_id"] != whole.ID || got[0]["of"] != oldInfo.Origin ||
			got[0]["items"] != "" || got[1]["of_items"] != "1" || got[0]["reason"] != "request 7" {
			t.Errorf("the new epoch says %v", got)
		}
		if strings.Contains(got[0]["of_items"], "20") {
			t.Errorf("an entry is named that the copy does not have: %v", got[0]["of_items"])
		}
		settle(t, r.book)
		for range 2 {
			r.fsck(0)
			xs, err := r.book.Erasures(t.Context(), "org_a")
			if err != nil || len(xs) != 2 || xs[0].CompletedAt == 0 || xs[1].CompletedAt == 0 || xs[0].Of != oldInfo.Origin {
				t.Errorf("%+v, %v", xs, err)
			}
			if n := len(r.controls("org_a")); n != 2 {
				t.Errorf("%d erase entries", n)
			}
			r.back(r.store.Reopen())
			if again := r.book.Reapplied(); len(again) > 0 {
				t.Errorf("again: %+v", again)
			}
		}
	})
	t.Run("in a log that was not signed since, the entries follow in the log itself", func(t *testing.T) {
		t.Parallel()
		r := newRestored(t)
		copied, marks := r.store.Copy(), r.marks.Copy()
		x := erase(t, r.book, daybook.EraseRequest{Org: "org_a", Actor: usr})
		settle(t, r.book)
		rows, err := r.marks.Removals(t.Context())
		if err != nil || len(rows) != 1 {
			t.Fatalf("%+v, %v", rows, err)
		}
		if err := marks.AddRemoval(t.Context(), rows[0]); err != nil {
			t.Fatal(err)
		}
		if err := r.book.Close(); err != nil {
			t.Fatal(err)
		}
		r.marks, r.store = marks, copied
		for i := range 3 {
			r.book = open(t, r.store, r.options())
			r.shows("org_a", "Name of usr_1", false)
			if n := len(r.book.Reapplied()); n != map[bool]int{true: 1}[i == 0] {
				t.Errorf("start %d: %+v", i, r.book.Reapplied())
			}
			got := r.controls("org_a")
			if len(got) != 1 || got[0]["erasure_id"] != x.ID || got[0]["of"] != "" || got[0]["items"] == "" {
				t.Errorf("the log says %v", got)
			}
			settle(t, r.book)
			r.fsck(0)
			if err := r.book.Close(); err != nil {
				t.Fatal(err)
			}
		}
		r.book = open(t, r.store, r.options())
		if _, err := r.book.RecordJSON(t.Context(), "org_a", daybook.Request{Events: [][]byte{person(3, "usr_3")}}); err != nil {
			t.Error(err)
		}
	})
	t.Run("an erasure that the copy asks for, and has not carried out, is carried out first", func(t *testing.T) {
		t.Parallel()
		r := newRestored(t)
		settle(t, r.book)
		x := erase(t, r.book, daybook.EraseRequest{Org: "org_a", Actor: usr})
		copied := r.store.Copy()
		settle(t, r.book)
		r.back(copied)
		r.shows("org_a", "Name of usr_1", false)
		if got := r.controls("org_a"); len(got) != 1 || got[0]["erasure_id"] != x.ID {
			t.Errorf("%v", got)
		}
	})
	t.Run("an organization that was erased is erased again, and what else is kept of it", func(t *testing.T) {
		t.Parallel()
		r := newRestored(t)
		copied := r.store.Copy()
		dropped(t, r.book, "org_a")
		if err := r.book.Close(); err != nil {
			t.Fatal(err)
		}
		r.store = copied
		var asked []daybook.OrgID
		o := r.options()
		o.Dropped = func(_ context.Context, org daybook.OrgID) error { asked = append(asked, org); return nil }
		r.book = open(t, r.store, o)
		if diff := cmp.Diff([]daybook.OrgID{"org_a"}, asked); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]daybook.Reapplied{{Org: "org_a", Recorded: true}}, r.book.Reapplied()); diff != "" {
			t.Error(diff)
		}
		if info, err := r.book.Info(t.Context(), "org_a", "org_b"); err != nil || info[0].Exists || !info[1].Exists {
			t.Errorf("%+v, %v", info, err)
		}
		record(t, r.book, "org_a", daybook.Request{Events: texts(0, 1)})
		r.back(r.store.Reopen())
		if info, err := r.book.Info(t.Context(), "org_a"); err != nil || !info[0].Exists {
			t.Errorf("the next organization of this name: %+v, %v", info, err)
		}
		r.fsck(0)
	})
	t.Run("what is forgotten beside the marks comes back with an older copy", func(t *testing.T) { // the test of the test
		t.Parallel()
		r := newRestored(t)
		copied := r.store.Copy()
		erase(t, r.book, daybook.EraseRequest{Org: "org_a", Actor: usr})
		settle(t, r.book)
		if err := r.marks.ForgetRemovals(t.Context(), 1<<62); err != nil {
			t.Fatal(err)
		}
		r.back(copied)
		r.shows("org_a", "Name of usr_1", true)
	})
}
