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
	text       map[string]*string // textFields
	statusCode json.RawMessage
	isError    bool
	date       int64 // µs since 1970
	documents  []string
	free       map[string]json.RawMessage // payload, params, result

	values map[string]any // of freeFields, read when they are asked for
}

// payload is what a document needs of an entry's JSON.
type payload struct {
	Action     string    `json:"action"`
	OccurredAt time.Time `json:"occurred_at"`
	Actor      struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"actor"`
	Targets []struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"targets"`
	Context struct {
		IP   *string `json:"ip"`
		HTTP *struct {
			Method     *string         `json:"method"`
			Path       *string         `json:"path"`
			StatusCode json.RawMessage `json:"status_code"`
			Params     json.RawMessage `json:"params"`
			Request    json.RawMessage `json:"request"`
			Response   json.RawMessage `json:"response"`
		} `json:"http"`
	} `json:"context"`
	Outcome string `json:"outcome"`
	Error   struct {
		Message *string `json:"message"`
	} `json:"error"`
	Metadata struct {
		About *own.About `json:"rest_hapi"`
	} `json:"metadata"`
}

// documentOf reads an entry. What an erasure took is null.
func documentOf(e *daybook.Entry) (*document, error) {
	var p payload
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		return nil, fmt.Errorf("read entry %d: %w", e.Seq, err)
	}
	d := &document{id: idOf(e), isError: p.Outcome == string(daybook.Failure) || p.Outcome == string(daybook.Denied), date: e.ReceivedAt}
	if !p.OccurredAt.IsZero() {
		d.date = p.OccurredAt.UnixMicro()
	}
	d.text = map[string]*string{"ipAddress": p.Context.IP, "responseMessage": p.Error.Message}
	if p.Actor.Type != "anonymous" && p.Actor.ID != "" {
		d.text["user"] = &p.Actor.ID
	}
	if h := p.Context.HTTP; h != nil {
		d.text["method"], d.text["endpoint"], d.statusCode = method(h.Method), h.Path, some(h.StatusCode)
		d.free = map[string]json.RawMessage{
			"payload": some(daybookhttp.Unfitted(h.Request)), "params": some(daybookhttp.Unfitted(h.Params)), "result": some(daybookhttp.Unfitted(h.Response)),
		}
	}
	for _, t := range p.Targets {
		d.documents = append(d.documents, t.ID)
	}
	a := p.Metadata.About
	if a == nil { // not recorded as rest-hapi does
		if p.Action != "" {
			d.text["action"] = &p.Action
		}
		if len(p.Targets) > 0 {
			d.text["collectionName"] = &p.Targets[0].Type
		}
		return d, nil
	}
	d.text["action"], d.text["collectionName"], d.text["childCollectionName"] = a.Action, a.CollectionName, a.ChildCollectionName
	d.text["associationType"], d.text["notes"] = a.AssociationType, a.Notes
	if a.Listed {
		d.documents = nil
		if json.Unmarshal(daybookhttp.Unfitted(a.Documents), &d.documents) != nil {
			d.documents = nil // erased in part
		}
	}
	return d, nil
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
func method(m *string) *string {
	switch {
	case m == nil:
		return nil
	case *m == http.MethodPatch:
		return new(http.MethodPut)
	case slices.Contains(methods, *m):
		return m
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
		return appendRaw(dst, d.free[name])
	}
	if s := d.text[name]; s != nil {
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
	if s := d.text[name]; s != nil {
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
	} else if raw := d.free[name]; len(raw) > 0 {
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
	for _, name := range textFields {
		if s := d.text[name]; s != nil && f(*s) {
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
