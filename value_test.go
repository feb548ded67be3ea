package daybook_test

import (
	"encoding/json"
	"testing"

	"github.com/daybook-audit/daybook"
)

func TestValue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		value  daybook.Value
		wire   string // "" is absent
		raw    string
		masked bool
		hash   string
	}{
		{name: "zero"},
		{name: "no text", value: daybook.JSON([]byte(" \n"))},
		{name: "null", value: daybook.JSON([]byte("null")), wire: "null", raw: "null"},
		{name: "number", value: daybook.JSON([]byte(" 1.10 ")), wire: "1.10", raw: "1.10"},
		{name: "object", value: daybook.JSON([]byte(`{"a":{"$x":1}}`)), wire: `{"a":{"$x":1}}`, raw: `{"a":{"$x":1}}`},
		{name: "empty object", value: daybook.JSON([]byte(`{}`)), wire: `{}`, raw: `{}`},
		{name: "masked", value: daybook.Masked(), wire: `{"$masked":true}`, masked: true},
		{name: "hashed", value: daybook.Hashed(`a"b`), wire: `{"$hash":"a\"b"}`, hash: `a"b`},
		{name: "an object like a mask", value: daybook.JSON([]byte(`{"$masked":true}`)), wire: `{"$json":{"$masked":true}}`, raw: `{"$masked":true}`},
		{name: "an object like a hash", value: daybook.JSON([]byte(`{ "\u0024hash":"x"}`)), wire: `{"$json":{ "\u0024hash":"x"}}`, raw: `{ "\u0024hash":"x"}`},
		{name: "an object like a wrap", value: daybook.JSON([]byte(`{"$json":1}`)), wire: `{"$json":{"$json":1}}`, raw: `{"$json":1}`},
		{name: "a string like a mask", value: daybook.JSON([]byte(`"$masked"`)), wire: `"$masked"`, raw: `"$masked"`},
		{name: "not JSON", value: daybook.JSON([]byte(`{"$masked"`)), wire: `{"$json":{"$masked"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := tt.value
			if v.Present() != (tt.wire != "") || v.IsZero() == v.Present() {
				t.Errorf("present %t, zero %t", v.Present(), v.IsZero())
			}
			if v.Masked() != tt.masked || v.Hash() != tt.hash {
				t.Errorf("masked %t, hash %q", v.Masked(), v.Hash())
			}
			if tt.name == "not JSON" {
				return
			}
			if string(v.Raw()) != tt.raw {
				t.Errorf("raw %s, want %s", v.Raw(), tt.raw)
			}
			c := daybook.Change{Path: "/p", New: v}
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			want := `{"path":"/p"}`
			if tt.wire != "" {
				want = `{"path":"/p","new":` + compact(t, tt.wire) + `}`
			}
			if string(text) != want {
				t.Errorf("as JSON %s, want %s", text, want)
			}
			var back daybook.Change
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			if back.New.Present() != v.Present() || back.New.Masked() != tt.masked || back.New.Hash() != tt.hash {
				t.Errorf("read back as %+v", back)
			}
		})
	}
}

// compact writes text as encoding/json does.
func compact(t *testing.T, text string) string {
	t.Helper()
	out, err := json.Marshal(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// A producer's own object beside a mark is no mark.
func TestValue_beside(t *testing.T) {
	t.Parallel()
	var v daybook.Value
	for _, text := range []string{`{"$masked":true,"a":1}`, `{"$hash":7}`, `{"$other":1}`} {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if v.Masked() || v.Hash() != "" {
			t.Errorf("%s: masked %t, hash %q", text, v.Masked(), v.Hash())
		}
	}
	if daybook.Hashed("a\xff").Hash() == "" {
		t.Error("a tag that is not UTF-8 was lost")
	}
}
