package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/daybook-audit/daybook"
)

// schema is the version of the last file in migrations.
const schema = 3

// schemaSum is the checksum of what the migrations make: tables, indexes and triggers as sqlite_schema holds them. Whoever adds a
// migration puts here what the refusal of a new store says.
const schemaSum = "2d750e22bb88a88c933bd9183a4deaf5ef9c334e5d57fcff3f76b7610f6ee049"

// application is what PRAGMA application_id says of a Daybook store, "DBKK".
const application = 0x44424b4b

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to this program's version. The caller holds the file lock, so nobody else migrates. A crash leaves each
// migration done or undone; the next Open goes on.
func migrate(ctx context.Context, dsn string) (err error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	defer func() {
		if e := db.Close(); err == nil {
			err = e
		}
	}()
	db.SetMaxOpenConns(1)
	switch version, err := schemaVersion(ctx, db); {
	case err != nil:
		return err
	case version == schema:
		return nil
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the schema: %w", err)
	}
	return nil
}

// checkSchema refuses a store that is not of this program's schema, by number and by content: statements on other tables would fail
// later, one by one, or do something else than they say.
func checkSchema(r *conn) error {
	var version int64
	err := r.query("SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied", func(row []driver.Value) error {
		version = number(row[0])
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("not a Daybook store: %w", err)
	case version > schema:
		return fmt.Errorf("schema %d, this program knows %d: %w", version, schema, daybook.ErrNewer)
	case version < schema:
		return fmt.Errorf("schema %d is older than this program's %d: open it once for writing", version, schema)
	}
	h := sha256.New()
	err = r.query("SELECT name, sql FROM sqlite_schema WHERE tbl_name <> 'goose_db_version' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name", func(row []driver.Value) error {
		_, err := fmt.Fprintf(h, "%s\x00%s\x00", row[0], row[1])
		return err
	})
	if sum := hex.EncodeToString(h.Sum(nil)); err == nil && sum != schemaSum {
		err = fmt.Errorf("its tables are not those of schema %d (checksum %s): a development version of Daybook made this store, or somebody changed it; begin a new one", schema, sum)
	}
	return err
}

// schemaVersion returns the schema version of db, 0 for an empty file. It writes nothing, so a newer store, or a database that is
// not a store, is refused as it was found.
func schemaVersion(ctx context.Context, db *sql.DB) (version int64, err error) {
	var app, tables int64
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return 0, err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return 0, err
	}
	if tables == 0 {
		return 0, nil
	}
	// goose makes its own table before the first migration sets the application id: a crash between leaves that table alone.
	if app != application {
		var others int64
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE tbl_name NOT IN ('goose_db_version', 'sqlite_sequence')").Scan(&others); err != nil {
			return 0, err
		}
		if others > 0 {
			return 0, fmt.Errorf("the file is a database, but not a Daybook store (application id %#x)", app)
		}
		return 0, nil
	}
	if err := db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version); err != nil {
		return 0, err
	}
	if version > schema {
		return 0, fmt.Errorf("schema %d, this program knows %d: %w", version, schema, daybook.ErrNewer)
	}
	return version, nil
}
