package daybook

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/daybook-audit/daybook/internal/kept"
)

// typicalEntries returns consecutive entries of about 690 bytes with values that repeat as they do in practice.
func typicalEntries(tb testing.TB, n int) []kept.Entry {
	tb.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	es := make([]kept.Entry, n)
	for i := range es {
		user, doc := rng.IntN(80), rng.IntN(2000)
		es[i] = kept.Entry{
			Seq: int64(i), Received: 1_795_000_000_000_000 + int64(i)*3_000, ID: NewID(),
			Body: fmt.Appendf(nil, `{"action":"%s","occurred_at":"2026-11-18T%02d:%02d:%02d.%06dZ","actor":{"type":"user","id":"usr_%08x","name":"Grace Hopper %d","email":"grace.%d@acme.example"},`+
				`"targets":[{"type":"invoice","id":"inv_%08x","name":"Invoice %d"},{"type":"account","id":"acc_%d"}],"context":{"ip":"203.0.113.%d","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Gecko/20100101 Firefox/149.0","request_id":"req_%016x","http":{"method":"PUT","route":"/v1/invoices/{id}","status_code":200}},`+
				`"outcome":"success","changes":[{"path":"/amount","old":"%d.00","new":"%d.00"},{"path":"/due","old":"2026-12-01","new":"2026-12-15"}],"reason":"PO %d","correlation_id":"job_%d","metadata":{"plan":"pro","region":"eu-west-1","amount":%d}}`,
				[]string{"invoice.updated", "invoice.paid", "invoice.sent", "user.login"}[rng.IntN(4)], rng.IntN(24), rng.IntN(60), rng.IntN(60), rng.IntN(1e6), user, user, user,
				doc, doc, doc%50, rng.IntN(250), rng.Uint64(), rng.IntN(5000), rng.IntN(5000), rng.IntN(9999), rng.IntN(20), rng.IntN(5000)),
		}
		for j := range es[i].Secret {
			es[i].Secret[j] = byte(rng.Uint32())
		}
	}
	return es
}

func TestBuildAllocates(t *testing.T) { // not parallel: it counts the allocations of the process
	es := typicalEntries(t, windowSize)
	var bb blockBuilder
	p := piece{state: stateWhole}
	build := func() {
		if _, err := bb.build(&Head{}, es, &p, 0); err != nil {
			t.Fatal(err)
		}
	}
	build()
	if n := testing.AllocsPerRun(10, build); n > windowSize/10 {
		t.Errorf("%.0f allocations for %d entries: some for every entry", n, len(es))
	}
}

func BenchmarkMergeBlock(b *testing.B) {
	es := typicalEntries(b, windowSize)
	size := 0
	for i := range es {
		size += len(es[i].Body)
	}
	var bb blockBuilder
	p := piece{state: stateWhole}
	stored := 0
	b.ReportAllocs()
	for b.Loop() {
		block, err := bb.build(&Head{}, es, &p, 0)
		if err != nil {
			b.Fatal(err)
		}
		stored = blockSize(&block)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/windowSize, "ns/event")
	b.ReportMetric(float64(stored)/windowSize, "stored_B/event")
	b.ReportMetric(float64(size)/windowSize, "body_B/event")
}
