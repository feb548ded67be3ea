// Package workos is the door of WorkOS Audit Logs: an application that uses an official WorkOS SDK records into Daybook after changing
// the base URL and the key.
package workos

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// Book is what the door asks of a [daybook.Book].
type Book interface {
	RecordJSON(ctx context.Context, org daybook.OrgID, r daybook.Request) (daybook.Result, error)
	Search(ctx context.Context, q daybook.EventQuery) (*daybook.Page, error)
	Info(ctx context.Context, orgs ...daybook.OrgID) ([]daybook.LogInfo, error)
}

// Settings are the operator's. The zero value is the default.
type Settings struct {
	RejectUnknownOrg bool // an organization that does not exist: 404 instead of making it
	RelaxedLimits    bool // metadata may be nested, long and of many members
	ReuseRecords     bool // a key used again for another event records it, instead of 400
	NoKeylessDedupe  bool // an equal event without a key is another event
	OwnRetention     bool // 30 and 365 days are the only retention that it takes, as WorkOS
	GuardCSV         bool // cells of a CSV that begin a formula get a quote in front, which changes them
}

// Deps is what the door stands on; all of it but Audit is needed.
type Deps struct {
	Book       Book
	Auth       *auth.Authenticator
	Orgs       *control.Orgs
	Repeats    *control.Repeats
	Exports    *export.Runner
	Schemas    *control.Schemas
	Retentions *control.Retentions
	Portal     *control.Portal
	Audit      *selfaudit.Auditor // nil: what is done is not recorded
	Origin     auth.Origin        // for the addresses of files
	Settings   Settings
}

// Door is the door. Safe for concurrent use.
type Door struct{ Deps }

var _ auth.Door = (*Door)(nil)

// New returns the door over d.
func New(d Deps) *Door { return &Door{d} }

// Name is the door's: it scopes idempotency keys, so that those of other doors do not meet them, and finds the rules of its schemas.
const Name = "workos"

// Name is part of auth.Door.
func (d *Door) Name() string { return Name }

// Routes is part of auth.Door.
func (d *Door) Routes() []auth.DoorRoute {
	return []auth.DoorRoute{
		{Method: http.MethodPost, Pattern: "/audit_logs/events", Scopes: auth.Record, Handler: d.createEvent},
		{Method: http.MethodPost, Pattern: "/audit_logs/exports", Scopes: auth.Export, Handler: d.createExport},
		{Method: http.MethodGet, Pattern: "/audit_logs/exports/{id}", Scopes: auth.Export, Handler: d.getExport},
		{Method: http.MethodGet, Pattern: "/audit_logs/exports/{id}/file.csv", Open: true, Handler: d.getExportFile},
		{Method: http.MethodGet, Pattern: "/audit_logs/actions", Scopes: auth.Read, Handler: d.listActions},
		{Method: http.MethodPost, Pattern: "/audit_logs/actions/{actionName}/schemas", Scopes: auth.Manage, Handler: d.createSchema},
		{Method: http.MethodGet, Pattern: "/audit_logs/actions/{actionName}/schemas", Scopes: auth.Read, Handler: d.listSchemas},
		{Method: http.MethodPost, Pattern: "/audit_logs/actions/{path...}", Scopes: auth.Manage, Handler: d.createSchema},
		{Method: http.MethodGet, Pattern: "/audit_logs/actions/{path...}", Scopes: auth.Read, Handler: d.listSchemas},
		{Method: http.MethodGet, Pattern: "/organizations/{id}/audit_logs_retention", Scopes: auth.Read, Handler: d.getRetention},
		{Method: http.MethodPut, Pattern: "/organizations/{id}/audit_logs_retention", Scopes: auth.Manage, Handler: d.putRetention},
		{Method: http.MethodGet, Pattern: "/organizations/{id}/audit_log_configuration", Scopes: auth.Read, Handler: d.getConfiguration},
		{Method: http.MethodPost, Pattern: "/portal/generate_link", Scopes: auth.Manage, Handler: d.generateLink},
		{Method: http.MethodGet, Pattern: "/portal", Open: true, Handler: d.askToOpen},
		{Method: http.MethodPost, Pattern: "/portal", Open: true, Handler: d.openPortal},
		{Method: http.MethodGet, Pattern: "/portal/events", Open: true, Handler: d.portalEvents},
		{Method: http.MethodPost, Pattern: "/portal/exports", Open: true, Handler: d.portalExport},
		{Method: http.MethodGet, Pattern: "/portal/exports/{id}", Open: true, Handler: d.portalFile},
	}
}

