package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybooksql"
	"github.com/daybook-audit/daybook/sqlite"
)

// An application with a database of its own: the event commits with the change that it reports, and every state of a thing is kept. The
// regions are quoted by docs/tutorials/embed-in-go.md.
func Example_sameTransaction() {
	dir, err := os.MkdirTemp("", "daybook-example-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder in /tmp
	if err := shop(context.Background(), dir); err != nil {
		fmt.Println(err)
	}
	// Output:
	// moved 1
	// invoice.paid by Grace Hopper
	// 2 by Grace Hopper
	// 1 by Grace Hopper
	// /amount "1450.00" -> "1200.00"; hidden [/tax_id]
	// 3 restores 1
}

//nolint:errcheck // an example
func shop(ctx context.Context, dir string) error {
	store, err := sqlite.Open(filepath.Join(dir, "audit.db"), sqlite.Options{})
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
	ctx = daybook.WithActor(ctx, daybook.Actor{Type: "user", ID: "usr_7", Name: "Grace Hopper"})

	// region: tables
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "shop.db")+"?_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	for statement := range strings.SplitSeq(daybook.OutboxSchema(daybook.SQLite), ";\n") { // or one of your migrations
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	// end: tables
	if _, err := db.ExecContext(ctx, "CREATE TABLE invoices (id TEXT PRIMARY KEY, amount TEXT, tax_id TEXT, paid INT)"); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO invoices VALUES ('42', '1200.00', 'DE1', 0)"); err != nil {
		return err
	}

	// region: transaction
	err = daybooksql.InTx(ctx, db, daybook.SQLite, nil, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE invoices SET paid = 1 WHERE id = ?", "42"); err != nil {
			return err
		}
		_, err := clerk.RecordTx(ctx, daybooksql.Tx(tx, daybook.SQLite), daybook.Event{
			Action: "invoice.paid", Targets: []daybook.Target{{Type: "invoice", ID: "42"}},
		})
		return err
	})
	// end: transaction
	if err != nil {
		return err
	}

	// region: relay
	relay := daybook.NewRelay(daybooksql.DB(db, daybook.SQLite), book, daybook.RelayOptions{})
	moved, err := relay.Drain(ctx) // a server has: go relay.Run(ctx)
	if err != nil {
		return err
	}
	fmt.Println("moved", moved)
	// end: relay
	entry, err := book.EntryAt(ctx, "org_acme", 0)
	if err != nil {
		return err
	}
	event, err := entry.Event()
	if err != nil {
		return err
	}
	fmt.Println(event.Action, "by", event.Actor.Name)
	return versions(ctx, db, clerk)
}

func versions(ctx context.Context, db *sql.DB, clerk *daybook.Clerk) error {
	// region: save
	invoices := daybook.NewHistory[invoice](clerk, daybooksql.DB(db, daybook.SQLite), "invoice", daybook.HistoryOptions{})
	for last, amount := range []string{"1200.00", "1450.00"} {
		err := daybooksql.InTx(ctx, db, daybook.SQLite, nil, func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "UPDATE invoices SET amount = ? WHERE id = ?", amount, "42"); err != nil {
				return err
			}
			_, err := invoices.Save(ctx, daybooksql.Tx(tx, daybook.SQLite), "42", &invoice{ID: "42", Amount: amount, TaxID: "DE1"}, int64(last))
			return err
		})
		if err != nil {
			return err
		}
	}
	for v, err := range invoices.All(ctx, "42") {
		if err != nil {
			return err
		}
		fmt.Println(v.Number, "by", v.Actor.Name)
	}
	// end: save

	// region: restore
	plan, err := invoices.Plan(ctx, "42", 1)
	if err != nil {
		return err
	}
	for _, c := range plan.Changes {
		fmt.Printf("%s %s -> %s; hidden %v\n", c.Path, c.Old.Raw(), c.New.Raw(), plan.Masked)
	}
	return daybooksql.InTx(ctx, db, daybook.SQLite, nil, func(ctx context.Context, tx *sql.Tx) error {
		v, err := invoices.Restore(ctx, daybooksql.Tx(tx, daybook.SQLite), "42", 1, func(ctx context.Context, old *invoice) error {
			row := tx.QueryRowContext(ctx, "SELECT tax_id FROM invoices WHERE id = ?", "42") // what is hidden stays as it is
			if err := row.Scan(&old.TaxID); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "UPDATE invoices SET amount = ? WHERE id = ?", old.Amount, "42")
			return err
		})
		if err != nil {
			return err
		}
		fmt.Println(v.Number, "restores", v.RestoredFrom)
		return nil
	})
	// end: restore
}
