package daybook

import (
	"context"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook/internal/appsql"
	"github.com/daybook-audit/daybook/leaf"
)

// Dialect is the SQL of an application's database.
type Dialect string

// The dialects. MySQL stands for MariaDB too.
const (
	SQLite   Dialect = appsql.SQLite
	Postgres Dialect = appsql.Postgres
	MySQL    Dialect = appsql.MySQL
)

// Rows is a result that is read row by row. Close may be called twice, and MUST be called.
type Rows interface {
	Next() bool
	Scan(into ...any) error
	Err() error
	Close() error
}

// Querier reads an application's database. Querier and [Tx] are all that Daybook asks of one; package daybooksql adapts database/sql.
// Statements carry the placeholders of the Dialect.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (Rows, error)
	Dialect() Dialect
}

// Tx is a transaction of the application, which commits it or rolls it back. What Daybook reads through it MUST see what was written
// through it.
type Tx interface {
	Querier
	Exec(ctx context.Context, query string, args ...any) (rows int64, err error)
}

// OutboxDB is a database that begins transactions. InTx MUST commit when f returns nil, and roll back when f returns an error, which it
// returns, or panics. It is safe for concurrent use.
type OutboxDB interface {
	Querier
	InTx(ctx context.Context, f func(ctx context.Context, tx Tx) error) error
}

// OutboxSchema is the DDL of the tables daybook_outbox, daybook_relay and daybook_versions, for the application's own migrations. Each
// statement ends in a semicolon and a line break, and does nothing when it was carried out before. For an unknown dialect it is empty.
func OutboxSchema(d Dialect) string {
	text, err := appsql.Schema(string(d))
	if err != nil {
		return ""
	}
	return text
}

// RecordTx completes e like [Clerk.Record] and writes it into the table daybook_outbox inside tx: the change and its event commit or
// roll back together, and a [Relay] moves the event on. It takes no lock, so it may be called anywhere in tx. OccurredAt is the time of
// the call when e has none, since the log receives the event later.
//
// What the log would refuse is refused here. RecordTx fails closed by nature: after an error the caller rolls back, under FailSpool too,
// since an event outside tx would survive a rollback. Under FailOpen the event is written behind a savepoint; when that fails, only it is
// rolled back, the loss is logged and counted, and nil is returned, unless tx itself is of no use any more.
func (c *Clerk) RecordTx(ctx context.Context, tx Tx, e Event) (ID, error) {
	e, text, err := c.outgoing(ctx, e)
	if err != nil {
		return e.ID, err
	}
	if silenced(ctx, c) {
		return e.ID, nil
	}
	s, err := appsql.For(string(tx.Dialect()))
	if err != nil {
		return e.ID, err
	}
	if c.policy(e.Action) != FailOpen {
		if err := c.post(ctx, tx, s, &e, text); err != nil {
			return e.ID, fmt.Errorf("record %s in the transaction: %w", e.Action, err)
		}
		return e.ID, nil
	}
	if _, err := tx.Exec(ctx, s.Savepoint); err != nil {
		c.lose(ctx, &e, err)
		return e.ID, fmt.Errorf("set a savepoint: %w", err)
	}
	if err := c.post(ctx, tx, s, &e, text); err != nil {
		c.lose(ctx, &e, err)
		if _, undo := tx.Exec(ctx, s.RollbackTo); undo != nil {
			return e.ID, fmt.Errorf("roll back to the savepoint before %s: %w", e.Action, errors.Join(undo, err))
		}
	}
	if _, err := tx.Exec(ctx, s.Release); err != nil {
		return e.ID, fmt.Errorf("release the savepoint: %w", err)
	}
	return e.ID, nil
}

// post writes e, whose JSON is text, into the outbox.
func (c *Clerk) post(ctx context.Context, tx Tx, s *appsql.Statements, e *Event, text []byte) error {
	_, err := tx.Exec(ctx, s.Post, e.ID.String(), string(e.Org), string(text), c.o.Now().UnixMicro())
	if err != nil {
		return fmt.Errorf("write into the outbox: %w", err)
	}
	noteInTx(ctx)
	return nil
}

// outgoing completes e for a later delivery and returns its JSON, which a log would accept.
func (c *Clerk) outgoing(ctx context.Context, e Event) (Event, []byte, error) {
	e, err := c.completed(ctx, e)
	if err != nil {
		return e, nil, err
	}
	if e.OccurredAt.IsZero() {
		e.OccurredAt = c.o.Now()
	}
	e.OccurredAt = truncated(e.OccurredAt)
	if !e.Org.Valid() {
		return e, nil, errInvalidOrg(e.Org)
	}
	text, err := appendEvent(nil, &e)
	if err != nil {
		return e, nil, err
	}
	d := leaf.Get()
	defer leaf.Put(d)
	if _, err := accept(d, text, false); err != nil {
		return e, nil, fmt.Errorf("record %s: %w", e.Action, err)
	}
	return e, text, nil
}
