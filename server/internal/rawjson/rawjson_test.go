package rawjson_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/rawjson"
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
