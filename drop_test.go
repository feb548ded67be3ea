package daybook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// dropped drops an org and waits, and returns how its logs ended.
func dropped(t testing.TB, b *daybook.Book, org daybook.OrgID) (last []daybook.LastHead) {
	t.Helper()
	err := b.DropOrg(t.Context(), daybook.DropRequest{Org: org, HandOver: func(_ context.Context, l []daybook.LastHead) error {
		last = l
		return nil
	}})
	if err == nil {
		err = b.FinishDrop(t.Context(), org)
	}
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// unknown fails t unless nothing is known of org_a, and org_b has its entries.
func unknown(t testing.TB, b *daybook.Book) {
	t.Helper()
	info, err := b.Info(t.Context(), "org_a", "org_b")
	if err != nil || info[0].Exists || !info[1].Exists || info[1].Size != 3 {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := b.EntryAt(t.Context(), "org_a", 0); daybook.CodeOf(err) != daybook.CodeNotFound {
		t.Errorf("entry 0: %v", err)
	}
}

func TestDropOrg(t *testing.T) {
	t.Parallel()
	for _, merged := range []bool{false, true} {
		t.Run(fmt.Sprintf("nothing of the org is left, everything of others is, merged %v", merged), func(t *testing.T) {
			t.Parallel()
			c, s, marks := newClock(), storetest.Memory(), storetest.Marks()
			o := signing(marks, c)
			b := open(t, s, o)
			record(t, b, "org_a", daybook.Request{Events: texts(0, 2000), Key: "k"})
			record(t, b, "org_b", daybook.Request{Events: texts(0, 3)})
			checkpoint(t, b, "org_a")
			if merged {
				settle(t, b)
			}
			record(t, b, "org_a", daybook.Request{Events: texts(2000, 7)})
			info, err := b.LogInfo(t.Context(), "org_a")
			if err != nil {
				t.Fatal(err)
			}
			last := dropped(t, b, "org_a")
			if len(last) != 1 || last[0].Size != 2007 || last[0].Root != info.Root || last[0].Origin != info.Origin || last[0].Vkey != info.Keys[0].Vkey {
				t.Errorf("handed over: %+v", last)
			}
			v, err := note.NewVerifier(last[0].Vkey)
			if err != nil {
				t.Fatal(err)
			}
			n, err := note.Open(last[0].Note, note.VerifierList(v))
			if err != nil || !bytes.HasPrefix([]byte(n.Text), fmt.Appendf(nil, "%s\n2007\n", info.Origin)) {
				t.Errorf("the last checkpoint: %v\n%s", err, last[0].Note)
			}
			unknown(t, b)
			b = reopen(t, b, s, o)
			unknown(t, b)
			verify(t, s)
			// Used again, the id has another log.
			record(t, b, "org_a", daybook.Request{Events: texts(0, 1), Key: "k"})
			again, err := b.LogInfo(t.Context(), "org_a")
			if err != nil || again.Size != 1 || again.Epoch != 0 || again.Origin == info.Origin {
				t.Errorf("%+v, %v", again, err)
			}
			verify(t, s)
		})
	}
	t.Run("every epoch goes", func(t *testing.T) {
		t.Parallel()
		c, s := newClock(), storetest.Memory()
		b := open(t, s, signing(storetest.Marks(), c))
		record(t, b, "org_b", daybook.Request{Events: texts(0, 3)})
		record(t, b, "org_a", daybook.Request{Events: texts(0, 5)})
		if _, err := b.NewEpoch(t.Context(), daybook.EpochRequest{Org: "org_a", Cause: daybook.CauseOther, By: officer}); err != nil {
			t.Fatal(err)
		}
		last := dropped(t, b, "org_a")
		if len(last) != 2 || last[0].Size != 5 || last[1].Size != 1 || last[0].Origin == last[1].Origin || last[1].Note == nil {
			t.Errorf("handed over: %+v", last)
		}
		unknown(t, b)
	})
	t.Run("a hold keeps all of it, one of an earlier epoch too, until it is released", func(t *testing.T) {
		t.Parallel()
		c, s := newClock(), storetest.Memory()
		b := open(t, s, signing(storetest.Marks(), c))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 5)})
		for _, epoch := range []bool{false, true} {
			h, err := b.PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_a", Text: "actor.id:nobody", Reason: "r", By: officer})
			if err != nil {
				t.Fatal(err)
			}
			if epoch {
				if _, err := b.NewEpoch(t.Context(), daybook.EpochRequest{Org: "org_a", Cause: daybook.CauseOther, By: officer}); err != nil {
					t.Fatal(err)
				}
			}
			err = b.DropOrg(t.Context(), daybook.DropRequest{Org: "org_a", HandOver: func(context.Context, []daybook.LastHead) error {
				t.Error("handed over")
				return nil
			}})
			if e, ok := errors.AsType[*daybook.Error](err); !ok || e.Rule != "on_hold" {
				t.Fatalf("under a hold: %v", err)
			}
			if h, err = b.ReleaseHold(t.Context(), "org_a", h.ID, "r", officer); err != nil || h.ReleasedAt == 0 {
				t.Fatalf("%+v, %v", h, err)
			}
		}
		record(t, b, "org_a", daybook.Request{Events: texts(5, 1)})
		dropped(t, b, "org_a")
	})
	t.Run("when nobody takes the last checkpoint, nothing goes and recording goes on", func(t *testing.T) {
		t.Parallel()
		c, s := newClock(), storetest.Memory()
		b := open(t, s, signing(storetest.Marks(), c))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 5)})
		err := b.DropOrg(t.Context(), daybook.DropRequest{Org: "org_a", HandOver: func(ctx context.Context, _ []daybook.LastHead) error {
			if _, err := b.RecordJSON(ctx, "org_a", daybook.Request{Events: texts(5, 1)}); daybook.CodeOf(err) != daybook.CodeUnavailable {
				t.Errorf("recorded in a log that ends: %v", err)
			}
			return storetest.ErrFault
		}})
		if !errors.Is(err, storetest.ErrFault) {
			t.Fatal(err)
		}
		if rs := record(t, b, "org_a", daybook.Request{Events: texts(5, 1)}); rs[0].Seq != 5 {
			t.Errorf("%+v", rs)
		}
		verify(t, s)
	})
	t.Run("while it goes on nobody uses the org, and what keeps copies is asked again after an error and a restart", func(t *testing.T) {
		t.Parallel()
		c, s := newClock(), storetest.Memory()
		var asked atomic.Int32
		var fail atomic.Bool
		fail.Store(true)
		o := quiet(c)
		o.Dropped = func(_ context.Context, org daybook.OrgID) error {
			if org != "org_a" {
				t.Errorf("asked about %s", org)
			}
			if asked.Add(1); fail.Load() {
				return storetest.ErrFault
			}
			return nil
		}
		b := open(t, s, o)
		record(t, b, "org_a", daybook.Request{Events: texts(0, 1200)})
		record(t, b, "org_b", daybook.Request{Events: texts(0, 3)})
		if err := b.DropOrg(t.Context(), daybook.DropRequest{Org: "org_a"}); err != nil {
			t.Fatal(err)
		}
		check := func() {
			t.Helper()
			if err := b.FinishDrop(t.Context(), "org_a"); !errors.Is(err, storetest.ErrFault) {
				t.Fatal(err)
			}
			if dropping, err := b.Dropping(t.Context(), "org_a"); err != nil || !dropping {
				t.Fatalf("%v, %v", dropping, err)
			}
			unknown(t, b)
			_, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: texts(0, 1)})
			if e, ok := errors.AsType[*daybook.Error](err); !ok || e.Rule != "org_erasing" {
				t.Errorf("recorded: %v", err)
			}
			if err := b.DropOrg(t.Context(), daybook.DropRequest{Org: "org_a"}); err != nil {
				t.Errorf("dropped twice: %v", err)
			}
		}
		check()
		verify(t, s)
		b = reopen(t, b, s, o)
		check()
		fail.Store(false)
		b = reopen(t, b, s, o)
		settle(t, b) // the job finds it by itself
		unknown(t, b)
		if n := asked.Load(); n < 3 {
			t.Errorf("asked %d times", n)
		}
		if dropping, err := b.Dropping(t.Context(), "org_a"); err != nil || dropping {
			t.Errorf("%v, %v", dropping, err)
		}
	})
	t.Run("who follows the log is told that it is gone, and never sees the next one", func(t *testing.T) {
		t.Parallel()
		c, s := newClock(), storetest.Memory()
		b := open(t, s, quiet(c))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 1)})
		for step, err := range b.Follow(t.Context(), daybook.FollowQuery{Org: "org_a"}) {
			if err != nil {
				if daybook.CodeOf(err) != daybook.CodeNotFound {
					t.Error(err)
				}
				break
			}
			if step.Position != 0 {
				t.Fatalf("%+v", step)
			}
			dropped(t, b, "org_a")
		}
	})
	t.Run("an org without a log is not found", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), quiet(newClock()))
		if err := b.DropOrg(t.Context(), daybook.DropRequest{Org: "org_a"}); daybook.CodeOf(err) != daybook.CodeNotFound {
			t.Error(err)
		}
		if err := b.FinishDrop(t.Context(), "org_a"); err != nil {
			t.Error(err)
		}
	})
}

