package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"log/slog"

	"github.com/daybook-audit/daybook"
)

// frameBytes is a page with its header in the write-ahead log.
const frameBytes = 4096 + 24

// wrote notes what a transaction put into the write-ahead log: its blobs, and about five pages of trees around them.
func (s *Store) wrote(bytes int64) {
	if s.written.Add(bytes+5*frameBytes) >= s.o.passive {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// checkpoints is the checkpointer: it copies the write-ahead log into the database beside the writer, so that commits never do it.
// The log starts again from its beginning when all of it was copied and nobody reads it; under steady load that moment does not come
// by itself, and at 64 MiB the checkpointer takes the writer's turn to bring it about. A file that is written over and not made longer
// syncs faster. Readers that stay in the way let it grow, to 256 MiB: then commits wait for them.
func (s *Store) checkpoints(ctx context.Context) {
	defer close(s.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		s.written.Store(0)
		size, _, err := s.checkpoint("PASSIVE")
		if err == nil && size >= s.o.restart && s.turns.take(ctx, false) == nil {
			mode := "PASSIVE" // copies the rest: the next write begins the log anew, in space that the file has
			if size >= s.o.truncate {
				mode = "TRUNCATE" // waits for readers, and gives the space back
			}
			_, _, err = s.checkpoint(mode)
			s.turns.give()
		}
		if err != nil {
			s.o.Logger.LogAttrs(ctx, slog.LevelError, "checkpoint of the write-ahead log", slog.String("path", s.path), slog.Any("error", err))
		}
	}
}

// checkpoint runs one on its own connection and returns the size of the log in use before it. A reader that is still in the way is no
// error but busy: what was not copied is copied next time.
func (s *Store) checkpoint(mode string) (size int64, busy bool, err error) {
	s.copying.Lock()
	defer s.copying.Unlock()
	err = s.copier.query("PRAGMA wal_checkpoint("+mode+")", func(row []driver.Value) error {
		busy, size = number(row[0]) != 0, number(row[1])*frameBytes
		return nil
	})
	return size, busy, s.failed(err, false)
}

// scrubAttempts bounds how often Scrub tries: readers are short, and each attempt waits for them for a quarter of a second.
const scrubAttempts = 40

// Scrub implements [daybook.Scrubber]. With secure_delete SQLite has overwritten what was deleted, in pages that may still lie in the
// write-ahead log only, beside their old content; Scrub copies them into the database, syncs it, and cuts the log to nothing. Commits
// wait meanwhile. What the file system keeps of blocks that it has freed is beyond it.
func (s *Store) Scrub(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.calls.RUnlock()
	if s.writer == nil {
		return fmt.Errorf("store %s is open for reading only", s.path)
	}
	for range scrubAttempts {
		busy, err := s.scrub(ctx)
		if err != nil {
			return fmt.Errorf("scrub store %s: %w", s.path, err)
		}
		if !busy {
			return nil
		}
	}
	return fmt.Errorf("scrub store %s: readers were in the way %d times", s.path, scrubAttempts)
}

// scrub is one attempt; commits may come between two.
func (s *Store) scrub(ctx context.Context) (busy bool, err error) {
	if err := s.turns.take(ctx, false); err != nil {
		return false, err
	}
	defer s.turns.give()
	if cause := s.broken.Load(); cause != nil {
		return false, fmt.Errorf("%w (%w)", daybook.ErrBroken, *cause)
	}
	_, busy, err = s.checkpoint("TRUNCATE")
	return busy, err
}
