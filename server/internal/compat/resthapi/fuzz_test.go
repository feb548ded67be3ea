package resthapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/compat/resthapi"
)

// Whatever is asked is answered with a page or with a refusal in the shape of hapi.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "$limit=2&$page=2", "$sort=-date,action&$select=notes", `$where={"date":{"$gte":"2026-01-01"},"$or":[{"action":"Delete"},{"statusCode":{"$gte":400}}]}`,
		`$where={"payload":{"$elemMatch":{"n":{"$not":{"$in":[1,null,"a"]}}}}}`, `$where={"payload.text":{"$regex":"^a","$options":"i"}}`, "$term=a.b&$searchFields=notes",
		`$text="a b" -c d`, "payload.0.text=1&documents=[1,\"a\"]", "date=2026&isError=true&statusCode=1e3", "$from=1&$to=2026-13&$head=3&$count=true", "$q=action:*.x OR -is:late",
		"$exclude=59eebc5f20cbfb49c6eae431", "_id=695735a50000000000000000&user=null",
	} {
		f.Add(seed)
	}
	door := newFuzzed(f)
	f.Fuzz(func(t *testing.T, query string) {
		var parts []string
		for one := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(one, "=")
			parts = append(parts, url.QueryEscape(name)+"="+url.QueryEscape(value))
		}
		w := door.within(t).ask(http.MethodGet, "/auditLog?"+strings.Join(parts, "&"), "")
		answeredWell(t, w.Code, w.Body.Bytes(), 200)
	})
}

// Whatever is posted is recorded and shown again, or refused in the shape of hapi.
func FuzzCreate(f *testing.F) {
	for _, seed := range []string{
		example, `{}`, `[]`, `[{"notes":"a"},{}]`, `{"documents":[1,"a"],"user":1e400,"statusCode":2147483648}`, `{"payload":{"$masked":true},"result":{"$json":1},"params":{}}`,
		`{"date":-1}`, `{"date":"2026-02-30"}`, "{\"notes\":\"\\u0000\"}", `{"notes":"\ud800"}`, `{"action":"","collectionName":"","user":""}`, `{"payload":[[[[1]]]]}`, `{"action":"daybook.x"}`,
	} {
		f.Add(seed)
	}
	door := newFuzzed(f)
	f.Fuzz(func(t *testing.T, body string) {
		w := door.within(t).ask(http.MethodPost, "/auditLog", body)
		answeredWell(t, w.Code, w.Body.Bytes(), 201)
	})
}

// Whatever is imported gives an event or an error, and no panic.
func FuzzEventOf(f *testing.F) {
	f.Add(example)
	f.Add(`{"_id":{"$oid":"59eebc5f20cbfb49c6eae431"},"date":{"$date":{"$numberLong":"1"}},"statusCode":{"$numberInt":"x"}}`)
	f.Add(`{"payload":{"$date":{"$date":{}}},"documents":[{"$numberLong":"1"}]}`)
	f.Fuzz(func(t *testing.T, line string) {
		if event, err := resthapi.EventOf([]byte(line)); err == nil && !json.Valid(event) {
			t.Errorf("%s gives %s", line, event)
		}
	})
}

// newFuzzed returns a fixture with a few documents.
func newFuzzed(f *testing.F) *fixture {
	f.Helper()
	door := newFixture(f, resthapi.Settings{})
	door.post(example)
	door.post(`[{"notes":"a","payload":{"n":1}},{"notes":"b","isError":true,"documents":["x"]}]`)
	return door
}

// within returns the fixture for a test inside of that which made it.
func (f *fixture) within(t *testing.T) *fixture {
	t.Helper()
	inner := *f
	inner.t = t
	return &inner
}

func answeredWell(t *testing.T, status int, body []byte, good int) {
	t.Helper()
	var refusal struct {
		StatusCode int
		Message    string
	}
	switch {
	case !json.Valid(body):
		t.Errorf("%d: no JSON: %s", status, body)
	case status == good:
	case json.Unmarshal(body, &refusal) != nil || refusal.StatusCode != status || refusal.Message == "" || status < 400 || status >= 500:
		t.Errorf("%d %s", status, body)
	}
}
