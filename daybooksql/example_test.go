package daybooksql_test

import (
	"context"
	"database/sql"
	"log"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybooksql"
)

// pay stands for the application.
func pay(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "UPDATE invoices SET paid = true WHERE id = $1", 42)
	return err
}

// The change and its event commit or roll back together; a relay moves the event on.
func Example() {
	var db *sql.DB           // the application's, opened with any driver
	var clerk *daybook.Clerk // over a *daybook.Book or a *client.Client
	var book daybook.Recorder
	ctx := daybook.WithActor(context.Background(), daybook.Actor{Type: "user", ID: "7"})

	err := daybooksql.InTx(ctx, db, daybook.Postgres, nil, func(ctx context.Context, tx *sql.Tx) error {
		if err := pay(ctx, tx); err != nil {
			return err
		}
		_, err := clerk.RecordTx(ctx, daybooksql.Tx(tx, daybook.Postgres), daybook.Event{
			Action: "invoice.paid", Targets: []daybook.Target{{Type: "invoice", ID: "42"}},
		})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := daybook.NewRelay(daybooksql.DB(db, daybook.Postgres), book, daybook.RelayOptions{}).Run(ctx); err != nil {
			log.Print(err)
		}
	}()
}
