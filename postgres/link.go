package postgres

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// link is a pool of connections to one schema of one database: what a Store and a HighWater share.
type link struct {
	logger   *slog.Logger
	schema   string
	timeout  time.Duration
	readOnly bool
	pooled   bool // a pooler may give each transaction another connection
	walled   bool // row security binds our role
	url      string
	password func() (string, error) // nil: it is in the address, or where libpq looks for it
	gate     gate
	pool     *pgxpool.Pool
	reading  chan struct{} // one place for each connection that reads may take; the others are for writes
	texts    sync.Map      // statement as written here → as sent, with the schema's name

	calls  sync.RWMutex // held for reading by every call, for writing by Close
	closed bool
}

// sql returns text with the schema's name in the place of every @.
func (l *link) sql(text string) string {
	if known, ok := l.texts.Load(text); ok {
		sent, _ := known.(string)
		return sent
	}
	sent := strings.ReplaceAll(text, "@", pgx.Identifier{l.schema}.Sanitize()+".")
	l.texts.Store(text, sent)
	return sent
}

// close waits for running calls and closes all connections. A second one does nothing.
func (l *link) close() {
	l.calls.Lock()
	defer l.calls.Unlock()
	if !l.closed {
		l.closed = true
		l.pool.Close()
	}
}

// call runs f with a connection. The end of ctx ends the wait for one, and nothing that was sent: f's statements get a context of
// their own, bounded by the timeout of the options.
func (l *link) call(ctx context.Context, f func(ctx context.Context, c *pgxpool.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.calls.RLock()
	defer l.calls.RUnlock()
	if l.closed {
		return fmt.Errorf("schema %s: %w", l.schema, fs.ErrClosed)
	}
	waiting, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	c, err := l.pool.Acquire(waiting)
	if err != nil {
		err = explained(err)
		if waiting.Err() == nil {
			l.gate.failed()
			err = unreachable{err}
		}
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer c.Release()
	sent, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
	defer cancel()
	err = f(sent, c)
	if err != nil && c.Conn().IsClosed() {
		err = unreachable{err}
	}
	return meaning(err)
}

// A setting holds for the statements of one call, inside their transaction.
type setting struct{ name, value string }

// sqlSettings never turns synchronous_commit down to on: remote_apply may be set, and promises more.
const sqlSettings = `SELECT set_config(u.name, CASE WHEN u.name = 'synchronous_commit' AND u.value = 'on' AND current_setting(u.name) <> 'off'
	THEN current_setting(u.name) ELSE u.value END, true) FROM unnest($1::text[], $2::text[]) AS u(name, value)`

// With a pooler between, a session's settings are whoever's had it before: they come with each transaction.
func (l *link) settings(wall setting, more ...setting) (names, values []string) {
	if l.walled && wall.name != "" {
		more = append(more, wall)
	}
	if l.pooled {
		more = append(more, setting{"statement_timeout", milliseconds(l.timeout * 9 / 10)}, setting{"lock_timeout", milliseconds(l.timeout / 2)})
	}
	for _, s := range more {
		names, values = append(names, s.name), append(values, s.value)
	}
	return names, values
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }

// statement is one statement that is sent in one round trip, and is a transaction of its own together with its settings.
type statement struct {
	wall setting // what of the store it may see, if row security binds our role
	text string
	args []any
}

// rows runs a statement that reads: it ends with ctx. each is called with the columns of every row in into.
func (l *link) rows(ctx context.Context, q statement, into []any, each func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	select {
	case l.reading <- struct{}{}:
		defer func() { <-l.reading }()
	case <-waiting.Done():
		return fmt.Errorf("wait for one of %d connections that read: %w", cap(l.reading), waiting.Err())
	}
	return l.call(ctx, func(_ context.Context, c *pgxpool.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, l.timeout)
		defer cancel()
		return l.run(ctx, c, q, nil, func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, into, each)
			return err
		})
	})
}

