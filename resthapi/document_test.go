package resthapi_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/resthapi"
)

func TestEventID(t *testing.T) {
	t.Parallel()
	id, err := resthapi.EventID("59eebc5f20cbfb49c6eae431")
	if err != nil || id.String() != "evt_01bx68zmrrfzya1jzv973ens1h" || hex.EncodeToString(id[:]) != "015f4c8fd3187ffca0cbfb49c6eae431" {
		t.Errorf("%s %x %v", id, id, err)
	}
	for _, want := range []string{"59eebc5f20cbfb49c6eae431", "ffffffffffffffffffffffff", "000000000100000000000000", "59eebc5fe0cbfb49c6eae431"} {
		id, err := resthapi.EventID(want)
		if got, ok := resthapi.GivenID(id); err != nil || !ok || got != want {
			t.Errorf("%s comes back as %s, %v %v", want, got, ok, err)
		}
	}
	for _, bad := range []string{"", "59eebc5f20cbfb49c6eae43", "59eebc5f20cbfb49c6eae4311", "59eebc5f20cbfb49c6eae43g", "695735a50000000000000029"} {
		if _, err := resthapi.EventID(bad); !errors.Is(err, resthapi.ErrID) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if id, ok := resthapi.GivenID(daybook.NewID()); ok {
		t.Errorf("an event's own id reads as %s", id)
	}
}

func TestLogID(t *testing.T) {
	t.Parallel()
	received := time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.UTC)
	id := resthapi.LogID(received.UnixMicro(), 41)
	if id != "695735a50000000000000029" {
		t.Errorf("it is %s", id)
	}
	if second, seq, ok := resthapi.ParseLogID(id); !ok || second != received.Unix() || seq != 41 {
		t.Errorf("%d %d %v", second, seq, ok)
	}
	for _, bad := range []string{"", "59eebc5f20cbfb49c6eae431", "695735a5000000000000002", "695735a500000000000000zz"} {
		if _, _, ok := resthapi.ParseLogID(bad); ok {
			t.Errorf("%q was read", bad)
		}
	}
}

func FuzzEventID(f *testing.F) {
	f.Add("59eebc5f20cbfb49c6eae431")
	f.Add("695735a50000000000000029")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := resthapi.EventID(text)
		if err != nil {
			return
		}
		lower := hex.EncodeToString(must(hex.DecodeString(text)))
		if got, ok := resthapi.GivenID(id); !ok || got != lower {
			t.Errorf("%s comes back as %s", text, got)
		}
		if _, _, ok := resthapi.ParseLogID(text); ok {
			t.Errorf("%s is both", text)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestDocumentEvent(t *testing.T) {
	t.Parallel()
	many := make([]string, 300)
	for i := range many {
		many[i] = "d"
	}
	for name, tt := range map[string]struct {
		d    resthapi.Document
		want string
	}{
		"empty": {resthapi.Document{}, `{"action":"note","actor":{"type":"anonymous","id":"anonymous"},"context":{},"outcome":"success","metadata":{"rest_hapi":{"v":1}}}`},
		"method alone": {
			resthapi.Document{Method: new("DELETE"), IsError: true},
			`{"action":"http.delete","actor":{"type":"anonymous","id":"anonymous"},"context":{"http":{"method":"DELETE"}},"outcome":"failure","metadata":{"rest_hapi":{"v":1}}}`,
		},
		"association": {
			resthapi.Document{
				Action: new("Add"), CollectionName: new("user"), ChildCollectionName: new("role"), AssociationType: new("MANY_MANY"),
				Documents: []string{"u1", "r1", "r2"}, User: new("597242d4e14a710005d325b1"), Notes: new("n"),
			},
			`{"action":"user.add","actor":{"type":"user","id":"597242d4e14a710005d325b1"},"targets":[{"type":"user","id":"u1"},{"type":"role","id":"r1"},{"type":"role","id":"r2"}],` +
				`"context":{},"outcome":"success","metadata":{"rest_hapi":{"v":1,"action":"Add","collectionName":"user","childCollectionName":"role","associationType":"MANY_MANY","notes":"n"}}}`,
		},
		"denied": {
			resthapi.Document{Action: new("Create"), StatusCode: new(403), IsError: true, ResponseMessage: new("Insufficient scope"), Documents: []string{}},
			`{"action":"Create","actor":{"type":"anonymous","id":"anonymous"},"context":{"http":{"status_code":403}},"outcome":"denied","error":{"code":"403","message":"Insufficient scope"},` +
				`"metadata":{"rest_hapi":{"v":1,"action":"Create","documents":[],"listed":true}}}`,
		},
		"payload that looks like a mark": {
			resthapi.Document{Payload: json.RawMessage(`{"$masked":true}`)},
			`{"action":"note","actor":{"type":"anonymous","id":"anonymous"},"context":{"http":{"request":{"$json":{"$masked":true}}}},"outcome":"success","metadata":{"rest_hapi":{"v":1}}}`,
		},
	} {
		e, err := tt.d.Event()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if json.Unmarshal(text, &got) != nil || json.Unmarshal([]byte(tt.want), &want) != nil {
			t.Fatalf("%s: %s", name, text)
		}
		drop(got, "context")
		drop(want, "context")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	e, err := (&resthapi.Document{Documents: many}).Event()
	if err != nil || len(e.Targets) != 256 || len(e.Metadata) < 300*4 {
		t.Errorf("300 documents: %d targets, %d bytes of metadata, %v", len(e.Targets), len(e.Metadata), err)
	}
	if _, err := (&resthapi.Document{ID: "x"}).Event(); !errors.Is(err, resthapi.ErrID) {
		t.Errorf("a bad _id: %v", err)
	}
}

// drop removes an empty member.
func drop(v any, name string) {
	if m, ok := v.(map[string]any); ok {
		if inner, ok := m[name].(map[string]any); ok && len(inner) == 0 {
			delete(m, name)
		}
	}
}
