package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/crm"
	"github.com/daybook-audit/daybook/server/internal/auth"
)

// route is one row of the table. The tests of tenants and scopes, the OpenAPI document and the metrics walk the same rows.
type route struct {
	method, pattern string
	scopes          auth.Scopes // any one of them; None: a valid key is enough
	open            bool        // no key is needed
	org             orgRule
	params          []param // of the query string; every other is refused
	quiet           bool    // what goes well is logged at debug only
	looks           look    // what it shows of a log; zero: nothing
	fresh           fresh   // whether it sees what other nodes recorded just now
	viewers         forViewers
	about           operation
	handler         func(*call) error

	door  auth.Door // nil: ours
	enter func(w http.ResponseWriter, r *http.Request, body []byte)
	admit func(w http.ResponseWriter, r *http.Request) *http.Request // nil: everybody
	body  int64                                                      // the door's own limit on it; 0: that of the server

	s     *Server
	times *routeTimes
}

// orgRule says how a route finds its organization.
type orgRule int

const (
	orgNone   orgRule = iota // the route has none, or finds it itself
	orgRead                  // that of the key, or of Daybook-Org, which must exist
	orgRecord                // the same; with a key for all organizations an unknown one is made on first use
	orgShared                // that of the key or of Daybook-Org; with a key for all organizations and without the header none: what all share
	orgPath                  // that of the path, which the key must reach
)

// fresh says whether a route sees what other nodes of the store recorded a moment ago.
type fresh int

const (
	freshEnough fresh = iota // less than a second old
	freshAsked               // nothing is missing, if it is asked for: consistent, min_size
	freshAlways              // nothing is missing: what is proved is proved of all that was acknowledged
)

// path is the pattern as the document writes it: a path template knows no rest of a path.
func (rt *route) path() string { return strings.Replace(rt.pattern, "...}", "}", 1) }

