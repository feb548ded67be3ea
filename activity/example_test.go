package activity_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/daybook-audit/daybook"
	audit "github.com/daybook-audit/daybook/activity"
	"github.com/daybook-audit/daybook/storetest"
)

// userKey is where the tests' authentication puts the user.
type userKey struct{}

func contextWithUser(r *http.Request, id string) context.Context {
	return context.WithValue(r.Context(), userKey{}, id)
}

// A program opens a book and makes one Activity; New takes the application's database, too, for snapshots in its own transactions.
func Example() {
	ctx := context.Background()
	book, err := daybook.Open(ctx, storetest.Memory(), daybook.Options{})
	if err != nil {
		log.Fatal(err)
	}
	clerk, err := daybook.NewClerk(book, daybook.ClerkOptions{Org: "org_acme"})
	if err != nil {
		log.Fatal(err)
	}
	a := audit.New(clerk, nil, book)

	before, after := map[string]any{"title": "Hello"}, map[string]any{"title": "Hello world"}
	version, err := a.Snapshot(ctx, "post", "42", before, "u1")
	if err != nil {
		log.Fatal(err)
	}
	if err := a.LogChange(ctx, "updated", "post", "42", "u1", before, after); err != nil {
		log.Fatal(err)
	}
	acts, err := a.Activity(ctx, audit.Filter{SubjectType: "post", SubjectID: "42"})
	if err != nil {
		log.Fatal(err)
	}
	event, err := acts[0].Event()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(acts), event.Action, event.Actor.ID, event.Changes[0].Path)

	data, ver, err := a.Restore(daybook.WithActor(ctx, daybook.Actor{Type: "user", ID: "u2"}), version.EventID.String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ver.Number, data["title"]) // the program applies data, and logs its own change
	if err := book.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 post.updated u1 /title
	// 1 Hello
}

// The routes stand behind the application's own authentication, and the middleware says who acts.
func ExampleActivity_Handler() {
	var a *audit.Activity // as made above
	requireLogin := func(next http.Handler) http.Handler { return next }
	currentUserID := func(*http.Request) (string, error) { return "u1", nil }

	mux := http.NewServeMux()
	mux.Handle("/api/audit/", http.StripPrefix("/api/audit", requireLogin(a.Handler())))
	app := audit.MiddlewareOptions{Causer: currentUserID}.Wrap(mux)
	_ = http.Server{Addr: "127.0.0.1:8000", Handler: app}
}
