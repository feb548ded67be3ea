package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// forViewers says what a viewer token must have for a route; empty: no viewer reaches it.
type forViewers string

// anyViewer is a route that every viewer reaches; the others need a feature of the token.
const anyViewer forViewers = "any"

// errWrongOrigin refuses a token that somebody shows from elsewhere.
var errWrongOrigin = &daybook.Error{Code: daybook.CodeForbidden, Rule: "wrong_origin", Message: "this viewer token is for pages of another origin."}

// newViewerToken asks for a token.
type newViewerToken struct {
	Org      *daybook.OrgID `json:"org,omitempty" doc:"Whose log is shown; that of the key, or of Daybook-Org, when left out." example:"org_acme"`
	Viewer   viewerParty    `json:"viewer"`
	Filter   string         `json:"filter,omitempty" maxLength:"4096" doc:"A query that always holds beside what the viewer asks." example:"-action:internal.*"`
	From     string         `json:"from,omitempty" doc:"Nothing that occurred before is seen." example:"now-90d"`
	Hide     []string       `json:"hide,omitempty" maxItems:"32" doc:"JSON pointers of fields that are neither shown nor searched; * stands for any one step. Not: action, outcome, times, types and ids." example:"[\"/context/ip\",\"/actor/email\"]"`
	Features []string       `json:"features,omitempty" doc:"Some of export, verify, live." example:"[\"export\",\"verify\"]"`
	Origin   string         `json:"origin,omitempty" doc:"Of the page with the viewer; one that the organization names. Left out: the one it names, if it is one."`
	TTL      string         `json:"ttl,omitempty" doc:"At most 15m; left out: as the organization says." example:"10m"`
}

type viewerParty struct {
	Type string `json:"type" minLength:"1" maxLength:"512" example:"user"`
	ID   string `json:"id" minLength:"1" maxLength:"512" example:"cus_9"`
	Name string `json:"name,omitempty" maxLength:"512" example:"Lin Wu"`
}

type viewerToken struct {
	Token     string `json:"token" doc:"For the header Authorization of pages of the origin, and nowhere else." example:"eyJ…"`
	ExpiresAt stamp  `json:"expires_at" format:"date-time"`
}

// viewerTokenDetails is what the log keeps of a token: not the token.
type viewerTokenDetails struct {
	Filter    string   `json:"filter,omitempty"`
	From      string   `json:"from,omitempty"`
	Hide      []string `json:"hide,omitempty"`
	Features  []string `json:"features,omitempty"`
	Origin    string   `json:"origin"`
	ExpiresAt stamp    `json:"expires_at"`
}

// seenByViewer is what a viewer may know of the own token.
type seenByViewer struct {
	Org       daybook.OrgID `json:"org" example:"org_acme"`
	Name      string        `json:"name" doc:"Of the organization." example:"Acme"`
	Viewer    viewerParty   `json:"viewer"`
	From      *string       `json:"from" format:"date-time" doc:"Nothing that occurred before is seen; null: everything is."`
	Hide      []string      `json:"hide" nullable:"false"`
	Features  []string      `json:"features" nullable:"false"`
	Signing   bool          `json:"signing" doc:"Checkpoints are signed: there are proofs."`
	ExpiresAt stamp         `json:"expires_at" format:"date-time"`
}

// viewerSettings is how a log may be shown in other products' pages.
type viewerSettings struct {
	Origins   []string `json:"origins" nullable:"false" doc:"Of pages that may show a viewer."`
	Lifetime  int64    `json:"lifetime_s" doc:"Of a token whose ttl is left out, in seconds." example:"600"`
	UpdatedAt *stamp   `json:"updated_at" format:"date-time" doc:"null: nobody has set anything."`
	By        *party   `json:"by,omitempty"`
}

type newViewerSettings struct {
	Origins  []string `json:"origins" nullable:"false" maxItems:"50" doc:"The scheme https and a host, without a path; plain http of localhost alone."`
	Lifetime int64    `json:"lifetime_s,omitempty" minimum:"30" maximum:"900" doc:"600 when left out." example:"600"`
}

const tagViewer = "Viewer"

