package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/daybook-audit/daybook"
)

// schema is the version of the last file in migrations.
const schema = 1

// oldestServer is the oldest version of PostgreSQL that the statements here are written for.
const oldestServer = 130000

//go:embed migrations/*.sql
var migrations embed.FS

// checkServer refuses a server that is too old, or set up so that what it acknowledged can be lost: a crash would then take away what
// producers believe recorded, and the log could not tell.
func (s *Store) checkServer(ctx context.Context) error {
	settings := map[string]string{}
	rows, err := s.pool.Query(ctx, `SELECT name, setting FROM pg_settings WHERE name IN ('server_version_num', 'fsync', 'full_page_writes', 'synchronous_commit', 'server_encoding')`)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	var name, setting string
	if _, err := pgx.ForEachRow(rows, []any{&name, &setting}, func() error { settings[name] = setting; return nil }); err != nil {
		return fmt.Errorf("read the server's settings: %w", err)
	}
	var version int
	if _, err := fmt.Sscan(settings["server_version_num"], &version); err != nil || version < oldestServer {
		return fmt.Errorf("the server is PostgreSQL %d.%d: Daybook needs version 13 or later", version/10000, version%10000)
	}
	for _, name := range []string{"fsync", "full_page_writes"} {
		if settings[name] != "on" {
			return fmt.Errorf("the server runs with %s = %s: a crash could lose what was acknowledged. Set it to on", name, settings[name])
		}
	}
	if enc := settings["server_encoding"]; enc != "UTF8" {
		return fmt.Errorf("the database has the encoding %s: make one with UTF8", enc)
	}
	if settings["synchronous_commit"] == "off" {
		s.o.Logger.LogAttrs(ctx, slog.LevelWarn, "the server's synchronous_commit is off: every commit of Daybook sets it to on for itself")
	}
	return nil
}

// migrate brings the schema to this program's version, one process at a time. A crash leaves each migration done or undone; the next
// Open goes on.
func (s *Store) migrate(ctx context.Context) (err error) {
	switch version, err := s.schemaVersion(ctx); {
	case err != nil:
		return err
	case version == schema && s.o.ReadOnly:
		return nil
	case version == schema:
		return s.checkShards(ctx)
	case version == 0 && (s.o.ReadOnly || s.o.MustExist):
		return fmt.Errorf("there is no store: %w", fs.ErrNotExist)
	case version > schema:
		return fmt.Errorf("schema version %d, this program knows %d: %w", version, schema, daybook.ErrNewer)
	case s.o.ReadOnly:
		return fmt.Errorf("schema version %d, this program reads %d: start a server of this version, which migrates it", version, schema)
	}
	config := s.pool.Config().ConnConfig.Copy()
	name := pgx.Identifier{s.o.Schema}.Sanitize()
	config.RuntimeParams["search_path"] = name
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	// Of two that make it at once one gets a unique violation, whatever IF NOT EXISTS promises.
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+name); err != nil && state(err) != stateUnique {
		return fmt.Errorf("make the schema %s: %w", s.o.Schema, err)
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	one, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, dir, goose.WithSessionLocker(one))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the schema: %w", err)
	}
	return s.checkShards(ctx)
}

// schemaVersion returns 0 when there is no store yet.
func (s *Store) schemaVersion(ctx context.Context) (version int64, err error) {
	var there bool
	err = s.pool.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, s.sql(`@goose_db_version`)).Scan(&there)
	if err == nil && there {
		err = s.pool.QueryRow(ctx, s.sql(`SELECT coalesce(max(version_id), 0) FROM @goose_db_version WHERE is_applied`)).Scan(&version)
	}
	if err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	return version, nil
}

// checkShards makes the shards of a new store: all of them in one statement, once.
func (s *Store) checkShards(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, s.sql(`INSERT INTO @shards (shard) SELECT generate_series(0, $1::int - 1) WHERE NOT EXISTS (SELECT FROM @shards) ON CONFLICT DO NOTHING`), s.o.Shards)
	if err != nil {
		return fmt.Errorf("make the shards: %w", err)
	}
	return nil
}
