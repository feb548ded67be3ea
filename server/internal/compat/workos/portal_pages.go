package workos

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// The portal is what a generated link opens: pages without a script, for one organization, to look at its log, to filter it and to take a
// copy. A link is used up by a button and not by being fetched, because mail programs and chats fetch every address that they see.

var (
	//go:embed portal.css
	portalCSS string
	//go:embed portal.html
	portalHTML string

	portalPages = template.Must(template.New("portal").Funcs(template.FuncMap{"visible": visible, "style": func() template.CSS {
		return template.CSS(portalCSS) //nolint:gosec // our own, whose hash is in the policy
	}}).Parse(portalHTML))
	portalPolicy = "default-src 'none'; style-src 'sha256-" + styleHash() + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func styleHash() string {
	sum := sha256.Sum256([]byte(portalCSS))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// portalPage is what a page shows.
type portalPage struct {
	Title string
	Org   daybook.OrgID
	Back  string // where the visitor came from

	Token string // of a link to be opened

	Query, From, To string
	Problem         string // what is wrong with the question
	Rows            []portalRow
	Next            string // address of the next page
	Searched        string

	Export *control.Export
	File   string // address of its file
	Again  bool   // the page is to be fetched again soon
}

// portalRow is one entry.
type portalRow struct {
	When, Actor, Action, Targets, Outcome, JSON string
}

func (d *Door) sendPage(w http.ResponseWriter, status int, name string, p *portalPage) {
	var b bytes.Buffer
	if err := portalPages.ExecuteTemplate(&b, name, p); err != nil {
		unavailable().send(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", portalPolicy)
	h.Set("Referrer-Policy", "no-referrer") // the address of the first page holds what opens the portal
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if p.Again {
		h.Set("Refresh", "2")
	}
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // who is gone asks again
}

// closed says that a link or a session does not hold, in the same words whatever the reason.
func (d *Door) closed(w http.ResponseWriter, err error) {
	if !errors.Is(err, control.ErrNotFound) {
		unavailable().send(w)
		return
	}
	d.sendPage(w, http.StatusGone, "closed", &portalPage{Title: "This link does not open anything any more"})
}

// askToOpen is GET /portal: it shows what a link would open, and opens nothing.
func (d *Door) askToOpen(w http.ResponseWriter, r *http.Request, _ []byte) {
	token := r.URL.Query().Get("token")
	l, err := d.Portal.Link(r.Context(), token)
	if err != nil {
		d.closed(w, err)
		return
	}
	d.sendPage(w, http.StatusOK, "ask", &portalPage{Title: "Audit log of " + string(l.Org), Org: l.Org, Token: token, Back: l.ReturnURL})
}

// openPortal is POST /portal: it uses a link up and opens a session.
func (d *Door) openPortal(w http.ResponseWriter, r *http.Request, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		form = nil
	}
	cookie, _, err := d.Portal.Open(r.Context(), form.Get("token"), func(ctx context.Context, s control.PortalSession) error {
		e := daybook.Event{Action: "daybook.portal.opened", Actor: visitor(&s), Targets: []daybook.Target{{Type: "log", ID: string(s.Org)}}, Context: d.Origin.Context(r)}
		return d.Audit.Did(ctx, s.Org, e)
	})
	if err != nil {
		d.closed(w, err)
		return
	}
	secure := strings.HasPrefix(d.Origin.URL(r), "https:")
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure but over plain HTTP, which takes no such cookie
		Name: cookieName(secure), Value: cookie, Path: "/", Secure: secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		MaxAge: int(control.PortalSessionFor / time.Second),
	})
	w.Header().Set("Location", "/portal/events")
	w.WriteHeader(http.StatusSeeOther)
}

// cookieName is that of the cookie of a session; over plain HTTP a browser takes no __Host- cookie.
func cookieName(secure bool) string {
	if secure {
		return "__Host-daybook-portal"
	}
	return "daybook-portal"
}

// session returns the session of a request. The cookie comes with requests from our own pages alone.
func (d *Door) session(r *http.Request) (control.PortalSession, error) {
	c, err := r.Cookie(cookieName(strings.HasPrefix(d.Origin.URL(r), "https:")))
	if err != nil {
		return control.PortalSession{}, control.ErrNotFound
	}
	return d.Portal.Session(r.Context(), c.Value)
}

// visitor is who looks: nobody whom the log knows, let in by a key.
func visitor(s *control.PortalSession) daybook.Actor {
	return daybook.Actor{Type: "portal", ID: s.ID, Via: []daybook.Actor{{Type: "api_key", ID: s.KeyID}}}
}

const portalRows = 50

// portalEvents is GET /portal/events: the log, newest first.
func (d *Door) portalEvents(w http.ResponseWriter, r *http.Request, _ []byte) {
	s, err := d.session(r)
	if err != nil {
		d.closed(w, err)
		return
	}
	q := r.URL.Query()
	page := portalPage{Title: "Audit log of " + string(s.Org), Org: s.Org, Back: s.ReturnURL, Query: q.Get("q"), From: q.Get("from"), To: q.Get("to")}
	found, err := d.Book.Search(r.Context(), daybook.EventQuery{
		Org: s.Org, Text: page.Query, FromText: page.From, ToText: page.To, Limit: portalRows, Cursor: q.Get("cursor"), Order: daybook.OrderOccurred,
	})
	var coded *daybook.Error
	switch {
	case errors.As(err, &coded) && coded.Code == daybook.CodeInvalid:
		page.Problem = coded.Message
		d.sendPage(w, http.StatusBadRequest, "events", &page)
		return
	case err != nil && daybook.CodeOf(err) != daybook.CodeNotFound: // without a log there is nothing to show
		unavailable().send(w)
		return
	case err == nil:
		page.fill(found)
		d.Audit.Saw(d.look(r, &s, found))
	}
	d.sendPage(w, http.StatusOK, "events", &page)
}

// fill puts what was found into the page.
func (p *portalPage) fill(found *daybook.Page) {
	for i := range found.Entries {
		p.Rows = append(p.Rows, rowOf(&found.Entries[i]))
	}
	if found.NextCursor != "" {
		p.Next = "/portal/events?" + url.Values{"q": {p.Query}, "from": {p.From}, "to": {p.To}, "cursor": {found.NextCursor}}.Encode()
	}
	if sd := found.Searched; !sd.Complete {
		p.Searched = fmt.Sprintf("%d of %d days were searched (%s): go on to the next p.", sd.Days, sd.OfDays, sd.Reason)
	}
}

func rowOf(e *daybook.Entry) portalRow {
	text := e.AppendJSON(nil)
	row := portalRow{When: moment(time.UnixMicro(e.ReceivedAt)), Action: "(removed: " + e.Removed.String() + ")"}
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") == nil {
		row.JSON = b.String()
	}
	if e.Removed != daybook.NotRemoved {
		return row
	}
	ev, err := e.Event()
	if err != nil {
		return row // its JSON is there
	}
	row.When, row.Action, row.Outcome = moment(ev.OccurredAt), ev.Action, string(ev.Outcome)
	if row.Outcome == "" {
		row.Outcome = string(daybook.Success)
	}
	row.Actor = nameOf(ev.Actor.Name, ev.Actor.Type, ev.Actor.ID)
	if len(ev.Actor.Via) > 0 {
		v := ev.Actor.Via[0]
		row.Actor += " via " + nameOf(v.Name, v.Type, v.ID)
	}
	names := make([]string, 0, len(ev.Targets))
	for _, t := range ev.Targets {
		names = append(names, nameOf(t.Name, t.Type, t.ID))
	}
	row.Targets = strings.Join(names, ", ")
	return row
}

