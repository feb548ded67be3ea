package activity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/appsql"
)

// Snapshot keeps data, the state of a thing, as its next version, and records one entry that carries it; the id of the version is that of
// the entry. An empty causerID is the actor of ctx. It returns once the entry is durable: in the log, or with a database in its outbox.
//
// Versions are numbered 1, 2, 3 … per thing, without gaps and without repeats, whoever takes snapshots at the same time: under a lock of
// the database, else by their order in the log. Values whose names look like secrets are masked. A nil data is an error; what is larger
// than an event may be is refused, never cut.
func (a *Activity) Snapshot(ctx context.Context, subjectType, subjectID string, data map[string]any, causerID string) (daybook.Version, error) {
	e, err := deed(subjectType+".snapshot", subjectType, subjectID, causerID)
	if err != nil {
		return daybook.Version{}, err
	}
	if data == nil {
		return daybook.Version{}, &daybook.Error{Code: daybook.CodeInvalid, Rule: "required", Field: "data", Message: "data is nil: there is no state to keep."}
	}
	mark := togo{Kind: kindSnapshot, Snapshot: value(data).Raw()}
	if e.Metadata, err = mark.metadata(); err != nil {
		return daybook.Version{}, err
	}
	if e, err = a.clerk.Complete(ctx, e); err != nil {
		return daybook.Version{}, err
	}
	if a.db != nil {
		return a.keep(ctx, e)
	}
	receipt, err := a.clerk.Record(ctx, e)
	if err != nil {
		return daybook.Version{}, fmt.Errorf("a snapshot of %d bytes: %w", len(mark.Snapshot), err)
	}
	v := daybook.Version{EventID: receipt.ID, At: receipt.ReceivedAt, Actor: e.Actor, Schema: 1}
	v.Number, err = a.rank(ctx, e.Org, subjectType, subjectID, receipt.Seq)
	return v, err
}

// tableType is the name of a type's snapshots in daybook_versions, where they do not meet those of a daybook.History.
func tableType(subjectType string) string { return "activity/" + subjectType }

// keep writes the snapshot and its event into the application's database, in one transaction.
func (a *Activity) keep(ctx context.Context, e daybook.Event) (v daybook.Version, err error) {
	s, err := appsql.For(string(a.db.Dialect()))
	if err != nil {
		return v, err
	}
	subject := e.Targets[0]
	mark := togoOf(&e) // as redacted
	actor, err := json.Marshal(e.Actor)
	if err != nil {
		return v, fmt.Errorf("encode the actor: %w", err)
	}
	err = a.db.InTx(ctx, func(ctx context.Context, tx daybook.Tx) error {
		where := []any{string(e.Org), tableType(subject.Type), subject.ID}
		if s.Claim != "" {
			if _, err := tx.Exec(ctx, s.Claim, where...); err != nil {
				return fmt.Errorf("wait for the turn: %w", err)
			}
		}
		for seen := int64(-1); ; {
			number, err := lastNumber(ctx, tx, s.LatestVersion, where)
			if err != nil {
				return err
			}
			if number <= seen { // taken by somebody whom this transaction cannot see
				return daybook.ErrConflict
			}
			seen = number
			if e.OccurredAt.IsZero() {
				e.OccurredAt = time.UnixMicro(e.ID.Micros()).UTC()
			}
			v = daybook.Version{Number: number + 1, EventID: e.ID, At: e.OccurredAt, Actor: e.Actor, Schema: 1}
			n, err := tx.Exec(ctx, s.Keep, append(where[:3:3], v.Number, e.ID.String(), v.At.UnixMicro(), string(actor), 0, 1, int64(0), string(mark.Snapshot))...)
			if err != nil {
				return err
			}
			if n == 1 {
				break
			}
		}
		mark.Number = v.Number
		if e.Metadata, err = mark.metadata(); err != nil {
			return err
		}
		_, err := a.clerk.RecordTx(ctx, tx, e)
		return err
	})
	if err != nil {
		return daybook.Version{}, fmt.Errorf("keep a snapshot of %d bytes: %w", len(mark.Snapshot), err)
	}
	return v, nil
}

// lastNumber returns the number of the last version, 0 without one.
func lastNumber(ctx context.Context, q daybook.Querier, statement string, args []any) (number int64, err error) {
	var eventID, actor, doc string
	var micros, deleted, schema, restored int64
	_, err = appsql.One(ctx, q, statement, args, &number, &eventID, &micros, &actor, &deleted, &schema, &restored, &doc)
	return number, err
}

