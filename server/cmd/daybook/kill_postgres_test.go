//go:build linux

package main

import (
	"math/rand/v2"
	"testing"

	"github.com/daybook-audit/daybook/internal/pgtest"
)

// TestKillLoop_postgres is TestKillLoop with the store in PostgreSQL, which lives on: what the killed process had sent may be carried
// out after it, and its leases end by themselves.
func TestKillLoop_postgres(t *testing.T) {
	t.Parallel()
	cycles := 10
	if nightly {
		cycles = 2000
	}
	s := pgtest.Start(t, pgtest.Options{})
	base := ""
	killLoop(t, cycles, func(random *rand.Rand) *crash {
		c := newCrash(t, random, 8)
		base = s.Database(t)
		c.url = s.URL(base)
		return c
	})
	s.Run(t, "pg_amcheck", "--install-missing", "-d", base) // I8
}
