package appsql_test

import (
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/internal/appsql"
)

// What the statements do is tested on the databases themselves, in internal/apptest.
func TestFor(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[string]string{
		appsql.SQLite:   "UPDATE daybook_outbox SET tries = ?, next_at = ?, dead = ?, fault = ? WHERE n = ?",
		appsql.MySQL:    "UPDATE daybook_outbox SET tries = ?, next_at = ?, dead = ?, fault = ? WHERE n = ?",
		appsql.Postgres: "UPDATE daybook_outbox SET tries = $1, next_at = $2, dead = $3, fault = $4 WHERE n = $5",
	} {
		s, err := appsql.For(dialect)
		if err != nil {
			t.Fatal(err)
		}
		if s.Refuse != want {
			t.Errorf("%s: %s", dialect, s.Refuse)
		}
		schema, err := appsql.Schema(dialect)
		if err != nil || !strings.HasSuffix(schema, ";\n") || strings.Count(schema, "CREATE TABLE IF NOT EXISTS") != 3 {
			t.Errorf("%s: %v\n%s", dialect, err, schema)
		}
	}
	s, err := appsql.For(appsql.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Waiting(2); !strings.HasSuffix(got, "next_at <= $1 AND org NOT IN ($2, $3) ORDER BY n LIMIT $4") {
		t.Errorf("waiting without two orgs: %s", got)
	}
	if got := s.Waiting(0); !strings.HasSuffix(got, "next_at <= $1 ORDER BY n LIMIT $2") {
		t.Errorf("waiting: %s", got)
	}
	if got := s.Sent(3); !strings.HasSuffix(got, "n IN ($1, $2, $3)") {
		t.Errorf("sent: %s", got)
	}
	if _, err := appsql.For("oracle"); err == nil {
		t.Error("an unknown dialect has statements")
	}
	if _, err := appsql.Schema("oracle"); err == nil {
		t.Error("an unknown dialect has tables")
	}
}
