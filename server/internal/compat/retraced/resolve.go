package retraced

import (
	"context"
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// The sizes of a page.
const (
	defaultPage = 20
	maxPage     = 200
	maxOffset   = 10_000
)

// search is the GraphQL search of an API key.
func (d *Door) search(w http.ResponseWriter, r *http.Request, body []byte) {
	p, f := d.principal(r, auth.Read)
	if f != nil {
		f.send(w)
		return
	}
	who := &reader{orgs: d.orgsOf(p), scope: "key of " + string(p.Org)}
	data, f := d.answer(r, body, who)
	if f != nil {
		f.send(w)
		return
	}
	d.looked(r, p, data)
	send(w, http.StatusOK, data.json())
}

// orgsOf walks the organizations that p reads.
func (d *Door) orgsOf(p *auth.Principal) func(context.Context, func(daybook.OrgID) error) error {
	return func(ctx context.Context, yield func(daybook.OrgID) error) error {
		if p.Org != "" {
			return yield(p.Org)
		}
		const perList = 500
		after := daybook.OrgID("")
		for {
			orgs, err := d.Orgs.List(ctx, after, perList)
			if err != nil {
				return err
			}
			for _, org := range orgs {
				if after = org.ID; org.ID == control.Instance {
					continue
				}
				if err := yield(org.ID); err != nil {
					return err
				}
			}
			if len(orgs) < perList {
				return nil
			}
		}
	}
}

// answered is the answer to a request.
type answered struct {
	data  object
	query string                            // what was searched for, for the log
	shown map[daybook.OrgID]selfaudit.Shown // what of whose log the answer shows
}

func (a *answered) json() []byte { return appendValue(nil, object{{"data", a.data}}) }

func (a *answered) saw(e *daybook.Entry) {
	s := a.shown[e.Org]
	if s.Rows == 0 {
		s.First, s.Last = e.Seq, e.Seq
	}
	a.shown[e.Org] = selfaudit.Shown{Rows: s.Rows + 1, First: min(s.First, e.Seq), Last: max(s.Last, e.Seq)}
}

// counted notes that the answer has counts of a log, and no entry.
func (a *answered) counted(org daybook.OrgID) {
	if _, known := a.shown[org]; !known {
		a.shown[org] = selfaudit.Shown{}
	}
}

// answer reads a request and carries it out.
func (d *Door) answer(r *http.Request, body []byte, who *reader) (*answered, *fault) {
	in, err := readRequest(r, body)
	if err != nil {
		return nil, asked(err.Error())
	}
	op, err := parseOperation(in)
	if err != nil {
		return nil, asked(err.Error())
	}
	ctx, cancel := context.WithTimeout(r.Context(), d.Settings.SearchTime)
	defer cancel()
	a := &answered{shown: map[daybook.OrgID]selfaudit.Shown{}}
	for _, root := range op.roots {
		if root.name == "__typename" {
			a.data = append(a.data, field{root.key, "Query"})
			continue
		}
		args := &arguments{vars: op.vars, list: root.args}
		resolve := map[string]func(context.Context, *arguments, *reader, *answered) (object, error){
			"search": d.resolveSearch, "searchPaginated": d.resolvePaginated, "counts": d.resolveCounts,
		}[root.name]
		value, err := resolve(ctx, args, who, a)
		if err != nil {
			return nil, searchFault(err)
		}
		a.data = append(a.data, field{root.key, project(root.of, value, root.kids)})
	}
	return a, nil
}

// askedError is what the caller asked wrongly.
type askedError struct{ error }

func searchFault(err error) *fault {
	if wrong, ok := errors.AsType[*askedError](err); ok {
		return asked(wrong.Error())
	}
	if wrong, ok := errors.AsType[*searchError](err); ok {
		return asked(wrong.Error())
	}
	var e *daybook.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return tooSlow
	case errors.As(err, &e) && e.Code == daybook.CodeInvalid:
		return asked(e.Message)
	}
	return unavailable
}

var errCursor = &askedError{errors.New("Invalid cursor")} //nolint:staticcheck // Retraced's words

// resolveSearch is search(query, first, after, last, before).
func (d *Door) resolveSearch(ctx context.Context, args *arguments, who *reader, a *answered) (object, error) {
	text := args.text("query")
	first, last := args.number("first", 0, 1, maxPage), args.number("last", 0, 1, maxPage)
	after, before := args.text("after"), args.text("before")
	if err := args.done(); err != nil {
		return nil, &askedError{err}
	}
	switch {
	case first > 0 && last > 0:
		return nil, &askedError{errors.New("Arguments 'first' and 'last' are exclusive")} //nolint:staticcheck // Retraced's words
	case before != "" && after != "":
		return nil, &askedError{errors.New("Arguments 'before' and 'after' are exclusive")} //nolint:staticcheck // Retraced's words
	}
	s, c, err := d.begin(who, text, before+after)
	if err != nil {
		return nil, err
	}
	s.desc = first == 0 && after == "" // newest first, unless the caller goes from the oldest on
	limit := int(max(first, last))
	if limit == 0 {
		limit = defaultPage
	}
	a.query = text
	page, more, err := s.page(ctx, 0, limit)
	if err != nil {
		return nil, err
	}
	// Downwards no entry comes to those that were there at the first page; upwards new ones are part of what is walked.
	total := int64(0)
	if s.desc && c != nil {
		total = c.total
	} else if total, err = s.count(ctx); err != nil {
		return nil, err
	}
	edges, err := d.edges(ctx, s, page, total, a)
	if err != nil {
		return nil, err
	}
	next, previous := more, c != nil
	if s.desc {
		next, previous = c != nil, more
	}
	return object{
		{"totalCount", clamped(total)}, {"pageInfo", object{{"hasNextPage", next}, {"hasPreviousPage", previous}}}, {"edges", edges},
	}, nil
}

