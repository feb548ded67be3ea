// Package postgres keeps a daybook in a PostgreSQL database, version 13 or later. It implements [daybook.Store] and
// [daybook.Documents].
//
// Every append is one statement that locks the row of its shard first: whoever sees a commit sees every earlier one of that shard.
// Statements name their schema and need nothing of a session, so they also work behind a pooler that gives each transaction another
// connection (ask for it with default_query_exec_mode=exec in the address). What each method promises is written at the interfaces.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/daybook-audit/daybook"
)

// Options change how a store is opened. The zero value works.
type Options struct {
	Logger *slog.Logger // hears of settings that are doubtful and yet no reason to refuse. Default: slog.Default()
	Schema string       // where the tables are, made when it is not there. Default: daybook
	Shards int          // how many commit orders a new store has, 1 to 64, fixed from then on. Default: 8
	// Timeout bounds every statement that was sent. What was not answered by then has an unknown outcome. Default: 10 s.
	Timeout time.Duration

	// ReadOnly opens a store that is there, made by this version, for reading: beside a server that writes it, or on its standby. Every
	// method that writes fails with [ErrReadOnly], and the server is asked to refuse writes too.
	ReadOnly bool
	// MustExist refuses to make a store: [fs.ErrNotExist] when there is none.
	MustExist bool
}

// ErrReadOnly is returned by every method that writes of a store that was opened with ReadOnly. Nothing was written.
var ErrReadOnly = errors.New("the store is open for reading only")

func (o Options) withDefaults() (Options, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Schema == "" {
		o.Schema = "daybook"
	}
	if o.Shards == 0 {
		o.Shards = 8
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Shards < 1 || o.Shards > 64 {
		return o, fmt.Errorf("%d shards: there may be 1 to 64", o.Shards)
	}
	if len(o.Schema) > 63 || strings.ContainsAny(o.Schema, "\"@\x00") || strings.HasPrefix(o.Schema, "pg_") {
		return o, fmt.Errorf("%q is not a name for a schema", o.Schema)
	}
	return o, nil
}

// Store is a [daybook.Store] in a PostgreSQL schema. Its methods may be called concurrently, and by several processes.
type Store struct {
	o      Options
	pool   *pgxpool.Pool
	shards int
	texts  sync.Map // statement as written here → as sent, with the schema's name

	calls  sync.RWMutex // held for reading by every call, for writing by Close
	closed bool
}

var (
	_ daybook.Store     = (*Store)(nil)
	_ daybook.Documents = (*Store)(nil)
)

// Open opens the store at url, which is what libpq takes (postgres://user@host/database?sslmode=verify-full, or key=value words), and
// makes it when there is none: that and every migration need a role that may create the schema, later starts do not. It fails with
// [daybook.ErrNewer] when a later version of Daybook made the store, and refuses a server that could lose what it acknowledged.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", hidden(err))
	}
	if o.ReadOnly {
		config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	}
	s := &Store{o: o}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := s.open(ctx); err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("open store in %s of %s: %w", config.ConnConfig.Database, config.ConnConfig.Host, err)
	}
	return s, nil
}

// hidden returns err without the address that it may repeat: there may be a password in it.
func hidden(err error) error {
	if _, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
		return errors.New("the address of the database cannot be read")
	}
	return err
}

func (s *Store) open(ctx context.Context) error {
	if err := s.checkServer(ctx); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.pool.QueryRow(ctx, s.sql(`SELECT count(*) FROM @shards`)).Scan(&s.shards); err != nil {
		return fmt.Errorf("count the shards: %w", err)
	}
	return nil
}

// sql returns text with the schema's name in the place of every @.
func (s *Store) sql(text string) string {
	if known, ok := s.texts.Load(text); ok {
		sent, _ := known.(string)
		return sent
	}
	sent := strings.ReplaceAll(text, "@", pgx.Identifier{s.o.Schema}.Sanitize()+".")
	s.texts.Store(text, sent)
	return sent
}

// Shards returns how many there are.
func (s *Store) Shards() int { return s.shards }

func (s *Store) shardOf(org daybook.OrgID) int {
	h := fnv.New64a()
	h.Write([]byte(org))
	return int(h.Sum64() % uint64(s.shards))
}

// Close waits for running calls and closes all connections. A second Close returns nil.
func (s *Store) Close() error {
	s.calls.Lock()
	defer s.calls.Unlock()
	if !s.closed {
		s.closed = true
		s.pool.Close()
	}
	return nil
}

// call runs f with a connection. The end of ctx ends the wait for one, and nothing that was sent: f's statements get a context of
// their own, bounded by the timeout of the options.
func (s *Store) call(ctx context.Context, f func(ctx context.Context, c *pgxpool.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.calls.RLock()
	defer s.calls.RUnlock()
	if s.closed {
		return fmt.Errorf("store in schema %s: %w", s.o.Schema, fs.ErrClosed)
	}
	waiting, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	c, err := s.pool.Acquire(waiting)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer c.Release()
	sent, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Timeout)
	defer cancel()
	return meaning(f(sent, c))
}

// read is call for statements that change nothing: they end with ctx.
func (s *Store) read(ctx context.Context, f func(ctx context.Context, c *pgxpool.Conn) error) error {
	return s.call(ctx, func(sent context.Context, c *pgxpool.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
		defer cancel()
		return f(ctx, c)
	})
}

// transact runs f in a transaction. With lazy it does not wait for its own durability: the write-ahead log is one stream, and what a
// later append syncs contains it.
func (s *Store) transact(ctx context.Context, lazy bool, f func(ctx context.Context, tx pgx.Tx) error) error {
	if s.o.ReadOnly {
		return fmt.Errorf("schema %s: %w", s.o.Schema, ErrReadOnly)
	}
	return s.call(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx) //nolint:errcheck // after Commit it does nothing; else the first error counts
		if lazy {
			_, err = tx.Exec(ctx, `SELECT set_config('synchronous_commit', 'off', true), set_config('daybook.replacing', '1', true)`)
		} else {
			_, err = tx.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'`)
		}
		if err != nil {
			return err
		}
		if err := f(ctx, tx); err != nil {
			return err
		}
		return tx.Commit(ctx)
	})
}
