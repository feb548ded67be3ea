package main

import (
	"bytes"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
)

// TestDamagedCommit: a server does not start on a commit that cannot be read, and every command that looks says which it is, whose
// entries it held, and what to do.
func TestDamagedCommit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "daybook.db")
	store, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	book, err := daybook.Open(t.Context(), store, daybook.Options{CursorKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	for _, org := range []daybook.OrgID{"org_a", "org_b", "org_a"} {
		if _, err := book.Record(t.Context(), org, daybook.Event{Action: "a.b", Actor: daybook.Actor{Type: "user", ID: "1"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := book.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	spoilCommit(t, path, 1)
	const which = "commit 1 of shard 0, which is not merged yet, cannot be read"
	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"serve", "--listen", "127.0.0.1:0"}, exitTampered, []string{"cannot serve: " + which, "daybook fsck", "docs/operations/damaged.md"}},
		{[]string{"fsck"}, exitTampered, []string{"FAILED  the store: commit_damaged: " + which, "FAILED  org_a entry 0: gap: entries 0 to 0 are missing"}},
		{[]string{"doctor"}, exitFailed, []string{which, "no server starts on it", "daybook fsck"}},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), append(c.args, "--db", path), strings.NewReader(""), &out, &errs, func(string) string { return "" })
		for _, text := range c.says {
			if said := out.String() + errs.String(); !strings.Contains(said, text) || code != c.code {
				t.Errorf("%v: exit %d, want %d, and %q in:\n%s", c.args, code, c.code, text, said)
			}
		}
	}
}

// spoilCommit flips a bit of a commit in the store at path, past the trigger that forbids it.
func spoilCommit(t *testing.T, path string, n int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	var trigger string
	var data []byte
	if err := db.QueryRowContext(t.Context(), "SELECT sql FROM sqlite_master WHERE name = 'commits_keep'").Scan(&trigger); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRowContext(t.Context(), "SELECT data FROM commits WHERE n = ?", n).Scan(&data); err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 4
	for _, x := range []struct {
		text string
		args []any
	}{{"DROP TRIGGER commits_keep", nil}, {"UPDATE commits SET data = ? WHERE n = ?", []any{data, n}}, {trigger, nil}} {
		if _, err := db.ExecContext(t.Context(), x.text, x.args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
