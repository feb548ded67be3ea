package query_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/query"
)

// maker makes events and queries over the same few words, so that they meet.
type maker struct{ *rand.Rand }

func pick[T any](m maker, from ...T) T { return from[m.IntN(len(from))] }

func (m maker) chance(percent int) bool { return m.IntN(100) < percent }

var (
	vocabulary = []string{
		"a", "b", "usr_7", "invoice", "Müller", "müller & Söhne", "Ada Byron", "ada@acme.com", "漢字かな", "x/y~z", "usr_01h455vb4pex5vsknk084sn02q",
		"a.b", "refund of card", "refund", "", "é\u0301t", "e", "12", "12.50", "http://x/y", `say "hi" (now)`, "*", "over the limit", "internationalization", "a a b", "a a a b", "a漢b",
	}
	actions  = []string{"invoice.paid", "invoice.updated", "user.login", "user.login.failed", "paid"}
	numbers  = []string{"0", "1", "-1", "200", "2e2", "404", "1.50", "1.5", "12345678901234567890.5", "500", "1E-2", "0.01", "-0"}
	pointers = []string{"/amount", "/lines/2/qty", "/lines/2", "/a~1b/c", "/Tags", "/amounts", ""}
	ips      = []string{"203.0.113.9", "10.1.2.3", "::1", "2001:db8::9", "::ffff:10.1.2.3", "unknown", "2001:db8:1::"}
	metaKeys = []string{"plan", "cost center", "a", "a.b", "n", "x/y", "t~1"}
	instants = []int64{
		time.Date(2026, 11, 20, 23, 59, 59, 999_999_000, time.UTC).UnixMicro(), time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC).UnixMicro(),
		time.Date(2026, 11, 21, 14, 22, 7, 318_402_000, time.UTC).UnixMicro(), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(),
	}
)

func (m maker) text() string { return pick(m, vocabulary...) }

// object makes an object of which each member may be missing or null.
func (m maker) object(members map[string]func() any) map[string]any {
	o := map[string]any{}
	for k, f := range members {
		switch {
		case m.chance(60):
			o[k] = f()
		case m.chance(10):
			o[k] = nil
		}
	}
	return o
}

func (m maker) list(n int, f func() any) any {
	var out []any
	for range m.IntN(n + 1) {
		out = append(out, f())
	}
	if out == nil {
		return []any{}
	}
	return out
}

func (m maker) scalar() any {
	return pick[any](m, m.text(), json.Number(pick(m, numbers...)), true, false, nil)
}

func (m maker) metadata() any {
	o := map[string]any{}
	for range m.IntN(4) {
		k := pick(m, metaKeys...)
		switch m.IntN(4) {
		case 0:
			o[k] = map[string]any{"b": m.scalar(), "x y": m.list(2, m.scalar)}
		case 1:
			o[k] = m.list(2, m.scalar)
		default:
			o[k] = m.scalar()
		}
	}
	return o
}

func (m maker) str() any { return m.text() }

func (m maker) who(via bool) any {
	members := map[string]func() any{
		"type": func() any { return pick(m, "user", "system") }, "id": m.str, "name": m.str, "email": m.str, "metadata": m.metadata,
	}
	if via {
		delete(members, "metadata")
	} else {
		members["via"] = func() any { return m.list(2, func() any { return m.who(true) }) }
	}
	return m.object(members)
}

