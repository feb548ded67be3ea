package retraced

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

// violation is one thing that is wrong with an event.
type violation struct {
	Message   string `json:"message"`
	Field     string `json:"field"`
	Violation string `json:"violation"`          // missing or invalid
	Received  any    `json:"received,omitempty"` // what an invalid field held
}

// errLarge says that an event is beyond the limit of one event.
var errLarge = errors.New("the event is too large")

// incoming is an event that can be recorded.
type incoming struct {
	Event
	org  daybook.OrgID
	text []byte // Daybook's JSON
}

// decode reads one event of a request. doc is free afterwards. Whatever the Book would refuse of it is refused here, so that a request
// with several events records all of them or none.
func decode(doc *leaf.Doc, text []byte, project string) (in incoming, broken []violation, err error) {
	if err := doc.Read(text); err != nil {
		if e, ok := errors.AsType[*leaf.Error](err); ok {
			if e.Code == leaf.TooLarge {
				return in, nil, errLarge
			}
			return in, []violation{invalidJSON(e)}, nil
		}
		return in, nil, fmt.Errorf("read an event: %w", err)
	}
	d := decoder{}
	in.Event = d.event(members(text))
	if len(d.broken) > 0 {
		return in, d.broken, nil
	}
	in.text = in.Daybook(project)
	if err := doc.Read(in.text); err != nil { // it has grown by the names of our members
		return in, nil, errLarge
	}
	return in, nil, nil
}

func invalidJSON(e *leaf.Error) violation {
	what := e.Message
	if e.Code == leaf.DuplicateKey {
		what = "duplicate member " + strconv.Quote(pointer.Name(e.Pointer[strings.LastIndexByte(e.Pointer, '/')+1:]))
	}
	return violation{Message: fmt.Sprintf("Invalid JSON: %s at byte %d.", what, e.Offset), Violation: "invalid"}
}

// members returns the members of an object that is strict JSON, in their order, without those that are null.
func members(text []byte) []rawjson.Member {
	return slices.DeleteFunc(rawjson.Members(text), func(m rawjson.Member) bool { return string(m.Value) == "null" })
}

// decoder collects what is wrong. The order is that of Retraced: what is missing, what cannot be read, then the types.
type decoder struct{ broken, types []violation }

func (d *decoder) missing(field, message string) {
	d.broken = append(d.broken, violation{Message: message, Field: field, Violation: "missing"})
}

func (d *decoder) invalid(field string, received any, format string, args ...any) {
	d.broken = append(d.broken, violation{Message: fmt.Sprintf(format, args...), Field: field, Violation: "invalid", Received: received})
}

// typed notes a value of a wrong type; it is said after everything else.
func (d *decoder) typed(field string, value json.RawMessage, must string) {
	var received any
	_ = json.Unmarshal(value, &received) // strict JSON
	d.types = append(d.types, violation{Message: fmt.Sprintf("%q %s", field, must), Field: field, Violation: "invalid", Received: received})
}

// raw is an event as it was sent, typed but not judged.
type raw struct {
	Event
	created json.RawMessage
}

func (d *decoder) event(list []rawjson.Member) Event {
	r := raw{}
	for _, m := range list {
		d.member(&r, m)
	}
	d.judge(&r)
	d.broken = append(d.broken, d.types...)
	return r.Event
}

func (d *decoder) member(r *raw, m rawjson.Member) {
	switch m.Name {
	case "action":
		r.Action = d.str(m.Name, m.Value)
	case "crud":
		r.CRUD = d.str(m.Name, m.Value)
	case "group":
		r.Group = d.group(m)
	case "created":
		r.created = m.Value
	case "actor":
		if p := d.party(m, false); p != nil {
			r.Actor = &Actor{ID: p.ID, Name: p.Name, Href: p.Href, Fields: p.Fields}
		}
	case "target":
		r.Target = d.party(m, true)
	case "source_ip":
		r.SourceIP = d.str(m.Name, m.Value)
	case "description":
		r.Description = d.str(m.Name, m.Value)
	case "is_failure":
		r.IsFailure = d.boolean(m)
	case "is_anonymous":
		r.IsAnonymous = d.boolean(m)
	case "fields":
		r.Fields = d.pairs(m.Name, m.Value)
	case "metadata":
		r.Metadata = d.pairs(m.Name, m.Value)
	case "component":
		r.Component = d.str(m.Name, m.Value)
	case "version":
		r.Version = d.str(m.Name, m.Value)
	case "external_id":
		r.ExternalID = d.str(m.Name, m.Value)
	default:
		d.typed(m.Name, m.Value, "is not allowed")
	}
}

