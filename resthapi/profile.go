package resthapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybookhttp"
)

// Profile says how an application that had rest-hapi's audit log is recorded. The zero value records every request that modifies a
// document, as rest-hapi does with enableAuditLog.
type Profile struct {
	Disabled bool // enableAuditLog: false

	// Credentials returns what authentication knows of who asks, a map or a struct that is read as its JSON; UserIDKey is the dotted
	// path of the user's id in it, default "user._id". A number or string becomes the user; nothing: the user is null.
	Credentials func(*http.Request) any
	UserIDKey   string
	// Actor says it in the words of daybookhttp.Options.Actor instead.
	Actor func(*http.Request) (daybook.Actor, error)
	Org   func(*http.Request) (daybook.OrgID, error) // as daybookhttp.Options.Org

	Prefix       string            // of the paths of models, such as /api
	Models       []string          // collections that are recorded; nil: all
	Associations map[string]string // "user/roles": "MANY_MANY"; not there: null

	// Rules are for further routes, and come first. Level None leaves a route out.
	Rules []daybookhttp.Rule

	// Before returns the document that an Update or Delete is about to change, so that the event has the difference. Nil, or an
	// error: it has none.
	Before func(r *http.Request, collection, id string) (json.RawMessage, error)

	TrustedProxies []netip.Prefix                                  // as daybookhttp.Options
	Names          func(name string) daybookhttp.Treatment         // as daybookhttp.Options
	Headers        []string                                        // as daybookhttp.Options
	MaxBody        int64                                           // as daybookhttp.Options
	Refuse         func(http.ResponseWriter, *http.Request, error) // as daybookhttp.Options
}

// defaultUserIDKey is rest-hapi's.
const defaultUserIDKey = "user._id"

// Options returns the options of daybookhttp.Middleware, or of an adapter, that record as p says.
func Options(p Profile) daybookhttp.Options {
	if p.UserIDKey == "" {
		p.UserIDKey = defaultUserIDKey
	}
	o := daybookhttp.Options{
		Actor: p.Actor, Org: p.Org, TrustedProxies: p.TrustedProxies, Names: p.Names, Headers: p.Headers, MaxBody: p.MaxBody,
		Refuse: p.Refuse, Action: p.action, Complete: p.complete,
		Rules: append(slices.Clone(p.Rules), daybookhttp.Rule{
			Methods: []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, Level: daybookhttp.RequestResponse,
		}),
	}
	if p.Disabled {
		o.Rules = []daybookhttp.Rule{}
	}
	if p.Actor == nil {
		o.Actor = p.who
	}
	if p.Before != nil {
		o.Before = func(r *http.Request) (json.RawMessage, error) {
			if w, ok := p.way(r.Method, r.URL.Path, ""); ok && w.id != "" && !w.association() {
				return p.Before(r, w.collection, w.id)
			}
			return nil, nil
		}
	}
	return o
}

// who returns the actor for the user in the credentials; the zero one when there is none.
func (p Profile) who(r *http.Request) (daybook.Actor, error) {
	if p.Credentials == nil {
		return daybook.Actor{}, nil
	}
	if id := UserID(p.Credentials(r), p.UserIDKey); id != "" {
		return daybook.Actor{Type: "user", ID: id}, nil
	}
	return daybook.Actor{}, nil
}

// UserID returns the string or number at a dotted path in the JSON of credentials, as text; "" when there is none.
func UserID(credentials any, path string) string {
	text, err := json.Marshal(credentials)
	if err != nil {
		return ""
	}
	for step := range strings.SplitSeq(path, ".") {
		var members map[string]json.RawMessage
		if json.Unmarshal(text, &members) != nil {
			return ""
		}
		text = members[step]
	}
	var s string
	var n json.Number
	switch {
	case len(text) == 0:
		return ""
	case text[0] == '"' && json.Unmarshal(text, &s) == nil:
		return s
	case json.Unmarshal(text, &n) == nil:
		return n.String()
	}
	return ""
}

// way is what a request does to which documents.
type way struct {
	verb, collection, child string
	owner, id               string // of an association, id is the child's
}

func (w *way) association() bool { return w.child != "" }

