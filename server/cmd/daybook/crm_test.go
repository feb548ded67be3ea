package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/crm"
)

// TestCRMOverHTTP: package crm works the same over a server as over a Book, and what a program and the HTTP profile number is one
// numbering.
func TestCRMOverHTTP(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "daybook.db")
	secret, errs, code := runHere(t, "", "key", "create", "--db", db, "--org", "org_acme", "--scopes", "record,read")
	if code != 0 {
		t.Fatal(errs)
	}
	s := serve(t, nil, "--db", db)
	c, err := client.New(client.Options{URL: s.url, Key: strings.TrimSpace(secret), Org: "org_acme"})
	if err != nil {
		t.Fatal(err)
	}
	clerk, err := daybook.NewClerk(c, daybook.ClerkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := daybook.WithActor(t.Context(), daybook.System("crm"))
	actions, entities := crm.Enum{1: "lead.create", 20: "lead.update"}, crm.Enum{1: "LeadEntity"}
	for range 2 {
		if _, err := crm.Open(ctx, clerk, c, "org_acme", actions, entities); err != nil {
			t.Fatal(err)
		}
	}
	actions[22] = "lead.skipped"
	if _, err := crm.Open(ctx, clerk, c, "org_acme", actions, entities); err == nil || !strings.Contains(err.Error(), "must be 21") {
		t.Errorf("a number was skipped: %v", err)
	}
	delete(actions, 22)
	actions[21] = "lead.delete"
	table, err := crm.Open(ctx, clerk, c, "org_acme", actions, entities)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		_, err := table.Record(ctx, crm.Event{
			Action: 20, EntityType: 1, NumberIdentifier: "1201", Previous: map[string]any{"n": n, "token": "s3cret"}, Current: map[string]any{"n": n + 1, "token": "s3cret"},
			User: &crm.User{ID: "7", Email: "ann@example.com"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := table.UserDeleted(ctx, "7"); err != nil {
		t.Fatal(err)
	}
	seen, cursor := 0, ""
	for {
		entries, next, err := table.List(ctx, crm.Filter{Action: []string{"lead.update"}, Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			seen++
			if string(e.User) != "null" || *e.UserEmail != "ann@example.com" || *e.Action != 20 || strings.Contains(string(e.ChangedObjects.Previous), "s3cret") {
				t.Errorf("%+v", e)
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if seen != 3 {
		t.Errorf("%d entries", seen)
	}
	// The HTTP profile goes on where the program stopped.
	for request, want := range map[string]string{
		"GET /v1/crm/enums/actions":                              `{"data":[{"value":1,"name":"lead.create"},{"value":20,"name":"lead.update"},{"value":21,"name":"lead.delete"}]}`,
		"GET /v1/crm/entries?user=7&changed=n&action=20&limit=1": `"difference":{"n":3}`,
	} {
		if status, _, answer := axios(t, s.url, request, strings.TrimSpace(secret), ""); status != 200 || !bytes.Contains(answer, []byte(want)) {
			t.Errorf("%s: %d %s", request, status, answer)
		}
	}
	if status, _, answer := axios(t, s.url, "POST /v1/crm/enums/actions", strings.TrimSpace(secret), `{"name":"lead.merge"}`); status != 201 || string(answer) != `{"value":22,"name":"lead.merge"}` {
		t.Errorf("%d %s", status, answer)
	}
	s.end(errTerminated)
}
