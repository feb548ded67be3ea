package activity

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/query"
)

// list is one question to the log.
type list struct {
	org                    daybook.OrgID
	subjectType, subjectID string
	anyTarget              bool // the subject may be any of the targets, not the first alone
	causer, action         string
	from, to               time.Time // when it was recorded
	text                   string    // a query besides
	snapshots              bool      // only these, instead of none of them
	asc                    bool
	after                  cursor
	below                  int64 // only what stands before this place in the log; 0: everything
	offset, limit          int
}

// cursor is the last entry of a page; of pages that go from the oldest on, the size of the log at the first of them too.
type cursor struct {
	seq, size int64
	set       bool
}

func (c cursor) String() string {
	if c.size > 0 {
		return strconv.FormatInt(c.seq, 10) + "." + strconv.FormatInt(c.size, 10)
	}
	return strconv.FormatInt(c.seq, 10)
}

func parseCursor(s string) (cursor, error) {
	c := cursor{set: true}
	first, rest, more := strings.Cut(s, ".")
	var err error
	if c.seq, err = strconv.ParseInt(first, 10, 64); err == nil && more {
		c.size, err = strconv.ParseInt(rest, 10, 64)
	}
	if err != nil || c.seq < 0 || c.size < 0 || c.String() != s {
		return cursor{}, invalid("cursor", "cursor was not made by this list.")
	}
	return c, nil
}

// invalid is the refusal of a parameter.
func invalid(field, message string) error {
	return &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_value", Field: field, Message: message}
}

// found is an entry with its event read.
type found struct {
	entry daybook.Entry
	event daybook.Event
	togo  togo
}

// run returns what is asked for, and where the next page begins; nil when nothing is left.
func (l *list) run(ctx context.Context, find Finder) (out []found, next *cursor, err error) {
	var size int64
	skip := l.offset
	err = l.each(ctx, find, l.limit+l.offset+1, func(f found, pinned int64) bool {
		size = pinned
		switch {
		case skip > 0:
			skip--
		case len(out) == l.limit:
			last := out[len(out)-1].entry.Seq
			next = &cursor{seq: last, set: true}
			if l.asc {
				next.size = size
			}
			return false
		default:
			out = append(out, f)
		}
		return true
	})
	return out, next, err
}

// count returns how many entries match, whatever the page.
func (l *list) count(ctx context.Context, find Finder) (n int, err error) {
	all := *l
	all.after = cursor{}
	err = all.each(ctx, find, daybook.MaxLimit, func(found, int64) bool { n++; return true })
	return n, err
}

// each gives what matches to yield until it returns false; size is that of the log that all pages see.
func (l *list) each(ctx context.Context, find Finder, about int, yield func(f found, size int64) bool) error {
	text, err := l.query()
	if err != nil {
		return err
	}
	q := daybook.EventQuery{Org: l.org, Text: text, Asc: l.asc, Limit: min(about, daybook.MaxLimit)}
	for {
		page, err := find.Search(ctx, q)
		if err != nil {
			return fmt.Errorf("look into the log: %w", err)
		}
		size := page.Size
		if l.after.size > 0 {
			size = l.after.size
		}
		for _, entry := range page.Entries {
			f, ok, err := l.read(entry)
			if err != nil {
				return err
			}
			if ok && !yield(f, size) {
				return nil
			}
		}
		if page.NextCursor == "" {
			return nil
		}
		q.Cursor = page.NextCursor
	}
}

// read reads an entry, and says whether it is asked for: what the query language cannot say is decided here.
func (l *list) read(entry daybook.Entry) (f found, ok bool, err error) {
	f = found{entry: entry}
	if entry.Kind != daybook.KindEvent {
		return f, false, nil
	}
	if f.event, err = entry.Event(); err != nil {
		return f, false, fmt.Errorf("read entry %d: %w", entry.Seq, err)
	}
	f.togo = togoOf(&f.event)
	if l.subjectType+l.subjectID != "" && !l.anyTarget {
		if len(f.event.Targets) == 0 {
			return f, false, nil
		}
		first := f.event.Targets[0]
		if l.subjectType != "" && first.Type != l.subjectType || l.subjectID != "" && first.ID != l.subjectID {
			return f, false, nil
		}
	}
	if l.action != "" {
		prefix, star := strings.CutSuffix(l.action, "*")
		if is := f.action(); star && !strings.HasPrefix(is, prefix) || !star && is != l.action {
			return f, false, nil
		}
	}
	return f, (f.togo.Kind == kindSnapshot) == l.snapshots && (l.snapshots || f.togo.Kind != kindRestore), nil
}

