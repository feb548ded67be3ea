package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// TestWhoLooked: somebody makes keys, one with and one without a server, starts and stops it with other settings, and looks at the
// log. The logs say so.
func TestWhoLooked(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "daybook.db")
	cli := func(vars map[string]string, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, nil, &out, &errs, func(name string) string { return vars[name] }); code != 0 {
			t.Fatalf("daybook %s: exit %d: %s", strings.Join(args, " "), code, &errs)
		}
		return strings.TrimSpace(out.String())
	}
	key := cli(nil, "key", "create", "--db", db, "--all-orgs", "--name", "root", "--scopes", "record,read,manage,operate")
	serve := func(flags map[string]string) (*Main, map[string]string) {
		t.Helper()
		c, settings, err := config.Load(config.Sources{LookupEnv: func(name string) (string, bool) { v, ok := flags[name]; return v, ok }, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		c.DB, c.Listen = db, "127.0.0.1:0"
		m := &Main{Config: c, Settings: settings, Logger: loggerFor(t), Now: time.Now}
		if err := m.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return m, map[string]string{"DAYBOOK_SERVER": m.URL, "DAYBOOK_API_KEY": key, "DAYBOOK_ORG": "org_acme"}
	}
	stop := func(m *Main) {
		t.Helper()
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	secret := strings.Repeat("s3cret", 5)
	m, vars := serve(map[string]string{"DAYBOOK_BOOTSTRAP_KEY": secret})
	cli(vars, "record", "invoice.paid", "--actor", "user:1", "--target", "invoice:42")
	auditor := cli(vars, "key", "create", "--name", "auditor", "--org", "org_acme", "--scopes", "read")
	vars["DAYBOOK_API_KEY"] = auditor
	for range 3 {
		cli(vars, "events", "target:invoice:42")
	}
	stop(m)
	m, vars = serve(map[string]string{"DAYBOOK_AUDIT_READS": "off", "DAYBOOK_RATE_LIMIT": "50"})
	defer stop(m)

	type event struct {
		Action   string
		Actor    struct{ Name, ID string }
		Metadata struct {
			Query       string
			Rows, Views int
		}
		Changes []struct{ Path, Old, New string }
	}
	list := func(org string) (events []event) {
		t.Helper()
		vars["DAYBOOK_ORG"] = org
		text := cli(vars, "events", "action:daybook.*", "--asc", "-o", "ndjson")
		if strings.Contains(text, "dbk_") || strings.Contains(text, secret) {
			t.Errorf("the log of %s holds a secret: %s", org, text)
		}
		for line := range strings.Lines(text) {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			events = append(events, e)
		}
		return events
	}
	var actions []string
	for _, e := range list("org_acme") {
		actions = append(actions, e.Action+" by "+e.Actor.Name)
		if e.Action == "daybook.log.viewed" && (e.Metadata.Query != "target:invoice:42" || e.Metadata.Rows != e.Metadata.Views) {
			t.Errorf("the look is described as %+v", e.Metadata)
		}
	}
	want := []string{"daybook.key.created by root", "daybook.log.viewed by auditor", "daybook.log.viewed by auditor"}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Errorf("org_acme:\n%s", diff)
	}
	actions = nil
	var changed []string
	for _, e := range list("daybook:instance") {
		actions = append(actions, e.Action)
		for _, c := range e.Changes {
			changed = append(changed, c.Path+": "+c.Old+" → "+c.New)
		}
	}
	want = []string{"daybook.key.created", "daybook.server.started", "daybook.org.created", "daybook.server.stopped", "daybook.config.changed", "daybook.server.started"}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Errorf("the instance:\n%s", diff)
	}
	if i := slices.IndexFunc(changed, func(s string) bool { return strings.HasPrefix(s, "/bootstrap_key") }); i < 0 {
		t.Errorf("the key of the configuration is gone, and nothing says so: %q", changed)
	} else {
		changed = slices.Delete(changed, i, i+1)
	}
	if diff := cmp.Diff([]string{"/audit_reads: debounced → off", "/rate_limit: 0 → 50"}, changed); diff != "" {
		t.Errorf("what was changed:\n%s", diff)
	}
}

// The server's own check of its store leaves an event of what it read, and one of the place where it does not agree.
func TestVerifyStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "store", "daybook.db")
	if err := os.Mkdir(filepath.Dir(db), 0o700); err != nil {
		t.Fatal(err)
	}
	c, settings, err := config.Load(config.Sources{LookupEnv: func(string) (string, bool) { return "", false }, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c.DB, c.Listen, c.BootstrapKey = db, "127.0.0.1:0", ""
	start := func() *Main {
		m := &Main{Config: c, Settings: settings, Logger: loggerFor(t), Now: time.Now}
		if err := m.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := start()
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	event := []byte(`{"action":"a.b","actor":{"type":"user","id":"1"}}`)
	if _, err := m.book.RecordJSON(t.Context(), "org_acme", daybook.Request{Events: [][]byte{event, event}}); err != nil {
		t.Fatal(err)
	}
	if err := m.verifyStore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.book.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	inSQLite{}.update(&tampered{t: t, dir: dir}, "store", byDriver{sqlite: `UPDATE block_data SET data = zeroblob(length(data)) WHERE k = (SELECT max(k) FROM block_data)`})
	if err := m.verifyStore(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for e, err := range m.book.Events(t.Context(), daybook.EventQuery{Org: control.Instance, Text: "action:daybook.integrity.*", Asc: true}) {
		if err != nil {
			t.Fatal(err)
		}
		x, err := e.Event()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, x.Action+" "+x.Targets[0].Type+":"+x.Targets[0].ID+" "+string(x.Outcome))
	}
	want := []string{"daybook.integrity.verified instance:instance success", "daybook.integrity.failed log:org_acme failure"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
