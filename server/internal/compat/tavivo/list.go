package tavivo

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// Bounds of a page.
const (
	defaultLimit = 50
	maxLimit     = 500
)

// The parameters of the two routes, and those that may be repeated.
var (
	listParameters = []string{"userId", "action", "entity", "entityId", "from", "to", "q", "limit", "order", "cursor", "all"}
	oneParameters  = []string{"all"}
	repeated       = []string{"userId", "action", "entity"}
)

// listLogs is GET /logs.
func (d *Door) listLogs(w http.ResponseWriter, r *http.Request, _ []byte) {
	q, f := readQuestion(r.URL.RawQuery)
	if f != nil {
		f.send(w)
		return
	}
	rows, next, f := d.page(r, q)
	if f != nil {
		f.send(w)
		return
	}
	if next != "" {
		w.Header().Set("Link", "</logs?"+nextQuery(r.URL.RawQuery, next)+`>; rel="next"`)
	}
	out := []byte{'['}
	for i, one := range rows {
		if i > 0 {
			out = append(out, ',')
		}
		out = one.appendJSON(out)
	}
	send(w, http.StatusOK, append(out, ']'))
}

// page gathers a full page: a search that has used up its time goes on where it stopped.
func (d *Door) page(r *http.Request, q *question) ([]*row, string, *fault) {
	c := callerOf(r)
	q.Org = c.org
	var rows []*row
	limit := q.Limit
	for {
		page, err := d.Book.Search(r.Context(), q.EventQuery)
		if daybook.CodeOf(err) == daybook.CodeNotFound {
			return nil, "", nil // nothing was recorded yet
		}
		if err != nil {
			return nil, "", searchFault(err)
		}
		for i := range page.Entries {
			one, _ := rowOf(&page.Entries[i])
			rows = append(rows, one)
		}
		if page.NextCursor == "" || len(rows) == limit {
			d.saw(r, c, selfaudit.Look{
				Action: logViewed, Target: daybook.Target{Type: "log", ID: string(c.org)}, What: "search",
				Query: strings.TrimSpace(q.Within.String() + " " + page.Query), From: page.From, To: page.To, Shown: shown(rows),
			})
			return rows, page.NextCursor, nil
		}
		q.Cursor, q.Limit = page.NextCursor, limit-len(rows)
	}
}

// shown says what the rows, which stand in the order of the log or against it, show of it.
func shown(rows []*row) selfaudit.Shown {
	if len(rows) == 0 {
		return selfaudit.Shown{}
	}
	one, other := rows[0].seq, rows[len(rows)-1].seq
	return selfaudit.Shown{Rows: int64(len(rows)), First: min(one, other), Last: max(one, other)}
}

// Actions of looks, as the native API has them.
const (
	logViewed   = "daybook.log.viewed"
	eventViewed = "daybook.event.viewed"
)

// saw records that the caller has looked at the log, or was kept from it.
func (d *Door) saw(r *http.Request, c *caller, l selfaudit.Look) {
	l.Org, l.By, l.Context = c.org, c.actor(), d.Origin.Context(r)
	if l.Outcome == "" {
		l.Outcome = daybook.Success
	}
	d.Audit.Saw(l)
}

// actor is the caller as an actor: a key, or the service that the token names.
func (c *caller) actor() daybook.Actor {
	if c.token != nil {
		return daybook.Actor{Type: "service", ID: c.KeyID, Name: c.token.Name}
	}
	return daybook.Actor{Type: "api_key", ID: c.KeyID, Name: c.Key.Name}
}

// question is GET /logs as a search.
type question struct{ daybook.EventQuery }

// reader reads parameters and gathers what is wrong with them.
type reader struct {
	values url.Values
	errs   []fieldError
	within []*query.Query
}

func readQuestion(raw string) (*question, *fault) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalidQuery(fieldError{"", "the query string is malformed"})
	}
	p := &reader{values: values}
	p.known(listParameters)
	q := &question{daybook.EventQuery{Text: values.Get("q"), Cursor: values.Get("cursor"), Limit: p.limit()}}
	switch order := values.Get("order"); {
	case order == "asc":
		q.Asc = true
	case values.Has("order") && order != "desc":
		p.refuse("order", "must be asc or desc")
	}
	if values.Has("cursor") && q.Cursor == "" {
		p.refuse("cursor", "must not be empty")
	}
	q.From, q.To = p.time("from"), p.time("to")
	if q.From != 0 && q.To != 0 && q.From > q.To {
		p.refuse("from", "must not be after to")
	}
	p.conditions(p.flag("all"))
	if len(p.errs) > 0 {
		return nil, invalidQuery(p.errs...)
	}
	q.Within = query.And(p.within...)
	return q, nil
}

func (p *reader) refuse(field, message string) {
	p.errs = append(p.errs, fieldError{field, message})
}

// known refuses parameters that are not those of the route, and those that stand twice where one is meant.
func (p *reader) known(allowed []string) {
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		switch {
		case !slices.Contains(allowed, name):
			p.refuse(name, "is not a parameter of this route")
		case len(p.values[name]) > 1 && !slices.Contains(repeated, name):
			p.refuse(name, "must be given once")
		}
	}
}

