package rawjson_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

func TestAt(t *testing.T) {
	t.Parallel()
	text := []byte(" {\"a\" : {\"b\\u0063\":[1, \"}\" ,{ }], \"d\":1e5}\n}")
	for want, path := range map[string][]string{`[1, "}" ,{ }]`: {"a", "bc"}, `1e5`: {"a", "d"}, "": {"a", "d", "e"}} {
		if got := rawjson.At(rawjson.Trim(text), path...); string(got) != want {
			t.Errorf("%v: %q, want %q", path, got, want)
		}
	}
	elements := slices.Collect(rawjson.Elements([]byte(`[1, "}" ,{ }]`)))
	if diff := cmp.Diff([][]byte{[]byte(`1`), []byte(`"}"`), []byte(`{ }`)}, elements); diff != "" {
		t.Error(diff)
	}
	if got := string(rawjson.AppendText(nil, "a<\"\n")); got != `"a<\"\n"` {
		t.Error(got)
	}
}

// TestDamaged gives text that is not JSON: nothing panics, and nothing is found beyond its end.
func TestDamaged(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " ", "{", "[", `"`, `"\`, `{"a`, `{"a"`, `{"a":`, `{"a":}`, `{"a":[}`, `[1,`, `[[`, "}", `{"a":"\"`, `{,:"`} {
		b := []byte(text)
		for _, m := range rawjson.Members(b) {
			_ = rawjson.Text(m.Value)
		}
		for e := range rawjson.Elements(b) {
			_ = rawjson.Compact(e)
		}
		_, _, _ = rawjson.Trim(b), rawjson.At(b, "a", "b"), rawjson.Bytes(b)
		for i := range len(b) + 1 {
			if end := rawjson.End(b, i); end < i || end > len(b) {
				t.Errorf("%q: the value at %d ends at %d", text, i, end)
			}
		}
	}
}

// FuzzMembers puts an object together again from what Members cut.
func FuzzMembers(f *testing.F) {
	f.Add([]byte(` {"a" :[1,{"b":"\"}"}] , "c\n":-1.5e3,"":{}} `))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"a":"\\"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		doc := leaf.Get()
		defer leaf.Put(doc)
		if doc.Read(text) != nil {
			return
		}
		out := []byte("{")
		for i, m := range rawjson.Members(text) {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(append(rawjson.AppendText(out, m.Name), ':'), m.Value...)
		}
		var want, got any
		for text, v := range map[*any][]byte{&want: text, &got: append(out, '}')} {
			d := json.NewDecoder(bytes.NewReader(v))
			d.UseNumber()
			if err := d.Decode(text); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
