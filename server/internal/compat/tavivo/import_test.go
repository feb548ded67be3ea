package tavivo_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/compat/tavivo"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

func TestImport(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const row = `{"id":7,"user_id":1,"action":"update","meta_data":{"entity":"check","old":{"id":42,"enabled":true,"token":"s3cret"},"edited":{"enabled":false}},` +
		`"created_at":"2022-03-01T10:11:12.345678+00:00","updated_at":"2022-03-01T10:11:12.345678+00:00"}`
	text := strings.Replace(row, `{"entity":"check","old":{"id":42,"enabled":true,"token":"s3cret"},"edited":{"enabled":false}}`,
		`"{\"entity\":\"check\",\"old\":{\"id\":42,\"enabled\":true,\"token\":\"s3cret\"},\"edited\":{\"enabled\":false}}"`, 1)
	var events []string
	for _, line := range []string{row, row, strings.Replace(text, "2022-03-01T10:11:12.345678+00:00", "2022-03-01 10:11:12.345678+00", 2)} {
		event, err := tavivo.Import([]byte(line), tavivo.Names{})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, string(event))
	}
	if events[0] != events[1] || events[0] != events[2] {
		t.Errorf("one row, several events:\n%s", strings.Join(events, "\n"))
	}
	doortest.Golden(t, "import", events[0]+"\n")
	for n := range 2 {
		result, err := f.Book.RecordJSON(t.Context(), "default", daybook.Request{Events: [][]byte{[]byte(events[0])}})
		if err != nil || result.Receipts[0].Duplicate != (n == 1) {
			t.Fatalf("%+v, %v", result, err)
		}
	}
	const want = `{"id":1,"userId":1,"action":"update","metaData":{"entity":"check","old":{"id":42,"enabled":true,"token":{"$masked":true}},"edited":{"enabled":false}},` +
		`"CreatedAt":"2022-03-01T10:11:12.345Z","UpdatedAt":"2022-03-01T10:11:12.345Z","eventId":"evt_…","seq":0,"leafHash":"…"}`
	if got := masked(f.get("/logs/1").Body.String()); got != want {
		t.Error(got)
	}
	if ids, _ := f.list("/logs?from=2022-03-01T00:00:00Z&to=2022-03-02T00:00:00Z"); len(ids) != 1 {
		t.Errorf("%v", ids)
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]string{
		`[]`:                                 "object",
		`{}`:                                 "user_id",
		`{"user_id":1,"action":""}`:          "action",
		`{"user_id":1,"action":"x"}`:         "id is missing",
		`{"user_id":1,"action":"x","id":1}`:  "created_at",
		`{"user_id":{},"action":"x","id":1}`: "user_id",
		`{"user_id":1,"action":"x","id":"","created_at":"2022-03-01T10:11:12Z"}`:                                "id is missing",
		`{"user_id":1,"action":"x","id":1,"created_at":"0001-01-01T00:00:00Z"}`:                                 "before 1970",
		`{"user_id":1,"action":"x","id":1,"created_at":"2022-03-01T10:11:12Z","meta_data":"{\"a\":1,\"a\":2}"}`: "meta_data",
	} {
		if _, err := tavivo.Import([]byte(row), tavivo.Names{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", row, err)
		}
	}
}

// FuzzImport: every row becomes strict JSON, or is refused.
func FuzzImport(f *testing.F) {
	for _, call := range calls {
		var in struct {
			UserID   json.RawMessage
			Action   string
			MetaData json.RawMessage
		}
		if err := json.Unmarshal([]byte(call.body), &in); err != nil {
			f.Fatal(err)
		}
		f.Add(`{"id":1,"created_at":"2022-03-01T10:11:12Z","user_id":` + string(in.UserID) + `,"action":"` + in.Action + `","meta_data":` + string(in.MetaData) + `}`)
	}
	f.Add(`{"id":"a","created_at":"2022-03-01 10:11:12","user_id":"u","action":"delete","meta_data":"{\"deleted\":{\"data\":{\"$masked\":true,\"key\":\"k\",\"value\":1}}}"}`)
	f.Fuzz(func(t *testing.T, row string) {
		event, err := tavivo.Import([]byte(row), tavivo.Names{})
		if err != nil {
			return
		}
		doc := leaf.Get()
		defer leaf.Put(doc)
		limits := []string{leaf.TooLarge, leaf.TooManyFields, leaf.TooDeep, leaf.PathTooLong}
		e := &leaf.Error{}
		if err := doc.Read(event); err != nil && (!errors.As(err, &e) || !slices.Contains(limits, e.Code)) {
			t.Fatalf("%v: %s", err, event)
		}
	})
}
