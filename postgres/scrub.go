package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// A transaction with a number of its own: its commit flushes the write-ahead log, and with it everything before.
	sqlFlush = `SELECT pg_current_xact_id()`
	// The tables that hold what can be erased. Documents and commits are rewritten whole, blocks in parts.
	sqlScrubbed = `SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname ~ '^(commits|blocks|block_data_.*|slips|idem|documents)$' ORDER BY pg_total_relation_size(c.oid)`
	sqlRewrite = `SELECT @rewrite($1)`
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
		if _, err := c.Exec(ctx, s.sql("VACUUM @"+table)); err != nil {
			return fmt.Errorf("vacuum %s: %w", table, err)
		}
	}
	return nil
}

func (s *Store) scrubbed(ctx context.Context) (tables []string, err error) {
	var table string
	err = s.rows(ctx, statement{text: sqlScrubbed, args: []any{s.schema}}, []any{&table}, func() error {
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

// Rewrite writes every table anew that holds what can be erased, one after the other: after nil no file of the database holds what was
// replaced, trimmed or dropped before the call, unless a transaction that began before that is still open. Whoever reads or writes the
// table in question waits meanwhile, and the copy needs as much space as what is left in it. The blocks of the system that the old files
// lay in, the write-ahead log and its archives are beyond it.
func (s *Store) Rewrite(ctx context.Context) error {
	tables, err := s.scrubbed(ctx)
	if err != nil {
		return err
	}
	if s.readOnly {
		return fmt.Errorf("schema %s: %w", s.schema, ErrReadOnly)
	}
	s.calls.RLock()
	defer s.calls.RUnlock()
	c, err := s.connect(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("rewrite the store: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what was written is committed
	for _, table := range tables {
		err := errors.New("no attempt was made")
		for n := 0; err != nil && n < rewriteAttempts; n++ {
			_, err = c.Exec(ctx, s.sql(sqlRewrite), s.sql("@"+table))
			if state(err) != stateLocked {
				break
			}
			if err := pause(ctx, jitter(time.Second)); err != nil {
				return err
			}
		}
		if err != nil {
			return fmt.Errorf("rewrite %s: %w", table, err)
		}
	}
	return nil
}
