// Package resthapi is the door of rest-hapi's audit log: the collection /auditLog with its query language, over entries that the
// middleware records (package resthapi of the root module) or that are posted here.
package resthapi

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
	own "github.com/daybook-audit/daybook/resthapi"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// Book is what the door asks of a [daybook.Book].
type Book interface {
	RecordJSON(ctx context.Context, org daybook.OrgID, r daybook.Request) (daybook.Result, error)
	Search(ctx context.Context, q daybook.EventQuery) (*daybook.Page, error)
	EntryAt(ctx context.Context, org daybook.OrgID, seq int64) (daybook.Entry, error)
	Entry(ctx context.Context, org daybook.OrgID, id daybook.ID) (daybook.Entry, error)
	Holds(ctx context.Context, org daybook.OrgID) ([]daybook.Hold, error)
}

// Settings are the operator's. The zero value is the default.
type Settings struct {
	TTL       time.Duration // how long documents are shown; 0: as long as they are there
	Scope     []string      // auditLogScope, as hapi has scopes: x (one of these must be held), +x (must be held), !x (must not)
	UserIDKey string        // where a token has the user's id, default user._id
	NoWhere   bool          // $where is refused
	Lax       bool          // unknown parameters and members are ignored
	MaxLimit  int           // largest $limit; default 1000
	MaxBody   int           // for the words of 413
}

func (s *Settings) maxLimit() int64 {
	if s.MaxLimit <= 0 {
		return daybook.MaxLimit
	}
	return int64(s.MaxLimit)
}

// Deps is what the door stands on; Tokens and Audit may be nil.
type Deps struct {
	Book     Book
	Auth     *auth.Authenticator
	Tokens   *auth.Tokens // nil: no token opens the door
	TokenOrg string       // the claim that names a token's organization; empty, or not in the token: default
	Orgs     *control.Orgs
	Audit    *selfaudit.Auditor
	Origin   auth.Origin // where readers come from
	Now      func() time.Time
	Settings Settings
}

// Door is the door. Safe for concurrent use.
type Door struct{ Deps }

var _ auth.Door = (*Door)(nil)

// New returns the door over d.
func New(d Deps) *Door {
	if d.Now == nil {
		d.Now = time.Now //nolint:forbidigo // the default of an option
	}
	if d.Settings.UserIDKey == "" {
		d.Settings.UserIDKey = "user._id"
	}
	return &Door{d}
}

func (d *Door) now() time.Time { return d.Now() }

// name scopes idempotency keys, so that those of other doors do not meet them.
const name = "resthapi"

// Name is part of auth.Door.
func (d *Door) Name() string { return name }

// Routes is part of auth.Door.
func (d *Door) Routes() []auth.DoorRoute {
	return []auth.DoorRoute{
		{Method: http.MethodGet, Pattern: "/auditLog", Scopes: auth.Read, Admit: d.admit(auth.Read), Handler: d.list},
		{Method: http.MethodPost, Pattern: "/auditLog", Scopes: auth.Record, Admit: d.admit(auth.Record), Handler: d.create},
		{Method: http.MethodGet, Pattern: "/auditLog/{_id}", Scopes: auth.Read, Admit: d.admit(auth.Read), Handler: d.get},
	}
}

// callerKey is the key of the caller in the context of a request.
type callerKey struct{}

// admit finds out who asks before the body is read.
func (d *Door) admit(need auth.Scopes) func(w http.ResponseWriter, r *http.Request) *http.Request {
	return func(w http.ResponseWriter, r *http.Request) *http.Request {
		c, f := d.enter(r, need)
		if f != nil {
			f.send(w)
			return nil
		}
		return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
	}
}

// callerOf returns who admit has let in.
func callerOf(r *http.Request) *caller {
	c, _ := r.Context().Value(callerKey{}).(*caller)
	return c
}

// Owns is part of auth.Door.
func (d *Door) Owns(path string) bool {
	return path == "/auditLog" || strings.HasPrefix(path, "/auditLog/")
}

//go:embed openapi.json
var openapi []byte

// OpenAPI is part of auth.Door.
func (d *Door) OpenAPI() json.RawMessage { return openapi }

// caller is who asks, and in which log.
type caller struct {
	org   daybook.OrgID
	actor daybook.Actor
	name  string // what is kept beside what the caller records
}

// defaultOrg is the organization of who names none.
const defaultOrg = "default"

// orgHeader names the organization, for a key that opens all of them.
const orgHeader = "Daybook-Org"

// enter finds out who asks and whether they may.
func (d *Door) enter(r *http.Request, need auth.Scopes) (*caller, *fault) {
	header := r.Header.Get("Authorization")
	p, labels, c, f := d.principal(r, header)
	if f != nil {
		return nil, f
	}
	if !p.Scopes.Has(need) || !holds(d.Settings.Scope, labels) {
		return nil, forbidden()
	}
	if c.org = p.Org; c.org == "" {
		if c.org = daybook.OrgID(r.Header.Get(orgHeader)); c.org == "" {
			c.org = defaultOrg
		}
	} else if named := r.Header.Get(orgHeader); named != "" && named != string(c.org) {
		return nil, notFound()
	}
	if !c.org.Valid() || !p.Reaches(c.org) || c.org == control.Instance {
		return nil, notFound()
	}
	return c, nil
}

