package daybook_test

import (
	"encoding/json"
	"testing"

	"github.com/daybook-audit/daybook"
)

func TestEqualJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`{"a":1,"b":[1,2]}`, ` { "b" : [ 1, 2 ], "a" : 1e0 } `, true},
		{`[1,2]`, `[2,1]`, false},
		{`[{"id":1},{"id":2}]`, `[{"id":2},{"id":1}]`, false},
		{`"\u0061"`, `"a"`, true},
		{`null`, `null`, true},
		{`null`, ``, false},
		{``, ``, false},
		{`{`, `{`, false},
		{`{"a":null}`, `{}`, false},
		{`0`, `-0`, true},
		{`"1"`, `1`, false},
	} {
		if got := daybook.EqualJSON(json.RawMessage(tt.a), json.RawMessage(tt.b)); got != tt.want {
			t.Errorf("%s and %s: %t", tt.a, tt.b, got)
		}
		if got := daybook.EqualJSON(json.RawMessage(tt.b), json.RawMessage(tt.a)); got != tt.want {
			t.Errorf("%s and %s: %t", tt.b, tt.a, got)
		}
	}
}