// action is the action as it was given to Log, else the event's.
func (f *found) action() string {
	if f.togo.Action != "" {
		return f.togo.Action
	}
	return f.event.Action
}

// query returns the question in the query language: every entry that is asked for matches it, and few others.
func (l *list) query() (string, error) {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case l.subjectType != "" && l.subjectID != "":
		add("%s", query.Target(l.subjectType, l.subjectID).String())
	case l.subjectType != "":
		add("target.type:%s", quoted(l.subjectType))
	case l.subjectID != "":
		add("target.id:%s", quoted(l.subjectID))
	}
	if l.causer != "" {
		add("actor.id:%s", quoted(l.causer))
	}
	if action, star := strings.CutSuffix(l.action, "*"); action != "" {
		p := quoted(action)
		if star {
			p = bare(action) + "*"
		}
		add("(action:%s OR meta.togo.action:%[1]s)", p)
	}
	const stamp = "2006-01-02T15:04:05.000000Z"
	if !l.from.IsZero() {
		add("received:>=%s", quoted(l.from.UTC().Format(stamp)))
	}
	if !l.to.IsZero() {
		add("received:<%s", quoted(l.to.UTC().Format(stamp)))
	}
	if l.snapshots {
		add("meta.togo.kind:%s", kindSnapshot)
	} else {
		add("-meta.togo.kind:%s,%s", kindSnapshot, kindRestore)
	}
	switch {
	case l.after.set && l.asc:
		add("seq:>%d", l.after.seq)
		if l.after.size > 0 {
			add("seq:<%d", l.after.size)
		}
	case l.after.set:
		add("seq:<%d", l.after.seq)
	}
	if l.below > 0 {
		add("seq:<%d", l.below)
	}
	if l.text != "" {
		if _, err := query.Parse(l.text, query.Options{}); err != nil {
			return "", invalid("q", err.Error())
		}
		add("(%s)", l.text)
	}
	return strings.Join(parts, " "), nil
}

// quoted returns s as a value of the query language that matches nothing else.
func quoted(s string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) + `"`
}

// bare returns s as the beginning of an unquoted value.
func bare(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(" \t\r\n\"(),\\*.", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// item is an entry as the routes show it. What is not there is null.
type item struct {
	ID          string          `json:"id"`
	Action      *string         `json:"action"`
	SubjectType *string         `json:"subject_type"`
	SubjectID   *string         `json:"subject_id"`
	CauserID    *string         `json:"causer_id"`
	Changes     json.RawMessage `json:"changes"`
	IP          *string         `json:"ip"`
	UserAgent   *string         `json:"user_agent"`
	CreatedAt   string          `json:"created_at"`
	Seq         int64           `json:"seq"`
}

func (f *found) item() item {
	action, e := f.action(), &f.event
	it := item{
		ID: f.entry.ID.String(), Action: optional(action), CauserID: optional(e.Actor.ID), IP: optional(e.Context.IP),
		UserAgent: optional(e.Context.UserAgent), CreatedAt: f.createdAt(), Seq: f.entry.Seq, Changes: f.changes(),
	}
	if len(e.Targets) > 0 {
		it.SubjectType, it.SubjectID = optional(e.Targets[0].Type), optional(e.Targets[0].ID)
	}
	return it
}

// createdAt is when it was recorded, in milliseconds.
func (f *found) createdAt() string {
	return time.UnixMicro(f.entry.ReceivedAt).UTC().Format("2006-01-02T15:04:05.000Z")
}

// changes returns what changed by name: as it was given to Log, else {"old":…,"new":…} of each path.
func (f *found) changes() json.RawMessage {
	if len(f.togo.Changes) > 0 {
		return f.togo.Changes
	}
	type sides struct {
		Old daybook.Value `json:"old"`
		New daybook.Value `json:"new"`
	}
	out := make(map[string]sides, len(f.event.Changes))
	for _, c := range f.event.Changes {
		name := strings.TrimPrefix(c.Path, "/")
		if !strings.Contains(name, "/") {
			name = pointer.Name(name)
		}
		out[name] = sides{plain(c.Old), plain(c.New)}
	}
	text, err := json.Marshal(out)
	if err != nil { // it was read from JSON
		return json.RawMessage("{}")
	}
	return text
}

// plain returns v without the wrapping of objects that look like a mark.
func plain(v daybook.Value) daybook.Value {
	var whole daybook.Value
	if raw := v.Raw(); raw != nil && whole.UnmarshalJSON(raw) == nil {
		return whole
	}
	return v
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
