package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/sqlite"
)

// TestScrub: what a table holds twice, since rows of it were removed, it holds once afterwards; nothing happens by accident, and nothing
// is made where there is no store.
func TestScrub(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	name := server.Database(t)
	url := server.URL(name)
	daybook := func(args ...string) (code int, out, errs string) {
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), append([]string{"scrub"}, args...), strings.NewReader(""), &stdout, &stderr, func(string) string { return "" })
		return code, stdout.String(), stderr.String()
	}
	if code, _, errs := daybook("--db", url, "--yes"); code != exitUsage || !strings.Contains(errs, "there is no store") {
		t.Errorf("no store: exit %d, %s", code, errs)
	}
	s, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { // it is open meanwhile, as a server has it
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	server.SQL(t, name, `INSERT INTO daybook.documents (kind, org, id, version, data) SELECT 'x', 'o', i::text, 1, convert_to(repeat(md5(i::text), 100), 'UTF8') FROM generate_series(1, 500) i;
		DELETE FROM daybook.documents WHERE id <> '7'`)
	if code, out, errs := daybook("--db", url); code != exitUsage || out != "" || !strings.Contains(errs, "add --yes") {
		t.Errorf("not confirmed: exit %d, %s%s", code, out, errs)
	}
	list := func(args ...string) map[string]scrubRow {
		code, out, errs := daybook(append(args, "--db", url, "-o", "ndjson")...)
		if code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, errs)
		}
		rows := map[string]scrubRow{}
		for d := json.NewDecoder(strings.NewReader(out)); ; {
			var row scrubRow
			err := d.Decode(&row)
			if errors.Is(err, io.EOF) {
				return rows
			}
			if err != nil {
				t.Fatal(err)
			}
			rows[row.Table] = row
		}
	}
	planned, done := list("--dry-run"), list("--yes")
	if len(planned) < 20 || len(planned) != len(done) {
		t.Errorf("%d tables planned, %d written", len(planned), len(done))
	}
	was, is := planned["documents"], done["documents"]
	if was.After != nil || is.After == nil || is.Before != was.Before || *is.After > is.Before/2 {
		t.Errorf("documents: planned %+v, written %+v", was, is)
	}
	if got := server.SQL(t, name, "SELECT count(*) FROM daybook.documents WHERE kind = 'x'"); strings.TrimSpace(got) != "1" {
		t.Errorf("%s rows are left", got)
	}
}

// A store in a file is scrubbed when no server has it open.
func TestScrub_file(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "daybook.db")
	daybook := func(args ...string) (code int, errs string) {
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), append([]string{"scrub", "--db", path}, args...), strings.NewReader(""), &stdout, &stderr, func(string) string { return "" })
		return code, stderr.String()
	}
	if code, errs := daybook(); code != exitUsage || !strings.Contains(errs, "there is no store") {
		t.Errorf("no store: exit %d, %s", code, errs)
	}
	s, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if code, errs := daybook(); code != exitFailed {
		t.Errorf("in use: exit %d, %s", code, errs)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if code, errs := daybook("--dry-run"); code != 0 || !strings.Contains(errs, "would be") {
		t.Errorf("dry run: exit %d, %s", code, errs)
	}
	if code, errs := daybook(); code != 0 || !strings.Contains(errs, "nothing that was removed is in the files") {
		t.Errorf("exit %d, %s", code, errs)
	}
}