// table lists the native routes.
func (s *Server) table() []*route {
	search := []param{paramQ, paramFrom, paramTo, paramTZ, paramOrder, paramAsc, paramLimit, paramCursor, paramSentences}
	routes := []*route{
		{method: "POST", pattern: "/v1/events", scopes: auth.Record, org: orgRecord, quiet: true, params: []param{paramPartial}, handler: createEvents, about: aboutCreateEvents},
		{method: "GET", pattern: "/v1/events", fresh: freshAsked, scopes: auth.Read, viewers: anyViewer, org: orgRead, looks: viewed("search"), params: search, handler: listEvents, about: aboutListEvents},
		{method: "GET", pattern: "/v1/events/tail", scopes: auth.Read, viewers: auth.FeatureLive, org: orgRead, looks: viewed("tail"), params: []param{paramQ, paramTZ, paramFromSeq}, handler: tailEvents, about: aboutTailEvents},
		{method: "GET", pattern: "/v1/events/csv", fresh: freshAlways, scopes: auth.Export, viewers: auth.FeatureExport, org: orgRead, params: []param{paramQ, paramFrom, paramTo, paramTZ, paramOrder, paramAsc}, handler: getEventsCSV, about: aboutGetCSV},
		{method: "GET", pattern: "/v1/events/{id}", fresh: freshAsked, scopes: auth.Read, viewers: anyViewer, org: orgRead, looks: opened, handler: getEvent, about: aboutGetEvent},
		{method: "GET", pattern: "/v1/events/{id}/around", fresh: freshAsked, scopes: auth.Read, viewers: anyViewer, org: orgRead, looks: viewed("around"), params: []param{paramAround}, handler: getAround, about: aboutGetAround},
		{method: "GET", pattern: "/v1/targets/{type}/{id}/events", fresh: freshAsked, scopes: auth.Read, viewers: anyViewer, org: orgRead, looks: viewed("target"), params: search, handler: listTargetEvents, about: aboutListTargetEvents},
		{method: "GET", pattern: "/v1/actors/{type}/{id}/events", fresh: freshAsked, scopes: auth.Read, viewers: anyViewer, org: orgRead, looks: viewed("actor"), params: search, handler: listActorEvents, about: aboutListActorEvents},
		{method: "GET", pattern: "/v1/targets/{type}/{id}/versions", fresh: freshAsked, scopes: auth.Read, org: orgRead, looks: viewed("versions"), params: []param{paramA, paramB}, handler: listVersions, about: aboutListVersions},
		{method: "GET", pattern: "/v1/targets/{type}/{id}/versions/{version}", fresh: freshAsked, scopes: auth.Read, org: orgRead, looks: viewed("versions"), handler: getVersion, about: aboutGetVersion},
		{method: "GET", pattern: "/v1/targets/{type}/{id}/versions/{version}/restore-plan", fresh: freshAsked, scopes: auth.Read, org: orgRead, looks: viewed("versions"), handler: getRestorePlan, about: aboutGetRestorePlan},
		{method: "GET", pattern: "/v1/summary", scopes: auth.Read, org: orgRead, handler: getSummary, about: aboutGetSummary},
		{method: "GET", pattern: "/v1/complete", scopes: auth.Read, org: orgRead, looks: viewed("complete"), params: []param{paramQ, paramPos, paramTZ, paramMost}, handler: complete, about: aboutComplete},
		{method: "GET", pattern: "/v1/histogram", fresh: freshAsked, scopes: auth.Read, viewers: anyViewer, org: orgRead, looks: viewed("histogram"), params: []param{paramQ, paramFrom, paramTo, paramTZ, paramBars}, handler: getHistogram, about: aboutGetHistogram},
		{method: "GET", pattern: "/v1/facets", fresh: freshAsked, scopes: auth.Read, viewers: anyViewer, org: orgRead, looks: viewed("facets"), params: []param{paramQ, paramFrom, paramTo, paramTZ, paramFields, paramTop, paramNames}, handler: getFacets, about: aboutGetFacets},

		{method: "GET", pattern: "/v1/views", scopes: auth.Read, org: orgRead, handler: listViews, about: aboutListViews},
		{method: "POST", pattern: "/v1/views", scopes: auth.Read, org: orgRead, handler: createView, about: aboutCreateView},
		{method: "GET", pattern: "/v1/views/{view}", scopes: auth.Read, org: orgRead, handler: getView, about: aboutGetView},
		{method: "PUT", pattern: "/v1/views/{view}", scopes: auth.Read, org: orgRead, handler: putView, about: aboutPutView},
		{method: "DELETE", pattern: "/v1/views/{view}", scopes: auth.Read, org: orgRead, handler: deleteView, about: aboutDeleteView},

		{method: "GET", pattern: "/v1/crm/enums", scopes: auth.Read, org: orgRead, handler: getCRMEnums, about: aboutGetCRMEnums},
		{method: "GET", pattern: "/v1/crm/enums/actions", scopes: auth.Read, org: orgRead, handler: getCRMEnum(crm.Actions), about: aboutGetCRMActions},
		{method: "POST", pattern: "/v1/crm/enums/actions", scopes: auth.Record, org: orgRecord, handler: appendCRMEnum(crm.Actions), about: aboutAppendCRMAction},
		{method: "GET", pattern: "/v1/crm/enums/entityTypes", scopes: auth.Read, org: orgRead, handler: getCRMEnum(crm.EntityTypes), about: aboutGetCRMEntityTypes},
		{method: "POST", pattern: "/v1/crm/enums/entityTypes", scopes: auth.Record, org: orgRecord, handler: appendCRMEnum(crm.EntityTypes), about: aboutAppendCRMEntityType},
		{method: "POST", pattern: "/v1/crm/entries", scopes: auth.Record, org: orgRecord, quiet: true, params: []param{paramCRMAppend}, handler: createCRMEntries, about: aboutCreateCRMEntries},
		{method: "GET", pattern: "/v1/crm/entries", scopes: auth.Read, org: orgRead, looks: viewed("crm"), params: crmList, handler: listCRMEntries, about: aboutListCRMEntries},
		{method: "GET", pattern: "/v1/crm/entries/{id}", scopes: auth.Read, org: orgRead, looks: opened, handler: getCRMEntry, about: aboutGetCRMEntry},
		{method: "POST", pattern: "/v1/crm/user-deletions", scopes: auth.Record, org: orgRecord, handler: createCRMDeletion, about: aboutCreateCRMDeletion},
		{method: "GET", pattern: "/v1/crm/user-deletions", scopes: auth.Read, org: orgRead, looks: viewed("crm_deletions"), params: []param{paramCRMLimit, paramCRMCursor}, handler: listCRMDeletions, about: aboutListCRMDeletions},

		{method: "GET", pattern: "/v1/retention", scopes: auth.Manage, org: orgRead, handler: getRetention, about: aboutGetRetention},
		{method: "PUT", pattern: "/v1/retention", scopes: auth.Manage, org: orgRead, handler: putRetention, about: aboutPutRetention},
		{method: "POST", pattern: "/v1/retention/plan", scopes: auth.Manage, org: orgRead, handler: planRetention, about: aboutPlanRetention},
		{method: "POST", pattern: "/v1/retention/run", scopes: auth.Manage, org: orgRead, handler: runRetention, about: aboutRunRetention},
		{method: "POST", pattern: "/v1/holds", scopes: auth.Manage, org: orgRead, handler: placeHold, about: aboutPlaceHold},
		{method: "GET", pattern: "/v1/holds", scopes: auth.Manage, org: orgRead, handler: listHolds, about: aboutListHolds},
		{method: "GET", pattern: "/v1/holds/{id}", scopes: auth.Manage, org: orgRead, handler: getHold, about: aboutGetHold},
		{method: "POST", pattern: "/v1/holds/{id}/release", scopes: auth.Manage, org: orgRead, handler: releaseHold, about: aboutReleaseHold},
		{method: "POST", pattern: "/v1/erasures/preview", scopes: auth.Manage, org: orgRead, handler: previewErasure, about: aboutPreviewErasure},
		{method: "POST", pattern: "/v1/erasures", scopes: auth.Manage, org: orgRead, handler: createErasure, about: aboutCreateErasure},
		{method: "GET", pattern: "/v1/erasures", scopes: auth.Manage, org: orgRead, handler: listErasures, about: aboutListErasures},
		{method: "GET", pattern: "/v1/erasures/{id}", scopes: auth.Manage, org: orgRead, handler: getErasure, about: aboutGetErasure},
		{method: "POST", pattern: "/v1/erasures/{id}/approve", scopes: auth.Manage, org: orgRead, handler: approveErasure, about: aboutApproveErasure},
		{method: "DELETE", pattern: "/v1/erasures/{id}", scopes: auth.Manage, org: orgRead, handler: withdrawErasure, about: aboutWithdrawErasure},
		{method: "GET", pattern: "/v1/erasures/{id}/certificate", scopes: auth.Manage, org: orgRead, handler: getCertificate, about: aboutGetCertificate},

		{method: "GET", pattern: "/v1/actions", scopes: auth.Read, org: orgShared, params: []param{paramLimit, paramCursor}, handler: listActions, about: aboutListActions},
		{method: "GET", pattern: "/v1/sentences", scopes: auth.Read, viewers: anyViewer, org: orgShared, params: []param{paramLimit, paramCursor}, handler: listSentences, about: aboutListSentences},
		{method: "POST", pattern: "/v1/actions/{action}/schemas", scopes: auth.Manage, org: orgShared, handler: registerSchema, about: aboutRegisterSchema},
		{method: "GET", pattern: "/v1/actions/{action}/schemas", scopes: auth.Read, org: orgShared, params: []param{paramLimit, paramCursor}, handler: listSchemas, about: aboutListSchemas},
		{method: "GET", pattern: "/v1/actions/{action}/schemas/{version}", scopes: auth.Read, org: orgShared, handler: getSchema, about: aboutGetSchema},

		{method: "POST", pattern: "/v1/exports", scopes: auth.Export, org: orgRead, handler: createExport, about: aboutCreateExport},
		{method: "GET", pattern: "/v1/exports", scopes: auth.Export, org: orgRead, params: []param{paramLimit, paramCursor}, handler: listExports, about: aboutListExports},
		{method: "GET", pattern: "/v1/exports/{id}", scopes: auth.Export, org: orgRead, handler: getExport, about: aboutGetExport},
		{method: "DELETE", pattern: "/v1/exports/{id}", scopes: auth.Export, org: orgRead, handler: cancelExport, about: aboutCancelExport},
		{method: "GET", pattern: "/v1/exports/{id}/file", open: true, params: []param{paramExp, paramSig}, handler: getExportFile, about: aboutGetExportFile},

		{method: "POST", pattern: "/v1/organizations", scopes: auth.Operate, handler: createOrg, about: aboutCreateOrg},
		{method: "GET", pattern: "/v1/organizations", params: []param{paramName, paramLimit, paramCursor}, handler: listOrgs, about: aboutListOrgs},
		{method: "GET", pattern: "/v1/organizations/{org}", handler: getOrg, about: aboutGetOrg},
		{method: "POST", pattern: "/v1/organizations/{org}/erasure/preview", scopes: auth.Operate, handler: previewOrgErasure, about: aboutPreviewOrgErasure},
		{method: "POST", pattern: "/v1/organizations/{org}/erasure", scopes: auth.Operate, handler: createOrgErasure, about: aboutCreateOrgErasure},
		{method: "GET", pattern: "/v1/organization-erasures", scopes: auth.Operate, handler: listOrgErasures, about: aboutListOrgErasures},
		{method: "GET", pattern: "/v1/organization-erasures/{id}", scopes: auth.Operate, handler: getOrgErasure, about: aboutGetOrgErasure},
		{method: "POST", pattern: "/v1/organization-erasures/{id}/approve", scopes: auth.Operate, handler: approveOrgErasure, about: aboutApproveOrgErasure},
		{method: "DELETE", pattern: "/v1/organization-erasures/{id}", scopes: auth.Operate, handler: withdrawOrgErasure, about: aboutWithdrawOrgErasure},
		{method: "GET", pattern: "/v1/organization-erasures/{id}/certificate", scopes: auth.Operate, handler: getOrgCertificate, about: aboutGetOrgCertificate},
		{method: "POST", pattern: "/v1/keys", scopes: auth.Manage | auth.Operate, handler: createKey, about: aboutCreateKey},
		{method: "GET", pattern: "/v1/keys", scopes: auth.Manage | auth.Operate, params: []param{paramLimit, paramCursor}, handler: listKeys, about: aboutListKeys},
		{method: "DELETE", pattern: "/v1/keys/{id}", scopes: auth.Manage | auth.Operate, handler: revokeKey, about: aboutRevokeKey},
		{method: "GET", pattern: "/v1/whoami", handler: whoami, about: aboutWhoami},
		{method: "POST", pattern: "/v1/viewer-tokens", scopes: auth.Viewer, handler: createViewerToken, about: aboutCreateViewerToken},
		{method: "GET", pattern: "/v1/viewer", viewers: anyViewer, handler: getViewer, about: aboutGetViewer},
		{method: "GET", pattern: "/v1/viewer-settings", scopes: auth.Manage, org: orgRead, handler: getViewerSettings, about: aboutGetViewerSettings},
		{method: "PUT", pattern: "/v1/viewer-settings", scopes: auth.Manage, org: orgRead, handler: putViewerSettings, about: aboutPutViewerSettings},
		{method: "POST", pattern: "/v1/session", open: true, handler: openSession, about: aboutOpenSession},
		{method: "DELETE", pattern: "/v1/session", open: true, handler: closeSession, about: aboutCloseSession},
		{method: "GET", pattern: "/v1/instance", scopes: auth.Operate, handler: getInstance, about: aboutGetInstance},
		{method: "GET", pattern: "/v1/backup", scopes: auth.Operate, handler: getBackup, about: aboutGetBackup},

		{method: "GET", pattern: "/metrics", scopes: auth.Operate, handler: getMetrics, about: aboutGetMetrics},
		{method: "GET", pattern: "/healthz", open: true, quiet: true, handler: getHealth, about: aboutGetHealth},
		{method: "GET", pattern: "/readyz", open: true, quiet: true, handler: getReady, about: aboutGetReady},
		{method: "GET", pattern: "/.well-known/daybook-keys", open: true, handler: getInstanceKeys, about: aboutGetInstanceKeys},
		{method: "GET", pattern: "/openapi.json", open: true, handler: getOpenAPI, about: aboutGetOpenAPI},
		{method: "GET", pattern: "/docs/api", open: true, handler: getDocs, about: aboutGetDocs},
	}
	return slices.Concat(routes, anchorRoutes(), logRoutes())
}

