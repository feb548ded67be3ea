package workos

import (
	"context"
	"net/http"
	"net/mail"
	"net/url"
	"strconv"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// linkRequest asks for a link to the portal.
type linkRequest struct {
	org       string
	returnURL string
}

const maxContacts = 20

// generateLink is POST /portal/generate_link.
func (d *Door) generateLink(w http.ResponseWriter, r *http.Request, body []byte) {
	principal, f := d.principal(r, auth.Manage)
	if f != nil {
		f.send(w)
		return
	}
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(body); err != nil {
		jsonFault(err).send(w)
		return
	}
	in, f := decodeLink(rawjson.Members(body))
	if f != nil {
		f.send(w)
		return
	}
	org, f := d.existing(r, principal, in.org)
	if f != nil {
		f.send(w)
		return
	}
	secret, err := d.Portal.CreateLink(r.Context(), control.PortalLink{Org: org, KeyID: principal.KeyID, Key: principal.Key.Hash.String(), ReturnURL: in.returnURL})
	if err != nil {
		unavailable().send(w)
		return
	}
	sendJSON(w, http.StatusCreated, map[string]string{"link": d.Origin.URL(r) + "/portal?token=" + secret})
}

// decodeLink reads the members of a request that is strict JSON. What nobody is told of, such as the contacts, is checked and dropped.
func decodeLink(members []rawjson.Member) (in linkRequest, f *fault) {
	d := decoder{}
	if v := d.requiredString(members, "organization", "organization"); v != nil {
		in.org = rawjson.Text(v)
	}
	if v := d.optionalString(members, "intent", "intent"); v != nil && rawjson.Text(v) != "audit_logs" {
		d.refuse("unsupported_intent", "intent")
	}
	in.returnURL = d.address(members, "return_url")
	d.address(members, "success_url")
	contacts := d.strings(members, "it_contact_emails")
	if len(contacts) > maxContacts {
		d.refuse("invalid_value", "it_contact_emails")
	}
	for i, c := range contacts[:min(len(contacts), maxContacts)] {
		if a, err := mail.ParseAddress(c); err != nil || a.Address != c {
			d.refuse("invalid_format", "it_contact_emails."+strconv.Itoa(i))
		}
	}
	if len(d.missing) > 0 {
		return in, validationFault(d.missing)
	}
	return in, nil
}

// address returns an absolute http or https URL; empty when it is missing, null or empty.
func (d *decoder) address(members []rawjson.Member, name string) string {
	v := d.optionalString(members, name, name)
	if v == nil {
		return ""
	}
	text := rawjson.Text(v)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		d.refuse("invalid_format", name)
		return ""
	}
	return text
}

// did records an act of the principal before it happens.
func (d *Door) did(ctx context.Context, r *http.Request, p *auth.Principal, org daybook.OrgID, e daybook.Event) error {
	e.Actor, e.Context = daybook.Actor{Type: "api_key", ID: p.KeyID, Name: p.Key.Name}, d.Origin.Context(r)
	return d.Audit.Did(ctx, org, e)
}
