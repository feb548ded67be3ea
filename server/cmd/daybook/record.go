package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
)

// Limits of one request, as the server has them.
const (
	maxBatch      = 1000
	maxBatchBytes = 5 << 20
)

// receiptFields are the members of a receipt, for --json.
const receiptFields = "id,seq,leaf_hash,received_at,duplicate"

// recordFlags describe one event.
type recordFlags struct {
	actor, reason, outcome, id, old, new string
	via, targets, meta                   []string
}

func newRecord(e *env) *cobra.Command {
	var f recordFlags
	cmd := &cobra.Command{
		Use: "record ACTION", Short: "Record one event, or with - events from stdin",
		Long: `ACTION is a noun and a verb in the past: invoice.updated. With - instead, stdin holds one event as JSON, an array, or one event
a line (NDJSON): at most 1,000, recorded all or none. For more there is daybook import.`,
		Example: `  $ daybook record invoice.updated --actor 'user:usr_7=Grace Hopper' --target 'invoice:42=Invoice 42' --old a.json --new b.json --reason 'PO 7781'
  $ daybook record user.login --actor user:usr_9 --outcome denied --meta method=password
  $ jq -c '.[]' events.json | daybook record -`,
		Annotations: map[string]string{fieldsNote: receiptFields, exitsNote: "0 recorded · 2 the event is wrong · 4 not allowed · 5 the id stands for another event"},
		Args:        exactArgs("ACTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			events, err := f.events(e, args[0])
			if err != nil {
				return err
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			res, err := c.RecordJSON(cmd.Context(), client.Request{Events: events})
			if err != nil {
				return cannot("record", err)
			}
			return e.receipts(res.Receipts)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.actor, "actor", "", "who: user:usr_7 or 'user:usr_7=Grace Hopper'")
	fl.StringArrayVar(&f.via, "via", nil, "who really acted in the actor's name, nearest first; repeat for a chain")
	fl.StringArrayVar(&f.targets, "target", nil, "on what; repeat for more, the first is the subject")
	fl.StringVar(&f.old, "old", "", "file with the JSON before the change")
	fl.StringVar(&f.new, "new", "", "file with the JSON after the change")
	fl.StringArrayVar(&f.meta, "meta", nil, "metadata; repeat for more; a value that is JSON stays what it is")
	fl.StringVar(&f.reason, "reason", "", "why: free text or a ticket")
	fl.StringVar(&f.outcome, "outcome", "", "success | failure | denied (default success)")
	fl.StringVar(&f.id, "id", "", "event id (evt_…); the same id again records nothing twice (default: a new one)")
	return cmd
}

// receipts prints where the events stand.
func (e *env) receipts(rs []daybook.Receipt) error {
	format, err := e.format()
	if err != nil {
		return err
	}
	if e.output == "" && e.fields == "" && e.getenv("DAYBOOK_OUTPUT") == "" || format == "table" {
		for _, r := range rs {
			line := fmt.Sprintf("%s  seq %d  leaf %s", r.ID, r.Seq, r.LeafHash)
			if r.Duplicate {
				line += "  duplicate"
			}
			fmt.Fprintln(e.stdout, line)
		}
		return nil
	}
	p, err := e.printer(strings.Split(receiptFields, ","), heading{name: "ID"}, heading{name: "SEQ", right: true}, heading{name: "LEAF_HASH"}, heading{name: "RECEIVED_AT"}, heading{name: "DUPLICATE"})
	if err != nil {
		return err
	}
	for _, r := range rs {
		at := string(daybook.AppendTime(nil, r.ReceivedAt.UnixMicro()))
		row := struct {
			ID         string `json:"id"`
			Seq        int64  `json:"seq"`
			LeafHash   string `json:"leaf_hash"`
			ReceivedAt string `json:"received_at"`
			Duplicate  bool   `json:"duplicate"`
		}{r.ID.String(), r.Seq, r.LeafHash.String(), at, r.Duplicate}
		if len(rs) == 1 && p.format == "json" {
			return p.one(row)
		}
		err := p.addValue(row, cell{text: row.ID}, cell{text: strconv.FormatInt(row.Seq, 10)}, cell{text: row.LeafHash}, cell{text: at}, cell{text: strconv.FormatBool(row.Duplicate)})
		if err != nil {
			return err
		}
	}
	return p.end()
}

// events builds what is recorded: from the flags, or from stdin.
func (f *recordFlags) events(e *env, action string) ([][]byte, error) {
	if action == "-" {
		if f.actor != "" || f.targets != nil || f.meta != nil || f.via != nil || f.id != "" || f.reason != "" || f.outcome != "" || f.old != "" || f.new != "" {
			return nil, usage("with - the events come whole from stdin: leave the other flags out")
		}
		return readEvents(e.stdin)
	}
	event, err := f.event(action)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("encode the event: %w", err)
	}
	return [][]byte{text}, nil
}

// newEvent is the event of the API, as far as the flags can say it.
type newEvent struct {
	ID       string                     `json:"id"`
	Action   string                     `json:"action"`
	Actor    *newParty                  `json:"actor,omitempty"`
	Targets  []newParty                 `json:"targets,omitempty"`
	Outcome  string                     `json:"outcome,omitempty"`
	Before   json.RawMessage            `json:"before,omitempty"`
	After    json.RawMessage            `json:"after,omitempty"`
	Reason   string                     `json:"reason,omitempty"`
	Metadata map[string]json.RawMessage `json:"metadata,omitempty"`
}

type newParty struct {
	Type string     `json:"type"`
	ID   string     `json:"id"`
	Name string     `json:"name,omitempty"`
	Via  []newParty `json:"via,omitempty"`
}

func (f *recordFlags) event(action string) (*newEvent, error) {
	event := &newEvent{ID: f.id, Action: action, Outcome: f.outcome, Reason: f.reason}
	if event.ID == "" {
		event.ID = daybook.NewID().String() // so that a lost answer can be asked for again
	} else if _, err := daybook.ParseID(event.ID); err != nil {
		return nil, usage("--id %q is no event id: evt_ and 26 characters", event.ID)
	}
	if f.outcome != "" && !slices.Contains([]string{"success", "failure", "denied"}, f.outcome) {
		return nil, usage("--outcome is success, failure or denied, not %q", f.outcome)
	}
	party := func(s string) (newParty, error) {
		ref, name, err := parseRef(s)
		return newParty{Type: ref.Type, ID: ref.ID, Name: name}, err
	}
	if f.actor == "" {
		return nil, usage("--actor is missing: who did it, such as user:usr_7 or system:cron")
	}
	actor, err := party(f.actor)
	if err != nil {
		return nil, err
	}
	for _, s := range f.via {
		v, err := party(s)
		if err != nil {
			return nil, err
		}
		actor.Via = append(actor.Via, v)
	}
	event.Actor = &actor
	for _, s := range f.targets {
		t, err := party(s)
		if err != nil {
			return nil, err
		}
		event.Targets = append(event.Targets, t)
	}
	if event.Before, err = jsonFile("--old", f.old); err != nil {
		return nil, err
	}
	if event.After, err = jsonFile("--new", f.new); err != nil {
		return nil, err
	}
	for _, s := range f.meta {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, usage("--meta %q is not KEY=VALUE", s)
		}
		if event.Metadata == nil {
			event.Metadata = map[string]json.RawMessage{}
		}
		raw := json.RawMessage(value)
		if !json.Valid(raw) {
			if raw, err = json.Marshal(value); err != nil {
				return nil, fmt.Errorf("encode --meta %s: %w", name, err)
			}
		}
		event.Metadata[name] = raw
	}
	return event, nil
}