// mount puts the table and the doors' routes into the mux. Nothing else answers.
func (s *Server) mount() {
	s.mux = http.NewServeMux()
	s.routes = s.table()
	for _, door := range s.Doors {
		for _, r := range door.Routes() {
			params := make([]param, len(r.Params))
			for i, name := range r.Params {
				params[i].name = name
			}
			s.routes = append(s.routes, &route{
				params: params, method: r.Method, pattern: r.Pattern, scopes: r.Scopes, open: r.Open, quiet: true, door: door, enter: r.Handler, admit: r.Admit, body: r.Body,
			})
		}
	}
	for _, rt := range s.routes {
		if rt.fresh == freshAsked {
			rt.params = append(slices.Clip(rt.params), paramConsistent, paramMinSize)
		}
		rt.s = s
		rt.times = s.Metrics.route(rt.method, rt.pattern)
		s.mux.Handle(rt.method+" "+rt.pattern, rt)
	}
	s.none = &route{s: s, pattern: "none", times: s.Metrics.route("any", "none")}
	s.console = &route{s: s, pattern: "console", quiet: true, times: s.Metrics.route("GET", "console")}
	s.mux.Handle("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := w.(*call)
		switch {
		case !ok:
		case s.Console.Owns(r) && !s.doorOwns(r.URL.Path):
			c.route = s.console
			s.Console.ServeHTTP(c, r)
		default:
			s.missing(c)
		}
	}))
}

