package foreign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/activity"
	"github.com/daybook-audit/daybook/crm"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/dumps"
)

func togoSource() Source {
	return Source{
		Name: "togo", Short: "The table activity_log of togo-framework/audit, or its table versions",
		Long: `FILE is what pg_dump writes of the table, a CSV of it, or its rows as JSON, one a line or in an array. The events are those that
Log of package activity would have recorded, and those of Snapshot for rows of versions (they have data and no action). Secrets are
masked, as there.`,
		Example: `  $ pg_dump --data-only --table activity_log app > activity.sql && daybook import togo activity.sql --dry-run
  $ sqlite3 app.db -csv -header 'select * from activity_log order by id' > activity.csv && daybook import togo activity.csv
  $ pg_dump --data-only --table versions app > versions.sql && daybook import togo versions.sql --table versions`,
		Dumped: dumps.Options{Table: "activity_log", JSON: []string{"changes", "changeset", "data", "properties"}},
		maker: func([]byte) (Maker, error) {
			t, err := newTogoImport()
			if err != nil {
				return nil, err
			}
			return t.event, nil
		},
	}
}

// togoImport makes events of rows by recording them with package activity, into nothing.
type togoImport struct {
	caught   []daybook.Event
	activity *activity.Activity
}

func newTogoImport() (*togoImport, error) {
	t := &togoImport{}
	clerk, err := daybook.NewClerk(t, daybook.ClerkOptions{Org: "import", Actor: daybook.UnknownIsValid})
	if err != nil {
		return nil, err
	}
	t.activity = activity.New(clerk, nil, t)
	return t, nil
}

// Record is part of daybook.Recorder: it keeps the event.
func (t *togoImport) Record(_ context.Context, _ daybook.OrgID, e daybook.Event) (daybook.Receipt, error) {
	t.caught = append(t.caught, e)
	return daybook.Receipt{ID: e.ID}, nil
}

// RecordBatch is part of daybook.Recorder.
func (t *togoImport) RecordBatch(_ context.Context, _ daybook.OrgID, es []daybook.Event) ([]daybook.Receipt, error) {
	t.caught = append(t.caught, es...)
	return make([]daybook.Receipt, len(es)), nil
}

// Search is part of activity.Finder: nothing was recorded before.
func (t *togoImport) Search(context.Context, daybook.EventQuery) (*daybook.Page, error) {
	return &daybook.Page{}, nil
}

func (t *togoImport) event(text []byte) (Made, error) {
	r, err := readRow(text)
	if err != nil {
		return Made{}, err
	}
	subjectType, subjectID, causer := r.text("subject_type", "subjectType"), r.text("subject_id", "subjectId"), r.text("causer_id", "causerId", "user_id")
	t.caught = t.caught[:0]
	table := "activity_log"
	if data := r.value("data", "snapshot"); data != nil && r.text("action") == "" {
		state, err := readObject(data)
		if err != nil {
			return Made{}, fmt.Errorf("data: %w", err)
		}
		table = "versions"
		_, err = t.activity.Snapshot(context.Background(), subjectType, subjectID, state, causer)
		if len(t.caught) == 0 && err != nil {
			return Made{}, err
		}
	} else {
		changes, err := readObject(r.value("changes", "changeset", "properties"))
		if err != nil {
			return Made{}, fmt.Errorf("changes: %w", err)
		}
		if err := t.activity.Log(context.Background(), r.text("action", "event"), subjectType, subjectID, causer, changes); err != nil {
			return Made{}, err
		}
	}
	if len(t.caught) != 1 {
		return Made{}, errors.New("the row is no activity")
	}
	e := t.caught[0]
	e.ID, e.Org = daybook.ID{}, ""
	e.Context.IP, e.Context.UserAgent = r.text("ip", "ip_address"), r.text("user_agent")
	return r.made(&e, table)
}

func crmSource() Source {
	return Source{
		Name: "crm", Short: "The audit log table of a CRM: AuditLoggerEntity",
		Long: `FILE is what pg_dump writes of the table, a CSV of it, or its rows as JSON, one a line or in an array. Columns are action, entityType,
changedObjects, user or userId, userEmail, numberIdentifier, isImpersonated, createdAt and id, in camel case or with underscores. --enums
says what the numbers mean, as GET /v1/crm/enums answers: fill the numbering of the organization with the same first.`,
		Example: `  $ pg_dump --data-only --table audit_log crm > audit.sql && daybook import crm audit.sql --enums enums.json --dry-run
  $ daybook import crm audit.csv --enums enums.json --report refused.ndjson
  $ psql crm -Atc 'select row_to_json(l) from audit_log l order by id' | daybook import crm - --enums enums.json`,
		Dumped: dumps.Options{
			Table: "audit_log", JSON: []string{"changedObjects", "changed_objects", "isImpersonated", "is_impersonated"},
			Number: []string{"id", "action", "entityType", "entity_type", "user", "userId", "user_id", "numberIdentifier", "number_identifier"},
		},
		Setting: &Setting{
			Name: "enums", Usage: "file with the numbers and names of actions and entityTypes",
			Missing: "a number alone does not say what was done",
		},
		maker: func(enums []byte) (Maker, error) {
			n := &crmImport{}
			if err := n.read(enums); err != nil {
				return nil, err
			}
			return n.event, nil
		},
	}
}

