package crm

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/query"
)

// Bounds of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Filter says which entries are listed. Fields that are zero ask for nothing; those that are set must all hold.
type Filter struct {
	Action, EntityType []string // any of: numbers, or names
	NumberIdentifier   []string // any of, as text
	User               string   // its id as text, deleted or not
	NoUser             bool     // only entries that show no user: there was none, or it was deleted
	UserEmail          string   // in any case
	IsImpersonated     *bool
	ImpersonatedBy     string    // id of the real person
	Changed            []string  // fields of the difference, all of them
	From, To           time.Time // of CreatedAt, [From, To)
	Query              string    // docs/reference/query-language.md
	Oldest             bool      // oldest first; otherwise newest first
	Limit              int       // 1 to 500; 0: 50
	Cursor             string    // of the page before, with everything else but Limit as it was
	All                bool      // also what was recorded in other ways
}

// Page is one page of entries.
type Page struct {
	Entries    []Entry
	NextCursor string // empty at the end
	Query      string // what was asked of the log, in normal form
	From, To   *int64 // bounds of it, µs
}

// rounds is how many searches one page takes at most: a condition that a log cannot answer is held entry by entry.
const rounds = 40

// List returns a page. All pages of a list are those of the log as it was at the first one. A page may be short although another
// follows. What is wrong with f is an *Error of CodeInvalid that names the parameter in Field.
func List(ctx context.Context, find Finder, org daybook.OrgID, r *Registry, f Filter) (*Page, error) {
	q, err := f.question(org, r)
	if err != nil {
		return nil, err
	}
	limit := f.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	out := &Page{}
	for range rounds {
		q.Limit = limit - len(out.Entries)
		page, err := find.Search(ctx, q)
		if daybook.CodeOf(err) == daybook.CodeNotFound {
			return out, nil // there is no log yet
		}
		if err != nil {
			return nil, err
		}
		out.Query, out.From, out.To = page.Query, page.From, page.To
		if err := f.gather(ctx, find, org, r, page.Entries, out); err != nil {
			return nil, err
		}
		if out.NextCursor = page.NextCursor; out.NextCursor == "" || len(out.Entries) == limit {
			break
		}
		q.Cursor = out.NextCursor
	}
	return out, nil
}

// gather adds the entries that hold what a log cannot be asked.
func (f *Filter) gather(ctx context.Context, find Finder, org daybook.OrgID, r *Registry, entries []daybook.Entry, out *Page) error {
	read := make([]Entry, 0, len(entries))
	for i := range entries {
		x, err := Read(&entries[i], r)
		if err != nil {
			return err
		}
		read = append(read, x)
	}
	if err := HideDeleted(ctx, find, org, read); err != nil {
		return err
	}
	for i := range read {
		if x := &read[i]; f.holds(x) {
			out.Entries = append(out.Entries, *x)
		}
	}
	return nil
}

func (f *Filter) holds(x *Entry) bool {
	switch {
	case f.NoUser && string(x.User) != "null":
		return false
	case f.UserEmail != "" && (x.UserEmail == nil || !strings.EqualFold(*x.UserEmail, f.UserEmail)):
		return false
	case f.ImpersonatedBy != "" && (x.ImpersonatedBy == nil || x.ImpersonatedBy.actorID != f.ImpersonatedBy):
		return false
	}
	return true
}

// question is f as a search.
func (f *Filter) question(org daybook.OrgID, r *Registry) (daybook.EventQuery, error) {
	q := daybook.EventQuery{Org: org, Asc: f.Oldest, Cursor: f.Cursor}
	if f.Limit < 0 || f.Limit > MaxLimit {
		return q, invalid("limit", "limit is a whole number from 1 to %d.", MaxLimit)
	}
	for name, bound := range map[string]struct {
		at time.Time
		to *int64
	}{"from": {f.From, &q.From}, "to": {f.To, &q.To}} {
		if bound.at.IsZero() {
			continue
		}
		if bound.at.Year() < 1970 || bound.at.Year() > 9999 {
			return q, invalid(name, "%s lies in the years 1970 to 9999.", name)
		}
		at := bound.at.UnixMicro()
		if bound.at.Nanosecond()%1000 > 0 {
			at++
		}
		*bound.to = max(at, 1)
	}
	parts, err := f.conditions(r)
	if err != nil {
		return q, err
	}
	if f.Query != "" {
		if _, err := query.Parse(f.Query, query.Options{Now: time.Unix(0, 0)}); err != nil {
			return q, &daybook.Error{Code: daybook.CodeInvalid, Rule: "query_invalid", Field: "q", Message: "the query is wrong", Err: err}
		}
		parts = append(parts, "("+f.Query+")")
	}
	q.Text = strings.Join(parts, " ")
	return q, nil
}

