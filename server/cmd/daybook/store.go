package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/sqlite"
)

// store is what the server keeps everything in.
type store interface {
	daybook.Store
	daybook.Documents
}

// storeOptions say how to open one.
type storeOptions struct {
	logger    *slog.Logger
	readOnly  bool // beside a running server
	mustExist bool
	c         *config.Config // how PostgreSQL is used; nil: by default
}

// checkDriver refuses an address that no driver is for. It shows no more of it than the scheme: there may be a password in it.
func checkDriver(address string) error {
	if scheme, _, ok := strings.Cut(address, "://"); ok && !config.IsPostgres(address) {
		return usage("--db: a log is kept in a SQLite file or in PostgreSQL; there is no driver for %s://", scheme)
	}
	return nil
}

// openStore opens the store at address: a SQLite file or a PostgreSQL database. Drivers for other addresses are added here.
func openStore(ctx context.Context, address string, o storeOptions) (store, error) {
	if err := checkDriver(address); err != nil {
		return nil, err
	}
	if o.logger == nil {
		o.logger = slog.New(slog.DiscardHandler)
	}
	if config.IsPostgres(address) {
		return openPostgres(ctx, address, o)
	}
	if o.mustExist || o.readOnly {
		if _, err := os.Stat(address); errors.Is(err, fs.ErrNotExist) {
			return nil, &usageError{message: "there is no store at " + address, try: "--db FILE"}
		}
	}
	open := sqlite.Open
	if o.readOnly {
		open = sqlite.OpenReadOnly
	}
	s, err := open(address, sqlite.Options{Logger: o.logger})
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return s, nil
}

// openPostgres opens the store in the PostgreSQL database at address.
func openPostgres(ctx context.Context, address string, o storeOptions) (store, error) {
	po := postgres.Options{Logger: o.logger, ReadOnly: o.readOnly, MustExist: o.mustExist || o.readOnly}
	connections := 0
	if o.c != nil {
		po.Schema, po.Shards, po.Timeout, po.PasswordFile = o.c.DBSchema, o.c.DBShards, o.c.DBTimeout, o.c.DBPasswordFile
		connections = o.c.DBMaxConnections
	}
	s, err := postgres.Open(ctx, withConnections(address, connections), po)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &usageError{message: "there is no store at " + config.MaskAddress(address), try: "--db ADDRESS, or --db-schema: daybook serve makes it"}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// withConnections returns the address of a database to which at most so many connections are made, unless it says so itself; 0: as it is.
func withConnections(address string, most int) string {
	const word = "pool_max_conns"
	switch {
	case most == 0 || strings.Contains(address, word):
		return address
	case !strings.Contains(address, "://"):
		return fmt.Sprintf("%s %s=%d", address, word, most)
	case strings.Contains(address, "?"):
		return fmt.Sprintf("%s&%s=%d", address, word, most)
	}
	return fmt.Sprintf("%s?%s=%d", address, word, most)
}

// What is typed to back up, and to restore, a log in PostgreSQL.
const (
	backupPostgres = "pg_basebackup -D DIR (with WAL archiving: to any point in time), or pg_dump -Fc -n daybook -f FILE DATABASE; keep the master key apart, and the high-water store where no restore reaches it"

	restorePostgres = "stop every node; pg_restore -d DATABASE FILE, never with the high-water store; daybook fsck; start: logs of which more was signed are frozen, and daybook recover lists them"
)
