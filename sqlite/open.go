// Package sqlite keeps a daybook in one SQLite file. It implements [daybook.Store], [daybook.Documents] and [daybook.Backuper].
//
// One process at a time has a store open; a lock file beside the database holds the others off. Inside it one connection writes,
// every commit with one fsync of the write-ahead log (synchronous=FULL), and a few read. What each method promises is written at
// the interfaces.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/daybook-audit/daybook"
)

// Options change how a store is opened. The zero value works.
type Options struct {
	// Logger hears of trouble in the background, which is the checkpointer's. Default: slog.Default().
	Logger *slog.Logger

	// Tests only, below.
	synchronous  string // default FULL
	passive      int64  // bytes of write-ahead log after which the checkpointer copies it into the database; default 16 MiB
	restart      int64  // size at which it makes commits wait for that, so that the log begins anew; default 64 MiB
	truncate     int64  // size at which it makes commits wait for readers too; default 256 MiB
	trimBytes    int64  // bytes of commits dropped in one transaction; default 512 KiB
	beforeCommit func() // called in every write transaction before its COMMIT
	afterStep    func() // called after every step of a backup
}

const readers = 4

// Store is a [daybook.Store] in a SQLite file, with one shard. Its methods may be called concurrently.
type Store struct {
	path   string
	o      Options
	locked *os.File
	still  bool // nobody had the store open when it was opened for reading

	calls  sync.RWMutex // held for reading by every call, for writing by Close
	closed bool

	turns   turns // the right to write: commits before anything else
	writer  *conn // used by whoever has the turn
	readers chan *conn

	broken atomic.Pointer[error] // the first failed fsync or write-ahead log write; set once, never cleared

	written atomic.Int64  // bytes that went into the write-ahead log since the checkpointer looked, roughly
	wake    chan struct{} // one slot: the checkpointer has something to do
	stop    context.CancelFunc
	done    chan struct{} // closed when the checkpointer has ended
	copying sync.Mutex    // held while copier is used
	copier  *conn         // for checkpoints
}

var (
	_ daybook.Store     = (*Store)(nil)
	_ daybook.Documents = (*Store)(nil)
	_ daybook.Backuper  = (*Store)(nil)
	_ daybook.Scrubber  = (*Store)(nil)
)

// Open opens the store in the file path, and makes it when there is none (mode 0600). It fails when another process has it open, and
// with [daybook.ErrNewer] when a later version of Daybook made it. It refuses to run with settings other than its own.
//
// What an earlier process wrote without seeing its fsync succeed may be visible and yet not durable. Open therefore copies the whole
// write-ahead log into the database and syncs that, before anybody can read it and take it for granted.
func Open(path string, o Options) (*Store, error) {
	o = o.withDefaults()
	path, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	locked, err := lock(path)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{path: path, o: o, locked: locked, readers: make(chan *conn, readers), wake: make(chan struct{}, 1), done: make(chan struct{})}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, errors.Join(err, s.release()))
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.checkpoints(ctx)
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.synchronous == "" {
		o.synchronous = "FULL"
	}
	if o.passive == 0 {
		o.passive = 16 << 20
	}
	if o.restart == 0 {
		o.restart = 64 << 20
	}
	if o.truncate == 0 {
		o.truncate = 256 << 20
	}
	if o.trimBytes == 0 {
		o.trimBytes = 512 << 10
	}
	return o
}

func resolve(path string) (string, error) {
	if path == "" || strings.HasPrefix(path, ":") || strings.HasPrefix(path, "file:") {
		return "", fmt.Errorf("%q is not the name of a file", path)
	}
	return filepath.Abs(path)
}

// uriPath returns an absolute path as SQLite wants it in a file: URI.
func uriPath(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	return (&url.URL{Path: path}).EscapedPath()
}

func (s *Store) open() (err error) {
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		// The log and the index beside it inherit this mode.
		if err := errors.Join(f.Close(), syncDir(filepath.Dir(s.path))); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	if err := migrate(context.Background(), dsn(s.path, writes, s.o.synchronous)); err != nil {
		return err
	}
	if s.writer, err = dial(s.path, writes, s.o.synchronous); err != nil {
		return err
	}
	if err := checkSchema(s.writer); err != nil {
		return err
	}
	if s.copier, err = dial(s.path, checkpoints, s.o.synchronous); err != nil {
		return err
	}
	if _, _, err := s.checkpoint("TRUNCATE"); err != nil {
		return err
	}
	for range readers {
		r, err := dial(s.path, reads, s.o.synchronous)
		if err != nil {
			return err
		}
		s.readers <- r
	}
	return nil
}

// OpenReadOnly opens the store in the file path for reading, beside a process that may be writing it: for fsck and the like. It takes
// no lock; every method that writes fails.
//
// A copy that was never opened for writing, such as a backup, is read as it lies there, and nothing appears beside it. Should a
// process open it for writing meanwhile, what was read is worth nothing, and Close says so.
func OpenReadOnly(path string, o Options) (*Store, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{path: path, o: o.withDefaults(), readers: make(chan *conn, readers), still: untouched(path)}
	as := inspects
	if s.still {
		as = studies
	}
	for range readers {
		r, err := dial(path, as, "FULL")
		if err == nil {
			s.readers <- r
			err = checkSchema(r)
		}
		if err != nil {
			return nil, fmt.Errorf("open store %s: %w", path, errors.Join(err, s.release()))
		}
	}
	return s, nil
}

// untouched reports whether the store at path was never opened for writing under this name: whoever does makes a lock file first, and
// leaves it. A write-ahead log that was copied along must be read, too, and for that SQLite needs its files.
func untouched(path string) bool {
	for _, suffix := range []string{".lock", "-wal"} {
		if _, err := os.Lstat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// Shards returns 1.
func (s *Store) Shards() int { return 1 }

// Close waits for running calls, ends the checkpointer, closes the file and gives the lock back. A second Close returns nil.
func (s *Store) Close() error {
	s.calls.Lock()
	defer s.calls.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.stop != nil {
		s.stop()
		<-s.done
	}
	err := s.release()
	if s.still && !untouched(s.path) {
		err = errors.Join(err, errors.New("another process opened it for writing meanwhile: what was read may be wrong"))
	}
	if err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

// release closes whatever is open, the writer last: SQLite then empties the write-ahead log into the database.
func (s *Store) release() error {
	var errs []error
	for range len(s.readers) {
		errs = append(errs, (<-s.readers).close())
	}
	for _, c := range []*conn{s.copier, s.writer} {
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	if s.locked != nil {
		errs = append(errs, unlock(s.locked))
	}
	return errors.Join(errs...)
}

// enter begins a call; without an error the caller ends it with s.calls.RUnlock.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.calls.RLock()
	if s.closed {
		s.calls.RUnlock()
		return fmt.Errorf("store %s: %w", s.path, fs.ErrClosed)
	}
	return nil
}

// read gives f a reading connection. A statement sees one moment; between two of them others may commit.
func (s *Store) read(ctx context.Context, f func(r *conn) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.calls.RUnlock()
	select {
	case r := <-s.readers:
		defer func() { s.readers <- r }()
		return f(r)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// snapshot is read with all of f's statements seeing the same moment. It must be short: while it runs, the write-ahead log grows.
func (s *Store) snapshot(ctx context.Context, f func(r *conn) error) error {
	return s.read(ctx, func(r *conn) error {
		if _, err := r.exec("BEGIN"); err != nil {
			return err
		}
		err := f(r)
		if _, e := r.exec("COMMIT"); err == nil {
			err = e
		}
		return err
	})
}
