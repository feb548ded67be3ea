// Package postgres keeps a daybook in a PostgreSQL database, version 13 or later. It implements [daybook.Store], [daybook.Documents],
// [daybook.Fleet] and [daybook.Scrubber], and with [OpenHighWater] a [daybook.HighWater].
//
// Every append is one statement that locks the row of its shard first: whoever sees a commit sees every earlier one of that shard.
// Statements name their schema and need nothing of a session, so they also work behind a pooler that gives each transaction another
// connection. What changes the log goes through functions that check it and belong to the owner of the schema; the role that serves needs
// no right to update or delete an entry. What each method promises is written at the interfaces.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
)

// Options change how a store is opened. The zero value works.
type Options struct {
	Logger *slog.Logger // hears of settings that are doubtful and yet no reason to refuse. Default: slog.Default()
	Schema string       // where the tables are, made when it is not there. Default: daybook
	Shards int          // how many commit orders a new store has, 1 to 64, fixed from then on. Default: 1, which groups most into one commit
	// Timeout bounds every statement that was sent. What was not answered by then has an unknown outcome. Default: 10 s.
	Timeout time.Duration

	// PasswordFile is read anew for each connection, so that a password can be changed while Daybook runs. Default: the password in the
	// address, or where libpq looks for one (PGPASSWORD, PGPASSFILE, ~/.pgpass), the files read anew as well.
	PasswordFile string
	// Pooled says that a pooler stands before the server and may give each transaction another connection. PgBouncer is noticed without,
	// and default_query_exec_mode=cache_describe in the address says the same.
	Pooled bool

	// ReadOnly opens a store that is there, made by this version, for reading: beside a server that writes it, or on its standby. Every
	// method that writes fails with [ErrReadOnly].
	ReadOnly bool
	// MustExist refuses to make a store: [fs.ErrNotExist] when there is none.
	MustExist bool
}

func (o Options) withDefaults(schema string) (Options, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Schema == "" {
		o.Schema = schema
	}
	if o.Shards == 0 {
		o.Shards = 1
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Shards < 1 || o.Shards > 64 {
		return o, fmt.Errorf("%d shards: there may be 1 to 64", o.Shards)
	}
	if len(o.Schema) > 63 || strings.ContainsAny(o.Schema, "\"'@\x00") || strings.HasPrefix(o.Schema, "pg_") {
		return o, fmt.Errorf("%q is not a name for a schema", o.Schema)
	}
	return o, nil
}

func (o Options) link() *link {
	return &link{logger: o.Logger, schema: o.Schema, timeout: o.Timeout, readOnly: o.ReadOnly, pooled: o.Pooled}
}

// Store is a [daybook.Store] in a PostgreSQL schema. Its methods may be called concurrently, and by several processes.
type Store struct {
	*link
	shards int
	owner  bool // our role owns the tables
	news   *news
}

var (
	_ daybook.Store     = (*Store)(nil)
	_ daybook.Documents = (*Store)(nil)
	_ daybook.Fleet     = (*Store)(nil)
	_ daybook.Scrubber  = (*Store)(nil)
)

// Open opens the store at url, which is what libpq takes (postgres://user@host/database?sslmode=verify-full, or key=value words), and
// makes it when there is none: that and every migration need the role that owns the schema, later starts do not. It fails with
// [daybook.ErrNewer] when a later version of Daybook made the store, and refuses a server that could lose what it acknowledged.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	o, err := o.withDefaults("daybook")
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{link: o.link()}
	if err := s.dial(ctx, url, o.PasswordFile); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := s.open(ctx, o); err != nil {
		s.close()
		return nil, fmt.Errorf("open store in schema %s: %w", s.schema, err)
	}
	s.news = s.beginNews(ctx)
	return s, nil
}

const (
	// The shards of a new store: all of them in one statement, once.
	sqlMakeShards = `SELECT @make_shards($1)`
	sqlStore      = `SELECT (SELECT count(*) FROM @shards), row_security_active('@blocks'), pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = '@blocks'::regclass`
)

func (s *Store) open(ctx context.Context, o Options) error {
	if err := s.migrate(ctx, "log", o.MustExist, "append"); err != nil {
		return err
	}
	look := func() error {
		return s.rows(ctx, statement{text: sqlStore}, []any{&s.shards, &s.walled, &s.owner}, func() error { return nil })
	}
	err := look()
	if err == nil && s.shards == 0 && !o.ReadOnly {
		if _, err = s.exec(ctx, durable, statement{text: sqlMakeShards, args: []any{o.Shards}}); err == nil {
			err = look()
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("look at the shards: %w", err)
	case s.shards == 0:
		return errors.New("the store has no shards: start a server on it once")
	case s.owner && !s.walled && !o.ReadOnly:
		s.logger.LogAttrs(ctx, slog.LevelDebug, "the role of the address owns the tables: a role of its own for serving could not change entries")
	}
	return nil
}

// Shards returns how many there are.
func (s *Store) Shards() int { return s.shards }

// Close waits for running calls and closes all connections. A second Close returns nil.
func (s *Store) Close() error {
	s.news.end()
	s.close()
	return nil
}

// The walls of row security: what a statement may see when its role does not own the tables. A statement that forgets its wall sees
// nothing, or fails.

// ofLog is for what belongs to one log: blocks, their bytes, slips and checkpoints.
func ofLog(log daybook.LogNo) setting {
	return setting{"daybook.log", strconv.FormatInt(int64(log), 10)}
}

// ofOrg is for heads and documents of one org; the empty org is the instance.
func ofOrg(org daybook.OrgID) setting { return setting{"daybook.org", "=" + string(org)} }

// everyOrg is for heads of many orgs.
func everyOrg() setting { return setting{"daybook.org", "*"} }