func nameOf(name, kind, id string) string {
	if name != "" {
		return name
	}
	return kind + ":" + id
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// look is what a visitor saw.
func (d *Door) look(r *http.Request, s *control.PortalSession, found *daybook.Page) selfaudit.Look {
	l := selfaudit.Look{
		Org: s.Org, Action: "daybook.log.viewed", By: visitor(s), Target: daybook.Target{Type: "log", ID: string(s.Org)}, Context: d.Origin.Context(r),
		Outcome: daybook.Success, What: "search", Query: found.Query, From: found.From, To: found.To,
	}
	for i := range found.Entries {
		seq := found.Entries[i].Seq
		if i == 0 {
			l.First, l.Last = seq, seq
		}
		l.First, l.Last, l.Rows = min(l.First, seq), max(l.Last, seq), l.Rows+1
	}
	return l
}

// portalExport is POST /portal/exports: a copy of what the page before asked for.
func (d *Door) portalExport(w http.ResponseWriter, r *http.Request, body []byte) {
	s, err := d.session(r)
	if err != nil {
		d.closed(w, err)
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		form = nil
	}
	query := "-is:control"
	if q := strings.TrimSpace(form.Get("q")); q != "" {
		query = "(" + q + ") " + query
	}
	x, err := d.Exports.Create(r.Context(), export.Request{
		Export:   control.Export{Org: s.Org, Format: export.WorkOS, Door: Name, By: s.KeyID, Query: query},
		FromText: form.Get("from"), ToText: form.Get("to"),
		Before: func(ctx context.Context, x control.Export) error {
			e := export.Act(export.ActCreated, &x)
			e.Actor, e.Context = visitor(&s), d.Origin.Context(r)
			return d.Audit.Did(ctx, x.Org, e)
		},
	})
	var coded *daybook.Error
	switch {
	case err == nil:
		w.Header().Set("Location", "/portal/exports/"+x.ID)
		w.WriteHeader(http.StatusSeeOther)
	case errors.As(err, &coded) && (coded.Code == daybook.CodeInvalid || coded.Code == daybook.CodeConflict):
		d.sendPage(w, http.StatusBadRequest, "events", &portalPage{
			Title: "Audit log of " + string(s.Org), Org: s.Org, Back: s.ReturnURL, Query: form.Get("q"), From: form.Get("from"), To: form.Get("to"), Problem: coded.Message,
		})
	default:
		unavailable().send(w)
	}
}

// portalFile is GET /portal/exports/{id}: how far a copy is, and where its file is.
func (d *Door) portalFile(w http.ResponseWriter, r *http.Request, _ []byte) {
	s, err := d.session(r)
	if err != nil {
		d.closed(w, err)
		return
	}
	x, err := d.Exports.Find(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, control.ErrNotFound) || err == nil && (x.Door != Name || x.Org != s.Org):
		d.sendPage(w, http.StatusNotFound, "closed", &portalPage{Title: "There is no such copy"})
		return
	case err != nil:
		unavailable().send(w)
		return
	}
	page := portalPage{Title: "Copy of the audit log of " + string(s.Org), Org: s.Org, Back: s.ReturnURL, Export: &x, Again: !x.Finished()}
	if x.State == control.ExportReady {
		query, _ := d.Exports.Link(x.ID)
		page.File = "/audit_logs/exports/" + x.ID + "/file.csv?" + query
	}
	d.sendPage(w, http.StatusOK, "export", &page)
}

// visible shows characters that cannot be seen, or that turn a text around, as what they are.
func visible(s string) string {
	hidden := func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' || r == '\u2028' || r == '\u2029'
	}
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
