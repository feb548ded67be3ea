package resthapi

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
	own "github.com/daybook-audit/daybook/resthapi"
)

// question is a request for documents.
type question struct {
	limit, skip, page int64
	sort              []sortKey
	selected          []string
	count             bool
	all               bool      // $all: entries that were not recorded as rest-hapi's too
	head              int64     // $head: only what the log held at this size; −1: as it is
	from, to          time.Time // of date, [from, to); zero: open
	conditions        both      // what every document must pass
	// within is what the log itself can look for. It lets through at least what conditions do.
	within []*query.Query
}

// sortKey is a field to sort by.
type sortKey struct {
	field string
	desc  bool
}

// maxSorted is how far down a page may begin that is not in the order of _id.
const maxSorted = 10_000

// paramReader reads the parameters of one request.
type paramReader struct {
	s    *Settings
	now  time.Time
	q    question
	term string
	in   []string // $searchFields
}

// parseParams reads a query string.
func parseParams(raw string, s *Settings, now time.Time) (*question, *fault) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("the query string is not well-formed")
	}
	r := &paramReader{s: s, now: now, q: question{head: -1}}
	for _, name := range slices.Sorted(mapKeys(values)) {
		if f := r.param(name, values[name]); f != nil {
			return nil, f
		}
	}
	if f := r.searched(); f != nil {
		return nil, f
	}
	return r.finish()
}

func mapKeys(m url.Values) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range m {
			if !yield(name) {
				return
			}
		}
	}
}

// finish makes the page definite.
func (r *paramReader) finish() (*question, *fault) {
	q := &r.q
	if most := r.s.maxLimit(); q.limit == 0 || q.limit > most {
		q.limit = most
	}
	if q.page > 0 {
		q.skip = (q.page - 1) * q.limit
	}
	if q.skip < 0 { // an overflow
		return nil, badQuery("$page", "is too large")
	}
	if q.count {
		q.sort, q.limit, q.skip = nil, 0, 0
	}
	if !q.byID() && q.skip+q.limit > maxSorted {
		return nil, badQuery("$sort", "by anything but _id reaches "+strconv.Itoa(maxSorted)+" documents: narrow the filter")
	}
	return q, nil
}

// byID reports whether the order is that of _id, and whether it is descending.
func (q *question) byID() bool { return len(q.sort) == 0 || q.sort[0].field == "_id" }

func (q *question) descending() bool { return q.byID() && len(q.sort) > 0 && q.sort[0].desc }

// param reads one parameter.
func (r *paramReader) param(name string, values []string) *fault {
	last := values[len(values)-1]
	var f *fault
	switch name {
	case "$limit":
		r.q.limit, f = whole(name, last)
	case "$skip":
		r.q.skip, f = whole(name, last)
	case "$page":
		r.q.page, f = whole(name, last)
	case "$head":
		r.q.head, f = whole(name, last)
	case "$count":
		r.q.count, f = boolParam(name, last)
	case "$all":
		r.q.all, f = boolParam(name, last)
	case "$flatten":
		_, f = boolParam(name, last)
	case "$sort":
		f = r.sorted(items(values))
	case "$select":
		f = r.selects(items(values))
	case "$exclude":
		f = r.excluded(items(values))
	case "$searchFields":
		f = r.searchFields(items(values))
	case "$term":
		r.term = last
	case "$text":
		r.q.conditions = append(r.q.conditions, parseText(last))
	case "$where":
		f = r.where(values)
	case "$embed":
		f = badRequest("Association not found.")
	case "$from":
		r.q.from, f = dateParam(name, last)
	case "$to":
		r.q.to, f = dateParam(name, last)
	case "$q":
		f = r.ours(last)
	default:
		f = r.field(name, values)
	}
	return f
}

func whole(name, text string) (int64, *fault) {
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return 0, badQuery(name, "must be a number")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case strings.HasPrefix(text, "-"):
		return 0, badQuery(name, "must be greater than or equal to 0")
	case err != nil:
		return 0, badQuery(name, "must be an integer")
	case n > 1<<40:
		return 0, badQuery(name, "is too large")
	}
	return n, nil
}

func boolParam(name, text string) (bool, *fault) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, badQuery(name, "must be a boolean")
}

