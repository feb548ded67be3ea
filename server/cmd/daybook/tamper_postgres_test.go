//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/postgres"
)

// inPostgres is a database for each folder.
type inPostgres struct{ *pgtest.Server }

func (in inPostgres) address(_ *tampered, folder string) string { return in.URL(folder) }

func (in inPostgres) copy(x *tampered, from, to string) {
	x.t.Helper()
	in.SQL(x.t, "postgres", fmt.Sprintf("CREATE DATABASE %q TEMPLATE %q", to, from))
}

// asSuperuser is a superuser whom no trigger holds up.
const asSuperuser = "SET session_replication_role = replica; SET search_path = daybook; "

func (in inPostgres) update(x *tampered, folder string, text byDriver) {
	x.t.Helper()
	if n := in.SQL(x.t, folder, asSuperuser+"WITH changed AS ("+text.postgres+" RETURNING 1) SELECT count(*) FROM changed"); n == "0" {
		x.t.Errorf("%s changes nothing", text.postgres)
	}
}

// replace begins with a copy of seed, goes on with the other history, and brings what is signed over from base.
func (in inPostgres) replace(x *tampered, folder string, acts []told) {
	x.t.Helper()
	in.SQL(x.t, "postgres", fmt.Sprintf("DROP DATABASE %q", folder))
	in.copy(x, "seed", folder)
	s, err := postgres.Open(x.t.Context(), in.URL(folder), postgres.Options{})
	if err != nil {
		x.t.Fatal(err)
	}
	x.forge(s, acts)
	signed := filepath.Join(in.Folder(), folder+".sql")
	in.Run(x.t, "pg_dump", "-a", "-t", "daybook.checkpoints", "-t", "daybook.documents", "-t", "daybook_highwater.marks", "-t", "daybook_highwater.removals", "-f", signed, "base")
	in.Run(x.t, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", folder,
		"-c", asSuperuser+"TRUNCATE checkpoints, documents, daybook_highwater.marks, daybook_highwater.removals",
		"-f", signed)
}

// TestTamperMatrix_postgres is TestTamperMatrix with the store in PostgreSQL, and a superuser for a DBA.
func TestTamperMatrix_postgres(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{})
	s.SQL(t, "postgres", "CREATE DATABASE base")
	tamperMatrix(t, inPostgres{s})
}