var (
	aboutCreateViewerToken = operation{
		id: "createViewerToken", tag: tagViewer, summary: "Make a viewer token",
		text: "For the backend of a product that shows its customers their log. The token is a JSON Web Token that holds for minutes, for one organization and one origin, and lets its holder " +
			"search, open and prove entries that the filter lets through, and nothing else. It ends with the key that made it.",
		request: []content{{mediaJSON, newViewerToken{}}}, answers: created(viewerToken{}, "The token."), faults: []int{404, 413, 415, 503, 507},
	}
	aboutGetViewer = operation{
		id: "getViewer", tag: tagViewer, summary: "Show what a viewer token lets one see", text: "With a viewer token alone; with a key it is 404.",
		answers: ok(seenByViewer{}, "Who looks, at what, until when."), faults: []int{404},
	}
	aboutGetViewerSettings = operation{id: "getViewerSettings", tag: tagViewer, summary: "Get the viewer settings", answers: ok(viewerSettings{}, "The settings.")}
	aboutPutViewerSettings = operation{
		id: "putViewerSettings", tag: tagViewer, summary: "Set the viewer settings", text: "Pages of these origins may show a viewer: tokens are made for them alone, and the server lets their scripts ask (CORS).",
		request: []content{{mediaJSON, newViewerSettings{}}}, answers: ok(viewerSettings{}, "The settings."), faults: []int{413, 415, 503, 507},
	}
)

func createViewerToken(c *call) error {
	var in newViewerToken
	if err := c.decode(&in, "viewer"); err != nil {
		return err
	}
	if err := c.viewerOrg(in.Org); err != nil {
		return err
	}
	g := auth.Grant{
		Org: c.org, Viewer: daybook.Actor{Type: in.Viewer.Type, ID: in.Viewer.ID, Name: in.Viewer.Name}, Filter: in.Filter, From: in.From, Hide: in.Hide, Features: in.Features, Origin: in.Origin,
	}
	if in.TTL != "" {
		var err error
		if g.Lifetime, err = time.ParseDuration(in.TTL); err != nil || g.Lifetime <= 0 {
			return invalid("invalid_value", "/ttl", "ttl is a length of time such as 10m or 90s.")
		}
	}
	own := c.s.Origin.URL(c.r)
	if err := c.s.Viewings.Check(c.r.Context(), &g, own); err != nil {
		return err
	}
	token, until, err := c.s.Viewings.Mint(c.principal, &g, own, func(id string, until time.Time) error {
		e := c.act("daybook.viewer_token.created", daybook.Target{Type: g.Viewer.Type, ID: g.Viewer.ID, Name: g.Viewer.Name}, viewerTokenDetails{
			g.Filter, g.From, g.Hide, g.Features, g.Origin, newStamp(until),
		})
		e.CorrelationID = id
		return c.did(c.org, e)
	})
	if err != nil {
		return err
	}
	c.send(http.StatusCreated, jsonType, marshal(viewerToken{token, newStamp(until)}))
	return nil
}

// viewerOrg takes the organization from the key, the header or the body, which must not disagree with them.
func (c *call) viewerOrg(inBody *daybook.OrgID) error {
	org, err := c.namedOrg()
	if err != nil {
		return err
	}
	if inBody != nil {
		switch {
		case !inBody.Valid():
			return control.ErrOrgForm
		case org != "" && org != *inBody || !c.principal.Reaches(*inBody):
			return errNotFound
		}
		org = *inBody
	}
	switch org {
	case "":
		return invalid("org_required", "/org", "this key is for all organizations: name one in org, or in the header Daybook-Org.")
	case control.Instance:
		return errNotFound // the instance's own log is shown to nobody's customers
	}
	c.org = org
	return c.orgExists(org)
}

func getViewer(c *call) error {
	v := c.principal.Viewer
	if v == nil {
		return errNotFound
	}
	org, err := c.s.Orgs.Get(c.r.Context(), c.principal.Org)
	if err != nil {
		return err
	}
	keys, err := c.s.Book.InstanceVkeys(c.r.Context())
	if err != nil {
		return err
	}
	shown := seenByViewer{
		Org: org.ID, Name: org.Name, Viewer: viewerParty{v.Who.Type, v.Who.ID, v.Who.Name}, Hide: append([]string{}, v.Hide...), Features: append([]string{}, v.Features...),
		Signing: keys.Clock != "", ExpiresAt: newStamp(v.Expires),
	}
	if v.From != "" {
		shown.From = &v.From
	}
	c.send(http.StatusOK, jsonType, marshal(shown))
	return nil
}

func showViewerSettings(v control.Viewing) viewerSettings {
	return viewerSettings{append([]string{}, v.Origins...), int64(v.Lifetime.Seconds()), maybeStamp(v.UpdatedAt), showParty(v.By)}
}

func getViewerSettings(c *call) error {
	v, err := c.s.ViewerSettings.Get(c.r.Context(), c.org)
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(showViewerSettings(v)))
	return nil
}

func putViewerSettings(c *call) error {
	var in newViewerSettings
	if err := c.decode(&in, "origins"); err != nil {
		return err
	}
	is := control.Viewing{Origins: in.Origins, Lifetime: time.Duration(in.Lifetime) * time.Second, By: c.by()}
	is, err := c.s.ViewerSettings.Put(c.r.Context(), c.org, is, func(was, is control.Viewing) error {
		return c.did(c.org, c.signed(control.ViewingChanged(c.org, &was, &is)))
	})
	if err != nil {
		return err
	}
	c.s.Viewings.Forget()
	c.send(http.StatusOK, jsonType, marshal(showViewerSettings(is)))
	return nil
}

