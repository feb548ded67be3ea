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

// Recorder is what the door asks of a [daybook.Book].
type Recorder interface {
	RecordJSON(ctx context.Context, org daybook.OrgID, r daybook.Request) (daybook.Result, error)
}

// Settings are the operator's. The zero value is the default.
type Settings struct {
	RejectUnknownOrg bool // an organization that does not exist: 404 instead of making it
	RelaxedLimits    bool // metadata may be nested, long and of many members
	ReuseRecords     bool // a key used again for another event records it, instead of 400
	NoKeylessDedupe  bool // an equal event without a key is another event
	GuardCSV         bool // cells of a CSV that begin a formula get a quote in front, which changes them
}

// Deps is what the door stands on; all of it but Audit is needed.
type Deps struct {
	Book     Recorder
	Auth     *auth.Authenticator
	Orgs     *control.Orgs
	Repeats  *control.Repeats
	Exports  *export.Runner
	Audit    *selfaudit.Auditor // nil: exports are not recorded
	Origin   auth.Origin        // for the addresses of files
	Settings Settings
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
	}
}

// Owns is part of auth.Door: the paths of WorkOS, those that do not exist included.
func (d *Door) Owns(path string) bool {
	return strings.HasPrefix(path, "/audit_log") || strings.HasPrefix(path, "/organizations/") || strings.HasPrefix(path, "/portal/")
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
	principal, err := d.Auth.Principal(ctx, r.Header.Get("Authorization"))
	if err != nil {
		return daybook.Receipt{}, credentialFault(err)
	}
	if !principal.Scopes.Has(auth.Record) {
		return daybook.Receipt{}, forbidden()
	}
	doc := leaf.Get()
	defer leaf.Put(doc)
	in, f := decode(doc, body, d.Settings.RelaxedLimits)
	if f != nil {
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
		return daybook.Receipt{}, recordFault(err, r.Header.Get("Idempotency-Key"))
	}
	return result.Receipts[0], nil
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
