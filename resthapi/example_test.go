package resthapi_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybookhttp"
	"github.com/daybook-audit/daybook/resthapi"
	"github.com/daybook-audit/daybook/storetest"
)

// An application that had rest-hapi's audit log wraps its router once.
func ExampleOptions() {
	book, err := daybook.Open(context.Background(), storetest.Memory(), daybook.Options{})
	if err != nil {
		log.Fatal(err)
	}
	clerk, err := daybook.NewClerk(book, daybook.ClerkOptions{Org: "org_acme"})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /hashtag/{_id}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"_id":"59eebc5f20cbfb49c6eae42f","text":"#coolhashtag"}`))
	})
	record := daybookhttp.Middleware(clerk, resthapi.Options(resthapi.Profile{
		// What authentication left in the request; the user's id stands at user._id.
		Credentials: func(*http.Request) any {
			return map[string]any{"user": map[string]any{"_id": "597242d4e14a710005d325b1"}}
		},
		Associations: map[string]string{"user/roles": "MANY_MANY"},
	}))

	r := httptest.NewRequestWithContext(context.Background(), "PUT", "/hashtag/59eebc5f20cbfb49c6eae42f", strings.NewReader(`{"text":"#coolhashtag"}`))
	record(mux).ServeHTTP(httptest.NewRecorder(), r)

	entry, err := book.EntryAt(context.Background(), "org_acme", 0)
	if err != nil {
		log.Fatal(err)
	}
	e, err := entry.Event()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Actor.ID, e.Action, e.Targets[0].ID)
	if err := book.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: 597242d4e14a710005d325b1 hashtag.update 59eebc5f20cbfb49c6eae42f
}
