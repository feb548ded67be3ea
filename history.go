package daybook

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"time"

	"github.com/daybook-audit/daybook/internal/appsql"
	"github.com/daybook-audit/daybook/internal/difference"
)

// Errors of a [History].
var (
	// ErrConflict says that somebody else saved meanwhile: read again, and decide again. The transaction is still of use.
	ErrConflict = errors.New("daybook: somebody else saved meanwhile")
	// ErrDeleted says that the thing was deleted at the time asked for.
	ErrDeleted = errors.New("daybook: it is deleted")
	// ErrNotRestorable says that a version holds masked values that nobody supplied. Roll back: the restored state is incomplete.
	ErrNotRestorable = errors.New("daybook: the version has masked values that were not supplied")
)

// ExpectAny saves whatever the last version is.
const ExpectAny int64 = -1

// History keeps full versions of one type in the application's database: append-only, numbered 1, 2, 3 … per id without gaps, each bound to
// the event that made it, which goes through the outbox in the same transaction. What is kept is the state after the change, as
// encoding/json writes it, less what the tags and options of [Diff] and the Clerk's Redactor hide.
//
// The org is that of the context, else the Clerk's. A History is safe for concurrent use.
type History[T any] struct {
	clerk      *Clerk
	db         Querier
	targetType string
	o          HistoryOptions
}

// HistoryOptions are those of a History. The zero value works.
type HistoryOptions struct {
	Schema int // version of T's shape, default 1
	// Upcast[n] lifts a document from shape n to n+1, so that old versions stay readable when T changes. It sees hidden values as
	// {"$masked":…} and {"$hash":…}.
	Upcast map[int]func(json.RawMessage) (json.RawMessage, error)
	Diff   DiffOptions // its Secret: by default the Clerk's
}

// Version says what is known of a version but its state.
type Version struct {
	Number       int64 // 1, 2, 3 …
	EventID      ID    // of the event that made it
	At           time.Time
	Actor        Actor
	Deleted      bool // a tombstone: its state is the last one before
	Schema       int
	RestoredFrom int64 // the number of the version that was restored; 0 unless made by Restore
}

// NewHistory returns the history of the things of targetType. It writes through the transactions it is given and reads from db; the table
// is that of [OutboxSchema].
func NewHistory[T any](c *Clerk, db Querier, targetType string, o HistoryOptions) *History[T] {
	setDefault(&o.Schema, 1)
	if o.Diff.Secret == nil {
		o.Diff.Secret = c.o.Secret
	}
	return &History[T]{clerk: c, db: db, targetType: targetType, o: o}
}

// storedVersion is a row of daybook_versions.
type storedVersion struct {
	Version
	doc string
}

// Save appends v as the next version of id inside tx, and records "<type>.created" or "<type>.updated" with the difference. expect is the
// number that the caller last saw (0: it does not exist, or is deleted): [ErrConflict] when someone saved meanwhile; ExpectAny skips the
// check. When nothing changed but what is quiet, nothing is appended or recorded, and the last version is returned.
//
// A hidden value whose old state is not known counts as unchanged; with a Secret changes of masked values are known, too. Two
// transactions that save the same id wait for each other.
func (h *History[T]) Save(ctx context.Context, tx Tx, id string, v *T, expect int64) (Version, error) {
	if v == nil {
		return Version{}, &Error{Code: CodeInvalid, Rule: "required", Field: "v", Message: "there is nothing to save; Delete appends a tombstone."}
	}
	return h.append(ctx, tx, addition[T]{id: id, state: v, expect: expect})
}

// Delete appends a tombstone that keeps the last state, so that undelete is Restore, and records "<type>.deleted". [ErrNotExist] when id has
// no version, [ErrDeleted] with the tombstone when it is deleted already.
func (h *History[T]) Delete(ctx context.Context, tx Tx, id string) (Version, error) {
	return h.append(ctx, tx, addition[T]{id: id, expect: ExpectAny})
}

