package daybook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// What was erased through one process is soon shown by none, whatever the others had in memory.
func TestFleet_erased(t *testing.T) {
	t.Parallel()
	f := newFleet()
	bs := f.books(t, 2)
	for n := range 40 {
		record(t, bs[n%2], "org_a", daybook.Request{Events: [][]byte{fmt.Appendf(nil, `{"action":"note.written","actor":{"type":"user","id":"u%d"},"reason":"secret"}`, n%4)}})
	}
	if err := bs[0].Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	secrets := func(b *daybook.Book) (n int) {
		page, err := b.Search(t.Context(), daybook.EventQuery{Org: "org_a", Text: "secret", Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Entries {
			n += bytes.Count(page.Entries[i].Payload, []byte("secret"))
		}
		return n
	}
	for _, b := range bs {
		eventually(t, "both have all in memory", func() bool { return secrets(b) == 40 })
	}
	x, err := bs[1].Erase(t.Context(), daybook.EraseRequest{Org: "org_a", Actor: &daybook.Party{Type: "user", ID: "u1"}, Whole: true, Reason: "asked", By: officer})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range bs {
		eventually(t, "the erasure is carried out", func() bool {
			x, err := b.Erasure(t.Context(), "org_a", x.ID)
			return err == nil && x.CompletedAt != 0
		})
		if n := secrets(b); i == 1 && n != 30 {
			eventually(t, "nothing of it is in a cache", func() bool { return secrets(b) == 30 })
		}
	}
	eventually(t, "nothing of it is in the other cache", func() bool { return secrets(bs[0]) == 30 })
	f.check(t)
}

// A reason that was erased from a control entry is not kept in another process's memory of holds.
func TestFleet_erasedReason(t *testing.T) {
	t.Parallel()
	f := newFleet()
	bs := f.books(t, 2)
	record(t, bs[0], "org_a", daybook.Request{Events: texts(0, 3)})
	h, err := bs[0].PlaceHold(t.Context(), daybook.HoldRequest{Org: "org_a", Text: "actor:nobody", Reason: "about Jane", By: officer})
	if err != nil {
		t.Fatal(err)
	}
	reason := func(b *daybook.Book) string {
		h, err := b.Hold(t.Context(), "org_a", h.ID)
		if err != nil {
			return err.Error()
		}
		return h.Reason
	}
	eventually(t, "the hold is known", func() bool { return reason(bs[1]) == "about Jane" })
	if _, err := bs[0].Erase(t.Context(), daybook.EraseRequest{Org: "org_a", Text: "is:control", Paths: []string{"/reason"}, Reason: "asked", By: officer}); err != nil {
		t.Fatal(err)
	}
	for i, b := range bs {
		eventually(t, fmt.Sprintf("book %d forgets it", i), func() bool { return reason(b) == "" })
	}
}

// Two decisions that exclude each other, taken through two processes at once, are taken one after the other.
func TestFleet_decisions(t *testing.T) {
	t.Parallel()
	f := newFleet()
	bs := f.books(t, 2)
	for n := range 20 {
		org := daybook.OrgID(fmt.Sprint("org_", n))
		record(t, bs[0], org, daybook.Request{Events: texts(0, 20)})
		var both sync.WaitGroup
		var held, erased error
		both.Go(func() {
			_, held = bs[0].PlaceHold(t.Context(), daybook.HoldRequest{Org: org, Text: "", Reason: "case", By: officer})
		})
		both.Go(func() {
			_, erased = bs[1].Erase(daybook.Consistent(t.Context()), daybook.EraseRequest{Org: org, All: true, Whole: true, Reason: "asked", By: officer})
		})
		both.Wait()
		if held != nil || erased != nil && daybook.CodeOf(erased) != daybook.CodeConflict {
			t.Fatalf("hold: %v; erase: %v", held, erased)
		}
		xs, err := bs[1].Erasures(daybook.Consistent(t.Context()), org)
		if err != nil {
			t.Fatal(err)
		}
		holds, err := bs[1].Holds(daybook.Consistent(t.Context()), org)
		if err != nil || len(holds) != 1 {
			t.Fatalf("%d holds, %v", len(holds), err)
		}
		if first := len(xs) == 1 && xs[0].Seqs[0] < holds[0].Seq; first != (erased == nil) || len(xs) > 1 {
			t.Fatalf("erase was answered %v, and stands at %+v, the hold at %d", erased, xs, holds[0].Seq)
		}
	}
	rotated := make(chan error, 2)
	for _, b := range bs {
		go func() {
			_, err := b.RotateKey(daybook.Consistent(t.Context()), "org_0", officer)
			rotated <- err
		}()
	}
	a, b := <-rotated, <-rotated
	if (a == nil) == (b == nil) {
		t.Errorf("two rotations at once: %v and %v", a, b)
	}
	info, err := bs[0].LogInfo(daybook.Consistent(t.Context()), "org_0")
	if err != nil || len(info.Keys) != 2 {
		t.Errorf("the log has %d keys, %v", len(info.Keys), err)
	}
	f.check(t)
}

// An epoch that is begun through one process ends the log for all, at an entry that none of them has acknowledged beyond.
func TestFleet_epoch(t *testing.T) {
	t.Parallel()
	f := newFleet()
	bs := f.books(t, 3)
	var acknowledged atomic.Int64
	record(t, bs[0], "org_a", daybook.Request{Events: texts(0, 1)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers sync.WaitGroup
	for i, b := range bs[1:] {
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				res, err := b.RecordJSON(ctx, "org_a", daybook.Request{Events: texts(1000*i+n, 1)})
				if err != nil {
					if e, ok := errors.AsType[*daybook.Error](err); ctx.Err() == nil && (!ok || e.Rule != "log_frozen") {
						t.Error(err)
					}
					return
				}
				for at := res.Receipts[0].Seq; ; {
					old := acknowledged.Load()
					if old >= at || acknowledged.CompareAndSwap(old, at) {
						break
					}
				}
			}
		})
	}
	eventually(t, "entries come", func() bool { return acknowledged.Load() > 20 })
	if _, err := bs[0].NewEpoch(t.Context(), daybook.EpochRequest{Org: "org_a", Cause: daybook.CauseOther, Reason: "test", By: officer}); err != nil {
		t.Fatal(err)
	}
	cancel()
	writers.Wait()
	last := acknowledged.Load()
	for i, b := range bs {
		ctx := daybook.Consistent(t.Context())
		l, err := b.Log(ctx, "org_a", 0)
		if err != nil {
			t.Fatal(err)
		}
		old, err := l.Info(ctx)
		if err != nil || old.State != daybook.LogFrozen || old.Size <= last {
			t.Errorf("book %d: the first epoch is %+v, %v", i, old, err)
		}
		first, err := b.EntryAt(ctx, "org_a", 0)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Appendf(nil, `"size":%d,`, old.Size); first.Kind != daybook.KindControl || !bytes.Contains(first.Payload, want) {
			t.Errorf("book %d: the epoch begins with %s, and the last one has %d entries", i, first.Payload, old.Size)
		}
		record(t, b, "org_a", daybook.Request{Events: texts(5000+i, 1)})
	}
	f.check(t)
}

// An organization that is erased through one process is unknown to all, and one that is made anew is another.
func TestFleet_drop(t *testing.T) {
	t.Parallel()
	f := newFleet()
	bs := f.books(t, 2)
	for _, b := range bs {
		record(t, b, "org_a", daybook.Request{Events: texts(0, 20)})
		record(t, b, "org_b", daybook.Request{Events: texts(0, 5)})
	}
	if err := bs[1].DropOrg(t.Context(), daybook.DropRequest{Org: "org_a"}); err != nil {
		t.Fatal(err)
	}
	if err := bs[1].FinishDrop(t.Context(), "org_a"); err != nil {
		t.Fatal(err)
	}
	for i, b := range bs {
		eventually(t, fmt.Sprintf("book %d does not know it", i), func() bool {
			infos, err := b.Info(t.Context(), "org_a")
			return err == nil && !infos[0].Exists
		})
	}
	for i, b := range bs {
		if rs := record(t, b, "org_a", daybook.Request{Events: texts(i, 1)}); rs[0].Seq != int64(i) {
			t.Errorf("the new log has entry %d", rs[0].Seq)
		}
	}
	if n := sizeOf(t, bs[0], "org_b"); n != 10 {
		t.Errorf("the other log has %d entries", n)
	}
	f.check(t)
}

// Every process signs on demand, one anchors, and each proves with what the others have signed and anchored.
func TestFleet_signing(t *testing.T) {
	t.Parallel()
	f := newFleet()
	bs := f.books(t, 3)
	for n := range 30 {
		record(t, bs[n%3], "org_a", daybook.Request{Events: texts(n, 1)})
		var all sync.WaitGroup
		for _, b := range bs {
			all.Go(func() {
				if c, err := b.Checkpoint(daybook.Consistent(t.Context()), "org_a"); err != nil || c.Size != int64(n+1) {
					t.Errorf("the checkpoint after %d entries has size %d, %v", n+1, c.Size, err)
				}
			})
		}
		all.Wait()
	}
	for i, b := range bs {
		eventually(t, fmt.Sprintf("book %d shows the anchor", i), func() bool {
			l, err := b.Log(t.Context(), "org_a", daybook.NewestEpoch)
			if err != nil {
				t.Fatal(err)
			}
			a, err := l.Anchor(t.Context(), 30)
			return err == nil && a.Size == 30
		})
	}
	for _, b := range bs {
		frozen, err := b.FrozenLogs(t.Context())
		if err != nil || len(frozen) > 0 {
			t.Errorf("%+v is frozen, %v", frozen, err)
		}
	}
	f.check(t)
}

// Alone lets one process at a time work; whoever dies or sleeps is followed by another, and is told when it wakes.
func TestFleet_alone(t *testing.T) {
	t.Parallel()
	f := newFleet()
	const n = 3
	var nodes [n]*node
	var working [n]atomic.Bool
	var begun [n]atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range nodes {
		nodes[i] = newNode(f.MemoryStore)
		b := open(t, nodes[i], f.options(0))
		all.Go(func() {
			err := b.Alone(ctx, "work", func(ctx context.Context) error {
				begun[i].Add(1)
				working[i].Store(true)
				<-ctx.Done()
				working[i].Store(false)
				return ctx.Err()
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("book %d ended with %v", i, err)
			}
		})
	}
	who := func() (i, busy int) {
		for k := range working {
			if working[k].Load() {
				i, busy = k, busy+1
			}
		}
		return i, busy
	}
	eventually(t, "one works", func() bool { _, busy := who(); return busy == 1 })
	first, _ := who()
	goOn := nodes[first].stop()
	eventually(t, "another one works", func() bool { i, busy := who(); return busy == 1 && i != first })
	goOn()
	if holder := f.Holder("work"); holder == "" {
		t.Error("nobody has the lease")
	}
	cancel()
	all.Wait()
	if holder := f.Holder("work"); holder != "" {
		t.Errorf("%s has not given the lease back", holder)
	}
	total := int32(0)
	for i := range begun {
		total += begun[i].Load()
	}
	if total < 2 {
		t.Errorf("work began %d times", total)
	}
}

// Over a store of one process there is nobody to wait for.
func TestBook_alone(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Memory(), daybook.Options{})
	done := errors.New("done")
	if err := b.Alone(t.Context(), "work", func(context.Context) error { return done }); !errors.Is(err, done) {
		t.Errorf("got %v", err)
	}
}

// Whoever settles gets the merger's turn, however long another process has had it, and a Book that is closed gives it back at once.
func TestFleet_settle(t *testing.T) {
	t.Parallel()
	f := newFleet()
	bs := f.books(t, 3)
	for n := range 6 {
		record(t, bs[n%3], "org_a", daybook.Request{Events: texts(10*n, 10)})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		if err := bs[(n+1)%3].Settle(ctx); err != nil {
			t.Fatalf("settle %d: %v", n, err)
		}
		cancel()
		tail, err := f.Node().Tail(t.Context(), 0, 1<<60, 1)
		if err != nil || tail.Merged != tail.Last {
			t.Fatalf("after settling, commits through %d of %d are merged, %v", tail.Merged, tail.Last, err)
		}
	}
	for _, b := range bs {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"merge", "sign"} {
		if holder := f.Holder(name); holder != "" {
			t.Errorf("%s still has the lease %s", holder, name)
		}
	}
	f.check(t)
}

// Each call that only a fleet makes may fail, in every way, at any time.
func TestFleet_faults(t *testing.T) {
	t.Parallel()
	for _, step := range append(storetest.FleetSteps(), storetest.StepAppend, storetest.StepTail, storetest.StepReplace, storetest.StepHeads) {
		for _, fault := range storetest.Faults() {
			t.Run(fmt.Sprintf("%s %s", step, fault), func(t *testing.T) {
				t.Parallel()
				f := newFleet()
				other := f.book(t)
				faulty := storetest.FaultyFleet(f.Node(), func(s storetest.Step, n int) storetest.Fault {
					if s == step && n%3 == 0 {
						return fault
					}
					return storetest.None
				})
				faulty.Delay = 5 * time.Millisecond
				b, err := daybook.Open(t.Context(), faulty, f.options(0))
				for try := 0; err != nil && try < 20; try++ {
					b, err = daybook.Open(t.Context(), faulty, f.options(0))
				}
				if err != nil {
					t.Fatal(err)
				}
				h := storetest.NewHistory(storetest.Load{Seed: 1, Start: time.Now().UnixMicro(), Writers: 4, Orgs: 2})
				h.Fsck = f.fsck()
				var writers sync.WaitGroup
				for w := range h.Load.Writers {
					writers.Go(func() {
						by := b
						if w%2 == 0 {
							by = other
						}
						h.Load.Write(t.Context(), by, w, 0, 12, 30, func(a storetest.Answer) {
							if err := h.Add(a); err != nil {
								t.Error(err)
							}
						})
					})
				}
				writers.Wait()
				faulty.Heal()
				if err := h.Settle(t.Context(), b); err != nil {
					t.Error(err)
				}
				if err := b.Settle(t.Context()); err != nil {
					t.Error(err)
				}
				if err := errors.Join(b.Close(), other.Close()); err != nil {
					t.Error(err)
				}
				h.Check(t, f.Reopen())
			})
		}
	}
}
