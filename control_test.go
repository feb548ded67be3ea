package daybook_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/storetest"
)

func TestRecordControls(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := storetest.Memory()
	b := open(t, s, quiet(c))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
	first, err := b.RecordControls(t.Context(), "org_a", "{\"op\":\"hold\",\n \"state\": \"placed\"}", `{"op":"hold","state":"released"}`)
	if err != nil {
		t.Fatal(err)
	}
	record(t, b, "org_a", daybook.Request{Events: texts(3, 3)})
	if _, err := b.RecordControls(t.Context(), "org_new", `{"op":"epoch"}`); err != nil {
		t.Fatal(err)
	}

	check := func(b *daybook.Book) {
		t.Helper()
		for i, want := range []string{`{"op":"hold","state":"placed"}`, `{"op":"hold","state":"released"}`} {
			e, err := b.EntryAt(t.Context(), "org_a", int64(3+i))
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind != leaf.Control || string(e.Payload) != want || e.ID != first[i].ID || e.LeafHash != first[i].LeafHash || first[i].Seq != e.Seq {
				t.Errorf("entry %d: %+v %s, receipt %+v", 3+i, e, e.Payload, first[i])
			}
		}
		page, err := b.Search(t.Context(), daybook.EventQuery{Org: "org_a", Text: "is:control", Asc: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for i := range page.Entries {
			got = append(got, page.Entries[i].Seq)
		}
		if diff := cmp.Diff([]int64{3, 4}, got); diff != "" {
			t.Errorf("is:control (-want +got):\n%s", diff)
		}
	}
	check(b)
	settle(t, b)
	check(b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	check(open(t, s, quiet(c)))
	verify(t, s)
}

func TestRecordControlsRefuses(t *testing.T) {
	t.Parallel()
	s := storetest.Memory()
	b := open(t, s, quiet(newClock()))
	for _, text := range []string{``, `[]`, `{"op":"hold"`, `{"op":1,"op":2}`, `{"op":"hold","id":"evt_01m7z7rs1affyad5cmxxj94a79"}`} {
		if _, err := b.RecordControls(t.Context(), "org_a", `{"op":"hold"}`, text); err == nil {
			t.Errorf("%s: recorded", text)
		}
	}
	if _, err := b.RecordControls(t.Context(), "org a", `{"op":"hold"}`); daybook.CodeOf(err) != daybook.CodeInvalid {
		t.Errorf("an invalid org: %v", err)
	}
	if _, err := b.RecordControls(t.Context(), "org_a", `{"op":"`+strings.Repeat("x", leaf.MaxPayload)+`"}`); daybook.CodeOf(err) != daybook.CodeTooLarge {
		t.Errorf("too large: %v", err)
	}
	info, err := b.Info(t.Context(), "org_a")
	if err != nil {
		t.Fatal(err)
	}
	if info[0].Size != 0 {
		t.Errorf("%d entries were recorded", info[0].Size)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	var e *daybook.Error
	if _, err := b.RecordControls(t.Context(), "org_a", `{"op":"hold"}`); !errors.As(err, &e) || e.Rule != "closing" {
		t.Errorf("after Close: %v", err)
	}
}