// Get returns version n of id, or [ErrNotExist]. Hidden values are zero. A tombstone comes with the state before it.
func (h *History[T]) Get(ctx context.Context, id string, n int64) (*T, Version, error) {
	return h.read(ctx, func(s *appsql.Statements) string { return s.VersionNo }, id, n)
}

// At returns the state of id as of t: [ErrNotExist] before its creation, [ErrDeleted] with the tombstone while it was deleted. Versions
// of one id have ascending times, whatever the clocks of those who saved.
func (h *History[T]) At(ctx context.Context, id string, t time.Time) (*T, Version, error) {
	v, version, err := h.read(ctx, func(s *appsql.Statements) string { return s.VersionAsOf }, id, t.UnixMicro())
	if err == nil && version.Deleted {
		return nil, version, ErrDeleted
	}
	return v, version, err
}

// All yields the versions of id, newest first. It holds nothing open between two.
func (h *History[T]) All(ctx context.Context, id string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		org, s, err := h.where(ctx, h.db)
		if err != nil {
			yield(Version{}, err)
			return
		}
		const page = 100
		below := int64(1) << 62
		for {
			versions, err := appsql.All(ctx, h.db, s.Versions, []any{string(org), h.targetType, id, below, page}, (*storedVersion).columns)
			if err != nil {
				yield(Version{}, fmt.Errorf("list versions of %s %s: %w", h.targetType, id, err))
				return
			}
			for i := range versions {
				if !yield(versions[i].Version, nil) {
					return
				}
				below = versions[i].Number
			}
			if len(versions) < page {
				return
			}
		}
	}
}

// Diff returns what changed between two versions of id. A hidden value that cannot be compared counts as unchanged.
func (h *History[T]) Diff(ctx context.Context, id string, from, to int64) (Changes, error) {
	org, s, err := h.where(ctx, h.db)
	if err != nil {
		return nil, err
	}
	var trees [2]*difference.Tree
	for i, n := range [2]int64{from, to} {
		one, err := h.one(ctx, h.db, s.VersionNo, org, id, n)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", n, err)
		}
		state, err := h.state(&one)
		if err != nil {
			return nil, err
		}
		trees[i] = state.Tree
	}
	return h.difference(trees[0], trees[1])
}

// RestorePlan says what Restore would change, and what it cannot.
type RestorePlan struct {
	Changes Changes  // from the last state to the one to restore
	Masked  []string // pointers to values that the version hides: apply must supply them
	Unknown []string // pointers to members that T no longer has
}

// Plan says what Restore of version n would change and what it cannot. It changes nothing.
func (h *History[T]) Plan(ctx context.Context, id string, n int64) (RestorePlan, error) {
	org, s, err := h.where(ctx, h.db)
	if err != nil {
		return RestorePlan{}, err
	}
	one, err := h.one(ctx, h.db, s.VersionNo, org, id, n)
	if err != nil {
		return RestorePlan{}, fmt.Errorf("version %d: %w", n, err)
	}
	then, err := h.state(&one)
	if err != nil {
		return RestorePlan{}, err
	}
	if one, err = h.one(ctx, h.db, s.LastVersion, org, id); err != nil {
		return RestorePlan{}, fmt.Errorf("the last version: %w", err)
	}
	var now *difference.Tree
	if !one.Deleted {
		state, err := h.state(&one)
		if err != nil {
			return RestorePlan{}, err
		}
		now = state.Tree
	}
	changes, err := h.difference(now, then.Tree)
	return RestorePlan{Changes: changes, Masked: then.Hidden, Unknown: then.Unknown}, err
}

