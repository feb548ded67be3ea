package crm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/crm"
	"github.com/daybook-audit/daybook/storetest"
)

// The constants of the application. They may only grow, at the end.
const (
	LeadUpdate = 1
	LeadAssign = 2

	Lead = 1
)

var exampleActions, exampleEntities = crm.Enum{LeadUpdate: "lead.update", LeadAssign: "lead.assign_to_business"}, crm.Enum{Lead: "LeadEntity"}

type leadRecord struct {
	ID     int    `json:"id"`
	Status string `json:"status"`
	Owner  int    `json:"owner,omitempty"`
}

func open() (*daybook.Book, *daybook.Clerk) {
	book, err := daybook.Open(context.Background(), storetest.Memory(), daybook.Options{})
	if err != nil {
		log.Fatal(err)
	}
	clerk, err := daybook.NewClerk(book, daybook.ClerkOptions{Org: "org_acme"})
	if err != nil {
		log.Fatal(err)
	}
	return book, clerk
}

// A constant that was changed since the last start stops this one.
func ExampleOpen() {
	ctx := context.Background()
	book, clerk := open()
	if _, err := crm.Open(ctx, clerk, book, "org_acme", exampleActions, exampleEntities); err != nil {
		log.Fatal(err)
	}
	_, err := crm.Open(ctx, clerk, book, "org_acme", crm.Enum{1: "lead.assign_to_business", 2: "lead.update"}, exampleEntities)
	fmt.Println(err)
	if err := book.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// open the audit log of org_acme: actions: value 1 is "lead.assign_to_business" and was "lead.update": a number is never reused or renamed
	// value 2 is "lead.update" and was "lead.assign_to_business": a number is never reused or renamed
}

// A test of the application compares its constants with those that were released.
func ExampleCheck() {
	released := crm.Enum{1: "lead.create", 2: "lead.update"}
	fmt.Println(crm.Check(released, crm.Enum{1: "lead.create", 2: "lead.update", 3: "lead.delete"}))
	fmt.Println(crm.Check(released, crm.Enum{1: "lead.create", 3: "lead.delete"}))
	// Output:
	// <nil>
	// value 2 ("lead.update") is missing: a value is never removed
}

// The difference shows the new values; what is gone is null.
func ExampleDifference() {
	difference, err := crm.Difference(json.RawMessage(`{"status":"new","phone":"1","score":1}`), json.RawMessage(`{"status":"won","score":1.0}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(difference))
	// Output: {"status":"won","phone":null}
}

// What the log has numbered, whoever appended it.
func ExampleReadRegistry() {
	ctx := context.Background()
	book, clerk := open()
	if _, err := crm.Open(ctx, clerk, book, "org_acme", exampleActions, exampleEntities); err != nil {
		log.Fatal(err)
	}
	r, err := crm.ReadRegistry(ctx, book, "org_acme", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Actions.Values(), r.Actions.Next())
	if err := book.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: [{1 lead.update} {2 lead.assign_to_business}] 3
}

// What differs is computed; who did it in somebody's name is recorded with it.
func ExampleTable_Record() {
	ctx := context.Background()
	book, clerk := open()
	table, err := crm.Open(ctx, clerk, book, "org_acme", exampleActions, exampleEntities)
	if err != nil {
		log.Fatal(err)
	}
	_, err = table.Record(ctx, crm.Event{
		Action: LeadUpdate, EntityType: Lead, NumberIdentifier: "1201",
		Previous: leadRecord{ID: 1201, Status: "new"}, Current: leadRecord{ID: 1201, Status: "won", Owner: 7},
		User: &crm.User{ID: "7", Email: "ann@example.com"}, ImpersonatedBy: &crm.User{ID: "1", Email: "root@example.com"},
	})
	if err != nil {
		log.Fatal(err)
	}
	entries, _, err := table.List(ctx, crm.Filter{EntityType: []string{"LeadEntity"}, NumberIdentifier: []string{"1201"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range entries {
		fmt.Println(*e.Action, e.ActionName, string(e.ChangedObjects.Difference), *e.UserEmail, "by", *e.ImpersonatedBy.Email)
	}
	if err := book.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: 1 lead.update {"status":"won","owner":7} ann@example.com by root@example.com
}

// The history of one record, and of one user.
func ExampleTable_List() {
	ctx := context.Background()
	book, clerk := open()
	table, err := crm.Open(ctx, clerk, book, "org_acme", exampleActions, exampleEntities)
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range []string{"7", "8"} {
		_, err := table.Record(ctx, crm.Event{Action: LeadAssign, EntityType: Lead, NumberIdentifier: "1201", User: &crm.User{ID: user}})
		if err != nil {
			log.Fatal(err)
		}
	}
	for _, f := range []crm.Filter{{NumberIdentifier: []string{"1201"}}, {User: "8", Action: []string{"2"}}} {
		entries, _, err := table.List(ctx, f)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(len(entries), ":")
		for _, e := range entries {
			fmt.Print(" ", string(e.User))
		}
		fmt.Println()
	}
	if err := book.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2: 8 7
	// 1: 8
}

// The deletion of a user is itself in the log; entries of the user keep the e-mail and the actor's id.
func ExampleTable_UserDeleted() {
	ctx := daybook.WithActor(context.Background(), daybook.System("accounts"))
	book, clerk := open()
	table, err := crm.Open(ctx, clerk, book, "org_acme", exampleActions, exampleEntities)
	if err != nil {
		log.Fatal(err)
	}
	_, err = table.Record(ctx, crm.Event{
		Action: LeadAssign, EntityType: Lead, NumberIdentifier: "1201", User: &crm.User{ID: "7", Email: "ann@example.com"},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := table.UserDeleted(ctx, "7"); err != nil {
		log.Fatal(err)
	}
	entries, _, err := table.List(ctx, crm.Filter{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(entries[0].User), *entries[0].UserEmail, entries[0].ActorID)
	if err := book.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: null ann@example.com 7
}
