package daybook_test

import (
	"io"
	"testing"

	"github.com/daybook-audit/daybook"
)

// BenchmarkWriteBundle writes a whole log; BenchmarkInclusion proves one of its entries.
func BenchmarkWriteBundle(b *testing.B) {
	e := newEvidenced(b, 1)
	e.add(b, 1000)
	for range 19 {
		e.add(b, 1000)
	}
	if err := e.Settle(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.WriteBundle(b.Context(), io.Discard, daybook.BundleQuery{Org: "org_a"}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20_000, "ns/entry")
	})
	b.Run("filtered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.WriteBundle(b.Context(), io.Discard, daybook.BundleQuery{Org: "org_a", Text: "outcome:denied"}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20_000, "ns/entry")
	})
	b.Run("inclusion", func(b *testing.B) {
		i := int64(0)
		for b.Loop() {
			if _, err := e.Inclusion(b.Context(), "org_a", i*7919%20_000, 20_000); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}