func (m maker) event() map[string]any {
	return m.object(map[string]func() any{
		"id":     func() any { return "" },
		"action": func() any { return pick(m, actions...) }, "version": func() any { return json.Number(pick(m, "1", "2", "3")) },
		"outcome": func() any { return pick(m, "success", "failure", "denied") }, "actor": func() any { return m.who(false) },
		"targets": func() any {
			return m.list(3, func() any {
				return m.object(map[string]func() any{"type": func() any { return pick(m, "invoice", "user") }, "id": m.str, "name": m.str, "metadata": m.metadata})
			})
		},
		"context": func() any {
			return m.object(map[string]func() any{
				"ip": func() any { return pick(m, ips...) }, "user_agent": m.str, "request_id": m.str, "trace_id": m.str, "session_id": m.str,
				"http": func() any {
					return m.object(map[string]func() any{
						"method": func() any { return pick(m, "GET", "put") }, "route": m.str, "path": m.str,
						"status_code": func() any { return json.Number(pick(m, numbers...)) }, "params": m.metadata,
					})
				},
			})
		},
		"error": func() any { return m.object(map[string]func() any{"code": m.str, "message": m.str}) },
		"changes": func() any {
			return m.list(3, func() any {
				return m.object(map[string]func() any{"path": func() any { return pick(m, pointers...) }, "old": m.scalar, "new": m.metadata})
			})
		},
		"reason": m.str, "correlation_id": m.str, "metadata": m.metadata,
		"flags": func() any { return m.list(2, func() any { return pick(m, "schema_violation", "schema_missing") }) },
	})
}

// record makes an entry and what the naive evaluator sees of it.
func (m maker) record(t testing.TB) (*query.Record, naive) {
	t.Helper()
	event := m.event()
	text, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	d := new(leaf.Doc)
	if err := d.Read(text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if m.chance(30) {
		d.Root(new([16]byte)) // sorts the fields
	}
	r := &query.Record{
		Org: "org_acme", Seq: int64(m.IntN(4)), ID: pick(m, "evt_01m7z7rs1affyad5cmxxj94a79", "evt_01m7z7rtk9fc29sdmq1s63t63k"), Doc: d,
		Occurred: pick(m, instants...), Received: pick(m, instants...), Control: m.chance(10), Erased: m.chance(10), Held: m.chance(10),
	}
	if m.chance(5) {
		r.Doc, event = nil, nil
	}
	var again map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&again); err != nil {
		t.Fatal(err)
	}
	if event == nil {
		again = nil
	}
	return r, naive{event: again, rec: r}
}

// query makes a query.
func (m maker) query(depth int) *ask {
	if depth > 0 && m.chance(55) {
		op := pick(m, "and", "or", "not")
		a := &ask{op: op, kids: []*ask{m.query(depth - 1)}}
		for op != "not" && len(a.kids) < 2+m.IntN(2) {
			a.kids = append(a.kids, m.query(depth-1))
		}
		return a
	}
	return m.condition()
}

// parts makes a value of words and wildcards.
func (m maker) parts(from ...string) []string {
	s := []rune(pick(m, from...))
	if m.chance(60) {
		return []string{string(s)}
	}
	var parts []string
	for i := 0; i < 1+m.IntN(3); i++ {
		j := m.IntN(len(s) + 1)
		parts = append(parts, string(s[:j]))
		s = s[min(len(s), j+m.IntN(2)):]
	}
	return append(parts, string(s))
}

func (m maker) condition() *ask {
	a := &ask{op: "cond", field: pick(m,
		"", "", "", "id", "seq", "actor", "actor", "actor.id", "actor.type", "actor.name", "actor.email", "via", "via.type", "action", "action", "target", "target",
		"target.type", "target.id", "target.name", "changed", "outcome", "error.code", "error.message", "reason", "ip", "user_agent", "request_id", "trace_id",
		"session_id", "correlation_id", "http.method", "http.route", "http.path", "http.status_code", "version", "flagged", "meta.plan", "meta.a", "meta.a.b",
		`meta."cost center"`, "meta.n", "meta.x/y", `meta."t~1"`, "actor.meta.plan", "target.meta.a.b", "occurred", "received", "has", "is", "org")}
	n := 1
	if m.chance(30) && a.field != "" {
		n = 2
	}
	for range n {
		a.values = append(a.values, m.value(a))
	}
	if a.cmp != "" {
		a.values = a.values[:1]
	}
	return a
}

