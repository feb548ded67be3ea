// Package foreign makes events of what other systems have recorded, so that it looks as if it had been recorded here. What a record means is
// said by the door of the system; this package knows the forms of what leaves it, one source each, and gives every event an id that the same
// record always gets. It records nothing.
package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/daybook-audit/daybook/server/internal/compat/resthapi"
	"github.com/daybook-audit/daybook/server/internal/compat/retraced"
	"github.com/daybook-audit/daybook/server/internal/compat/tavivo"
	"github.com/daybook-audit/daybook/server/internal/compat/workos"
	"github.com/daybook-audit/daybook/server/internal/dumps"
)

// Source is a system whose data can be imported, or a form of file. Its texts are those of a command's help.
type Source struct {
	Name, Short, Long, Example string

	Lines   bool          // a record is a line, whatever stands in it; else the form of the file is found out
	Dumped  dumps.Options // what is known of its columns
	Setting *Setting      // what its records cannot be read without, or better with; nil: there is nothing

	maker func(setting []byte) (Maker, error)
}

// Setting is a file that says what records mean.
type Setting struct {
	Name, Usage string // of a flag
	Missing     string // why nothing can be read without it; empty: it can
}

// Maker makes an event of a record. An error says what is wrong with the record. It is not for concurrent use.
type Maker func(text []byte) (Made, error)

// Made is what a record has become.
type Made struct {
	Event []byte // Daybook's JSON; nil: the record holds no event
	Key   string // what the source calls the record, of which the event's id is made when it carries none
}

// Maker returns what makes events of records. setting is the content of the file of Setting; nil: there is none. An error says what is wrong
// with it.
func (s *Source) Maker(setting []byte) (Maker, error) {
	if setting == nil && s.Setting != nil && s.Setting.Missing != "" {
		return nil, fmt.Errorf("--%s is needed: %s", s.Setting.Name, s.Setting.Missing)
	}
	return s.maker(setting)
}

// of is maker of a source that asks for nothing.
func of(m Maker) func([]byte) (Maker, error) {
	return func([]byte) (Maker, error) { return m, nil }
}

// asIs is maker of a source that asks for nothing and says nothing but the event.
func asIs(event func(text []byte) ([]byte, error)) func([]byte) (Maker, error) {
	return of(func(text []byte) (Made, error) {
		text, err := event(text)
		return Made{Event: text}, err
	})
}

// Sources lists them. A new one is added here.
func Sources() []Source {
	return []Source{
		{
			Name: "ndjson", Short: "One event a line, as the API takes them or as -o ndjson prints them; - is stdin",
			Long: `A line that carries no id gets one made of its position and content, so that the same file imported again records nothing twice.
Lines as -o ndjson prints them keep their id and occurred_at; org, seq, received_at and leaf_hash belong to the log they came
from and are left out. Bad lines are named and the others recorded.`,
			Example: `  $ daybook import ndjson old-log.ndjson --dry-run
  $ daybook import ndjson old-log.ndjson --resume
  $ daybook tail --no-follow -o ndjson --org org_acme | daybook import ndjson - --org org_copy`,
			Lines: true, maker: asIs(ownEvent),
		},
		csvSource(),
		{
			Name: "workos", Short: "A CSV export of WorkOS Audit Logs",
			Long: `Columns are found by name: action, occurred_at, actor_id, actor_type, actor_name, actor_metadata, context_location,
context_user_agent, metadata, and target_id_0, target_type_0, target_name_0, target_metadata_0 and so on. The events are those that the
WorkOS door would have recorded.`,
			Example: `  $ daybook import workos audit_logs.csv --org org_01EHWNCE74X7JSDV0X3SZ3KJNY --dry-run
  $ daybook import workos audit_logs.csv --org org_01EHWNCE74X7JSDV0X3SZ3KJNY --report refused.ndjson
  $ daybook import workos audit_logs.csv --org org_01EHWNCE74X7JSDV0X3SZ3KJNY --resume`,
			maker: of(workOSEvent),
		},
		{
			Name: "tavivo", Short: "The table logs of ta-vivo-audit-log",
			Long: `FILE is what pg_dump writes of the table, a CSV of it, or its rows as JSON (row_to_json), one a line or in an array. Secrets in
meta_data are masked, as the door does.`,
			Example: `  $ pg_dump --data-only --table logs tavivo > logs.sql && daybook import tavivo logs.sql --dry-run
  $ psql tavivo -c '\copy logs to logs.csv csv header' && daybook import tavivo logs.csv
  $ psql tavivo -Atc 'select row_to_json(l) from logs l order by id' | daybook import tavivo -`,
			Dumped: dumps.Options{Table: "logs", JSON: []string{"meta_data"}, Number: []string{"id", "user_id"}},
			maker:  asIs(func(text []byte) ([]byte, error) { return tavivo.Import(text, tavivo.Names{}) }),
		},
		{
			Name: "rest-hapi", Short: "Documents of rest-hapi's collection auditLog",
			Long: `FILE is what mongoexport writes, a document a line or --jsonArray, in either mode of extended JSON, or documents as rest-hapi's API shows
them. An _id becomes the event's id and is shown again as it was; secrets are masked, as the door does.`,
			Example: `  $ mongoexport --db app --collection auditLog --out auditLog.ndjson && daybook import rest-hapi auditLog.ndjson --dry-run
  $ mongoexport --db app --collection auditLog --sort '{_id: 1}' --jsonArray --out auditLog.json && daybook import rest-hapi auditLog.json
  $ daybook import rest-hapi auditLog.ndjson --resume`,
			maker: asIs(resthapi.EventOf),
		},
		{
			Name: "retraced", Short: "Events of Retraced",
			Long: `FILE holds events as Retraced's search or index has them, or as producers sent them: one a line or in an array. What is recorded is what
the door would have recorded; an event's id is kept. All of them go into the log of --org; their group stays in the metadata.`,
			Example: `  $ daybook import retraced events.ndjson --org org_acme --dry-run
  $ daybook import retraced events.ndjson --org org_acme
  $ jq -c '.data.search.edges[].node' page.json | daybook import retraced - --org org_acme`,
			maker: asIs(retracedEvent),
		},
		togoSource(),
		crmSource(),
	}
}

// workOSEvent is an event of a row of a CSV of WorkOS.
func workOSEvent(text []byte) (Made, error) {
	in, err := workos.Import(text)
	return Made{Event: in.Event, Key: in.Key}, err
}

// retracedEvent is an event of Retraced.
func retracedEvent(text []byte) ([]byte, error) {
	d, err := retraced.ReadDump(text)
	if err != nil {
		return nil, err
	}
	return d.Daybook(), nil
}

// own are the members of the entry JSON that belong to the log it came from.
var own = map[string]bool{"org": true, "seq": true, "received_at": true, "leaf_hash": true, "erased_fields": true, "masked_fields": true}

// ownEvent turns a line of the API's JSON into an event; nil for a line that holds none: a checkpoint, a tombstone.
func ownEvent(line []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("syntax: the line is no JSON object")
	}
	b := []byte{'{'}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		key, ok := name.(string)
		switch {
		case !ok || own[key] || key == "id" && string(value) == "null":
			continue
		case key == "removed" || key == "checkpoint":
			return nil, nil
		}
		quoted, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, quoted...), ':'), value...)
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("syntax: something follows the JSON object")
	}
	return append(b, '}'), nil
}
