package foreign

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

func csvSource() Source {
	return Source{
		Name: "csv", Short: "Any table as CSV with a header, by a map of its columns",
		Long: `--map FILE is a JSON object: from a member of the event to a column, or to {"value": "…"} for what is the same in every row.

  {"action": "what", "occurred_at": "when", "actor.type": {"value": "user"}, "actor.id": "who", "targets.0.type": {"value": "invoice"},
   "targets.0.id": "invoice_no", "metadata.plan": "plan", "id": "row_id"}

What the map calls id gives the event's id; it need not be one of Daybook's. Columns that the map does not name are kept in metadata
under their names; {"metadata": null} leaves them out. Without --map the columns are those of daybook export create --format csv. Times
are RFC 3339, what a database prints (UTC where no zone is named), or seconds or milliseconds since 1970.`,
		Example: `  $ daybook import csv old.csv --map columns.json --dry-run
  $ daybook import csv old.csv --map columns.json --report refused.ndjson
  $ daybook import csv daybook-org_acme-exp_01m7w2y7m0fhra2avt0s3fj8ks.csv --org org_copy`,
		Setting: &Setting{Name: "map", Usage: "file that says which column is what"},
		maker: func(columns []byte) (Maker, error) {
			if columns == nil {
				return exportedMap().event, nil
			}
			m, err := readColumnMap(columns)
			if err != nil {
				return nil, err
			}
			return m.event, nil
		},
	}
}

// columnMap says which column of a table is what of an event.
type columnMap struct {
	members []mapped
	drop    bool // columns that no member names are left out
	guarded bool // cells may have a quote in front that keeps a spreadsheet from taking them for formulas
}

// mapped is one member of an event.
type mapped struct {
	path   []string
	column string
	value  string // when column is empty: the same in every row
	json   bool   // the cell is JSON; an empty one is absent
}

// roots are the members that an event has at its top level, and what those of them hold whose members a map may name.
var roots = map[string][]string{
	"id": nil, "action": nil, "version": nil, "occurred_at": nil, "outcome": nil, "reason": nil, "correlation_id": nil, "changes": nil,
	"before": nil, "after": nil,
	"actor":   {"type", "id", "name", "email", "metadata", "via"},
	"targets": {"type", "id", "name", "metadata"},
	"context": {"ip", "user_agent", "request_id", "trace_id", "session_id", "http"},
	"error":   {"code", "message"}, "metadata": nil,
}

// readColumnMap reads the file of --map.
func readColumnMap(text []byte) (*columnMap, error) {
	doc := leaf.Get()
	defer leaf.Put(doc)
	if err := doc.Read(text); err != nil {
		return nil, err
	}
	m := &columnMap{}
	for _, member := range rawjson.Members(text) {
		if member.Name == "metadata" && string(member.Value) == "null" {
			m.drop = true
			continue
		}
		one := mapped{path: strings.Split(member.Name, ".")}
		if err := one.check(); err != nil {
			return nil, err
		}
		var given struct {
			Value *string `json:"value"`
		}
		switch {
		case rawjson.IsString(member.Value):
			one.column = rawjson.Text(member.Value)
		case json.Unmarshal(member.Value, &given) == nil && given.Value != nil:
			one.value = *given.Value
		default:
			return nil, fmt.Errorf(`%s: give the name of a column, or {"value": "…"}`, member.Name)
		}
		m.members = append(m.members, one)
	}
	if !slices.ContainsFunc(m.members, func(one mapped) bool { return one.path[0] == "action" }) {
		return nil, errors.New("action is missing: an event says what was done")
	}
	return m, nil
}

// check refuses what is no member of an event.
func (m *mapped) check() error {
	inner, ok := roots[m.path[0]]
	name, at := strings.Join(m.path, "."), 1
	if m.path[0] == "targets" && len(m.path) > 1 {
		if n, err := strconv.Atoi(m.path[1]); err != nil || n < 0 || n > 255 || strconv.Itoa(n) != m.path[1] {
			return fmt.Errorf("%s: targets are numbered: targets.0.id", name)
		}
		at = 2
	}
	switch {
	case !ok, inner == nil && m.path[0] != "metadata" && len(m.path) > 1, len(inner) > 0 && len(m.path) > at && !slices.Contains(inner, m.path[at]),
		slices.Contains(m.path, ""):
		return fmt.Errorf("there is no member %s of an event", name)
	}
	last := m.path[len(m.path)-1]
	m.json = len(m.path) <= at && len(inner) > 0 || slices.Contains([]string{"changes", "before", "after", "version", "status_code"}, m.path[0]) ||
		last == "metadata" || last == "via" || last == "status_code" || last == "params" || last == "request" || last == "response" && m.path[0] == "context"
	return nil
}

