// Package tavivo is the door of ta-vivo-audit-log: its callers record into Daybook after changing the base URL, and read what they
// could not read there.
package tavivo

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
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// Book is what the door asks of a [daybook.Book].
type Book interface {
	RecordJSON(ctx context.Context, org daybook.OrgID, r daybook.Request) (daybook.Result, error)
	Search(ctx context.Context, q daybook.EventQuery) (*daybook.Page, error)
	Entry(ctx context.Context, org daybook.OrgID, id daybook.ID) (daybook.Entry, error)
	EntryAt(ctx context.Context, org daybook.OrgID, seq int64) (daybook.Entry, error)
}

// Settings are the operator's. The zero value is the default, but for Org.
type Settings struct {
	Org          daybook.OrgID // of what comes with a JSON Web Token
	NoRead       bool          // reading needs an API key
	LegacyStatus bool          // 403 and 400 where the original has them, instead of 401
	Names        Names
}

// Deps is what the door stands on; Book, Auth and Orgs are needed.
type Deps struct {
	Book     Book
	Auth     *auth.Authenticator
	Tokens   *auth.Tokens // nil: no JSON Web Token is accepted
	Orgs     *control.Orgs
	Audit    *selfaudit.Auditor // nil: who reads is not recorded
	Origin   auth.Origin        // where readers come from
	Settings Settings
}

// Door is the door. Safe for concurrent use.
type Door struct {
	Deps
	masker masker
}

var _ auth.Door = (*Door)(nil)

// New returns the door over d.
func New(d Deps) *Door { return &Door{Deps: d, masker: newMasker(d.Settings.Names)} }

// name scopes idempotency keys, so that those of other doors do not meet them.
const name = "tavivo"

// Name is part of auth.Door.
func (d *Door) Name() string { return name }

// Routes is part of auth.Door.
func (d *Door) Routes() []auth.DoorRoute {
	return []auth.DoorRoute{
		{Method: http.MethodPost, Pattern: "/logs", Scopes: auth.Record, Admit: d.admit(auth.Record), Handler: d.createLog},
		{Method: http.MethodGet, Pattern: "/logs", Scopes: auth.Read, Params: listParameters, Admit: d.admit(auth.Read), Handler: d.listLogs},
		{Method: http.MethodGet, Pattern: "/logs/{id}", Scopes: auth.Read, Params: oneParameters, Admit: d.admit(auth.Read), Handler: d.getLog},
	}
}

// Owns is part of auth.Door.
func (d *Door) Owns(path string) bool { return path == "/logs" || strings.HasPrefix(path, "/logs/") }

//go:embed openapi.json
var openapi []byte

// OpenAPI is part of auth.Door.
func (d *Door) OpenAPI() json.RawMessage { return openapi }

// caller is who asks, and for which organization.
type caller struct {
	*auth.Principal
	org   daybook.OrgID
	token *auth.Token // nil: an API key
}

type callerKey struct{}

// admit authenticates before the body is read.
func (d *Door) admit(need auth.Scopes) func(w http.ResponseWriter, r *http.Request) *http.Request {
	return func(w http.ResponseWriter, r *http.Request) *http.Request {
		c, f := d.caller(r, need)
		if f != nil {
			f.send(w)
			return nil
		}
		return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
	}
}

// callerOf is who admit has let in.
func callerOf(r *http.Request) *caller {
	c, ok := r.Context().Value(callerKey{}).(*caller)
	if !ok {
		panic("tavivo: a handler was reached without admit")
	}
	return c
}

func (d *Door) caller(r *http.Request, need auth.Scopes) (*caller, *fault) {
	text := auth.BearerToken(r.Header.Get("Authorization"))
	if text == "" {
		return nil, d.missing()
	}
	c := &caller{}
	if strings.HasPrefix(text, "dbk_") {
		p, err := d.Auth.Principal(r.Context(), "Bearer "+text)
		if err != nil {
			return nil, keyFault(err)
		}
		c.Principal = p
	} else {
		var err error
		if c.token, err = d.read(text); err != nil {
			return nil, d.invalidToken()
		}
		scopes := auth.Record | auth.Read
		if d.Settings.NoRead {
			scopes = auth.Record
		}
		c.Principal = c.token.Principal(d.Settings.Org, scopes)
	}
	if !c.Scopes.Has(need) {
		if need == auth.Read && d.findOrg(r, c) == nil {
			d.saw(r, c, selfaudit.Look{Action: logViewed, Target: daybook.Target{Type: "log", ID: string(c.org)}, What: "search", Outcome: daybook.Denied})
		}
		return nil, refuse(http.StatusForbidden, "Forbidden")
	}
	return c, d.findOrg(r, c)
}

