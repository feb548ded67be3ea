package postgres

import (
	"context"
	"fmt"
)

const (
	// A transaction of its own with a number of its own: its commit flushes the write-ahead log, and everything before it.
	sqlFlush = `SELECT pg_current_xact_id()`
)

// Scrub implements [daybook.Scrubber].
func (s *Store) Scrub(ctx context.Context) error {
	if _, err := s.exec(ctx, durable, statement{text: sqlFlush}); err != nil {
		return fmt.Errorf("scrub the store: %w", err)
	}
	return nil
}