// way reads a request by the table of rest-hapi's routes. A route that has a name where an id stands, or an id where a name, is no
// route of a model.
func (p Profile) way(method, path, pattern string) (way, bool) {
	path, ok := strings.CutPrefix(path, strings.TrimSuffix(p.Prefix, "/"))
	if !ok {
		return way{}, false
	}
	steps := strings.Split(strings.Trim(path, "/"), "/")
	if len(steps) > 4 || slices.Contains(steps, "") {
		return way{}, false
	}
	if rest, ok := strings.CutPrefix(pattern, strings.TrimSuffix(p.Prefix, "/")); ok && strings.Contains(rest, "{") && !strings.Contains(rest, "...") {
		route := strings.Split(strings.Trim(rest, "/"), "/")
		if len(route) != len(steps) || len(route) > 1 && !strings.HasPrefix(route[1], "{") || len(route) > 3 && !strings.HasPrefix(route[3], "{") {
			return way{}, false
		}
	} else if pattern != "" && !strings.HasSuffix(pattern, "/") && !strings.Contains(pattern, "{") && len(steps) > 1 {
		return way{}, false // a literal route, such as /login/reset
	}
	steps = append(steps, "", "", "")
	w := way{collection: steps[0], owner: steps[1], child: steps[2], id: steps[3]}
	if w.child == "" {
		w.owner, w.id = "", steps[1]
	}
	if p.Models != nil && !slices.Contains(p.Models, w.collection) {
		return way{}, false
	}
	w.verb = verbs[[2]bool{w.child != "", w.id != ""}][method]
	return w, w.verb != ""
}

// verbs are the actions of rest-hapi by what a path names: a child collection, one document.
var verbs = map[[2]bool]map[string]string{
	{false, false}: {http.MethodPost: "Create", http.MethodDelete: "Delete"},
	{false, true}:  {http.MethodPut: "Update", http.MethodPatch: "Update", http.MethodDelete: "Delete"},
	{true, true}:   {http.MethodPut: "Add", http.MethodPatch: "Add", http.MethodDelete: "Remove"},
	{true, false}:  {http.MethodPost: "Add", http.MethodDelete: "Remove"},
}

// action names the event of a request before its handler runs.
func (p Profile) action(r *http.Request) string {
	w, ok := p.way(r.Method, r.URL.Path, "")
	if !ok {
		return ""
	}
	return w.collection + "." + strings.ToLower(w.verb)
}

// complete makes the event of a request that of rest-hapi's document.
func (p Profile) complete(x *daybookhttp.Exchange, e *daybook.Event) bool {
	h := e.Context.HTTP
	w, ok := p.way(h.Method, h.Path, x.Route)
	if !ok && x.Rule >= len(p.Rules) {
		return false
	}
	d := Document{
		Method: Text(method(h.Method)), Endpoint: Text(h.Path), StatusCode: &x.Status, Payload: some(x.Body), Params: some(h.Params),
		Result: x.Answer, IsError: x.Panicked || x.Status >= http.StatusBadRequest,
	}
	if e.Actor.Type == "user" {
		d.User = &e.Actor.ID
	}
	if ok {
		d.Action, d.CollectionName, d.ChildCollectionName = &w.verb, &w.collection, Text(w.child)
		d.AssociationType = Text(p.Associations[w.collection+"/"+w.child])
		d.Documents = w.documents(x, d.IsError)
		if d.Params == nil {
			d.Params = w.params()
		}
	}
	if d.IsError {
		d.ResponseMessage = Text(message(x))
	}
	return p.into(e, &d, &w, x)
}

// into writes d over the event that the middleware made.
func (p Profile) into(e *daybook.Event, d *Document, w *way, x *daybookhttp.Exchange) bool {
	made, err := d.Event()
	if err != nil { // there is no id that could be wrong
		return true
	}
	if w.verb != "" {
		e.Action, e.Targets = made.Action, made.Targets
	}
	e.Outcome, e.Error, e.Metadata = made.Outcome, made.Error, joined(e.Metadata, made.Metadata)
	// What was kept of the bodies has its final form already: it is not wrapped again.
	e.Context.HTTP.Params, e.Context.HTTP.Request, e.Context.HTTP.Response = d.Params, d.Payload, d.Result
	if x.Before != nil && !d.IsError && (w.verb == "Update" || w.verb == "Delete") {
		e.Changes = p.changes(w, x)
	}
	return true
}

// changes is the difference that an Update or Delete made.
func (p Profile) changes(w *way, x *daybookhttp.Exchange) daybook.Changes {
	var after json.RawMessage
	if w.verb == "Update" {
		if after = daybookhttp.Unfitted(x.Answer); len(after) == 0 || after[0] != '{' || cutBeginning(after) != nil {
			return nil // the answer is not the document
		}
	}
	before, err := daybookhttp.Redact(x.Before, p.Names)
	if err != nil {
		return nil
	}
	changes, err := daybook.DiffJSON(before, after, daybook.DiffOptions{})
	if err != nil {
		return nil
	}
	return changes
}

