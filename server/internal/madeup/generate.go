// Package madeup makes up believable events of software companies: for the sample data of daybook dev and for measuring. The same seed gives
// the same events, byte for byte, on every machine.
package madeup

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
)

// generator makes up events: people who log in, look, change, share and pay, services that
// act for them, support staff that impersonates, and what fails or is denied.
type generator struct {
	rng  *rand.Rand
	orgs []*madeOrg
	pad  int // bytes that metadata adds, about
}

// madeOrg is an org with people in it and the things they work on.
type madeOrg struct {
	id, name, domain string
	network          string // the office's first three octets
	people           []*madePerson
	things           map[string][]*madeThing
}

type madePerson struct {
	id, name, email, role, ip, agent, session string
	seen                                      time.Time
}

// madeThing is something that is acted on, with the state that changes.
type madeThing struct {
	typ, id, name string
	fields        map[string]string // JSON values by member
	version       int
}

var (
	firstNames = strings.Fields(`Ada Margaret Alan Edsger Barbara Donald Grace Linus Hedy Katherine Radia Tim Frances Dennis Shafi Leslie
		Annie Claude Joan Ken Mary Niklaus Sophie Vint Lynn John Karen Robin Evelyn Maurice`)
	lastNames = strings.Fields(`Byron Hamilton Turing Dijkstra Liskov Knuth Hopper Thorvald Lamarr Johnson Perlman Berners Allen Ritchie
		Goldwasser Lamport Easley Shannon Clarke Thompson Shaw Wirth Wilson Cerf Conway Backus Sparck Milner Boyd Wilkes`)
	agents = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:149.0) Gecko/20100101 Firefox/149.0",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 15_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
	}
	products  = strings.Fields("Anvil Rocket Magnet Tunnel Spring Catapult Glider Piano Balloon Turbine Compass Lantern")
	cities    = strings.Fields("Berlin Lisbon Vienna Oslo Zürich Kraków Bilbao Tampere")
	reasons   = []string{"PO 7781", "customer asked by phone", "quarter-end correction", "ticket SUP-2291", "approved by finance", "contract renewal", "onboarding"}
	roles     = []string{"member", "member", "member", "manager", "admin", "billing"}
	plans     = []string{"free", "team", "pro", "enterprise"}
	thingKind = []string{"invoice", "document", "project", "member", "subscription", "api_key"}
)

// newGenerator returns one for orgs of these ids, with people in each.
func newGenerator(seed uint64, ids []string, people int) *generator {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 0x6461_7962_6f6f_6b))} //nolint:gosec // G404: sample data, the same every time
	for i, id := range ids {
		g.orgs = append(g.orgs, g.makeOrg(i, id, people))
	}
	return g
}

func (g *generator) makeOrg(n int, id string, people int) *madeOrg {
	name := strings.TrimPrefix(id, "org_")
	o := &madeOrg{
		id: id, name: strings.ToUpper(name[:1]) + name[1:], domain: name + ".example", network: fmt.Sprintf("203.0.%d", n%256),
		things: map[string][]*madeThing{},
	}
	for i := range people {
		first, last := firstNames[(i+7*n)%len(firstNames)], lastNames[(i*11+n)%len(lastNames)]
		p := &madePerson{
			id: "usr_" + strconv.Itoa(n*people+i+1), name: first + " " + last, email: strings.ToLower(first) + "@" + o.domain,
			role: roles[g.rng.IntN(len(roles))], agent: agents[g.rng.IntN(len(agents))], ip: fmt.Sprintf("%s.%d", o.network, 10+i%200),
		}
		if g.rng.IntN(4) == 0 { // works from home
			p.ip = fmt.Sprintf("2001:db8:%x:%x::%x", n&0xffff, i, 1+g.rng.IntN(0xffff))
		}
		o.people = append(o.people, p)
	}
	for _, kind := range thingKind {
		for range 6 {
			o.things[kind] = append(o.things[kind], g.makeThing(o, kind))
		}
	}
	return o
}

