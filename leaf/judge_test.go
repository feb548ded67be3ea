package leaf_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/leaf"
)

// TestReadJudgesEveryByte puts bytes that matter into every place of an event, and in front of it: Read accepts what the second reader
// accepts, and nothing else.
func TestReadJudgesEveryByte(t *testing.T) {
	t.Parallel()
	event := []byte(`{"id":1.5e-7,"actor":{"name":"Jörg","tags":[true,null,{}],"id":"u\u00fc"},"via":[],"a":"two words","b":-10, "c":false}`)
	bad := []string{"\x00", "\x1f", "\t", "\xff", "\xc3", "\"", "\\", ",", ":", "{", "]", "0", "-", "e", "~", "ü"}
	var d leaf.Doc
	for i := range event {
		for _, b := range bad {
			for _, rest := range [][]byte{event[i:], event[i+1:]} {
				text := bytes.Join([][]byte{event[:i], rest}, []byte(b))
				good := json.Valid(text) && len(judge(text).codes) == 0
				if err := d.Read(text); (err == nil) != good {
					t.Fatalf("Read(%q) = %v, the second reader finds it good: %v", text, err, good)
				}
			}
		}
	}
}

// TestReadFindsTwins repeats a name of an object of n members, whose names look alike at their beginning, at their end, or at both.
func TestReadFindsTwins(t *testing.T) {
	t.Parallel()
	var d leaf.Doc
	for _, form := range []string{"%d", "name%d", "a long name, the same up to %d", "%d and then what all have", "both of %d, as they are", `\u006e/~%d`} {
		for _, n := range []int{1, 2, 7, 63, 64, 65, 66, 200} {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, `,"`+form+`":{"x":%d}`, i, i)
			}
			text := `{"in":{` + b.String()[1:] + `}}`
			if err := d.Read([]byte(text)); err != nil {
				t.Fatalf("%d names like %q: %v", n, form, err)
			}
			for _, i := range []int{0, n / 2, n - 1} {
				again := strings.ReplaceAll(fmt.Sprintf(form, i), `\u006e`, "n")
				e := refusal(t, strings.TrimSuffix(text, "}}")+`,"`+again+`":0}}`)
				if e.Code != leaf.DuplicateKey {
					t.Fatalf("%q again after %d names: %v", again, n, e)
				}
			}
		}
	}
}
