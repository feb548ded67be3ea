package appsql_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/internal/appsql"
)

// numbers answers every query with its numbers, and fails where it is told to.
type numbers struct {
	all                     []int
	query, scan, end, close error
	closed                  int
}

func (n *numbers) Query(context.Context, string, ...any) (*result, error) {
	return &result{numbers: n, left: n.all}, n.query
}

type result struct {
	*numbers
	left []int
}

func (r *result) Next() bool { return len(r.left) > 0 }
func (r *result) Err() error { return r.end }

func (r *result) Scan(into ...any) error {
	if to, ok := into[0].(*int); ok {
		*to, r.left = r.left[0], r.left[1:]
	}
	return r.scan
}

func (r *result) Close() error {
	r.closed++
	return r.close
}

func TestOneAndAll(t *testing.T) {
	t.Parallel()
	wrong := errors.New("wrong")
	whole := func(n *int) []any { return []any{n} }
	n := &numbers{all: []int{7, 8}}
	var one int
	if found, err := appsql.One(t.Context(), n, "", nil, &one); !found || one != 7 || err != nil {
		t.Errorf("%t %d %v", found, one, err)
	}
	all, err := appsql.All(t.Context(), n, "", nil, whole)
	if diff := cmp.Diff(n.all, all); diff != "" || err != nil || n.closed != 2 {
		t.Errorf("%v, closed %d times\n%s", err, n.closed, diff)
	}
	if found, err := appsql.One(t.Context(), &numbers{}, "", nil, &one); found || err != nil {
		t.Errorf("no row: %t %v", found, err)
	}
	for name, n := range map[string]*numbers{
		"the query": {query: wrong}, "a row": {all: []int{1}, scan: wrong}, "the end": {end: wrong}, "closing": {all: []int{1}, close: wrong},
	} {
		if _, err := appsql.One(t.Context(), n, "", nil, &one); !errors.Is(err, wrong) {
			t.Errorf("One, %s: %v", name, err)
		}
		if all, err := appsql.All(t.Context(), n, "", nil, whole); !errors.Is(err, wrong) {
			t.Errorf("All, %s: %v %v", name, all, err)
		}
	}
}
