package workos

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

// incoming is a request body, translated.
type incoming struct {
	org   string
	event []byte // Daybook's JSON; every value is the caller's own token
}

// decode reads a body of POST /audit_logs/events. Unknown members are dropped, as WorkOS ignores them. doc holds the whole body
// afterwards. With a fault it returns the organization if that is known.
func decode(doc *leaf.Doc, body []byte, relaxed bool) (incoming, *fault) {
	if err := doc.Read(body); err != nil {
		return incoming{}, jsonFault(err)
	}
	d := decoder{relaxed: relaxed}
	root := rawjson.Members(body)
	org := d.requiredString(root, "organization_id", "organization_id")
	if event, ok := d.requiredObject(root, "event", "event"); ok {
		d.event(event)
	}
	switch {
	case len(d.missing) > 0:
		return incoming{org: textOf(org)}, validationFault(d.missing)
	case len(d.broken) > 0:
		return incoming{org: textOf(org)}, limitFault(d.broken)
	}
	return incoming{org: rawjson.Text(org), event: d.out}, nil
}

// textOf is the value of a string that may be missing.
func textOf(v []byte) string {
	if v == nil {
		return ""
	}
	return rawjson.Text(v)
}

// decoder checks and translates in one pass; the failures stand in the order in which WorkOS lists the members.
type decoder struct {
	relaxed bool
	out     []byte
	missing []fieldError // answered with 422
	broken  []limitError // answered with 400
}

func (d *decoder) refuse(code, field string) {
	d.missing = append(d.missing, fieldError{Code: code, Field: field})
}

// put writes a member into the object being made.
func (d *decoder) put(name string, value []byte) {
	if last := d.out[len(d.out)-1]; last != '{' && last != '[' {
		d.out = append(d.out, ',')
	}
	d.out = append(d.out, '"')
	d.out = append(d.out, name...)
	d.out = append(d.out, '"', ':')
	d.out = append(d.out, value...)
}

func (d *decoder) event(members []rawjson.Member) {
	d.out = append(d.out, '{')
	if v := d.requiredString(members, "action", "event.action"); v != nil {
		d.put("action", v)
	}
	if v := d.occurredAt(members); v != nil {
		d.put("occurred_at", v)
	}
	if v := d.version(members); v != nil {
		d.put("version", v)
	}
	if actor, ok := d.requiredObject(members, "actor", "event.actor"); ok {
		d.put("actor", nil)
		d.party(actor, "event.actor", "/actor")
	}
	d.targets(members)
	if context, ok := d.requiredObject(members, "context", "event.context"); ok {
		d.context(context)
	}
	d.metadata(members, "event", "")
	d.out = append(d.out, '}')
}

// party writes an actor or a target.
func (d *decoder) party(members []rawjson.Member, field, path string) {
	d.out = append(d.out, '{')
	id := d.requiredString(members, "id", field+".id")
	kind := d.requiredString(members, "type", field+".type")
	d.put("type", kind)
	d.put("id", id)
	if v := d.optionalString(members, "name", field+".name"); v != nil {
		d.put("name", v)
	}
	d.metadata(members, field, path)
	d.out = append(d.out, '}')
}

func (d *decoder) targets(members []rawjson.Member) {
	v := rawjson.Find(members, "targets")
	switch {
	case v == nil:
		d.refuse("required", "event.targets")
	case v[0] == 'n':
	case v[0] != '[':
		d.refuse("invalid_type", "event.targets")
	default:
		d.put("targets", []byte{'['})
		for i, element := range slices.Collect(rawjson.Elements(v)) {
			n := strconv.Itoa(i)
			if element[0] != '{' {
				d.refuse("invalid_type", "event.targets."+n)
				continue
			}
			if i > 0 {
				d.out = append(d.out, ',')
			}
			d.party(rawjson.Members(element), "event.targets."+n, "/targets/"+n)
		}
		d.out = append(d.out, ']')
	}
}

func (d *decoder) context(members []rawjson.Member) {
	var location []byte
	switch v := rawjson.Find(members, "location"); {
	case v == nil:
		d.refuse("required", "event.context.location")
	case v[0] != '"':
		d.refuse("invalid_type", "event.context.location")
	case len(v) > 2: // an address or not, but not ""
		location = v
	}
	agent := d.optionalString(members, "user_agent", "event.context.user_agent")
	if location == nil && agent == nil {
		return
	}
	d.put("context", []byte{'{'})
	if location != nil {
		d.put("ip", location)
	}
	if agent != nil {
		d.put("user_agent", agent)
	}
	d.out = append(d.out, '}')
}

