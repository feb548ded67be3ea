package apptest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybooksql"
	"github.com/daybook-audit/daybook/daybooktest"
)

var ada = daybook.Actor{Type: "user", ID: "ada"}

func paid(id string) daybook.Event {
	return daybook.Event{Action: "invoice.paid", Actor: ada, Targets: []daybook.Target{{Type: "invoice", ID: id}}}
}

// inTx runs f in a transaction of b.
func (b base) inTx(ctx context.Context, f func(ctx context.Context, tx daybook.Tx) error) error {
	return daybooksql.InTx(ctx, b.DB, b.d, nil, func(ctx context.Context, tx *sql.Tx) error { return f(ctx, daybooksql.Tx(tx, b.d)) })
}

// TestRecordTx: the event shares the fate of its transaction, and arrives as it was written.
func TestRecordTx(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		ctx := t.Context()
		r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		e := paid("1")
		e.Metadata = json.RawMessage(`{"amount":1234567890.12345678901234567890,"note":"ä 🙂 \\ '' \" %","api_key":"x"}`)
		e.Reason = "a?b$1"
		var id daybook.ID
		err := b.inTx(ctx, func(ctx context.Context, tx daybook.Tx) (err error) {
			if id, err = clerk.RecordTx(ctx, tx, e); err != nil {
				return err
			}
			daybooktest.RequireRecordedTx(t, tx, daybooktest.Match{Action: "invoice.paid", TargetID: "1"})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		undone := errors.New("undone")
		err = b.inTx(ctx, func(ctx context.Context, tx daybook.Tx) error {
			if _, err := clerk.RecordTx(ctx, tx, paid("2")); err != nil {
				return err
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatalf("the rollback returned %v", err)
		}
		if len(r.Events()) != 0 {
			t.Error("the log was told before the relay ran")
		}
		r.Advance(time.Minute)
		relay := daybook.NewRelay(b.outbox(), r, daybook.RelayOptions{Now: r.Now})
		want := daybook.RelayStats{OldestUnsent: time.Minute, Waiting: 1}
		if got, err := relay.Stats(ctx); err != nil || got != want {
			t.Errorf("stats %+v %v, want %+v", got, err, want)
		}
		if n, err := relay.Drain(ctx); n != 1 || err != nil {
			t.Fatalf("moved %d: %v", n, err)
		}
		want = daybook.RelayStats{}
		if got, err := relay.Stats(ctx); err != nil || got != want {
			t.Errorf("stats %+v %v, want %+v", got, err, want)
		}
		e.ID, e.Org, e.OccurredAt = id, "acme", time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
		e.Metadata = json.RawMessage(strings.Replace(string(e.Metadata), `"x"`, `{"$masked":true}`, 1))
		if diff := cmp.Diff([]daybook.Event{e}, r.Events()); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
	})
}

// TestRecordTx_refused: what the log would refuse never reaches the outbox.
func TestRecordTx_refused(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		_, clerk := daybooktest.New(t, daybook.ClerkOptions{Failure: []daybook.FailureRule{{Action: "*", Policy: daybook.FailOpen}}})
		reserved, nobody, wide := paid("1"), paid("1"), paid("1")
		reserved.Org, reserved.Action = "acme", "daybook.own"
		nobody.Org, nobody.Actor = "acme", daybook.Actor{}
		wide.Org = "a b"
		for _, e := range []daybook.Event{reserved, nobody, wide, paid("no org")} {
			err := b.inTx(t.Context(), func(ctx context.Context, tx daybook.Tx) error {
				if _, err := clerk.RecordTx(ctx, tx, e); err == nil {
					t.Errorf("%+v was taken", e)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := b.count(t, "SELECT COUNT(*) FROM daybook_outbox"); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

// TestRecordTx_failure: without an outbox a closed policy costs the transaction, an open one only the event.
func TestRecordTx_failure(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		ctx := t.Context()
		b.must(t, "CREATE TABLE invoices (id INTEGER)", "DROP TABLE daybook_outbox")
		_, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme", Failure: []daybook.FailureRule{{Action: "page.*", Policy: daybook.FailOpen}}})
		change := func(action string) error {
			return b.inTx(ctx, func(ctx context.Context, tx daybook.Tx) error {
				if _, err := tx.Exec(ctx, "INSERT INTO invoices VALUES (1)"); err != nil {
					return err
				}
				e := paid("1")
				e.Action = action
				if _, err := clerk.RecordTx(ctx, tx, e); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, "INSERT INTO invoices VALUES (2)")
				return err
			})
		}
		if err := change("invoice.paid"); err == nil {
			t.Error("it failed open")
		}
		if n := b.count(t, "SELECT COUNT(*) FROM invoices"); n != 0 || clerk.Stats().Lost != 0 {
			t.Errorf("%d rows after a closed failure, stats %+v", n, clerk.Stats())
		}
		if err := change("page.viewed"); err != nil {
			t.Error(err)
		}
		if n := b.count(t, "SELECT COUNT(*) FROM invoices"); n != 2 || clerk.Stats().Lost != 1 {
			t.Errorf("%d rows after an open failure, stats %+v", n, clerk.Stats())
		}
	})
}

// TestInTx_panic: a panic rolls back and goes on.
func TestInTx_panic(t *testing.T) {
	t.Parallel()
	onEach(t, func(b base) {
		t := b.t
		_, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "acme"})
		func() {
			defer func() {
				if p := recover(); p != "boom" {
					t.Errorf("recovered %v", p)
				}
			}()
			_ = b.outbox().InTx(t.Context(), func(ctx context.Context, tx daybook.Tx) error {
				if _, err := clerk.RecordTx(ctx, tx, paid("1")); err != nil {
					t.Error(err)
				}
				panic("boom")
			})
		}()
		if n := b.count(t, "SELECT COUNT(*) FROM daybook_outbox"); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
	if err := daybooksql.InTx(t.Context(), nil, "oracle", nil, nil); err == nil {
		t.Error("an unknown dialect was taken")
	}
}