// crmImport makes events of rows.
type crmImport struct{ actions, entities map[string]crm.Value }

func (c *crmImport) read(text []byte) error {
	var enums struct {
		Actions     []crm.Value `json:"actions"`
		EntityTypes []crm.Value `json:"entityTypes"`
	}
	if err := json.Unmarshal(text, &enums); err != nil {
		return err
	}
	if len(enums.Actions) == 0 || len(enums.EntityTypes) == 0 {
		return errors.New("actions and entityTypes are lists of {\"value\", \"name\"}, and neither is empty")
	}
	byNumber := func(list []crm.Value) map[string]crm.Value {
		m := map[string]crm.Value{}
		for _, v := range list {
			m[strconv.Itoa(v.Value)], m[v.Name] = v, v
		}
		return m
	}
	c.actions, c.entities = byNumber(enums.Actions), byNumber(enums.EntityTypes)
	return nil
}

func (c *crmImport) event(text []byte) (Made, error) {
	r, err := readRow(text)
	if err != nil {
		return Made{}, err
	}
	d := crm.Deed{
		NumberIdentifier: r.value("numberIdentifier", "number_identifier"), User: r.value("user", "userId", "user_id"), UserEmail: r.text("userEmail", "user_email"),
	}
	var ok bool
	if d.Action, ok = c.actions[r.text("action")]; !ok {
		return Made{}, fmt.Errorf("the enums have no action %q", r.text("action"))
	}
	if d.EntityType, ok = c.entities[r.text("entityType", "entity_type")]; !ok {
		return Made{}, fmt.Errorf("the enums have no entity type %q", r.text("entityType", "entity_type"))
	}
	if d.NumberIdentifier == nil {
		return Made{}, errors.New("numberIdentifier is missing")
	}
	switch r.text("isImpersonated", "is_impersonated") {
	case "true", "t", "1":
		d.Impersonated = true
	}
	if objects := r.value("changedObjects", "changed_objects"); objects != nil {
		if !rawjson.IsObject(objects) {
			return Made{}, errors.New("changedObjects is not a JSON object")
		}
		d.Previous, d.Current = object(rawjson.At(objects, "previous")), object(rawjson.At(objects, "current"))
	}
	e, err := d.Event()
	if err != nil {
		return Made{}, err
	}
	if e, err = daybook.Redacted(e, daybook.DefaultRedactor{}); err != nil {
		return Made{}, err
	}
	return r.made(&e, "audit_log")
}

// object returns text if it is an object.
func object(text []byte) json.RawMessage {
	if rawjson.IsObject(text) {
		return text
	}
	return nil
}

// tableRow is a row of a table as JSON.
type tableRow []rawjson.Member

func readRow(text []byte) (tableRow, error) {
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(text); err != nil {
		return nil, err
	}
	return rawjson.Members(text), nil
}

// value is that of the first of the columns that is there and not null.
func (r tableRow) value(columns ...string) json.RawMessage {
	for _, column := range columns {
		if v := rawjson.Find(r, column); v != nil && v[0] != 'n' {
			return v
		}
	}
	return nil
}

// text is value of a string or of anything else as it stands; empty when there is none.
func (r tableRow) text(columns ...string) string {
	v := r.value(columns...)
	if v == nil || rawjson.IsString(v) {
		if v == nil {
			return ""
		}
		return rawjson.Text(v)
	}
	return string(v)
}

// made completes e with when the row was made and what it is called.
func (r tableRow) made(e *daybook.Event, table string) (Made, error) {
	at, err := looseTime(r.text("created_at", "createdAt", "occurred_at"))
	if err != nil {
		return Made{}, fmt.Errorf("created_at: %w", err)
	}
	e.OccurredAt = at
	text, err := json.Marshal(e)
	if err != nil {
		return Made{}, err
	}
	out := Made{Event: text}
	if id := r.text("id"); id != "" {
		out.Key = table + "\n" + id
	}
	return out, nil
}

// readObject reads a JSON object, whose numbers stay as they are; nil: nothing.
func readObject(text []byte) (map[string]any, error) {
	if text == nil {
		return nil, nil
	}
	if rawjson.IsString(text) { // JSON in a column of text
		if text = []byte(rawjson.Text(text)); len(bytes.TrimSpace(text)) == 0 {
			return nil, nil
		}
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, errors.New("it is not a JSON object")
	}
	return m, nil
}
