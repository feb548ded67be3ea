package workos

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// schemaBody is one version of a schema as the SDKs read it.
type schemaBody struct {
	Object    string                 `json:"object"`
	Version   int                    `json:"version"`
	Actor     schemaActor            `json:"actor"`
	Targets   []control.SchemaTarget `json:"targets"`
	Metadata  json.RawMessage        `json:"metadata,omitempty"`
	CreatedAt string                 `json:"created_at"`
}

// schemaActor is always there: Node reads its metadata without looking.
type schemaActor struct {
	Metadata json.RawMessage `json:"metadata"`
}

type actionBody struct {
	Object    string     `json:"object"`
	Name      string     `json:"name"`
	Schema    schemaBody `json:"schema"`
	CreatedAt string     `json:"created_at"`
	UpdatedAt string     `json:"updated_at"`
}

func showSchema(s *control.Schema) schemaBody {
	b := schemaBody{
		Object: "audit_log_schema", Version: s.Version, Actor: schemaActor{s.Actor}, Targets: s.Targets, Metadata: s.Metadata,
		CreatedAt: milliseconds(s.CreatedAt.UnixMicro()),
	}
	if b.Actor.Metadata == nil {
		b.Actor.Metadata = json.RawMessage(`{"type":"object","properties":{}}`)
	}
	if b.Targets == nil {
		b.Targets = []control.SchemaTarget{}
	}
	return b
}

// createSchema is POST /audit_logs/actions/{actionName}/schemas. With a key for all organizations the schema is shared by all that have
// none of their own for the action: WorkOS has no others.
func (d *Door) createSchema(w http.ResponseWriter, r *http.Request, body []byte) {
	principal, f := d.principal(r, auth.Manage)
	if f != nil {
		f.send(w)
		return
	}
	s, f := d.registerSchema(r, principal, body)
	if f != nil {
		f.send(w)
		return
	}
	sendJSON(w, http.StatusCreated, showSchema(s))
}

func (d *Door) registerSchema(r *http.Request, p *auth.Principal, body []byte) (*control.Schema, *fault) {
	name, ok := actionName(r)
	if !ok {
		return nil, &fault{status: http.StatusNotFound, body: faultBody{Message: "Not Found"}}
	}
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(body); err != nil {
		return nil, jsonFault(err)
	}
	parts, f := decodeSchema(rawjson.Members(body))
	if f != nil {
		return nil, f
	}
	s, _, err := d.Schemas.Register(r.Context(), control.NewSchema{
		Org: p.Org, Action: name, SchemaParts: parts, KeepSentences: true, By: daybook.Party{Type: "api_key", ID: p.KeyID},
		Before: func(ctx context.Context, was, is *control.Schema) error {
			return d.did(ctx, r, p, cmp.Or(p.Org, control.Instance), control.SchemaRegistered(was, is))
		},
	})
	if err != nil {
		return nil, schemaFault(err)
	}
	return s, nil
}

// decodeSchema reads the members of a request that is strict JSON.
func decodeSchema(members []rawjson.Member) (p control.SchemaParts, f *fault) {
	d := decoder{}
	if actor, ok := d.optionalObject(members, "actor", "actor"); ok {
		p.Actor = d.optionalSchema(actor, "metadata", "actor.metadata")
	}
	switch v := rawjson.Find(members, "targets"); {
	case v == nil, v[0] == 'n':
		d.refuse("required", "targets")
	case v[0] != '[':
		d.refuse("invalid_type", "targets")
	default:
		elements := slices.Collect(rawjson.Elements(v))
		if len(elements) == 0 {
			d.refuse("min_items", "targets")
		}
		for i, e := range elements {
			field := "targets." + strconv.Itoa(i)
			if e[0] != '{' {
				d.refuse("invalid_type", field)
				continue
			}
			var t control.SchemaTarget
			if v := d.requiredString(rawjson.Members(e), "type", field+".type"); v != nil {
				t.Type = rawjson.Text(v)
			}
			t.Metadata = d.optionalSchema(rawjson.Members(e), "metadata", field+".metadata")
			p.Targets = append(p.Targets, t)
		}
	}
	p.Metadata = d.optionalSchema(members, "metadata", "metadata")
	if len(d.missing) > 0 {
		return p, validationFault(d.missing)
	}
	return p, nil
}

// optionalObject returns the members of an object; none when it is missing or null.
func (d *decoder) optionalObject(members []rawjson.Member, name, field string) ([]rawjson.Member, bool) {
	if v := rawjson.Find(members, name); v == nil || v[0] == 'n' {
		return nil, false
	}
	return d.requiredObject(members, name, field)
}

