package postgres_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/postgres"
)

// What was replaced, trimmed and deleted is in no table's file after a Rewrite, and what is there still is.
func TestRewrite(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	url := server.New(t)
	server.SQL(t, "test_1", "CREATE ROLE serves LOGIN")
	owner, err := postgres.Open(t.Context(), url, postgres.Options{Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, owner)
	server.SQL(t, "test_1", "SELECT daybook.let_serve('serves')")
	for name, s := range map[string]*postgres.Store{"owner": owner, "serves": nil} {
		if s == nil {
			if s, err = postgres.Open(t.Context(), url+"&user=serves", postgres.Options{}); err != nil {
				t.Fatal(err)
			}
			shut(t, s)
		}
		secret := []byte("the secret of " + name + ", which is long enough to be found")
		log := headOf(t, s, daybook.OrgID(name))
		fold := log
		fold.Packed = 3
		with := func(gen int32, body []byte) daybook.Block {
			return daybook.Block{BlockMeta: daybook.BlockMeta{BlockRef: daybook.BlockRef{Gen: gen}, N: 3, Facets: body}, Bytes: bytes.Repeat(body, 100)}
		}
		kept := []byte("what is kept of " + name + ", and can be found")
		tail, err := s.Tail(t.Context(), 0, 1<<40, 1)
		if err != nil {
			t.Fatal(err)
		}
		c := commitOf(0, tail.Last, 24)
		c.Bytes = append(c.Bytes, bytes.Repeat(secret, 100)...)
		for _, err := range []error{
			s.Append(t.Context(), c),
			s.Replace(t.Context(), []daybook.Swap{{Log: log.Log, In: []daybook.Block{with(1, secret)}, Fold: &fold}}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		server.SQL(t, "test_1", "CHECKPOINT")
		if found := search(t, server, secret); len(found) == 0 {
			t.Fatal("the secret is in no file: nothing was tested")
		}
		for _, err := range []error{
			s.Replace(t.Context(), []daybook.Swap{{Log: log.Log, Out: []daybook.BlockRef{{Gen: 1}}, In: []daybook.Block{with(2, kept)}}}),
			s.Trim(t.Context(), 0, tail.Last+1, 0),
			s.Scrub(t.Context()),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		rewriteAll(t, s)
		server.SQL(t, "test_1", "CHECKPOINT")
		if found := search(t, server, secret); len(found) > 0 {
			t.Errorf("%s: the secret is in %v", name, found)
		}
		if found := search(t, server, kept); len(found) == 0 {
			t.Errorf("%s: what is kept is in no file", name)
		}
		if got, err := s.Read(t.Context(), log.Log, []daybook.BlockRef{{Gen: 2}}); err != nil || !bytes.Contains(got[0], kept) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// rewriteAll rewrites s after a dry run, which changes nothing and names the same tables.
func rewriteAll(t *testing.T, s *postgres.Store) {
	t.Helper()
	planned, err := s.Rewrite(t.Context(), postgres.RewriteOptions{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	var told []postgres.Rewritten
	done, err := s.Rewrite(t.Context(), postgres.RewriteOptions{Progress: func(r postgres.Rewritten) { told = append(told, r) }})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(done, told); diff != "" || len(planned) != len(done) || len(done) < 16 {
		t.Errorf("%d planned, %d done: %s", len(planned), len(done), diff)
	}
	for i := range planned {
		if planned[i].Table != done[i].Table || planned[i].Before == 0 || planned[i].After != 0 || done[i].After == 0 {
			t.Errorf("planned %+v, done %+v", planned[i], done[i])
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	some, err := s.Rewrite(stopped, postgres.RewriteOptions{Progress: func(postgres.Rewritten) { stop() }})
	if len(some) != 1 || err == nil {
		t.Errorf("stopped after one: %d, %v", len(some), err)
	}
}

// search returns the files of the database, but for the write-ahead log, that hold text.
func search(t *testing.T, server *pgtest.Server, text []byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(server.Data(), "base"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		file, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // it was removed meanwhile
		}
		if bytes.Contains(file, text) {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
