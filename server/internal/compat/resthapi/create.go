package resthapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybookhttp"
	"github.com/daybook-audit/daybook/leaf"
	own "github.com/daybook-audit/daybook/resthapi"
)

// maxDocuments is how many documents one request brings at most.
const maxDocuments = 1000

// create is POST /auditLog: one document or a list, all or none of them, in one commit.
func (d *Door) create(w http.ResponseWriter, r *http.Request, body []byte) {
	c := callerOf(r)
	docs, list, f := decode(body, !d.Settings.Lax)
	if f != nil {
		f.send(w)
		return
	}
	if err := d.Orgs.Ensure(r.Context(), c.org); err != nil {
		unavailable().send(w)
		return
	}
	entries, f := d.record(r.Context(), c, docs, r.Header.Get("Idempotency-Key"))
	if f != nil {
		f.send(w)
		return
	}
	var out []byte
	for i := range entries {
		doc, err := documentOf(&entries[i])
		if err != nil {
			unavailable().send(w)
			return
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = doc.appendJSON(out, nil)
	}
	if list {
		out = append(append([]byte{'['}, out...), ']')
	}
	send(w, http.StatusCreated, out)
}

// record records the documents, durable on return, and returns their entries in order. A document whose _id is there already, with
// the same content, is not recorded again, whoever brings it.
func (d *Door) record(ctx context.Context, c *caller, docs []own.Document, key string) ([]daybook.Entry, *fault) {
	if len(key) > 255 {
		return nil, badRequest("Idempotency-Key must be at most 255 bytes long")
	}
	request := daybook.Request{Door: name, Key: key}
	for i := range docs {
		docs[i].RecordedBy = c.name
		text, f := eventJSON(&docs[i])
		if f != nil {
			return nil, f
		}
		request.Events = append(request.Events, text)
	}
	result, err := d.Book.RecordJSON(ctx, c.org, request)
	if daybook.CodeOf(err) == daybook.CodeConflict && key == "" {
		return d.recordRest(ctx, c, docs, request)
	}
	if err != nil {
		return nil, bookFault(err)
	}
	entries := make([]daybook.Entry, len(result.Receipts))
	for i, receipt := range result.Receipts {
		if entries[i], err = d.Book.EntryAt(ctx, c.org, receipt.Seq); err != nil {
			return nil, bookFault(err)
		}
	}
	return entries, nil
}

// recordRest records those of the documents that are not there yet: those that are must be the same, but for who brought them.
func (d *Door) recordRest(ctx context.Context, c *caller, docs []own.Document, request daybook.Request) ([]daybook.Entry, *fault) {
	entries := make([]daybook.Entry, len(docs))
	var rest []int
	var events [][]byte
	for i := range docs {
		known, f := d.known(ctx, c.org, &docs[i])
		switch {
		case f != nil:
			return nil, f
		case known != nil:
			entries[i] = *known
		default:
			rest, events = append(rest, i), append(events, request.Events[i])
		}
	}
	if len(rest) == 0 {
		return entries, nil
	}
	request.Events = events
	result, err := d.Book.RecordJSON(ctx, c.org, request)
	if err != nil {
		return nil, bookFault(err)
	}
	for k, i := range rest {
		if entries[i], err = d.Book.EntryAt(ctx, c.org, result.Receipts[k].Seq); err != nil {
			return nil, bookFault(err)
		}
	}
	return entries, nil
}

// known returns the entry of a document that is there already, nil when it is not, and 409 when its _id stands for another one.
func (d *Door) known(ctx context.Context, org daybook.OrgID, doc *own.Document) (*daybook.Entry, *fault) {
	if doc.ID == "" {
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	}
	id, err := own.EventID(doc.ID)
	if err != nil {
		return nil, conflict()
	}
	e, err := d.Book.Entry(ctx, org, id)
	if daybook.CodeOf(err) == daybook.CodeNotFound {
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	}
	if err != nil {
		return nil, bookFault(err)
	}
	was, err := documentOf(&e)
	if err != nil {
		return nil, unavailable()
	}
	text, f := eventJSON(doc)
	if f != nil {
		return nil, f
	}
	is, err := documentOf(&daybook.Entry{ID: id, ReceivedAt: e.ReceivedAt, Payload: text})
	if err != nil || !sameDocument(was, is) {
		return nil, conflict()
	}
	return &e, nil
}

// sameDocument compares what two documents show; the order of members means nothing.
func sameDocument(a, b *document) bool {
	x, okX := decoded(a.appendJSON(nil, nil))
	y, okY := decoded(b.appendJSON(nil, nil))
	return okX && okY && equal(x, y)
}

// eventJSON returns the event that a document is, as the Book takes it.
func eventJSON(doc *own.Document) ([]byte, *fault) {
	e, err := doc.Event()
	if err != nil {
		return nil, badPayload("_id", "must be a valid ObjectId")
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, badRequest("Invalid request payload JSON format")
	}
	if len(text) > leaf.MaxPayload {
		return nil, tooLarge(leaf.MaxPayload)
	}
	return text, nil
}

// decode reads a body: one document, or a list of them.
func decode(body []byte, strict bool) (docs []own.Document, list bool, f *fault) {
	malformed := badRequest("Invalid request payload JSON format")
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' {
		if json.Valid(body) {
			return nil, false, badPayload("value", "must be an object or an array")
		}
		return nil, false, malformed
	}
	if trimmed[0] == '{' {
		doc, f := decodeDocument(body, "", strict)
		return []own.Document{doc}, false, f
	}
	var elements []json.RawMessage
	if json.Unmarshal(body, &elements) != nil {
		return nil, true, malformed
	}
	switch {
	case len(elements) == 0:
		return nil, true, badPayload("value", "must contain at least 1 items")
	case len(elements) > maxDocuments:
		return nil, true, badPayload("value", fmt.Sprintf("must contain less than or equal to %d items", maxDocuments))
	}
	docs = make([]own.Document, len(elements))
	for i, element := range elements {
		if docs[i], f = decodeDocument(element, "["+strconv.Itoa(i)+"]", strict); f != nil {
			return nil, true, f
		}
	}
	return docs, true, nil
}

