package daybook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// unreliable is a store whose nth Replace or Trim fails.
type unreliable struct {
	*storetest.MemoryStore
	calls, failAt int
	written       bool // the failing call writes all the same
}

var errUnreliable = errors.New("unreliable store")

func (u *unreliable) call(f func() error) error {
	u.calls++
	if u.calls != u.failAt {
		return f()
	}
	if u.written {
		if err := f(); err != nil {
			return err
		}
	}
	return errUnreliable
}

func (u *unreliable) Replace(ctx context.Context, swaps []daybook.Swap) error {
	return u.call(func() error { return u.MemoryStore.Replace(ctx, swaps) })
}

func (u *unreliable) Trim(ctx context.Context, shard int, through daybook.CommitNo, now int64) error {
	return u.call(func() error { return u.MemoryStore.Trim(ctx, shard, through, now) })
}

func TestMerge(t *testing.T) {
	t.Parallel()
	t.Run("every entry is in blocks, in order, and can be found", func(t *testing.T) {
		t.Parallel()
		for seed := range uint64(3) {
			s := storetest.Memory()
			b := open(t, s, daybook.Options{})
			w := newWriter(seed)
			for round := range 30 {
				w.record(t, b, daybook.OrgID(fmt.Sprintf("org_%d", w.rng.IntN(3))), 1+w.rng.IntN(1<<w.rng.IntN(9)))
				switch w.rng.IntN(6) {
				case 0, 1, 2:
					if err := b.MergeTail(t.Context()); err != nil {
						t.Fatal(err)
					}
				case 3:
					if err := b.Settle(t.Context()); err != nil {
						t.Fatal(err)
					}
				case 4:
					if err := b.Close(); err != nil {
						t.Fatal(err)
					}
					b = open(t, s, daybook.Options{})
				}
				if round%5 == 0 {
					w.check(t, b, s, false)
				}
			}
			if err := b.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			if w.check(t, b, s, true) == 0 {
				t.Error("nothing is in blocks")
			}
			verify(t, s)
			st := b.Stats()
			if st.TailEntries != 0 || st.TailBytes != 0 || st.MergeDebt != 0 || st.Merged != st.Commits {
				t.Errorf("settled: %+v", st)
			}
		}
	})
	t.Run("a failure at any step leaves what the next attempt or the next start continues from", func(t *testing.T) {
		t.Parallel()
		for mode := range 4 {
			for failAt := 1; ; failAt += 1 + failAt/8 { // all of the first, then some
				u := &unreliable{MemoryStore: storetest.Memory(), failAt: failAt, written: mode&1 == 1}
				restart := mode&2 == 2
				w := newWriter(7)
				b := open(t, u, daybook.Options{})
				for range 6 {
					w.record(t, b, "org_0", 1+w.rng.IntN(250))
					w.record(t, b, "org_1", 1+w.rng.IntN(5))
					err := b.MergeTail(t.Context())
					if err == nil && w.rng.IntN(6) == 0 {
						err = b.Settle(t.Context())
					}
					if err != nil && !errors.Is(err, errUnreliable) {
						t.Fatalf("call %d failing: %v", failAt, err)
					}
					if err != nil {
						w.check(t, b, u, false)
					}
					if err != nil && restart {
						if err := b.Close(); err != nil {
							t.Fatal(err)
						}
						b = open(t, u, daybook.Options{})
					}
				}
				if err := b.Settle(t.Context()); err != nil && !errors.Is(err, errUnreliable) {
					t.Fatal(err)
				}
				if err := b.Settle(t.Context()); err != nil {
					t.Fatalf("call %d failed, written %t: %v", failAt, u.written, err)
				}
				w.check(t, b, u, true)
				if t.Failed() {
					t.Fatalf("call %d failed, written %t, restart %t", failAt, u.written, restart)
				}
				if u.calls < failAt {
					if failAt < 10 {
						t.Errorf("only %d calls were made", u.calls)
					}
					break
				}
			}
		}
	})
	t.Run("a window of large events has several blocks", func(t *testing.T) {
		t.Parallel()
		s := storetest.Memory()
		b := open(t, s, daybook.Options{Now: stopped})
		w := newWriter(1)
		for i := range 40 {
			text := fmt.Appendf(nil, `{"action":"a.b","actor":{"type":"user","id":"u"},"targets":[{"type":"t","id":"1"}],"reason":"%s"}`, bytes.Repeat([]byte("x"), 150<<10))
			for _, rc := range record(t, b, "org_a", daybook.Request{Events: [][]byte{text}}) {
				w.logs["org_a"] = append(w.logs["org_a"], logged{text, rc})
			}
			if i%15 == 14 {
				if err := b.MergeTail(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.record(t, b, "org_a", daybook.WindowSize-40)
		if err := b.MergeTail(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b.Stats().MergeDebt != daybook.WindowSize {
			t.Errorf("the window was finished in pieces, debt %d", b.Stats().MergeDebt)
		}
		if err := b.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := 0
		for m, err := range s.Blocks(t.Context(), daybook.BlockQuery{Log: 1, To: daybook.WindowSize}) {
			if err != nil || m.Raw > 2<<20 || m.State != daybook.StateWhole {
				t.Errorf("block %d: %d bytes, state %d, %v", m.First, m.Raw, m.State, err)
			}
			n++
		}
		if n < 3 || n > 6 || b.Stats().MergeDebt != 0 {
			t.Errorf("%d blocks, debt %d", n, b.Stats().MergeDebt)
		}
	})
	t.Run("the debt of an earlier process is found", func(t *testing.T) {
		t.Parallel()
		s := storetest.Memory()
		w := newWriter(3)
		b := open(t, s, daybook.Options{Now: stopped}) // by this clock it is never quiet
		for range 30 {
			w.record(t, b, "org_a", 100)
			if err := b.MergeTail(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		verify(t, s)
		if b.Stats().MergeDebt == 0 {
			t.Error("no debt was made")
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = open(t, s, daybook.Options{})
		if err := b.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.check(t, b, s, true)
	})
	t.Run("a block that cannot be read stops nothing else", func(t *testing.T) {
		t.Parallel()
		s := &damagedBlock{MemoryStore: storetest.Memory(), first: 3}
		b := open(t, s, daybook.Options{})
		w := newWriter(4)
		for range 20 { // pieces of one entry, of which the eighth is merged with those before
			w.record(t, b, "org_a", 1)
			if err := b.MergeTail(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.record(t, b, "org_a", 600)
		w.record(t, b, "org_b", 10)
		if err := b.Settle(t.Context()); daybook.CodeOf(err) != daybook.CodeTampered {
			t.Errorf("settle: %v", err)
		}
		if err := b.Settle(t.Context()); err != nil {
			t.Errorf("settle again: %v", err)
		}
		s.first = -1
		if got := w.check(t, b, s, false); got != 630 {
			t.Errorf("%d entries are in blocks", got)
		}
	})
	t.Run("the commits of a frozen log are kept", func(t *testing.T) {
		t.Parallel()
		s := storetest.Memory()
		w := newWriter(5)
		b := open(t, s, daybook.Options{})
		w.record(t, b, "org_a", 3)
		if err := b.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.record(t, b, "org_a", 4)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = open(t, &wrongHead{s}, daybook.Options{})
		w.record(t, b, "org_b", 5)
		if err := b.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.check(t, b, s, false); got != 3+5 {
			t.Errorf("%d entries are in blocks", got)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = open(t, s, daybook.Options{})
		if err := b.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.check(t, b, s, true)
	})
}

// stopped is a clock.
func stopped() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// damagedBlock is a store whose block from first on cannot be read.
type damagedBlock struct {
	*storetest.MemoryStore
	first int64
}

func (d *damagedBlock) Read(ctx context.Context, log daybook.LogNo, refs []daybook.BlockRef) ([][]byte, error) {
	rows, err := d.MemoryStore.Read(ctx, log, refs)
	for i := range rows {
		if log == 1 && refs[i].First == d.first {
			rows[i][len(rows[i])/2] ^= 1
		}
	}
	return rows, err
}

// brokenStore is a store that cannot sync blocks.
type brokenStore struct{ *storetest.MemoryStore }

func (b *brokenStore) Replace(context.Context, []daybook.Swap) error {
	return fmt.Errorf("replace: %w", daybook.ErrBroken)
}

// wrongHead is a store whose head of log 1 is not that of its entries.
type wrongHead struct{ *storetest.MemoryStore }

func (w *wrongHead) LogHeads(ctx context.Context, logs []daybook.LogNo) ([]daybook.Head, error) {
	heads, err := w.MemoryStore.LogHeads(ctx, logs)
	for i := range heads {
		if heads[i].Log == 1 {
			heads[i].Frontier[0][0] ^= 1
		}
	}
	return heads, err
}

func TestMergerRun(t *testing.T) {
	t.Parallel()
	merged := func(b *daybook.Book) bool { return b.Stats().TailEntries == 0 }
	t.Run("it merges at so many entries", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := storetest.Memory()
			b := open(t, s, daybook.Options{TailEntries: 100})
			w := newWriter(1)
			w.record(t, b, "org_a", 99)
			synctest.Wait()
			if merged(b) {
				t.Error("99 entries are merged")
			}
			w.record(t, b, "org_a", 1)
			synctest.Wait()
			if !merged(b) || w.check(t, b, s, false) != 100 {
				t.Error("100 entries are not merged")
			}
		})
	})
	t.Run("it merges at so many bytes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := storetest.Memory()
			b := open(t, s, daybook.Options{TailBytes: 10 << 10})
			w := newWriter(1)
			w.record(t, b, "org_a", 1)
			synctest.Wait()
			if merged(b) {
				t.Error("one entry is merged")
			}
			w.record(t, b, "org_a", 100)
			synctest.Wait()
			if !merged(b) {
				t.Error("100 entries are not merged")
			}
		})
	})
	t.Run("it merges when the oldest is old, and works off the debt when it is quiet", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := storetest.Memory()
			b := open(t, s, daybook.Options{TailAge: time.Minute})
			w := newWriter(1)
			for range 2 {
				w.record(t, b, "org_a", 300)
				time.Sleep(time.Minute - time.Millisecond)
				synctest.Wait()
				if merged(b) {
					t.Error("young entries are merged")
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if !merged(b) {
					t.Error("old entries are not merged")
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if b.Stats().MergeDebt != 0 {
				t.Errorf("debt %d", b.Stats().MergeDebt)
			}
			w.check(t, b, s, true)
		})
	})
	t.Run("a store that is broken ends the Book", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := open(t, &brokenStore{storetest.Memory()}, daybook.Options{TailEntries: 10})
			newWriter(1).record(t, b, "org_a", 10)
			select {
			case <-b.Broken():
			case <-time.After(time.Minute):
				t.Error("nobody is told")
			}
		})
	})
	t.Run("it tries again after a failure", func(t *testing.T) {
		t.Parallel()
		for _, written := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				u := &unreliable{MemoryStore: storetest.Memory(), failAt: 1, written: written}
				var log bytes.Buffer
				b := open(t, u, daybook.Options{TailEntries: 10, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				w := newWriter(1)
				w.record(t, b, "org_a", 10)
				synctest.Wait()
				if merged(b) {
					t.Error("merged by a call that failed")
				}
				if bytes.Count(log.Bytes(), []byte("\n")) != 1 || !bytes.Contains(log.Bytes(), []byte(errUnreliable.Error())) {
					t.Errorf("the failure is logged as:\n%s", log.Bytes())
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if !merged(b) {
					t.Error("not merged by the next attempt")
				}
				w.check(t, b, u, true)
			})
		}
	})
}

// oneByOne is a store whose Replace waits to be let.
type oneByOne struct {
	*storetest.MemoryStore
	let chan struct{}
}

func (o *oneByOne) Replace(ctx context.Context, swaps []daybook.Swap) error {
	select {
	case <-o.let:
	case <-ctx.Done():
		return ctx.Err()
	}
	return o.MemoryStore.Replace(ctx, swaps)
}

// Who records more than can be merged waits for each piece of the merger's work, not for all of it.
func TestMerger_room(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tail, logs = 64 << 10, 80
		s := &oneByOne{storetest.Memory(), make(chan struct{})}
		b := open(t, s, daybook.Options{TailBytes: tail, CommitTimeout: time.Hour})
		w := newWriter(1)
		var recorded atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 8 * logs {
				w.record(t, b, daybook.OrgID(fmt.Sprintf("org_%d", i%logs)), 3)
				recorded.Add(1)
			}
		}()
		pieces := 0
		for before := int64(0); ; pieces++ {
			time.Sleep(time.Minute) // however long
			synctest.Wait()
			now := recorded.Load()
			if st := b.Stats(); st.TailBytes > 3*tail+tail/2 {
				t.Errorf("a tail of %d bytes", st.TailBytes)
			}
			if now == 8*logs {
				break
			}
			if pieces > 0 && now == before {
				t.Fatalf("%d requests were recorded before piece %d of the merger's work, and none after", now, pieces)
			}
			before = now
			s.let <- struct{}{}
		}
		if pieces < 10 {
			t.Errorf("the merger made room in %d pieces", pieces)
		}
		close(s.let)
		<-done
		if err := b.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.check(t, b, s.MemoryStore, true)
	})
}