// Restore returns the state that a version keeps, for the caller to apply, and records that it was asked for: "<type>.restored", by the
// actor of ctx. Numbers are json.Number, to the digit; values masked when they were recorded come back as {"$masked":true}. A version that
// is not there, is another org's, or was erased, is daybook.ErrNotExist.
func (a *Activity) Restore(ctx context.Context, versionID string) (data map[string]any, v daybook.Version, err error) {
	f, err := a.restore(ctx, versionID, "")
	if err != nil {
		return nil, daybook.Version{}, err
	}
	d := json.NewDecoder(bytes.NewReader(f.togo.Snapshot))
	d.UseNumber()
	if err := d.Decode(&data); err != nil {
		return nil, daybook.Version{}, fmt.Errorf("read version %s: %w", versionID, err)
	}
	v = daybook.Version{
		Number: f.togo.Number, EventID: f.entry.ID, At: time.UnixMicro(f.entry.ReceivedAt).UTC(), Actor: f.event.Actor, Schema: 1,
	}
	return data, v, nil
}

// restore finds a snapshot and records that it was asked for, by causer when one is named.
func (a *Activity) restore(ctx context.Context, versionID, causer string) (*found, error) {
	id, err := daybook.ParseID(versionID)
	if err != nil {
		return nil, errNotFound
	}
	f, err := a.snapshot(ctx, id)
	if err != nil {
		return nil, err
	}
	subject := f.event.Targets[0]
	e, err := deed(subject.Type+".restored", subject.Type, subject.ID, causer)
	if err != nil {
		return nil, err
	}
	if e.Metadata, err = (togo{Kind: kindRestore, Version: versionID}).metadata(); err != nil {
		return nil, err
	}
	if causer != "" { // it is named, and not proved: whoever the context knows stands behind it
		switch asked, err := a.clerk.Complete(ctx, daybook.Event{Action: e.Action}); {
		case err == nil:
			e.Actor = e.Actor.As(asked.Actor)
		case !errors.Is(err, daybook.ErrNoActor):
			return nil, err
		}
	}
	if _, err := a.clerk.Record(ctx, e); err != nil {
		return nil, err
	}
	return f, nil
}

// snapshot finds a snapshot in the log, and in the database when it is not there yet.
func (a *Activity) snapshot(ctx context.Context, id daybook.ID) (*found, error) {
	org := a.clerk.Org(ctx)
	l := list{org: org, snapshots: true, text: "id:" + id.String(), limit: 1}
	at, _, err := l.run(ctx, a.find)
	if err != nil && !notThere(err) {
		return nil, err
	}
	if len(at) == 1 && len(at[0].togo.Snapshot) > 0 && len(at[0].event.Targets) > 0 {
		f := &at[0]
		if f.togo.Number == 0 {
			f.togo.Number, err = a.rank(ctx, org, f.event.Targets[0].Type, f.event.Targets[0].ID, f.entry.Seq)
		}
		return f, err
	}
	if len(at) == 1 || a.db == nil {
		return nil, errNotFound
	}
	return a.waiting(ctx, org, id)
}

// waiting finds a snapshot whose event is still in the outbox. Once the event is in the log, what the log keeps of it decides: what is
// erased there is not given out here.
func (a *Activity) waiting(ctx context.Context, org daybook.OrgID, id daybook.ID) (*found, error) {
	s, err := appsql.For(string(a.db.Dialect()))
	if err != nil {
		return nil, err
	}
	var text string
	there, err := appsql.One(ctx, a.db, s.Waits, []any{string(org), id.String()}, &text)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, errNotFound
	}
	f := &found{entry: daybook.Entry{Org: org, ID: id}}
	if err := json.Unmarshal([]byte(text), &f.event); err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	f.entry.ReceivedAt = f.event.OccurredAt.UnixMicro()
	if f.togo = togoOf(&f.event); f.togo.Kind != kindSnapshot || len(f.togo.Snapshot) == 0 {
		return nil, errNotFound
	}
	return f, nil
}

// rank returns the number of the snapshot at seq: how many of the subject the log has until there.
func (a *Activity) rank(ctx context.Context, org daybook.OrgID, subjectType, subjectID string, seq int64) (int64, error) {
	l := list{org: org, subjectType: subjectType, subjectID: subjectID, snapshots: true, asc: true, below: seq + 1}
	n := int64(0)
	err := l.each(ctx, a.find, daybook.MaxLimit, func(found, int64) bool { n++; return true })
	return n, err
}
