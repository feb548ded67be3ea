package daybook_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// An erasure whose copies cannot be removed is overdue after a day, and no longer once it is carried out.
func TestOverdue(t *testing.T) {
	t.Parallel()
	c, s := newClock(), storetest.Memory()
	var stuck atomic.Bool
	stuck.Store(true)
	tried := make(chan bool, 100)
	o := quiet(c)
	o.Erased = func(context.Context, daybook.Erasure) error {
		defer func() { tried <- true }()
		if stuck.Load() {
			return errors.New("the file of an export cannot be deleted")
		}
		return nil
	}
	b := open(t, s, o)
	record(t, b, "org_a", daybook.Request{Events: [][]byte{person(0, "usr_1"), person(1, "usr_2")}})
	overdue := func(want int) {
		t.Helper()
		late, err := b.Overdue(t.Context(), 24*time.Hour)
		if err != nil || len(late) != want {
			t.Fatalf("%d are overdue, not %d: %+v, %v", len(late), want, late, err)
		}
	}
	overdue(0)
	x := erase(t, b, daybook.EraseRequest{Org: "org_a", Actor: &daybook.Party{Type: "user", ID: "usr_1"}})
	c.move(time.Second)
	<-tried
	overdue(0)
	c.move(24 * time.Hour)
	overdue(1)
	if late, err := b.Overdue(t.Context(), 24*time.Hour); err != nil || late[0].ID != x.ID || late[0].Org != "org_a" || late[0].Entries != 1 {
		t.Errorf("%+v, %v", late, err)
	}
	b = reopen(t, b, s, o) // a restart does not forget it
	<-tried
	overdue(1)
	stuck.Store(false)
	c.move(2 * time.Minute)
	settle(t, b)
	overdue(0)
}