func (g *generator) makeThing(o *madeOrg, kind string) *madeThing {
	n := 40 + len(o.things[kind])
	t := &madeThing{typ: kind, id: strconv.Itoa(n), version: 1}
	switch kind {
	case "invoice":
		t.name = fmt.Sprintf("Invoice %d", n)
		t.fields = map[string]string{"amount": g.amount(), "status": `"draft"`, "due": g.day(), "customer": quote(pick1(g, lastNames) + " " + pick1(g, cities))}
	case "document":
		t.id = fmt.Sprintf("doc_%d", n)
		t.name = pick1(g, products) + " " + pick1(g, []string{"handbook", "contract", "roadmap", "budget", "minutes"})
		t.fields = map[string]string{"title": quote(t.name), "pages": strconv.Itoa(1 + g.rng.IntN(60)), "classification": `"internal"`}
	case "project":
		t.id, t.name = fmt.Sprintf("prj_%d", n), "Project "+pick1(g, products)
		t.fields = map[string]string{"budget": g.amount(), "deadline": g.day(), "archived": "false", "city": quote(pick1(g, cities))}
	case "member":
		p := o.people[len(o.things[kind])%len(o.people)]
		t.typ, t.id, t.name = "user", p.id, p.name
		t.fields = map[string]string{"role": `"member"`, "mfa": "true", "seats": "1"}
	case "subscription":
		t.id, t.name = fmt.Sprintf("sub_%d", n), "Subscription of "+o.name
		t.fields = map[string]string{"plan": `"team"`, "seats": strconv.Itoa(5 + g.rng.IntN(50)), "price": g.amount()}
	default:
		t.id, t.name = fmt.Sprintf("key_%d", n), pick1(g, []string{"CI", "Billing export", "Data warehouse", "Mobile app"})+" key"
		t.fields = map[string]string{"scopes": `["read"]`, "expires": g.day()}
	}
	return t
}

func pick1[T any](g *generator, from []T) T { return from[g.rng.IntN(len(from))] }

func quote(s string) string { return strconv.Quote(s) }

func (g *generator) amount() string {
	return fmt.Sprintf("%d.%02d", 100+g.rng.IntN(9900), g.rng.IntN(100))
}

func (g *generator) day() string {
	return fmt.Sprintf(`"2027-%02d-%02d"`, 1+g.rng.IntN(12), 1+g.rng.IntN(28))
}

// act is one kind of thing that people do, with how often.
type act struct {
	weight  int
	action  string
	kind    string // of the target
	changes int    // fields that change
}

var acts = []act{
	{24, "document.viewed", "document", 0},
	{10, "invoice.viewed", "invoice", 0},
	{14, "invoice.updated", "invoice", 2},
	{12, "document.updated", "document", 2},
	{7, "project.updated", "project", 3},
	{6, "invoice.created", "invoice", 0},
	{5, "invoice.sent", "invoice", 1},
	{4, "invoice.paid", "invoice", 1},
	{4, "document.shared", "document", 0},
	{3, "document.downloaded", "document", 0},
	{3, "member.role_changed", "member", 1},
	{2, "member.invited", "member", 0},
	{2, "subscription.updated", "subscription", 2},
	{1, "api_key.created", "api_key", 0},
	{1, "api_key.revoked", "api_key", 0},
	{1, "document.deleted", "document", 0},
	{1, "project.archived", "project", 1},
}

var actWeight = func() (n int) {
	for _, a := range acts {
		n += a.weight
	}
	return n
}()

