package daybook_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// TestRemoval_faults lets every step of a store go wrong in every way while a removal is asked for and carried out. Whatever happens, it
// is carried out in the end, nothing else is, and the log is whole.
func TestRemoval_faults(t *testing.T) {
	t.Parallel()
	for _, step := range storetest.Steps() {
		switch step {
		case storetest.StepGet, storetest.StepPut, storetest.StepDelete, storetest.StepKeys,
			storetest.StepNotes, storetest.StepPutNote, storetest.StepEpoch, storetest.StepClose, storetest.StepDropLog: // no removal takes these
			continue
		default:
		}
		for _, fault := range storetest.Faults() {
			t.Run(fmt.Sprintf("%s %s", step, fault), func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					if hits := removeWithFaults(t, storetest.Once(step, n, fault)); hits == 0 {
						if n == 1 {
							t.Error("no call went wrong: nothing was tested")
						}
						return
					}
				}
			})
		}
	}
	for seed := range uint64(10) {
		t.Run(fmt.Sprintf("one call in six, seed %d", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			removeWithFaults(t, func(storetest.Step, int) storetest.Fault {
				if r.IntN(6) > 0 {
					return storetest.None
				}
				return storetest.Faults()[r.IntN(len(storetest.Faults()))]
			})
		})
	}
}

// removeWithFaults erases some entries of a log while steps go wrong, and returns how many did.
func removeWithFaults(t *testing.T, plan storetest.Plan) int {
	t.Helper()
	c, memory := newClock(), storetest.Memory()
	b := open(t, memory, quiet(c))
	before := record(t, b, "org_a", daybook.Request{Events: texts(0, 130)})
	settle(t, b)
	before = append(before, record(t, b, "org_a", daybook.Request{Events: texts(130, 30), Key: "k"})...)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	faulty := storetest.Faulty(memory, plan)
	faulty.Delay = time.Millisecond
	options := quiet(c)
	options.CommitTimeout = 20 * time.Millisecond
	b, err := daybook.Open(t.Context(), faulty, options)
	for n := 0; err != nil && n < 50; n++ {
		b, err = daybook.Open(t.Context(), faulty, options)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := daybook.EraseRequest{
		Org: "org_a", ID: "ers_01m7z7rs1affyad5cmxxj94a79", Text: "actor.id:usr_3", Whole: true, Reason: "r", By: officer,
	}
	for range 50 { // as whoever asks would do it: until it is known
		if _, err = b.Erase(t.Context(), r); err == nil {
			break
		}
		c.move(time.Second)
	}
	if err != nil {
		t.Errorf("erase: %v", err)
	}
	_ = b.Settle(t.Context()) // it may fail: what it left behind is checked below
	c.move(2 * time.Minute)
	_ = b.Settle(t.Context())
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	hits := faulty.Hits()
	b = open(t, memory.Reopen(), quiet(c))
	settle(t, b)
	x, err := b.Erasure(t.Context(), "org_a", r.ID)
	if err != nil || x.CompletedAt == 0 || x.Entries != 23 {
		t.Errorf("%+v, %v", x, err)
	}
	for i := range before {
		e, err := b.EntryAt(t.Context(), "org_a", int64(i))
		if err != nil {
			t.Fatal(err)
		}
		if gone := i%7 == 3; gone != (e.Removed == daybook.RemovedByErasure) || e.LeafHash != before[i].LeafHash || e.ID != before[i].ID {
			t.Fatalf("entry %d: %+v", i, e)
		}
	}
	if rs := record(t, b, "org_a", daybook.Request{Events: texts(130, 30), Key: "k"}); rs[0].Duplicate {
		t.Error("the key of an erased entry is still known")
	}
	verify(t, memory.Reopen())
	return hits
}
