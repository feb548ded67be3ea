package foreign

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadColumnMap(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"action":"a","actr.id":"b"}`:           "there is no member actr.id of an event",
		`{"action":"a","actor.nose":"b"}`:        "there is no member actor.nose of an event",
		`{"action":"a","reason.x":"b"}`:          "there is no member reason.x of an event",
		`{"action":"a","targets.id":"b"}`:        "targets are numbered: targets.0.id",
		`{"action":"a","targets.00.id":"b"}`:     "targets are numbered",
		`{"action":"a","metadata.":"b"}`:         "there is no member metadata. of an event",
		`{"action":"a","reason":7}`:              `give the name of a column, or {"value": "…"}`,
		`{"action":"a","reason":{"column":"x"}}`: `give the name of a column`,
		`{"reason":"a"}`:                         "action is missing",
		`{"action":"a"`:                          "",
		`{"action":"a","action":"b"}`:            "",
	} {
		if _, err := readColumnMap([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestColumnMap(t *testing.T) {
	t.Parallel()
	all := `{"id":"n","action":"a","version":"v","actor.id":"who","actor.type":{"value":"user"},"actor.metadata.team":"team","targets.1.id":"t1","targets.0.id":"t0",
		"targets.0.type":{"value":"x"},"targets.1.type":{"value":"y"},"changes":"c","context.http.status_code":"s","occurred_at":"at","metadata.deep.er":"m"}`
	row := `{"n":"17","a":"a.b","v":"2","who":"u","team":"blue","t0":"0","t1":"1","c":"[{\"path\":\"/n\",\"old\":1.10,\"new\":9007199254740993}]","s":"200","at":"2021-05-06","m":"1","extra":"kept","none":"","null":null}`
	for name, tt := range map[string]struct{ columns, row, want, key string }{
		"everything": {all, row, `{"action":"a.b","version":2,"occurred_at":"2021-05-06T00:00:00Z","actor":{"id":"u","type":"user","metadata":{"team":"blue"}},
			"targets":[{"id":"0","type":"x"},{"id":"1","type":"y"}],"changes":[{"path":"/n","old":1.10,"new":9007199254740993}],"context":{"http":{"status_code":200}},
			"metadata":{"deep":{"er":"1"},"extra":"kept"}}`, "17"},
		"what the map does not name is left out": {`{"action":"a","metadata":null}`, row, `{"action":"a.b"}`, ""},
		"an id of ours is kept":                  {`{"action":"a","id":"n","metadata":null}`, `{"a":"a.b","n":"evt_01m7z7rs1affyad5cmxxj94a79"}`, `{"id":"evt_01m7z7rs1affyad5cmxxj94a79","action":"a.b"}`, ""},
	} {
		m, err := readColumnMap([]byte(tt.columns))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := m.event([]byte(tt.row))
		if err != nil || got.Key != tt.key {
			t.Errorf("%s: %v, key %q", name, err, got.Key)
			continue
		}
		if diff := cmp.Diff(tree(t, tt.want), tree(t, string(got.Event))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for columns, want := range map[string]string{
		`{"action":"missing"}`:                                 `there is no column "missing"`,
		`{"action":"a","changes":"a"}`:                         "changes: it is not JSON",
		`{"action":"a","occurred_at":"a"}`:                     `occurred_at: "a.b" is not a time`,
		`{"action":"a","metadata":"s","metadata.x":"n"}`:       "given whole and in parts",
		`{"action":"a","targets":"s","targets.0.id":"n"}`:      "given whole and in parts",
		`{"action":"a","actor":"s","actor.id":{"value":"u1"}}`: "given whole and in parts",
	} {
		m, err := readColumnMap([]byte(columns))
		if err != nil {
			t.Errorf("%s: %v", columns, err)
			continue
		}
		if _, err := m.event([]byte(row)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", columns, err, want)
		}
	}
}

// tree reads JSON with its numbers as they are written.
func tree(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func TestLooseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2021-05-06T07:08:09.123456789+02:00": "2021-05-06T05:08:09.123456789Z",
		"2021-05-06 07:08:09.5+00":            "2021-05-06T07:08:09.5Z",
		"2021-05-06 07:08:09+05:30":           "2021-05-06T01:38:09Z",
		"2021-05-06 07:08:09":                 "2021-05-06T07:08:09Z",
		"2021-05-06":                          "2021-05-06T00:00:00Z",
		"1620284889":                          "2021-05-06T07:08:09Z",
		"1620284889.25":                       "2021-05-06T07:08:09.25Z",
		"1620284889123":                       "2021-05-06T07:08:09.123Z",
		"":                                    "", "soon": "", "-1": "", "NaN": "", "9e99": "", "2021-13-01": "",
	} {
		at, err := looseTime(text)
		if got := at.Format(time.RFC3339Nano); (err != nil) != (want == "") || err == nil && got != want {
			t.Errorf("%q: %s, %v, want %q", text, got, err, want)
		}
	}
}

// A row that any map makes an event of is one JSON object, whatever stands in it.
func FuzzColumnMap(f *testing.F) {
	f.Add(`{"action":"a","targets.3.id":"b","metadata.x":"b"}`, `{"a":"1","b":"2","c":"3"}`)
	f.Add(`{"action":{"value":"x"},"actor":"a"}`, `{"a":"{}"}`)
	f.Fuzz(func(t *testing.T, columns, row string) {
		m, err := readColumnMap([]byte(columns))
		if err != nil {
			return
		}
		for _, m := range []*columnMap{m, exportedMap()} {
			if got, err := m.event([]byte(row)); err == nil && got.Event != nil && (!json.Valid(got.Event) || got.Event[0] != '{') {
				t.Errorf("%s", got.Event)
			}
		}
	})
}
