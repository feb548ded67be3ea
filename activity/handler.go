package activity

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/daybook-audit/daybook"
)

// Bounds of the routes.
const (
	maxOffset    = 10_000
	maxDashboard = 100
	maxBody      = 64 << 10
)

// Handler serves the five routes, relative to /api/audit: GET /activity, GET /subjects/{type}/{id}, GET /versions/{type}/{id},
// POST /versions/{id}/restore, GET /dashboard. It has no authentication of its own: mount it behind the application's.
//
//	mux.Handle("/api/audit/", http.StripPrefix("/api/audit", requireLogin(a.Handler())))
//
// The org is that of the request's context, else the Clerk's. Parameters and answers: docs/guides/move-from-togo.md.
func (a *Activity) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(w http.ResponseWriter, r *http.Request) error{
		"GET /activity": a.getActivity, "GET /subjects/{type}/{id}": a.getSubject, "GET /versions/{type}/{id}": a.getVersions,
		"POST /versions/{id}/restore": a.postRestore, "GET /dashboard": a.getDashboard,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := serve(w, r); err != nil {
				fail(w, err)
			}
		})
	}
	for pattern, allow := range map[string]string{
		"/activity": http.MethodGet, "/subjects/{type}/{id}": http.MethodGet, "/versions/{type}/{id}": http.MethodGet, "/dashboard": http.MethodGet,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if isRestore(r) {
				refuseMethod(w, http.MethodPost)
				return
			}
			refuseMethod(w, allow)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		sendError(w, http.StatusNotFound, fault{Error: "not found"})
	})
	return mux
}

// isRestore reports whether the path of a route with {type} and {id} is that of a restore.
func isRestore(r *http.Request) bool {
	_, err := daybook.ParseID(r.PathValue("type"))
	return err == nil && r.PathValue("id") == "restore"
}

func refuseMethod(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	sendError(w, http.StatusMethodNotAllowed, fault{Error: "method not allowed"})
}

// getActivity is GET /activity.
func (a *Activity) getActivity(w http.ResponseWriter, r *http.Request) error {
	p := params{values: r.URL.Query()}
	l := list{
		org: a.clerk.Org(r.Context()), subjectType: p.text("subject_type"), subjectID: p.text("subject_id"), causer: p.text("causer_id"),
		action: p.text("action"), text: p.text("q"), from: p.time("from"), to: p.time("to"),
	}
	p.page(&l)
	l.asc = p.oneOf("order", "desc", "asc") == "asc"
	return a.sendList(w, r, &p, l)
}

// getSubject is GET /subjects/{type}/{id}: every entry in which the thing is any of the targets, oldest first.
func (a *Activity) getSubject(w http.ResponseWriter, r *http.Request) error {
	p := params{values: r.URL.Query()}
	l := list{
		org: a.clerk.Org(r.Context()), subjectType: r.PathValue("type"), subjectID: r.PathValue("id"), anyTarget: true, asc: true,
		causer: p.text("causer_id"), action: p.text("action"), from: p.time("from"), to: p.time("to"),
	}
	p.page(&l)
	return a.sendList(w, r, &p, l)
}

// getDashboard is GET /dashboard: the newest activity.
func (a *Activity) getDashboard(w http.ResponseWriter, r *http.Request) error {
	p := params{values: r.URL.Query()}
	l := list{org: a.clerk.Org(r.Context()), limit: int(p.number("limit", 20, 1, maxDashboard))}
	if err := p.err(); err != nil {
		return err
	}
	found, _, err := l.run(r.Context(), a.find)
	if err != nil {
		return err
	}
	return sendItems(w, found)
}

// sendList answers with a page of items.
func (a *Activity) sendList(w http.ResponseWriter, r *http.Request, p *params, l list) error {
	counted := p.oneOf("count", "false", "true") == "true"
	if err := p.err(); err != nil {
		return err
	}
	found, next, err := l.run(r.Context(), a.find)
	if err != nil {
		return err
	}
	if counted {
		n, err := l.count(r.Context(), a.find)
		if err != nil {
			return err
		}
		w.Header().Set("X-Total-Count", strconv.Itoa(n))
	}
	if next != nil {
		q := r.URL.Query()
		q.Del("offset")
		q.Set("cursor", next.String())
		w.Header().Set("Link", "<?"+q.Encode()+`>; rel="next"`)
	}
	return sendItems(w, found)
}

// version is a snapshot as the routes show it.
type version struct {
	ID          string          `json:"id"`
	Number      int64           `json:"number"`
	SubjectType string          `json:"subject_type"`
	SubjectID   string          `json:"subject_id"`
	CauserID    *string         `json:"causer_id"`
	CreatedAt   string          `json:"created_at"`
	Seq         int64           `json:"seq"`
	Data        json.RawMessage `json:"data,omitempty"`
}

func (f *found) version() version {
	subject := f.event.Targets[0]
	return version{
		ID: f.entry.ID.String(), Number: f.togo.Number, SubjectType: subject.Type, SubjectID: subject.ID, CauserID: optional(f.event.Actor.ID),
		CreatedAt: f.createdAt(), Seq: f.entry.Seq,
	}
}