// burst makes what one person does in about a minute from at on: events in order, each with its own time. A person who was away
// for long logs in first.
func (g *generator) burst(org int, at time.Time) []daybook.Event {
	o := g.orgs[org]
	if g.rng.IntN(12) == 0 {
		return []daybook.Event{g.service(o, at)}
	}
	p := o.people[min(g.rng.IntN(len(o.people)), g.rng.IntN(len(o.people)))] // some are busier than others
	var events []daybook.Event
	if at.Sub(p.seen) > 40*time.Minute {
		for g.rng.IntN(9) == 0 {
			e := g.draft(p, "user.login", at)
			e.Outcome, e.Error = daybook.Failure, &daybook.EventFault{Code: "bad_password", Message: "wrong password"}
			events, at = append(events, e), at.Add(g.some(2, 9))
		}
		p.session = fmt.Sprintf("ses_%08x", g.rng.Uint32())
		e := g.draft(p, "user.login", at)
		e.Metadata = json.RawMessage(`{"method":"` + pick1(g, []string{"password", "sso", "passkey"}) + `","mfa":true}`)
		events, at = append(events, e), at.Add(g.some(3, 12))
	}
	var via *daybook.Actor
	if g.rng.IntN(25) == 0 { // support acts in this person's name
		via = &daybook.Actor{Type: "user", ID: "usr_support_" + strconv.Itoa(1+g.rng.IntN(3)), Name: pick1(g, []string{"Ivy Support", "Max Support", "Lea Support"}), Email: "support@daybook.example"}
	}
	for range 2 + g.rng.IntN(15) {
		e := g.act(o, p, at)
		if via != nil {
			e.Actor = e.Actor.As(*via)
			e.Reason = "ticket SUP-" + strconv.Itoa(1000+g.rng.IntN(9000))
		}
		events, at = append(events, e), at.Add(g.some(1, 8))
	}
	p.seen = at
	return events
}

func (g *generator) some(low, high int) time.Duration {
	return time.Duration(low*1000+g.rng.IntN((high-low)*1000))*time.Millisecond + time.Duration(g.rng.IntN(1000))*time.Microsecond
}

// draft is the part that every event of a person has.
func (g *generator) draft(p *madePerson, action string, at time.Time) daybook.Event {
	return daybook.Event{
		ID: g.id(at), Action: action, OccurredAt: at,
		Actor:   daybook.Actor{Type: "user", ID: p.id, Name: p.name, Email: p.email},
		Targets: []daybook.Target{{Type: "user", ID: p.id, Name: p.name}},
		Context: daybook.Context{IP: p.ip, UserAgent: p.agent, RequestID: fmt.Sprintf("req_%012x", g.rng.Uint64()>>16), SessionID: p.session},
	}
}

// act makes one event of a person.
func (g *generator) act(o *madeOrg, p *madePerson, at time.Time) daybook.Event {
	n := g.rng.IntN(actWeight)
	var a act
	for _, a = range acts {
		if n -= a.weight; n < 0 {
			break
		}
	}
	e := g.draft(p, a.action, at)
	things := o.things[a.kind]
	t := things[g.rng.IntN(len(things))]
	if strings.HasSuffix(a.action, ".created") && len(things) < 5000 {
		t = g.makeThing(o, a.kind)
		o.things[a.kind] = append(things, t)
	}
	e.Targets = []daybook.Target{{Type: t.typ, ID: t.id, Name: t.name}}
	e.Version = t.version
	e.Context.HTTP = &daybook.HTTP{Method: "GET", Route: "/" + t.typ + "s/{id}", Path: "/" + t.typ + "s/" + t.id, StatusCode: 200}
	if a.changes > 0 {
		e.Context.HTTP.Method = "PUT"
	}
	switch roll := g.rng.IntN(100); {
	case roll < 2:
		e.Outcome, e.Error = daybook.Denied, &daybook.EventFault{Code: "missing_role", Message: p.role + " may not do this"}
		e.Context.HTTP.StatusCode = 403
	case roll < 5:
		e.Outcome, e.Error = daybook.Failure, &daybook.EventFault{Code: pick1(g, []string{"timeout", "validation", "conflict"}), Message: "the change was not saved"}
		e.Context.HTTP.StatusCode = 422
	default:
		g.change(&e, t, a.changes)
		if g.rng.IntN(12) == 0 {
			e.Reason = pick1(g, reasons)
		}
	}
	meta := fmt.Sprintf(`{"plan":%q,"team":%q,"role":%q`, pick1(g, plans), pick1(g, []string{"billing", "sales", "legal", "platform"}), p.role)
	if a.kind == "invoice" {
		meta += `,"cost center":"` + pick1(g, []string{"R&D", "G&A", "Sales"}) + `","currency":"EUR"`
	}
	if g.pad > 0 {
		meta += fmt.Sprintf(`,"note":%q`, g.prose(g.pad/2+g.rng.IntN(g.pad)))
	}
	e.Metadata = json.RawMessage(meta + "}")
	return e
}

