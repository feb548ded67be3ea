package resthapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/resthapi"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/doortest"
	"github.com/daybook-audit/daybook/storetest"
)

type fixture struct {
	*doortest.Base
	t    testing.TB
	door *resthapi.Door
	mux  *http.ServeMux
	key  string // of org_acme, may read and record
}

func newFixture(t testing.TB, s resthapi.Settings, change ...func(*resthapi.Deps)) *fixture {
	t.Helper()
	clock := storetest.ClockAt(time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.UTC))
	f := &fixture{Base: doortest.New(t, clock, storetest.Memory(), daybook.Options{}, auth.Options{}), t: t, mux: http.NewServeMux()}
	deps := resthapi.Deps{Book: f.Book, Auth: f.Auth, Orgs: f.Orgs, Now: f.Now, Settings: s}
	for _, c := range change {
		c(&deps)
	}
	f.door = resthapi.New(deps)
	for _, route := range f.door.Routes() {
		f.mux.HandleFunc(route.Method+" "+route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			if admitted := route.Admit(w, r); admitted != nil {
				route.Handler(w, admitted, body)
			}
		})
	}
	f.key = f.NewKey(control.NewKey{Org: "org_acme", Scopes: []string{"read", "record"}})
	return f
}

// ask sends a request with the key of org_acme; header may replace it.
func (f *fixture) ask(method, target, body string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+f.key)
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	return w
}