// Restore hands the state of version n to apply, which writes it inside tx as the application writes its own changes, checks included;
// what apply leaves in it is appended as a new version, and "<type>.restored" is recorded. apply supplies hidden values: when one is
// still zero afterwards, the error is [ErrNotRestorable], and tx must be rolled back, as after every error.
func (h *History[T]) Restore(ctx context.Context, tx Tx, id string, n int64, apply func(ctx context.Context, v *T) error) (Version, error) {
	org, s, err := h.where(ctx, tx)
	if err != nil {
		return Version{}, err
	}
	one, err := h.one(ctx, tx, s.VersionNo, org, id, n)
	if err != nil {
		return Version{}, fmt.Errorf("version %d: %w", n, err)
	}
	then, err := h.state(&one)
	if err != nil {
		return Version{}, err
	}
	if err := apply(ctx, then.value); err != nil {
		return Version{}, err
	}
	supplied, err := difference.Of(reflect.ValueOf(then.value), true)
	if err != nil {
		return Version{}, err
	}
	for _, pointer := range then.Hidden {
		if !supplied.Supplied(pointer) {
			return Version{}, fmt.Errorf("%s of version %d: %w", pointer, n, ErrNotRestorable)
		}
	}
	return h.append(ctx, tx, addition[T]{id: id, state: then.value, expect: ExpectAny, restored: n})
}

// addition is a version to be.
type addition[T any] struct {
	id       string
	state    *T // nil: a tombstone
	expect   int64
	restored int64
}

// append adds a version and its event.
func (h *History[T]) append(ctx context.Context, tx Tx, a addition[T]) (Version, error) {
	org, s, err := h.where(ctx, tx)
	if err != nil {
		return Version{}, err
	}
	if s.Claim != "" {
		if _, err := tx.Exec(ctx, s.Claim, string(org), h.targetType, a.id); err != nil {
			return Version{}, fmt.Errorf("wait for the turn to save %s %s: %w", h.targetType, a.id, err)
		}
	}
	last, err := h.one(ctx, tx, s.LatestVersion, org, a.id)
	eventID := h.clerk.o.NewID()
	for err == nil || errors.Is(err, ErrNotExist) {
		next, event, stop := h.next(&a, &last)
		if stop != nil || next.Number == last.Number {
			return next.Version, stop
		}
		event.ID, event.Org = eventID, org
		event, text, stop := h.clerk.outgoing(ctx, event)
		if stop != nil {
			return Version{}, stop
		}
		next.EventID, next.Actor = event.ID, event.Actor
		kept, stop := next.keep(ctx, tx, s, org, h.targetType, a.id)
		if stop != nil {
			return Version{}, fmt.Errorf("keep version %d of %s %s: %w", next.Number, h.targetType, a.id, stop)
		}
		if kept {
			if silenced(ctx, h.clerk) {
				return next.Version, nil
			}
			return next.Version, h.clerk.post(ctx, tx, s, &event, text)
		}
		// Another transaction committed this number after our read. Where ours cannot see that, it can only begin again.
		was := last.Number
		if last, err = h.one(ctx, tx, s.LatestVersion, org, a.id); last.Number <= was {
			return Version{}, errors.Join(ErrConflict, err)
		}
	}
	return Version{}, fmt.Errorf("read the last version of %s %s: %w", h.targetType, a.id, err)
}

