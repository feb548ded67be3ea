package query_test

import (
	"testing"

	"github.com/daybook-audit/daybook/query"
)

func TestNewTerm(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		ns    byte
		value string
		want  query.Term
	}{
		{'a', "invoice.paid", query.Term{H: 0x9e8d171a68454fc8, G: 0x8bd7a3f48c01886b}},
		{'t', "42", query.Term{H: 0x810b196a56ee3cec, G: 0xe1b48e7a616365a8}},
		{'w', "muller", query.Term{H: 0x82c80694ba6951f8, G: 0x9eb8b36dcaa6142e}},
	} {
		if got := query.NewTerm(v.ns, []byte(v.value)); got != v.want {
			t.Errorf("%c %q: got %x, want %x", v.ns, v.value, got, v.want)
		}
	}
}
