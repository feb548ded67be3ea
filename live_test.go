package daybook_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
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
	synctest.Test(t, func(t *testing.T) {
		b := open(t, storetest.Memory(), daybook.Options{})
		record(t, b, "org_a", daybook.Request{Events: texts(0, 10)})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		type at struct {
			step  daybook.Step
			after time.Duration
		}
		var got []at
		begin := time.Now()
		go func() {
			for step, err := range b.Follow(ctx, daybook.FollowQuery{Org: "org_a", Text: "actor.id:usr_3"}) {
				if err == nil {
					got = append(got, at{step, time.Since(begin)})
				}
			}
		}()
		time.Sleep(7 * time.Second) // of the bubble's clock: takes no time
		record(t, b, "org_a", daybook.Request{Events: texts(4, 6)})
		time.Sleep(7 * time.Second)
		synctest.Wait()
		want := []struct {
			entry    bool
			position int64
			after    time.Duration
		}{{true, 3, 0}, {false, 9, 5 * time.Second}, {false, 15, 10 * time.Second}}
		if len(got) != len(want) {
			t.Fatalf("%d steps, want %d: %+v", len(got), len(want), got)
		}
		for i, w := range want {
			if s := got[i]; (s.step.Entry != nil) != w.entry || s.step.Position != w.position || s.after != w.after {
				t.Errorf("step %d: %+v after %s, want %+v", i, s.step, s.after, w)
			}
		}
		cancel()
		synctest.Wait()
	})
}