// exportedMap is that of the columns of our own CSV.
func exportedMap() *columnMap {
	m := &columnMap{guarded: true, drop: true}
	for column, member := range map[string]string{
		"id": "id", "occurred_at": "occurred_at", "action": "action", "version": "version", "outcome": "outcome", "actor_type": "actor.type",
		"actor_id": "actor.id", "actor_name": "actor.name", "actor_email": "actor.email", "actor_metadata": "actor.metadata", "via": "actor.via",
		"targets": "targets", "ip": "context.ip", "user_agent": "context.user_agent", "request_id": "context.request_id", "trace_id": "context.trace_id",
		"session_id": "context.session_id", "correlation_id": "correlation_id", "http_method": "context.http.method", "http_route": "context.http.route",
		"http_path": "context.http.path", "http_status_code": "context.http.status_code", "http_params": "context.http.params",
		"http_request": "context.http.request", "http_response": "context.http.response", "error_code": "error.code", "error_message": "error.message",
		"reason": "reason", "changes": "changes", "metadata": "metadata",
	} {
		one := mapped{path: strings.Split(member, "."), column: column}
		if one.check() == nil {
			m.members = append(m.members, one)
		}
	}
	slices.SortFunc(m.members, func(a, b mapped) int { return strings.Compare(a.column, b.column) })
	return m
}

// event makes an event of a row; our own CSV has rows of entries that are none.
func (m *columnMap) event(text []byte) (Made, error) {
	var out Made
	var row map[string]*string
	if err := json.Unmarshal(text, &row); err != nil {
		return out, errors.New("a row is an object of texts")
	}
	if m.guarded && (holdsText(row["control"]) || holdsText(row["removed"])) {
		return out, nil
	}
	event := map[string]any{}
	named := map[string]bool{}
	for _, one := range m.members {
		cell := one.value
		if one.column != "" {
			value, ok := row[one.column]
			if !ok && !m.guarded {
				return out, fmt.Errorf("there is no column %q", one.column)
			}
			named[one.column] = true
			if !holdsText(value) {
				continue
			}
			cell = *value
		}
		if m.guarded && len(cell) > 1 && cell[0] == '\'' && strings.ContainsRune("=+-@\t\r", rune(cell[1])) {
			cell = cell[1:]
		}
		if one.path[0] == "id" {
			if _, err := daybook.ParseID(cell); err != nil {
				out.Key = cell
				continue
			}
		}
		value, err := one.read(cell)
		if err != nil {
			return out, fmt.Errorf("%s: %w", strings.Join(one.path, "."), err)
		}
		if err := put(event, one.path, value); err != nil {
			return out, err
		}
	}
	for column, value := range row {
		if m.drop || named[column] || !holdsText(value) {
			continue
		}
		if err := put(event, []string{"metadata", column}, *value); err != nil {
			return out, err
		}
	}
	var err error
	out.Event, err = json.Marshal(event)
	return out, err
}

func holdsText(cell *string) bool { return cell != nil && *cell != "" }

// read turns a cell into what stands in the event.
func (m *mapped) read(cell string) (any, error) {
	switch {
	case m.path[0] == "occurred_at":
		at, err := looseTime(cell)
		return at.Format(time.RFC3339Nano), err
	case !m.json:
		return cell, nil
	case !json.Valid([]byte(cell)):
		return nil, errors.New("it is not JSON")
	}
	return json.RawMessage(cell), nil
}

// looseTime reads RFC 3339, what databases print, and seconds or milliseconds since 1970.
func looseTime(text string) (time.Time, error) {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999 -0700 MST",
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly, time.RFC1123, time.RFC1123Z,
	} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= 253_402_300_799_999) { // NaN is neither
		return time.Time{}, fmt.Errorf("%q is not a time", text)
	}
	if n >= 1e11 { // as seconds it would be the year 5138
		return time.UnixMilli(int64(n)).UTC(), nil
	}
	return time.UnixMicro(int64(n * 1e6)).UTC(), nil
}

// put sets the member at a path, making what holds it; targets are a list.
func put(in map[string]any, path []string, value any) error {
	if path[0] == "targets" && len(path) > 2 {
		list, ok := in["targets"].([]any)
		if !ok && in["targets"] != nil {
			return errors.New("targets is given whole and in parts")
		}
		n, err := strconv.Atoi(path[1])
		if err != nil {
			return err
		}
		for len(list) <= n {
			list = append(list, map[string]any{})
		}
		in["targets"] = list
		target, _ := list[n].(map[string]any)
		return put(target, path[2:], value)
	}
	for _, name := range path[:len(path)-1] {
		inner, ok := in[name].(map[string]any)
		if !ok {
			if in[name] != nil {
				return fmt.Errorf("%s is given whole and in parts", strings.Join(path, "."))
			}
			inner = map[string]any{}
			in[name] = inner
		}
		in = inner
	}
	in[path[len(path)-1]] = value
	return nil
}
