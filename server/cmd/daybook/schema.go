package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/server/internal/control"
)

func newSchema(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "schema", Short: "What events of an action must look like",
		Long: `A schema has JSON Schemas for the metadata of an event, its actor and its targets, and for the event as a whole. Each push is a version, and
versions never change. With a key for all organizations and without --org, schemas are those that all organizations share.`,
	}
	cmd.AddCommand(newSchemaLs(e), newSchemaGet(e), newSchemaPush(e), newSchemaCheck(e), newSchemaGen(e))
	return cmd
}

var schemas = table[client.Schema]{
	fields: "action,version,org,actor,targets,metadata,event,created_at,by",
	heads:  []heading{{name: "ACTION"}, {name: "VERSION", right: true}, {name: "ORG"}, {name: "TARGETS"}, {name: "CREATED_AT"}},
	row:    schemaRow, one: "schema", many: "schemas",
}

func schemaRow(s *client.Schema) []cell {
	org := "(shared)"
	if s.Org != nil {
		org = string(*s.Org)
	}
	types := make([]string, 0, len(s.Targets))
	for _, t := range s.Targets {
		types = append(types, t.Type)
	}
	created, _, _ := strings.Cut(s.CreatedAt, ".")
	return []cell{{text: s.Action}, {text: strconv.Itoa(s.Version)}, {text: org}, {text: strings.Join(types, ",")}, {text: created}}
}

func newSchemaLs(e *env) *cobra.Command {
	var action string
	cmd := &cobra.Command{
		Use: "ls", Short: "List the newest schema of each action, or every version of one",
		Example: `  $ daybook schema ls
  $ daybook schema ls --action invoice.paid
  $ daybook schema ls -o json`,
		Annotations: map[string]string{fieldsNote: schemas.fields, exitsNote: "0 listed · 3 there is no such action · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return schemas.list(cmd.Context(), e, func(c *client.Client, ctx context.Context) ([]client.Schema, error) {
				return listedSchemas(ctx, c, action)
			})
		},
	}
	cmd.Flags().StringVar(&action, "action", "", "every version of this action's schema")
	return cmd
}

func listedSchemas(ctx context.Context, c *client.Client, action string) ([]client.Schema, error) {
	if action != "" {
		return c.Schemas(ctx, action)
	}
	actions, err := c.Actions(ctx)
	newest := make([]client.Schema, 0, len(actions))
	for i := range actions {
		newest = append(newest, actions[i].Schema)
	}
	return newest, err
}

func newSchemaGet(e *env) *cobra.Command {
	var version int
	cmd := &cobra.Command{
		Use: "get ACTION", Short: "One version of a schema",
		Example: `  $ daybook schema get invoice.paid -o json > invoice.paid.json
  $ daybook schema get invoice.paid --version 2
  $ daybook schema get invoice.paid --json metadata`,
		Annotations: map[string]string{fieldsNote: schemas.fields, exitsNote: "0 shown · 3 there is no such schema · 4 not allowed"},
		Args:        exactArgs("ACTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return schemas.show(e, func(c *client.Client) (client.Schema, error) {
				s, err := c.Schema(cmd.Context(), args[0], version)
				return s, cannot("get the schema of "+args[0], err)
			})
		},
	}
	cmd.Flags().IntVar(&version, "version", 0, "this version (default: the newest)")
	return cmd
}

