package daybooktest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybooktest"
)

// trial is a testing.TB that notes a failure instead of failing.
type trial struct {
	testing.TB
	said string
}

func (t *trial) Helper() {}

func (t *trial) Fatalf(format string, args ...any) {
	t.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// fails returns what f says when it ends its test, "" when it does not.
func fails(t *testing.T, f func(tr *trial)) string {
	t.Helper()
	tr := &trial{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(tr)
	}()
	<-done
	return tr.said
}

var paid = daybook.Event{
	Action: "invoice.paid", Actor: daybook.Actor{Type: "user", ID: "7"}, Targets: []daybook.Target{{Type: "invoice", ID: "42"}, {Type: "org", ID: "9"}},
	Changes: daybook.Changes{{Path: "/paid", New: daybook.JSON([]byte("true"))}},
}

func TestRequireRecorded(t *testing.T) {
	t.Parallel()
	r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
	if said := fails(t, func(tr *trial) { daybooktest.RequireRecorded(tr, r, daybooktest.Match{}) }); !strings.Contains(said, "no event is recorded") {
		t.Errorf("nothing recorded: %q", said)
	}
	if _, err := clerk.Record(t.Context(), paid); err != nil {
		t.Fatal(err)
	}
	for _, m := range []daybooktest.Match{
		{},
		{Action: "invoice.paid", ActorID: "7", TargetType: "invoice", TargetID: "42", Outcome: daybook.Success, Changes: []string{"/paid"}},
		{TargetType: "org", TargetID: "9"},
	} {
		if e := daybooktest.RequireRecorded(t, r, m); e.Action != "invoice.paid" || e.Org != "acme" {
			t.Errorf("%s: %+v", m, e)
		}
		if said := fails(t, func(tr *trial) { daybooktest.RequireNotRecorded(tr, r, m) }); !strings.Contains(said, "invoice.paid") {
			t.Errorf("%s was recorded, and that is denied: %q", m, said)
		}
	}
	for want, m := range map[string]daybooktest.Match{
		`its action is "invoice.paid", not "invoice.sent"`: {Action: "invoice.sent"},
		`its actor id is "7", not "8"`:                     {Action: "invoice.paid", ActorID: "8"},
		`no target of it is invoice:9`:                     {TargetType: "invoice", TargetID: "9"},
		`no target of it is *:1`:                           {TargetID: "1"},
		`its outcome is "success", not "denied"`:           {Outcome: daybook.Denied},
		`it has no change of /amount`:                      {Changes: []string{"/paid", "/amount"}},
	} {
		daybooktest.RequireNotRecorded(t, r, m)
		if said := fails(t, func(tr *trial) { daybooktest.RequireRecorded(tr, r, m) }); !strings.Contains(said, want) || !strings.Contains(said, `"id": "42"`) {
			t.Errorf("%s: want %q and the closest event in %q", m, want, said)
		}
	}
}

// TestNew_fixed: two tests see the same ids and times.
func TestNew_fixed(t *testing.T) {
	t.Parallel()
	for range 2 {
		r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		for _, want := range []string{"evt_01kdyak3see008000000000001", "evt_01kdyak3see008000000000002"} {
			receipt, err := clerk.Record(t.Context(), paid)
			if err != nil {
				t.Fatal(err)
			}
			if receipt.ID.String() != want {
				t.Errorf("id %s, want %s", receipt.ID, want)
			}
		}
		if got := r.Now().Format(time.RFC3339Nano); got != "2026-01-02T03:04:05.678Z" {
			t.Errorf("the clock says %s", got)
		}
		r.Advance(time.Hour)
		receipt, err := clerk.Record(t.Context(), paid)
		if err != nil || !receipt.ReceivedAt.Equal(time.Date(2026, 1, 2, 4, 4, 5, 678_000_000, time.UTC)) {
			t.Errorf("after an hour: %+v %v", receipt, err)
		}
	}
}

// TestRecorder: it refuses what a log refuses, knows repeats, and fails when told to.
func TestRecorder(t *testing.T) {
	t.Parallel()
	r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
	wrong := paid
	wrong.Action = "daybook.own"
	if _, err := clerk.Record(t.Context(), wrong); daybook.CodeOf(err) != daybook.CodeInvalid {
		t.Errorf("a reserved action: %v", err)
	}
	for range 2 {
		again := paid
		again.ID = daybook.ID{1, 6: 0x70, 8: 0x80}
		if _, err := clerk.Record(t.Context(), again); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.Events()); n != 1 {
		t.Errorf("%d events are kept of one and its repeat", n)
	}
	down := errors.New("down")
	r.Fail(down)
	if _, err := clerk.Record(t.Context(), paid); !errors.Is(err, down) {
		t.Errorf("it was to fail: %v", err)
	}
	if _, err := r.RecordBatch(context.Background(), "acme", nil); !errors.Is(err, down) {
		t.Errorf("a batch was to fail: %v", err)
	}
	r.Fail(nil)
	if rs, err := r.RecordBatch(t.Context(), "acme", []daybook.Event{paid, paid}); err != nil || len(rs) != 2 || len(r.Events()) != 3 {
		t.Errorf("after it was mended: %v %v", rs, err)
	}
	if page, err := r.Book().Search(t.Context(), daybook.EventQuery{Org: "acme"}); err != nil || len(page.Entries) != 3 {
		t.Errorf("the book behind it: %+v %v", page, err)
	}
}
