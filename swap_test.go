package daybook_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// swapping is a store in which every other block is swapped between its listing and its reading.
type swapping struct {
	daybook.Store
	reads atomic.Int64
}

func (s *swapping) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	if s.reads.Add(1)%2 == 1 {
		return nil, fmt.Errorf("block %d: %w", refs[0].First, daybook.ErrNotExist)
	}
	return s.Store.Read(ctx, log, refs)
}

func TestSearchSwapped(t *testing.T) {
	t.Parallel()
	store := storetest.Memory()
	o := &oracle{t: t, b: open(t, store, quiet(newClock())), org: "org_a"}
	for i := range 30 {
		o.record(strings.Split(strings.Repeat(string(event(i, ""))+"\n", 99)+string(event(i, "")), "\n")...)
	}
	settle(t, o.b)
	options := quiet(newClock())
	options.CacheBytes = 1 // nothing stays
	swapped := &swapping{Store: store}
	o.b = open(t, swapped, options)
	for _, q := range []daybook.EventQuery{{}, {Asc: true}, {Order: daybook.OrderOccurred}, {Order: daybook.OrderOccurred, Asc: true}, {Text: "actor.id:usr_3"}} {
		q.Org = o.org
		before := swapped.reads.Load()
		var got []daybook.Entry
		for e, err := range o.b.Events(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
		}
		o.compare(fmt.Sprintf("%+v", q), got, o.find(q, len(o.entries)))
		if n := swapped.reads.Load() - before; n < 10 {
			t.Errorf("%d reads: nothing was swapped", n)
		}
	}
	for _, i := range []int64{0, 1700, 2999} {
		byID, err := o.b.Entry(t.Context(), o.org, o.entries[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		bySeq, err := o.b.EntryAt(t.Context(), o.org, i)
		if err != nil {
			t.Fatal(err)
		}
		o.compare("look-ups", []daybook.Entry{byID, bySeq}, []known{o.entries[i], o.entries[i]})
	}
}

// gated is a store that reads a block only when it is let.
type gated struct {
	daybook.Store
	entered, let chan struct{}
}

func (s *gated) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	s.entered <- struct{}{}
	select {
	case <-s.let:
		return s.Store.Read(ctx, log, refs)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func TestSearchLimits(t *testing.T) {
	t.Parallel()
	store := storetest.Memory()
	b := open(t, store, quiet(newClock()))
	record(t, b, "org_a", daybook.Request{Events: texts(0, 10)})
	settle(t, b)
	gate := &gated{Store: store, entered: make(chan struct{}), let: make(chan struct{})}
	b = open(t, gate, quiet(newClock()))
	record(t, b, "org_b", daybook.Request{Events: texts(0, 10)})
	var group sync.WaitGroup
	search := func(ctx context.Context, org daybook.OrgID) error {
		page, err := b.Search(ctx, daybook.EventQuery{Org: org})
		if err == nil && len(page.Entries) != 10 {
			return fmt.Errorf("%d entries", len(page.Entries))
		}
		return err
	}
	for range 4 {
		group.Go(func() {
			if err := search(t.Context(), "org_a"); err != nil {
				t.Error(err)
			}
		})
	}
	for range 4 {
		<-gate.entered // all four are reading
	}
	if err := search(t.Context(), "org_b"); err != nil {
		t.Errorf("another org: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	fifth := make(chan error)
	go func() { fifth <- search(ctx, "org_a") }()
	select {
	case <-gate.entered:
		t.Fatal("a fifth search reads")
	case err := <-fifth:
		t.Fatalf("a fifth search was answered: %v", err)
	default:
		cancel(gone)
	}
	if err := <-fifth; !errors.Is(err, gone) {
		t.Errorf("the fifth: %v", err)
	}
	close(gate.let)
	group.Wait()
}

func TestSearchHeld(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Memory(), quiet(newClock()))
	large := event(0, `"reason":"`+strings.Repeat("x", 250_000)+`",`)
	const entries = 150 // more than 32 MiB
	for i := range entries {
		record(t, b, "org_a", daybook.Request{Events: [][]byte{large}})
		if i == 100 {
			settle(t, b)
		}
	}
	for _, order := range []daybook.Order{daybook.OrderLog, daybook.OrderOccurred} {
		q := daybook.EventQuery{Org: "org_a", Order: order, Limit: 1000}
		var pages []int
		for next := int64(entries - 1); ; {
			page, err := b.Search(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page.Entries {
				if page.Entries[i].Seq != next {
					t.Fatalf("entry %d, want %d", page.Entries[i].Seq, next)
				}
				next--
			}
			pages = append(pages, len(page.Entries))
			if page.NextCursor == "" {
				break
			}
			if page.Searched.Complete || page.Searched.Reason != daybook.ReasonSize {
				t.Fatalf("searched %+v", page.Searched)
			}
			q.Cursor = page.NextCursor
		}
		if len(pages) != 2 || pages[0]+pages[1] != entries {
			t.Errorf("pages of %v entries", pages)
		}
	}
}

func TestSearchWhileMerging(t *testing.T) {
	t.Parallel()
	c := newClock()
	options := quiet(c)
	options.TailEntries, options.CacheBytes = 300, 64<<10 // the merger is always at work, and the cache small
	b := open(t, storetest.Memory(), options)
	var recorded atomic.Int64
	var group sync.WaitGroup
	group.Go(func() {
		for i := range 60 {
			record(t, b, "org_a", daybook.Request{Events: texts(i, 70)})
			recorded.Add(70)
		}
	})
	for _, q := range []daybook.EventQuery{{}, {Asc: true}, {Order: daybook.OrderOccurred, Asc: true}, {Text: "has:action -missing"}} {
		q.Org = "org_a"
		group.Go(func() {
			for done := false; !done; {
				done = recorded.Load() == 60*70
				checkWhole(t, b, q, recorded.Load())
			}
		})
	}
	group.Wait()
}

// checkWhole fails unless q finds every entry, at least so many, and the counts agree.
func checkWhole(t *testing.T, b *daybook.Book, q daybook.EventQuery, atLeast int64) {
	t.Helper()
	seen := map[int64]bool{}
	for e, err := range b.Events(t.Context(), q) {
		if err != nil {
			t.Error(err)
			return
		}
		if seen[e.Seq] {
			t.Errorf("%+v: entry %d twice", q, e.Seq)
		}
		seen[e.Seq] = true
	}
	size := int64(len(seen))
	for seq := range size {
		if !seen[seq] {
			t.Errorf("%+v: %d entries without %d", q, size, seq)
			return
		}
	}
	h, err := b.Histogram(t.Context(), daybook.HistogramQuery{EventQuery: q})
	if err != nil {
		t.Error(err)
		return
	}
	counted := int64(0)
	for _, bar := range h.Bars {
		counted += bar.Total
	}
	if size < atLeast || counted < size || size > 0 && !h.Searched.Complete {
		t.Errorf("%+v: %d entries and %d counted, want %d", q, size, counted, atLeast)
	}
}
