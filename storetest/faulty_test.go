package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// Without a fault a faulty store keeps every promise.
func TestFaulty_transparent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	stores := map[testing.TB]*storetest.MemoryStore{}
	storetest.Run(t, func(tb testing.TB) daybook.Store {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if stores[tb] == nil {
			stores[tb] = storetest.Memory()
		} else {
			stores[tb] = stores[tb].Reopen()
		}
		return storetest.Faulty(stores[tb], func(storetest.Step, int) storetest.Fault { return storetest.None })
	})
}

// writes changes a store in one step; each changes what state says.
var writes = map[storetest.Step]func(context.Context, *storetest.FaultyStore) error{
	storetest.StepAppend: func(ctx context.Context, s *storetest.FaultyStore) error {
		return s.Append(ctx, &daybook.Commit{Bytes: make([]byte, 24)})
	},
	storetest.StepReplace: func(ctx context.Context, s *storetest.FaultyStore) error {
		return s.Replace(ctx, []daybook.Swap{{Log: 1, Slips: []daybook.Slip{{Bytes: []byte("slip")}}}})
	},
	storetest.StepTrim: func(ctx context.Context, s *storetest.FaultyStore) error {
		return s.Trim(ctx, 0, 0, 100)
	},
	storetest.StepPut: func(ctx context.Context, s *storetest.FaultyStore) error {
		_, err := s.Put(ctx, daybook.Document{Kind: "new", ID: "id"})
		return err
	},
	storetest.StepDelete: func(ctx context.Context, s *storetest.FaultyStore) error {
		return s.Delete(ctx, "old", "", "id", 1)
	},
}

// state says what the writes above change.
func state(t *testing.T, s *storetest.MemoryStore) string {
	t.Helper()
	ctx := t.Context()
	tail, err := s.Tail(ctx, 0, 0, 1<<20)
	keys, err1 := s.Keys(ctx, []daybook.KeyRef{{Log: 1}})
	slips := 0
	for _, err := range s.Slips(ctx, 1, daybook.SlipKey{}, daybook.SlipKey{Kind: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		slips++
	}
	added, err2 := s.List(ctx, "new", "", "", 10)
	old, err3 := s.List(ctx, "old", "", "", 10)
	if err := errors.Join(err, err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(tail.Last, len(keys), slips, len(added), len(old))
}

func TestFaulty(t *testing.T) {
	t.Parallel()
	for step, write := range writes {
		for _, fault := range append(storetest.Faults(), storetest.None, storetest.Lost) {
			t.Run(fmt.Sprintf("%s/%s", step, fault), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ctx := t.Context()
					m := storetest.Memory()
					if _, err := m.Heads(ctx, []daybook.OrgID{"org"}, true); err != nil {
						t.Fatal(err)
					}
					if _, err := m.Put(ctx, daybook.Document{Kind: "old", ID: "id"}); err != nil {
						t.Fatal(err)
					}
					s := storetest.Faulty(m, storetest.Once(step, 1, fault))
					if step == storetest.StepTrim { // a key for it to drop, and room for the commit that brings it
						c := &daybook.Commit{Bytes: make([]byte, 24), Keys: []daybook.Key{{KeyRef: daybook.KeyRef{Log: 1}, Expires: 50}}}
						if err := m.Append(ctx, c); err != nil {
							t.Fatal(err)
						}
					}
					before, start := state(t, m), time.Now()
					err := write(ctx, s)
					done := state(t, m) != before
					wantDone := fault == storetest.Persisted || fault == storetest.Slow || fault == storetest.None
					wantErr := !wantDone && fault != storetest.Lost || fault == storetest.Persisted
					if done != wantDone || (err != nil) != wantErr {
						t.Errorf("done %t, error %v", done, err)
					}
					if late := time.Since(start) > 0; late != (fault == storetest.Slow) {
						t.Errorf("late: %t", late)
					}
					wantHits := 1
					if fault == storetest.None {
						wantHits = 0
					}
					if s.Hits() != wantHits {
						t.Errorf("%d hits", s.Hits())
					}
				})
			})
		}
	}
}

func TestFaulty_listing_breaks_off_after_the_first(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	m := storetest.Memory()
	hs, err := m.Heads(ctx, []daybook.OrgID{"org"}, true)
	if err != nil {
		t.Fatal(err)
	}
	slips := []daybook.Slip{{Bytes: []byte("a")}, {SlipKey: daybook.SlipKey{B: 1}, Bytes: []byte("b")}}
	if err := m.Replace(ctx, []daybook.Swap{{Log: hs[0].Log, Slips: slips}}); err != nil {
		t.Fatal(err)
	}
	s := storetest.Faulty(m, storetest.Once(storetest.StepSlips, 2, storetest.NotPersisted))
	list := func() (got []string) {
		for slip, err := range s.Slips(ctx, 1, daybook.SlipKey{}, daybook.SlipKey{Kind: 1}) {
			if err != nil {
				if !errors.Is(err, storetest.ErrFault) {
					t.Error(err)
				}
				return append(got, "fault")
			}
			got = append(got, string(slip.Bytes))
		}
		return got
	}
	got := [][]string{list(), list(), list()}
	if d := cmp.Diff([][]string{{"a", "b"}, {"a", "fault"}, {"a", "b"}}, got); d != "" {
		t.Error(d)
	}
	s.Heal()
}
