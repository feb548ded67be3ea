// Package daybooksql lets Daybook write into an application's database through database/sql: events into its outbox inside its own
// transactions, and versions beside them.
package daybooksql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook"
)

// Tx adapts a transaction; its owner still commits it or rolls it back.
func Tx(tx *sql.Tx, d daybook.Dialect) daybook.Tx { return transaction{tx, d} }

// DB adapts a database.
func DB(db *sql.DB, d daybook.Dialect) daybook.OutboxDB { return database{db, d} }

// InTx runs f in a transaction of db and commits it when f returns nil. When f returns an error, or panics, the transaction is rolled
// back; the error is returned, and the panic goes on. After an error of the commit itself the outcome is unknown. d must be one of the
// dialects of package daybook; o may be nil.
func InTx(ctx context.Context, db *sql.DB, d daybook.Dialect, o *sql.TxOptions, f func(ctx context.Context, tx *sql.Tx) error) error {
	switch d {
	case daybook.SQLite, daybook.Postgres, daybook.MySQL:
	default:
		return fmt.Errorf("daybooksql: %q is no dialect: sqlite, postgres or mysql", d)
	}
	tx, err := db.BeginTx(ctx, o)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	ended := false
	defer func() {
		if !ended { // f panicked, or ended its goroutine: neither is caught
			_ = tx.Rollback()
		}
	}()
	err = f(ctx, tx)
	ended = true
	if err != nil {
		if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			err = errors.Join(err, fmt.Errorf("roll back: %w", undo))
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// transaction is a *sql.Tx as a daybook.Tx.
type transaction struct {
	tx *sql.Tx
	d  daybook.Dialect
}

// Dialect is part of daybook.Querier.
func (t transaction) Dialect() daybook.Dialect { return t.d }

// Query is part of daybook.Querier.
func (t transaction) Query(ctx context.Context, query string, args ...any) (daybook.Rows, error) {
	rows, err := t.tx.QueryContext(ctx, query, args...) //nolint:rowserrcheck // the caller's to close
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Exec is part of daybook.Tx.
func (t transaction) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := t.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// database is a *sql.DB as a daybook.OutboxDB.
type database struct {
	db *sql.DB
	d  daybook.Dialect
}

// Dialect is part of daybook.Querier.
func (b database) Dialect() daybook.Dialect { return b.d }

// Query is part of daybook.Querier.
func (b database) Query(ctx context.Context, query string, args ...any) (daybook.Rows, error) {
	rows, err := b.db.QueryContext(ctx, query, args...) //nolint:rowserrcheck // the caller's to close
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// InTx is part of daybook.OutboxDB.
func (b database) InTx(ctx context.Context, f func(ctx context.Context, tx daybook.Tx) error) error {
	return InTx(ctx, b.db, b.d, nil, func(ctx context.Context, tx *sql.Tx) error { return f(ctx, transaction{tx, b.d}) })
}