func invalid(field, format string, args ...any) error {
	return &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_value", Field: field, Message: fmt.Sprintf(format, args...)}
}

// conditions are the parts of f that a log can be asked.
func (f *Filter) conditions(r *Registry) ([]string, error) {
	var parts []string
	if !f.All {
		parts = append(parts, "has:meta.crm.entityType")
	}
	actions, err := f.names("action", f.Action, r.Actions)
	if err != nil {
		return nil, err
	}
	types, err := f.names("entityType", f.EntityType, r.EntityTypes)
	if err != nil {
		return nil, err
	}
	var user []string
	if f.User != "" {
		user = []string{f.User}
	}
	var by []string
	if f.ImpersonatedBy != "" {
		by = []string{f.ImpersonatedBy}
	}
	var email []string
	if f.UserEmail != "" {
		email = []string{f.UserEmail}
	}
	for _, c := range []struct {
		field  string
		values []string
	}{
		{"action", actions}, {"target.type", types}, {"target.id", f.NumberIdentifier}, {"actor.id", user}, {"actor.email", email}, {"via", by},
	} {
		if len(c.values) > 0 {
			parts = append(parts, c.field+":"+anyOf(c.values))
		}
	}
	for _, name := range f.Changed {
		parts = append(parts, "changed:"+literal("/"+pointer.Step(name)))
	}
	if f.IsImpersonated != nil {
		part := "has:via"
		if !*f.IsImpersonated {
			part = "-" + part
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// names returns the names of values that are given as numbers or names. One that the enum does not know is an error, unless everything
// is listed.
func (f *Filter) names(field string, values []string, n *Numbers) ([]string, error) {
	var names []string
	for _, v := range values {
		if number, err := strconv.Atoi(v); err == nil {
			name, ok := n.Name(number)
			if !ok {
				return nil, invalid(field, "there is no %s %d.", field, number)
			}
			names = append(names, name)
			continue
		}
		if _, ok := n.Number(v); !ok && !f.All {
			return nil, invalid(field, "there is no %s %q.", field, v)
		}
		names = append(names, v)
	}
	return names, nil
}

// anyOf writes values of the query language, of which one must hold.
func anyOf(values []string) string {
	written := make([]string, len(values))
	for i, v := range values {
		written[i] = literal(v)
	}
	return strings.Join(written, ",")
}

// literal writes a value of the query language in which nothing has a meaning.
func literal(value string) string {
	if value == "" {
		return `""`
	}
	var b strings.Builder
	for _, c := range value {
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// perQuestion is how many users one search asks for: a query has at most 4,096 bytes.
const (
	perQuestion  = 40
	longQuestion = 3000
)

// HideDeleted nulls the users of entries that have been deleted. Nothing is rewritten: that a user was deleted is itself in the log.
func HideDeleted(ctx context.Context, find Finder, org daybook.OrgID, entries []Entry) error {
	var ids []string
	for i := range entries {
		if string(entries[i].User) != "null" {
			ids = append(ids, entries[i].ActorID)
		}
		if by := entries[i].ImpersonatedBy; by != nil && by.actorID != unknown {
			ids = append(ids, by.actorID)
		}
	}
	slices.Sort(ids)
	deleted, err := deletedOf(ctx, find, org, slices.Compact(ids))
	if err != nil {
		return err
	}
	for i := range entries {
		entries[i].hide(deleted)
	}
	return nil
}

// deletedOf returns which of the users were deleted.
func deletedOf(ctx context.Context, find Finder, org daybook.OrgID, ids []string) (map[string]bool, error) {
	deleted := map[string]bool{}
	for len(ids) > 0 {
		n, size := 0, 0
		for n < len(ids) && n < perQuestion && (n == 0 || size+len(literal(ids[n])) < longQuestion) {
			size += len(literal(ids[n]))
			n++
		}
		q := daybook.EventQuery{Org: org, Text: "action:" + UserDeleted + " target.type:user target.id:" + anyOf(ids[:n]), Limit: daybook.MaxLimit}
		ids = ids[n:]
		for {
			page, err := find.Search(ctx, q)
			if err != nil {
				return nil, fmt.Errorf("look for deleted users: %w", err)
			}
			for i := range page.Entries {
				if d, ok := ReadDeletion(&page.Entries[i]); ok {
					deleted[d.ActorID] = true
				}
			}
			if page.NextCursor == "" {
				break
			}
			q = daybook.EventQuery{Org: org, Limit: q.Limit, Cursor: page.NextCursor}
		}
	}
	return deleted, nil
}
