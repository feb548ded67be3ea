// Command togo is a small blog that keeps an activity log with the calls of togo-framework/audit: only the import is another. It serves
// itself, changes a post, restores its first version and shows what the routes of the activity log say.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/daybook-audit/daybook"
	audit "github.com/daybook-audit/daybook/activity"
	"github.com/daybook-audit/daybook/client"
)

const org = "togo_example"

func main() {
	if err := run(os.Getenv("DAYBOOK_URL"), os.Getenv("DAYBOOK_KEY")); err != nil {
		log.Fatal(err)
	}
}

func run(url, key string) error {
	if url == "" {
		url = "http://127.0.0.1:8080"
	}
	server, err := client.New(client.Options{URL: url, Key: key, Org: org})
	if err != nil {
		return err
	}
	clerk, err := daybook.NewClerk(server, daybook.ClerkOptions{Org: org})
	if err != nil {
		return err
	}
	b := &blog{audit: audit.New(clerk, nil, server), post: map[string]any{"id": 42, "title": "Hello"}}
	app := httptest.NewServer(audit.MiddlewareOptions{Causer: session}.Wrap(b.routes()))
	defer app.Close()

	if _, err := send("PUT", app.URL+"/posts/42", `{"title":"Hello world"}`); err != nil {
		return err
	}
	text, err := send("GET", app.URL+"/api/audit/activity?subject_type=post&subject_id=42", "")
	if err != nil {
		return err
	}
	var acts []struct {
		Action  string          `json:"action"`
		Causer  string          `json:"causer_id"`
		Changes json.RawMessage `json:"changes"`
	}
	if err := json.Unmarshal(text, &acts); err != nil {
		return fmt.Errorf("read %s: %w", text, err)
	}
	for _, a := range acts {
		fmt.Printf("%s by %s: %s\n", a.Action, a.Causer, a.Changes)
	}
	text, err = send("POST", app.URL+"/posts/42/undo", "")
	if err != nil {
		return err
	}
	fmt.Printf("undone: %s\n", text)
	return nil
}

// blog is the application.
type blog struct {
	audit *audit.Activity
	post  map[string]any
	last  string // version before the last change
}

func (b *blog) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /posts/{id}", func(w http.ResponseWriter, r *http.Request) {
		after := maps.Clone(b.post)
		if err := json.NewDecoder(r.Body).Decode(&after); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		b.answer(w, b.change(r.Context(), r.PathValue("id"), after))
	})
	mux.HandleFunc("POST /posts/{id}/undo", func(w http.ResponseWriter, r *http.Request) {
		before, _, err := b.audit.Restore(r.Context(), b.last)
		if err == nil {
			err = b.change(r.Context(), r.PathValue("id"), before)
		}
		b.answer(w, err)
	})
	mux.Handle("/api/audit/", http.StripPrefix("/api/audit", requireLogin(b.audit.Handler())))
	return mux
}

// change keeps what was there, writes, and says what differs: the causer comes from the context.
func (b *blog) change(ctx context.Context, id string, after map[string]any) error {
	version, err := b.audit.Snapshot(ctx, "post", id, b.post, "")
	if err != nil {
		return err
	}
	if err := b.audit.LogChange(ctx, "updated", "post", id, "", b.post, after); err != nil {
		return err
	}
	b.post, b.last = after, version.EventID.String()
	return nil
}

func (b *blog) answer(w http.ResponseWriter, err error) {
	if err == nil {
		err = json.NewEncoder(w).Encode(b.post)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// session is the application's own authentication: who signed in, and not what a header claims.
func session(r *http.Request) (string, error) {
	if cookie, err := r.Cookie("session"); err == nil && cookie.Value == "of-ada" {
		return "ada", nil
	}
	return "", nil
}

func requireLogin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who, err := session(r); err != nil || who == "" {
			http.Error(w, `{"error":"unauthorized"}`, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func send(method, url, body string) ([]byte, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.AddCookie(&http.Cookie{Name: "session", Value: "of-ada"})
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer w.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(w.Body)
	text = []byte(strings.TrimSpace(string(text)))
	if err == nil && w.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s: %s", method, url, w.Status, text)
	}
	return text, err
}
