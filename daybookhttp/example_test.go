package daybookhttp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybookhttp"
	"github.com/daybook-audit/daybook/storetest"
)

// The middleware stands around the router; a rule says what is recorded of which routes.
func ExampleMiddleware() {
	book, err := daybook.Open(context.Background(), storetest.Memory(), daybook.Options{})
	if err != nil {
		log.Fatal(err)
	}
	clerk, err := daybook.NewClerk(book, daybook.ClerkOptions{Org: "org_acme"})
	if err != nil {
		log.Fatal(err)
	}
	record := daybookhttp.Middleware(clerk, daybookhttp.Options{
		// From the session that authentication has checked, never from a header.
		Actor: func(*http.Request) (daybook.Actor, error) { return daybook.Actor{Type: "user", ID: "usr_7"}, nil },
		Rules: []daybookhttp.Rule{
			{Methods: []string{"PUT"}, Routes: []string{"/invoices/{id}"}, Level: daybookhttp.Request, Action: "invoice.updated"},
			{Methods: []string{"GET"}, Level: daybookhttp.None},
			{Level: daybookhttp.Metadata},
		},
	})
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /invoices/{id}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	})

	r := httptest.NewRequestWithContext(context.Background(), "PUT", "/invoices/42", strings.NewReader(`{"total":12,"card_number":"4111"}`))
	r.Header.Set("Content-Type", "application/json")
	record(mux).ServeHTTP(httptest.NewRecorder(), r)

	entry, err := book.EntryAt(context.Background(), "org_acme", 0)
	if err != nil {
		log.Fatal(err)
	}
	e, err := entry.Event()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Actor.ID, e.Action, e.Targets[0].ID, e.Context.HTTP.StatusCode, string(e.Context.HTTP.Request))
	if err := book.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: usr_7 invoice.updated 42 204 {"total":12,"card_number":{"$masked":true}}
}
