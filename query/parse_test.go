package query_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/query"
)

var now = time.Date(2026, 11, 21, 14, 22, 7, 318_000_000, time.UTC)

// TestParse_documented holds the errors that the documentation shows, letter by letter: the text, the caret line, the code and the
// message.
func TestParse_documented(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		place             query.Place
		text, caret, want string
	}{
		{0, `actr:ada`, `^^^^`, `unknown_field: There is no field "actr". Did you mean actor: ?`},
		{0, `http://example.com`, `^^^^`, `unknown_field: There is no field "http". Did you mean http.path: ? To search for this text, quote it.`},
		{0, `action:`, `^^^^^^^`, `missing_value: "action:" needs a value. For "any value" write has:action`},
		{0, `note "paid by`, `     ^`, `unclosed_quote: This quote is never closed.`},
		{0, `(outcome:failure OR outcome:denied`, `^`, `unbalanced: This "(" is never closed.`},
		{0, `outcome:failed`, `        ^^^^^^`, `bad_value: outcome must be one of success, failure, denied.`},
		{0, `occurred:7d`, `         ^^`, `bad_time: "7d" is a length of time, not a moment. Write now-7d`},
		{0, `action:>5`, `       ^`, `bad_operator: ">" does not work on action: it is not a number or a time.`},
		{0, `seq:1..2..3`, `    ^^^^^^^`, `bad_range: A range is LOW..HIGH; one side may be *.`},
		{0, `a OR`, `  ^^`, `dangling_operator: OR needs a condition on its right.`},
		{0, `re*fund`, `^^^^^^^`, `bad_wildcard: In free text "*" may only end a word.`},
		{0, `meta.x:(a OR b)`, `       ^`, `unexpected: A value cannot be a group. List values with commas: meta.x:a,b`},
		{0, `org:acme`, `^^^`, `not_allowed: "org:" is not available here: the organization comes from your credential.`},
		{query.Stream, `received:>now-1h`, `          ^^^^^^`, `not_allowed: Relative times are not allowed in a stream filter.`},
	} {
		_, err := query.Parse(c.text, query.Options{Now: now, Place: c.place})
		var e *query.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: no *Error: %v", c.text, err)
			continue
		}
		caret := strings.Repeat(" ", e.Pos) + strings.Repeat("^", e.Len)
		if caret != c.caret || e.Error() != c.want {
			t.Errorf("%s\n%s %v\nwant\n%s %s", c.text, caret, e, c.caret, c.want)
		}
	}
}
