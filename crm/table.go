package crm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync/atomic"

	"github.com/daybook-audit/daybook"
)

// Table records and reads the audit log of one org. It has no way to change or delete an entry. Safe for concurrent use.
type Table struct {
	clerk    *daybook.Clerk
	find     Finder
	org      daybook.OrgID
	registry atomic.Pointer[Registry]
}

// Open holds the enums of the application against the numbering of the org and returns the Table. A constant that is renumbered, renamed
// or missing, and a new one that skips a number, is an error that names value and both names, as [Check] does; then nothing was recorded.
// Constants that are new and continue at the largest plus one are appended, durable on return; into an empty numbering they may have any
// numbers. Two programs that open at once agree on one numbering.
//
// find is a *daybook.Book or a *client.Client, and reads what the clerk records.
func Open(ctx context.Context, c *daybook.Clerk, find Finder, org daybook.OrgID, actions, entities Enum) (*Table, error) {
	t := &Table{clerk: c, find: find, org: org}
	for _, one := range []struct {
		kind Kind
		enum Enum
	}{{Actions, actions}, {EntityTypes, entities}} {
		if err := t.number(ctx, one.kind, one.enum); err != nil {
			return nil, fmt.Errorf("open the audit log of %s: %s: %w", org, one.kind, err)
		}
	}
	return t, nil
}

func (t *Table) number(ctx context.Context, kind Kind, enum Enum) error {
	read := func() (*Registry, error) { return ReadRegistry(ctx, t.find, t.org, nil) }
	plan := func(r *Registry) ([]Value, error) {
		n := r.Of(kind)
		known := n.Enum()
		if err := Check(known, enum.among(n)); err != nil {
			return nil, err
		}
		if err := errors.Join(enum.check()...); err != nil {
			return nil, err
		}
		var values []Value
		for _, v := range slices.Sorted(maps.Keys(enum)) {
			if known[v] == "" {
				values = append(values, Value{v, enum[v]})
			}
		}
		return values, nil
	}
	record := func(events []daybook.Event) (again bool, err error) {
		for i := range events {
			events[i].Org = t.org
			receipt, err := t.clerk.Record(ctx, events[i])
			if err != nil {
				return false, err
			}
			again = again || receipt.Duplicate
		}
		return again, nil
	}
	r, err := Append(kind, daybook.System("crm"), read, plan, record)
	if err != nil {
		return err
	}
	t.registry.Store(r)
	return nil
}

// among returns what of e is held against n: everything, unless n may lack values. Then new ones may have any numbers.
func (e Enum) among(n *Numbers) Enum {
	if !n.Free() {
		return e
	}
	held := Enum{}
	for v, name := range e {
		_, byNumber := n.Name(v)
		_, byName := n.Number(name)
		if byNumber || byName {
			held[v] = name
		}
	}
	return held
}

// Event is one action of a user of the CRM.
type Event struct {
	Action, EntityType int
	NumberIdentifier   string // of the record: strconv.Itoa for an integer
	Previous, Current  any    // encoded as JSON objects; nil: none
	User               *User  // nil: the actor of the context
	ImpersonatedBy     *User  // nil: the first via of the context's actor
}

// User is a user of the CRM.
type User struct{ ID, Email string }

var integer = regexp.MustCompile(`^(0|[1-9][0-9]{0,15})$`)

// idJSON is an id as JSON: an integer, if that is how one is written.
func idJSON(id string) json.RawMessage {
	if integer.MatchString(id) {
		return json.RawMessage(id)
	}
	return quoted(id)
}

// Record records one action; what differs is computed from Previous and Current, then the values of secrets are masked as the Clerk does.
// It returns as [daybook.Clerk.Record] does: with nil, the entry is durable. An action or entity type that was not given to [Open] is an
// error.
func (t *Table) Record(ctx context.Context, e Event) (daybook.Receipt, error) {
	r := t.registry.Load()
	d := Deed{Action: Value{Value: e.Action}, EntityType: Value{Value: e.EntityType}, NumberIdentifier: idJSON(e.NumberIdentifier)}
	var ok bool
	if d.Action.Name, ok = r.Actions.Name(e.Action); !ok {
		return daybook.Receipt{}, invalid("action", "unknown action %d", e.Action)
	}
	if d.EntityType.Name, ok = r.EntityTypes.Name(e.EntityType); !ok {
		return daybook.Receipt{}, invalid("entityType", "unknown entityType %d", e.EntityType)
	}
	if e.NumberIdentifier == "" {
		return daybook.Receipt{}, invalid("numberIdentifier", "numberIdentifier is required")
	}
	var err error
	if d.Previous, err = object("previous", e.Previous); err != nil {
		return daybook.Receipt{}, err
	}
	if d.Current, err = object("current", e.Current); err != nil {
		return daybook.Receipt{}, err
	}
	if e.User != nil {
		d.User, d.UserEmail = idJSON(e.User.ID), e.User.Email
	}
	if e.ImpersonatedBy != nil {
		d.Impersonated, d.ImpersonatedBy, d.ImpersonatorEmail = true, idJSON(e.ImpersonatedBy.ID), e.ImpersonatedBy.Email
	}
	event, err := d.Event()
	if err != nil {
		return daybook.Receipt{}, err
	}
	if e.User == nil && e.ImpersonatedBy == nil {
		event.Actor = daybook.Actor{} // that of the context
	} else if e.User == nil {
		return daybook.Receipt{}, invalid("user", "ImpersonatedBy without User: the actor of the context has its own via")
	}
	event.Org = t.org
	return t.clerk.Record(ctx, event)
}

// object encodes a record as JSON.
func object(name string, v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if string(text) == "null" {
		return nil, nil
	}
	if _, err := fields(text); err != nil {
		return nil, invalid(name, "%s is not encoded as a JSON object", name)
	}
	return text, nil
}

// List returns entries and the cursor of the next page; empty: there is none. Entries of deleted users show no user.
func (t *Table) List(ctx context.Context, f Filter) (entries []Entry, cursor string, err error) {
	page, err := List(ctx, t.find, t.org, t.registry.Load(), f)
	if err != nil {
		return nil, "", err
	}
	return page.Entries, page.NextCursor, nil
}

// UserDeleted records that a user was deleted: every entry of that user shows none from then on, whenever it was recorded, and keeps the
// e-mail and the actor's id. To do it again changes nothing.
func (t *Table) UserDeleted(ctx context.Context, userID string) error {
	if userID == "" {
		return invalid("user", "user is required")
	}
	deleted, err := deletedOf(ctx, t.find, t.org, []string{userID})
	if err != nil && daybook.CodeOf(err) != daybook.CodeNotFound || deleted[userID] {
		return err
	}
	e, err := DeletionEvent(idJSON(userID), daybook.Actor{})
	if err != nil {
		return err
	}
	e.Org = t.org
	if _, err = t.clerk.Record(ctx, e); daybook.CodeOf(err) == daybook.CodeConflict {
		return nil // somebody else was faster
	}
	return err
}