func dateParam(name, text string) (time.Time, *fault) {
	t, ok := parseDate(text)
	if !ok {
		return t, badQuery(name, "must be a valid date")
	}
	return t, nil
}

// items are the elements of a list parameter: repeated, between commas, or a JSON array of strings.
func items(values []string) []string {
	var list []string
	for _, v := range values {
		var array []string
		if strings.HasPrefix(v, "[") && json.Unmarshal([]byte(v), &array) == nil {
			list = append(list, array...)
			continue
		}
		for one := range strings.SplitSeq(v, ",") {
			if one = strings.TrimSpace(one); one != "" {
				list = append(list, one)
			}
		}
	}
	return list
}

func (r *paramReader) sorted(list []string) *fault {
	for _, one := range list {
		name, desc := strings.CutPrefix(one, "-")
		if !slices.Contains(fields, name) {
			return badQuery("$sort", "must name fields of an auditLog document, not "+strconv.Quote(short(name)))
		}
		r.q.sort = append(r.q.sort, sortKey{name, desc})
	}
	return nil
}

func (r *paramReader) selects(list []string) *fault {
	for _, name := range list {
		if !slices.Contains(fields, name) {
			return badQuery("$select", "must name fields of an auditLog document, not "+strconv.Quote(short(name)))
		}
	}
	r.q.selected = list
	return nil
}

func (r *paramReader) excluded(list []string) *fault {
	var ids []any
	for _, id := range list {
		text, ok := objectID(id)
		if !ok {
			return badQuery("$exclude", "must hold valid ObjectIds")
		}
		ids = append(ids, text)
	}
	r.q.conditions = append(r.q.conditions, atPath{"_id", isNot(isOneOf(ids))})
	return nil
}

// objectID reads an _id, in any of its forms, as the text that documents show.
func objectID(text string) (string, bool) {
	if id, err := daybook.ParseID(text); err == nil {
		if given, ok := own.GivenID(id); ok {
			return given, true
		}
		return "", false // the one that the log gives depends on the seq
	}
	lower := strings.ToLower(text)
	if len(lower) != 24 || strings.Trim(lower, "0123456789abcdef") != "" {
		return "", false
	}
	return lower, true
}

func (r *paramReader) searchFields(list []string) *fault {
	for _, name := range list {
		switch {
		case slices.Contains(textFields, name):
			r.in = append(r.in, name)
		case !slices.Contains(fields, name) && !r.s.Lax:
			return badQuery("$searchFields", "must name fields of an auditLog document, not "+strconv.Quote(short(name)))
		}
	}
	if len(r.in) == 0 {
		return badQuery("$searchFields", "must name at least one field that holds text: "+strings.Join(textFields, ", "))
	}
	return nil
}

// searched makes a condition of $term and $searchFields.
func (r *paramReader) searched() *fault {
	if r.term == "" {
		return nil
	}
	re, err := compiled(r.term, "(?i)")
	if err != nil {
		return badQuery("$term", err.Error())
	}
	in := r.in
	if in == nil {
		in = textFields
	}
	any1 := make(anyOf, len(in))
	for i, name := range in {
		any1[i] = atPath{name, someValue(func(v any) bool {
			s, ok := v.(string)
			return ok && re.MatchString(s)
		})}
	}
	r.q.conditions = append(r.q.conditions, any1)
	return nil
}

func (r *paramReader) where(values []string) *fault {
	if r.s.NoWhere {
		return badQuery("$where", "is not allowed")
	}
	for _, text := range values {
		c, f := parseWhere(text)
		if f != nil {
			return f
		}
		r.q.conditions = append(r.q.conditions, c)
		r.pushEqual(text)
	}
	return nil
}

// pushEqual tells the log of the equalities that a filter asks for at its top.
func (r *paramReader) pushEqual(filter string) {
	v, _ := decoded([]byte(filter))
	object, _ := v.(map[string]any)
	for name, value := range object {
		switch value.(type) {
		case string, json.Number, bool:
			r.push(name, []string{plain(value)})
		}
	}
}

