// Package activity has the calls of activity-log packages (Log, LogChange, Snapshot, Restore, Activity), a middleware that says who acts,
// and the routes that show it, all over one append-only log. The statements of the README of togo-framework/audit compile unchanged with
//
//	import audit "github.com/daybook-audit/daybook/activity"
//
// What maps to what, and what is better: docs/guides/move-from-togo.md.
package activity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pointer"
)

// A Finder looks into the log: a *daybook.Book or a *client.Client.
type Finder interface {
	Search(ctx context.Context, q daybook.EventQuery) (*daybook.Page, error)
}

// Activity records who changed what, with differences and snapshots, and finds it again. It is safe for concurrent use.
type Activity struct {
	clerk *daybook.Clerk
	db    daybook.OutboxDB // nil: the log alone
	find  Finder
}

// New returns an Activity that records with c and looks into find. With db, snapshots are also kept in the application's own database, in
// one transaction with their event, which a daybook.Relay moves on; without it (nil) they are in the log alone.
func New(c *daybook.Clerk, db daybook.OutboxDB, find Finder) *Activity {
	return &Activity{clerk: c, db: db, find: find}
}

// kernelKey is the name under which an Activity stands in a container.
const kernelKey = "audit"

// FromKernel returns the *Activity that [Activity.Register] stored in k, such as a *togo.Kernel.
func FromKernel(k interface{ Get(string) (any, bool) }) (*Activity, bool) {
	v, ok := k.Get(kernelKey)
	if !ok {
		return nil, false
	}
	a, ok := v.(*Activity)
	return a, ok
}

// Register stores a in k, where FromKernel finds it.
func (a *Activity) Register(k interface{ Set(string, any) }) { k.Set(kernelKey, a) }

// Log records that causerID did action to a thing, with the changes as given: a value that is exactly {"old": x, "new": y} is a change of
// that field, any other the new value alone. An action without a dot becomes "<subjectType>.<action>"; an empty causerID is the actor of
// ctx, and daybook.ErrNoActor when there is none. It returns once the event is durable, or as the Clerk's failure policy says; the map is
// not kept. An empty action, subjectType or subjectID is a *daybook.Error that names the field.
func (a *Activity) Log(ctx context.Context, action, subjectType, subjectID, causerID string, changes map[string]any) error {
	e, err := deed(action, subjectType, subjectID, causerID)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		c := daybook.Change{Path: "/" + pointer.Step(key)}
		if both, ok := pair(changes[key]); ok {
			c.Old, c.New = value(both["old"]), value(both["new"])
		} else {
			c.New = value(changes[key])
		}
		e.Changes = append(e.Changes, c)
	}
	mark := togo{Action: action, Kind: kindActivity}
	if len(changes) > 0 {
		mark.Changes = value(changes).Raw()
	}
	return a.record(ctx, e, mark)
}

// LogChange is Log with the difference between two states, member by member at the top level; values are compared whole, numbers exactly,
// times by instant in microseconds. A nil before is a creation, a nil after a deletion. When nothing changed nothing is recorded.
func (a *Activity) LogChange(ctx context.Context, action, subjectType, subjectID, causerID string, before, after map[string]any) error {
	e, err := deed(action, subjectType, subjectID, causerID)
	if err != nil {
		return err
	}
	if e.Changes, err = difference(before, after); err != nil || len(e.Changes) == 0 {
		return err
	}
	return a.record(ctx, e, togo{Action: action, Kind: kindActivity})
}

// record records e with its mark.
func (a *Activity) record(ctx context.Context, e daybook.Event, mark togo) error {
	var err error
	if e.Metadata, err = mark.metadata(); err != nil {
		return err
	}
	_, err = a.clerk.Record(ctx, e)
	return err
}

// deed returns the event of an action.
func deed(action, subjectType, subjectID, causerID string) (daybook.Event, error) {
	for _, f := range [...]struct{ name, value string }{{"action", action}, {"subject_type", subjectType}, {"subject_id", subjectID}} {
		if f.value == "" {
			return daybook.Event{}, &daybook.Error{Code: daybook.CodeInvalid, Rule: "required", Field: f.name, Message: f.name + " is empty."}
		}
	}
	e := daybook.Event{Action: action, Targets: []daybook.Target{{Type: subjectType, ID: subjectID}}}
	if !strings.Contains(action, ".") {
		e.Action = subjectType + "." + action
	}
	if causerID != "" {
		e.Actor = daybook.Actor{Type: "user", ID: causerID}
	}
	return e, nil
}

// Kinds of what this package records.
const (
	kindActivity = "activity"
	kindSnapshot = "snapshot"
	kindRestore  = "restore"
)