// listedBefore is a store whose list of logs was read before org_a was dropped.
type listedBefore struct {
	daybook.Store
	list atomic.Pointer[[]daybook.Head]
}

func (s *listedBefore) Logs(ctx context.Context, after daybook.LogNo, limit int) ([]daybook.Head, error) {
	if list := s.list.Load(); list != nil {
		if after > 0 {
			return nil, nil
		}
		return *list, nil
	}
	return s.Store.Logs(ctx, after, limit)
}

// A log that is dropped while all logs are gone through is passed over.
func TestDropOrg_whileListed(t *testing.T) {
	t.Parallel()
	s := &listedBefore{Store: storetest.Memory()}
	b := open(t, s, signing(storetest.Marks(), newClock()))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
	record(t, b, "org_b", daybook.Request{Events: texts(0, 3)})
	list, err := s.Store.Logs(t.Context(), 0, 10)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	dropped(t, b, "org_a")
	s.list.Store(&list)
	if frozen, err := b.FrozenLogs(t.Context()); err != nil || len(frozen) != 0 {
		t.Errorf("%+v, %v", frozen, err)
	}
}

// TestDropOrg_faults lets every step of a store go wrong in every way while an org is dropped. In the end it is gone, and another is whole.
func TestDropOrg_faults(t *testing.T) {
	t.Parallel()
	for _, step := range []storetest.Step{
		storetest.StepHeads, storetest.StepTail, storetest.StepEpoch, storetest.StepReplace, storetest.StepTrim, storetest.StepSlips,
		storetest.StepClose, storetest.StepDropLog, storetest.StepScrub,
	} {
		for _, fault := range storetest.Faults() {
			t.Run(fmt.Sprintf("%s %s", step, fault), func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					if hits := dropWithFaults(t, storetest.Once(step, n, fault)); hits == 0 {
						if n == 1 {
							t.Error("no call went wrong: nothing was tested")
						}
						return
					}
				}
			})
		}
	}
}

func dropWithFaults(t *testing.T, plan storetest.Plan) int {
	t.Helper()
	c, memory := newClock(), storetest.Memory()
	b := open(t, memory, quiet(c))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 1300)})
	settle(t, b)
	record(t, b, "org_a", daybook.Request{Events: texts(1300, 9)})
	record(t, b, "org_b", daybook.Request{Events: texts(0, 3)})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	faulty := storetest.Faulty(memory, plan)
	faulty.Delay = time.Millisecond
	var err error
	for range 50 {
		if b, err = daybook.Open(t.Context(), faulty, quiet(c)); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 50 { // as whoever asks would do it: until it is known
		if err = b.DropOrg(t.Context(), daybook.DropRequest{Org: "org_a"}); err == nil {
			break
		}
	}
	for range 50 {
		if err = b.FinishDrop(t.Context(), "org_a"); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	hits := faulty.Hits()
	faulty.Heal()
	settle(t, b)
	unknown(t, b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if logs, err := memory.Logs(t.Context(), 0, 10); err != nil || len(logs) != 1 {
		t.Errorf("%+v, %v", logs, err)
	}
	verify(t, memory)
	return hits
}
