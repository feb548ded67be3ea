package main

import (
	"context"
	"io"
	"path/filepath"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/sqlite"
)

// marks is an open high-water store.
type marks interface {
	daybook.HighWater
	io.Closer
}

// openMarks opens the high-water store of c, and makes it when there is none.
func openMarks(_ context.Context, c *config.Config) (marks, error) {
	if config.IsPostgres(marksAddress(c)) {
		return nil, usage("this version keeps its high-water store in a SQLite file alone: nothing can be signed over PostgreSQL")
	}
	m, err := sqlite.OpenHighWater(marksAddress(c))
	if err != nil {
		return nil, err
	}
	return m, nil
}

// findMarks is openMarks for whoever only looks: nil when there is none.
func findMarks(ctx context.Context, c *config.Config) (marks, error) {
	if address := marksAddress(c); !config.IsPostgres(address) && !isThere(address) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	return openMarks(ctx, c)
}

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