// ours is $q: Daybook's own query language.
func (r *paramReader) ours(text string) *fault {
	q, err := query.Parse(text, query.Options{Now: r.now})
	if err != nil {
		return badQuery("$q", "must be a Daybook query: "+err.Error())
	}
	r.q.within = append(r.q.within, q)
	return nil
}

// field reads field=value: repeated, or a JSON array, any of them suffices.
func (r *paramReader) field(name string, values []string) *fault {
	if !knownPath(name) {
		if r.s.Lax {
			return nil
		}
		return badQuery(name, "is not allowed")
	}
	var texts []string
	for _, v := range values {
		var list []any
		if strings.HasPrefix(v, "[") {
			if got, ok := decoded([]byte(v)); ok && !isFree(name) {
				list, _ = got.([]any)
			}
		}
		if list == nil {
			texts = append(texts, v)
		}
		for _, one := range list {
			texts = append(texts, plain(one))
		}
	}
	var wanted []any
	for _, text := range texts {
		list, f := fieldValue(name, text)
		if f != nil {
			return f
		}
		wanted = append(wanted, list...)
	}
	r.q.conditions = append(r.q.conditions, atPath{name, isOneOf(wanted)})
	r.push(name, texts)
	return nil
}

// isFree reports whether a path leads into free JSON.
func isFree(path string) bool {
	name, _, _ := strings.Cut(path, ".")
	return slices.Contains(freeFields[:3], name)
}

// plain returns an element of a list as the text that a parameter would have.
func plain(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	}
	return "null"
}

// fieldValue returns the values that a parameter's text stands for.
func fieldValue(name, text string) ([]any, *fault) {
	switch {
	case name == "statusCode":
		if v, ok := decoded([]byte(text)); ok && rank(v) == rank(json.Number("0")) {
			return []any{v}, nil
		}
		return nil, badQuery(name, "must be a number")
	case name == "isError":
		b, f := boolParam(name, text)
		return []any{b}, f
	case name == "date":
		t, f := dateParam(name, text)
		return []any{date(t.UnixMilli())}, f
	case name == "_id":
		id, ok := objectID(text)
		if !ok {
			return nil, badQuery(name, "must be a valid ObjectId")
		}
		return []any{id}, nil
	case isFree(name):
		if v, ok := decoded([]byte(text)); ok {
			return []any{v, text}, nil
		}
	}
	return []any{text}, nil
}

// push tells the log what to look for, where it can.
func (r *paramReader) push(name string, texts []string) {
	parts := make([]string, 0, len(texts))
	for _, text := range texts {
		part := pushed(name, text)
		if part == "" || len(text) > 200 || len(parts) > 30 {
			return
		}
		parts = append(parts, part)
	}
	q, err := query.Parse(strings.Join(parts, " OR "), query.Options{})
	if err == nil { // what the language does not take is looked for here
		r.q.within = append(r.q.within, q)
	}
}

// pushed says in Daybook's query language what every document with this value passes; empty: nothing is known.
func pushed(name, text string) string {
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	switch name {
	case "_id":
		if _, seq, ok := own.ParseLogID(text); ok {
			return "seq:" + strconv.FormatInt(seq, 10)
		}
		if id, err := own.EventID(strings.ToLower(text)); err == nil {
			return "id:" + id.String()
		}
	case "user":
		return "actor.id:" + quoted
	case "collectionName":
		return "(meta.rest_hapi.collectionName:" + quoted + " OR target.type:" + quoted + ")"
	case "action":
		return "(meta.rest_hapi.action:" + quoted + " OR action:" + quoted + ")"
	case "childCollectionName", "associationType", "notes":
		return "meta.rest_hapi." + name + ":" + quoted
	case "documents":
		return "(target.id:" + quoted + " OR has:meta.rest_hapi.listed)"
	case "method":
		if text == "PUT" {
			return "http.method:PUT,PATCH"
		}
		return "http.method:" + quoted
	case "endpoint":
		return "http.path:" + quoted
	case "statusCode":
		return "http.status_code:" + text
	case "isError":
		if text == "true" {
			return "outcome:failure,denied"
		}
		return "outcome:success"
	case "ipAddress":
		if _, err := netip.ParseAddr(text); err == nil {
			return "ip:" + quoted
		}
	}
	return ""
}
