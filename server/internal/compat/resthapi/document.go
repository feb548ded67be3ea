package resthapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybookhttp"
	"github.com/daybook-audit/daybook/internal/rawjson"
	own "github.com/daybook-audit/daybook/resthapi"
)

// fields are the members of a document, in the order in which rest-hapi shows them.
var fields = []string{
	"_id", "notes", "ipAddress", "method", "action", "endpoint", "collectionName", "statusCode", "isError", "responseMessage", "result", "params",
	"payload", "documents", "associationType", "childCollectionName", "user", "date",
}

// textFields are those that $term looks at.
var textFields = []string{
	"method", "action", "endpoint", "user", "collectionName", "childCollectionName", "associationType", "responseMessage", "ipAddress", "notes",
}

// freeFields are those that hold any JSON, or a list: dotted names reach inside.
var freeFields = []string{"payload", "params", "result", "documents"}

// document is an entry as one of rest-hapi's. What is nil is null.
type document struct {
	id         string
	text       [10]*string // textFields, in their order
	statusCode json.RawMessage
	isError    bool
	date       int64 // µs since 1970
	documents  []string
	free       [3]json.RawMessage // payload, params, result

	values map[string]any // of freeFields, read when they are asked for
}

// place is where textFields stand in document.text.
var place = func() map[string]int {
	m := make(map[string]int, len(textFields))
	for i, name := range textFields {
		m[name] = i
	}
	return m
}()

// set gives a text field the string that text is; anything else is null.
func (d *document) set(name string, text []byte) {
	if rawjson.IsString(text) {
		s := rawjson.Text(text)
		d.text[place[name]] = &s
	}
}

// documentOf reads an entry. What an erasure took is null.
func documentOf(e *daybook.Entry) (*document, error) {
	if !rawjson.IsObject(e.Payload) {
		return nil, fmt.Errorf("entry %d has no payload", e.Seq)
	}
	d := &document{id: idOf(e), date: e.ReceivedAt}
	var action, about []byte
	var first string // type of the first target
	for _, m := range rawjson.Members(e.Payload) {
		switch m.Name {
		case "action":
			action = m.Value
		case "occurred_at":
			if t, err := time.Parse(time.RFC3339, rawjson.Text(m.Value)); err == nil {
				d.date = t.UnixMicro()
			}
		case "actor":
			d.actor(m.Value)
		case "targets":
			first = d.targets(m.Value)
		case "context":
			d.context(m.Value)
		case "outcome":
			outcome := daybook.Outcome(rawjson.Text(m.Value))
			d.isError = outcome == daybook.Failure || outcome == daybook.Denied
		case "error":
			d.set("responseMessage", rawjson.At(m.Value, "message"))
		case "metadata":
			about = rawjson.At(m.Value, "rest_hapi")
		}
	}
	if rawjson.IsObject(about) {
		d.about(about)
		return d, nil
	}
	d.set("action", action) // not recorded as rest-hapi does
	if first != "" {
		d.text[place["collectionName"]] = &first
	}
	return d, nil
}

func (d *document) actor(text []byte) {
	if !rawjson.IsObject(text) {
		return
	}
	members := rawjson.Members(text)
	if kind := rawjson.Find(members, "type"); string(kind) != `"anonymous"` {
		d.set("user", rawjson.Find(members, "id"))
	}
}

// targets reads the ids of targets and returns the type of the first.
func (d *document) targets(text []byte) (first string) {
	if len(text) == 0 || text[0] != '[' {
		return ""
	}
	for target := range rawjson.Elements(text) {
		var id string
		if rawjson.IsObject(target) {
			for _, m := range rawjson.Members(target) {
				switch {
				case !rawjson.IsString(m.Value):
				case m.Name == "id":
					id = rawjson.Text(m.Value)
				case m.Name == "type" && d.documents == nil:
					first = rawjson.Text(m.Value)
				}
			}
		}
		d.documents = append(d.documents, id)
	}
	return first
}

func (d *document) context(text []byte) {
	if !rawjson.IsObject(text) {
		return
	}
	members := rawjson.Members(text)
	d.set("ipAddress", rawjson.Find(members, "ip"))
	http := rawjson.Find(members, "http")
	if !rawjson.IsObject(http) {
		return
	}
	for _, m := range rawjson.Members(http) {
		switch m.Name {
		case "method":
			if rawjson.IsString(m.Value) {
				d.text[place["method"]] = method(rawjson.Text(m.Value))
			}
		case "path":
			d.set("endpoint", m.Value)
		case "status_code":
			d.statusCode = some(m.Value)
		case "request":
			d.free[0] = some(daybookhttp.Unfitted(m.Value))
		case "params":
			d.free[1] = some(daybookhttp.Unfitted(m.Value))
		case "response":
			d.free[2] = some(daybookhttp.Unfitted(m.Value))
		}
	}
}

// about reads what an event keeps of a document that has no place of its own.
func (d *document) about(text []byte) {
	var list []byte
	for _, m := range rawjson.Members(text) {
		switch m.Name {
		case "action", "collectionName", "childCollectionName", "associationType", "notes":
			d.set(m.Name, m.Value)
		case "documents":
			list = m.Value
		case "listed":
			d.documents = nil
		}
	}
	if len(list) > 0 && json.Unmarshal(daybookhttp.Unfitted(list), &d.documents) != nil {
		d.documents = nil // erased in part
	}
}

