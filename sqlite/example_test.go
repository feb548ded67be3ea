package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
)

// A program that keeps its own log: open, record, find. The regions are quoted by the README and by docs/tutorials/embed-in-go.md.
func Example() {
	dir, err := os.MkdirTemp("", "daybook-example-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder in /tmp
	if err := program(context.Background(), filepath.Join(dir, "audit.db")); err != nil {
		fmt.Println(err)
	}
	// Output:
	// seq 0, duplicate false
	// 0 invoice.paid by Grace Hopper
	// 1 invoice.updated by Grace Hopper for PO 7781
	//   /amount "1200.00" -> "1450.00"
	//   /tax_id {"$masked":true} -> {"$masked":true}
}

// region: invoice
type invoice struct {
	ID     string `json:"id"`
	Amount string `json:"amount"`
	TaxID  string `daybook:"mask" json:"tax_id"` // that it changed, not what it is
}

// end: invoice

//nolint:errcheck // what was acknowledged is on disk: Close loses nothing
func program(ctx context.Context, path string) error {
	// region: open
	store, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	book, err := daybook.Open(ctx, store, daybook.Options{})
	if err != nil {
		return err
	}
	defer book.Close()
	clerk, err := daybook.NewClerk(book, daybook.ClerkOptions{Org: "org_acme"})
	if err != nil {
		return err
	}
	// end: open

	// region: record
	// Where the request is authenticated:
	ctx = daybook.WithActor(ctx, daybook.Actor{Type: "user", ID: "usr_7", Name: "Grace Hopper"})

	// Where the deed is done. A nil error means: it is on disk.
	receipt, err := clerk.Record(ctx, daybook.Event{
		Action:  "invoice.paid",
		Targets: []daybook.Target{{Type: "invoice", ID: "42", Name: "Invoice 42"}},
	})
	if err != nil {
		return err
	}
	fmt.Printf("seq %d, duplicate %t\n", receipt.Seq, receipt.Duplicate)
	// end: record

	// region: diff
	before := &invoice{ID: "42", Amount: "1200.00", TaxID: "DE1"}
	after := &invoice{ID: "42", Amount: "1450.00", TaxID: "DE2"}
	event, changed, err := daybook.Changed(daybook.Event{
		Action:  "invoice.updated",
		Targets: []daybook.Target{{Type: "invoice", ID: after.ID}},
	}, before, after, daybook.DiffOptions{})
	if err != nil {
		return err
	}
	if changed { // only then is there something to say
		if _, err := clerk.Record(daybook.WithReason(ctx, "PO 7781"), event); err != nil {
			return err
		}
	}
	// end: diff

	// region: find
	for entry, err := range book.Events(ctx, daybook.EventQuery{Org: "org_acme", Text: "target:invoice:42", Asc: true}) {
		if err != nil {
			return err
		}
		event, err := entry.Event()
		if err != nil {
			return err
		}
		fmt.Println(entry.Seq, event.Action, "by", event.Actor.Name+because(event.Reason))
		for _, c := range event.Changes {
			fmt.Printf("  %s %s -> %s\n", c.Path, value(c.Old), value(c.New))
		}
	}
	// end: find
	return nil
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " for " + reason
}

func value(v daybook.Value) string {
	text, err := v.MarshalJSON()
	if err != nil {
		return "?"
	}
	return string(text)
}
