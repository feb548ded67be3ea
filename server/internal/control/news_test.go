package control_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

// TestNews: what one node tells, another hears with the first request that comes half a second later, and not before it must; without any
// news it hears after a minute.
func TestNews(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	clock := func() time.Time { return time.UnixMicro(now.Load()) }
	pass := func(d time.Duration) { now.Add(d.Microseconds()) }
	pass(time.Hour)
	docs := &countedGets{Documents: storetest.Memory()}
	heard := 0
	var fault error
	news := control.NewNews(docs, clock, func(context.Context) error {
		if fault == nil {
			heard++
		}
		return fault
	})
	heed := func(want int, reads int64) {
		t.Helper()
		before := docs.n.Load()
		if err := news.Heed(t.Context()); !errors.Is(err, fault) {
			t.Fatalf("heed: %v, want %v", err, fault)
		}
		if heard != want || docs.n.Load()-before != reads {
			t.Errorf("heard %d times, want %d; %d reads, want %d", heard, want, docs.n.Load()-before, reads)
		}
	}
	keys := control.NewKeys(docs.Documents, clock)
	tell := func() { // revoking a key tells the other nodes
		t.Helper()
		k, _, err := keys.Create(t.Context(), control.NewKey{Scopes: []string{"read"}})
		if err == nil {
			_, err = keys.Revoke(t.Context(), k.ID, func(*control.Key) bool { return true })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	heed(1, 1) // the first time there may be anything
	heed(1, 0)
	tell()
	heed(1, 0)
	pass(500 * time.Millisecond)
	heed(2, 1)
	heed(2, 0)
	pass(500 * time.Millisecond)
	heed(2, 1)
	pass(time.Minute)
	heed(3, 1)
	tell()
	pass(time.Second)
	fault = errors.New("it cannot be read")
	heed(3, 1)
	heed(3, 1) // nothing is believed before it is heard
	fault = nil
	heed(4, 1)
	docs.broken.Store(true) // while nobody can be asked, what is known holds on
	tell()
	pass(time.Second)
	heed(4, 1)
	heed(4, 0)
	docs.broken.Store(false)
	pass(time.Second)
	heed(5, 1)
	var none *control.News
	if err := none.Heed(t.Context()); err != nil {
		t.Error(err)
	}
}

// countedGets counts reads, and fails them on demand.
type countedGets struct {
	daybook.Documents
	n      atomic.Int64
	broken atomic.Bool
}

func (c *countedGets) Get(ctx context.Context, kind string, org daybook.OrgID, id string) (daybook.Document, error) {
	c.n.Add(1)
	if c.broken.Load() {
		return daybook.Document{}, errors.New("the database is away")
	}
	return c.Documents.Get(ctx, kind, org, id)
}

// TestEraser_sync: an organization that one node erases is neither made nor used by another as soon as it has heard of that, and is
// another one afterwards. What waited to be recorded about it is not.
func TestEraser_sync(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	docs := storetest.Memory()
	book := &dropped{}
	node := func() (*control.Orgs, *control.Eraser, *[]daybook.OrgID) {
		orgs := control.NewOrgs(docs, time.Now)
		var silent []daybook.OrgID
		return orgs, &control.Eraser{
			Erasures: control.NewOrgErasures(docs, time.Now), Orgs: orgs, Docs: docs, Book: book, Now: time.Now, Shared: true,
			Logger: slog.New(slog.DiscardHandler), Silence: func(org daybook.OrgID) { silent = append(silent, org) },
		}, &silent
	}
	orgsA, eraserA, _ := node()
	orgsB, eraserB, silentB := node()
	defer eraserA.Close()
	defer eraserB.Close()
	exists := func(orgs *control.Orgs, want bool) {
		t.Helper()
		if got, err := orgs.Exists(ctx, "org_acme"); got != want || err != nil {
			t.Errorf("exists: %v, %v; want %v", got, err, want)
		}
	}
	sync := func() {
		t.Helper()
		if err := eraserB.Sync(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := orgsB.Ensure(ctx, "org_acme"); err != nil {
		t.Fatal(err)
	}
	exists(orgsA, true)
	x, err := eraserA.Erasures.Add(ctx, control.OrgErasure{Org: "org_acme", Reason: "r"}, false)
	if err != nil {
		t.Fatal(err)
	}
	sync()
	exists(orgsB, false)
	if err := orgsB.Ensure(ctx, "org_acme"); daybook.CodeOf(err) != daybook.CodeConflict {
		t.Errorf("it was made while it is erased: %v", err)
	}
	if len(*silentB) != 1 || (*silentB)[0] != "org_acme" {
		t.Errorf("silent: %v", *silentB)
	}
	if _, err := eraserA.Begin(ctx, x); err != nil {
		t.Fatal(err)
	}
	for x.Pending() {
		if x, err = eraserA.Erasures.Get(ctx, x.ID); err != nil {
			t.Fatal(err)
		}
	}
	sync()
	exists(orgsB, false)
	if err := orgsB.Ensure(ctx, "org_acme"); err != nil {
		t.Errorf("another one of this name: %v", err)
	}
	exists(orgsA, true)
	// What a node that has ended left, another one carries out when it is its turn.
	if x, err = eraserA.Erasures.Add(ctx, control.OrgErasure{Org: "org_globex", Reason: "r"}, false); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(eraserB.Resume(ctx), eraserB.Round(ctx)); err != nil {
		t.Fatal(err)
	}
	if x, err = eraserB.Erasures.Get(ctx, x.ID); err != nil || !x.Pending() {
		t.Fatalf("it was taken from a node that may still be there: %+v, %v", x, err)
	}
	eraserB.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	if err := eraserB.Round(ctx); err != nil {
		t.Fatal(err)
	}
	for x.Pending() {
		if x, err = eraserB.Erasures.Get(ctx, x.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// dropped is a Book of which everything is gone.
type dropped struct{}

func (dropped) DropOrg(ctx context.Context, r daybook.DropRequest) error { return r.HandOver(ctx, nil) }
func (dropped) FinishDrop(context.Context, daybook.OrgID) error          { return nil }

// silent is a store that says nothing to who wants to read a document.
type silent struct {
	daybook.Documents
	asked atomic.Int64
}

func (s *silent) Get(ctx context.Context, _ string, _ daybook.OrgID, _ string) (daybook.Document, error) {
	s.asked.Add(1)
	<-ctx.Done()
	return daybook.Document{}, ctx.Err()
}

// While the store says nothing one asks it, not one after the other, and what is remembered holds on; when what there is cannot be heard,
// those who waited have failed with who asked.
func TestNews_together(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		docs := &silent{Documents: storetest.Memory()}
		news := control.NewNews(docs, time.Now, func(context.Context) error { return nil })
		var fault error
		broken := control.NewNews(storetest.Memory(), time.Now, func(context.Context) error {
			docs.asked.Add(1)
			<-time.After(time.Second)
			return fault
		})
		fault = errors.New("it cannot be heard")
		for n, want := range map[*control.News]error{news: nil, broken: fault} {
			docs.asked.Store(0)
			begin := time.Now()
			var calls sync.WaitGroup
			for range 20 {
				calls.Go(func() {
					if err := n.Heed(context.Background()); !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
				})
				<-time.After(10 * time.Millisecond)
			}
			calls.Wait()
			if took := time.Since(begin); took > 3*time.Second || docs.asked.Load() != 1 {
				t.Errorf("20 calls took %s, and the store was asked %d times", took, docs.asked.Load())
			}
		}
	})
}
