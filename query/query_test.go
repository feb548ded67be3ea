package query_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

func TestQuery_zero(t *testing.T) {
	t.Parallel()
	var q query.Query
	if !q.Empty() || q.String() != "" || !q.Match(&query.Record{}) || !q.May(nil, nil) || q.Words() != "everything" || q.Relative() {
		t.Error("the zero query asks for something")
	}
	if outcomes, ok := q.CountsByDay(); outcomes != nil || !ok {
		t.Errorf("counts: %v, %v", outcomes, ok)
	}
}

func TestAnd(t *testing.T) {
	t.Parallel()
	r := read(t, sample)
	if q := query.And(nil, &query.Query{}, parse(t, "")); !q.Empty() {
		t.Errorf("nothing and nothing is %s", q)
	}
	q := query.And(parse(t, "action:invoice.* OR nothing"), parse(t, "-a b"), nil, query.Target("invoice", "42"))
	if got, want := q.String(), `(action:invoice.* OR nothing) -a b target:invoice:42`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if q := query.And(parse(t, "grace"), parse(t, "is:held")); q.Match(r) {
		t.Error("one part holds, the other does not, and And matches")
	}
	if !query.And(parse(t, "a"), parse(t, "occurred:>now-1h")).Relative() {
		t.Error("a relative time is forgotten")
	}
	// More conditions than one program holds.
	long := strings.Repeat("grace ", 60)
	q = query.And(parse(t, long), parse(t, long), parse(t, "ada OR nobody"), parse(t, long))
	if !q.Match(r) || !may(q, r) {
		t.Error("180 conditions that hold do not match")
	}
	if q = query.And(parse(t, long), parse(t, long), parse(t, "-ada")); q.Match(r) {
		t.Error("the last of 121 conditions does not count")
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	r := read(t, sample)
	for _, c := range []struct {
		typ, id, normal string
		want            bool
	}{
		{"invoice", "42", `target:invoice:42`, true},
		{"customer", "lu 1", `target:customer:lu\ 1`, true},
		{"customer", "42", `target:customer:42`, false},
		{"*", "42", `target:\*:42`, false},
		{"a:b", `"x"`, `target:a\:b:\"x\"`, false},
	} {
		q := query.Target(c.typ, c.id)
		if q.String() != c.normal || q.Match(r) != c.want || c.want && !may(q, r) {
			t.Errorf("%s %s: normal form %s, match %v", c.typ, c.id, q, q.Match(r))
		}
		if again := parse(t, q.String()); again.String() != q.String() || again.Match(r) != c.want {
			t.Errorf("%s reads otherwise: %s", q, again)
		}
	}
}

func TestActor(t *testing.T) {
	t.Parallel()
	r := read(t, sample)
	for _, c := range []struct {
		typ, id string
		want    bool
	}{{"user", "usr_7", true}, {"user", "usr_1", true}, {"system", "usr_1", false}, {"user", "Grace Hopper", false}, {"user", "*", false}} {
		q := query.Actor(c.typ, c.id)
		if q.Match(r) != c.want || c.want && !may(q, r) {
			t.Errorf("%s: match %v", q, q.Match(r))
		}
		if _, err := query.Parse(q.String(), query.Options{}); err == nil {
			t.Errorf("%s is a query, but would mean something else", q)
		}
	}
}

func TestQuery_CountsByDay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string
		ok   bool
	}{
		{"", nil, true},
		{"outcome:failure", []string{"failure"}, true},
		{"outcome:failure,denied", []string{"failure", "denied"}, true},
		{"outcome:success,failure,denied", nil, true},
		{"outcome:failure OR outcome:denied", []string{"failure", "denied"}, true},
		{"-outcome:success", []string{"failure", "denied"}, true},
		{"outcome:failure outcome:denied", []string{}, true},
		{"outcome:failure -(outcome:denied OR outcome:success)", []string{"failure"}, true},
		{"outcome:failure a", nil, false},
		{"occurred:2026", nil, false},
	} {
		got, ok := parse(t, c.text).CountsByDay()
		if !cmp.Equal(got, c.want) || ok != c.ok {
			t.Errorf("%s: got %#v, %v", c.text, got, ok)
		}
	}
}