// next returns what follows last, with its event; last itself when nothing changed.
func (h *History[T]) next(a *addition[T], last *storedVersion) (storedVersion, Event, error) {
	exists := last.Number > 0 && !last.Deleted
	if a.expect != ExpectAny && a.expect != last.Number && (a.expect != 0 || exists) {
		return storedVersion{}, Event{}, fmt.Errorf("%s %s is at version %d, not %d: %w", h.targetType, a.id, last.Number, a.expect, ErrConflict)
	}
	next := storedVersion{Version: Version{
		Number: last.Number + 1, Deleted: a.state == nil, Schema: h.o.Schema, RestoredFrom: a.restored, At: truncated(h.clerk.o.Now()),
	}}
	if !next.At.After(last.At) {
		next.At = last.At.Add(time.Microsecond)
	}
	var before, after *difference.Tree
	verb := "updated"
	if exists {
		was, err := h.state(last)
		if err != nil {
			return storedVersion{}, Event{}, err
		}
		before = was.Tree
	}
	var err error
	switch {
	case a.state == nil && last.Number == 0:
		return storedVersion{}, Event{}, ErrNotExist
	case a.state == nil && last.Deleted:
		return *last, Event{}, ErrDeleted
	case a.state == nil:
		verb, next.doc, next.Schema = "deleted", last.doc, last.Schema
	default:
		if next.doc, err = h.document(a.state); err != nil {
			return storedVersion{}, Event{}, err
		}
		is, err := h.state(&next)
		if err != nil {
			return storedVersion{}, Event{}, err
		}
		after = is.Tree
		if !exists {
			verb = "created"
		}
	}
	if a.restored > 0 {
		verb = "restored"
	}
	changes, err := h.difference(before, after)
	if err != nil {
		return storedVersion{}, Event{}, err
	}
	if len(changes) == 0 && verb == "updated" {
		return *last, Event{}, nil
	}
	return next, Event{
		Action: h.targetType + "." + verb, Targets: []Target{{Type: h.targetType, ID: a.id}}, Changes: changes, Metadata: next.metadata(),
	}, nil
}

// metadata binds the event to the version: its number, and the SHA-256 of the document that is kept.
func (v *storedVersion) metadata() json.RawMessage {
	sum := sha256.Sum256([]byte(v.doc))
	from := ""
	if v.RestoredFrom > 0 {
		from = fmt.Sprintf(`,"restored_from":%d`, v.RestoredFrom)
	}
	return fmt.Appendf(nil, `{"version":{"number":%d,"sha256":%q%s}}`, v.Number, base64.StdEncoding.EncodeToString(sum[:]), from)
}

// keep inserts the row; false: the number is taken.
func (v *storedVersion) keep(ctx context.Context, tx Tx, s *appsql.Statements, org OrgID, targetType, id string) (bool, error) {
	actor, err := json.Marshal(v.Actor)
	if err != nil {
		return false, fmt.Errorf("encode the actor: %w", err)
	}
	deleted := 0
	if v.Deleted {
		deleted = 1
	}
	n, err := tx.Exec(ctx, s.Keep, string(org), targetType, id, v.Number, v.EventID.String(), v.At.UnixMicro(), string(actor), deleted, v.Schema,
		v.RestoredFrom, v.doc)
	return n == 1, err
}

// columns is where the columns of a version go.
func (v *storedVersion) columns() []any {
	return []any{&v.Number, textColumn{&v.EventID}, microsColumn{&v.At}, actorColumn{&v.Actor}, &v.Deleted, &v.Schema, &v.RestoredFrom, &v.doc}
}

// where returns the org of ctx and the statements of q.
func (h *History[T]) where(ctx context.Context, q Querier) (OrgID, *appsql.Statements, error) {
	org := h.clerk.Org(ctx)
	if !org.Valid() {
		return "", nil, errInvalidOrg(org)
	}
	s, err := appsql.For(string(q.Dialect()))
	return org, s, err
}

// one reads one version of id, or ErrNotExist.
func (h *History[T]) one(ctx context.Context, q Querier, query string, org OrgID, id string, args ...any) (storedVersion, error) {
	v := storedVersion{}
	found, err := appsql.One(ctx, q, query, append([]any{string(org), h.targetType, id}, args...), v.columns()...)
	if err == nil && !found {
		err = ErrNotExist
	}
	return v, err
}

// read reads one version of id and its state.
func (h *History[T]) read(ctx context.Context, query func(*appsql.Statements) string, id string, arg any) (*T, Version, error) {
	org, s, err := h.where(ctx, h.db)
	if err != nil {
		return nil, Version{}, err
	}
	v, err := h.one(ctx, h.db, query(s), org, id, arg)
	if err != nil {
		return nil, Version{}, fmt.Errorf("read %s %s: %w", h.targetType, id, err)
	}
	state, err := h.state(&v)
	if err != nil {
		return nil, v.Version, err
	}
	return state.value, v.Version, nil
}
