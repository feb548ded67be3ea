package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"github.com/daybook-audit/daybook"
)

// Each folder has the files that make every version of one schema from the one before, in order: 00001_log.sql makes version 1.
//
//go:embed migrations
var migrations embed.FS

const (
	sqlVersion = `SELECT coalesce(max(version), 0) FROM @versions`
	// Everybody who migrates in this database waits for the one who does.
	sqlMigrating   = `SELECT pg_advisory_xact_lock(hashtextextended('daybook ' || $1, 0))`
	sqlMakeVersion = `CREATE TABLE IF NOT EXISTS versions (version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())`
	// Whoever served before serves after: new tables and functions are granted to the roles that may append.
	sqlGrantAgain = `SELECT @let_serve(r.rolname::text) FROM pg_proc p, aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
		WHERE p.oid = to_regproc($1) AND a.privilege_type = 'EXECUTE' AND a.grantee <> p.proowner`
)

// migrate brings the schema to this program's version, one process at a time. A crash leaves each migration done or undone; the next
// Open goes on. served names a function that every role which serves may call.
func (l *link) migrate(ctx context.Context, folder string, mustExist bool, served string) error {
	files, err := fs.Glob(migrations, "migrations/"+folder+"/*.sql")
	if err != nil {
		return err
	}
	version, err := l.version(ctx)
	switch {
	case err != nil:
		return err
	case version > len(files):
		return fmt.Errorf("schema version %d, this program knows %d: %w", version, len(files), daybook.ErrNewer)
	case version == len(files):
		return nil
	case version == 0 && (l.readOnly || mustExist):
		return fmt.Errorf("there is no store: %w", fs.ErrNotExist)
	case l.readOnly:
		return fmt.Errorf("schema version %d, this program reads %d: start a server of this version, which migrates it", version, len(files))
	}
	for n, file := range files {
		text, err := migrations.ReadFile(file)
		if err != nil {
			return err
		}
		err = l.step(ctx, n+1, string(text))
		if state(err) == statePrivilege {
			return fmt.Errorf("the role of the address may not migrate the schema to version %d: start once as its owner: %w", n+1, err)
		}
		if err != nil {
			return fmt.Errorf("migrate the schema to version %d: %w", n+1, err)
		}
	}
	_, err = l.pool.Exec(ctx, l.sql(sqlGrantAgain), l.sql("@"+served))
	return err
}

// step makes one version, if nobody has: all of it in one transaction, so that a pooler may stand between.
func (l *link) step(ctx context.Context, version int, text string) error {
	name := pgx.Identifier{l.schema}.Sanitize()
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '1min'; SET LOCAL search_path = "+name+", pg_temp"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlMigrating, l.schema); err != nil {
			return err
		}
		// IF NOT EXISTS would ask for the right to make schemas even when the schema is there.
		var made bool
		if err := tx.QueryRow(ctx, `SELECT to_regnamespace($1) IS NOT NULL`, name).Scan(&made); err != nil {
			return err
		}
		if !made {
			if _, err := tx.Exec(ctx, "CREATE SCHEMA "+name); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, sqlMakeVersion); err != nil {
			return err
		}
		var there int
		if err := tx.QueryRow(ctx, l.sql(sqlVersion)).Scan(&there); err != nil || there >= version {
			return err
		}
		if _, err := tx.Exec(ctx, text); err != nil { // many statements: the simple protocol
			return err
		}
		_, err := tx.Exec(ctx, l.sql(`INSERT INTO @versions (version) VALUES ($1)`), version)
		return err
	})
}

// version returns 0 when there is nothing yet.
func (l *link) version(ctx context.Context) (version int, err error) {
	var there bool
	err = l.rows(ctx, statement{text: `SELECT to_regclass($1) IS NOT NULL`, args: []any{l.sql(`@versions`)}}, []any{&there}, func() error { return nil })
	if err == nil && there {
		err = l.rows(ctx, statement{text: sqlVersion}, []any{&version}, func() error { return nil })
	}
	switch {
	case state(err) == statePrivilege:
		return 0, fmt.Errorf("the role of the address may not look into the schema %s: let its owner call let_serve: %w", l.schema, err)
	case err != nil:
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	return version, nil
}
