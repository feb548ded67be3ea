package query_test

import (
	"testing"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// sample has all members that queries look at.
const sample = `{"id":"","action":"invoice.updated","version":3,"occurred_at":"2026-11-21T14:22:07.318Z",
 "actor":{"type":"user","id":"usr_7","name":"Grace Hopper","email":"grace@acme.com","metadata":{"team":"billing"},"via":[{"type":"user","id":"usr_1","name":"Ada Byron"}]},
 "targets":[{"type":"invoice","id":"42","name":"Invoice 42","metadata":{"region":"eu"}},{"id":"lu 1","type":"customer","name":"Müller & Söhne"}],
 "context":{"ip":"203.0.113.9","user_agent":"Firefox/149.0","request_id":"req_5","trace_id":"4bf9","session_id":"s_1",
  "http":{"method":"PUT","route":"/invoices/{id}","path":"/invoices/42","status_code":200,"params":{},"request":{"secret":"sesame"},"response":{}}},
 "outcome":"failure","error":{"code":"limit","message":"over the limit"},
 "changes":[{"path":"/amount","old":"1200.00","new":"1450.00"},{"path":"/lines/2/qty","new":{"a":["red","blue"]}},{"path":"/tags/a~1b","old":null}],
 "reason":"PO 7781 paid by card","correlation_id":"job_9","metadata":{"plan":"pro","cost center":"R&D","n":12.50,"ok":true,"none":null,"deep":{"er":{"x":["one","two"]}},"empty":""}}`

func read(t testing.TB, text string) *query.Record {
	t.Helper()
	d := new(leaf.Doc)
	if err := d.Read([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return &query.Record{
		Org: "org_acme", Seq: 48190, ID: "evt_01m7z7rs1affyad5cmxxj94a79", Doc: d,
		Received: now.UnixMicro() + 84_118, Occurred: now.UnixMicro(),
	}
}

func parse(t testing.TB, text string) *query.Query {
	t.Helper()
	q, err := query.Parse(text, query.Options{Now: now, Place: query.Operator})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// may reports what a filter that holds exactly the terms of r answers.
func may(q *query.Query, r *query.Record) bool {
	set := map[query.Term]bool{}
	for _, t := range query.AppendTerms(nil, r) {
		set[t] = true
	}
	b := query.Bounds{
		SeqFrom: r.Seq, SeqTo: r.Seq + 1, Received: [2]int64{r.Received, r.Received}, Occurred: [2]int64{r.Occurred, r.Occurred},
		Late: [2]int64{1, 0}, NoControl: !r.Control, NoErased: !r.Erased,
	}
	return q.May(&b, func(t query.Term) bool { return set[t] })
}

func TestQuery_Match(t *testing.T) {
	t.Parallel()
	r := read(t, sample)
	for _, c := range []struct {
		text string
		want bool
	}{
		{``, true},
		{`action:invoice.updated`, true},
		{`action:Invoice.updated`, false},
		{`action:invoice.*`, true},
		{`action:*.updated`, true},
		{`action:*voi*.up*ed`, true},
		{`action:invoice`, false},
		{`action:invoice.paid,invoice.updated`, true},
		{`-action:invoice.paid`, true},
		{`id:evt_01m7z7rs1affyad5cmxxj94a79`, true},
		{`id:evt_01m7z7rs1affyad5cmxxj94a70`, false},
		{`id:evt_01m7z7*`, true},
		{`seq:48190`, true},
		{`seq:4.8190e4`, true},
		{`seq:>48190`, false},
		{`seq:>=48190`, true},
		{`seq:>48189.5`, true},
		{`seq:<48190`, false},
		{`seq:<48190.1`, true},
		{`seq:1..48190`, true},
		{`seq:48190.5`, false},
		{`seq:*..48189`, false},
		{`actor:usr_7`, true},
		{`actor:usr_1`, true},
		{`actor:USR_7`, false},
		{`actor:"grace hopper"`, true},
		{`actor:GRACE@acme.com`, true},
		{`actor:*@acme.com`, true},
		{`actor:"ada byron"`, true},
		{`via:"ada byron"`, true},
		{`via:grace*`, false},
		{`via.type:user`, true},
		{`actor.id:usr_1`, false},
		{`actor.type:user`, true},
		{`actor.name:grace*`, true},
		{`actor.name:grace`, false},
		{`actor.email:grace@*`, true},
		{`target:invoice:42`, true},
		{`target:customer:42`, false},
		{`target:*:42`, true},
		{`target:inv*:4*`, true},
		{`target:42`, true},
		{`target:"Invoice 42"`, true},
		{`target:"muller & sohne"`, true},
		{`target:customer:lu\ 1`, true},
		{`target.type:customer target.id:42`, true},
		{`target.name:"MÜLLER*"`, false},
		{`target.name:MÜLLER*`, true},
		{`target.type:invoices`, false},
		{`changed:amount`, true},
		{`changed:/amount`, true},
		{`changed:Amount`, false},
		{`changed:/lines`, true},
		{`changed:/lines/2`, true},
		{`changed:/lines/20`, false},
		{`changed:/line`, false},
		{`changed:qty`, true},
		{`changed:/lines/*/qty`, true},
		{`changed:*/qty`, true},
		{`changed:/li*s`, true},
		{`changed:q*y`, true},
		{`changed:a/b`, true},
		{`changed:/tags/a~1b`, true},
		{`changed:/lines/2/qty/x`, false},
		{`outcome:failure`, true},
		{`outcome:FAILURE`, true},
		{`outcome:success,denied`, false},
		{`-outcome:success`, true},
		{`error.code:limit`, true},
		{`error.code:lim*`, true},
		{`error.message:limit`, true},
		{`error.message:"the limit"`, true},
		{`error.message:"limit over"`, false},
		{`reason:paid`, true},
		{`reason:"po 7781"`, true},
		{`reason:"paid card"`, false},
		{`reason:ca*`, true},
		{`ip:203.0.113.9`, true},
		{`ip:203.0.113.0/24`, true},
		{`ip:203.0.0.0/14`, true},
		{`ip:::ffff:203.0.113.9`, true},
		{`ip:10.0.0.0/8`, false},
		{`user_agent:firefox`, true},
		{`request_id:req_5 trace_id:4bf9 session_id:s_1 correlation_id:job_9`, true},
		{`http.method:put`, true},
		{`http.method:PUT,GET`, true},
		{`http.route:"/invoices/{id}"`, true},
		{`http.path:/invoices/*`, true},
		{`http.status_code:200`, true},
		{`http.status_code:2e2`, true},
		{`http.status_code:>=500`, false},
		{`http.status_code:200..299`, true},
		{`version:3`, true},
		{`version:<3`, false},
		{`meta.plan:pro`, true},
		{`meta.plan:p*`, true},
		{`meta.plan:Pro`, false},
		{`meta.Plan:pro`, false},
		{`meta."cost center":R&D`, true},
		{`meta.n:12.50`, true},
		{`meta.n:12.5`, false},
		{`meta.n:>12`, true},
		{`meta.n:>=12.5`, true},
		{`meta.n:>12.5`, false},
		{`meta.n:12.5..13`, true},
		{`meta.plan:>1`, false},
		{`meta.ok:true`, true},
		{`meta.ok:t*`, true},
		{`meta.none:null`, false},
		{`meta.deep.er.x:two`, true},
		{`meta.deep.er:two`, false},
		{`meta.empty:""`, true},
		{`has:meta.deep`, true},
		{`has:meta.deep.er.x`, true},
		{`has:meta.dee`, false},
		{`has:meta.none`, false},
		{`has:meta.empty`, false},
		{`has:"meta.cost center"`, true},
		{`actor.meta.team:billing`, true},
		{`target.meta.region:eu`, true},
		{`meta.team:billing`, false},
		{`occurred:2026-11-21`, true},
		{`occurred:today`, true},
		{`occurred:yesterday`, false},
		{`occurred:>=now`, true},
		{`occurred:>now`, false},
		{`received:>now`, true},
		{`occurred:2026-11..2026-12`, true},
		{`occurred:*..2026-11-20`, false},
		{`occurred:2026-11-21T14:22:07.318`, true},
		{`occurred:2026-11-21T14:22:07.319`, false},
		{`occurred:2026-11-21T14:22:07.3`, true},
		{`occurred:2026-11-21T15:22:07+01:00`, true},
		{`has:via`, true},
		{`has:error.code`, true},
		{`has:occurred`, true},
		{`has:http.method,ip`, true},
		{`has:actor.meta.x`, false},
		{`is:erased`, false},
		{`is:late`, false},
		{`-is:control`, true},
		{`org:org_acme`, true},
		{`org:other`, false},
		{`muller`, true},
		{`MÜLLER`, true},
		{`"ada byron"`, true},
		{`"byron ada"`, false},
		{`grace@acme.com`, true},
		{`acme com`, true},
		{`acm*`, true},
		{`acm`, false},
		{`sesame`, false},
		{`red blue`, true},
		{`"red blue"`, false},
		{`1450.00`, true},
		{`billing`, true},
		{`one`, true},
		{`pro`, true},
		{`usr_7`, true},
		{`"usr 7"`, true},
		{`put`, false},
		{`4bf9`, false},
		{`firefox`, true},
		{`nothing OR firefox`, true},
		{`nothing firefox`, false},
		{`-(nothing firefox)`, true},
		{`-nothing -nowhere`, true},
		{`(action:a OR actor.type:user) -(reason:x OR reason:y) outcome:failure`, true},
	} {
		q := parse(t, c.text)
		if got := q.Match(r); got != c.want {
			t.Errorf("%s: got %v", c.text, got)
		}
		if c.want && !may(q, r) {
			t.Errorf("%s: matches, but the filter says it cannot", c.text)
		}
		if again := parse(t, q.String()); again.String() != q.String() || again.Match(r) != c.want {
			t.Errorf("%s: normal form %s reads otherwise", c.text, q)
		}
	}
}
