package daybook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/internal/shape"
	"github.com/daybook-audit/daybook/leaf"
)

// Schemas holds events against what is registered for their actions, before they are recorded. It MUST be safe for concurrent use, and
// it MUST NOT record. What the log says of itself is never asked about.
type Schemas interface {
	// Applies reports whether anything that is recorded in the log of org through door is to be checked. It is asked once a request, on
	// the way of every event, and so MUST NOT wait for a store when it can answer from memory. An error refuses the request.
	Applies(ctx context.Context, org OrgID, door string) (bool, error)
	// Check judges one event. An *Error refuses it: it is recorded only if it was recorded before. Any other error refuses the request.
	Check(ctx context.Context, e SchemaCase) (Verdict, error)
}

// SchemaCase is an event to be judged. Nothing in it may be changed, or kept after the call.
type SchemaCase struct {
	Org    OrgID
	Door   string // that it comes through; empty: the native API, or the Book itself
	Action string
	// Version is the one that the event names; 0: none.
	Version int
	Text    []byte // the event as it will be kept: strict JSON within the limits
}

// Verdict is what is written into an event that is recorded after a check. The zero value changes nothing.
type Verdict struct {
	Version int    // of the schema that the event keeps to; it is written only into an event that names none
	Flag    string // what is wrong with the event although it is recorded, such as "schema_violation"; it is found by flagged:
}

// judged reports whether the events of the request are held against schemas.
func (q *recording) judged() (bool, error) {
	if q.b.o.Schemas == nil || q.r.Internal {
		return false, nil
	}
	applies, err := q.b.o.Schemas.Applies(q.job.ctx, q.job.org, q.r.Door)
	if err != nil {
		return false, fmt.Errorf("ask for schemas: %w", err)
	}
	return applies, nil
}

// judge holds event i, whose fields d has, against its schema, and returns it with what the verdict writes into it. An event that is
// refused goes on nevertheless when it may have been recorded before: what was acknowledged once is acknowledged again, whatever was
// registered since.
func (q *recording) judge(i int, d *leaf.Doc, a shape.Accepted) (shape.Accepted, error) {
	v, err := q.b.o.Schemas.Check(q.job.ctx, SchemaCase{
		Org: q.job.org, Door: q.r.Door, Action: string(d.Value(a.Action)), Version: a.Version, Text: a.Text,
	})
	var e *Error
	if errors.As(err, &e) && !q.r.Partial && (a.IDAt > 0 || q.r.Key != "" || len(q.r.Repeats) > 0) {
		q.unfit = append(q.unfit, EventError{Index: i, Err: e})
		return a, nil
	}
	if a.Version != 0 {
		v.Version = 0
	}
	if err != nil || v == (Verdict{}) {
		return a, err
	}
	if v.Flag != "" && q.b.metrics.Flag != nil {
		q.b.metrics.Flag(v.Flag)
	}
	var flags []byte
	if v.Flag != "" {
		if flags, err = json.Marshal([]string{v.Flag}); err != nil {
			return a, fmt.Errorf("write the flag of an event: %w", err)
		}
	}
	a, err = shape.Stamped(d, a.Text, v.Version, flags)
	return a, refusalOf(err)
}

// refuseUnfit refuses what a schema refuses and what was not recorded before.
func (q *recording) refuseUnfit() error {
	var refused []EventError
	for _, e := range q.unfit {
		for _, i := range q.index {
			if i == e.Index && len(refused) < 100 {
				refused = append(refused, e)
			}
		}
	}
	if len(refused) > 0 {
		return &BatchError{Errors: refused}
	}
	return nil
}

// sameButStamps reports whether p, as it was sent, is the entry e, whose root is given, but for what was written into that one when it
// was checked: since then other schemas may have been registered.
func sameButStamps(d *leaf.Doc, p *pending, e *kept.Entry, root tlog.Hash) (bool, error) {
	sent := p.text
	if p.sent != nil {
		sent = p.sent
	}
	body, err := e.Remainder()
	if err != nil {
		return false, fmt.Errorf("read the stored entry: %w", ofStored(err))
	}
	version, flags := 0, []byte(nil)
	for name, value := range rawjson.Each(body) {
		switch rawjson.Text(name) {
		case shape.Flags:
			flags = value
		case "version":
			if version, err = strconv.Atoi(string(value)); err != nil {
				version = 0 // null
			}
		}
	}
	for name, value := range rawjson.Each(sent) {
		if rawjson.Text(name) == "version" && rawjson.NotNull(value) != nil {
			version = 0 // the producer's own
		}
	}
	if _, err := shape.Stamped(d, sent, version, flags); err != nil {
		return false, nil //nolint:nilerr // what cannot be read with these stamps is not the entry
	}
	return d.Root(&e.Secret) == root, nil
}
