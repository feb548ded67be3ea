package daybooktest_test

import (
	"context"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybooktest"
)

// pay stands for the application.
func pay(ctx context.Context, clerk *daybook.Clerk, invoice string) error {
	_, err := clerk.Record(ctx, daybook.Event{Action: "invoice.paid", Targets: []daybook.Target{{Type: "invoice", ID: invoice}}})
	return err
}

// TestPay is the example, run.
func TestPay(t *testing.T) {
	t.Parallel()
	r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "org_acme"})
	ctx := daybook.WithActor(t.Context(), daybook.Actor{Type: "user", ID: "7"})
	if err := pay(ctx, clerk, "42"); err != nil {
		t.Fatal(err)
	}
	daybooktest.RequireRecorded(t, r, daybooktest.Match{Action: "invoice.paid", ActorID: "7", TargetID: "42"})
}

// A test of an application gives it a Clerk that keeps its events in memory, and asks for them afterwards.
func Example() {
	t := new(testing.T) // that of the test
	r, clerk := daybooktest.New(t, daybook.ClerkOptions{Org: "org_acme"})
	ctx := daybook.WithActor(t.Context(), daybook.Actor{Type: "user", ID: "7"})
	if err := pay(ctx, clerk, "42"); err != nil {
		t.Fatal(err)
	}
	daybooktest.RequireRecorded(t, r, daybooktest.Match{Action: "invoice.paid", ActorID: "7", TargetID: "42"})
}