func (p *reader) limit() int {
	if !p.values.Has("limit") {
		return defaultLimit
	}
	n, err := strconv.Atoi(p.values.Get("limit"))
	if err != nil || n < 1 || n > maxLimit {
		p.refuse("limit", "must be between 1 and 500")
		return defaultLimit
	}
	return n
}

// time reads a bound in µs; 0 when there is none.
func (p *reader) time(name string) int64 {
	if !p.values.Has(name) {
		return 0
	}
	t, err := time.Parse(time.RFC3339Nano, p.values.Get(name))
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		p.refuse(name, "must be an RFC 3339 time such as 2026-01-02T03:04:05Z")
		return 0
	}
	micros := t.UnixMicro()
	if t.Nanosecond()%1000 > 0 {
		micros++ // the first µs that is not before it
	}
	return max(micros, 1) // nothing was recorded in the first µs of 1970, and 0 is open
}

func (p *reader) flag(name string) bool {
	switch value := p.values.Get(name); {
	case value == "true":
		return true
	case p.values.Has(name) && value != "false":
		p.refuse(name, "must be true or false")
	}
	return false
}

// conditions turns the filters into queries.
func (p *reader) conditions(all bool) {
	if !all {
		p.add("", "has:meta.tavivo")
	}
	p.any("userId", func(v string) []string { return []string{"actor.id:" + exact(v)} })
	p.any("action", func(v string) []string {
		pattern := exact(v)
		if begin, ok := strings.CutSuffix(v, "*"); ok {
			pattern = exact(begin) + "*"
		}
		either := []string{"meta.tavivo.action:" + pattern}
		if all {
			either = append(either, "(-has:meta.tavivo action:"+pattern+")")
		}
		return either
	})
	p.any("entity", func(v string) []string {
		either := []string{"meta.tavivo.metaData.entity:" + exact(v), "meta.tavivo.metaData.deleted.entity:" + exact(v)}
		if all {
			either = append(either, "target.type:"+exact(v))
		}
		return either
	})
	p.any("entityId", func(v string) []string { return []string{"target.id:" + exact(v)} })
}

// any adds the condition that one value at least of a parameter holds.
func (p *reader) any(name string, conditions func(value string) []string) {
	var either []string
	for _, value := range p.values[name] {
		if value == "" {
			p.refuse(name, "must not be empty")
			return
		}
		either = append(either, conditions(value)...)
	}
	if len(either) > 0 {
		p.add(name, strings.Join(either, " OR "))
	}
}

func (p *reader) add(name, text string) {
	q, err := query.Parse(text, query.Options{})
	if err != nil {
		p.refuse(name, "is too long, or given too often")
		return
	}
	p.within = append(p.within, q)
}

// exact writes a value of the query language in which nothing has a meaning.
func exact(value string) string {
	var b strings.Builder
	for _, r := range value {
		if r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// nextQuery is the query string of the next page: the same, with its cursor at the end.
func nextQuery(raw, cursor string) string {
	var kept []string
	for part := range strings.SplitSeq(raw, "&") {
		name, _, _ := strings.Cut(part, "=")
		if decoded, err := url.QueryUnescape(name); part != "" && (err != nil || decoded != "cursor") {
			kept = append(kept, part)
		}
	}
	return strings.Join(append(kept, "cursor="+url.QueryEscape(cursor)), "&")
}

// getLog is GET /logs/{id}.
func (d *Door) getLog(w http.ResponseWriter, r *http.Request, _ []byte) {
	one, f := d.one(r)
	if f != nil {
		f.send(w)
		return
	}
	send(w, http.StatusOK, one.appendJSON(nil))
}

func (d *Door) one(r *http.Request) (*row, *fault) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalidQuery(fieldError{"", "the query string is malformed"})
	}
	p := &reader{values: values}
	p.known(oneParameters)
	all := p.flag("all")
	if len(p.errs) > 0 {
		return nil, invalidQuery(p.errs...)
	}
	c := callerOf(r)
	entry, f := d.find(r, c.org)
	if f != nil {
		return nil, f
	}
	one, ours := rowOf(&entry)
	if !ours && !all {
		return nil, refuse(http.StatusNotFound, "Not found")
	}
	d.saw(r, c, selfaudit.Look{
		Action: eventViewed, Target: daybook.Target{Type: "event", ID: entry.ID.String()},
		Shown: selfaudit.Shown{Rows: 1, First: entry.Seq, Last: entry.Seq},
	})
	return one, nil
}

// find looks an entry up by the number of its row or by its event id.
func (d *Door) find(r *http.Request, org daybook.OrgID) (entry daybook.Entry, f *fault) {
	text := r.PathValue("id")
	var err error
	if id, bad := daybook.ParseID(text); bad == nil {
		entry, err = d.Book.Entry(r.Context(), org, id)
	} else if n, bad := strconv.ParseUint(text, 10, 63); bad == nil {
		entry, err = d.Book.EntryAt(r.Context(), org, int64(n)-1)
	} else {
		return entry, refuse(http.StatusBadRequest, "Invalid id: an integer or evt_…")
	}
	switch {
	case daybook.CodeOf(err) == daybook.CodeNotFound:
		return entry, refuse(http.StatusNotFound, "Not found")
	case err != nil:
		return entry, unavailable()
	}
	return entry, nil
}