// ServeHTTP runs the route within the call that the chain made.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := w.(*call)
	if !ok {
		return // only the chain calls a route
	}
	c.r, c.route = r, rt
	if rt.door != nil {
		c.enterDoor()
		return
	}
	if err := rt.serve(c); err != nil { //nolint:contextcheck // a call carries its request
		c.fail(err) //nolint:contextcheck // the same
	}
}

// serve checks who asks, for which organization and with which parameters, in this order, and then asks the handler.
func (rt *route) serve(c *call) error {
	if err := c.refuseOffline(); err != nil {
		return err
	}
	if !rt.open {
		if err := c.authenticate(rt.scopes); err != nil {
			c.refused(err)
			return err
		}
	}
	if err := c.readParams(rt.params); err != nil {
		return err
	}
	if rt.org != orgNone {
		if err := c.findOrg(rt.org); err != nil {
			return err
		}
	}
	if rt.fresh != freshEnough {
		if err := c.freshen(rt.fresh == freshAlways); err != nil {
			return err
		}
	}
	err := rt.handler(c)
	if err == nil {
		c.looked(daybook.Success)
	}
	return err
}

func (c *call) authenticate(need auth.Scopes) error {
	p, err := c.principalOf()
	if err != nil {
		return err
	}
	c.principal = p
	if p.Viewer != nil && !c.route.admits(p.Viewer) {
		return errNotFound
	}
	if need != auth.None && !p.Scopes.Has(need) {
		return auth.Forbidden(p, need)
	}
	return nil
}

