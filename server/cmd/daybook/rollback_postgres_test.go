//go:build linux

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/internal/pgtest"
)

// TestRollback_postgres restores an older dump of the database, with the high-water store of now in another one: the log is frozen,
// nothing is recorded, and `daybook recover` lets it go on in a new epoch.
func TestRollback_postgres(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{})
	base, marks := s.Database(t), s.Database(t)
	key := filepath.Join(t.TempDir(), "master.key")
	flags := []string{"--db", s.URL(base), "--highwater", s.URL(marks), "--origin", crashOrigin, "--master-key-file", key}
	secret, errs, code := runHere(t, "", "key", "create", "--db", s.URL(base), "--all-orgs", "--scopes", "record,read,export,manage,operate")
	if code != 0 {
		t.Fatalf("key create: exit %d: %s", code, errs)
	}
	do := func(url string, args ...string) (string, int) {
		t.Helper()
		var out bytes.Buffer
		vars := map[string]string{"DAYBOOK_SERVER": url, "DAYBOOK_API_KEY": strings.TrimSpace(secret), "DAYBOOK_ORG": "org_acme"}
		code := run(t.Context(), args, strings.NewReader(""), &out, &out, func(name string) string { return vars[name] })
		return out.String(), code
	}
	must := func(want int, words, url string, args ...string) {
		t.Helper()
		if out, code := do(url, args...); code != want || !strings.Contains(out, words) {
			t.Errorf("%s: exit %d, want %d and %q:\n%s", strings.Join(args, " "), code, want, words, out)
		}
	}
	during := func(what func(url string)) {
		t.Helper()
		server := serve(t, map[string]string{"DAYBOOK_AUDIT_READS": "off"}, flags...)
		what(server.url)
		if code := server.end(errTerminated); code != exitTerminated {
			t.Errorf("exit %d", code)
		}
	}
	during(func(url string) { must(0, "", url, "record", "a.first", "--actor", "user:1") })
	dump := filepath.Join(s.Folder(), "dump")
	s.Run(t, "pg_dump", "-Fc", "-n", "daybook", "-f", dump, base)
	during(func(url string) {
		must(0, "", url, "record", "a.lost", "--actor", "user:1")
		must(0, crashOrigin, url, "checkpoint", "get")
	})
	s.SQL(t, base, "DROP SCHEMA daybook CASCADE")
	s.Run(t, "pg_restore", "-d", base, dump)

	store := flags[:4]
	must(exitTampered, "FAILED  org_acme", "", append([]string{"fsck"}, store...)...)
	during(func(url string) {
		must(exitFailed, "frozen", url, "record", "a.third", "--actor", "user:1")
		must(0, "a.first", url, "events")
	})
	must(exitTampered, "FROZEN  org_acme", "", append([]string{"recover"}, flags...)...)
	must(0, "org_acme is in epoch 1", "", append([]string{"recover", "--new-epoch", "--yes", "--reason", "restored"}, flags...)...)
	during(func(url string) { must(0, "", url, "record", "a.third", "--actor", "user:1") })
	must(0, "everything agrees", "", append([]string{"fsck"}, store...)...)
}
