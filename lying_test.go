package daybook_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// nightly says that the reliability tests run in their long sizes.
var nightly = os.Getenv("DAYBOOK_TEST_SIZE") == "nightly"

// TestLyingStore lets every step of a store go wrong in every way, and then verifies the whole log from stored bytes.
func TestLyingStore(t *testing.T) {
	t.Parallel()
	// A step is met at its first call, when a Book is opened, and later, in the middle of the load. Documents are none of the Book's,
	// epochs are begun by hand (TestNewEpoch), and what only a removal does is TestRemoval_faults'.
	for _, step := range storetest.Steps() {
		switch step {
		case storetest.StepGet, storetest.StepPut, storetest.StepDelete, storetest.StepDrop, storetest.StepScrub, storetest.StepEpoch,
			storetest.StepClose, storetest.StepDropLog:
			continue
		default:
		}
		for _, fault := range storetest.Faults() {
			for _, n := range []int{1, 4} {
				t.Run(fmt.Sprintf("%s %d %s", step, n, fault), func(t *testing.T) {
					t.Parallel()
					l := lie{load: load(uint64(n)), plan: storetest.Once(step, n, fault)}
					if faulty := l.run(t, storetest.Memory()); faulty.Hits() == 0 && n == 1 {
						t.Errorf("no call of %s went wrong: nothing was tested", step)
					}
				})
			}
		}
	}
	seeds := 12
	if nightly {
		seeds = 100 * len(storetest.Steps()) * len(storetest.Faults())
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("one call in eight, seed %d", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			faults := storetest.Faults()
			l := lie{load: load(seed), plan: func(storetest.Step, int) storetest.Fault {
				if r.IntN(8) > 0 {
					return storetest.None
				}
				return faults[r.IntN(len(faults))]
			}}
			if faulty := l.run(t, storetest.Memory()); faulty.Hits() == 0 {
				t.Error("nothing went wrong: nothing was tested")
			}
		})
	}
}

// A store that answers a commit and forgets it must be noticed: else TestLyingStore would notice nothing.
func TestLyingStore_notices(t *testing.T) {
	t.Parallel()
	l := lie{load: load(1), plan: storetest.Once(storetest.StepAppend, 2, storetest.Lost)}
	h, memory := storetest.NewHistory(l.load), storetest.Memory()
	b := open(t, storetest.Faulty(memory, l.plan), lyingOptions)
	l.write(t, b, h, 16)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, f := range h.Verify(t.Context(), memory.Reopen()) {
		if f.Invariant == "I1" {
			return
		}
	}
	t.Error("a lost commit was not noticed")
}

// Who was told that nobody knows has its events back: when the commit turns out not to have been written, they are not recorded later.
func TestLyingStore_givesBack(t *testing.T) {
	t.Parallel()
	memory := storetest.Memory()
	b := open(t, storetest.Faulty(memory, func(step storetest.Step, n int) storetest.Fault {
		switch {
		case step != storetest.StepAppend || n > 6:
			return storetest.None
		case n == 6:
			return storetest.Moved
		default:
			return storetest.NotPersisted
		}
	}), lyingOptions)
	mine := event(1, "")
	_, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: [][]byte{mine}})
	if !errors.Is(err, daybook.ErrUnknownOutcome) {
		t.Fatalf("got %v", err)
	}
	copy(mine, event(2, ""))
	res, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: [][]byte{event(3, "")}})
	for daybook.CodeOf(err) == daybook.CodeOverloaded { // who comes before the store answers is turned away
		res, err = b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: [][]byte{event(3, "")}})
	}
	if err != nil || res.Receipts[0].Seq != 0 {
		t.Errorf("an event that belongs to its caller again was recorded before %+v, %v", res, err)
	}
	verify(t, memory)
}

// late is a store whose commits are durable for a while before anybody is told.
type late struct {
	daybook.Store
	tell <-chan struct{}
}

func (l late) Append(ctx context.Context, c *daybook.Commit) error {
	err := l.Store.Append(ctx, c)
	<-l.tell
	return err
}

