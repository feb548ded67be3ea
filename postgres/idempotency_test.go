package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
)

// TestIdempotency lets a hundred callers of two nodes record the same at once: it becomes one entry, whose receipt all of them get, and who
// uses its id or its key for something else is refused.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	rounds := 4
	if os.Getenv("DAYBOOK_TEST_SIZE") == "nightly" {
		rounds = 1000
	}
	schema := newSchema(t)
	var nodes []*daybook.Book
	for range 2 {
		s := openStore(t, schema, postgres.Options{Shards: 2})
		b, err := daybook.Open(t.Context(), s, daybook.Options{TailEntries: 25})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := errors.Join(b.Close(), s.Close()); err != nil {
				t.Error(err)
			}
		}()
		nodes = append(nodes, b)
	}
	body := func(n int, id string) []byte {
		return fmt.Appendf(nil, `{%s"action":"invoice.paid","actor":{"type":"user","id":"%d"}}`, id, n)
	}
	for round := range rounds {
		id := fmt.Sprintf(`"id":%q,`, daybook.NewID())
		for _, c := range []struct {
			name    string
			request func(caller int) daybook.Request
			refusal string
		}{
			{"one id", func(int) daybook.Request { return daybook.Request{Events: [][]byte{body(0, id)}} }, ""},
			{"one key", func(int) daybook.Request {
				return daybook.Request{Events: [][]byte{body(0, ""), body(1, "")}, Key: "k"}
			}, ""},
			{"one id, two bodies", func(i int) daybook.Request { return daybook.Request{Events: [][]byte{body(i/2%2, id)}} }, "id_conflict"},
			{"one key, two bodies", func(i int) daybook.Request { return daybook.Request{Events: [][]byte{body(i/2%2, "")}, Key: "k"} }, "key_conflict"},
		} {
			same(t, daybook.OrgID(fmt.Sprintf("org_%d_%x", round, c.name)), nodes, c.request, c.refusal)
		}
	}
}

// same records a request of a hundred callers, every second one at the second node.
func same(t *testing.T, org daybook.OrgID, nodes []*daybook.Book, request func(caller int) daybook.Request, refusal string) {
	t.Helper()
	var mu sync.Mutex
	var first []daybook.Receipt
	news, refused := 0, 0
	var callers sync.WaitGroup
	for i := range 100 {
		callers.Go(func() {
			res, err := nodes[i%2].RecordJSON(t.Context(), org, request(i))
			mu.Lock()
			defer mu.Unlock()
			if e, ok := errors.AsType[*daybook.Error](err); ok && refusal != "" && e.RuleName() == refusal {
				refused++
				return
			}
			if err != nil {
				t.Errorf("%s: %v", org, err)
				return
			}
			if !res.Receipts[0].Duplicate {
				news++
			}
			for k := range res.Receipts {
				res.Receipts[k].Duplicate = true
			}
			if first == nil {
				first = res.Receipts
			} else if d := cmp.Diff(first, res.Receipts); d != "" {
				t.Errorf("%s: two receipts for one event: %s", org, d)
			}
		})
	}
	callers.Wait()
	if news != 1 || (refusal != "") != (refused > 0) {
		t.Errorf("%s: new to %d callers, %d refused", org, news, refused)
	}
	n := int64(0)
	for e, err := range nodes[1].Events(t.Context(), daybook.EventQuery{Org: org}) {
		if err != nil || e.Seq >= int64(len(first)) {
			t.Fatalf("%s: entry %d, %v", org, e.Seq, err)
		}
		n++
	}
	if n != int64(len(first)) {
		t.Errorf("%s: %d entries, want %d", org, n, len(first))
	}
}
