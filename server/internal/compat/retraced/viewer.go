package retraced

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// createViewerToken is GET …/viewertoken.
func (d *Door) createViewerToken(w http.ResponseWriter, r *http.Request, _ []byte) {
	p, f := d.principal(r, auth.Viewer)
	if f != nil {
		f.send(w)
		return
	}
	g, f := d.grant(r, p)
	if f != nil {
		f.send(w)
		return
	}
	token, err := d.Viewers.Grant(r.Context(), p, *g)
	if err != nil {
		unavailable.send(w)
		return
	}
	send(w, http.StatusCreated, encode(struct {
		Token string `json:"token"`
	}{token}))
}

// grant reads what a token is asked for.
func (d *Door) grant(r *http.Request, p *auth.Principal) (*control.Grant, *fault) {
	q := r.URL.Query()
	org := daybook.OrgID(cmp.Or(q.Get("group_id"), q.Get("team_id")))
	if org == "" {
		return nil, newFault(http.StatusBadRequest, "Either group_id or team_id is required")
	}
	g := &control.Grant{
		Org: org, Target: q.Get("target_id"), Actor: cmp.Or(q.Get("actor_id"), "viewer"), Admin: q.Get("is_admin") == "true",
		Project: r.PathValue("project"), Action: cmp.Or(q.Get("view_log_action"), "audit.log.view"),
	}
	g.Org, g.Group = within(p, org)
	if !g.Org.Valid() || !p.Reaches(g.Org) || g.Org == control.Instance {
		return nil, newFault(http.StatusBadRequest, "Invalid value for 'group_id': "+shown(string(org)))
	}
	for name, value := range map[string]string{"group_id": g.Group, "target_id": g.Target, "actor_id": g.Actor, "view_log_action": g.Action} {
		if len(value) > maxName || strings.ToValidUTF8(value, "") != value || strings.ContainsRune(value, 0) {
			return nil, newFault(http.StatusBadRequest, "Invalid value for '"+name+"'")
		}
	}
	if _, err := seen(g); err != nil {
		return nil, newFault(http.StatusBadRequest, "Invalid value for 'group_id' or 'target_id'")
	}
	if strings.HasPrefix(g.Action, "daybook.") {
		return nil, newFault(http.StatusBadRequest, "Invalid value for 'view_log_action': actions that begin with daybook. are the log's own")
	}
	return g, nil
}

// within finds the organization of a group. A key of one organization keeps groups of its own within it: whoever is shown one of them
// must not see the others.
func within(p *auth.Principal, group daybook.OrgID) (org daybook.OrgID, inside string) {
	if p.Org == "" || p.Org == group {
		return group, ""
	}
	return p.Org, string(group)
}

// createSession is POST /viewer/v1/viewersession.
func (d *Door) createSession(w http.ResponseWriter, r *http.Request, body []byte) {
	var in struct {
		Token string `json:"token"`
	}
	if strictObject(body) != nil || json.Unmarshal(body, &in) != nil {
		newFault(http.StatusBadRequest, "The body is an object with the member token").send(w)
		return
	}
	g, session, err := d.Viewers.Exchange(r.Context(), in.Token)
	if err != nil {
		credentialFault(err).send(w)
		return
	}
	send(w, http.StatusOK, encode(struct {
		Project string `json:"project_id"`
		Token   string `json:"token"`
	}{g.Project, session}))
}

// view is the GraphQL search of a viewer: what the session grants, and each look is an event.
func (d *Door) view(w http.ResponseWriter, r *http.Request, body []byte) {
	header := r.Header.Get("Authorization")
	if header == "" {
		missingHeader.send(w)
		return
	}
	g, err := d.Viewers.Session(r.Context(), header)
	if err != nil {
		credentialFault(err).send(w)
		return
	}
	only, err := seen(g)
	if err != nil {
		unavailable.send(w)
		return
	}
	who := &reader{
		orgs:   func(_ context.Context, yield func(daybook.OrgID) error) error { return yield(g.Org) },
		within: only, scope: "viewer of " + string(g.Org) + " " + only.String(),
	}
	data, f := d.answer(r, body, who)
	quiet := g.Admin && r.URL.Query().Get(skipParam) == "true"
	if f == nil && !quiet {
		f = d.recordView(r, g)
	}
	if f != nil {
		f.send(w)
		return
	}
	send(w, http.StatusOK, data.json())
}

// recordView records that a viewer has looked, durable before the answer: nobody sees what the log does not know of.
func (d *Door) recordView(r *http.Request, g *control.Grant) *fault {
	e := Event{
		Action: g.Action, CRUD: "r", Group: &Group{ID: cmp.Or(g.Group, string(g.Org))}, Actor: &Actor{ID: g.Actor}, SourceIP: d.Origin.Client(r),
	}
	_, err := d.Book.RecordJSON(r.Context(), g.Org, daybook.Request{Events: [][]byte{e.Daybook(g.Project)}, Door: name})
	var refused *daybook.Error
	if errors.As(err, &refused) && refused.Code == daybook.CodeInvalid {
		return newFault(http.StatusBadRequest, refused.Message)
	}
	if err != nil {
		return unavailable
	}
	return nil
}

// endSessions is DELETE …/viewersessions.
func (d *Door) endSessions(w http.ResponseWriter, r *http.Request, _ []byte) {
	p, f := d.principal(r, auth.Viewer)
	if f != nil {
		f.send(w)
		return
	}
	org, group := within(p, daybook.OrgID(r.PathValue("group")))
	if org.Valid() && p.Reaches(org) && org != control.Instance { // otherwise there is no session to end
		if err := d.Viewers.End(r.Context(), org, group, r.PathValue("actor")); err != nil {
			unavailable.send(w)
			return
		}
	}
	send(w, http.StatusOK, nil)
}

// seen is what a grant lets see of its organization.
func seen(g *control.Grant) (*query.Query, error) {
	var conditions []string
	if g.Group != "" {
		conditions = append(conditions, "meta.retraced.group.id:"+quote(g.Group))
	}
	if g.Target != "" {
		conditions = append(conditions, "target.id:"+quote(g.Target))
	}
	return query.Parse(strings.Join(conditions, " "), query.Options{Place: query.Viewer})
}