// method is the one of rest-hapi's four that says it best.
func method(m string) string {
	if m == http.MethodPatch {
		return http.MethodPut
	}
	return m
}

// some returns a body as rest-hapi keeps it: {} and [] are null.
func some(body json.RawMessage) json.RawMessage {
	if text := string(body); text == "{}" || text == "[]" || text == "null" {
		return nil
	}
	return body
}

// params are the path parameters by rest-hapi's names.
func (w *way) params() json.RawMessage {
	var named map[string]string
	switch {
	case w.association() && w.id != "":
		named = map[string]string{"ownerId": w.owner, "childId": w.id}
	case w.association():
		named = map[string]string{"ownerId": w.owner}
	case w.id != "":
		named = map[string]string{"_id": w.id}
	default:
		return nil
	}
	text, err := json.Marshal(named)
	if err != nil { // strings
		return nil
	}
	return text
}

// documents are the ids of what was modified.
func (w *way) documents(x *daybookhttp.Exchange, failed bool) []string {
	switch {
	case w.association() && w.id != "":
		return []string{w.owner, w.id}
	case w.association():
		return append([]string{w.owner}, ids(x.Body, "childId", "_id")...)
	case w.id != "":
		return []string{w.id}
	case w.verb == "Delete":
		return ids(x.Body, "_id", "id")
	case failed:
		return nil
	}
	return ids(x.Answer, "_id", "id")
}

// ids returns the ids of a list, or of one object: strings, or the first of these members that an object has.
func ids(body json.RawMessage, names ...string) []string {
	body = daybookhttp.Unfitted(body)
	if beginning := cutBeginning(body); beginning != nil {
		body = daybookhttp.Unfitted(beginning)
	}
	var list []json.RawMessage
	if json.Unmarshal(body, &list) != nil {
		list = []json.RawMessage{body}
	}
	var found []string
	for _, one := range list {
		if id := idText(one); id != "" {
			found = append(found, id)
			continue
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(one, &members) != nil {
			continue
		}
		for _, name := range names {
			if id := idText(members[name]); id != "" {
				found = append(found, id)
				break
			}
		}
	}
	return found
}

// idText returns a string or number as text, else "".
func idText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// cutBeginning returns what is kept of a body that was cut; nil when it was not.
func cutBeginning(body json.RawMessage) json.RawMessage {
	var mark struct {
		Cut *struct {
			Beginning json.RawMessage `json:"beginning"`
		} `json:"$cut"`
	}
	if json.Unmarshal(body, &mark) != nil || mark.Cut == nil {
		return nil
	}
	if mark.Cut.Beginning == nil {
		return json.RawMessage("null")
	}
	return mark.Cut.Beginning
}

// message is that of an error's body, else the name of the status.
func message(x *daybookhttp.Exchange) string {
	var body struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(daybookhttp.Unfitted(x.Answer), &body) == nil && body.Message != "" {
		return body.Message
	}
	if text := http.StatusText(x.Status); text != "" {
		return text
	}
	return strconv.Itoa(x.Status)
}

// joined returns an object with the members of both.
func joined(a, b json.RawMessage) json.RawMessage {
	if len(a) <= len("{}") {
		return b
	}
	return append(append(slices.Clone(a[:len(a)-1]), ','), b[1:]...)
}

// NewClerk returns a Clerk with the failure policy of this profile, when o has none: what cannot be recorded goes into the spool and is
// recorded later. Without a folder for it (o.Spool) it is lost, logged and counted, and the log of o says so once, here. rest-hapi
// itself went on without a word.
func NewClerk(to daybook.Recorder, o daybook.ClerkOptions) (*daybook.Clerk, error) {
	if o.Failure == nil {
		policy := daybook.FailSpool
		if o.Spool == "" {
			policy = daybook.FailOpen
			if o.Logger != nil {
				o.Logger.LogAttrs(context.Background(), slog.LevelWarn, "events are lost while the log is out of reach",
					slog.String("try", "ClerkOptions.Spool: a folder where they wait"))
			}
		}
		o.Failure = []daybook.FailureRule{{Action: "*", Policy: policy}}
	}
	return daybook.NewClerk(to, o)
}
