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
