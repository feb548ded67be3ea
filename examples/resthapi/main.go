// Command resthapi is a small API of documents, as rest-hapi generates them, that records who changed what: one middleware, no line in
// any handler. It serves itself, makes a few requests and shows what GET /auditLog of Daybook says about them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/daybookhttp"
	"github.com/daybook-audit/daybook/resthapi"
)

const (
	org = "resthapi_example"
	ada = "5fcf88440bae5a2fbcd1eb30" // the user that signs in
	eve = "5fcf88440bae5a2fbcd1eb31" // the document that is changed
)

func main() {
	if err := run(os.Getenv("DAYBOOK_URL"), os.Getenv("DAYBOOK_KEY")); err != nil {
		log.Fatal(err)
	}
}

func run(url, key string) error {
	if url == "" {
		url = "http://127.0.0.1:8080"
	}
	recorder, err := client.New(client.Options{URL: url, Key: key, Org: org})
	if err != nil {
		return err
	}
	clerk, err := daybook.NewClerk(recorder, daybook.ClerkOptions{Org: org})
	if err != nil {
		return err
	}
	users := &documents{}
	app := httptest.NewServer(daybookhttp.Middleware(clerk, resthapi.Options(resthapi.Profile{
		Credentials: credentials, Before: users.before,
	}))(users.routes()))
	defer app.Close()

	for _, ask := range []struct{ method, path, body string }{
		{"POST", "/user", `{"email":"eve@example.com","password":"hunter2"}`},
		{"GET", "/user/" + eve, ""}, // reading is not recorded
		{"PUT", "/user/" + eve, `{"email":"eve@example.org"}`},
		{"DELETE", "/user/" + eve, ""},
	} {
		if _, err := send(ask.method, app.URL+ask.path, "ada", ask.body); err != nil {
			return err
		}
	}

	// What rest-hapi's own clients would ask: the whole query language of its list endpoints.
	answer, err := send("GET", url+"/auditLog?collectionName=user&$sort=date&$select=action,user,payload", key, "")
	if err != nil {
		return err
	}
	var list struct {
		Docs []struct {
			Action, User string
			Payload      any
		}
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return fmt.Errorf("read %s: %w", answer, err)
	}
	for _, doc := range list.Docs {
		payload, err := json.Marshal(doc.Payload)
		if err != nil {
			return err
		}
		fmt.Printf("%s by %s: %s\n", doc.Action, doc.User, payload)
	}
	return nil
}

// credentials is what authentication knows of a request: rest-hapi has it in request.auth.credentials.
func credentials(r *http.Request) any {
	if r.Header.Get("Authorization") == "Bearer ada" {
		return map[string]any{"user": map[string]any{"_id": ada}}
	}
	return nil
}

// documents is the database of the application.
type documents struct {
	mu    sync.Mutex
	users map[string]json.RawMessage
}

func (d *documents) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /user", func(w http.ResponseWriter, r *http.Request) {
		var doc map[string]any
		if json.NewDecoder(r.Body).Decode(&doc) != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		doc["_id"] = eve
		d.put(w, http.StatusCreated, doc)
	})
	mux.HandleFunc("GET /user/{id}", func(w http.ResponseWriter, r *http.Request) {
		doc, err := d.before(r, "user", r.PathValue("id"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(doc)
	})
	mux.HandleFunc("PUT /user/{id}", func(w http.ResponseWriter, r *http.Request) {
		var doc map[string]any
		if json.NewDecoder(r.Body).Decode(&doc) != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		doc["_id"] = r.PathValue("id")
		d.put(w, http.StatusOK, doc)
	})
	mux.HandleFunc("DELETE /user/{id}", func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.users, r.PathValue("id"))
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

func (d *documents) put(w http.ResponseWriter, status int, doc map[string]any) {
	text, err := json.Marshal(doc)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users == nil {
		d.users = map[string]json.RawMessage{}
	}
	d.users[eve] = text
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// before is the document as it stands, so that an event has the difference.
func (d *documents) before(_ *http.Request, _, id string) (json.RawMessage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	doc, ok := d.users[id]
	if !ok {
		return nil, fmt.Errorf("there is no user %s", id)
	}
	return doc, nil
}

func send(method, url, bearer, body string) ([]byte, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Daybook-Org", org)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer w.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(w.Body)
	if err == nil && w.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s: %s", method, url, w.Status, text)
	}
	return text, err
}
