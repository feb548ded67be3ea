package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
)

// shut closes a store at the end of the test.
func shut(tb testing.TB, s *postgres.Store) *postgres.Store {
	tb.Helper()
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// commitOf returns a commit that follows prev, with size bytes.
func commitOf(shard int, prev daybook.CommitNo, size int) *daybook.Commit {
	c := &daybook.Commit{Shard: shard, Prev: prev, At: 1, Entries: 1, Raw: size, Bytes: make([]byte, max(size, 24))}
	rand.Read(c.Bytes)
	copy(c.ID[:], c.Bytes[8:24])
	return c
}

func appendTo(tb testing.TB, s *postgres.Store, shard int, prev daybook.CommitNo) {
	tb.Helper()
	if err := s.Append(tb.Context(), commitOf(shard, prev, 100)); err != nil {
		tb.Fatal(err)
	}
}

func headOf(tb testing.TB, s *postgres.Store, org daybook.OrgID) daybook.Head {
	tb.Helper()
	heads, err := s.Heads(tb.Context(), []daybook.OrgID{org}, true)
	if err != nil {
		tb.Fatal(err)
	}
	return heads[0]
}

func watch(tb testing.TB, s *postgres.Store, seen []daybook.Place) []daybook.Place {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 3*time.Minute)
	defer cancel()
	places, err := s.Watch(ctx, seen)
	if err != nil {
		tb.Fatal(err)
	}
	return places
}

func TestWatch(t *testing.T) {
	t.Parallel()
	for name, pooled := range map[string]bool{"by notices": false, "by looking, behind a pooler": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema := newSchema(t)
			writer := shut(t, openStore(t, schema, postgres.Options{Shards: 3}))
			reader := shut(t, openStore(t, schema, postgres.Options{Pooled: pooled}))
			log := headOf(t, writer, "org")
			seen := watch(t, reader, nil)
			if !slices.Equal(seen, make([]daybook.Place, 3)) {
				t.Fatalf("an empty store stands at %+v", seen)
			}
			appendTo(t, writer, 1, 0)
			if seen = watch(t, reader, seen); !slices.Equal(seen, []daybook.Place{{}, {Last: 1}, {}}) {
				t.Fatalf("after an append: %+v", seen)
			}
			moved := make(chan []daybook.Place)
			go func() {
				places, err := reader.Watch(t.Context(), seen)
				if err != nil {
					t.Error(err)
				}
				moved <- places
			}()
			next, err := writer.NewEpoch(t.Context(), log.Log)
			if err != nil {
				t.Fatal(err)
			}
			places := <-moved
			grown := int64(0)
			for i := range places {
				grown += places[i].Moved - seen[i].Moved
			}
			if grown != 1 {
				t.Errorf("after an epoch: %+v, before %+v", places, seen)
			}
			for shard := range places {
				heads, now, err := reader.Moved(t.Context(), shard, seen[shard].Moved)
				if err != nil || now != places[shard].Moved {
					t.Errorf("%d, %v", now, err)
				}
				if now > seen[shard].Moved && (len(heads) != 2 || heads[0].Log != log.Log || heads[1].Log != next.Log) {
					t.Errorf("%+v", heads)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := reader.Watch(ctx, places); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("nothing happened: %v", err)
			}
		})
	}
}

