package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/daybook-audit/daybook"
)

const (
	sqlLockShard = `SELECT r_last, r_merged, r_signed, r_states, r_n, r_data FROM @lock_shard($1::smallint, $2, $3)`

	// nextRows is how many commits are read while others wait.
	nextRows = 16
	// nextIdle is how long a process that does not go on keeps others waiting: then the server ends its connection. One that was stopped in
	// the middle of a commit must not stop all.
	nextIdle = 500 * time.Millisecond
)

// AppendNext implements [daybook.Fleet]: one transaction of two round trips, in which the row of the shard is locked. The second one appends
// and commits; whatever breaks before it leaves nothing behind.
func (s *Store) AppendNext(ctx context.Context, shard int, after daybook.CommitNo, build func(newer daybook.Tail) (*daybook.Commit, error)) error {
	if s.readOnly {
		return fmt.Errorf("schema %s: %w", s.schema, ErrReadOnly)
	}
	if shard < 0 || shard >= s.shards {
		return fmt.Errorf("append to shard %d of %d", shard, s.shards)
	}
	var keys []daybook.Key
	var refused error // by build, in its own words
	err := s.call(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		defer undone(ctx, c)
		newer, err := s.lockShard(ctx, c, shard, after)
		if err != nil {
			return fmt.Errorf("lock shard %d: %w", shard, err)
		}
		var commit *daybook.Commit
		if commit, refused = build(newer); refused == nil && commit != nil {
			keys, refused = s.checked(commit)
		}
		if refused != nil || commit == nil {
			return nil
		}
		return s.appendLast(ctx, c, commit, keys)
	})
	switch {
	case refused != nil:
		return refused
	case state(err) == stateIdle: // it never saw the commit
		return fmt.Errorf("%w (%w)", daybook.ErrHeadMoved, err)
	case state(err) == stateKeysExist:
		return keysExist(err, keys)
	}
	return err
}

// lockShard begins a transaction that locks the shard, and reads what is newer than after.
func (s *Store) lockShard(ctx context.Context, c *pgxpool.Conn, shard int, after daybook.CommitNo) (newer daybook.Tail, err error) {
	more := []setting{{"idle_in_transaction_session_timeout", milliseconds(nextIdle)}}
	if s.pooled {
		more = append(more, setting{"synchronous_commit", "on"})
	}
	names, values := s.settings(setting{}, more...)
	var batch pgx.Batch
	batch.Queue("BEGIN")
	batch.Queue(sqlSettings, names, values)
	batch.Queue(s.sql(sqlLockShard), shard, int64(after), nextRows)
	results := c.SendBatch(ctx, &batch)
	defer func() {
		if closed := results.Close(); err == nil {
			err = closed
		}
	}()
	for range 2 {
		if _, err := results.Exec(); err != nil {
			return newer, err
		}
	}
	rows, err := results.Query()
	if err != nil {
		return newer, err
	}
	var n *daybook.CommitNo
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&newer.Last, &newer.Merged, &newer.Signed, &newer.States, &n, &data}, func() error {
		if n == nil {
			return nil
		}
		if next := after + daybook.CommitNo(len(newer.Rows)) + 1; *n != next {
			return fmt.Errorf("commit %d comes after %d: %w", *n, next-1, daybook.ErrTrimmed)
		}
		newer.Rows = append(newer.Rows, daybook.TailRow{N: *n, Bytes: data})
		return nil
	})
	return newer, err
}

// appendLast appends c and ends the transaction.
func (s *Store) appendLast(ctx context.Context, c *pgxpool.Conn, commit *daybook.Commit, keys []daybook.Key) (err error) {
	replicated(c.Conn().PgConn())
	var batch pgx.Batch
	batch.Queue(s.sql(sqlAppend), appendArgs(commit, keys)...)
	batch.Queue("COMMIT")
	results := c.SendBatch(ctx, &batch)
	_, err = results.Exec()
	if err == nil {
		_, err = results.Exec()
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	s.news.tell()
	if !replicated(c.Conn().PgConn()) {
		return errUnreplicated
	}
	return nil
}

// undone rolls back what c is in the middle of.
func undone(ctx context.Context, c *pgxpool.Conn) {
	if conn := c.Conn(); !conn.IsClosed() && conn.PgConn().TxStatus() != 'I' {
		_, _ = conn.Exec(ctx, "ROLLBACK") // a connection that cannot is not used again
	}
}
