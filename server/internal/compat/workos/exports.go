package workos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
)

// exportBody is an export as the SDKs read it.
type exportBody struct {
	Object    string  `json:"object"`
	ID        string  `json:"id"`
	State     string  `json:"state"`
	URL       *string `json:"url"`
	CreatedAt string  `json:"created_at"`
	UpdatedAt string  `json:"updated_at"`
}

// exportStates are the four that WorkOS knows.
var exportStates = map[string]string{
	control.ExportPending: "pending", control.ExportRunning: "pending", control.ExportReady: "ready", control.ExportExpired: "expired",
	control.ExportFailed: "error", control.ExportCancelled: "error",
}

func (d *Door) sendExport(w http.ResponseWriter, r *http.Request, status int, x *control.Export) {
	body := exportBody{
		Object: "audit_log_export", ID: x.ID, State: exportStates[x.State], CreatedAt: milliseconds(x.CreatedAt),
		UpdatedAt: milliseconds(max(x.CreatedAt, x.StartedAt, x.FinishedAt)),
	}
	if x.State == control.ExportReady {
		query, _ := d.Exports.Link(x.ID)
		url := d.Origin.URL(r) + "/audit_logs/exports/" + x.ID + "/file.csv?" + query
		body.URL = &url
	}
	sendJSON(w, status, body)
}

func milliseconds(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000Z")
}

// createExport is POST /audit_logs/exports.
func (d *Door) createExport(w http.ResponseWriter, r *http.Request, body []byte) {
	principal, f := d.principal(r, auth.Export)
	if f != nil {
		f.send(w)
		return
	}
	x, f := d.beginExport(r, principal, body)
	if f != nil {
		f.send(w)
		return
	}
	d.sendExport(w, r, http.StatusCreated, &x)
}

func (d *Door) beginExport(r *http.Request, p *auth.Principal, body []byte) (control.Export, *fault) {
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(body); err != nil {
		return control.Export{}, jsonFault(err)
	}
	in, f := decodeExport(rawjson.Members(body))
	if f != nil {
		return control.Export{}, f
	}
	org, f := d.existing(r, p, in.org)
	if f != nil {
		return control.Export{}, f
	}
	if in.badRange || !in.start.Before(in.end) {
		return control.Export{}, &fault{status: http.StatusBadRequest, body: faultBody{
			Message: "Invalid date range", Code: "invalid_audit_log_export_range_date",
			Errors: []placeError{{InstancePath: "/range_start", Message: "must be before range_end"}},
		}}
	}
	x, err := d.Exports.Create(r.Context(), export.Request{Export: control.Export{
		Org: org, Format: export.WorkOS, Door: Name, Raw: !d.Settings.GuardCSV, By: p.KeyID, Query: in.query(),
		From: in.start.UnixMicro(), To: cmp.Or(in.end.UnixMicro(), -1), // 0 would be open; there is nothing before 1970
	}, Before: func(ctx context.Context, x control.Export) error {
		return d.did(ctx, r, p, x.Org, export.Act(export.ActCreated, &x))
	}})
	var coded *daybook.Error
	switch {
	case err == nil:
		return x, nil
	case errors.As(err, &coded) && coded.Code == daybook.CodeInvalid:
		return x, validationFault([]fieldError{{Code: "invalid_value", Field: "actions"}}) // more names than a query holds
	}
	return x, unavailable()
}

// exportRequest is what an export asks for.
type exportRequest struct {
	badRange                               bool // a bound is no time
	org                                    string
	start, end                             time.Time
	actions, actorNames, actorIDs, targets []string
}

// query says it in our own language. What the log says of itself is not in WorkOS.
func (in *exportRequest) query() string {
	parts := []string{"-is:control"}
	for _, c := range []struct {
		field  string
		values []string
	}{{"action", in.actions}, {"actor.name", in.actorNames}, {"actor.id", in.actorIDs}, {"target.type", in.targets}} {
		if len(c.values) == 0 {
			continue
		}
		quoted := make([]string, len(c.values))
		for i, v := range c.values {
			quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
		}
		parts = append(parts, c.field+":"+strings.Join(quoted, ","))
	}
	return strings.Join(parts, " ")
}