// What one process writes another hears of, over a connection that it makes again when it breaks.
func TestWatch_hears(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	writer := shut(t, openStore(t, schema, postgres.Options{Shards: 1}))
	reader := shut(t, openStore(t, schema, postgres.Options{}))
	c := connect(t, schema)
	prev := daybook.CommitNo(0)
	for range 3 {
		deadline := time.After(3 * time.Minute)
		for heard := false; !heard; prev++ {
			news := postgres.Heard(reader)
			appendTo(t, writer, 0, prev)
			select {
			case <-news:
				heard = true
			case <-time.After(300 * time.Millisecond): // it does not listen yet
			case <-deadline:
				t.Fatal("nothing was heard")
			}
		}
		run(t, c, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN "' || $1 || ' daybook"'`, schema)
	}
}

// An append does not wait for a Replace, however long that takes.
func TestMoved_holdsNoAppendUp(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	s := shut(t, openStore(t, schema, postgres.Options{Shards: 1}))
	log := headOf(t, s, "org")
	tx, err := connect(t, schema).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT move(0::smallint, ARRAY[$1::bigint])", log.Log); err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, 0, 0)
	if places := watch(t, s, nil); places[0] != (daybook.Place{Last: 1}) {
		t.Errorf("before the move: %+v", places)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if places := watch(t, s, nil); places[0] != (daybook.Place{Last: 1, Moved: 1}) {
		t.Errorf("after the move: %+v", places)
	}
}

// Moved names what changed since a mark, whatever changed it, and what is gone for ever.
func TestMoved(t *testing.T) {
	t.Parallel()
	s := shut(t, openStore(t, newSchema(t), postgres.Options{Shards: 1}))
	a, b, c := headOf(t, s, "a"), headOf(t, s, "b"), headOf(t, s, "c")
	mark := int64(0)
	moved := func(want ...daybook.Head) {
		t.Helper()
		heads, now, err := s.Moved(t.Context(), 0, mark)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(heads, func(a, b daybook.Head) int { return int(a.Log - b.Log) })
		if len(heads) != len(want) {
			t.Fatalf("%+v since %d, want %+v", heads, mark, want)
		}
		for i := range want {
			if g, w := heads[i], want[i]; g.Log != w.Log || g.Org != w.Org || g.State != w.State || g.Packed != w.Packed || len(g.Frontier) != len(w.Frontier) {
				t.Errorf("%+v since %d, want %+v", g, mark, w)
			}
		}
		mark = now
	}
	moved(a, b, c)
	mark = 0 // names all, also when nothing moved
	fold := a
	fold.Packed = 3
	block := daybook.Block{BlockMeta: daybook.BlockMeta{BlockRef: daybook.BlockRef{Gen: 1}, N: 3}, Bytes: []byte("block")}
	if err := s.Replace(t.Context(), []daybook.Swap{{Log: a.Log, In: []daybook.Block{block}, Fold: &fold}}); err != nil {
		t.Fatal(err)
	}
	moved(fold, b, c)
	moved()
	next, err := s.NewEpoch(t.Context(), b.Log)
	if err != nil {
		t.Fatal(err)
	}
	b.State = daybook.LogFrozen
	moved(b, next)
	if err := s.CloseLogs(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	b.State, next.State = daybook.LogClosed, daybook.LogClosed
	moved(b, next)
	if err := s.CloseLogs(t.Context(), "b"); err != nil { // changes nothing
		t.Fatal(err)
	}
	moved()
	for gone := false; !gone; {
		if gone, err = s.DropLog(t.Context(), b.Log); err != nil {
			t.Fatal(err)
		}
	}
	moved(daybook.Head{Log: b.Log})
	mark = 1
	moved(daybook.Head{Log: b.Log}, next)
	mark = 0
	moved(fold, c, next)
}

// A commit made before an epoch began, or a log was closed, is not taken after.
func TestAppend_states(t *testing.T) {
	t.Parallel()
	s := shut(t, openStore(t, newSchema(t), postgres.Options{Shards: 1}))
	log := headOf(t, s, "org")
	states := func() int64 {
		t.Helper()
		tail, err := s.Tail(t.Context(), 0, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		return tail.States
	}
	appendTo(t, s, 0, 0)
	for i, change := range []func() error{
		func() error { _, err := s.NewEpoch(t.Context(), log.Log); return err },
		func() error { return s.CloseLogs(t.Context(), "org") },
	} {
		old := commitOf(0, daybook.CommitNo(i+1), 100)
		old.States = states()
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if err := s.Append(t.Context(), old); !errors.Is(err, daybook.ErrHeadMoved) {
			t.Fatalf("change %d: %v", i, err)
		}
		if old.States = states(); old.States != int64(i+1) {
			t.Fatalf("%d states after %d changes", old.States, i+1)
		}
		for range 2 { // and again, as after an unknown outcome
			if err := s.Append(t.Context(), old); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	a := shut(t, openStore(t, schema, postgres.Options{Shards: 1}))
	b := shut(t, openStore(t, schema, postgres.Options{}))
	take := func(s *postgres.Store, name, holder string, ttl time.Duration, want error) {
		t.Helper()
		if err := s.Lease(t.Context(), name, holder, ttl); !errors.Is(err, want) {
			t.Fatalf("%s by %s: %v, want %v", name, holder, err, want)
		}
	}
	take(a, "merge", "a", time.Hour, nil)
	take(a, "merge", "a", time.Hour, nil)
	take(b, "merge", "b", time.Hour, daybook.ErrLeaseHeld)
	take(b, "merge", "b", 0, nil) // of another: not given back
	take(b, "merge", "b", time.Hour, daybook.ErrLeaseHeld)
	take(b, "sign", "b", time.Hour, nil)
	take(a, "merge", "a", 0, nil)
	take(a, "merge", "a", 0, nil)
	take(b, "merge", "b", time.Hour, nil)
	run(t, connect(t, schema), "UPDATE leases SET until = clock_timestamp() - interval '1 second' WHERE name = 'merge'") // it ended
	take(a, "merge", "a", time.Millisecond, nil)
	for deadline := time.Now().Add(20 * time.Second); ; {
		err := b.Lease(t.Context(), "merge", "b", time.Hour)
		if err == nil {
			break
		}
		if !errors.Is(err, daybook.ErrLeaseHeld) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	// Of many that want one, one gets it.
	won := make(chan error, 8)
	for i := range 8 {
		go func() { won <- []*postgres.Store{a, b}[i%2].Lease(t.Context(), "one", rand.Text(), time.Hour) }()
	}
	got := 0
	for range 8 {
		if err := <-won; err == nil {
			got++
		} else if !errors.Is(err, daybook.ErrLeaseHeld) {
			t.Error(err)
		}
	}
	if got != 1 {
		t.Errorf("%d of 8 got the lease", got)
	}
}
