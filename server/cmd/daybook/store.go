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

// openStore opens the store at address: a SQLite file. Drivers for other addresses are added here.
func openStore(_ context.Context, address string, o storeOptions) (store, error) {
	if scheme, _, ok := strings.Cut(address, "://"); ok {
		return nil, usage("--db: this version keeps its log in a SQLite file; it has no driver for %s://", scheme)
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