// idOf returns the _id of an entry: the one that its document brought, or that the log gives.
func idOf(e *daybook.Entry) string {
	if id, ok := own.GivenID(e.ID); ok {
		return id
	}
	return own.LogID(e.ReceivedAt, e.Seq)
}

// methods are those that a document can show.
var methods = []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodGet}

// method shows PATCH as PUT, and what rest-hapi has no word for as null.
func method(m string) *string {
	if m == http.MethodPatch {
		m = http.MethodPut
	}
	if slices.Contains(methods, m) {
		return &m
	}
	return nil
}

// some returns nil for null.
func some(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// appendJSON appends the members of d that selected names, or all of them.
func (d *document) appendJSON(dst []byte, selected []string) []byte {
	dst = append(dst, '{')
	for _, name := range fields {
		if len(selected) > 0 && name != "_id" && !slices.Contains(selected, name) {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), name...), `":`...)
		dst = d.appendValue(dst, name)
	}
	return append(dst, '}')
}

func (d *document) appendValue(dst []byte, name string) []byte {
	switch name {
	case "_id":
		return append(append(append(dst, '"'), d.id...), '"')
	case "statusCode":
		return appendRaw(dst, d.statusCode)
	case "isError":
		return strconv.AppendBool(dst, d.isError)
	case "date":
		return time.UnixMicro(d.date).UTC().AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`)
	case "documents":
		if d.documents == nil {
			return append(dst, "null"...)
		}
		dst = append(dst, '[')
		for i, id := range d.documents {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, id)
		}
		return append(dst, ']')
	case "payload", "params", "result":
		return appendRaw(dst, d.free[slices.Index(freeFields, name)])
	}
	if s := d.text[place[name]]; s != nil {
		return appendString(dst, *s)
	}
	return append(dst, "null"...)
}

func appendRaw(dst []byte, raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return append(dst, "null"...)
	}
	return append(dst, raw...)
}

func appendString(dst []byte, s string) []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) != nil { // a string always encodes
		return append(dst, `""`...)
	}
	return append(dst, strings.TrimSuffix(b.String(), "\n")...)
}

// field returns the value of a field.
func (d *document) field(name string) any {
	switch name {
	case "_id":
		return d.id
	case "statusCode":
		if len(d.statusCode) == 0 {
			return nil
		}
		return json.Number(d.statusCode)
	case "isError":
		return d.isError
	case "date":
		return date(floorMilli(d.date))
	case "payload", "params", "result", "documents":
		return d.freeValue(name)
	}
	if s := d.text[place[name]]; s != nil {
		return *s
	}
	return nil
}

func floorMilli(micros int64) int64 { return time.UnixMicro(micros).UnixMilli() }

func (d *document) freeValue(name string) any {
	if v, ok := d.values[name]; ok {
		return v
	}
	var v any
	if name == "documents" {
		if d.documents != nil {
			list := make([]any, len(d.documents))
			for i, id := range d.documents {
				list[i] = id
			}
			v = list
		}
	} else if raw := d.free[slices.Index(freeFields, name)]; len(raw) > 0 {
		v, _ = decoded(raw) // it was strict JSON when it was recorded
	}
	if d.values == nil {
		d.values = map[string]any{}
	}
	d.values[name] = v
	return v
}

// at returns the values at a path, as MongoDB finds them: a step into a list is an index, or a member of each of its objects. None:
// there is nothing.
func (d *document) at(path string) []any {
	name, rest, dotted := strings.Cut(path, ".")
	found := []any{d.field(name)}
	for dotted {
		var step string
		step, rest, dotted = strings.Cut(rest, ".")
		var next []any
		for _, v := range found {
			switch x := v.(type) {
			case map[string]any:
				if inner, ok := x[step]; ok {
					next = append(next, inner)
				}
			case []any:
				if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(x) {
					next = append(next, x[i])
				}
				for _, one := range x {
					if object, ok := one.(map[string]any); ok {
						if inner, ok := object[step]; ok {
							next = append(next, inner)
						}
					}
				}
			}
		}
		found = next
	}
	return found
}

// knownPath reports whether a path begins with a field that can have what follows.
func knownPath(path string) bool {
	name, _, dotted := strings.Cut(path, ".")
	if dotted {
		return slices.Contains(freeFields, name) && strings.Count(path, ".") <= maxDepth
	}
	return slices.Contains(fields, name)
}

// each calls f for every string of the document until f is true.
func (d *document) each(f func(string) bool) bool {
	if f(d.id) {
		return true
	}
	for _, s := range d.text {
		if s != nil && f(*s) {
			return true
		}
	}
	for _, name := range freeFields {
		if eachString(d.freeValue(name), f) {
			return true
		}
	}
	return false
}

func eachString(v any, f func(string) bool) bool {
	switch x := v.(type) {
	case string:
		return f(x)
	case []any:
		return slices.ContainsFunc(x, func(one any) bool { return eachString(one, f) })
	case map[string]any:
		for _, one := range x {
			if eachString(one, f) {
				return true
			}
		}
	}
	return false
}
