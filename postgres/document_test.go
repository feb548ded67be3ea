package postgres_test

import (
	"os"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/postgres"
)

// What docs/reference/postgres.md has the operator type makes two roles with which everything works.
func TestDocument_roles(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/reference/postgres.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for part := range strings.SplitSeq(string(page), "```sql\n") {
		if text, _, ok := strings.Cut(part, "```"); ok {
			blocks = append(blocks, text)
		}
	}
	if blocks = blocks[len(blocks)-2:]; !strings.Contains(blocks[0], "CREATE DATABASE") {
		t.Fatalf("the page has %q", blocks)
	}
	server := pgtest.Start(t, pgtest.Options{})
	for text := range strings.SplitSeq(strings.TrimSpace(blocks[0]), ";\n") {
		server.SQL(t, "postgres", text)
	}
	role := func(name string) string {
		return strings.Replace(server.URL("daybook"), "daybook@", name+"@", 1)
	}
	if s, err := postgres.Open(t.Context(), role("daybook_app"), postgres.Options{}); err == nil || !strings.Contains(err.Error(), "may not migrate the schema") {
		t.Errorf("before there is a store: %v, %v", s, err)
	}
	s, err := postgres.Open(t.Context(), role("daybook_owner"), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s, err := postgres.Open(t.Context(), role("daybook_app"), postgres.Options{}); err == nil || !strings.Contains(err.Error(), "may not look into the schema") {
		t.Errorf("before it was let in: %v, %v", s, err)
	}
	server.SQL(t, "daybook", blocks[1])
	if s, err = postgres.Open(t.Context(), role("daybook_app"), postgres.Options{}); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	b, err := daybook.Open(t.Context(), s, busy())
	if err != nil {
		t.Fatal(err)
	}
	event := []byte(`{"action":"invoice.paid","actor":{"type":"user","id":"1"}}`)
	if _, err := b.RecordJSON(t.Context(), "org", daybook.Request{Events: [][]byte{event}}); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