// A repeat that finds the key of a commit under way, before the commit was answered, is answered as a repeat.
func TestLyingStore_keyBeforeEntries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tell := make(chan struct{})
		b, err := daybook.Open(t.Context(), late{storetest.Memory(), tell}, daybook.Options{})
		if err != nil {
			t.Fatal(err)
		}
		request := daybook.Request{Events: texts(1, 2), Key: "once"}
		answers := make(chan daybook.Result, 2)
		for range 2 {
			go func() {
				res, err := b.RecordJSON(t.Context(), "org_a", request)
				if err != nil {
					t.Error(err)
				}
				answers <- res
			}()
			synctest.Wait() // the first is durable and not answered; then the second has looked
		}
		close(tell)
		first, second := <-answers, <-answers
		if len(first.Receipts) != 2 || len(second.Receipts) != 2 {
			t.Fatalf("%d and %d receipts", len(first.Receipts), len(second.Receipts))
		}
		if d := first.Receipts[0].Duplicate; d == second.Receipts[0].Duplicate || first.Receipts[1].Seq != second.Receipts[1].Seq {
			t.Errorf("got %+v and %+v", first.Receipts, second.Receipts)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// deaf is a store that does not answer for a while.
type deaf struct {
	daybook.Store
	down *atomic.Bool
}

func (d deaf) Append(ctx context.Context, c *daybook.Commit) error {
	if d.down.Load() {
		return daybook.ErrUnreachable
	}
	return d.Store.Append(ctx, c)
}

// Who waits behind a commit of unknown outcome is told in time too: nothing of theirs was recorded. When the store answers again, the
// commit is settled and recording goes on.
func TestLyingStore_waitersAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		b, err := daybook.Open(t.Context(), deaf{storetest.Memory(), &down}, daybook.Options{CommitTimeout: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		record(t, b, "org_a", daybook.Request{Events: texts(0, 1)})
		down.Store(true)
		begin := time.Now()
		answers := make([]error, 4)
		for round := range 2 { // the second one comes when the store has been deaf for long
			var calls sync.WaitGroup
			for i := range 2 {
				calls.Go(func() {
					_, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: texts(1+2*round+i, 1)})
					answers[2*round+i] = err
				})
				synctest.Wait() // the first of all is sent; the others wait behind it
			}
			calls.Wait()
		}
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("it took %s", took)
		}
		if !errors.Is(answers[0], daybook.ErrUnknownOutcome) {
			t.Errorf("what was sent: %v", answers[0])
		}
		for i, err := range answers[1:] {
			if daybook.CodeOf(err) != daybook.CodeOverloaded || errors.Is(err, daybook.ErrUnknownOutcome) {
				t.Errorf("call %d, which waited: %v", 1+i, err)
			}
		}
		down.Store(false)
		if rs := record(t, b, "org_a", daybook.Request{Events: texts(9, 1)}); rs[0].Seq != 2 {
			t.Errorf("the next event is entry %d: what was sent is entry 1, and nothing of who waited is there", rs[0].Seq)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// lyingOptions make the merger and the signer work all the time, and an unknown outcome known soon.
var lyingOptions = daybook.Options{
	TailEntries: 25, CommitTimeout: 200 * time.Millisecond,
	Origin: "audit.example.com", MasterKey: make([]byte, 32), HighWater: storetest.Marks(), SignEvery: time.Millisecond,
}

func load(seed uint64) storetest.Load {
	return storetest.Load{Seed: seed, Start: time.Now().UnixMicro(), Writers: 3, Orgs: 3}
}

// lie is one load against a store that goes wrong as planned.
type lie struct {
	load storetest.Load
	plan storetest.Plan
}

// run lets the load run and checks what became of it, in three steps: with the faults; with the same Book, when they have ended;
// with another Book, from the stored bytes.
func (l *lie) run(t *testing.T, memory *storetest.MemoryStore) *storetest.FaultyStore {
	t.Helper()
	h := storetest.NewHistory(l.load)
	faulty := storetest.Faulty(memory, l.plan)
	faulty.Delay = 5 * time.Millisecond
	b, err := daybook.Open(t.Context(), faulty, lyingOptions)
	for n := 0; err != nil && n < 50; n++ { // nothing was recorded yet, so nothing can be lost by a refusal to begin
		b, err = daybook.Open(t.Context(), faulty, lyingOptions)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.write(t, b, h, 16)
	_ = b.Settle(t.Context()) // it may fail: what it left behind is checked below
	l.write(t, b, h, 22)
	l.read(t, b)
	faulty.Heal()
	if err := h.Settle(t.Context(), b); err != nil {
		t.Errorf("after the faults: %v", err)
	}
	if err := b.Settle(t.Context()); err != nil {
		t.Errorf("merge after the faults: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	h.Check(t, memory.Reopen())
	if t.Failed() {
		t.Logf("%d calls acknowledged, %d steps went wrong", h.Acknowledged(), faulty.Hits())
	}
	return faulty
}

// write lets each writer go on until it has made call to−1.
func (l *lie) write(t *testing.T, b *daybook.Book, h *storetest.History, to int) {
	t.Helper()
	var writers sync.WaitGroup
	for w := range l.load.Writers {
		writers.Go(func() {
			l.load.Write(t.Context(), b, w, h.Next(w), to, 30, func(a storetest.Answer) {
				if err := h.Add(a); err != nil {
					t.Error(err)
				}
			})
		})
	}
	writers.Wait()
}

// read reads every log while steps go wrong: an error is an answer, another entry than the next is none.
func (l *lie) read(t *testing.T, b *daybook.Book) {
	t.Helper()
	for i := range l.load.Orgs {
		next := int64(0)
		for e, err := range b.Events(t.Context(), daybook.EventQuery{Org: daybook.OrgID(fmt.Sprintf("org_%d", i)), Asc: true}) {
			if err != nil {
				break
			}
			if e.Seq != next {
				t.Errorf("read entry %d instead of %d", e.Seq, next)
			}
			next++
		}
	}
}
