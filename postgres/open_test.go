package postgres_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
)

// connect returns a connection of the test's own, in schema.
func connect(tb testing.TB, schema string) *pgx.Conn {
	tb.Helper()
	c, err := pgx.Connect(tb.Context(), server.url+" search_path="+schema)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close(tb.Context()) })
	return c
}

func run(tb testing.TB, c *pgx.Conn, text string, args ...any) {
	tb.Helper()
	if _, err := c.Exec(tb.Context(), text, args...); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
}

// Many processes that open a store which is not there make it once.
func TestOpen_together(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			s, err := postgres.Open(t.Context(), server.url, postgres.Options{Schema: schema, Shards: 4})
			if err != nil {
				t.Error(err)
				return
			}
			if s.Shards() != 4 {
				t.Errorf("%d shards", s.Shards())
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestOpen_refuses(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, url string, o postgres.Options, words string) error {
		t.Helper()
		s, err := postgres.Open(t.Context(), url, o)
		if err == nil {
			_ = s.Close()
			t.Fatal("it opened")
		}
		if !strings.Contains(err.Error(), words) {
			t.Errorf("error %q does not say %q", err, words)
		}
		return err
	}
	t.Run("a newer schema, and writes nothing", func(t *testing.T) {
		t.Parallel()
		schema := newSchema(t)
		if err := openStore(t, schema, postgres.Options{}).Close(); err != nil {
			t.Fatal(err)
		}
		c := connect(t, schema)
		run(t, c, "INSERT INTO versions (version) VALUES (99)")
		if err := refused(t, server.url, postgres.Options{Schema: schema}, "99"); !errors.Is(err, daybook.ErrNewer) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("a server that loses what it acknowledged", func(t *testing.T) {
		t.Parallel()
		_ = refused(t, server.url+" search_path=lying_settings,pg_catalog", postgres.Options{Schema: lyingSettings(t)}, "fsync = off")
	})
	t.Run("a server that is not there, without its password", func(t *testing.T) {
		t.Parallel()
		err := refused(t, "postgres://daybook:hunter2@127.0.0.1:1/postgres?connect_timeout=2", postgres.Options{}, "127.0.0.1")
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in %q", err)
		}
	})
	t.Run("an address that cannot be read, without its password", func(t *testing.T) {
		t.Parallel()
		err := refused(t, "postgres://daybook:hunter2@[::1/postgres", postgres.Options{}, "address")
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in %q", err)
		}
	})
	for name, o := range map[string]postgres.Options{
		"65 shards":                  {Shards: 65},
		"a schema of the server":     {Schema: "pg_daybook"},
		"a schema with a quote":      {Schema: `a"b`},
		"a schema longer than names": {Schema: strings.Repeat("s", 64)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_ = refused(t, server.url, o, "open store")
		})
	}
}

// lyingSettings makes a schema in which the server says that fsync is off; search_path finds it before the server's own.
func lyingSettings(t *testing.T) string {
	t.Helper()
	c := connect(t, "public")
	run(t, c, "CREATE SCHEMA lying_settings")
	t.Cleanup(func() {
		if _, err := c.Exec(t.Context(), "DROP SCHEMA lying_settings CASCADE"); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	run(t, c, `CREATE FUNCTION lying_settings.current_setting(name text) RETURNS text LANGUAGE sql AS
		$$ SELECT CASE name WHEN 'fsync' THEN 'off' ELSE pg_catalog.current_setting(name) END $$`)
	return "lying"
}

// A server whose synchronous_commit is off is used, with a warning: every commit asks for its own fsync.
func TestOpen_warns(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s, err := postgres.Open(t.Context(), server.url+" synchronous_commit=off", postgres.Options{Schema: newSchema(t), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "synchronous_commit is off") {
		t.Errorf("the log says %q", log.String())
	}
}

// The tables refuse by themselves what no program of ours does.
func TestTriggers(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	s := openStore(t, schema, postgres.Options{Shards: 1})
	b, err := daybook.Open(t.Context(), s, daybook.Options{Origin: "audit.example.com", MasterKey: make([]byte, 32), HighWater: busy().HighWater})
	if err != nil {
		t.Fatal(err)
	}
	record := func(n int) {
		t.Helper()
		for i := range n {
			text := fmt.Appendf(nil, `{"action":"invoice.paid","actor":{"type":"user","id":"%d"}}`, i)
			if _, err := b.RecordJSON(t.Context(), "org", daybook.Request{Events: [][]byte{text}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	record(10)
	if err := b.Settle(t.Context()); err != nil { // into a block
		t.Fatal(err)
	}
	if _, err := b.Checkpoint(t.Context(), "org"); err != nil {
		t.Fatal(err)
	}
	record(1) // stays a commit
	c := connect(t, schema)
	for _, text := range []string{
		"UPDATE commits SET raw = 0",
		"DELETE FROM commits",
		"UPDATE shards SET last = last - 1",
		"UPDATE shards SET signed = 0",
		"DELETE FROM shards",
		"UPDATE heads SET packed = packed - 1",
		"UPDATE heads SET org = 'other'",
		"DELETE FROM heads",
		"UPDATE blocks SET live = 0",
		"DELETE FROM blocks",
		"UPDATE block_data SET data = ''",
		"DELETE FROM block_data",
		"UPDATE checkpoints SET note = ''",
		"DELETE FROM checkpoints",
	} {
		done, err := c.Exec(t.Context(), text)
		if err == nil || !strings.Contains(err.Error(), "daybook: ") {
			t.Errorf("%s: %v, %v", text, done, err)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	report, err := daybook.Fsck(t.Context(), s, daybook.FsckOptions{})
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("fsck: %+v, %v", report.Findings, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// ReadOnly and MustExist open a store that is there, and make none.
func TestOpen_existing(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	for _, o := range []postgres.Options{{Schema: schema, ReadOnly: true}, {Schema: schema, MustExist: true}} {
		if s, err := postgres.Open(t.Context(), server.url, o); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%+v: %v, %v", o, s, err)
		}
	}
	w := openStore(t, schema, postgres.Options{Shards: 1})
	heads, err := w.Heads(t.Context(), []daybook.OrgID{"org"}, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := openStore(t, schema, postgres.Options{MustExist: true}).Close(); err != nil {
		t.Error(err)
	}
	r := openStore(t, schema, postgres.Options{ReadOnly: true}) // beside the one that writes
	if got, err := r.Logs(t.Context(), 0, 9); err != nil || len(got) != 1 || got[0].Log != heads[0].Log {
		t.Errorf("%+v, %v", got, err)
	}
	c := &daybook.Commit{Bytes: make([]byte, 24)}
	_, made := r.Heads(t.Context(), []daybook.OrgID{"other"}, true)
	_, epoch := r.NewEpoch(t.Context(), heads[0].Log)
	_, put := r.Put(t.Context(), daybook.Document{Kind: "kind", ID: "id"})
	for name, err := range map[string]error{
		"Append": r.Append(t.Context(), c), "Heads": made, "NewEpoch": epoch, "Put": put,
		"Trim": r.Trim(t.Context(), 0, 0, 0), "Replace": r.Replace(t.Context(), nil), "CloseLogs": r.CloseLogs(t.Context(), "org"),
	} {
		if !errors.Is(err, postgres.ErrReadOnly) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, s := range []*postgres.Store{w, r} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
