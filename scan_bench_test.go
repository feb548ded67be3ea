package daybook_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// What the benchmarks search: one org's log, most of it merged.
const (
	benchBlocks = 400_000
	benchTail   = 50_000
)

// searched is the Book that benchBook made, if it did.
var searched *daybook.Book

// benchBook returns a Book with that log, on a store in memory: what is measured is the search, with every block and filter as it
// would be on disk.
var benchBook = sync.OnceValue(func() *daybook.Book {
	c := newClock()
	o := quiet(c)
	o.SearchTime = 10 * time.Minute
	o.SearchBlocks = 1 << 30
	b, err := daybook.Open(context.Background(), storetest.Memory(), o)
	if err != nil {
		panic(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 0; n < benchBlocks+benchTail; n += 1000 {
		if n%100_000 == 0 && n <= benchBlocks {
			if err := b.Settle(context.Background()); err != nil {
				panic(err)
			}
		}
		r := daybook.Request{}
		for i := range 1000 {
			r.Events = append(r.Events, benchEvent(rng, n+i, c.now()))
			c.move(time.Second)
		}
		if _, err := b.RecordJSON(context.Background(), "org_a", r); err != nil {
			panic(err)
		}
	}
	searched = b
	return b
})

// benchEvent makes an event of about 700 bytes. One in ten thousand is of the actor "rare", and one in forty in Latin.
func benchEvent(rng *rand.Rand, n int, now time.Time) []byte {
	user, reason := rng.IntN(2000), "monthly run"
	if n%40 == 0 {
		reason = "quod erat demonstrandum"
	}
	id := fmt.Sprintf("usr_%d", user)
	if n%10_000 == 17 {
		id = "usr_rare"
	}
	return fmt.Appendf(nil, `{"action":"%s","occurred_at":"%s","actor":{"type":"user","id":"%s","name":"User Number %d","email":"user%d@example.com",`+
		`"metadata":{"team":"team-%d","region":"eu-west-1"}},"targets":[{"type":"%s","id":"%d","name":"Thing %d","metadata":{"plan":"pro"}}],`+
		`"context":{"ip":"203.0.113.%d","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Gecko/20100101 Firefox/149.0","request_id":"req_%x",`+
		`"http":{"method":"PUT","route":"/things/{id}","path":"/things/%d","status_code":%d}},"outcome":"%s",`+
		`"changes":[{"path":"/amount","old":"%d.00","new":"%d.00"}],"reason":"%s","metadata":{"batch":"b_%d","source":"importer","note":"nothing special here"}}`,
		actions[rng.IntN(len(actions))], now.UTC().Format(time.RFC3339Nano), id, user, user, user%20, []string{"invoice", "user", "order"}[n%3], rng.IntN(50_000), n,
		rng.IntN(256), rng.Uint64(), n, 200+rng.IntN(4)*100, []string{"success", "success", "success", "failure", "denied"}[rng.IntN(5)],
		rng.IntN(1000), rng.IntN(1000), reason, n/1000)
}

func BenchmarkSearch(b *testing.B) {
	for _, bench := range []struct {
		name string
		q    daybook.EventQuery
	}{
		{"latest", daybook.EventQuery{}},
		{"oldest", daybook.EventQuery{Asc: true}},
		{"common", daybook.EventQuery{Text: "action:invoice.paid"}},
		{"actor", daybook.EventQuery{Text: "actor.id:usr_77"}},
		{"rare", daybook.EventQuery{Text: "actor.id:usr_rare"}},
		{"miss", daybook.EventQuery{Text: "actor.id:usr_nobody"}},
		{"word", daybook.EventQuery{Text: "demonstrandum"}},
		{"word miss", daybook.EventQuery{Text: "gesundheit"}},
		{"two", daybook.EventQuery{Text: "actor.id:usr_77 outcome:failure"}},
		{"target", daybook.EventQuery{Text: "target:invoice:4242"}},
		{"occurred", daybook.EventQuery{Order: daybook.OrderOccurred}},
		{"occurred rare", daybook.EventQuery{Order: daybook.OrderOccurred, Text: "actor.id:usr_rare"}},
		{"one hour", daybook.EventQuery{Text: "occurred:2026-11-03T10:00..2026-11-03T11:00"}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			book := benchBook()
			bench.q.Org = "org_a"
			b.ReportAllocs()
			found := 0
			for b.Loop() {
				page, err := book.Search(b.Context(), bench.q)
				if err != nil {
					b.Fatal(err)
				}
				found = len(page.Entries)
			}
			b.ReportMetric(float64(found), "rows")
		})
	}
}

func BenchmarkCounts(b *testing.B) {
	book := benchBook()
	q := daybook.EventQuery{Org: "org_a"}
	b.Run("histogram by day", func(b *testing.B) {
		for b.Loop() {
			if _, err := book.Histogram(b.Context(), daybook.HistogramQuery{EventQuery: q}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("facets of all", func(b *testing.B) {
		for b.Loop() {
			if _, err := book.Facets(b.Context(), daybook.FacetQuery{EventQuery: q}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
