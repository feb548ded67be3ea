package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/sqlite"
)

// marks is an open high-water store.
type marks interface {
	daybook.HighWater
	io.Closer
}

// openMarks opens the high-water store of c, and makes it when there is none.
func openMarks(ctx context.Context, c *config.Config) (marks, error) {
	return marksOf(ctx, c, postgres.HighWaterOptions{})
}

// findMarks is openMarks for whoever only looks: nil when there is none.
func findMarks(ctx context.Context, c *config.Config) (marks, error) {
	if address := marksAddress(c); !config.IsPostgres(address) && !isThere(address) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	m, err := marksOf(ctx, c, postgres.HighWaterOptions{ReadOnly: true, MustExist: true})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // as above
	}
	return m, err
}

func marksOf(ctx context.Context, c *config.Config, o postgres.HighWaterOptions) (marks, error) {
	address := marksAddress(c)
	if !config.IsPostgres(address) {
		m, err := sqlite.OpenHighWater(address)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	o.Logger, o.Timeout, o.PasswordFile = slog.New(slog.DiscardHandler), c.DBTimeout, c.HighWaterPasswordFile
	if c.HighWater == "" { // beside the log, in a schema named after its own
		o.Schema, o.PasswordFile = c.DBSchema+"_highwater", c.DBPasswordFile
	}
	m, err := postgres.OpenHighWater(ctx, withConnections(address, marksConnections), o)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// marksConnections are enough for a node to move marks: it signs one log after the other.
const marksConnections = 4

// marksAddress is where the high-water store is. It may hold a password: show marksShown.
func marksAddress(c *config.Config) string {
	switch {
	case c.HighWater != "":
		return c.HighWater
	case c.OnPostgres():
		return c.DB
	}
	return filepath.Join(filepath.Dir(c.DB), "highwater.db")
}

func marksShown(c *config.Config) string { return config.MaskAddress(marksAddress(c)) }
