package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// A transaction with a number of its own: its commit flushes the write-ahead log, and with it everything before.
	sqlFlush = `SELECT pg_current_xact_id()`
	// The tables that hold what can be erased, and their sizes. Documents and commits are rewritten whole, blocks in parts.
	sqlScrubbed = `SELECT c.relname::text, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname ~ '^(commits|blocks|block_data_.*|slips|idem|documents)$' ORDER BY pg_total_relation_size(c.oid)`
	sqlRewrite = `SELECT @rewrite($1)`
	sqlSize    = `SELECT pg_total_relation_size($1::regclass)`
)

// Scrub implements [daybook.Scrubber] as far as PostgreSQL lets it: everything before it is durable, and the tables are vacuumed if our
// role owns them; otherwise autovacuum does it before long. No statement finds what was removed then. Its bytes may lie in the free space
// of pages until something else is written there, and they lie in the write-ahead log and its archives until those are recycled. See
// [Store.Rewrite].
func (s *Store) Scrub(ctx context.Context) error {
	if _, err := s.exec(ctx, durable, statement{text: sqlFlush}); err != nil {
		return fmt.Errorf("scrub the store: %w", err)
	}
	if !s.owner {
		return nil
	}
	tables, err := s.scrubbed(ctx)
	if err != nil {
		return err
	}
	s.calls.RLock()
	defer s.calls.RUnlock()
	c, err := s.connect(ctx, s.pool.Config().ConnConfig) // its statements may take as long as they need
	if err != nil {
		return fmt.Errorf("scrub the store: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written that counts
	for _, table := range tables {
		if _, err := c.Exec(ctx, s.sql("VACUUM @"+table.Table)); err != nil {
			return fmt.Errorf("vacuum %s: %w", table.Table, err)
		}
	}
	return nil
}

func (s *Store) scrubbed(ctx context.Context) (tables []Rewritten, err error) {
	var table Rewritten
	err = s.rows(ctx, statement{text: sqlScrubbed, args: []any{s.schema}}, []any{&table.Table, &table.Before}, func() error {
		tables = append(tables, table)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the tables to scrub: %w", err)
	}
	return tables, nil
}

// rewriteAttempts bounds how often a table is tried that somebody is reading.
const rewriteAttempts = 60

// RewriteOptions say how a store is rewritten. The zero value rewrites it.
type RewriteOptions struct {
	DryRun   bool                 // only list what would be rewritten
	Progress func(done Rewritten) // called after each table
}

// Rewritten is a table that is written anew.
type Rewritten struct {
	Table  string
	Before int64 // its bytes, those of its indexes among them
	After  int64 // 0 in a dry run
}

// Rewrite writes every table anew that holds what can be erased, one after the other, the smallest first, and returns them: after nil no
// file of the database holds what was replaced, trimmed or dropped before the call, unless a transaction that began before that is still
// open. Whoever reads or writes the table in question waits meanwhile, and the copy needs as much space as what is left in it. The blocks
// of the system that the old files lay in, the write-ahead log and its archives are beyond it. With an error, or when ctx ends, the tables
// that are returned were written anew; each table is so whole or as it was, and to repeat it is safe. [ErrReadOnly]: the store was opened
// so, and nothing but a dry run is possible.
func (s *Store) Rewrite(ctx context.Context, o RewriteOptions) ([]Rewritten, error) {
	tables, err := s.scrubbed(ctx)
	if err != nil || o.DryRun {
		return tables, err
	}
	if s.readOnly {
		return nil, fmt.Errorf("schema %s: %w", s.schema, ErrReadOnly)
	}
	s.calls.RLock()
	defer s.calls.RUnlock()
	c, err := s.connect(ctx, s.pool.Config().ConnConfig) // its statements may take as long as they need
	if err != nil {
		return nil, fmt.Errorf("rewrite the store: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what was written is committed
	for i := range tables {
		if err := s.rewrite(ctx, c, &tables[i]); err != nil {
			return tables[:i], fmt.Errorf("rewrite %s: %w", tables[i].Table, err)
		}
		if o.Progress != nil {
			o.Progress(tables[i])
		}
	}
	return tables, nil
}

// rewrite writes one table anew, in a transaction of its own.
func (s *Store) rewrite(ctx context.Context, c *pgx.Conn, t *Rewritten) error {
	err := errors.New("no attempt was made")
	for n := 0; err != nil && n < rewriteAttempts; n++ {
		_, err = c.Exec(ctx, s.sql(sqlRewrite), s.sql("@"+t.Table))
		if state(err) != stateLocked {
			break
		}
		if err := pause(ctx, jitter(time.Second)); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return c.QueryRow(ctx, sqlSize, s.sql("@"+t.Table)).Scan(&t.After)
}
