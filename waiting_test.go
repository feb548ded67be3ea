package daybook_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// answering is a store whose Append is answered by a test, which may hand it on.
type answering struct {
	daybook.Store
	append func(ctx context.Context, c *daybook.Commit) error
}

func (a *answering) Append(ctx context.Context, c *daybook.Commit) error { return a.append(ctx, c) }

// Two requests go into one commit, of unknown outcome for so long that both were told. Then the store says that it was not written, since
// it knows the key of one: the other has its events back, and they are not recorded behind its back.
func TestWaiting_toldIsNotRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := storetest.Memory()
		first, go1 := make(chan struct{}), make(chan struct{})
		store := &answering{Store: memory}
		calls := 0
		store.append = func(ctx context.Context, c *daybook.Commit) error {
			switch calls++; {
			case calls == 1:
				close(first)
				<-go1
			case c.Prev == 1 && c.Entries == 2 && calls < 20:
				return daybook.ErrUnreachable
			case c.Prev == 1 && c.Entries == 2 && len(c.Keys) == 1:
				return &daybook.KeyExistsError{Keys: []daybook.KeyRef{c.Keys[0].KeyRef}}
			}
			return memory.Append(ctx, c)
		}
		b := open(t, store, daybook.Options{CommitTimeout: time.Second})
		var requests sync.WaitGroup
		requests.Go(func() { record(t, b, "org_a", daybook.Request{Events: texts(0, 1)}) })
		<-first
		for i, key := range []string{"once", ""} {
			requests.Go(func() {
				_, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: texts(1+i, 1), Key: key})
				if !errors.Is(err, daybook.ErrUnknownOutcome) {
					t.Errorf("request %d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		close(go1)
		requests.Wait()
		<-time.After(5 * time.Second) // by then the store has answered
		if rs := record(t, b, "org_a", daybook.Request{Events: texts(9, 1)}); rs[0].Seq != 1 {
			t.Errorf("the next event is entry %d: something was recorded whose caller has it back", rs[0].Seq)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// request records one event in the background. The answer is there when the caller is told.
func request(t *testing.T, b *daybook.Book, org daybook.OrgID, n int) <-chan error {
	answer := make(chan error, 1)
	go func() {
		_, err := b.RecordJSON(context.Background(), org, daybook.Request{Events: texts(n, 1)})
		answer <- err
	}()
	synctest.Wait()
	return answer
}

// A store that says nothing at all holds nobody for longer than CommitTimeout: neither who was sent, nor who waits, nor who comes, nor who
// asks for a checkpoint. When it speaks again, everything goes on.
func TestWaiting_silence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory, silent := storetest.Memory(), make(chan struct{})
		store := &answering{Store: memory}
		store.append = func(ctx context.Context, c *daybook.Commit) error {
			if c.Prev > 0 {
				<-silent
			}
			return memory.Append(ctx, c)
		}
		o := lyingOptions
		o.CommitTimeout, o.SignEvery = 3*time.Second, time.Hour
		b := open(t, store, o)
		record(t, b, "org_a", daybook.Request{Events: texts(0, 1)})
		begin := time.Now()
		sent, waits := request(t, b, "org_a", 1), request(t, b, "org_a", 2)
		checkpoint := make(chan error, 1)
		go func() {
			_, err := b.Checkpoint(context.Background(), "org_a")
			checkpoint <- err
		}()
		if err := <-sent; !errors.Is(err, daybook.ErrUnknownOutcome) {
			t.Errorf("what was sent: %v", err)
		}
		for what, answer := range map[string]<-chan error{"who waits": waits, "who comes": request(t, b, "org_a", 3), "who asks for a checkpoint": checkpoint} {
			if err := <-answer; daybook.CodeOf(err) != daybook.CodeOverloaded {
				t.Errorf("%s: %v", what, err)
			}
		}
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("it took %s", took)
		}
		close(silent)
		synctest.Wait()
		if rs := record(t, b, "org_a", daybook.Request{Events: texts(9, 1)}); rs[0].Seq != 2 {
			t.Errorf("the next event is entry %d: what was sent is entry 1", rs[0].Seq)
		}
		if c, err := b.Checkpoint(t.Context(), "org_a"); err != nil || c.Size != 3 {
			t.Errorf("size %d, %v", c.Size, err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// unmergeable is a store in which nothing can be merged.
type unmergeable struct {
	daybook.Store
	mended *atomic.Bool
}

func (u unmergeable) Replace(ctx context.Context, swaps []daybook.Swap) error {
	if !u.mended.Load() {
		return storetest.ErrFault
	}
	return u.Store.Replace(ctx, swaps)
}

// While nothing can be merged the tail fills up, and then nobody waits for room that does not come.
func TestWaiting_noRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		b := open(t, unmergeable{storetest.Memory(), &mended}, daybook.Options{TailBytes: 8 << 10, CommitTimeout: 3 * time.Second})
		var err error
		n := 0
		for begin := time.Now(); err == nil && n < 1000; n++ {
			begin = time.Now()
			_, err = b.RecordJSON(context.Background(), "org_a", daybook.Request{Events: texts(n, 1)})
			if took := time.Since(begin); took > 4*time.Second {
				t.Errorf("event %d: %v after %s", n, err, took)
			}
		}
		if daybook.CodeOf(err) != daybook.CodeOverloaded {
			t.Fatalf("event %d: %v", n, err)
		}
		if err := <-request(t, b, "org_a", n); daybook.CodeOf(err) != daybook.CodeOverloaded {
			t.Errorf("who comes: %v", err)
		}
		mended.Store(true)
		<-time.After(time.Minute) // the merger tries again
		record(t, b, "org_a", daybook.Request{Events: texts(n, 1)})
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A Book that is closed while its store does not answer asks it no more than once: whoever waits is refused.
func TestWaiting_close(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const slow = 10 * time.Second // as long as a connection that is half open is waited for
		store := &answering{Store: storetest.Memory()}
		calls := 0
		store.append = func(context.Context, *daybook.Commit) error {
			calls++
			<-time.After(slow)
			return daybook.ErrUnreachable
		}
		b := open(t, store, daybook.Options{})
		large := make([][]byte, 100)
		for i := range large {
			large[i] = event(i, `"metadata":{"x":"`+strings.Repeat("x", 60<<10)+`"},`)
		}
		var answers [4]error
		var requests sync.WaitGroup
		for i := range answers {
			requests.Go(func() {
				_, answers[i] = b.RecordJSON(context.Background(), "org_a", daybook.Request{Events: large})
			})
			synctest.Wait()
		}
		begin := time.Now()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		requests.Wait()
		if took := time.Since(begin); calls != 1 || took > slow+time.Second {
			t.Errorf("it took %s and %d calls", took, calls)
		}
		if !errors.Is(answers[0], daybook.ErrUnknownOutcome) {
			t.Errorf("what was sent: %v", answers[0])
		}
		for i, err := range answers[1:] {
			if daybook.CodeOf(err) != daybook.CodeUnavailable || errors.Is(err, daybook.ErrUnknownOutcome) {
				t.Errorf("request %d, which waited: %v", 1+i, err)
			}
		}
	})
}