// principal reads the credential: a key, or a token of the configured issuer. A token that satisfies the scope of the settings may read
// and record; when they name none, its claim scope must say read and record itself.
func (d *Door) principal(r *http.Request, header string) (p *auth.Principal, labels []string, c *caller, f *fault) {
	credential := auth.BearerToken(header)
	if d.Tokens == nil || strings.Count(credential, ".") != 2 {
		p, err := d.Auth.Principal(r.Context(), header)
		if err != nil {
			return nil, nil, nil, credentialFault(err, header)
		}
		return p, p.Key.Labels, &caller{actor: daybook.Actor{Type: "api_key", ID: p.KeyID, Name: p.Key.Name}, name: p.KeyID}, nil
	}
	token, err := d.Tokens.Token(credential)
	if err != nil {
		return nil, nil, nil, credentialFault(err, header)
	}
	scopes := auth.Read | auth.Record
	if len(d.Settings.Scope) == 0 {
		scopes = wordsIn(token.Scopes)
	}
	org, _ := token.Text(d.TokenOrg)
	if org == "" {
		org = defaultOrg
	}
	p = token.Principal(daybook.OrgID(org), scopes)
	who := &caller{actor: daybook.Actor{Type: "user", ID: p.KeyID, Name: token.Name}, name: p.KeyID}
	if user, ok := token.Text(d.Settings.UserIDKey); ok {
		who.actor.ID, who.name = user, "user:"+user
	}
	return p, token.Scopes, who, nil
}

// wordsIn returns the scopes of ours among words.
func wordsIn(words []string) auth.Scopes {
	scopes := auth.None
	if slices.Contains(words, "read") {
		scopes |= auth.Read
	}
	if slices.Contains(words, "record") {
		scopes |= auth.Record
	}
	return scopes
}

// holds reports whether labels satisfy a scope by the rules of hapi.
func holds(scope, labels []string) bool {
	plain, one := false, false
	for _, s := range scope {
		switch {
		case strings.HasPrefix(s, "!"):
			if slices.Contains(labels, s[1:]) {
				return false
			}
		case strings.HasPrefix(s, "+"):
			if !slices.Contains(labels, s[1:]) {
				return false
			}
		default:
			plain = true
			one = one || slices.Contains(labels, s)
		}
	}
	return one || !plain
}

// get is GET /auditLog/{_id}.
func (d *Door) get(w http.ResponseWriter, r *http.Request, _ []byte) {
	c := callerOf(r)
	selected, f := onlySelect(r, &d.Settings)
	if f != nil {
		f.send(w)
		return
	}
	e, f := d.find(r.Context(), c.org, r.PathValue("_id"))
	if f != nil {
		f.send(w)
		return
	}
	doc, err := documentOf(&e)
	if err != nil {
		unavailable().send(w)
		return
	}
	d.looked(r, c, selfaudit.Shown{Rows: 1, First: e.Seq, Last: e.Seq})
	send(w, http.StatusOK, doc.appendJSON(nil, selected))
}

// onlySelect reads the parameters of a request for one document.
func onlySelect(r *http.Request, s *Settings) ([]string, *fault) {
	p := &paramReader{s: s}
	for name, values := range r.URL.Query() {
		if name != "$select" {
			if s.Lax {
				continue
			}
			return nil, badQuery(name, "is not allowed")
		}
		if f := p.selects(items(values)); f != nil {
			return nil, f
		}
	}
	return p.q.selected, nil
}

// find returns the entry of a document by its _id in any form.
func (d *Door) find(ctx context.Context, org daybook.OrgID, id string) (e daybook.Entry, f *fault) {
	missing := func() (daybook.Entry, *fault) { return daybook.Entry{}, notFound() }
	var err error
	if second, seq, ok := own.ParseLogID(strings.ToLower(id)); ok {
		e, err = d.Book.EntryAt(ctx, org, seq)
		if err == nil && (e.ReceivedAt/1e6 != second || idOf(&e) != strings.ToLower(id)) {
			return missing()
		}
	} else {
		eventID, err1 := own.EventID(id)
		if err1 != nil {
			if eventID, err1 = daybook.ParseID(id); err1 != nil {
				bad := badQuery("_id", "must be a valid ObjectId")
				bad.source = "params"
				return e, bad
			}
		}
		e, err = d.Book.Entry(ctx, org, eventID)
	}
	switch {
	case daybook.CodeOf(err) == daybook.CodeNotFound:
		return missing()
	case err != nil:
		return e, bookFault(err)
	}
	s := &search{door: d, org: org}
	if err := s.findHolds(ctx); err != nil {
		return e, bookFault(err)
	}
	if e.Removed != daybook.NotRemoved || e.Kind == daybook.KindControl || s.hides(&e) {
		return missing()
	}
	return e, nil
}

// looked notes that documents were shown.
func (d *Door) looked(r *http.Request, c *caller, shown selfaudit.Shown) {
	d.Audit.Saw(selfaudit.Look{
		Org: c.org, Action: "daybook.log.viewed", By: c.actor, Target: daybook.Target{Type: "log", ID: string(c.org)}, Outcome: daybook.Success,
		Context: d.Origin.Context(r),
		What:    name, Query: strings.ToValidUTF8(r.URL.RawQuery[:min(len(r.URL.RawQuery), 1024)], ""), Shown: shown,
	})
}

// shown says what the page shows.
func (s *search) shown() selfaudit.Shown {
	if len(s.seqs) == 0 {
		return selfaudit.Shown{}
	}
	return selfaudit.Shown{Rows: int64(len(s.seqs)), First: slices.Min(s.seqs), Last: slices.Max(s.seqs)}
}

// OfDoor is the part of a log that the time to live is for, for who removes what is over.
func OfDoor() *query.Query { return ofDoor }