func (d *Door) read(text string) (*auth.Token, error) {
	if d.Tokens == nil {
		return nil, auth.ErrInvalidToken
	}
	return d.Tokens.Token(text)
}

// findOrg finds the organization: that of the credential; a key for all names it in a header, or means that of the settings.
func (d *Door) findOrg(r *http.Request, c *caller) *fault {
	c.org = c.Org
	if c.org == "" {
		c.org = d.Settings.Org
	}
	if named := daybook.OrgID(r.Header.Get("Daybook-Org")); named != "" {
		c.org = named
	}
	if !c.org.Valid() || !c.Reaches(c.org) {
		return refuse(http.StatusNotFound, "Not found")
	}
	if c.Org != "" || r.Method == http.MethodPost || c.org == d.Settings.Org {
		return nil // it is there, or is made, or may not be there yet
	}
	switch exists, err := d.Orgs.Exists(r.Context(), c.org); {
	case err != nil:
		return unavailable()
	case !exists:
		return refuse(http.StatusNotFound, "Not found")
	}
	return nil
}

// createLog is POST /logs. It answers after the commit is durable, with the row as it is stored.
func (d *Door) createLog(w http.ResponseWriter, r *http.Request, body []byte) {
	row, f := d.record(r, body)
	if f != nil {
		if f.rule != "" {
			c := callerOf(r)
			d.Audit.Refused(selfaudit.Refusal{
				Org: c.org, By: c.actor(), Context: d.Origin.Context(r), Conflict: f.status == http.StatusConflict, Rule: f.rule, Events: 1,
			})
		}
		f.send(w)
		return
	}
	w.Header().Set("Location", "/logs/"+row.id())
	send(w, http.StatusCreated, row.appendJSON(nil))
}

func (d *Door) record(r *http.Request, body []byte) (*row, *fault) {
	ctx, c := r.Context(), callerOf(r)
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(body); err != nil {
		return nil, jsonFault(err)
	}
	in, errs := decode(body)
	if len(errs) > 0 {
		return nil, invalidLog(errs)
	}
	if err := d.Orgs.Ensure(ctx, c.org); err != nil {
		if errors.Is(err, control.ErrReserved) {
			return nil, refuse(http.StatusNotFound, "Not found")
		}
		return nil, unavailable()
	}
	in.masked = d.masker.value(nil, in.metaData)
	request := daybook.Request{Events: [][]byte{in.event(doc, &d.masker, c.recordedBy())}, Door: name, Key: boundedKey(r.Header.Get("Idempotency-Key"))}
	result, err := d.Book.RecordJSON(ctx, c.org, request)
	if err != nil {
		return nil, recordFault(err)
	}
	receipt := &result.Receipts[0]
	return &row{
		seq: receipt.Seq, eventID: receipt.ID, leafHash: receipt.LeafHash, at: receipt.ReceivedAt.UnixMicro(),
		userID: in.userID, action: in.action, metaData: in.masked, duplicate: &receipt.Duplicate,
	}, nil
}

// recordedBy is what the token says of who calls, as JSON; nil: nothing.
func (c *caller) recordedBy() []byte {
	if c.token == nil {
		return nil
	}
	by := struct {
		Name    string `json:"name,omitempty"`
		Subject string `json:"sub,omitempty"`
		Issuer  string `json:"iss,omitempty"`
	}{c.token.Name, c.token.Subject, c.token.Issuer}
	if by.Name == "" && by.Subject == "" && by.Issuer == "" {
		return nil
	}
	return encode(by)
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