// findOrg finds the organization of the request: never in the body, and in the path only to find that the key reaches it.
func (c *call) findOrg(rule orgRule) error {
	if rule == orgPath {
		return c.pathOrg()
	}
	org, err := c.namedOrg()
	if err != nil {
		return err
	}
	if org == "" && rule == orgShared {
		return nil
	}
	if org == "" {
		return invalid("org_required", "Daybook-Org", "this key is for all organizations: name one in the header Daybook-Org.")
	}
	c.org = org
	if rule == orgRecord {
		return c.s.Orgs.Ensure(c.r.Context(), org)
	}
	return c.orgExists(org)
}

// pathOrg takes the organization from the path.
func (c *call) pathOrg() error {
	org := daybook.OrgID(c.r.PathValue("org"))
	if !org.Valid() || !c.principal.Reaches(org) {
		return errNotFound
	}
	c.org = org
	return c.orgExists(org)
}

// freshen has the Book see what other nodes have recorded, if that is wanted or asked for.
func (c *call) freshen(wanted bool) error {
	asked, err := c.flag(paramConsistent)
	if err != nil {
		return err
	}
	wanted = wanted || asked || c.param(paramCursor) != "" // another node may have given it out, of a log that was longer there
	if c.given(paramMinSize) && !wanted {
		size, err := c.whole(paramMinSize)
		if err != nil {
			return err
		}
		info, err := c.s.Book.Info(c.r.Context(), c.org)
		if err != nil {
			return err
		}
		wanted = info[0].Size < size
	}
	if wanted {
		c.r = c.r.WithContext(daybook.Consistent(c.r.Context()))
	}
	return nil
}