func jsonFile(flag, path string) (json.RawMessage, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, cannot("read "+flag, err)
	}
	if !json.Valid(text) {
		return nil, usage("%s: %s is not JSON", flag, path)
	}
	return bytes.TrimSpace(text), nil
}

// readEvents reads one event, an array, or NDJSON. Each event gets an id if it has none, so that the request can be repeated.
func readEvents(r io.Reader) ([][]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBatchBytes+1))
	if err != nil {
		return nil, cannot("read stdin", err)
	}
	if len(text) > maxBatchBytes {
		return nil, &usageError{message: "stdin holds more than 5 MiB, which one request may not", try: "daybook import ndjson FILE"}
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, usage("stdin is empty: it must hold an event as JSON, an array, or NDJSON")
	}
	var events [][]byte
	var array []json.RawMessage
	switch {
	case text[0] == '[':
		if err := json.Unmarshal(text, &array); err != nil {
			return nil, usage("stdin is no JSON array: %v", err)
		}
		for _, a := range array {
			events = append(events, a)
		}
	case json.Valid(text):
		events = [][]byte{text}
	default:
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, maxBatchBytes+1)
		for n := 1; lines.Scan(); n++ {
			line := bytes.TrimSpace(lines.Bytes())
			if len(line) == 0 {
				continue
			}
			if !json.Valid(line) {
				return nil, usage("line %d of stdin is not JSON", n)
			}
			events = append(events, bytes.Clone(line))
		}
		if err := lines.Err(); err != nil {
			return nil, cannot("read stdin", err)
		}
	}
	if len(events) == 0 {
		return nil, usage("stdin holds no event")
	}
	if len(events) > maxBatch {
		return nil, &usageError{message: fmt.Sprintf("stdin holds %s events; one request takes %s", thousands(int64(len(events))), thousands(maxBatch)), try: "daybook import ndjson FILE"}
	}
	for i := range events {
		named, err := withID(events[i], daybook.NewID)
		if err != nil {
			return nil, usage("event %d: %v", i, err)
		}
		events[i] = named
	}
	return events, nil
}

// withID puts an id in front of an event that has none. The rest stays as it is written.
func withID(event []byte, id func() daybook.ID) ([]byte, error) {
	event = bytes.TrimSpace(event)
	if len(event) == 0 || event[0] != '{' {
		return nil, errors.New("it is no JSON object")
	}
	var has struct {
		ID *json.RawMessage `json:"id"`
	}
	if err := json.Unmarshal(event, &has); err != nil {
		return nil, err
	}
	if has.ID != nil {
		return event, nil
	}
	head := `{"id":"` + id().String() + `"`
	if rest := bytes.TrimSpace(event[1:]); rest[0] != '}' {
		head += ","
	}
	return append([]byte(head), event[1:]...), nil
}
