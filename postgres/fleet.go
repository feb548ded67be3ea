package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/daybook-audit/daybook"
)

const (
	// watchEvery bounds how late Watch answers when no notice came: nobody listens behind a pooler, and a process that ends between its
	// commit and its notice sends none.
	watchEvery = 200 * time.Millisecond

	sqlPlaces = `SELECT s.shard, s.last, m.last FROM @shards s JOIN @moves m ON m.shard = s.shard`
	// One statement, so one moment. A log that moved and has no head is gone.
	sqlMoved = `SELECT m.last, u.log_no, h.log_no IS NOT NULL, h.org, h.epoch, h.log_id, h.packed, h.frontier, h.last_received, h.state, h.id_ahead, h.turn
		FROM @moves m LEFT JOIN @moved u ON u.shard = m.shard AND u.move > $2 LEFT JOIN @heads h ON h.log_no = u.log_no WHERE m.shard = $1`
	sqlMovedAll = `SELECT m.last, h.log_no, h.log_no IS NOT NULL, h.org, h.epoch, h.log_id, h.packed, h.frontier, h.last_received, h.state, h.id_ahead, h.turn
		FROM @moves m LEFT JOIN @heads h ON h.shard = m.shard WHERE m.shard = $1 AND $2 = 0`

	// One statement, by the server's clock. The row is not read before it is written, so that nobody comes between.
	sqlLease = `INSERT INTO @leases AS l (name, holder, until) VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE l.holder = excluded.holder OR l.until <= clock_timestamp()`
	sqlRelease = `DELETE FROM @leases WHERE name = $1 AND holder = $2`
)

// Watch implements [daybook.Fleet]: one statement for all shards, and then none until a notice comes or watchEvery has passed.
func (s *Store) Watch(ctx context.Context, seen []daybook.Place) ([]daybook.Place, error) {
	for {
		news := s.news.next()
		places := make([]daybook.Place, s.shards)
		var shard int
		var p daybook.Place
		err := s.rows(ctx, statement{text: sqlPlaces}, []any{&shard, &p.Last, &p.Moved}, func() error {
			if shard < 0 || shard >= len(places) {
				return fmt.Errorf("shard %d of %d", shard, len(places))
			}
			places[shard] = p
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("watch the shards: %w", err)
		}
		if !slices.Equal(places, seen) {
			return places, nil
		}
		timer := time.NewTimer(watchEvery)
		select {
		case <-news:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		timer.Stop()
	}
}

// Moved implements [daybook.Fleet].
func (s *Store) Moved(ctx context.Context, shard int, since int64) (heads []daybook.Head, now int64, err error) {
	if shard < 0 || shard >= s.shards {
		return nil, 0, fmt.Errorf("what moved in shard %d of %d", shard, s.shards)
	}
	text := sqlMoved
	if since == 0 {
		text = sqlMovedAll
	}
	var log *daybook.LogNo
	var there bool
	var row nullableHead
	err = s.rows(ctx, statement{everyOrg(), text, []any{shard, since}}, append([]any{&now, &log, &there}, row.into()...), func() error {
		switch {
		case log == nil:
			return nil
		case !there:
			heads = append(heads, daybook.Head{Log: *log})
			return nil
		}
		h, err := row.head(*log)
		heads = append(heads, h)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("what moved in shard %d: %w", shard, err)
	}
	return heads, now, nil
}

// nullableHead is where the head of an outer join is read into.
type nullableHead struct {
	org                     *daybook.OrgID
	epoch                   *int
	id, frontier            []byte
	packed, received, ahead *int64
	turn                    *int64
	state                   *daybook.LogState
}

func (n *nullableHead) into() []any {
	return []any{&n.org, &n.epoch, &n.id, &n.packed, &n.frontier, &n.received, &n.state, &n.ahead, &n.turn}
}

func (n *nullableHead) head(log daybook.LogNo) (daybook.Head, error) {
	row := headRow{id: n.id, frontier: n.frontier, Head: daybook.Head{
		Log: log, Org: *n.org, Epoch: *n.epoch, Packed: *n.packed, LastReceived: *n.received, State: *n.state, IDAhead: *n.ahead, Turn: *n.turn,
	}}
	return row.head()
}

// Lease implements [daybook.Fleet].
func (s *Store) Lease(ctx context.Context, name, holder string, ttl time.Duration) error {
	var err error
	if ttl <= 0 {
		_, err = s.exec(ctx, lazy, statement{text: sqlRelease, args: []any{name, holder}})
	} else {
		var n int64
		n, err = s.exec(ctx, lazy, statement{text: sqlLease, args: []any{name, holder, ttl.Seconds()}})
		if err == nil && n == 0 {
			err = daybook.ErrLeaseHeld
		}
	}
	if err != nil {
		return fmt.Errorf("lease %s: %w", name, err)
	}
	return nil
}
