package spelling_test

import (
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/internal/spelling"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"actr", "actor", 1},
		{"actoin", "action", 2},
		{"a", "a", 0},
		{"", "ab", 2},
		{"abc", "xyz", 3},
		{"abcdef", "ab", 3},
		{"vwxyz", "abcde", 3},
		{long, long + "bc", 2},
		{long + "b", long + "b", 3},
	} {
		if got := spelling.Distance(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
