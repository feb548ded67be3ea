package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
)

// A Client is a Recorder: a Clerk takes it as it takes a Book. It repeats what failed on the way, and the id that the Clerk gave the event
// keeps a repeat from being recorded twice.
func Example() {
	attempts := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if attempts++; attempts == 1 {
			w.WriteHeader(http.StatusServiceUnavailable) // the server is being restarted
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, oneReceipt)
	}))
	defer server.Close()

	c, err := client.New(client.Options{URL: server.URL, Key: "dbk_…"})
	if err != nil {
		log.Fatal(err)
	}
	clerk, err := daybook.NewClerk(c, daybook.ClerkOptions{Org: "org_acme"})
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := clerk.Record(context.Background(), daybook.Event{Action: "invoice.paid", Actor: daybook.System("cron:billing")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("recorded at", receipt.Seq, "in attempt", attempts)
	// Output: recorded at 48190 in attempt 2
}
