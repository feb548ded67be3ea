package api

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// Actions of looks. See selfaudit for when a look becomes an event.
const (
	logViewed   = "daybook.log.viewed"   // search, history, tail, facets, histogram
	eventViewed = "daybook.event.viewed" // one event opened
	proofRead   = "daybook.proof.read"   // checkpoint, tile or proof
)

// watchWindow is how long what a monitor reads is one look: it asks for ever, and each event makes the log grow that it watches.
const watchWindow = time.Hour

// look is what a route that shows a log does, for the column of the table of routes: an action, and which question it answers.
type look struct {
	action, what string
	window       time.Duration // how long equal ones are one; 0: as the settings say
}

// opened is a look at one event.
var opened = look{action: eventViewed}

// viewed is a look at many events, watched one at all that is new, proved one at what verifies them.
func viewed(what string) look  { return look{action: logViewed, what: what} }
func watched(what string) look { return look{logViewed, what, watchWindow} }
func proved(what string) look  { return look{proofRead, what, watchWindow} }

// looked notes that the principal has looked at the log of the request, if the route is one that shows it. It takes a look into
// memory: the answer does not wait for it. A handler that answers for long notes the look itself, as it begins.
func (c *call) looked(outcome daybook.Outcome) {
	if c.s.Audit == nil || c.route.looks.action == "" || c.noted {
		return
	}
	c.noted = true
	l := selfaudit.Look{
		Org: c.org, Action: c.route.looks.action, By: actorOf(c.principal), Context: c.origin(), Outcome: outcome,
		What: c.route.looks.what, Window: c.route.looks.window, From: c.seen.from, To: c.seen.to, Shown: c.seen.Shown,
	}
	l.Target = daybook.Target{Type: "log", ID: string(c.org)}
	if l.Action == logViewed {
		l.Query = c.question()
	}
	if id, err := daybook.ParseID(c.r.PathValue("id")); err == nil {
		l.Target = daybook.Target{Type: "event", ID: id.String()}
	}
	c.s.Audit.Saw(l)
}

// seen is what a handler says of what it showed.
type seen struct {
	asked    bool
	query    string       // with asked: the question in normal form; else it is that of the parameter q
	within   *query.Query // what the route adds to the question
	from, to *int64
	selfaudit.Shown
}

// showed adds the entries of an answer.
func (s *seen) showed(entries ...daybook.Entry) {
	for i := range entries {
		seq := entries[i].Seq
		if s.Rows == 0 {
			s.First, s.Last = seq, seq
		}
		s.First, s.Last, s.Rows = min(s.First, seq), max(s.Last, seq), s.Rows+1
	}
}

// question is what was asked, in normal form; as it stands when it is not one.
func (c *call) question() string {
	text := c.seen.query // what a search found itself to be asked
	if !c.seen.asked {
		text = c.param(paramQ)
		if q, err := query.Parse(text, query.Options{Now: c.s.now()}); err == nil {
			text = q.String()
		}
	}
	if c.seen.within != nil {
		text = strings.TrimSpace(c.seen.within.String() + " " + text)
	}
	return text
}

// refused notes that a principal was kept from a log for want of a scope, when it is known which one.
func (c *call) refused(err error) {
	if c.principal == nil || c.route.looks.action == "" || daybook.CodeOf(err) != daybook.CodeForbidden {
		return
	}
	if c.findOrg(c.route.org) == nil {
		c.looked(daybook.Denied)
	}
}

// actorOf is the principal as an actor.
func actorOf(p *auth.Principal) daybook.Actor {
	key := daybook.Actor{Type: "api_key", ID: p.KeyID, Name: p.Key.Name}
	if p.Viewer != nil {
		return p.Viewer.Who.As(key)
	}
	return key
}

// origin is where the request came from.
func (c *call) origin() daybook.Context {
	agent := c.r.UserAgent()
	from := daybook.Context{
		IP: c.s.client(c.r), UserAgent: strings.ToValidUTF8(agent[:min(len(agent), 512)], ""), RequestID: string(c.id[:]),
		HTTP: &daybook.HTTP{Method: c.r.Method, Route: c.route.pattern},
	}
	switch p := c.principal; {
	case p == nil:
	case p.Session != nil:
		from.SessionID = p.Session.ID
	case p.Viewer != nil:
		from.SessionID = p.Viewer.Token
	}
	return from
}

// act describes what the principal does to target. The details become the metadata; they must not hold a secret.
func (c *call) act(action string, target daybook.Target, details any) daybook.Event {
	e := daybook.Event{Action: action, Actor: actorOf(c.principal), Targets: []daybook.Target{target}, Context: c.origin()}
	if details != nil {
		e.Metadata = json.RawMessage(marshal(details))
	}
	return e
}

// signed adds to an act who did it and from where.
func (c *call) signed(e daybook.Event) daybook.Event {
	e.Actor, e.Context = actorOf(c.principal), c.origin()
	return e
}

// did records an act before it happens: an error means that the log does not know of it, and it must not happen. An empty org is
// that of the instance.
func (c *call) did(org daybook.OrgID, e daybook.Event) error {
	return c.s.Audit.Did(c.r.Context(), cmp.Or(org, control.Instance), e)
}

// after records an act that has happened, whatever becomes of its event. An empty org is that of the instance.
func (c *call) after(org daybook.OrgID, e daybook.Event) {
	c.s.Audit.After(c.r.Context(), cmp.Or(org, control.Instance), e)
}

// keyDetails is what the log keeps of a key: never its text.
type keyDetails struct {
	Org       *daybook.OrgID `json:"org"` // null: all organizations
	Scopes    []string       `json:"scopes"`
	Labels    []string       `json:"labels,omitempty"`
	ExpiresAt *stamp         `json:"expires_at"`
}

// keyAct describes what is done to a key.
func (c *call) keyAct(action string, k control.Key) daybook.Event {
	d := keyDetails{Scopes: k.Scopes, Labels: k.Labels, ExpiresAt: maybeStamp(k.ExpiresAt)}
	if k.Org != "" {
		d.Org = &k.Org
	}
	return c.act(action, daybook.Target{Type: "api_key", ID: k.ID, Name: k.Name}, d)
}
