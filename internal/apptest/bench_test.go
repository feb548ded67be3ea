package apptest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybooksql"
	"github.com/daybook-audit/daybook/daybooktest"
)

// BenchmarkAppend is what a store driver does for each group commit, durable on return: raise the shard's row, insert the commit of 32 KiB
// and 64 keys. It is for the decision about MySQL (docs/adr).
func BenchmarkAppend(b *testing.B) {
	blob := map[daybook.Dialect]string{daybook.SQLite: "BLOB", daybook.Postgres: "bytea", daybook.MySQL: "LONGBLOB"}
	durable := map[daybook.Dialect]string{
		daybook.SQLite: "PRAGMA synchronous=FULL", daybook.Postgres: "SET synchronous_commit=on", daybook.MySQL: "SET GLOBAL innodb_flush_log_at_trx_commit=1",
	}
	for d, open := range kinds {
		b.Run(string(d), func(b *testing.B) {
			db := open(b)
			defer db.Close() //nolint:errcheck // of a benchmark
			db.SetMaxOpenConns(1)
			for _, text := range []string{
				durable[d], "CREATE TABLE shard (no INT PRIMARY KEY, last BIGINT)", "INSERT INTO shard VALUES (1, 0)",
				"CREATE TABLE commits (no BIGINT PRIMARY KEY, body " + blob[d] + ")", "CREATE TABLE refs (k CHAR(32) PRIMARY KEY, c BIGINT)",
			} {
				if _, err := db.ExecContext(b.Context(), text); err != nil {
					b.Fatal(err)
				}
			}
			body := bytes.Repeat([]byte("0123456789abcdef"), 2048)
			for n := 0; b.Loop(); n++ {
				if err := appendCommit(b.Context(), db, d, n, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func appendCommit(ctx context.Context, db *sql.DB, d daybook.Dialect, n int, body []byte) error {
	var keys []string
	for i := range 64 {
		keys = append(keys, fmt.Sprintf("('%032x', %d)", uint64(n*64+i)*0x9e3779b97f4a7c15, n))
	}
	insert := "INSERT INTO commits VALUES (?, ?)"
	if d == daybook.Postgres {
		insert = "INSERT INTO commits VALUES ($1, $2)"
	}
	return daybooksql.InTx(ctx, db, d, nil, func(ctx context.Context, tx *sql.Tx) error {
		_, raised := tx.ExecContext(ctx, fmt.Sprintf("UPDATE shard SET last = last + 1 WHERE no = 1 AND last = %d", n))
		_, inserted := tx.ExecContext(ctx, insert, n, body)
		_, keyed := tx.ExecContext(ctx, "INSERT INTO refs VALUES "+strings.Join(keys, ", "))
		return errors.Join(raised, inserted, keyed)
	})
}

// BenchmarkRecordTx is what an event costs inside a transaction of the application, and BenchmarkRelay what it takes to move it on.
func BenchmarkRecordTx(b *testing.B) {
	for d, open := range kinds {
		b.Run(string(d), func(b *testing.B) {
			db, clerk := outboxOf(b, d, open(b))
			err := db.InTx(b.Context(), func(ctx context.Context, tx daybook.Tx) error {
				for b.Loop() {
					if _, err := clerk.RecordTx(ctx, tx, paid("1")); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkRelay moves a batch of 256 events each time.
func BenchmarkRelay(b *testing.B) {
	for d, open := range kinds {
		b.Run(string(d), func(b *testing.B) {
			r, _ := daybooktest.New(b, daybook.ClerkOptions{})
			db, clerk := outboxOf(b, d, open(b))
			relay := daybook.NewRelay(db, r, daybook.RelayOptions{Now: r.Now})
			for b.Loop() {
				b.StopTimer()
				err := db.InTx(b.Context(), func(ctx context.Context, tx daybook.Tx) error {
					for range 256 {
						if _, err := clerk.RecordTx(ctx, tx, paid("1")); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if n, err := relay.Drain(b.Context()); n != 256 || err != nil {
					b.Fatalf("moved %d: %v", n, err)
				}
			}
			b.ReportMetric(256*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// outboxOf makes the tables in db, and a clerk.
func outboxOf(b *testing.B, d daybook.Dialect, db *sql.DB) (daybook.OutboxDB, *daybook.Clerk) {
	b.Helper()
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	for s := range strings.SplitSeq(daybook.OutboxSchema(d), ";\n") {
		if s == "" {
			continue
		}
		if _, err := db.ExecContext(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
	clerk, err := daybook.NewClerk(nobodysLog{}, daybook.ClerkOptions{Org: "acme"})
	if err != nil {
		b.Fatal(err)
	}
	return daybooksql.DB(db, d), clerk
}

// nobodysLog is a Recorder that nothing is recorded with.
type nobodysLog struct{ daybook.Recorder }
