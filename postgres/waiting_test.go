package postgres_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
)

// mute is a store whose shard 0 does not tell what becomes of a commit, while it is to.
type mute struct {
	*postgres.Store
	muted atomic.Bool
	asked chan struct{} // one slot: it was asked meanwhile
}

func (m *mute) Append(ctx context.Context, c *daybook.Commit) error {
	if c.Shard == 0 && m.muted.Load() {
		select {
		case m.asked <- struct{}{}:
		default:
		}
		return daybook.ErrUnreachable
	}
	return m.Store.Append(ctx, c)
}

// orgOf returns an org of a shard of two.
func orgOf(shard int) daybook.OrgID {
	for n := 0; ; n++ {
		if org := daybook.OrgID(fmt.Sprint("org_", n)); daybook.ShardOf(org, 2) == shard {
			return org
		}
	}
}

// A shard that is held by a commit of unknown outcome holds up nothing of another: what other processes record there is seen, also by who
// reads consistently, and it is merged.
func TestBook_heldShard(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	m := &mute{Store: shut(t, openStore(t, schema, postgres.Options{Shards: 2})), asked: make(chan struct{}, 1)}
	var nodes [2]*daybook.Book
	for i, store := range []daybook.Store{m, shut(t, openStore(t, schema, postgres.Options{}))} {
		b, err := daybook.Open(t.Context(), store, daybook.Options{CommitTimeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		nodes[i] = b
	}
	record := func(b *daybook.Book, org daybook.OrgID) error {
		_, err := b.Record(t.Context(), org, daybook.Event{Action: "invoice.paid", Actor: daybook.Actor{Type: "user", ID: "u"}})
		return err
	}
	for shard := range 2 {
		if err := record(nodes[0], orgOf(shard)); err != nil {
			t.Fatal(err)
		}
	}
	m.muted.Store(true)
	held := make(chan error, 1)
	go func() { held <- record(nodes[0], orgOf(0)) }()
	for range 2 { // the second time it is known to be held
		<-m.asked
	}
	if err := record(nodes[1], orgOf(0)); err != nil { // what is to be followed in the shard that is held
		t.Fatal(err)
	}
	if err := record(nodes[1], orgOf(1)); err != nil {
		t.Fatal(err)
	}
	size := func(ctx context.Context, shard int) (int64, error) {
		info, err := nodes[0].Info(ctx, orgOf(shard))
		if err != nil {
			return 0, err
		}
		return info[0].Size, nil
	}
	if n, err := size(daybook.Consistent(t.Context()), 1); n != 2 || err != nil {
		t.Errorf("of the shard that is not held %d entries are seen, %v", n, err)
	}
	if _, err := size(daybook.Consistent(t.Context()), 0); daybook.CodeOf(err) != daybook.CodeOverloaded {
		t.Errorf("of the shard that is held: %v", err)
	}
	if n, err := size(t.Context(), 0); n != 1 || err != nil {
		t.Errorf("of the shard that is held, to be read as it is known: %d, %v", n, err)
	}
	if err := record(nodes[1], orgOf(1)); err != nil {
		t.Fatal(err)
	}
	until(t, func() error {
		if n, err := size(t.Context(), 1); n != 3 || err != nil {
			return fmt.Errorf("%d entries are seen, %w", n, err)
		}
		return nil
	})
	m.muted.Store(false)
	if err := <-held; err != nil {
		t.Error(err)
	}
	if n, err := size(daybook.Consistent(t.Context()), 0); n != 3 || err != nil {
		t.Errorf("in the end there are %d entries, %v", n, err)
	}
}
