package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/daybookhttp"
	"github.com/daybook-audit/daybook/resthapi"
)

// TestRestHapiApplication: the request of rest-hapi's documentation goes through an application with the profile, over the network into
// the server, and out of the door with every field that rest-hapi would have stored.
func TestRestHapiApplication(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "daybook.db")
	key, errs, code := runHere(t, "", "key", "create", "--db", db, "--org", "org_acme", "--scopes", "record,read", "--labels", "Admin,User")
	if code != exitDone {
		t.Fatal(errs)
	}
	key = strings.TrimSpace(key)
	s := serve(t, map[string]string{"DAYBOOK_RESTHAPI_AUDIT_LOG_SCOPE": "+Admin"}, "--db", db)
	c, err := client.New(client.Options{URL: s.url, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	clerk, err := daybook.NewClerk(c, daybook.ClerkOptions{Org: "org_acme"})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		switch r.Method + " " + r.URL.Path {
		case "POST /hashtag":
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `[{"text":"#coolhashtag","_id":"59eebc5f20cbfb49c6eae42f"},{"text":"#notsocool","_id":"59eebc5f20cbfb49c6eae430"}]`)
		case "PUT /user/u1/roles/r1":
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"statusCode":403,"error":"Forbidden","message":"Insufficient scope"}`)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	app := daybookhttp.Middleware(clerk, resthapi.Options(resthapi.Profile{
		Associations: map[string]string{"user/roles": "MANY_MANY"},
		Credentials: func(*http.Request) any {
			return map[string]any{"user": map[string]any{"_id": "597242d4e14a710005d325b1"}}
		},
	}))(mux)
	for _, request := range []string{
		`POST /hashtag [{"text":"#coolhashtag"},{"text":"#notsocool"}]`, `PUT /user/u1/roles/r1 {"rank":1}`, `PATCH /user/u1 {"password":"hunter2"}`, `GET /user/u1`,
	} {
		method, rest, _ := strings.Cut(request, " ")
		path, body, _ := strings.Cut(rest, " ")
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = "127.0.0.1:4711"
		app.ServeHTTP(httptest.NewRecorder(), r)
	}
	status, _, answer := axios(t, s.url, "GET /auditLog?$sort=_id", key, "")
	var page struct{ Docs []map[string]any }
	if err := json.Unmarshal(answer, &page); err != nil || status != 200 || len(page.Docs) != 3 {
		t.Fatalf("%d %s", status, answer)
	}
	for i := range page.Docs {
		for _, name := range []string{"_id", "date"} {
			if page.Docs[i][name] == nil {
				t.Errorf("document %d has no %s", i, name)
			}
			delete(page.Docs[i], name)
		}
	}
	var want []map[string]any
	if err := json.Unmarshal([]byte(`[
	{"notes":null,"ipAddress":"127.0.0.1","method":"POST","action":"Create","endpoint":"/hashtag","collectionName":"hashtag","statusCode":201,"isError":false,"responseMessage":null,
	 "result":[{"text":"#coolhashtag","_id":"59eebc5f20cbfb49c6eae42f"},{"text":"#notsocool","_id":"59eebc5f20cbfb49c6eae430"}],"params":null,"payload":[{"text":"#coolhashtag"},{"text":"#notsocool"}],
	 "documents":["59eebc5f20cbfb49c6eae42f","59eebc5f20cbfb49c6eae430"],"associationType":null,"childCollectionName":null,"user":"597242d4e14a710005d325b1"},
	{"notes":null,"ipAddress":"127.0.0.1","method":"PUT","action":"Add","endpoint":"/user/u1/roles/r1","collectionName":"user","statusCode":403,"isError":true,"responseMessage":"Insufficient scope",
	 "result":{"statusCode":403,"error":"Forbidden","message":"Insufficient scope"},"params":{"ownerId":"u1","childId":"r1"},"payload":{"rank":1},
	 "documents":["u1","r1"],"associationType":"MANY_MANY","childCollectionName":"roles","user":"597242d4e14a710005d325b1"},
	{"notes":null,"ipAddress":"127.0.0.1","method":"PUT","action":"Update","endpoint":"/user/u1","collectionName":"user","statusCode":204,"isError":false,"responseMessage":null,
	 "result":null,"params":{"_id":"u1"},"payload":{"password":{"$masked":true}},"documents":["u1"],"associationType":null,"childCollectionName":null,"user":"597242d4e14a710005d325b1"}]`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, page.Docs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.end(errTerminated)
}
