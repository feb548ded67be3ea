package sqlite

import (
	"context"
	"database/sql/driver"
	"log/slog"
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
		size, err := s.checkpoint("PASSIVE")
		if err == nil && size >= s.o.restart && s.turns.take(ctx, false) == nil {
			mode := "PASSIVE" // copies the rest: the next write begins the log anew, in space that the file has
			if size >= s.o.truncate {
				mode = "TRUNCATE" // waits for readers, and gives the space back
			}
			_, err = s.checkpoint(mode)
			s.turns.give()
		}
		if err != nil {
			s.o.Logger.LogAttrs(ctx, slog.LevelError, "checkpoint of the write-ahead log", slog.String("path", s.path), slog.Any("error", err))
		}
	}
}

// checkpoint runs one on its own connection and returns the size of the log in use before it. A reader that is still in the way is no
// error: what was not copied is copied next time.
func (s *Store) checkpoint(mode string) (size int64, err error) {
	err = s.copier.query("PRAGMA wal_checkpoint("+mode+")", func(row []driver.Value) error {
		size = number(row[1]) * frameBytes
		return nil
	})
	return size, s.failed(err, false)
}
