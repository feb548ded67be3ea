package workos

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

const (
	day     = 24 * time.Hour
	maxDays = 36500
)

type retentionBody struct {
	Days *int64 `json:"retention_period_in_days"`
}

// days returns how long everything is kept that no narrower rule matches, in days, begun ones as whole; nil: for ever.
func days(r *control.Retention) *int64 {
	i := slices.IndexFunc(r.Rules, everything)
	if i < 0 {
		return nil
	}
	keep, err := daybook.ParsePeriod(r.Rules[i].Keep)
	if err != nil {
		return nil // what is stored was read before
	}
	return new(int64((keep.Duration() + day - 1) / day))
}

func everything(r control.RetentionRule) bool { return r.Match == "" || r.Match == "*" }

// getRetention is GET /organizations/{id}/audit_logs_retention.
func (d *Door) getRetention(w http.ResponseWriter, r *http.Request, _ []byte) {
	_, org, f := d.organization(r, auth.Read)
	if f != nil {
		f.send(w)
		return
	}
	v, err := d.Retentions.Get(r.Context(), org)
	if err != nil {
		unavailable().send(w)
		return
	}
	sendJSON(w, http.StatusOK, retentionBody{days(&v)})
}

// putRetention is PUT /organizations/{id}/audit_logs_retention. It stands in the log before it counts; a hold always wins.
func (d *Door) putRetention(w http.ResponseWriter, r *http.Request, body []byte) {
	principal, org, f := d.organization(r, auth.Manage)
	if f != nil {
		f.send(w)
		return
	}
	n, f := d.decodeDays(body)
	if f != nil {
		f.send(w)
		return
	}
	want, err := d.Retentions.Get(r.Context(), org)
	if err != nil {
		unavailable().send(w)
		return
	}
	keep := strconv.FormatInt(n, 10) + "d"
	want.Rules, want.UpdatedBy = slices.Clone(want.Rules), daybook.Party{Type: "api_key", ID: principal.KeyID}
	if i := slices.IndexFunc(want.Rules, everything); i >= 0 {
		want.Rules[i].Keep = keep
	} else {
		want.Rules = append(want.Rules, control.RetentionRule{Keep: keep})
	}
	_, after, err := d.Retentions.Set(r.Context(), org, want, principal.Scopes.Has(auth.Operate), func(before, after control.Retention) error { //nolint:contextcheck // within the request
		return d.did(r.Context(), r, principal, org, control.RetentionChanged(org, &before, &after))
	})
	var coded *daybook.Error
	switch {
	case err == nil:
		sendJSON(w, http.StatusOK, retentionBody{days(&after)})
	case errors.As(err, &coded) && coded.Code == daybook.CodeInvalid: // less than the floor
		f := validationFault([]fieldError{{Code: "invalid_value", Field: "retention_period_in_days"}})
		f.body.Message = "Validation failed. " + coded.Message
		f.send(w)
	default:
		unavailable().send(w)
	}
}

// periodForm is how Node 10 and later write a period: 1_MONTH to 11_MONTHS and 1_YEAR to 10_YEARS.
var periodForm = regexp.MustCompile(`^(?:(1_MONTH|(?:[2-9]|1[01])_MONTHS)|(1_YEAR|(?:[2-9]|10)_YEARS))$`)

// decodeDays reads the body of a PUT of the retention: a number of days, or a period, in which a month has 30 days and a year 365.
func (d *Door) decodeDays(body []byte) (int64, *fault) {
	const inDays, inWords = "retention_period_in_days", "retention_period"
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(body); err != nil {
		return 0, jsonFault(err)
	}
	wrong := func(code, field string) *fault { return validationFault([]fieldError{{Code: code, Field: field}}) }
	members := rawjson.Members(body)
	if v := rawjson.Find(members, inWords); v != nil && v[0] != 'n' {
		if v[0] != '"' {
			return 0, wrong("invalid_type", inWords)
		}
		text := rawjson.Text(v)
		form := periodForm.FindStringSubmatch(text)
		number, _, _ := strings.Cut(text, "_")
		n, err := strconv.ParseInt(number, 10, 64)
		switch {
		case form == nil || err != nil:
			return 0, wrong("invalid_value", inWords)
		case form[1] != "":
			return 30 * n, nil
		}
		return 365 * n, nil
	}
	v := rawjson.Find(members, inDays)
	if v == nil || v[0] == 'n' {
		return 0, wrong("required", inDays)
	}
	if v[0] != '-' && (v[0] < '0' || v[0] > '9') {
		return 0, wrong("invalid_type", inDays)
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	switch {
	case err != nil && bytes.ContainsAny(v, ".eE"):
		return 0, wrong("invalid_type", inDays)
	case err != nil || n < 1 || n > maxDays || d.Settings.OwnRetention && n != 30 && n != 365:
		return 0, wrong("invalid_value", inDays)
	}
	return n, nil
}

// configurationBody has no log_stream while there are no streams.
type configurationBody struct {
	Org   daybook.OrgID `json:"organization_id"`
	Days  int64         `json:"retention_period_in_days"` // 0: for ever
	State string        `json:"state"`
}

// getConfiguration is GET /organizations/{id}/audit_log_configuration.
func (d *Door) getConfiguration(w http.ResponseWriter, r *http.Request, _ []byte) {
	_, org, f := d.organization(r, auth.Read)
	if f != nil {
		f.send(w)
		return
	}
	v, err := d.Retentions.Get(r.Context(), org)
	var logs []daybook.LogInfo
	if err == nil {
		logs, err = d.Book.Info(r.Context(), org)
	}
	if err != nil {
		unavailable().send(w)
		return
	}
	body := configurationBody{Org: org, State: "active"}
	if n := days(&v); n != nil {
		body.Days = *n
	}
	switch {
	case logs[0].Exists && logs[0].State != daybook.LogOpen:
		body.State = "disabled"
	case logs[0].Size == 0:
		body.State = "inactive"
	}
	sendJSON(w, http.StatusOK, body)
}

// principal authenticates who may do what needs a scope.
func (d *Door) principal(r *http.Request, need auth.Scopes) (*auth.Principal, *fault) {
	principal, err := d.Auth.Principal(r.Context(), r.Header.Get("Authorization"))
	if err != nil {
		return nil, credentialFault(err)
	}
	if !principal.Scopes.Has(need) {
		return nil, forbidden()
	}
	return principal, nil
}

// organization authenticates, and takes the organization from the path.
func (d *Door) organization(r *http.Request, need auth.Scopes) (*auth.Principal, daybook.OrgID, *fault) {
	principal, f := d.principal(r, need)
	if f != nil {
		return nil, "", f
	}
	org, f := d.existing(r, principal, r.PathValue("id"))
	return principal, org, f
}

// existing returns the organization that a request names, if the principal reaches it and there is one.
func (d *Door) existing(r *http.Request, p *auth.Principal, named string) (daybook.OrgID, *fault) {
	org := daybook.OrgID(named)
	if !org.Valid() || !p.Reaches(org) || org == control.Instance {
		return "", orgNotFound(named)
	}
	if p.Org == "" {
		if exists, err := d.Orgs.Exists(r.Context(), org); err != nil {
			return "", unavailable()
		} else if !exists {
			return "", orgNotFound(named)
		}
	}
	return org, nil
}

func sendJSON(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(err) // our own structs, and JSON that was read, always encode
	}
	send(w, status, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
