// Command crm is a small CRM with one audit log for all its entities: numbers that never change their meaning, the difference computed,
// the user's e-mail kept when the user is gone, and who acted in somebody else's name.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/crm"
)

const org = "crm_example"

// The enums of the application. They only grow, at the end: Open refuses to start when a number has changed its meaning.
const (
	leadCreate = 1
	leadUpdate = 2
	leadAssign = 3

	leadEntity = 1
)

var (
	actions  = crm.Enum{leadCreate: "lead.create", leadUpdate: "lead.update", leadAssign: "lead.assign_to_business"}
	entities = crm.Enum{leadEntity: "LeadEntity"}
)

type lead struct {
	ID     int    `json:"id"`
	Status string `json:"status"`
	Owner  int    `json:"owner,omitempty"`
}

func main() {
	if err := run(context.Background(), os.Getenv("DAYBOOK_URL"), os.Getenv("DAYBOOK_KEY")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url, key string) error {
	if url == "" {
		url = "http://127.0.0.1:8080"
	}
	server, err := client.New(client.Options{URL: url, Key: key, Org: org})
	if err != nil {
		return err
	}
	clerk, err := daybook.NewClerk(server, daybook.ClerkOptions{Org: org}) //nolint:contextcheck // it has no spool to adopt
	if err != nil {
		return err
	}
	table, err := crm.Open(ctx, clerk, server, org, actions, entities)
	if err != nil {
		return err
	}
	if _, err := crm.Open(ctx, clerk, server, org, crm.Enum{leadCreate: "lead.delete"}, entities); err != nil {
		fmt.Println("renumbered: refused at start")
	}

	ann, root := &crm.User{ID: "7", Email: "ann@example.com"}, &crm.User{ID: "1", Email: "root@example.com"}
	first, second := lead{ID: 1201, Status: "new"}, lead{ID: 1201, Status: "won", Owner: 7}
	for _, e := range []crm.Event{
		{Action: leadCreate, Current: first, User: ann},
		{Action: leadUpdate, Previous: first, Current: second, User: ann, ImpersonatedBy: root},
	} {
		e.EntityType, e.NumberIdentifier = leadEntity, "1201"
		if _, err := table.Record(ctx, e); err != nil {
			return err
		}
	}
	if err := table.UserDeleted(daybook.WithActor(ctx, daybook.System("crm:users")), "7"); err != nil {
		return err
	}

	list, _, err := table.List(ctx, crm.Filter{})
	if err != nil {
		return err
	}
	for _, e := range list {
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		var row struct {
			ActionName     string
			User           any
			UserEmail      string
			ImpersonatedBy *struct{ Email string }
			ChangedObjects struct{ Difference json.RawMessage }
		}
		if err := json.Unmarshal(text, &row); err != nil {
			return err
		}
		user, by := "a deleted user", ""
		if row.User != nil {
			user = fmt.Sprintf("user %v", row.User)
		}
		if row.ImpersonatedBy != nil {
			by = " through " + row.ImpersonatedBy.Email
		}
		fmt.Printf("%s: %s, %s%s: %s\n", row.ActionName, user, row.UserEmail, by, row.ChangedObjects.Difference)
	}
	return nil
}
