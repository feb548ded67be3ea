package daybook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// A program opens a store once, such as that of package sqlite, and hands a Clerk to the code that has something to record.
func ExampleClerk() {
	ctx := context.Background()
	book, err := daybook.Open(ctx, storetest.Memory(), daybook.Options{})
	if err != nil {
		log.Fatal(err)
	}
	clerk, err := daybook.NewClerk(book, daybook.ClerkOptions{Org: "org_acme"})
	if err != nil {
		log.Fatal(err)
	}

	// Where the request is authenticated:
	ctx = daybook.WithActor(ctx, daybook.Actor{Type: "user", ID: "usr_7", Name: "Grace Hopper"})

	// Where the deed is done:
	receipt, err := clerk.Record(ctx, daybook.Event{
		Action: "invoice.paid", Targets: []daybook.Target{{Type: "invoice", ID: "42"}},
		Metadata: json.RawMessage(`{"plan":"pro","card_token":"tok_1"}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	entry, err := book.EntryAt(ctx, receipt.Org, receipt.Seq)
	if err != nil {
		log.Fatal(err)
	}
	event, err := entry.Event()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Seq, event.Actor.Name, event.Action, event.Targets[0].ID, string(event.Metadata))
	if err := book.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: 0 Grace Hopper invoice.paid 42 {"plan":"pro","card_token":{"$masked":true}}
}

// Do records how an operation ended.
func ExampleClerk_Do() {
	ctx := context.Background()
	book, err := daybook.Open(ctx, storetest.Memory(), daybook.Options{})
	if err != nil {
		log.Fatal(err)
	}
	clerk, err := daybook.NewClerk(book, daybook.ClerkOptions{Org: "org_acme"})
	if err != nil {
		log.Fatal(err)
	}
	deletion := daybook.Event{Action: "invoice.deleted", Actor: daybook.System("cron:cleanup")}
	err = clerk.Do(ctx, deletion, func(context.Context) error {
		return &daybook.Error{Code: daybook.CodeForbidden, Message: "the invoice is on hold"}
	})
	fmt.Println(err)
	entry, err := book.EntryAt(ctx, "org_acme", 0)
	if err != nil {
		log.Fatal(err)
	}
	event, err := entry.Event()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.Outcome, event.Error.Code, event.Error.Message)
	if err := book.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// the invoice is on hold
	// denied forbidden the invoice is on hold
}

func ExampleDiff() {
	type invoice struct {
		Amount  string `json:"amount"`
		Note    string `json:"note,omitempty"`
		TaxID   string `daybook:"mask"         json:"tax_id"`
		Version int    `daybook:"quiet"        json:"version"`
	}
	old := &invoice{Amount: "1200.00", Note: "net 30", TaxID: "DE1", Version: 1}
	changes, err := daybook.Diff(old, &invoice{Amount: "1450.00", TaxID: "DE2", Version: 2}, daybook.DiffOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range changes {
		text, err := json.Marshal(c)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(text))
	}
	// Output:
	// {"path":"/amount","old":"1200.00","new":"1450.00"}
	// {"path":"/note","old":"net 30","new":""}
	// {"path":"/tax_id","old":{"$masked":true},"new":{"$masked":true}}
	// {"path":"/version","old":1,"new":2}
}