// judge holds the rules of Retraced, and those of the log that Retraced does not have.
func (d *decoder) judge(r *raw) {
	if r.Action == "" && !d.mistyped("action") {
		d.missing("action", "Missing required field 'action'")
	}
	if r.CRUD == "" && !d.mistyped("crud") {
		d.missing("crud", "Missing required field 'crud'")
	}
	if r.Group != nil && r.Group.ID == "" && !d.mistyped("group.id") {
		d.missing("group.id", "Field 'group.id' is required if 'group' is present")
	}
	if r.Actor != nil && r.Actor.ID == "" && !d.mistyped("actor.id") {
		d.missing("actor.id", "Field 'actor.id' is required if 'actor' is present")
	}
	if r.Target != nil && r.Target.ID == "" && !d.mistyped("target.id") {
		d.missing("target.id", "Field 'target.id' is required if 'target' is present")
	}
	if !r.IsAnonymous && r.Actor == nil && !d.mistyped("actor", "is_anonymous") {
		d.missing("actor", "Event is not marked anonymous, and missing required field 'actor'")
	}
	if r.created != nil {
		d.created(r)
	}
	if r.CRUD != "" && (len(r.CRUD) > 1 || !strings.Contains("crud", r.CRUD)) {
		d.invalid("crud", r.CRUD, "Invalid value for 'crud' field: %s", shown(r.CRUD))
	}
	if r.SourceIP != "" && !isAddress(r.SourceIP) {
		d.invalid("source_ip", r.SourceIP, "Unable to parse 'source_ip' field as valid IPV4 or IPV6 address: %s", shown(r.SourceIP))
	}
	d.bounds(r)
}

// mistyped reports whether one of the fields was there with another type, so that saying that it is missing would be wrong.
func (d *decoder) mistyped(fields ...string) bool {
	return slices.ContainsFunc(d.types, func(v violation) bool { return slices.Contains(fields, v.Field) })
}

// maxName is how long an action, an id and a type may be, in bytes.
const maxName = 512

func (d *decoder) bounds(r *raw) {
	if strings.HasPrefix(r.Action, "daybook.") {
		d.invalid("action", r.Action, "Invalid value for 'action' field: %s: actions that begin with daybook. are the log's own", shown(r.Action))
	}
	names := []struct{ field, value string }{{"action", r.Action}}
	if r.Actor != nil {
		names = append(names, struct{ field, value string }{"actor.id", r.Actor.ID})
	}
	if r.Target != nil {
		names = append(names, struct{ field, value string }{"target.id", r.Target.ID}, struct{ field, value string }{"target.type", r.Target.Type})
	}
	for _, n := range names {
		if len(n.value) > maxName {
			d.invalid(n.field, shown(n.value), "%q length must be less than or equal to %d bytes long", n.field, maxName)
		}
	}
}