// togo is what an event carries under metadata.togo.
type togo struct {
	Kind     string          `json:"kind"`
	Action   string          `json:"action,omitempty"`   // as it was given
	Changes  json.RawMessage `json:"changes,omitempty"`  // as they were given to Log
	Snapshot json.RawMessage `json:"snapshot,omitempty"` // the state
	Number   int64           `json:"number,omitempty"`   // of the snapshot, when a database has counted it; else its rank in the log
	Version  string          `json:"version,omitempty"`  // the id of the snapshot that was restored
}

func (t togo) metadata() (json.RawMessage, error) {
	text, err := json.Marshal(struct {
		Togo togo `json:"togo"`
	}{t})
	if err != nil {
		return nil, fmt.Errorf("encode what was given: %w", err)
	}
	return text, nil
}

// togoOf reads metadata.togo of an event; zero when there is none.
func togoOf(e *daybook.Event) togo {
	var m struct {
		Togo togo `json:"togo"`
	}
	if json.Unmarshal(e.Metadata, &m) != nil {
		return togo{}
	}
	return m.Togo
}

// pair returns v when it is exactly {"old": x, "new": y}.
func pair(v any) (map[string]any, bool) {
	both, ok := v.(map[string]any)
	if !ok || len(both) != 2 {
		return nil, false
	}
	_, hasOld := both["old"]
	_, hasNew := both["new"]
	return both, hasOld && hasNew
}

// held holds a value where daybook.Diff takes it as one member.
type held struct{ V any }

// value returns v as an event shows it: what cannot be encoded is "!unencodable".
func value(v any) daybook.Value {
	changes, err := daybook.Diff(nil, &held{v}, daybook.DiffOptions{MaxChanges: 1})
	if err != nil || len(changes) != 1 {
		return daybook.JSON(json.RawMessage(`"!unencodable"`))
	}
	return changes[0].New
}

// difference returns one change for each member that is not the same in both.
func difference(before, after map[string]any) (daybook.Changes, error) {
	names := maps.Clone(before)
	if names == nil {
		names = map[string]any{}
	}
	maps.Copy(names, after)
	var out daybook.Changes
	for _, key := range slices.Sorted(maps.Keys(names)) {
		was, had := before[key]
		is, has := after[key]
		if had && has {
			changes, err := daybook.Diff(&held{was}, &held{is}, daybook.DiffOptions{})
			if err != nil {
				return nil, fmt.Errorf("compare %s: %w", key, err)
			}
			if len(changes) == 0 {
				continue
			}
		}
		c := daybook.Change{Path: "/" + pointer.Step(key)}
		if had {
			c.Old = value(was)
		}
		if has {
			c.New = value(is)
		}
		out = append(out, c)
	}
	return out, nil
}

// Filter says which activity is asked for; zero fields match everything.
type Filter struct {
	SubjectType, SubjectID, CauserID string
	Action                           string    // as it was given to Log: exact, or a prefix with a trailing *
	Cursor                           string    // of the last entry of the page before: see After
	From, To                         time.Time // when it was recorded: [From, To)
	Limit                            int       // default 50, at most 1,000
}

// After returns the Cursor that goes on after e.
func After(e daybook.Entry) string { return cursor{seq: e.Seq}.String() }

// Activity returns what matches f, newest first, of the org of ctx: every entry of the log, however it was recorded, except snapshots and
// restores.
func (a *Activity) Activity(ctx context.Context, f Filter) ([]daybook.Entry, error) {
	l := list{
		org: a.clerk.Org(ctx), subjectType: f.SubjectType, subjectID: f.SubjectID, causer: f.CauserID, action: f.Action, from: f.From, to: f.To,
		limit: f.Limit,
	}
	if f.Limit < 0 || f.Limit > daybook.MaxLimit {
		return nil, &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_value", Field: "limit", Message: "limit is 1 to 1000."}
	}
	if f.Limit == 0 {
		l.limit = daybook.DefaultLimit
	}
	if f.Cursor != "" {
		var err error
		if l.after, err = parseCursor(f.Cursor); err != nil {
			return nil, err
		}
	}
	found, _, err := l.run(ctx, a.find)
	if err != nil {
		return nil, err
	}
	entries := make([]daybook.Entry, len(found))
	for i := range found {
		entries[i] = found[i].entry
	}
	return entries, nil
}

// errNotFound is the one answer for a version that is not there for this caller.
var errNotFound = fmt.Errorf("no such version: %w", daybook.ErrNotExist)

// notThere reports whether err says that something is not there.
func notThere(err error) bool {
	return errors.Is(err, daybook.ErrNotExist) || daybook.CodeOf(err) == daybook.CodeNotFound
}