// getVersions is GET /versions/{type}/{id}: the snapshots of a thing, newest first.
func (a *Activity) getVersions(w http.ResponseWriter, r *http.Request) error {
	if isRestore(r) {
		refuseMethod(w, http.MethodPost)
		return nil
	}
	p := params{values: r.URL.Query()}
	limit, offset := int(p.number("limit", daybook.DefaultLimit, 1, daybook.MaxLimit)), int(p.number("offset", 0, 0, maxOffset))
	withData := p.oneOf("data", "false", "true") == "true"
	if err := p.err(); err != nil {
		return err
	}
	l := list{org: a.clerk.Org(r.Context()), subjectType: r.PathValue("type"), subjectID: r.PathValue("id"), snapshots: true, asc: true}
	all := []version{}
	rank := int64(0)
	err := l.each(r.Context(), a.find, daybook.MaxLimit, func(f found, _ int64) bool {
		if rank++; f.togo.Number == 0 {
			f.togo.Number = rank
		}
		v := f.version()
		if withData {
			v.Data = f.togo.Snapshot
		}
		all = append(all, v)
		return true
	})
	if err != nil {
		return err
	}
	slices.Reverse(all)
	all = all[min(offset, len(all)):]
	return send(w, http.StatusOK, all[:min(limit, len(all))])
}

// postRestore is POST /versions/{id}/restore.
func (a *Activity) postRestore(w http.ResponseWriter, r *http.Request) error {
	p := params{values: r.URL.Query()}
	if err := p.err(); err != nil {
		return err
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return &daybook.Error{Code: daybook.CodeTooLarge, Message: "the body is too large", Err: err}
	}
	var body struct {
		CauserID string `json:"causer_id"`
	}
	if len(text) > 0 && json.Unmarshal(text, &body) != nil {
		return invalid("body", "the body is not a JSON object with causer_id.")
	}
	f, err := a.restore(r.Context(), r.PathValue("id"), body.CauserID)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, struct {
		Version version         `json:"version"`
		Data    json.RawMessage `json:"data"`
	}{f.version(), f.togo.Snapshot})
}

// params reads the query of a request and keeps the first fault. What nobody has asked for in the end is one, too.
type params struct {
	values url.Values
	known  []string
	fault  error
}

func (p *params) text(name string) string {
	p.known = append(p.known, name)
	if len(p.values[name]) > 1 {
		p.fail(name, name+" is given more than once.")
	}
	return p.values.Get(name)
}

func (p *params) fail(name, message string) {
	if p.fault == nil {
		p.fault = invalid(name, message)
	}
}

func (p *params) number(name string, otherwise, low, high int64) int64 {
	text := p.text(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < low:
		p.fail(name, fmt.Sprintf("%s is a number from %d to %d.", name, low, high))
	case n > high && name == "offset":
		p.fail(name, "use cursor")
	case n > high:
		p.fail(name, fmt.Sprintf("%s is a number from %d to %d.", name, low, high))
	}
	return n
}

func (p *params) time(name string) time.Time {
	text := p.text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		p.fail(name, name+" is a time of RFC 3339, such as 2026-01-02T03:04:05Z.")
	}
	return t
}

// oneOf returns the value of a parameter that has few; the first is the default.
func (p *params) oneOf(name string, words ...string) string {
	text := p.text(name)
	if text == "" {
		return words[0]
	}
	if !slices.Contains(words, text) {
		p.fail(name, fmt.Sprintf("%s is one of %v.", name, words))
	}
	return text
}

// page reads limit, offset and cursor.
func (p *params) page(l *list) {
	l.limit, l.offset = int(p.number("limit", daybook.DefaultLimit, 1, daybook.MaxLimit)), int(p.number("offset", 0, 0, maxOffset))
	text := p.text("cursor")
	if text == "" {
		return
	}
	var err error
	if l.after, err = parseCursor(text); err != nil && p.fault == nil {
		p.fault = err
	}
	if l.offset > 0 {
		p.fail("offset", "offset and cursor exclude each other.")
	}
}

// err returns the first fault.
func (p *params) err() error {
	for name := range p.values {
		if !slices.Contains(p.known, name) {
			p.fail(name, "unknown parameter "+name)
		}
	}
	return p.fault
}

// fault is the body of an answer that says no.
type fault struct {
	Error string `json:"error"`
	Field string `json:"field,omitempty"`
}

// fail answers with what err means.
func fail(w http.ResponseWriter, err error) {
	coded, _ := errors.AsType[*daybook.Error](err)
	switch {
	case notThere(err):
		sendError(w, http.StatusNotFound, fault{Error: "not found"})
	case errors.Is(err, daybook.ErrNoActor):
		sendError(w, http.StatusBadRequest, fault{Error: "nobody is named who asks", Field: "causer_id"})
	case coded == nil || coded.Code == daybook.CodeOverloaded || coded.Code == daybook.CodeUnavailable:
		w.Header().Set("Retry-After", "1")
		sendError(w, http.StatusServiceUnavailable, fault{Error: "temporarily unavailable"})
	case coded.Code == daybook.CodeInvalid || coded.Code == daybook.CodeConflict:
		sendError(w, http.StatusBadRequest, fault{Error: coded.Message, Field: coded.Field})
	case coded.Code == daybook.CodeTooLarge:
		sendError(w, http.StatusRequestEntityTooLarge, fault{Error: coded.Message, Field: coded.Field})
	case coded.Code == daybook.CodeForbidden:
		sendError(w, http.StatusForbidden, fault{Error: "forbidden"})
	default:
		sendError(w, http.StatusInternalServerError, fault{Error: "internal error"})
	}
}

func sendError(w http.ResponseWriter, status int, f fault) { _ = send(w, status, f) }

// sendItems answers with a list, [] when it is empty.
func sendItems(w http.ResponseWriter, list []found) error {
	items := make([]item, len(list))
	for i := range list {
		items[i] = list[i].item()
	}
	return send(w, http.StatusOK, items)
}

// send writes v as JSON.
func send(w http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that is gone asks again
	return nil
}