// shown is a value within a message.
func shown(s string) string {
	const most = 128
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func isAddress(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == ""
}

// timeForm is ISO 8601 with an offset.
var timeForm = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d)?([.,]\d{1,9})?([Zz]|[+-]\d\d(?::?\d\d)?)$`)

// created reads the time that the producer claims.
func (d *decoder) created(r *raw) {
	var text string
	if r.created[0] != '"' {
		t, ok := epochTime(string(r.created))
		if !ok {
			d.badTime(r.created, string(r.created))
		}
		r.Created = t
		return
	}
	if json.Unmarshal(r.created, &text) != nil || text == "" {
		return
	}
	t, ok := isoTime(text)
	switch {
	case ok && t.UTC().Year() <= 1: // what Go's client sends when it was not set
	case !ok || t.UTC().Year() < 1970 || t.UTC().Year() > 9999:
		d.badTime(r.created, text)
	default:
		r.Created = t
	}
}

func (d *decoder) badTime(value json.RawMessage, text string) {
	var received any
	_ = json.Unmarshal(value, &received) // strict JSON
	d.invalid("created", received, "Unable to parse 'created' field as valid time: %s", shown(text))
}

func isoTime(text string) (time.Time, bool) {
	m := timeForm.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}, false
	}
	seconds, fraction, zone := m[3], strings.Replace(m[4], ",", ".", 1), strings.ToUpper(m[5])
	if seconds == "" {
		seconds = ":00"
	}
	if zone != "Z" {
		digits := strings.ReplaceAll(zone[1:], ":", "")
		zone = zone[:1] + digits[:2] + ":" + (digits + "00")[2:4]
	}
	t, err := time.Parse(time.RFC3339, m[1]+"T"+m[2]+seconds+fraction+zone)
	return t, err == nil
}

// epochTime reads a number of seconds since 1970, or of milliseconds, microseconds or nanoseconds: it is divided until it is a time
// before the year 3000.
func epochTime(text string) (time.Time, bool) {
	const year3000 = 32_503_680_000
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < 0 || math.IsInf(v, 0) {
		return time.Time{}, false
	}
	for v >= year3000 {
		v /= 1000
	}
	return time.UnixMicro(int64(math.Round(v * 1e6))).UTC(), true
}

func (d *decoder) str(field string, value json.RawMessage) string {
	var s string
	if value[0] != '"' {
		d.typed(field, value, "must be a string")
		return ""
	}
	_ = json.Unmarshal(value, &s) // strict JSON
	return s
}

func (d *decoder) boolean(m rawjson.Member) bool {
	var b bool
	if json.Unmarshal(m.Value, &b) != nil {
		d.typed(m.Name, m.Value, "must be a boolean")
	}
	return b
}

// pairs reads a map of strings; it is never nil.
func (d *decoder) pairs(field string, value json.RawMessage) map[string]string {
	m := map[string]string{}
	if value[0] != '{' {
		d.typed(field, value, "must be of type object")
		return m
	}
	for _, one := range rawjson.Members(value) {
		if one.Value[0] == '"' {
			m[one.Name] = d.str(field, one.Value)
		} else {
			d.typed(field+"."+one.Name, one.Value, "must be a string")
		}
	}
	return m
}

func (d *decoder) group(m rawjson.Member) *Group {
	list, ok := d.object(m)
	if !ok {
		return nil
	}
	g := &Group{}
	for _, in := range list {
		switch in.Name {
		case "id":
			g.ID = d.str("group.id", in.Value)
		case "name":
			g.Name = d.str("group.name", in.Value)
		default:
			d.typed("group."+in.Name, in.Value, "is not allowed")
		}
	}
	return g
}

// party reads an actor or a target; nil: absent or empty.
func (d *decoder) party(m rawjson.Member, target bool) *Target {
	list, ok := d.object(m)
	if !ok {
		return nil
	}
	p := &Target{}
	for _, in := range list {
		field := m.Name + "." + in.Name
		switch {
		case in.Name == "id":
			p.ID = d.str(field, in.Value)
		case in.Name == "name":
			p.Name = d.str(field, in.Value)
		case in.Name == "href":
			p.Href = d.str(field, in.Value)
		case in.Name == "type" && target:
			p.Type = d.str(field, in.Value)
		case in.Name == "fields":
			p.Fields = d.pairs(field, in.Value)
		default:
			d.typed(field, in.Value, "is not allowed")
		}
	}
	return p
}

func (d *decoder) object(m rawjson.Member) (list []rawjson.Member, ok bool) {
	if m.Value[0] != '{' {
		d.typed(m.Name, m.Value, "must be of type object")
		return nil, false
	}
	list = members(m.Value)
	return list, len(list) > 0
}

// orgOf is the organization of an event for a caller of all organizations; fallback is that of events without a group.
func (e *Event) orgOf(fallback daybook.OrgID) daybook.OrgID {
	if e.Group == nil {
		return fallback
	}
	return daybook.OrgID(e.Group.ID)
}