// requiredString returns the text of a string that is there and not empty.
func (d *decoder) requiredString(members []rawjson.Member, name, field string) []byte {
	v := rawjson.Find(members, name)
	switch {
	case v == nil, v[0] == 'n', string(v) == `""`:
		d.refuse("required", field)
	case v[0] != '"':
		d.refuse("invalid_type", field)
	default:
		return v
	}
	return nil
}

// optionalString returns the text of a string; nil when it is missing, null or empty.
func (d *decoder) optionalString(members []rawjson.Member, name, field string) []byte {
	v := rawjson.Find(members, name)
	switch {
	case v == nil, v[0] == 'n', string(v) == `""`:
		return nil
	case v[0] != '"':
		d.refuse("invalid_type", field)
		return nil
	}
	return v
}

func (d *decoder) requiredObject(members []rawjson.Member, name, field string) ([]rawjson.Member, bool) {
	v := rawjson.Find(members, name)
	switch {
	case v == nil, v[0] == 'n':
		d.refuse("required", field)
	case v[0] != '{':
		d.refuse("invalid_type", field)
	default:
		return rawjson.Members(v), true
	}
	return nil, false
}

func (d *decoder) occurredAt(members []rawjson.Member) []byte {
	const field = "event.occurred_at"
	v := d.requiredString(members, "occurred_at", field)
	if v == nil {
		return nil
	}
	if text := rawjson.Text(v); !timeForm.MatchString(text) || !isTime(text) {
		d.refuse("invalid_format", field)
		return nil
	}
	return v
}

// timeForm is RFC 3339 with at most nine decimals; time.Parse then knows the calendar.
var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$`)

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}

func (d *decoder) version(members []rawjson.Member) []byte {
	v := rawjson.Find(members, "version")
	if v == nil || v[0] == 'n' {
		return nil
	}
	if n, err := strconv.ParseInt(string(v), 10, 32); err != nil || n < 1 {
		d.refuse("invalid_type", "event.version")
		return nil
	}
	return v
}

// Limits on metadata, as WorkOS documents them.
const (
	maxMembers    = 50
	maxCharacters = 500
	keyPattern    = `^[a-zA-Z0-9_-]{0,40}$`
)

var keyForm = regexp.MustCompile(keyPattern)

// metadata writes the member metadata as it is, if it is within the limits.
func (d *decoder) metadata(members []rawjson.Member, field, path string) {
	v := rawjson.Find(members, "metadata")
	if v == nil || v[0] == 'n' {
		return
	}
	if v[0] != '{' {
		d.refuse("invalid_type", field+".metadata")
		return
	}
	if !d.relaxed {
		d.checkMetadata(rawjson.Members(v), path+"/metadata")
	}
	d.put("metadata", v)
}

func (d *decoder) checkMetadata(members []rawjson.Member, path string) {
	limit := func(path, keyword string, params map[string]any, format string, args ...any) {
		d.broken = append(d.broken, limitError{
			InstancePath: path, SchemaPath: "#/definitions/metadata/" + keyword, Keyword: keyword, Params: params, Message: fmt.Sprintf(format, args...),
		})
	}
	if len(members) > maxMembers {
		limit(path, "maxProperties", map[string]any{"limit": maxMembers}, "must NOT have more than %d properties", maxMembers)
	}
	for _, m := range members {
		at := path + "/" + pointer(m.Name)
		switch {
		case !keyForm.MatchString(m.Name):
			limit(at, "propertyNames", map[string]any{"propertyName": m.Name}, "property name must match pattern %q", keyPattern)
		case m.Value[0] == '{' || m.Value[0] == '[' || m.Value[0] == 'n':
			limit(at, "type", map[string]any{"type": "string,number,boolean"}, "must be string,number,boolean")
		case m.Value[0] == '"' && len(m.Value) > maxCharacters && utf8.RuneCountInString(rawjson.Text(m.Value)) > maxCharacters:
			limit(at, "maxLength", map[string]any{"limit": maxCharacters}, "must NOT have more than %d characters", maxCharacters)
		}
	}
}