// begin reads a search string, and where to go on.
func (d *Door) begin(who *reader, text, at string) (*sought, *cursor, error) {
	t, err := parseTerms(text)
	if err != nil {
		return nil, nil, err
	}
	s := &sought{d: d, reader: who, terms: t}
	if at == "" {
		return s, nil, nil
	}
	c, ok := d.readCursor(at, who.scope, text)
	if !ok {
		return nil, nil, errCursor
	}
	s.after = &c.position
	return s, &c, nil
}

// edges makes the edges of a page.
func (d *Door) edges(ctx context.Context, s *sought, page []found, total int64, a *answered) ([]object, error) {
	names := map[daybook.OrgID]string{}
	edges := make([]object, 0, len(page))
	for i := range page {
		e := &page[i].entry
		name, known := names[e.Org]
		if !known {
			org, err := d.Orgs.Get(ctx, e.Org)
			if err != nil && !errors.Is(err, control.ErrNotFound) {
				return nil, err
			}
			name = org.Name
			names[e.Org] = name
		}
		v, err := viewOf(e)
		if err != nil {
			return nil, err
		}
		a.saw(e)
		edges = append(edges, object{
			{"cursor", d.writeCursor(cursor{page[i].position, total}, s.scope, s.text)}, {"node", v.node(name)},
		})
	}
	return edges, nil
}

// resolvePaginated is searchPaginated(query, pageOffset, pageLimit, startCursor, sortOrder).
func (d *Door) resolvePaginated(ctx context.Context, args *arguments, who *reader, a *answered) (object, error) {
	text, at := args.text("query"), args.text("startCursor")
	limit := args.number("pageLimit", defaultPage, 0, maxPage)
	offset := args.number("pageOffset", 0, 0, maxOffset)
	order := args.oneOf("sortOrder", "asc", "desc")
	if err := args.done(); err != nil {
		return nil, &askedError{err}
	}
	s, c, err := d.begin(who, text, at)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		limit = defaultPage
	}
	s.desc = order != "asc"
	a.query = text
	page, more, err := s.page(ctx, int(offset), int(limit))
	if err != nil {
		return nil, err
	}
	total, err := s.count(ctx)
	if err != nil {
		return nil, err
	}
	edges, err := d.edges(ctx, s, page, total, a)
	if err != nil {
		return nil, err
	}
	next, previous := more, c != nil || offset > 0
	if s.desc {
		next, previous = previous, next
	}
	return object{
		{"totalCount", clamped(total)}, {"pageInfo", object{{"hasNextPage", next}, {"hasPreviousPage", previous}}}, {"edges", edges},
	}, nil
}

// resolveCounts is counts(type, startTime, endTime, crud, first, after).
func (d *Door) resolveCounts(ctx context.Context, args *arguments, who *reader, a *answered) (object, error) {
	kind := args.oneOf("type", "action", "group")
	start, end, crud := args.text("startTime"), args.text("endTime"), args.text("crud")
	first := args.number("first", defaultPage, 0, math.MaxInt32)
	after := args.text("after")
	if err := args.done(); err != nil {
		return nil, &askedError{err}
	}
	if kind == "" {
		return nil, &askedError{errors.New(`argument "type" is required: action or group`)}
	}
	begin, ok := readPlace(after)
	if !ok {
		return nil, errCursor
	}
	s := &sought{d: d, reader: who, terms: &terms{}}
	for _, b := range []struct {
		name, text string
		to         *int64
	}{{"startTime", start, &s.from}, {"endTime", end, &s.to}} {
		if b.text == "" {
			continue
		}
		at, ok := searchTime(b.text)
		if !ok {
			return nil, &askedError{errors.New("Invalid " + b.name)}
		}
		*b.to = at.UnixMicro()
	}
	if crud != "" {
		s.crud(strings.Split(strings.TrimSpace(crud), ""))
	}
	list, err := s.tallies(ctx, kind, a)
	if err != nil {
		return nil, err
	}
	from := min(begin, int64(len(list)))
	to := min(from+first, int64(len(list)))
	edges := make([]object, 0, to-from)
	for i := from; i < to; i++ {
		edges = append(edges, object{{"cursor", writePlace(i + 1)}, {"node", list[i].value}, {"count", clamped(list[i].count)}})
	}
	return object{
		{"totalCount", int64(len(list))},
		{"pageInfo", object{{"hasNextPage", to < int64(len(list))}, {"hasPreviousPage", from > 0}}},
		{"edges", edges},
	}, nil
}

// A place is a cursor of counts: how many stand before it. It gives no access to anything.
func writePlace(n int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(n, 10)))
}

// readPlace reads what writePlace wrote; empty is the beginning.
func readPlace(s string) (int64, bool) {
	if s == "" {
		return 0, true
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil && n >= 0
}

// looked notes whose logs an answer shows.
func (d *Door) looked(r *http.Request, p *auth.Principal, a *answered) {
	if p.Org != "" && len(a.shown) == 0 {
		a.shown[p.Org] = selfaudit.Shown{}
	}
	for org, shown := range a.shown {
		d.Audit.Saw(selfaudit.Look{
			Org: org, Action: "daybook.log.viewed", By: daybook.Actor{Type: "api_key", ID: p.KeyID, Name: p.Key.Name},
			Target: daybook.Target{Type: "log", ID: string(org)}, Context: d.Origin.Context(r), Outcome: daybook.Success,
			What: "search", Query: a.query, Shown: shown,
		})
	}
}
