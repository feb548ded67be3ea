package tavivo_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// Every case of the mapping, one event each.
func TestMapping(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var out strings.Builder
	for seq, body := range []string{
		// values are compared as JSON values
		`{"userId":1,"action":"update","metaData":{"entity":"c","old":{"id":1,"a":1,"b":9007199254740993,"o":{"x":1,"y":2},"l":[1,2],"n":null,"s":"\u0061"},"edited":{"a":1.0,"b":9007199254740992,"o":{"y":2,"x":1},"l":[2,1],"n":0,"s":"a","new":null}}}`,
		// keys are escaped, dots stay
		`{"userId":1,"action":"a.b","metaData":{"entity":"c","old":{"id":1,"a/b~c":1},"edited":{"a/b~c":2}}}`,
		// where the id may be
		`{"userId":1,"action":"x","metaData":{"entity":"c","old":{"id":""},"edited":{"id":"e"}}}`,
		`{"userId":1,"action":"x","metaData":{"deleted":{"entity":"c","id":5}}}`,
		`{"userId":1,"action":"x","metaData":{"entity":"c","id":6,"old":{"name":"n"}}}`,
		`{"userId":1,"action":"x","metaData":{"entity":"user","old":{"id":true}}}`,
		`{"userId":1,"action":"x","metaData":{"entity":5,"old":{"id":1}}}`,
		// no patch, no changes
		`{"userId":1,"action":"update","metaData":{"entity":"c","edited":{"a":1}}}`,
		`{"userId":1,"action":"update","metaData":{"entity":"c","old":{"a":1}}}`,
		`{"userId":1,"action":"update","metaData":{"entity":"c","old":{"a":1},"edited":[]}}`,
		// pairs, depth, marks that were sent
		`{"userId":1,"action":"update","metaData":{"entity":"c","old":{"headers":[{"name":"Authorization","value":"s3cret"},{"key":"Accept","value":"json"}],"config":{"apiKey":"s3cret","url":"u"},"m":{"$masked":true}},"edited":{"headers":[],"config":{"apiKey":"s3cret2","url":"u"},"m":{"$hash":"x"}}}}`,
		`{"userId":1,"action":"x","metaData":[{"password":"s3cret"},["s3cret?",{"cookies":{"a":"s3cret"}}]]}`,
		`{"userId":1,"action":"x","metaData":{"monkey":"m","keyboard":"k","passport":"p","pinned":1,"author":"a","userToken":"s3cret","PIN":1234,"access-key.id":"s3cret"}}`,
		// the log's own actions are not made by chance
		`{"userId":1,"action":"created","metaData":{"entity":"daybook"}}`,
	} {
		f.post(body)
		event := f.event("default", int64(seq))
		if strings.Contains(strings.ReplaceAll(event, "s3cret?", ""), "s3cret") || strings.Contains(event, "1234") {
			t.Errorf("a secret was recorded: %s", event)
		}
		out.WriteString(body + "\n" + event + "\n\n")
	}
	doortest.Golden(t, "mapping", out.String())
}

// FuzzCreate: every body is refused with one JSON document, or recorded and answered with its row.
func FuzzCreate(f *testing.F) {
	for _, call := range calls {
		f.Add(call.body)
	}
	f.Add(`{"userId":1,"action":"x","metaData":{"name":"key","value":{"value":1},"key":"a"}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		x := newFixture(t)
		w := x.do("POST", "/logs", body, "Authorization", x.token)
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		switch w.Code {
		case http.StatusCreated:
			var read *httptest.ResponseRecorder
			if read = x.get(w.Header().Get("Location")); strings.Replace(w.Body.String(), `,"duplicate":false`, "", 1) != read.Body.String() {
				t.Fatalf("%s\n%s", w.Body, read.Body)
			}
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