// viewerPrincipal returns who shows a viewer token; nil: the request has none.
func (c *call) viewerPrincipal(authorization string) (*auth.Principal, error) {
	if c.s.Viewings == nil {
		return nil, nil //nolint:nilnil // nobody, and nothing wrong
	}
	p, err := c.s.Viewings.Principal(c.r.Context(), authorization)
	if p == nil || err != nil {
		return nil, err
	}
	switch origin := header(c.r, "Origin"); {
	case origin == p.Viewer.Origin, origin == c.s.Origin.URL(c.r): // a page of ours in a frame of theirs
	case origin == "" && header(c.r, "Sec-Fetch-Site") == "same-origin": // browsers send none with a GET
	default:
		return nil, errWrongOrigin
	}
	return p, nil
}

// admits reports whether the route is for a viewer.
func (rt *route) admits(v *auth.Viewed) bool {
	return rt.viewers == anyViewer || rt.viewers != "" && v.Has(string(rt.viewers))
}

// within is what a route adds to a question, and what a viewer may see of the log.
func (c *call) within(route *query.Query) *query.Query {
	if v := c.viewer(); v != nil && !v.Within.Empty() {
		return query.And(v.Within, route)
	}
	return route
}

// viewer is the principal as a viewer; nil: it is none.
func (c *call) viewer() *auth.Viewed {
	if c.principal == nil {
		return nil
	}
	return c.principal.Viewer
}

// hidden are the fields that are withheld from the principal.
func (c *call) hidden() []string {
	if v := c.viewer(); v != nil {
		return v.Hide
	}
	return nil
}

// sees refuses, as errNotFound, an entry that a viewer may not see.
func (c *call) sees(seq int64) error {
	within := c.within(nil)
	if within == nil {
		return nil
	}
	page, err := c.s.Book.Search(c.r.Context(), daybook.EventQuery{Org: c.org, Text: "seq:" + itoa(int(seq)), Within: within, Limit: 1})
	if err == nil && len(page.Entries) == 0 {
		err = errNotFound
	}
	return err
}

// asSeen is an entry without what is withheld from the principal.
func (c *call) asSeen(e *daybook.Entry) *daybook.Entry {
	hidden := c.hidden()
	if len(hidden) == 0 {
		return e
	}
	seen, err := control.Hide(e, hidden)
	if err != nil { // nothing is better than too much
		seen = *e
		seen.Payload, seen.ErasedFields = []byte(`{}`), nil
	}
	return &seen
}

// appendEntry appends an entry as the principal may see it. What is withheld is named, whether the entry has it or not.
func (c *call) appendEntry(dst []byte, e *daybook.Entry) []byte {
	hidden := c.hidden()
	dst = c.asSeen(e).AppendJSON(dst)
	if e.Held {
		dst = append(dst[:len(dst)-1], `,"held":true}`...)
	}
	if e.Masked > 0 && c.s.Offline != nil {
		hidden = c.s.Offline.Mask
	}
	if len(hidden) == 0 || e.Removed != daybook.NotRemoved {
		return dst
	}
	dst = append(dst[:len(dst)-1], `,"hidden_fields":`...)
	return append(append(dst, marshal(hidden)...), '}')
}

// Headers of answers to pages of other origins.
const (
	allowMethods  = "GET, POST"
	allowHeaders  = "Authorization, Content-Type, Last-Event-ID"
	exposeHeaders = "X-Request-Id, Retry-After, Content-Disposition"
)

// cors lets scripts of an origin that some organization names ask with a viewer token, and nobody else: an answer to a key or a cookie
// carries no such header. It reports whether it has answered, which it does to a preflight.
func (s *Server) cors(c *call, r *http.Request) bool {
	origin := header(r, "Origin")
	if s.Viewings == nil || origin == "" || !strings.HasPrefix(r.URL.Path, "/v1/") {
		return false
	}
	h := c.Header()
	h.Add("Vary", "Origin")
	preflight := r.Method == http.MethodOptions && header(r, "Access-Control-Request-Method") != ""
	if !preflight && !strings.HasPrefix(strings.ToLower(header(r, "Authorization")), "bearer ey") {
		return false
	}
	origins, err := s.Viewings.Origins(r.Context())
	if err != nil || !slices.Contains(origins, origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if !preflight {
		h.Set("Access-Control-Expose-Headers", exposeHeaders)
		return false
	}
	h.Set("Access-Control-Allow-Methods", allowMethods)
	h.Set("Access-Control-Allow-Headers", allowHeaders)
	h.Set("Access-Control-Max-Age", "600")
	c.WriteHeader(http.StatusNoContent)
	return true
}
