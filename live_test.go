package daybook_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

func TestFollow(t *testing.T) {
	t.Parallel()
	t.Run("gives every entry once and in order while others record and merge", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		b := open(t, storetest.Memory(), quiet(c))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 700)})
		settle(t, b)
		record(t, b, "org_a", daybook.Request{Events: texts(0, 100)})
		const recorders, batches, each = 3, 40, 5
		var group sync.WaitGroup
		for range recorders {
			group.Go(func() {
				for i := range batches {
					if _, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: texts(i, each)}); err != nil {
						t.Error(err)
					}
					if i%16 == 0 {
						if err := b.Settle(t.Context()); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		const total = 800 + recorders*batches*each
		next := int64(5)
		for step, err := range b.Follow(t.Context(), daybook.FollowQuery{Org: "org_a", From: next}) {
			if err != nil {
				t.Fatal(err)
			}
			if step.Entry == nil {
				continue
			}
			if step.Entry.Seq != next || step.Position != next || step.Size <= next {
				t.Fatalf("entry %d at %d of %d, want %d", step.Entry.Seq, step.Position, step.Size, next)
			}
			if next++; next == total {
				break
			}
		}
		group.Wait()
	})
	t.Run("begins at the head, waits for a log, and ends with its context", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), quiet(newClock()))
		record(t, b, "org_a", daybook.Request{Events: texts(0, 3)})
		gone := errors.New("gone")
		for _, org := range []daybook.OrgID{"org_a", "org_new"} {
			ctx, cancel := context.WithCancelCause(t.Context())
			steps, ended := make(chan daybook.Step), make(chan error, 1)
			go func() {
				var last error
				for step, err := range b.Follow(ctx, daybook.FollowQuery{Org: org, From: daybook.FollowHead}) {
					if last = err; err == nil {
						steps <- step
					}
				}
				ended <- last
			}()
			// The follower may begin before or after an entry is recorded: record until it gives one.
			for i := 0; ; i++ {
				record(t, b, org, daybook.Request{Events: texts(i, 1)})
				select {
				case step := <-steps:
					if org == "org_a" && step.Entry.Seq < 3 {
						t.Errorf("entry %d was there before", step.Entry.Seq)
					}
				default:
					continue
				}
				break
			}
			cancel(gone)
			for done := false; !done; {
				select {
				case <-steps:
				case err := <-ended:
					if done = true; !errors.Is(err, gone) {
						t.Errorf("ended with %v", err)
					}
				}
			}
		}
	})
	t.Run("a wrong query ends it", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), quiet(newClock()))
		for _, err := range b.Follow(t.Context(), daybook.FollowQuery{Org: "org_a", Text: "actr:ada"}) {
			if daybook.CodeOf(err) != daybook.CodeInvalid {
				t.Errorf("error %v", err)
			}
		}
	})
}

func TestFollowPosition(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Memory(), quiet(newClock()))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 10)}) // usr_3 is the fourth
	follow := func(every time.Duration) func(yield func(daybook.Step, error) bool) {
		return b.Follow(t.Context(), daybook.FollowQuery{Org: "org_a", Text: "actor.id:usr_3", Every: every})
	}
	t.Run("a gap is told", func(t *testing.T) {
		var steps []daybook.Step
		for step, err := range follow(time.Millisecond) {
			if err != nil {
				t.Fatal(err)
			}
			if steps = append(steps, step); len(steps) == 2 {
				break
			}
		}
		if steps[0].Entry == nil || steps[0].Position != 3 || steps[1].Entry != nil || steps[1].Position != 9 || steps[1].Size != 10 {
			t.Errorf("steps %+v", steps)
		}
	})
	t.Run("but not before it is time", func(t *testing.T) {
		n := 0
		for step, err := range follow(time.Hour) {
			if err != nil || step.Entry == nil {
				t.Fatalf("step %+v, error %v", step, err)
			}
			if n++; n == 2 {
				break
			}
			record(t, b, "org_a", daybook.Request{Events: texts(4, 7)})
		}
	})
}