func TestQuery_Literals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"action:invoice.paid", "invoice.paid"},
		{"action:invoice.*", "invoice."},
		{"action:abc", ""},
		{"action:a,b", ""},
		{"-action:invoice.paid", ""},
		{"action:invoice.paid OR request_id:abcdef", ""},
		{"target:invoice:12345 request_id:abcdef", "invoice 12345 abcdef"},
		{"target:12345 actor:USR_7777 grace", "~12345 ~usr_7777 ~grace"},
		{`actor.name:Graceful*opper "Paid by card" refun*`, "~graceful ~paid ~card ~refun"},
		{"Zürich 漢字 müllersch", "~zurich ~mullersch"},
		{"-grace OR hopper", ""},
		{"outcome:failure", "failure"},
		{"outcome:success", ""},
		{"changed:/lines/*", "/lines/"},
		{"changed:lines", ""},
		{"meta.plan:enterprise meta.n:>5000", "enterprise"},
		{`request_id:"say \"hi\""`, ""},
		{"id:evt_01m7z7rs1affyad5cmxxj94a79", ""},
		{"org:org_acme seq:12345", ""},
	} {
		lits := parse(t, c.text).Literals()
		if got := lits.String(); got != c.want || lits.None() != (c.want == "") {
			t.Errorf("%s: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestLiterals_In(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query, text string
		want        bool
	}{
		{"action:invoice.paid", `{"action":"invoice.paid"}`, true},
		{"action:invoice.paid", `{"action":"Invoice.paid"}`, false},
		{"grace", `grace`, true},
		{"grace", `{"a":"xGRacE"}`, true},
		{"grace", `{"a":"grac","b":"e"}`, false},
		{"grace", `gracgRACE`, true},
		{"grace", `GRAC`, false},
		{"grace", ``, false},
		{"grace", `{"a":"Gráce"}`, true},
		{"kelvin", "{\"a\":\"\u212aelvin\"}", true},
		{"kelvin", "{\"a\":\"delvin\"}", false},
		{"12345", `x0123456`, true},
		{"12345", `x012346`, false},
		{"actor:a@b.test", `A@B.TEST`, true},
		{"actor:a@b.test", `a@b-test`, false},
		{"grace hopper", `grace`, false},
		{"grace action:user.login", `GRACE user.login`, true},
		{"grace action:user.login", `é user.Login`, false},
	} {
		lits := parse(t, c.query).Literals()
		if got := lits.In([]byte(c.text)); got != c.want {
			t.Errorf("%s in %s: %v", c.query, c.text, got)
		}
	}
}

func TestQuery_May_bounds(t *testing.T) {
	t.Parallel()
	empty := [2]int64{math.MaxInt64, math.MinInt64}
	day := func(d int64) int64 { return now.UnixMicro() + d*86_400_000_000 }
	b := query.Bounds{
		SeqFrom: 100, SeqTo: 200, Received: [2]int64{day(-2), day(-1)}, Occurred: [2]int64{day(-2) - 1000, day(-1) - 1000}, Late: empty,
		NoControl: true, NoErased: true,
	}
	for _, c := range []struct {
		text string
		want bool
	}{
		{"", true},
		{"seq:99", false},
		{"seq:100", true},
		{"seq:199", true},
		{"seq:200", false},
		{"seq:>199", false},
		{"seq:>198", true},
		{"seq:1..99,300", false},
		{"seq:1..100", true},
		{"received:today", false},
		{"received:yesterday", true},
		{"occurred:>now-1d", false},
		{"occurred:<now-2d", true},
		{"occurred:<now-3d", false},
		{"occurred:<now-3d OR seq:100", true},
		{"occurred:<now-3d seq:100", false},
		{"-occurred:<now-3d", true},
		{"-occurred:>=now-3d", true}, // unknown, though no entry matches
		{"is:late", true},
		{"is:erased", false},
		{"is:control", false},
		{"is:held", true},
		{"is:control,held", true},
		{"action:a", true},
	} {
		if got := parse(t, c.text).May(&b, nil); got != c.want {
			t.Errorf("%s: got %v", c.text, got)
		}
	}
	soon := query.Bounds{Received: [2]int64{day(0), day(0) + 1e6}, Occurred: [2]int64{day(0) - 299e6, day(0)}, Late: empty}
	if parse(t, "is:late").May(&soon, nil) {
		t.Error("is:late: can be, though all was received within five minutes")
	}
	b.Late, b.NoControl, b.NoErased = [2]int64{day(-40), day(-30)}, false, false
	for _, text := range []string{"occurred:<now-3d", "is:late", "is:control", "is:erased"} {
		if !parse(t, text).May(&b, nil) {
			t.Errorf("%s: cannot be, though it can", text)
		}
	}
}

// TestQuery_May_terms holds for each kind of condition that the filter is asked at all.
func TestQuery_May_terms(t *testing.T) {
	t.Parallel()
	none := func(query.Term) bool { return false }
	for _, text := range []string{
		"id:evt_01m7z7rs1affyad5cmxxj94a79", "action:invoice.paid", "action:invoice.*", "action:*.paid", "actor:ada", "actor:*@acme.com", "actor.id:usr_7",
		"actor.id:usr_01h455vb4pex5vsknk084sn02q", "actor.type:user", "actor.name:ada", "via:ada", "via.type:user", "target:invoice:42", "target:invoice:*", "target:42",
		"target.type:invoice", "target.id:42", "target.name:x", "changed:/amount", "changed:amount", "changed:/lines/*/qty", "outcome:failure", "error.code:x",
		"error.message:x", "reason:x", "ip:10.1.2.3", "ip:10.1.2.0/24", "ip:10.1.0.0/16", "ip:10.0.0.0/8", "ip:2001:db8::/48", "user_agent:x", "request_id:x",
		"http.method:get", "http.route:/x", "http.path:/x", "http.status_code:500", "http.status_code:>=500", "meta.plan:pro", "meta.plan:p*", "meta.n:>5",
		"actor.meta.a:b", "target.meta.a:b", "has:via", "has:meta.plan", "word", `"two words"`, "two wor*", "a OR b", "a b",
	} {
		if parse(t, text).May(nil, none) {
			t.Errorf("%s: may match without a single term", text)
		}
	}
	for _, text := range []string{"", "-action:x", "version:3", "wor*", "a OR seq:5", "has:id", "is:held", "occurred:2026"} {
		if !parse(t, text).May(nil, none) {
			t.Errorf("%s: depends on terms that an entry need not have", text)
		}
	}
	if len(query.AppendTerms(nil, &query.Record{ID: "evt_01m7z7rs1affyad5cmxxj94a79"})) != 1 {
		t.Error("an entry without a payload has other terms than its id")
	}
}

func TestQuery_Match_states(t *testing.T) {
	t.Parallel()
	const minute = 60_000_000
	for _, c := range []struct {
		text string
		r    query.Record
		want bool
	}{
		{"is:late", query.Record{Received: 5*minute + 1}, true},
		{"is:late", query.Record{Received: 5 * minute}, false},
		{"is:late", query.Record{Occurred: 5*minute + 1}, false},
		{"is:held", query.Record{Held: true}, true},
		{"is:erased,control", query.Record{Control: true}, true},
		{"is:erased", query.Record{Control: true}, false},
		{"-action:x", query.Record{}, true},
		{"action:*", query.Record{}, false},
		{"outcome:success", query.Record{}, false}, // nothing of it is left
		{"version:1", query.Record{}, false},
		{"outcome:success version:1", *read(t, `{"action":"a.b"}`), true},
		{"outcome:success", *read(t, `{"outcome":null}`), true},
		{"has:outcome", *read(t, `{"action":"a.b"}`), false},
		{"outcome:success", *read(t, `{"action":"a.b","outcome":"denied"}`), false},
		{"-outcome:success", *read(t, `{"action":"a.b"}`), false},
		{"version:<2", *read(t, `{"version":3}`), false},
		{"actor:ada", *read(t, `{"actor":"ada","targets":"ada","changes":{},"metadata":"ada"}`), false},
		{"has:changed", *read(t, `{"changes":[]}`), false},
		{"has:reason", *read(t, `{"reason":""}`), false},
		{"-has:reason", *read(t, `{"reason":""}`), true},
		{`meta.x:"a b"`, *read(t, `{"metadata":{"x":"a b"}}`), true},
	} {
		if got := parse(t, c.text).Match(&c.r); got != c.want {
			t.Errorf("%s on %+v: got %v", c.text, c.r, got)
		}
	}
}

func TestQuery_Match_allocates_nothing(t *testing.T) {
	r := read(t, sample)
	for _, text := range []string{
		"action:invoice.updated outcome:failure -actor.type:system", "actor:*grace* target:invoice:42", "target.name:müller*", `"ada byron" OR nothing*`,
		"ip:203.0.113.0/24 http.status_code:>=200 meta.n:>12", "changed:/lines/*/qty changed:qty", "occurred:>2020 seq:1..99999 id:evt_01* org:org_acme", "has:via,ip is:late",
	} {
		q := parse(t, text)
		if n := testing.AllocsPerRun(100, func() { q.Match(r) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
	terms := query.AppendTerms(nil, r)
	if n := testing.AllocsPerRun(100, func() { terms = query.AppendTerms(terms[:0], r) }); n != 0 {
		t.Errorf("AppendTerms: %v allocations", n)
	}
	v6 := read(t, `{"context":{"ip":"2001:DB8::9%eth0","http":{"status_code":2.5e2}}}`)
	if n := testing.AllocsPerRun(100, func() { terms = query.AppendTerms(terms[:0], v6) }); n != 0 {
		t.Errorf("AppendTerms: %v allocations for IPv6", n)
	}
}

func TestQuery_Words(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{`action:invoice.* -(actor:ada OR "po 7")`, `action is invoice.* and not (the actor, or one behind it, is ada or some text has the words "po 7" in a row)`},
		{`seq:1..5,7 version:>=2 http.status_code:*..5`, `seq is from 1 to 5 or 7 and version is at least 2 and http.status_code is at most 5`},
		{`occurred:2026-11-21 received:<2027`, `occurred is from 2026-11-21T00:00:00.000000Z until before 2026-11-22T00:00:00.000000Z and received is before 2027-01-01T00:00:00.000000Z`},
		{`has:via,ip is:held ip:10.0.0.0/8`, `via or ip is there and the entry is held and ip is in 10.0.0.0/8`},
		{`changed:/a changed:b reason:x*`, `a change was made at or below /a and a change was made to a member b and reason has a word that begins with "x"`},
	} {
		if got := parse(t, c[0]).Words(); got != c[1] {
			t.Errorf("%s:\ngot  %s\nwant %s", c[0], got, c[1])
		}
	}
}

func TestError_JSON(t *testing.T) {
	t.Parallel()
	_, err := query.Parse("actr:ada", query.Options{})
	got, e := json.Marshal(err)
	const want = `{"code":"unknown_field","pos":0,"len":4,"message":"There is no field \"actr\". Did you mean actor: ?","hint":"","suggestions":["actor"]}`
	if string(got) != want || e != nil {
		t.Errorf("got %s, %v, want %s", got, e, want)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	o := query.Options{MetaKeys: []string{"plan", "cost center"}}
	for _, c := range []struct {
		text string // | is the cursor
		o    query.Options
		want []string
		from int
		to   int
	}{
		{"act|", o, []string{"actor:", "actor.id:", "actor.type:", "actor.name:", "actor.email:", "action:"}, 0, 3},
		{"a -(act|or:x", o, []string{"actor:", "actor.id:", "actor.type:", "actor.name:", "actor.email:", "action:"}, 4, 10},
		{"ema|", o, []string{"actor.email:"}, 0, 3},
		{"meta.|", o, []string{"meta.plan:", `meta."cost center":`}, 0, 5},
		{"pla|", o, []string{"meta.plan:"}, 0, 3},
		{"outcome:|", o, []string{"success", "failure", "denied"}, 8, 8},
		{"outcome:success,f|ail x", o, []string{"failure"}, 16, 20},
		{"-is:|", o, []string{"erased", "held", "late", "control"}, 4, 4},
		{"has:vi|", o, []string{"via", "via.type"}, 4, 6},
		{"occurred:>=now-2|", o, []string{"now-24h"}, 11, 16},
		{"occurred:|", query.Options{Place: query.Stream}, nil, 0, 0},
		{"i|", query.Options{Place: query.Stream}, []string{"id:", "ip:", "actor.id:", "target.id:"}, 0, 1},
		{"|", query.Options{Place: query.Retention}, []string{"actor.type:", "action:", "target.type:"}, 0, 0},
		{`"act|`, o, nil, 0, 0},
		{"nofield:x|", o, nil, 0, 0},
		{"reason:x|", o, nil, 0, 0},
	} {
		pos := strings.Index(c.text, "|")
		got := query.Complete(strings.Replace(c.text, "|", "", 1), pos, c.o)
		var texts []string
		for _, g := range got {
			texts = append(texts, g.Text)
			if g.From != c.from || g.To != c.to || g.Means == "" {
				t.Errorf("%s: %+v", c.text, g)
			}
		}
		if !slices.Equal(texts, c.want) {
			t.Errorf("%s: got %q, want %q", c.text, texts, c.want)
		}
	}
}

func TestHelpText(t *testing.T) {
	t.Parallel()
	help := query.HelpText()
	for line := range strings.Lines(help) {
		if len(line) > 140 || strings.HasSuffix(strings.TrimRight(line, "\n"), " ") {
			t.Errorf("line %q", line)
		}
	}
	// The queries that it shows are queries.
	_, after, _ := strings.Cut(help, "QUERIES\n")
	shown, _, _ := strings.Cut(after, "\n\n")
	for line := range strings.Lines(shown) {
		text, _, _ := strings.Cut(strings.TrimSpace(line), "        ")
		if i := strings.LastIndex(text, "   "); i > 40 {
			text = text[:i]
		}
		parse(t, text)
	}
	for _, field := range []string{"actor", "http.status_code", "meta.KEY", "occurred", "changed", "org"} {
		if !strings.Contains(help, "\n  "+field+" ") {
			t.Errorf("%s is missing", field)
		}
	}
}

// FuzzQuery holds that no text panics, that errors point into it, and that the normal form is a fixed point.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"", `a OR b -(c d) NOT "x y" re*`, `target:in*:4\,2 meta."a b":1..5 seq:>=5,6`, `occurred:now-1d/d..2026-11-21T14:22+01:00`, `ip:::1/64 has:meta.x is:late`,
		`((((((((a))))))))`, `a\`, `"\`, `meta."`, `-`, "\xff:\xff", `changed:/a~1b*,*/c`, `-NOT -OR:x`, `OR* AND* \-x \OR`,
	} {
		f.Add(s, uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, place uint8) {
		o := query.Options{Now: now, Place: query.Place(place % 6), MetaKeys: []string{"plan"}}
		query.Complete(text, int(place), o)
		q, err := query.Parse(text, o)
		if err != nil {
			e, ok := err.(*query.Error) //nolint:errorlint // the promise is an *Error, not one inside
			n := len([]rune(text))
			if !ok || e.Code == "" || e.Message == "" || e.Pos < 0 || e.Len < 0 || e.Pos+e.Len > n || e.Suggestions == nil {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		normal := q.String()
		q.Words()
		if len(normal) > query.MaxText { // quotes and parentheses can make it longer than what was written
			return
		}
		again, err := query.Parse(normal, o)
		if err != nil || again.String() != normal || !cmp.Equal(again.Explain(), q.Explain()) {
			t.Fatalf("%q: normal form %q reads %v, %v", text, normal, again, err)
		}
	})
}

// FuzzTermsCoverMatch holds the rule of filters: whatever matches has its terms in the filter.
func FuzzTermsCoverMatch(f *testing.F) {
	for _, text := range []string{
		`invoice*`, `action:invoice.* changed:/lines/*`, `actor:*acme* -nothing`, `meta."cost center":R&D target:customer:lu*`, `http.status_code:2e2 ip:203.0.0.0/15`,
		`meta.n:12.50 has:meta.deep`, `"over the limit" target.name:"muller & sohne"`, `request_id:req* correlation_id:*9`,
	} {
		f.Add(text, []byte(sample))
	}
	f.Add(`meta.x:a*`, []byte(`{"metadata":{"x":["a\u0301b"]}}`))
	d := new(leaf.Doc)
	f.Fuzz(func(t *testing.T, text string, event []byte) {
		q, err := query.Parse(text, query.Options{Now: now, Place: query.Operator})
		if err != nil || d.Read(event) != nil {
			return
		}
		r := &query.Record{ID: "evt_01m7z7rs1affyad5cmxxj94a79", Doc: d}
		if q.Match(r) && !may(q, r) {
			t.Fatalf("%s matches %s, but the filter says it cannot", q, event)
		}
	})
}

func TestValueAt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]query.ValuePlace{ // | is the cursor
		"action:inv|oice.paid x":          {Field: "action", Typed: "inv", From: 7, To: 19},
		"a -(ACTOR.type:|":                {Field: "actor.type", From: 15, To: 15},
		`meta."cost center":R&D,|ops`:     {Field: `meta."cost center"`, From: 23, To: 26},
		"ü target:invoice:4|2":            {Field: "target", Typed: "invoice:4", From: 9, To: 19},
		"act|":                            {},
		`action:"in|`:                     {},
		"nofield:x|":                      {},
		"refund|":                         {},
		"target.meta.region.zone:|":       {Field: "target.meta.region.zone", From: 24, To: 24},
		"outcome:success,failure,denied|": {Field: "outcome", Typed: "denied", From: 24, To: 30},
	} {
		pos := len([]rune(text[:strings.Index(text, "|")]))
		got, ok := query.ValueAt(strings.Replace(text, "|", "", 1), pos, query.Options{})
		if got != want || ok != (want != query.ValuePlace{}) {
			t.Errorf("%s: %+v, %v", text, got, ok)
		}
	}
}

// TestLiterals: what Literal and its kin write is read as exactly what they were given.
func TestLiterals(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "invoice.*", "", `"quoted"`, "R&D (old), new", `back\slash`, ">5", "1..2", "Ünïcode 発", "a:b"} {
		for _, text := range []string{"action:" + query.Literal(s), query.MetaField("cost center."+s) + ":" + query.Literal(s), "target:" + query.LiteralPair("in:voice", s+"x")} {
			if s == "" && strings.HasPrefix(text, "meta") {
				continue // no name ends with a dot
			}
			q, err := query.Parse(text, query.Options{})
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if again, err := query.Parse(q.String(), query.Options{}); err != nil || again.String() != q.String() {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	matched := func(text string) bool {
		doc := leaf.Get()
		defer leaf.Put(doc)
		if err := doc.Read([]byte(`{"action":"invoice.*","targets":[{"type":"in:voice","id":"a*b"}]}`)); err != nil {
			t.Fatal(err)
		}
		q, err := query.Parse(text, query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return q.Match(&query.Record{Doc: doc})
	}
	for text, want := range map[string]bool{
		"action:" + query.Literal("invoice.*"): true, "action:" + query.Literal("invoice.**"): false,
		"target:" + query.LiteralPair("in:voice", "a*b"): true, "target:" + query.LiteralPair("in:voice", "a**b"): false,
	} {
		if matched(text) != want {
			t.Errorf("%s matches: %v", text, !want)
		}
	}
}

// TestHiding: to a query that hides fields an entry is the one that does not have them, whatever is asked; what is added with And sees.
func TestHiding(t *testing.T) {
	t.Parallel()
	const whole = `{"action":"a.b","actor":{"type":"user","id":"u1","name":"Grace","email":"grace@acme.com","metadata":{"team":"x"}},"targets":[{"type":"invoice","id":"42","name":"Secret 42"}],` +
		`"context":{"ip":"203.0.113.9","http":{"route":"/x"}},"changes":[{"path":"/amount","old":"one","new":"two"}],"reason":"why","metadata":{"a":{"b":"deep"},"ab":"near"}}`
	const rest = `{"action":"a.b","actor":{"type":"user","id":"u1","name":"Grace","metadata":{"team":"x"}},"targets":[{"type":"invoice","id":"42"}],` +
		`"context":{"http":{"route":"/x"}},"changes":[{"path":"/amount","new":"two"}],"metadata":{"a":{},"ab":"near"}}`
	hidden := []string{"/actor/email", "/targets/*/name", "/context/ip", "/changes/*/old", "/reason", "/metadata/a/b"}
	match := func(q *query.Query, text string) bool {
		doc := leaf.Get()
		defer leaf.Put(doc)
		if err := doc.Read([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return q.Match(&query.Record{Doc: doc})
	}
	for _, text := range []string{
		"", "grace", "grace@acme.com", "actor:grace@acme.com", "-actor:grace@acme.com", "actor.email:*", "has:actor.email", "-has:actor.email", "target:invoice:42", "target:\"Secret 42\"", "secret",
		"ip:203.0.113.0/24", "-ip:203.0.113.9 action:a.*", "one", "two", "changed:amount", "reason:why", "why OR deep", "meta.a.b:deep", "has:meta.a.b", "has:meta.a", "meta.ab:near", "http.route:/x", "is:late", "outcome:success",
		"actor.name:grace", "actor.meta.team:x",
	} {
		q, err := query.Parse(text, query.Options{})
		if err != nil {
			t.Fatal(text, err)
		}
		blind := q.Hiding(hidden)
		if got, want := match(blind, whole), match(q, rest); got != want {
			t.Errorf("%q: %v of the whole entry, %v of what is left", text, got, want)
		}
		if blind.String() != q.String() {
			t.Errorf("%q: the normal form is %q", text, blind)
		}
		if blind.May(nil, func(query.Term) bool { return false }) != (text == "" || blind.May(nil, nil)) {
			t.Errorf("%q: a filter leaves out what may match", text)
		}
	}
	typed, _ := query.Parse("secret", query.Options{})
	fixed, _ := query.Parse("ip:203.0.113.9", query.Options{})
	if match(query.And(typed.Hiding(hidden), fixed), whole) || !match(query.And(fixed, query.And(typed).Hiding(nil)), whole) {
		t.Error("what is added is as blind, or what hides nothing is")
	}
}