func (m maker) value(a *ask) (v askValue) {
	switch a.field {
	case "", "reason", "error.message", "user_agent":
		for len(words(strings.Join(v.parts, ""))) == 0 {
			v.parts = []string{m.text()}
		}
		if last := words(v.parts[0]); m.chance(30) {
			v.parts = []string{last[m.IntN(len(last))][:1], ""}
			if v.parts[0] != "a" && v.parts[0] != "r" && v.parts[0] != "1" {
				v.parts[0] = "re"
			}
		}
	case "seq", "version", "http.status_code":
		v = m.numeric(a)
	case "occurred", "received":
		v = m.period(a)
	case "outcome":
		v.bare = pick(m, "success", "failure", "denied")
	case "is":
		v.bare = pick(m, "erased", "held", "late", "control")
	case "has":
		v.bare = pick(m, "actor", "via", "target", "changed", "reason", "error.code", "ip", "http.path", "version", "flagged", "outcome", "id", "occurred",
			"meta.plan", "meta.a", "meta.a.b", "actor.meta.a", "target.meta.plan", "via.type", "meta.cost center", "meta.a.x y", "meta.x/y")
	case "ip":
		v.bare = pick(m, "203.0.113.9/32", "203.0.113.0/24", "203.0.0.0/16", "203.0.0.0/9", "10.1.2.3/32", "::1/128", "2001:db8::/48", "2001:db8::/32", "2001:db8::/64")
	case "changed":
		v.parts = m.parts("/amount", "/lines/2/qty", "/lines", "qty", "a/b", "2", "amount", "/a~1b", "c")
	case "action":
		v.parts = m.parts(actions...)
	case "flagged":
		v.parts = m.parts("schema_violation", "schema_missing")
	case "id":
		v.parts = m.parts("evt_01m7z7rs1affyad5cmxxj94a79", "evt_01m7z7rtk9fc29sdmq1s63t63k")
	case "actor.type", "via.type", "target.type":
		v.parts = m.parts("user", "system", "invoice")
	case "http.method":
		v.parts = m.parts("GET", "PUT", "get")
	case "org":
		v.parts = m.parts("org_acme", "org_b")
	case "target":
		if v.parts = m.parts(vocabulary...); m.chance(40) && strings.Join(v.parts, "*") != "" {
			v.typ = []string{pick(m, "invoice", "user")}
		}
	default:
		if strings.Contains(a.field, "meta.") && m.chance(30) {
			return m.numeric(a)
		}
		v.parts = m.parts(append(vocabulary, append(numbers, "true")...)...)
	}
	return v
}

func (m maker) numeric(a *ask) (v askValue) {
	meta := strings.Contains(a.field, "meta.")
	if len(a.values) == 0 && (m.chance(40) || meta && m.chance(50)) {
		a.cmp = pick(m, ">", ">=", "<", "<=")
		return askValue{bare: pick(m, numbers...)}
	}
	if !meta && m.chance(50) {
		return askValue{bare: pick(m, numbers...)}
	}
	v = askValue{low: pick(m, numbers...), high: pick(m, numbers...), isRange: true}
	if rat(v.low).Cmp(rat(v.high)) > 0 {
		v.low, v.high = v.high, v.low
	}
	if m.chance(20) {
		v.low = ""
	} else if m.chance(20) {
		v.high = ""
	}
	return v
}

func (m maker) period(a *ask) (v askValue) {
	at := time.UnixMicro(pick(m, instants...)).UTC()
	switch m.IntN(4) {
	case 0:
		v = askValue{bare: at.Format("2006"), from: time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC), to: time.Date(at.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)}
	case 1:
		d := at.Truncate(24 * time.Hour)
		v = askValue{bare: at.Format("2006-01-02"), from: d, to: d.Add(24 * time.Hour)}
	case 2:
		d := at.Truncate(time.Minute)
		v = askValue{bare: at.Format("2006-01-02T15:04Z"), from: d, to: d.Add(time.Minute)}
	case 3:
		v = askValue{bare: at.Format("2006-01-02T15:04:05.000000"), from: at, to: at.Add(time.Microsecond)}
	}
	switch {
	case len(a.values) > 0 || m.chance(30):
	case m.chance(60):
		a.cmp = pick(m, ">", ">=", "<", "<=")
	default:
		v.bare, v.from = "*.."+v.bare, time.Time{}
	}
	return v
}

