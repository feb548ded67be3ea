package export_test

import (
	"fmt"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
)

// BenchmarkPiece measures one goroutine making files of 16,384 entries that are read already; the figure that counts is of one entry.
func BenchmarkPiece(b *testing.B) {
	const n = 16 << 10
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf(`{"action":"invoice.updated","version":3,"occurred_at":"2026-11-21T14:22:07.%03dZ",`+
			`"actor":{"type":"user","id":"usr_%d","name":"Grace Hopper %d","email":"grace%d@acme.com"},"targets":[{"type":"invoice","id":"%d","name":"Invoice %d"},{"type":"account","id":"a%d"}],`+
			`"context":{"ip":"203.0.113.%d","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Gecko/20100101 Firefox/149.0","request_id":"req_%d"},`+
			`"outcome":"success","changes":[{"path":"/amount","old":"%d.00","new":"%d.10"}],"reason":"PO %d","metadata":{"plan":"pro","region":"eu-%d"}}`,
			i%1000, i%40, i%40, i%40, i%3000, i%3000, i%30, i%250, i, i, i+1, i%900, i%4)
	}
	ps := passages(b, texts...)
	for _, x := range []control.Export{
		{Format: export.NDJSON},
		{Format: export.NDJSON, Compression: export.Gzip},
		{Format: export.NDJSON, Compression: export.Zstd},
		{Format: export.CSV},
		{Format: export.CSV, Columns: withoutLeaf()},
		{Format: export.Parquet},
		{Format: export.Parquet, Columns: withoutLeaf()},
	} {
		b.Run(fmt.Sprintf("%s-%s-%d", x.Format, x.Compression, len(x.Columns)), func(b *testing.B) {
			size := 0
			for b.Loop() {
				x.Org, x.ID = "org_acme", "exp_01m7w2y7m0fhra2avt0s3fj8ks"
				out, err := export.File(&x, ps, len(ps))
				if err != nil {
					b.Fatal(err)
				}
				size = len(out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
			b.ReportMetric(float64(size)/n, "B/entry")
		})
	}
}

func withoutLeaf() []string {
	names := export.Columns()
	return names[:len(names)-1]
}
