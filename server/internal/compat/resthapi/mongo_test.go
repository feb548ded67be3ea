package resthapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/compat/resthapi"
)

func TestEventOf(t *testing.T) {
	t.Parallel()
	const canonical = `{"_id":{"$oid":"59eebc5f20cbfb49c6eae431"},"user":{"$oid":"597242d4e14a710005d325b1"},"date":{"$date":{"$numberLong":"1508807863177"}},"statusCode":{"$numberInt":"201"},` +
		`"isError":false,"method":"POST","action":"Create","collectionName":"hashtag","documents":["59eebc5f20cbfb49c6eae42f"],"payload":[{"text":"#x","password":"p","big":{"$numberLong":"9007199254740993"}}],"__v":{"$numberInt":"0"}}`
	const relaxed = `{"_id":{"$oid":"59eebc5f20cbfb49c6eae431"},"user":{"$oid":"597242d4e14a710005d325b1"},"date":{"$date":"2017-10-24T01:17:43.177Z"},"statusCode":201,` +
		`"isError":false,"method":"POST","action":"Create","collectionName":"hashtag","documents":["59eebc5f20cbfb49c6eae42f"],"payload":[{"text":"#x","password":"p","big":9007199254740993}],"__v":0}`
	const want = `{"id":"evt_01bx68zmrrfzya1jzv973ens1h","action":"hashtag.create","occurred_at":"2017-10-24T01:17:43.177000Z","actor":{"type":"user","id":"597242d4e14a710005d325b1"},` +
		`"targets":[{"type":"hashtag","id":"59eebc5f20cbfb49c6eae42f"}],"context":{"http":{"method":"POST","status_code":201,"request":[{"big":9007199254740993,"password":{"$masked":true},"text":"#x"}]}},` +
		`"outcome":"success","metadata":{"rest_hapi":{"v":1,"action":"Create","collectionName":"hashtag"}}}`
	for name, line := range map[string]string{"canonical": canonical, "relaxed": relaxed} {
		got, err := resthapi.EventOf([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for line, want := range map[string]string{
		`{"$x"`:          "read the document",
		`x`:              "no JSON object",
		`{"a"`:           "JSON format",
		`[]`:             "no JSON object",
		`{"_id":"x"}`:    `"_id" must be a valid ObjectId`,
		`{"date":"x"}`:   `"date" must be a valid date`,
		`{"method":"X"}`: `"method" must be one of`,
	} {
		if _, err := resthapi.EventOf([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// What is imported is what the door shows, and twice is once.
func TestImported(t *testing.T) {
	t.Parallel()
	f := newFixture(t, resthapi.Settings{})
	event, err := resthapi.EventOf([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := f.Book.RecordJSON(t.Context(), "org_acme", daybook.Request{Events: [][]byte{event}}); err != nil {
			t.Fatal(err)
		}
	}
	got := f.list()
	var want map[string]any
	if err := json.Unmarshal([]byte(example), &want); err != nil {
		t.Fatal(err)
	}
	if len(got.Docs) != 1 {
		t.Fatalf("%d documents", len(got.Docs))
	}
	if diff := cmp.Diff(want, got.Docs[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := f.post(example); !strings.Contains(got, "59eebc5f20cbfb49c6eae431") {
		t.Errorf("posted after the import: %s", got)
	}
	if got := f.list().Items.Total; got != 1 {
		t.Errorf("%d documents after that", got)
	}
}