// orgExists refuses an organization that nobody made. That of a key is there.
func (c *call) orgExists(org daybook.OrgID) error {
	if c.principal.Org != "" {
		return nil
	}
	ok, err := c.s.Orgs.Exists(c.r.Context(), org)
	if err == nil && !ok {
		err = c.noOrg(org)
	}
	return err
}

// noOrg is the refusal of an organization. Who may touch every one may know which ones there are.
func (c *call) noOrg(org daybook.OrgID) error {
	if c.principal.Org != "" {
		return errNotFound
	}
	return &daybook.Error{Code: daybook.CodeNotFound, Message: fmt.Sprintf("there is no organization %q.", org)}
}

// namedOrg returns the organization that the key or the header names; empty: the key is for all and the header is missing.
func (c *call) namedOrg() (daybook.OrgID, error) {
	named := daybook.OrgID(header(c.r, "Daybook-Org"))
	if named == "" {
		return c.principal.Org, nil
	}
	if !named.Valid() {
		return "", invalid("invalid_org", "Daybook-Org", "an organization id is 1 to 128 characters of A-Z a-z 0-9 . _ : @ -")
	}
	if !c.principal.Reaches(named) {
		return "", errNotFound
	}
	return named, nil
}

// errNotFound is the one answer for what is missing and for what is somebody else's.
var errNotFound = &daybook.Error{Code: daybook.CodeNotFound, Message: "there is no such thing, or it is not yours."}

// enterDoor lets the door say who may come in, reads the body and lets the door answer.
func (c *call) enterDoor() {
	if c.route.admit != nil {
		r := c.route.admit(c, c.r)
		if r == nil {
			return
		}
		c.r = r
	}
	body, err := c.readBody()
	if err != nil {
		c.err = err
		status := problemOf(err).Status
		c.route.door.Fault(c, c.r, status)
		return
	}
	c.route.enter(c, c.r, body)
}

// fault answers a request whose handler has panicked.
func (rt *route) fault(c *call, status int) {
	if rt.door != nil {
		rt.door.Fault(c, c.r, status)
		return
	}
	newProblem(status, string(daybook.CodeInternal), "internal error", "").send(c)
}

// missing answers a path that has no route, or not with this method: in the words of the door whose path it is.
func (s *Server) missing(c *call) {
	status := http.StatusNotFound
	if allow := s.allowed(c.r); allow != "" {
		status = http.StatusMethodNotAllowed
		c.Header().Set("Allow", allow)
	}
	for _, door := range s.Doors {
		if door.Owns(c.r.URL.Path) {
			door.Fault(c, c.r, status)
			return
		}
	}
	if status == http.StatusNotFound && s.Console.Missing(c, c.r) {
		return
	}
	if status == http.StatusMethodNotAllowed {
		newProblem(status, "method_not_allowed", "this path does not answer to "+cut(c.r.Method)+".", "").send(c)
		return
	}
	newProblem(status, string(daybook.CodeNotFound), "there is nothing at this path; the routes are at /docs/api.", "").send(c)
}

// doorOwns reports whether the path belongs to a door, which then answers for what is missing too.
func (s *Server) doorOwns(path string) bool {
	return slices.ContainsFunc(s.Doors, func(d auth.Door) bool { return d.Owns(path) })
}

// allowed returns the methods that the path answers to.
func (s *Server) allowed(r *http.Request) string {
	if !clean(r.URL) {
		return ""
	}
	var methods []string
	for _, method := range []string{"DELETE", "GET", "POST", "PUT"} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(probe); pattern != "/" && pattern != "" {
			methods = append(methods, method)
			if method == "GET" {
				methods = append(methods, "HEAD")
			}
		}
	}
	return strings.Join(methods, ", ")
}