// change changes up to n members of t and says so in e.
func (g *generator) change(e *daybook.Event, t *madeThing, n int) {
	if n == 0 {
		return
	}
	for _, name := range []string{"amount", "status", "due", "title", "pages", "classification", "budget", "deadline", "archived", "city", "role", "plan", "seats", "price"} {
		old, ok := t.fields[name]
		if !ok || g.rng.IntN(3) == 0 {
			continue
		}
		now := old
		switch name {
		case "amount", "budget", "price":
			now = g.amount()
		case "due", "deadline":
			now = g.day()
		case "status":
			now = quote(pick1(g, []string{"draft", "open", "sent", "paid", "void"}))
		case "classification":
			now = quote(pick1(g, []string{"public", "internal", "confidential"}))
		case "title":
			now = quote(t.name + " v" + strconv.Itoa(t.version+1))
		case "pages", "seats":
			now = strconv.Itoa(1 + g.rng.IntN(80))
		case "archived":
			now = "true"
		case "role":
			now = quote(pick1(g, roles))
		case "plan":
			now = quote(pick1(g, plans))
		case "city":
			now = quote(pick1(g, cities))
		}
		if now == old {
			continue
		}
		t.fields[name] = now
		e.Changes = append(e.Changes, daybook.Change{Path: "/" + name, Old: daybook.JSON(json.RawMessage(old)), New: daybook.JSON(json.RawMessage(now))})
		if n--; n == 0 {
			break
		}
	}
	if len(e.Changes) > 0 {
		t.version++
		e.Version = t.version
	}
}

// service makes an event of a program: a scheduled run, or an API key at work for somebody.
func (g *generator) service(o *madeOrg, at time.Time) daybook.Event {
	e := daybook.Event{ID: g.id(at), OccurredAt: at, CorrelationID: fmt.Sprintf("job_%06x", g.rng.Uint32()>>8)}
	if g.rng.IntN(2) == 0 {
		e.Action, e.Actor = "report.exported", daybook.System("cron:nightly-report")
		e.Targets = []daybook.Target{{Type: "report", ID: at.Format("2006-01-02"), Name: "Daily report " + at.Format("2 January")}}
		e.Metadata = json.RawMessage(fmt.Sprintf(`{"rows":%d,"seconds":%d.%d}`, g.rng.IntN(90000), g.rng.IntN(40), g.rng.IntN(10)))
		return e
	}
	p := pick1(g, o.people)
	t := pick1(g, o.things["invoice"])
	e.Action, e.Actor = "invoice.synced", daybook.Actor{Type: "api_key", ID: "key_41", Name: "Data warehouse key"}.As(daybook.Actor{Type: "user", ID: p.id, Name: p.name})
	e.Targets = []daybook.Target{{Type: t.typ, ID: t.id, Name: t.name}}
	e.Context = daybook.Context{IP: "198.51.100.7", UserAgent: "warehouse-sync/2.4", RequestID: fmt.Sprintf("req_%012x", g.rng.Uint64()>>16)}
	if g.rng.IntN(15) == 0 {
		e.Outcome, e.Error = daybook.Failure, &daybook.EventFault{Code: "rate_limited", Message: "429 from the warehouse"}
	}
	return e
}

// id makes a UUIDv7 of at; the random part comes from the seed.
func (g *generator) id(at time.Time) daybook.ID {
	var id daybook.ID
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16|uint64(g.rng.Uint32()&0xfff|0x7000))
	binary.BigEndian.PutUint64(id[8:], g.rng.Uint64()>>2|1<<63)
	return id
}

// prose is about n bytes of words.
func (g *generator) prose(n int) string {
	var b strings.Builder
	for b.Len() < n {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		switch g.rng.IntN(3) {
		case 0:
			b.WriteString(strings.ToLower(pick1(g, lastNames)))
		case 1:
			b.WriteString(strings.ToLower(pick1(g, products)))
		default:
			b.WriteString(strconv.Itoa(g.rng.IntN(100_000)))
		}
	}
	return b.String()
}