// post records and returns the answer.
func (f *fixture) post(body string) string {
	f.t.Helper()
	w := f.ask("POST", "/auditLog", body)
	if w.Code != http.StatusCreated {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// page is an answer to GET /auditLog.
type page struct {
	Docs  []map[string]any
	Pages struct {
		Current, Prev, Next, Total int64
		HasPrev, HasNext           bool
	}
	Items struct{ Limit, Begin, End, Total int64 }
}

// list asks for documents. The parameters are given as they are typed, and escaped here.
func (f *fixture) list(params ...string) page {
	f.t.Helper()
	w := f.ask("GET", "/auditLog?"+escaped(params...), "")
	var p page
	if w.Code != http.StatusOK {
		f.t.Fatalf("%v: %d %s", params, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		f.t.Fatalf("%v: %v: %s", params, err, w.Body)
	}
	return p
}

func escaped(params ...string) string {
	var parts []string
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		parts = append(parts, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	return strings.Join(parts, "&")
}

// notes lists the notes of the documents found: tests write into them which is which.
func (f *fixture) notes(params ...string) string {
	f.t.Helper()
	var list []string
	for _, d := range f.list(params...).Docs {
		n, _ := d["notes"].(string)
		list = append(list, n)
	}
	return strings.Join(list, " ")
}

// example is the document in rest-hapi's documentation of audit logs.
const example = `{
      "_id": "59eebc5f20cbfb49c6eae431",
      "notes": null,
      "ipAddress": "127.0.0.1",
      "method": "POST",
      "action": "Create",
      "endpoint": "/hashtag",
      "collectionName": "hashtag",
      "statusCode": 201,
      "isError": false,
      "responseMessage": null,
      "result": [
        {
          "isDeleted": false,
          "createdAt": "2017-10-24T04:06:55.824Z",
          "text": "#coolhashtag",
          "_id": "59eebc5f20cbfb49c6eae42f"
        },
        {
          "isDeleted": false,
          "createdAt": "2017-10-24T04:06:55.824Z",
          "text": "#notsocool",
          "_id": "59eebc5f20cbfb49c6eae430"
        }
      ],
      "params": null,
      "payload": [
        {
          "text": "#coolhashtag"
        },
        {
          "text": "#notsocool"
        }
      ],
      "documents": [
        "59eebc5f20cbfb49c6eae42f",
        "59eebc5f20cbfb49c6eae430"
      ],
      "associationType": null,
      "childCollectionName": null,
      "user": "597242d4e14a710005d325b1",
      "date": "2017-10-24T01:17:43.177Z"
}`

// The example of the documentation goes in and comes out, member for member.
func TestExampleOfTheDocumentation(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	got := f.post(example)
	var want, is any
	if json.Unmarshal([]byte(example), &want) != nil || json.Unmarshal([]byte(got), &is) != nil {
		t.Fatal(got)
	}
	if diff := cmp.Diff(want, is); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	doortest.Golden(t, "example", got+"\n"+f.ask("GET", "/auditLog", "").Body.String()+"\n")
	for _, id := range []string{"59eebc5f20cbfb49c6eae431", "59EEBC5F20CBFB49C6EAE431", "evt_01bx68zmrrfzya1jzv973ens1h"} {
		if w := f.ask("GET", "/auditLog/"+id, ""); w.Code != 200 || w.Body.String() != got {
			t.Errorf("%s: %d %s", id, w.Code, w.Body)
		}
	}
	// Audit logs can be queried against the same as any other generated endpoint.
	for _, params := range [][]string{
		{"collectionName=hashtag"},
		{"method=POST", "action=Create"},
		{"user=597242d4e14a710005d325b1"},
		{"documents=59eebc5f20cbfb49c6eae42f"},
		{"documents=59eebc5f20cbfb49c6eae430", "statusCode=201", "isError=false"},
		{"date=2017-10-24T01:17:43.177Z"},
		{"date=1508807863177"},
		{"payload.text=#notsocool"},
		{"result.0._id=59eebc5f20cbfb49c6eae42f"},
		{"$text=coolhashtag"},
		{"$term=HASH"},
		{"$term=^/hash", "$searchFields=endpoint"},
		{"ipAddress=127.0.0.1"},
		{"endpoint=/hashtag"},
		{"_id=59eebc5f20cbfb49c6eae431"},
		{`$where={"statusCode":{"$gte":200,"$lt":300}}`},
		{"$from=2017-10-24", "$to=2017-10-25"},
		{"$q=actor:597242d4e14a710005d325b1"},
		{`payload=[{"text":"#coolhashtag"},{"text":"#notsocool"}]`},
	} {
		if p := f.list(params...); p.Items.Total != 1 || len(p.Docs) != 1 {
			t.Errorf("%v finds %d", params, p.Items.Total)
		}
	}
}

// A document without an _id gets one that stands for second and place.
func TestOwnID(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	got := f.post(`{"action":"Import","collectionName":"hashtag","documents":["59eebc5f20cbfb49c6eae42f"],"user":"597242d4e14a710005d325b1","notes":"nightly import","isError":false}`)
	doortest.Golden(t, "created", got+"\n")
	if !strings.Contains(got, `"_id":"695735a50000000000000000"`) {
		t.Errorf("the first _id is in %s", got)
	}
	if w := f.ask("GET", "/auditLog/695735a50000000000000000", ""); w.Code != 200 || w.Body.String() != got {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask("GET", "/auditLog/695735a60000000000000000", ""); w.Code != 404 {
		t.Errorf("another second: %d", w.Code)
	}
	if w := f.ask("GET", "/auditLog/695735a50000000000000000?$select=notes", ""); w.Body.String() != `{"_id":"695735a50000000000000000","notes":"nightly import"}` {
		t.Errorf("$select: %s", w.Body)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	var docs []map[string]any
	if err := json.Unmarshal([]byte(f.post(`[{"notes":"a"},{"notes":"b","isError":null,"documents":null,"user":7},{"notes":"c","payload":{"password":"x","n":1.50}}]`)), &docs); err != nil {
		t.Fatal(err)
	}
	if len(docs) != 3 || docs[1]["user"] != "7" || docs[1]["isError"] != false || len(docs[0]) != 18 {
		t.Errorf("%v", docs)
	}
	if got := f.ask("GET", "/auditLog?notes=c&$select=payload", "").Body.String(); !strings.Contains(got, `"payload":{"password":{"$masked":true},"n":1.50}`) {
		t.Errorf("a secret is kept, or a number is not: %s", got)
	}
	big := `{"notes":"big","payload":[` + strings.Repeat(`{"a":1,"b":[2,{}]},`, 900) + `null]}`
	if got := f.post(big); !strings.Contains(got, `"payload":[{"a":1,"b":[2,{}]},{"a":1`) {
		t.Errorf("a payload of many members: %.300s", got)
	}
	f.post(`{"notes":"deep","payload":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`)
	if got := f.notes(`$where={"payload.b":2}`); got != "big" {
		t.Errorf("inside the large payload: %q", got)
	}
}

// The same document twice is one; another one with its _id is a conflict, whoever brings it.
func TestCreateTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	const doc = `{"_id":"59eebc5f20cbfb49c6eae431","notes":"a","date":"2017-10-24T01:17:43.177Z"}`
	first := f.post(doc)
	other := "Bearer " + f.NewKey(control.NewKey{Org: "org_acme", Scopes: []string{"record"}})
	for name, key := range map[string]string{"the same key": "Bearer " + f.key, "another key": other} {
		if w := f.ask("POST", "/auditLog", doc, "Authorization", key); w.Code != 201 || w.Body.String() != first {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		w := f.ask("POST", "/auditLog", `[`+doc+`,{"notes":"new of `+name+`"}]`, "Authorization", key)
		if w.Code != 201 || !strings.Contains(w.Body.String(), "new of "+name) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		w = f.ask("POST", "/auditLog", `[{"notes":"not recorded"},`+strings.Replace(doc, `"a"`, `"b"`, 1)+`]`, "Authorization", key)
		if w.Code != 409 || w.Body.String() != `{"statusCode":409,"error":"Conflict","message":"There was a duplicate key error."}` {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if got := f.list().Items.Total; got != 3 {
		t.Errorf("%d documents are there", got)
	}
	keyed := []string{"Idempotency-Key", "k1"}
	again := f.ask("POST", "/auditLog", `{"notes":"once"}`, keyed...).Body.String()
	if w := f.ask("POST", "/auditLog", `{"notes":"once"}`, keyed...); w.Code != 201 || w.Body.String() != again {
		t.Errorf("with a key: %d %s", w.Code, w.Body)
	}
	if w := f.ask("POST", "/auditLog", `{"notes":"other"}`, keyed...); w.Code != 409 {
		t.Errorf("another body with the key: %d %s", w.Code, w.Body)
	}
}

// refusal is what hapi says.
func refusal(status int, word, message, source, key string) string {
	body := map[string]any{"statusCode": status, "error": word, "message": message}
	if source != "" {
		body["validation"] = map[string]any{"source": source, "keys": []string{key}}
	}
	text, _ := json.Marshal(body)
	return string(text)
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && cmp.Equal(x, y)
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	bad := func(key, is string) string { return refusal(400, "Bad Request", `"`+key+`" `+is, "payload", key) }
	for body, want := range map[string]string{
		`{"method":"PATCH"}`:                 bad("method", "must be one of [POST, PUT, DELETE, GET, null]"),
		`{"associationType":"x"}`:            bad("associationType", "must be one of [ONE_MANY, MANY_MANY, _MANY, null]"),
		`{"date":"yesterday"}`:               bad("date", "must be a valid date"),
		`{"date":"1969-12-31T00:00:00Z"}`:    bad("date", "must be a valid date"),
		`{"statusCode":"x"}`:                 bad("statusCode", "must be a number"),
		`{"isError":"x"}`:                    bad("isError", "must be a boolean"),
		`{"documents":"x"}`:                  bad("documents", "must be an array"),
		`{"documents":[{}]}`:                 bad("documents[0]", "must be a string"),
		`{"user":{}}`:                        bad("user", "must be a string"),
		`{"notes":1}`:                        bad("notes", "must be a string"),
		`{"params":[]}`:                      bad("params", "must be an object"),
		`{"_id":"x"}`:                        bad("_id", "must be a valid ObjectId"),
		`{"_id":"695735a50000000000000029"}`: bad("_id", "must be a valid ObjectId"),
		`{"foo":1}`:                          bad("foo", "is not allowed"),
		`{"foo":null}`:                       bad("foo", "is not allowed"),
		`[{"notes":"a"},{"foo":1}]`:          bad("[1].foo", "is not allowed"),
		`[1]`:                                bad("[0]", "must be an object"),
		`[]`:                                 bad("value", "must contain at least 1 items"),
		`1`:                                  bad("value", "must be an object or an array"),
		`{"notes":"a","notes":"b"}`:          refusal(400, "Bad Request", "Invalid request payload JSON format", "", ""),
		`{"notes"`:                           refusal(400, "Bad Request", "Invalid request payload JSON format", "", ""),
		``:                                   refusal(400, "Bad Request", "Invalid request payload JSON format", "", ""),
		`[{}`:                                refusal(400, "Bad Request", "Invalid request payload JSON format", "", ""),
		`{"notes":"` + strings.Repeat("x", 300<<10) + `"}`: refusal(413, "Request Entity Too Large", "Payload content length greater than maximum allowed: 262144", "", ""),
	} {
		if w := f.ask("POST", "/auditLog", body); !sameJSON(w.Body.String(), want) {
			t.Errorf("%.60s: %d %s", body, w.Code, w.Body)
		}
	}
	if got := f.list().Items.Total; got != 0 {
		t.Errorf("%d documents were recorded", got)
	}
	lax := newFixture(t, resthapi.Settings{Lax: true})
	lax.post(`{"foo":1,"notes":"a"}`)
	if got := lax.notes("bar=1"); got != "a" {
		t.Errorf("not strict: %q", got)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	every := f.NewKey(control.NewKey{Scopes: []string{"read", "record", "operate"}})
	reader := f.NewKey(control.NewKey{Org: "org_acme", Scopes: []string{"read"}})
	recorder := f.NewKey(control.NewKey{Org: "org_acme", Scopes: []string{"record"}})
	for name, tt := range map[string]struct {
		method, key, org string
		status           int
		message          string
	}{
		"none":                 {"GET", "", "", 401, "Missing authentication"},
		"no key":               {"GET", "Bearer nonsense", "", 401, "Invalid token"},
		"a token, unasked":     {"GET", "Bearer a.b.c", "", 401, "Invalid token"},
		"may only record":      {"GET", "Bearer " + recorder, "", 403, "Insufficient scope"},
		"may only read":        {"POST", "Bearer " + reader, "", 403, "Insufficient scope"},
		"reads":                {"GET", "Bearer " + reader, "", 200, ""},
		"records":              {"POST", "Bearer " + recorder, "", 201, ""},
		"another org":          {"GET", "Bearer " + reader, "org_other", 404, "No resource was found with that id."},
		"of all, default":      {"POST", "Bearer " + every, "", 201, ""},
		"of all, named":        {"POST", "Bearer " + every, "org_new", 201, ""},
		"of all, the instance": {"GET", "Bearer " + every, string(control.Instance), 404, "No resource was found with that id."},
		"of all, bad form":     {"GET", "Bearer " + every, "a b", 404, "No resource was found with that id."},
	} {
		w := f.ask(tt.method, "/auditLog", `{"notes":"x"}`, "Authorization", tt.key, "Daybook-Org", tt.org)
		var body struct {
			StatusCode     int
			Message, Error string
		}
		_ = json.Unmarshal(w.Body.Bytes(), &body)
		if w.Code != tt.status || body.Message != tt.message || tt.status >= 400 && (body.StatusCode != tt.status || body.Error != http.StatusText(tt.status)) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for org, want := range map[string]int64{"default": 1, "org_new": 1, "org_none": 0} {
		w := f.ask("GET", "/auditLog?$count=true", "", "Authorization", "Bearer "+every, "Daybook-Org", org)
		if w.Code != 200 || w.Body.String() != string(json.Number(itoa(want))) {
			t.Errorf("%s: %d %s", org, w.Code, w.Body)
		}
	}
}

// auditLogScope has the rules of hapi, for keys by their labels.
func TestScope(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{Scope: []string{"!a", "+b", "c", "d"}})
	for labels, want := range map[string]int{"": 403, "b": 403, "b c": 200, "b d e": 200, "c d": 403, "a b c": 403} {
		key := f.NewKey(control.NewKey{Org: "org_acme", Scopes: []string{"read"}, Labels: strings.Fields(labels)})
		if w := f.ask("GET", "/auditLog", "", "Authorization", "Bearer "+key); w.Code != want {
			t.Errorf("labels %q: %d", labels, w.Code)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	secret := []byte(strings.Repeat("s", 64))
	tokens := func(d *resthapi.Deps) {
		var err error
		if d.Tokens, err = auth.NewTokens(auth.TokenOptions{Keys: []auth.TokenKey{{Secret: secret, Algorithms: auth.HMAC}}, Issuer: "https://id.example", Now: d.Now}); err != nil {
			t.Fatal(err)
		}
		d.TokenOrg = "org"
	}
	open, scoped := newFixture(t, resthapi.Settings{}, tokens), newFixture(t, resthapi.Settings{Scope: []string{"Admin"}, UserIDKey: "user._id"}, tokens)
	token := func(claims string) string { return "Bearer " + signed(t, secret, claims) }
	for name, tt := range map[string]struct {
		f      *fixture
		method string
		token  string
		status int
	}{
		"says that it may read":  {open, "GET", token(`{"iss":"https://id.example","scope":"read"}`), 200},
		"does not say so":        {open, "GET", token(`{"iss":"https://id.example","scope":"Admin"}`), 403},
		"may not record":         {open, "POST", token(`{"iss":"https://id.example","scope":"read"}`), 403},
		"has the scope":          {scoped, "GET", token(`{"iss":"https://id.example","scope":["Admin"]}`), 200},
		"has the scope, records": {scoped, "POST", token(`{"iss":"https://id.example","scope":["Admin"],"user":{"_id":42}}`), 201},
		"has another scope":      {scoped, "GET", token(`{"iss":"https://id.example","scope":["User"]}`), 403},
		"of another issuer":      {scoped, "GET", token(`{"iss":"https://evil.example","scope":["Admin"]}`), 401},
		"forged":                 {scoped, "GET", "Bearer " + signed(t, []byte("x"), `{"iss":"https://id.example","scope":["Admin"]}`), 401},
		"of an organization":     {scoped, "POST", token(`{"iss":"https://id.example","scope":["Admin"],"org":"org_jwt"}`), 201},
	} {
		if w := tt.f.ask(tt.method, "/auditLog", `{"notes":"x"}`, "Authorization", tt.token); w.Code != tt.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	e, err := scoped.Book.EntryAt(t.Context(), "org_jwt", 0)
	if err != nil || !strings.Contains(string(e.Payload), `"recordedBy":"jwt`) {
		t.Errorf("%s %v", e.Payload, err)
	}
	for _, org := range []daybook.OrgID{"default"} {
		if e, err := scoped.Book.EntryAt(t.Context(), org, 0); err != nil || !strings.Contains(string(e.Payload), `"recordedBy":"user:42"`) {
			t.Errorf("%s %v", e.Payload, err)
		}
	}
}