// decodeDocument reads one document; at is its place in a list.
func decodeDocument(text []byte, at string, strict bool) (own.Document, *fault) {
	r := &documentReader{at: at}
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); trimmed[0] != '{' {
		return r.doc, badPayload(at, "must be an object")
	}
	// What is secret in it is masked before anything else; and this is the strict reading: equal names, bad UTF-8.
	safe, err := daybookhttp.Redact(text, nil)
	if err != nil {
		return r.doc, badRequest("Invalid request payload JSON format")
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(safe, &members) != nil {
		return r.doc, badRequest("Invalid request payload JSON format")
	}
	for _, name := range sortedNames(members) {
		if value := members[name]; string(value) != "null" {
			r.member(name, value, strict)
		} else if strict && !slices.Contains(fields, name) {
			r.refuse(name, "is not allowed")
		}
		if r.f != nil {
			return r.doc, r.f
		}
	}
	return r.doc, nil
}

func sortedNames(members map[string]json.RawMessage) []string {
	list := make([]string, 0, len(members))
	for name := range members {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// documentReader reads the members of one document.
type documentReader struct {
	at  string
	doc own.Document
	f   *fault // the first refusal
}

func (r *documentReader) refuse(name, is string) {
	if r.at != "" {
		name = r.at + "." + name
	}
	r.f = badPayload(name, is)
}

// member reads a member that is not null.
func (r *documentReader) member(name string, value json.RawMessage, strict bool) {
	d := &r.doc
	switch name {
	case "_id":
		r.id(value)
	case "date":
		r.date(value)
	case "method":
		d.Method = r.oneOf(name, value, methods)
	case "associationType":
		d.AssociationType = r.oneOf(name, value, []string{"ONE_MANY", "MANY_MANY", "_MANY"})
	case "user":
		d.User = r.textOrNumber(name, value)
	case "documents":
		r.documents(value)
	case "payload":
		d.Payload = value
	case "result":
		d.Result = value
	case "params":
		if d.Params = value; value[0] != '{' {
			r.refuse(name, "must be an object")
		}
	case "statusCode":
		if json.Unmarshal(value, &d.StatusCode) != nil {
			r.refuse(name, "must be a number")
		}
	case "isError":
		if json.Unmarshal(value, &d.IsError) != nil {
			r.refuse(name, "must be a boolean")
		}
	default:
		to := map[string]**string{
			"action": &d.Action, "endpoint": &d.Endpoint, "collectionName": &d.CollectionName, "childCollectionName": &d.ChildCollectionName,
			"responseMessage": &d.ResponseMessage, "ipAddress": &d.IPAddress, "notes": &d.Notes,
		}[name]
		switch {
		case to != nil:
			if json.Unmarshal(value, to) != nil {
				r.refuse(name, "must be a string")
			}
		case strict:
			r.refuse(name, "is not allowed")
		}
	}
}

func (r *documentReader) id(value json.RawMessage) {
	var text string
	if json.Unmarshal(value, &text) == nil {
		if _, err := own.EventID(text); err == nil {
			r.doc.ID = text
			return
		}
	}
	r.refuse("_id", "must be a valid ObjectId")
}

func (r *documentReader) date(value json.RawMessage) {
	var text string
	if json.Unmarshal(value, &text) != nil {
		text = string(value) // a number
	}
	t, ok := parseDate(text)
	if !ok {
		r.refuse("date", "must be a valid date")
	}
	r.doc.Date = t
}

func (r *documentReader) oneOf(name string, value json.RawMessage, words []string) *string {
	var text string
	if json.Unmarshal(value, &text) != nil || !slices.Contains(words, text) {
		r.refuse(name, "must be one of ["+joinWords(words)+", null]")
		return nil
	}
	return &text
}

func joinWords(words []string) string {
	var b bytes.Buffer
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(w)
	}
	return b.String()
}

func (r *documentReader) textOrNumber(name string, value json.RawMessage) *string {
	text, ok := textOrNumber(value)
	if !ok {
		r.refuse(name, "must be a string")
	}
	return &text
}

func textOrNumber(value json.RawMessage) (string, bool) {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text, true
	}
	var n json.Number
	return string(value), value[0] != '"' && json.Unmarshal(value, &n) == nil
}

func (r *documentReader) documents(value json.RawMessage) {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		r.refuse("documents", "must be an array")
		return
	}
	r.doc.Documents = make([]string, len(list))
	for i, one := range list {
		text, ok := textOrNumber(one)
		if !ok {
			r.refuse("documents["+strconv.Itoa(i)+"]", "must be a string")
			return
		}
		r.doc.Documents[i] = text
	}
}
