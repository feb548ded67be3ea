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
}

// checkDriver refuses an address that no driver is for. It shows no more of it than the scheme: there may be a password in it.
func checkDriver(address string) error {
	if scheme, _, ok := strings.Cut(address, "://"); ok {
		return usage("--db: this version keeps its log in a SQLite file; it has no driver for %s://", scheme)
	}
	return nil
}

// openStore opens the store at address: a SQLite file. Drivers for other addresses are added here.
func openStore(_ context.Context, address string, o storeOptions) (store, error) {
	if err := checkDriver(address); err != nil {
		return nil, err
	}
	if o.logger == nil {
		o.logger = slog.New(slog.DiscardHandler)
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
