// Package retraced is the door of Retraced: an application that uses an official Retraced client records into Daybook, searches it and
// hands out viewer tokens after changing the endpoint and the key.
package retraced

import (
	"context"
	_ "embed"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// Book is what the door asks of a [daybook.Book].
type Book interface {
	RecordJSON(ctx context.Context, org daybook.OrgID, r daybook.Request) (daybook.Result, error)
	Search(ctx context.Context, q daybook.EventQuery) (*daybook.Page, error)
	Events(ctx context.Context, q daybook.EventQuery) iter.Seq2[daybook.Entry, error]
	EntryAt(ctx context.Context, org daybook.OrgID, seq int64) (daybook.Entry, error)
	Facets(ctx context.Context, q daybook.FacetQuery) (*daybook.Facets, error)
	Histogram(ctx context.Context, q daybook.HistogramQuery) (*daybook.Histogram, error)
}

var _ Book = (*daybook.Book)(nil)

// Settings are the operator's. A zero field takes the default.
type Settings struct {
	Org        daybook.OrgID // of events without a group; default
	BulkMax    int           // events of a bulk request; 50
	SearchTime time.Duration // of one search, counting included; 10 s
}

// Deps is what the door stands on; all of it but Audit and Origin is needed.
type Deps struct {
	Book      Book
	Auth      *auth.Authenticator
	Viewers   *auth.Viewers
	Orgs      *control.Orgs
	CursorKey []byte             // authenticates cursors
	Origin    auth.Origin        // where a viewer's request came from
	Audit     *selfaudit.Auditor // nil: looks are not recorded
	Settings  Settings
}

// Door is the door. Safe for concurrent use.
type Door struct{ Deps }

var _ auth.Door = (*Door)(nil)

// New returns the door over d.
func New(d Deps) *Door {
	s := &d.Settings
	if s.Org == "" {
		s.Org = "default"
	}
	if s.BulkMax == 0 {
		s.BulkMax = 50
	}
	if s.SearchTime == 0 {
		s.SearchTime = 10 * time.Second
	}
	return &Door{d}
}

// name scopes idempotency keys, so that those of other doors do not meet them.
const name = "retraced"

// Name is part of auth.Door.
func (d *Door) Name() string { return name }

// bases are the two places of every route: clients are given the first as their endpoint, Retraced answers at both.
var bases = []string{"/auditlog", ""}

// maxBody is the largest request.
const maxBody = 10 << 20

// The parameters of query strings.
const skipParam = "skipViewLogEvent"

var (
	tokenParams  = []string{"group_id", "team_id", "actor_id", "is_admin", "target_id", "view_log_action"}
	searchParams = []string{"query", "variables", "operationName"}
)

// Routes is part of auth.Door.
func (d *Door) Routes() []auth.DoorRoute {
	const sessions = "/project/{project}/group/{group}/actor/{actor}/viewersessions"
	var routes []auth.DoorRoute
	for _, base := range bases {
		routes = append(routes,
			auth.DoorRoute{Method: http.MethodPost, Pattern: base + "/publisher/v1/project/{project}/event", Scopes: auth.Record, Handler: d.createEvent},
			auth.DoorRoute{Method: http.MethodPost, Pattern: base + "/publisher/v1/project/{project}/event/bulk", Scopes: auth.Record, Handler: d.createEvents, Body: maxBody},
			auth.DoorRoute{Method: http.MethodGet, Pattern: base + "/publisher/v1/project/{project}/viewertoken", Scopes: auth.Viewer, Handler: d.createViewerToken, Params: tokenParams},
			auth.DoorRoute{Method: http.MethodPost, Pattern: base + "/publisher/v1/project/{project}/graphql", Scopes: auth.Read, Handler: d.search},
			auth.DoorRoute{Method: http.MethodGet, Pattern: base + "/publisher/v1/project/{project}/graphql", Scopes: auth.Read, Handler: d.search, Params: searchParams},
			auth.DoorRoute{Method: http.MethodPost, Pattern: base + "/publisher/v1/graphql", Scopes: auth.Read, Handler: d.search},
			auth.DoorRoute{Method: http.MethodGet, Pattern: base + "/publisher/v1/graphql", Scopes: auth.Read, Handler: d.search, Params: searchParams},
			auth.DoorRoute{Method: http.MethodPost, Pattern: base + "/viewer/v1/viewersession", Open: true, Handler: d.createSession},
			auth.DoorRoute{Method: http.MethodPost, Pattern: base + "/viewer/v1/graphql", Open: true, Handler: d.view, Params: []string{skipParam}},
			auth.DoorRoute{Method: http.MethodGet, Pattern: base + "/viewer/v1/graphql", Open: true, Handler: d.view, Params: append(slices.Clip(searchParams), skipParam)},
			auth.DoorRoute{Method: http.MethodDelete, Pattern: base + "/viewer/v1" + sessions, Scopes: auth.Viewer, Handler: d.endSessions},
		)
	}
	// Go's client leaves out the viewer. A bare /v1 is the native API.
	return append(routes, auth.DoorRoute{Method: http.MethodDelete, Pattern: bases[0] + "/v1" + sessions, Scopes: auth.Viewer, Handler: d.endSessions})
}

// Owns is part of auth.Door: the paths of Retraced, those that do not exist included. What else is below /viewer/ is the console's.
func (d *Door) Owns(path string) bool {
	return path == bases[0] || strings.HasPrefix(path, bases[0]+"/") || strings.HasPrefix(path, "/publisher/") || strings.HasPrefix(path, "/viewer/v1/")
}

//go:embed openapi.json
var openapi []byte

// OpenAPI is part of auth.Door.
func (d *Door) OpenAPI() json.RawMessage { return openapi }

// principal authenticates a request to one project.
func (d *Door) principal(r *http.Request, need auth.Scopes) (*auth.Principal, *fault) {
	if len(r.PathValue("project")) > maxProject {
		return nil, newFault(http.StatusBadRequest, "The project id is longer than 64 characters")
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, missingHeader
	}
	key, ok := keyOf(header)
	if !ok {
		return nil, badHeader
	}
	p, err := d.Auth.Principal(r.Context(), "Bearer "+key)
	if err != nil {
		return nil, credentialFault(err)
	}
	if !p.Scopes.Has(need) {
		return nil, forbidden
	}
	return p, nil
}

const maxProject = 64

// keyOf cuts the key out of an Authorization header: what follows token=, wherever that stands, or a bearer's.
func keyOf(header string) (string, bool) {
	if _, key, ok := strings.Cut(header, "token="); ok && key != "" {
		return key, true
	}
	const scheme = "bearer "
	if len(header) > len(scheme) && strings.EqualFold(header[:len(scheme)], scheme) {
		return strings.TrimLeft(header[len(scheme):], " "), true
	}
	return "", false
}
