package daybook

import (
	"errors"
	"time"

	"github.com/daybook-audit/daybook/internal/cursor"
	"github.com/daybook-audit/daybook/query"
)

// Times that stand for an open bound.
const (
	openFrom = cursor.OpenFrom
	openTo   = cursor.OpenTo
)

// errCursor is the one answer to a cursor that does not fit.
var errCursor = &Error{
	Code: CodeInvalid, Rule: "cursor_invalid", Field: "cursor",
	Message: "this cursor does not belong to this question; begin again without a cursor",
}

// question is what is asked for, made definite: times resolved, and from the first page on the log and its size. It belongs to one search.
type question struct {
	org      OrgID
	query    *query.Query // what was asked for, within what is allowed
	text     string       // the normal form of what was asked for
	within   string       // the normal form of the rest
	zone     *time.Location
	now      int64 // what relative times are relative to, µs
	from, to int64 // of occurred_at, [from, to)
	order    Order
	asc      bool

	pinned bool // the following are known
	logID  [10]byte
	epoch  int
	size   int64

	at   position
	done bool // no page follows
	gaps bool // what is damaged is passed over and noted
	held bool // entries say whether a hold keeps them

	once  bool   // what is read is not read again soon: blocks pass through memory, and not through the cache
	plain []byte // the last such block, unpacked
}

// position is where the next page goes on. In the order of the log it begins at seq (ascending) or below it; by occurred_at it
// begins after the entry at (occurred, seq), which need not exist.
type position struct {
	set           bool
	seq, occurred int64
}

// question reads q, or continues what its cursor says.
func (b *Book) question(q *EventQuery) (*question, error) {
	if !q.Org.Valid() {
		return nil, errInvalidOrg(q.Org)
	}
	if q.Cursor != "" {
		return b.resume(q)
	}
	p := &question{org: q.Org, zone: q.Zone, now: q.Now, order: q.Order, asc: q.Asc, gaps: q.Gaps, held: q.Held}
	if p.now == 0 {
		p.now = b.now()
	}
	if p.zone == nil {
		p.zone = time.UTC
	}
	var err error
	if p.query, err = p.parse(q); err != nil {
		return nil, err
	}
	p.text = p.query.String()
	p.query = p.query.Hiding(q.Hide)
	if q.Within != nil {
		p.within = q.Within.String()
		p.query = query.And(p.query, q.Within)
	}
	if p.from, err = p.time("from", q.From, q.FromText, openFrom); err != nil {
		return nil, err
	}
	p.to, err = p.time("to", q.To, q.ToText, openTo)
	return p, err
}

// resume is question for a further page.
func (b *Book) resume(q *EventQuery) (*question, error) {
	within := ""
	if q.Within != nil {
		within = q.Within.String()
	}
	p, err := b.readCursor(q, within)
	if err != nil {
		return nil, err
	}
	if !p.agrees(q) {
		return nil, errCursor
	}
	typed, err := query.Parse(p.text, p.options())
	switch {
	case err == nil:
	case q.Query != nil:
		typed = q.Query // no text says it, and agrees has compared it
	default:
		return nil, errCursor
	}
	p.query = typed.Hiding(q.Hide)
	if q.Within != nil {
		p.query = query.And(p.query, q.Within)
	}
	p.gaps, p.held = q.Gaps, q.Held
	return p, nil
}

// readCursor returns the question that q's cursor goes on with, without its query. Every error is errCursor.
func (b *Book) readCursor(q *EventQuery, within string) (*question, error) {
	c, ok := cursor.Read(q.Cursor, b.binding(q.Org, within))
	if !ok {
		return nil, errCursor
	}
	p := &question{
		org: q.Org, within: within, pinned: true, logID: c.LogID, epoch: c.Epoch, size: c.Size, asc: c.Asc,
		at: position{set: true, seq: c.Seq, occurred: c.Occurred}, now: c.Now, from: c.From, to: c.To, text: c.Query,
	}
	if c.ByOccurred {
		p.order = OrderOccurred
	}
	if p.zone = q.Zone; p.zone == nil || p.zone.String() != c.Zone { // a zone of the caller's own making cannot be loaded
		var err error
		if p.zone, err = time.LoadLocation(c.Zone); err != nil {
			return nil, errCursor
		}
	}
	return p, nil
}

// makeCursor returns the cursor with which p goes on.
func (b *Book) makeCursor(p *question) string {
	c := cursor.Cursor{
		LogID: p.logID, Epoch: p.epoch, Size: p.size, ByOccurred: p.order == OrderOccurred, Asc: p.asc, Seq: p.at.seq, Occurred: p.at.occurred,
		Now: p.now, From: p.from, To: p.to, Zone: p.zone.String(), Query: p.text,
	}
	return c.Text(b.binding(p.org, p.within))
}

// binding returns what a cursor holds for.
func (b *Book) binding(org OrgID, within string) *cursor.Binding {
	return &cursor.Binding{Key: b.o.CursorKey, Org: string(org), Within: within}
}

// agrees reports whether everything that q says is what p says.
func (p *question) agrees(q *EventQuery) bool {
	if q.Zone != nil && q.Zone.String() != p.zone.String() {
		return false
	}
	if q.Order != OrderLog && q.Order != p.order || q.Asc && !p.asc {
		return false
	}
	if q.Query != nil || q.Text != "" {
		typed, err := p.parse(q)
		if err != nil || typed.String() != p.text {
			return false
		}
	}
	from, err := p.time("from", q.From, q.FromText, p.from)
	if err != nil || from != p.from {
		return false
	}
	to, err := p.time("to", q.To, q.ToText, p.to)
	return err == nil && to == p.to
}

// options are those under which the text of p means the same on every page.
func (p *question) options() query.Options {
	return query.Options{Now: time.UnixMicro(p.now), Zone: p.zone, Place: query.Operator}
}

// parse returns what q asks for. A Query that was parsed before is read again from its normal form, so that its relative times are
// those of p like everything else, on this page and on the next.
func (p *question) parse(q *EventQuery) (*query.Query, error) {
	o := p.options()
	if q.Query != nil {
		if again, err := query.Parse(q.Query.String(), o); err == nil {
			return again, nil
		}
		return q.Query, nil
	}
	o.Place = query.Search
	typed, err := query.Parse(q.Text, o)
	if err == nil {
		return typed, nil
	}
	return nil, &Error{Code: CodeInvalid, Rule: "query_invalid", Field: "q", Message: queryMessage(err), Err: err}
}

// time resolves one bound: the start of the period that text names.
func (p *question) time(field string, micros int64, text string, otherwise int64) (int64, error) {
	switch {
	case micros != 0:
		return micros, nil
	case text == "":
		return otherwise, nil
	}
	from, _, err := query.ParseTime(text, p.options(), true)
	if err != nil {
		return 0, &Error{Code: CodeInvalid, Rule: "invalid_value", Field: field, Message: queryMessage(err), Err: err}
	}
	return from, nil
}

// bound is the form in which a page shows a bound.
func (p *question) bound(t int64) *int64 {
	if t == openFrom || t == openTo {
		return nil
	}
	return &t
}

// queryMessage is what a query's error says to people.
func queryMessage(err error) string {
	if e, ok := errors.AsType[*query.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