// write writes a as a query, in one of the ways to do so.
func (m maker) write(a *ask) string {
	switch a.op {
	case "not":
		k := m.write(a.kids[0])
		if a.kids[0].op != "cond" {
			k = "(" + k + ")"
		}
		return pick(m, "-", "NOT ") + k
	case "and", "or":
		join := pick(m, " ", " AND ", "  \n")
		if a.op == "or" {
			join = " OR "
		}
		var parts []string
		for _, k := range a.kids {
			s := m.write(k)
			if k.op == "or" || k.op == "and" && m.chance(50) {
				s = "(" + s + ")"
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, join)
	}
	var values []string
	for _, v := range a.values {
		values = append(values, m.writeValue(a, v))
	}
	if a.field == "" {
		return values[0]
	}
	field := a.field
	if !strings.Contains(field, "meta.") && m.chance(10) {
		field = strings.ToUpper(field)
	}
	return field + ":" + a.cmp + strings.Join(values, ",")
}

func (m maker) writeValue(a *ask, v askValue) string {
	switch {
	case v.isRange:
		low, high := v.low, v.high
		if low == "" {
			low = "*"
		}
		if high == "" {
			high = "*"
		}
		return low + ".." + high
	case v.bare != "" && strings.Contains(v.bare, " "):
		return `"` + v.bare + `"`
	case v.bare != "":
		return v.bare
	case v.typ != nil:
		return escaped(v.typ) + ":" + escaped(v.parts)
	case len(v.parts) == 1 && (v.parts[0] == "" || m.chance(50)):
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v.parts[0]) + `"`
	}
	return escaped(v.parts)
}

// escaped writes a bare value with a backslash before everything that could mean something.
func escaped(parts []string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('*')
		}
		for j, r := range p {
			if strings.ContainsRune(" \"(),\\*:-<>./", r) || j == 0 && i == 0 && strings.ContainsRune("OAN", r) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

// TestQuery_naive compares the evaluator with a naive one: parsing, printing and parsing again never change what matches, and what
// matches, a filter with the entry's terms lets through.
func TestQuery_naive(t *testing.T) {
	t.Parallel()
	rounds := 4_000
	if testing.Short() {
		rounds = 1_000
	}
	m := maker{rand.New(rand.NewPCG(1, 2))}
	matched, literal := 0, 0
	for i := range rounds {
		a := m.query(3)
		text := m.write(a)
		q, err := query.Parse(text, query.Options{Now: now, Place: query.Operator})
		var e *query.Error
		if errors.As(err, &e) && (e.Code == query.CodeTooManyConditions || e.Code == query.CodeTooDeep || e.Code == query.CodeTooLong) {
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := query.Parse(q.String(), query.Options{Now: now, Place: query.Operator})
		if err != nil || again.String() != q.String() {
			t.Fatalf("%s: normal form %s: %v, %v", text, q, again, err)
		}
		for range 4 {
			r, n := m.record(t)
			want := n.eval(a)
			if got, printed := q.Match(r), again.Match(r); got != want || printed != want {
				event, _ := json.Marshal(n.event)
				t.Fatalf("round %d: %s\nnormal form %s\nevent %s\nrecord %s\ngot %v, normal form %v, want %v", i, text, q, event, show(r), got, printed, want)
			}
			if !want {
				continue
			}
			if matched++; !may(q, r) {
				event, _ := json.Marshal(n.event)
				t.Fatalf("round %d: %s\nevent %s\nmatches, but the filter says it cannot", i, q, event)
			}
			if event, lits := m.written(t, n.event), q.Literals(); !bytes.Contains(event, []byte(`\\`)) && !lits.None() {
				if literal++; !lits.In(event) {
					t.Fatalf("round %d: %s\nevent %s\nmatches, but the literals %s say it cannot", i, q, event, &lits)
				}
			}
		}
	}
	t.Logf("%d matches, %d of them with literals", matched, literal)
	if matched < rounds/10 || literal < rounds/50 {
		t.Errorf("only %d matches in %d rounds: the test tests little", matched, rounds)
	}
}

// written is an event as a producer may write it, with nothing escaped that need not be.
func (m maker) written(t testing.TB, event any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(event); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func show(r *query.Record) string {
	c := *r
	c.Doc = nil
	return fmt.Sprintf("%+v", c)
}