func newSchemaPush(e *env) *cobra.Command {
	var file, action string
	cmd := &cobra.Command{
		Use: "push", Short: "Register the next version of a schema",
		Long: `The file is what schema get -o json prints, or its members actor, targets, metadata and event alone. A schema that equals the newest version
registers nothing: a pipeline may push at every deployment.`,
		Example: `  $ daybook schema push --file invoice.paid.json
  $ daybook schema push --file invoice.json --action invoice.paid
  $ echo '{"targets":[{"type":"invoice"}],"event":{"required":["reason"]}}' | daybook schema push --file - --action invoice.paid`,
		Annotations: map[string]string{fieldsNote: schemas.fields, exitsNote: "0 registered, or there already · 2 it is no schema · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := e.readSchema(file, action)
			if err != nil {
				return err
			}
			return schemas.show(e, func(c *client.Client) (client.Schema, error) {
				before, err := c.Schema(cmd.Context(), s.Action, 0)
				if err != nil && daybook.CodeOf(err) != daybook.CodeNotFound {
					return before, cannot("push the schema", err)
				}
				is, err := c.RegisterSchema(cmd.Context(), s.Action, s.SchemaParts)
				if err != nil {
					return is, cannot("push the schema", err)
				}
				if is.Version == before.Version && is.CreatedAt == before.CreatedAt {
					e.note("it equals version %d: nothing was registered", is.Version)
				} else {
					e.note("version %d is registered", is.Version)
				}
				return is, nil
			})
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "the schema; - is stdin")
	cmd.Flags().StringVar(&action, "action", "", "the action (default: the one that the file names)")
	return cmd
}

// readSchema reads a file with a schema, as schema get prints it or its parts alone.
func (e *env) readSchema(file, action string) (client.Schema, error) {
	var s client.Schema
	if file == "" {
		return s, usage("--file says which schema")
	}
	text, err := e.readInput(file)
	if err != nil {
		return s, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return s, usage("%s holds no schema: %v", file, err)
	}
	if action != "" {
		s.Action = action
	}
	if s.Action == "" {
		return s, usage("%s names no action: --action does", file)
	}
	return s, nil
}

const violationFields = "index,action,field,keyword,message"

var violationHeads = []heading{{name: "INDEX", right: true}, {name: "ACTION"}, {name: "FIELD"}, {name: "MESSAGE"}}

type violationLine struct {
	Index   int    `json:"index"`
	Action  string `json:"action"`
	Field   string `json:"field"`
	Keyword string `json:"keyword"`
	Message string `json:"message"`
}

func newSchemaCheck(e *env) *cobra.Command {
	var file, action string
	var exact bool
	cmd := &cobra.Command{
		Use: "check [EVENTS]", Short: "Hold events against schemas; nothing is recorded",
		Long: `EVENTS holds one event, an array or NDJSON; without it, or with -, they come from stdin. With --file they are held against that schema and no
server is asked; without it each is held against the newest schema of its action on the server.`,
		Example: `  $ daybook schema check events.ndjson
  $ daybook schema check --file invoice.paid.json events.ndjson
  $ daybook events action:invoice.paid -o ndjson | daybook schema check --file next.json --action invoice.paid`,
		Annotations: map[string]string{fieldsNote: violationFields, exitsNote: "0 all of them keep to it · 2 no schema or no events · 3 an action has none · 8 some do not"},
		Args:        cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			find, err := e.schemaSource(cmd.Context(), file, action)
			if err != nil {
				return err
			}
			events, err := e.eventsToCheck(args, file)
			if err != nil {
				return err
			}
			p, err := e.printer(splitFields(violationFields), violationHeads...)
			if err != nil {
				return err
			}
			return e.checkEvents(p, events, find, exact)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "the schema (default: those of the server)")
	cmd.Flags().StringVar(&action, "action", "", "the action of --file (default: the one that it names)")
	cmd.Flags().BoolVar(&exact, "exact", false, "the types of targets are those of the schema, each as often")
	return cmd
}

func (e *env) eventsToCheck(args []string, file string) ([][]byte, error) {
	if len(args) == 0 || args[0] == "-" {
		if file == "-" {
			return nil, usage("schema and events cannot both come from stdin")
		}
		return readEvents(e.stdin)
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, cannot("read "+args[0], err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	return readEvents(f)
}

// errOther says that an event is of another action than the schema in the file.
var errOther = errors.New("another action")

// schemaSource returns what finds the schema of an action: in a file, or on the server, once each.
func (e *env) schemaSource(ctx context.Context, file, action string) (func(action string) (*control.Schema, error), error) {
	if file != "" {
		given, err := e.readSchema(file, action)
		if err != nil {
			return nil, err
		}
		s, err := control.NewSchemaOf(given.Action, partsOf(&given.SchemaParts))
		if err != nil {
			return nil, usage("%s: %v", file, err)
		}
		return func(action string) (*control.Schema, error) {
			if action != s.Action {
				return nil, errOther
			}
			return s, nil
		}, nil
	}
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	known := map[string]*control.Schema{}
	return func(action string) (*control.Schema, error) {
		if s := known[action]; s != nil {
			return s, nil
		}
		got, err := c.Schema(ctx, action, 0)
		if err != nil {
			return nil, cannot("get the schema of "+strconv.Quote(action), err)
		}
		s, err := control.NewSchemaOf(action, partsOf(&got.SchemaParts))
		known[action] = s
		return s, err
	}, nil
}

func partsOf(p *client.SchemaParts) control.SchemaParts {
	parts := control.SchemaParts{Metadata: p.Metadata, Event: p.Event}
	if p.Actor != nil {
		parts.Actor = p.Actor.Metadata
	}
	for _, t := range p.Targets {
		parts.Targets = append(parts.Targets, control.SchemaTarget(t))
	}
	return parts
}

func (e *env) checkEvents(p *printer, events [][]byte, find func(string) (*control.Schema, error), exact bool) error {
	checked, bad := 0, 0
	for i, text := range events {
		var event struct{ Action string }
		if err := json.Unmarshal(text, &event); err != nil {
			return usage("event %d is no JSON object: %v", i, err)
		}
		s, err := find(event.Action)
		if errors.Is(err, errOther) {
			continue
		}
		if err != nil {
			return err
		}
		wrong, err := s.Violations(text, exact)
		if err != nil {
			return usage("event %d: %v", i, err)
		}
		checked++
		if len(wrong) > 0 {
			bad++
		}
		for _, v := range wrong {
			line := violationLine{i, event.Action, v.InstancePath, v.Keyword, v.Message}
			if err := p.addValue(line, cell{text: strconv.Itoa(i)}, cell{text: event.Action}, cell{text: v.InstancePath}, cell{text: v.Message}); err != nil {
				return err
			}
		}
	}
	if err := p.end(); err != nil {
		return err
	}
	e.note("%s checked, %d of other actions, %d do not keep to the schema", count(checked, "event was", "events were"), len(events)-checked, bad)
	if bad > 0 {
		return ended(exitPartial)
	}
	return nil
}