// Owns is part of auth.Door: the paths of WorkOS, those that do not exist included.
func (d *Door) Owns(path string) bool {
	return strings.HasPrefix(path, "/audit_log") || strings.HasPrefix(path, "/organizations/") || path == "/portal" || strings.HasPrefix(path, "/portal/")
}

//go:embed openapi.json
var openapi []byte

// OpenAPI is part of auth.Door.
func (d *Door) OpenAPI() json.RawMessage { return openapi }

// createEvent is POST /audit_logs/events. It answers after the commit is durable.
func (d *Door) createEvent(w http.ResponseWriter, r *http.Request, body []byte) {
	receipt, f := d.record(r, body)
	if f != nil {
		f.send(w)
		return
	}
	sendRecorded(w, &receipt)
}

func (d *Door) record(r *http.Request, body []byte) (daybook.Receipt, *fault) {
	ctx := r.Context()
	principal, f := d.principal(r, auth.Record)
	if f != nil {
		return daybook.Receipt{}, f
	}
	doc := leaf.Get()
	defer leaf.Put(doc)
	in, f := decode(doc, body, d.Settings.RelaxedLimits)
	if f != nil {
		if _, missing := d.existing(r, principal, in.org); missing == nil {
			d.refused(r, principal, in.org, f.rule(), false)
		}
		return daybook.Receipt{}, f
	}
	if f := d.admit(ctx, principal, in.org); f != nil {
		return daybook.Receipt{}, f
	}
	request := daybook.Request{Events: [][]byte{in.event}, Door: Name, Key: boundedKey(r.Header.Get("Idempotency-Key"))}
	if !d.Settings.NoKeylessDedupe {
		// The same fields give the same root whatever their order, white space and escapes; numbers count as they are written.
		fingerprint := doc.Root(&[16]byte{})
		store, known, err := d.Repeats.Hashes(ctx, Name, fingerprint[:])
		if err != nil {
			return daybook.Receipt{}, unavailable()
		}
		request.Repeat, request.Repeats = store, known
	}
	result, err := d.Book.RecordJSON(ctx, daybook.OrgID(in.org), request)
	var coded *daybook.Error
	if d.Settings.ReuseRecords && errors.As(err, &coded) && coded.Rule == "key_conflict" {
		result, err = d.Book.RecordJSON(ctx, daybook.OrgID(in.org), daybook.Request{Events: request.Events, Door: Name})
	}
	if err != nil {
		if errors.As(err, &coded) && (coded.Code == daybook.CodeInvalid || coded.Code == daybook.CodeTooLarge || coded.Code == daybook.CodeConflict) {
			d.refused(r, principal, in.org, coded.RuleName(), coded.Code == daybook.CodeConflict)
		}
		return daybook.Receipt{}, recordFault(err, r.Header.Get("Idempotency-Key"))
	}
	return result.Receipts[0], nil
}

// refused notes in the log of org that it did not take an event; its body is not in the note.
func (d *Door) refused(r *http.Request, p *auth.Principal, org, rule string, conflict bool) {
	d.Audit.Refused(selfaudit.Refusal{
		Org: daybook.OrgID(org), By: daybook.Actor{Type: "api_key", ID: p.KeyID, Name: p.Key.Name}, Context: d.Origin.Context(r), Conflict: conflict, Rule: rule, Events: 1,
	})
}

// admit checks that the caller may record for org, and makes it when that is the setting.
func (d *Door) admit(ctx context.Context, p *auth.Principal, org string) *fault {
	id := daybook.OrgID(org)
	if !id.Valid() || !p.Reaches(id) || id == control.Instance {
		return orgNotFound(org)
	}
	if d.Settings.RejectUnknownOrg && p.Org == "" {
		switch exists, err := d.Orgs.Exists(ctx, id); {
		case err != nil:
			return unavailable()
		case !exists:
			return orgNotFound(org)
		}
		return nil
	}
	if err := d.Orgs.Ensure(ctx, id); err != nil {
		return unavailable()
	}
	return nil
}

// boundedKey is the key, or a hash of one that is longer than the log takes.
func boundedKey(key string) string {
	const most = 255
	if len(key) <= most {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}
