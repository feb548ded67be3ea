package query_test

import (
	"testing"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// ordinary is an event of about 700 bytes, as the benchmarks of the whole product record them.
const ordinary = `{"id":"","action":"invoice.updated","occurred_at":"2026-11-21T14:22:07.318Z","actor":{"type":"user","id":"usr_01h455vb4pex5vsknk084sn02q","name":"Grace Hopper","email":"grace.hopper@acme.com"},"targets":[{"type":"invoice","id":"inv_48190","name":"Invoice 48190"}],"context":{"ip":"203.0.113.9","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Gecko/20100101 Firefox/149.0","request_id":"req_7f3k2q9x4m","http":{"method":"PUT","route":"/v1/invoices/{id}","path":"/v1/invoices/48190","status_code":200}},"outcome":"success","changes":[{"path":"/amount","old":"1200.00","new":"1450.00"}],"reason":"PO 7781","correlation_id":"job_9","metadata":{"plan":"pro","region":"eu-west-1","amount":1450}}`

func BenchmarkMatch(b *testing.B) {
	r := read(b, ordinary)
	b.Logf("%d bytes, %d fields", len(ordinary), r.Doc.Len())
	for _, text := range []string{
		`action:invoice.updated actor:usr_01h455vb4pex5vsknk084sn02q outcome:success`,
		`action:invoice.* target:invoice:inv_48190 -actor.type:system`,
		`http.status_code:>=500 ip:203.0.113.0/24 meta.plan:pro`,
		`hopper`,
		`"nothing here" OR nowhere`,
		`actor:*hopper* changed:amount occurred:>2020`,
	} {
		q := parse(b, text)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q.Match(r)
			}
		})
	}
}

func BenchmarkAppendTerms(b *testing.B) {
	r := read(b, ordinary)
	terms := query.AppendTerms(nil, r)
	b.Logf("%d terms", len(terms))
	b.ReportAllocs()
	for b.Loop() {
		terms = query.AppendTerms(terms[:0], r)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		parse(b, `action:invoice.* target:invoice:inv_48190 -actor.type:system occurred:>=now-7d`)
	}
}

func BenchmarkRead(b *testing.B) {
	var d leaf.Doc
	text := []byte(ordinary)
	for b.Loop() {
		if err := d.Read(text); err != nil {
			b.Fatal(err)
		}
	}
}