// decodeExport reads the members of a request that is strict JSON.
func decodeExport(members []rawjson.Member) (in exportRequest, f *fault) {
	d := decoder{}
	if v := d.requiredString(members, "organization_id", "organization_id"); v != nil {
		in.org = rawjson.Text(v)
	}
	in.start, in.end = in.moment(&d, members, "range_start"), in.moment(&d, members, "range_end")
	in.actions = d.strings(members, "actions")
	in.actorNames = append(d.strings(members, "actor_names"), d.strings(members, "actors")...)
	in.actorIDs = d.strings(members, "actor_ids")
	in.targets = d.strings(members, "targets")
	if len(d.missing) > 0 {
		return in, validationFault(d.missing)
	}
	return in, nil
}

func (in *exportRequest) moment(d *decoder, members []rawjson.Member, name string) time.Time {
	v := d.requiredString(members, name, name)
	if v == nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, strings.ToUpper(rawjson.Text(v)))
	in.badRange = in.badRange || err != nil
	return t
}

// strings returns a list of strings; none when it is missing, null or empty.
func (d *decoder) strings(members []rawjson.Member, name string) []string {
	v := rawjson.Find(members, name)
	if v == nil || v[0] == 'n' {
		return nil
	}
	if v[0] != '[' {
		d.refuse("invalid_type", name)
		return nil
	}
	var list []string
	for i, e := range slices.Collect(rawjson.Elements(v)) {
		if e[0] != '"' {
			d.refuse("invalid_type", name+"."+strconv.Itoa(i))
			return nil
		}
		list = append(list, rawjson.Text(e))
	}
	return list
}

// getExport is GET /audit_logs/exports/{id}.
func (d *Door) getExport(w http.ResponseWriter, r *http.Request, _ []byte) {
	principal, f := d.principal(r, auth.Export)
	if f != nil {
		f.send(w)
		return
	}
	id := r.PathValue("id")
	x, err := d.Exports.Find(r.Context(), id)
	switch {
	case errors.Is(err, control.ErrNotFound) || err == nil && (x.Door != Name || !principal.Reaches(x.Org)):
		exportNotFound(id).send(w)
	case err != nil:
		unavailable().send(w)
	default:
		d.sendExport(w, r, http.StatusOK, &x)
	}
}

// getExportFile is the address of a file: it needs no key.
func (d *Door) getExportFile(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, q := r.PathValue("id"), r.URL.Query()
	err := d.Exports.CheckLink(id, q.Get("exp"), q.Get("sig"))
	if err == nil {
		var x control.Export
		if x, err = d.Exports.Find(r.Context(), id); err == nil {
			err = d.Exports.Serve(w, r, &x)
			if err == nil && r.Method == http.MethodGet {
				d.Audit.Saw(export.Download(&x, d.Origin.Context(r)))
			}
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, export.ErrLinkExpired):
		(&fault{status: http.StatusGone, body: faultBody{Message: "This export link has expired."}}).send(w)
	case errors.Is(err, export.ErrLinkInvalid):
		(&fault{status: http.StatusForbidden, body: faultBody{Message: "This export link is not valid."}}).send(w)
	case errors.Is(err, export.ErrRange):
		(&fault{status: http.StatusRequestedRangeNotSatisfiable, body: faultBody{Message: "Range Not Satisfiable"}}).send(w)
	case errors.Is(err, control.ErrNotFound):
		exportNotFound(id).send(w)
	default:
		unavailable().send(w)
	}
}

func exportNotFound(id string) *fault {
	const most = 64
	if len(id) > most {
		id = strings.ToValidUTF8(id[:most], "") + "…"
	}
	return &fault{status: http.StatusNotFound, body: faultBody{Message: fmt.Sprintf("Audit Log Export not found: '%s'.", id)}}
}
