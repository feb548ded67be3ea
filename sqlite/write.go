package sqlite

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/daybook-audit/daybook"
)

// errNothing ends a write transaction that has nothing to write, without an error.
var errNothing = errors.New("nothing to write")

// class is what a transaction is for.
type class int

const (
	merging   class = iota // rewrites what is durable already: it waits for everybody, and its own durability for the next fsync
	writing                // durable when it returns
	recording              // durable when it returns, and goes before all others
)

// write runs f in a transaction of the writer. The end of ctx ends the wait for the turn, nothing else. A crash before COMMIT returns
// leaves the transaction either whole or absent, and only Open finds out which.
//
// A merging transaction is not synced by itself (synchronous=NORMAL). The write-ahead log is one file written from front to back, and
// its frames count only up to the first one that is missing: whatever is synced later syncs it too, and a loss of power before that
// leaves the store as it was before the merge, with every commit in it.
func (s *Store) write(ctx context.Context, kind class, f func(w *conn) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.calls.RUnlock()
	if s.writer == nil {
		return fmt.Errorf("store %s is open for reading only", s.path)
	}
	if err := s.turns.take(ctx, kind == recording); err != nil {
		return err
	}
	defer s.turns.give()
	if cause := s.broken.Load(); cause != nil {
		return fmt.Errorf("%w (%w)", daybook.ErrBroken, *cause)
	}
	w := s.writer
	w.written = 0
	if err := w.sync(s.o.synchronous, kind); err != nil {
		return s.failed(err, false)
	}
	if _, err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return s.failed(err, false)
	}
	if err := f(w); err != nil {
		_, e := w.exec("ROLLBACK")
		if errors.Is(err, errNothing) {
			err = e
		}
		return s.failed(err, false)
	}
	if s.o.beforeCommit != nil {
		s.o.beforeCommit()
	}
	if _, err := w.exec("COMMIT"); err != nil {
		// After most errors SQLite has rolled back already, and this ROLLBACK is the one that fails.
		_, _ = w.exec("ROLLBACK")
		return s.failed(err, true)
	}
	s.wrote(w.written)
	return nil
}

// failed says what an error of the writer means, as the comments of [daybook.Appender] want it.
//
// SQLITE_FULL is a write that did not fit. The frame that makes a transaction valid is the last one written, so nothing was written,
// even when COMMIT said it; SQLite has rolled back and later transactions overwrite the rest. Any other failed write or sync of the
// log or the database makes the store broken: the kernel reports it once and drops the pages, so no later fsync can be believed. The
// error itself says "unknown", because the frames may have reached the disk all the same.
func (s *Store) failed(err error, committing bool) error {
	var e *sqlite.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	code := e.Code()
	if code&0xff == sqlite3.SQLITE_FULL {
		return fmt.Errorf("%w (%w)", daybook.ErrNoSpace, err)
	}
	if breaks(code) {
		s.broken.CompareAndSwap(nil, &err)
	}
	if committing {
		return fmt.Errorf("commit of unknown outcome: %w", err)
	}
	return err
}

// breaks reports whether an error code means that something written may not be durable.
func breaks(code int) bool {
	switch code {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC, sqlite3.SQLITE_IOERR_TRUNCATE,
		sqlite3.SQLITE_IOERR_COMMIT_ATOMIC, sqlite3.SQLITE_IOERR_CORRUPTFS:
		return true
	}
	// Not broken: the index beside the log could not grow (IOERR_SHMSIZE and its like). The transaction's frames are in the log,
	// but no index names them: the next transaction overwrites them. A crash before that finds the commit, hence "unknown".
	return false
}