// optionalSchema returns the text of a JSON Schema, which is kept after the call; none when it is missing or null.
func (d *decoder) optionalSchema(members []rawjson.Member, name, field string) json.RawMessage {
	v := rawjson.Find(members, name)
	switch {
	case v == nil, v[0] == 'n':
		return nil
	case v[0] != '{':
		d.refuse("invalid_type", field)
		return nil
	}
	return slices.Clone(v)
}

// schemaFault translates what control refused.
func schemaFault(err error) *fault {
	var e *daybook.Error
	if !errors.As(err, &e) {
		return unavailable()
	}
	switch e.Code { //nolint:exhaustive // every other one is a passing failure
	case daybook.CodeTooLarge:
		return tooLarge()
	case daybook.CodeInvalid:
		field := strings.ReplaceAll(strings.TrimPrefix(e.Field, "/"), "/", ".")
		code := "invalid_value"
		if e.Rule == "invalid_schema" || e.Rule == "required" {
			code = e.Rule
		}
		f := validationFault([]fieldError{{Code: code, Field: field}})
		f.body.Message = "Validation failed. " + field + ": " + e.Message
		return f
	}
	return unavailable()
}

// listSchemas is GET /audit_logs/actions/{actionName}/schemas.
func (d *Door) listSchemas(w http.ResponseWriter, r *http.Request, _ []byte) {
	const prefix = "als_"
	principal, f := d.principal(r, auth.Read)
	if f != nil {
		f.send(w)
		return
	}
	name, ok := actionName(r)
	if !ok {
		(&fault{status: http.StatusNotFound, body: faultBody{Message: "Not Found"}}).send(w)
		return
	}
	a, err := d.Schemas.Action(r.Context(), principal.Org, name)
	if err != nil {
		actionNotFound(name).send(w)
		return
	}
	all := slices.Clone(a.Schemas)
	slices.Reverse(all)
	sendList(w, r, prefix, all, func(s *control.Schema) string { return strconv.Itoa(s.Version) }, showSchema)
}

// listActions is GET /audit_logs/actions.
func (d *Door) listActions(w http.ResponseWriter, r *http.Request, _ []byte) {
	const prefix = "ala_"
	principal, f := d.principal(r, auth.Read)
	if f != nil {
		f.send(w)
		return
	}
	all := d.Schemas.Actions(r.Context(), principal.Org)
	slices.SortStableFunc(all, func(a, b *control.Action) int { return b.Schemas[0].CreatedAt.Compare(a.Schemas[0].CreatedAt) })
	sendList(w, r, prefix, all, func(a *control.Action) string { return a.Name }, func(a *control.Action) actionBody {
		return actionBody{
			Object: "audit_log_action", Name: a.Name, Schema: showSchema(a.Newest()),
			CreatedAt: milliseconds(a.Schemas[0].CreatedAt.UnixMicro()), UpdatedAt: milliseconds(a.Newest().CreatedAt.UnixMicro()),
		}
	})
}

// sendList answers with the page of all, newest first, that the request asks for.
func sendList[T, B any](w http.ResponseWriter, r *http.Request, prefix string, all []T, name func(T) string, show func(T) B) {
	q, f := readList(r, prefix)
	var part []T
	body := listBody{Object: "list"}
	if f == nil {
		part, body.Metadata, f = page(all, q, prefix, name)
	}
	if f != nil {
		f.send(w)
		return
	}
	data := make([]B, len(part))
	for i, v := range part {
		data[i] = show(v)
	}
	body.Data = data
	sendJSON(w, http.StatusOK, body)
}

// actionName is the name of the action in the path: Go, Python, Ruby and Node 11 write its slashes as %2F, the older Nodes as they are.
func actionName(r *http.Request) (string, bool) {
	const prefix, suffix = "/audit_logs/actions/", "/schemas"
	raw := r.URL.EscapedPath()
	if !strings.HasPrefix(raw, prefix) || !strings.HasSuffix(raw, suffix) || len(raw) < len(prefix)+len(suffix) {
		return "", false
	}
	name, err := url.PathUnescape(raw[len(prefix) : len(raw)-len(suffix)])
	return name, err == nil && name != ""
}

func actionNotFound(name string) *fault {
	const most = 128
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return &fault{status: http.StatusNotFound, body: faultBody{Message: fmt.Sprintf("Audit Log Action not found: '%s'.", name)}}
}
