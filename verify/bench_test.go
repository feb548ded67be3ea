package verify_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/verify"
)

// typical is an event of about 700 bytes and 20 fields, the size that the budget of docs/reference/integrity.md section 14 is for.
const typical = `{"action":"invoice.updated","occurred_at":"2026-11-21T22:54:47.123456Z","version":3,"actor":{"type":"user","id":"usr_%d","name":"Grace Hopper","email":"grace@example.com"},` +
	`"targets":[{"type":"invoice","id":"inv_%d","name":"Invoice 42"},{"type":"customer","id":"cus_7","name":"Example Ltd"}],"context":{"ip":"203.0.113.9",` +
	`"user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Gecko/20100101 Firefox/149.0","request_id":"req_7f3k2q9x4m"},"changes":[{"path":"/amount","old":1200.00,"new":1450.00}],` +
	`"reason":"PO 7781","outcome":"success","metadata":{"department":"R&D","external_id":9007199254740993,"note":"d\u00e9j\u00e0 vu"}}`

// BenchmarkBundle measures entries per second: docs/reference/integrity.md section 14 asks for 40,000.
func BenchmarkBundle(b *testing.B) {
	const n = 20_000
	m := newMade(b)
	for i := range n {
		m.add(leaf.Event, typical, i%100, i)
	}
	text := []byte(m.bundle(bundleOf{to: n, size: n}))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if r := verify.Bundle(bytes.NewReader(text), m.pinned()); r.Exit() != 0 {
			b.Fatal(r.Findings)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func ExampleBundle() {
	key, err := verify.ParseKey("audit.example.com/o/7f3k2q9x4m1n8p5r+9c1cb24f+ASihhwa0DweTdLp9cS3wjDesnFuwtloKI6dT5fWmf0lg")
	if err != nil {
		fmt.Println(err)
		return
	}
	report := verify.Bundle(bytes.NewReader([]byte("{}\n")), verify.Options{Keys: []verify.Key{key}})
	fmt.Println(report.Exit(), report.Findings[0])
	// Output: 6 malformed line 1: the line has no type
}