// run sends a statement with its settings, and gives its rows to f.
func (l *link) run(ctx context.Context, c *pgxpool.Conn, q statement, more []setting, f func(rows pgx.Rows) error) (err error) {
	names, values := l.settings(q.wall, more...)
	if len(names) == 0 {
		rows, err := c.Query(ctx, l.sql(q.text), q.args...)
		if err != nil {
			return err
		}
		return f(rows)
	}
	var batch pgx.Batch
	batch.Queue(sqlSettings, names, values)
	batch.Queue(l.sql(q.text), q.args...)
	results := c.SendBatch(ctx, &batch)
	defer func() {
		if closed := results.Close(); err == nil {
			err = closed
		}
	}()
	if _, err := results.Exec(); err != nil {
		return err
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	return f(rows)
}

// durability says whether a write waits for its own fsync. A lazy one does not: the write-ahead log is one stream, and what a later
// append syncs contains it.
type durability bool

const (
	durable durability = true
	lazy    durability = false
)

// write runs one statement that writes, in a transaction of its own: it is sent once and not interrupted. It returns how many rows it
// changed or returned; each, if not nil, is called with the columns of every row in into.
func (l *link) write(ctx context.Context, d durability, q statement, into []any, each func() error) (changed int64, err error) {
	if l.readOnly {
		return 0, fmt.Errorf("schema %s: %w", l.schema, ErrReadOnly)
	}
	err = l.call(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		var more []setting
		switch {
		case d == lazy:
			more = []setting{{"synchronous_commit", "off"}}
		case l.pooled:
			more = []setting{{"synchronous_commit", "on"}}
		}
		replicated(c.Conn().PgConn())
		err := l.run(ctx, c, q, more, func(rows pgx.Rows) error {
			if each == nil {
				rows.Close()
				changed = rows.CommandTag().RowsAffected()
				return rows.Err()
			}
			tag, err := pgx.ForEachRow(rows, into, each)
			changed = tag.RowsAffected()
			return err
		})
		if err == nil && d == durable && !replicated(c.Conn().PgConn()) {
			err = errUnreplicated
		}
		return err
	})
	return changed, err
}

// exec is write of a statement that returns nothing.
func (l *link) exec(ctx context.Context, d durability, q statement) (changed int64, err error) {
	return l.write(ctx, d, q, nil, nil)
}

// transact runs f in a lazy transaction of several statements.
func (l *link) transact(ctx context.Context, f func(ctx context.Context, tx pgx.Tx) error) error {
	if l.readOnly {
		return fmt.Errorf("schema %s: %w", l.schema, ErrReadOnly)
	}
	begin := "BEGIN; SET LOCAL synchronous_commit = off"
	if l.pooled {
		begin += "; SET LOCAL statement_timeout = " + milliseconds(l.timeout*9/10) + "; SET LOCAL lock_timeout = " + milliseconds(l.timeout/2) +
			"; SET LOCAL idle_in_transaction_session_timeout = " + milliseconds(2*l.timeout)
	}
	return l.call(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		tx, err := c.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx) //nolint:errcheck // after Commit it does nothing; else the first error counts
		if err := f(ctx, tx); err != nil {
			return err
		}
		return tx.Commit(ctx)
	})
}

// unreplicated is where a connection remembers that the server gave up waiting for its standby.
const unreplicated = "daybook unreplicated"

// noticed hears what the server says beside its answers. A commit whose wait for a synchronous standby was cut short is reported as done,
// with a warning; when that standby takes over, it is not there.
func noticed(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" && (n.Code == "01000" || n.Code == "57P01") {
		c.CustomData()[unreplicated] = true
	}
}

// replicated says whether c has heard nothing of the kind since the last call.
func replicated(c *pgconn.PgConn) bool {
	_, heard := c.CustomData()[unreplicated]
	delete(c.CustomData(), unreplicated)
	return !heard
}
