package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/crm"
	"github.com/daybook-audit/daybook/internal/rawjson"
	"github.com/daybook-audit/daybook/leaf"
)

// crmDoor scopes the idempotency keys of the profile.
const crmDoor = "crm"

// unprocessable refuses a body that is JSON and not what this request takes.
func unprocessable(field, format string, args ...any) error {
	return &requestError{status: http.StatusUnprocessableEntity, code: "invalid_value", field: field, detail: fmt.Sprintf(format, args...)}
}

// crmRecorded is an entry as it is answered to whoever recorded it.
type crmRecorded struct {
	crm.Entry
	LeafHash  string `json:"leafHash"`
	Duplicate bool   `json:"duplicate"`
}

// createCRMEntries is POST /v1/crm/entries: one object, or an array that is recorded whole or not at all.
func createCRMEntries(c *call) error {
	err := c.recordCRMEntries()
	refused, is := errors.AsType[*requestError](err)
	switch {
	case is && refused.status == http.StatusUnprocessableEntity:
		c.notTaken(invalid(refused.code, "", "not what the route takes"))
	case err != nil:
		c.notTaken(err)
	}
	return err
}

func (c *call) recordCRMEntries() error {
	if _, err := contentForm(c.r, false); err != nil {
		return err
	}
	grow, err := c.flag(paramCRMAppend)
	if err != nil {
		return err
	}
	key, err := c.idempotencyKey()
	if err != nil {
		return err
	}
	bodies, single, err := c.crmBodies()
	if err != nil {
		return err
	}
	deeds, err := c.crmDeeds(bodies, single, grow)
	if err != nil {
		return err
	}
	events := make([][]byte, len(deeds))
	for i := range deeds {
		e, err := deeds[i].Event()
		if err == nil {
			e, err = daybook.Redacted(e, daybook.DefaultRedactor{})
		}
		if err != nil {
			return err
		}
		events[i] = marshal(&e)
	}
	result, err := c.s.Book.RecordJSON(c.r.Context(), c.org, daybook.Request{Events: events, Key: key, Door: crmDoor})
	if err != nil {
		return unwrapSingle(err, single)
	}
	return c.sendCRMEntries(events, result.Receipts, single)
}

// crmBodies cuts the body into one strict JSON object a deed.
func (c *call) crmBodies() (bodies [][]byte, single bool, err error) {
	body, err := c.readBody()
	if err != nil {
		return nil, false, err
	}
	bodies = [][]byte{body}
	if single = !isArray(body); !single {
		if bodies, err = splitArray(body, nil, c.s.limits.Events); err != nil {
			return nil, false, err
		}
	}
	if len(bodies) == 0 {
		return nil, false, unprocessable("", "there is no entry in the body.")
	}
	doc := leaf.Get()
	defer leaf.Put(doc)
	for i, one := range bodies {
		if err := doc.Read(one); err != nil {
			return nil, false, inBatch(i, single, strictError(err))
		}
	}
	return bodies, single, nil
}

// inBatch says which entry of an array is refused.
func inBatch(i int, single bool, err error) error {
	if single {
		return err
	}
	if refused, ok := errors.AsType[*requestError](err); ok {
		moved := *refused
		moved.detail, moved.field = fmt.Sprintf("entry %d: %s", i, refused.detail), "/"+strconv.Itoa(i)+refused.field
		return &moved
	}
	if coded, ok := errors.AsType[*daybook.Error](err); ok {
		moved := *coded
		moved.Message, moved.Field = fmt.Sprintf("entry %d: %s", i, coded.Message), "/"+strconv.Itoa(i)+coded.Field
		return &moved
	}
	return err
}

// crmDeeds reads the bodies. With grow, names that are not known are appended to their enum before anything is recorded.
func (c *call) crmDeeds(bodies [][]byte, single, grow bool) ([]crm.Deed, error) {
	r, err := c.knownNumbering()
	if err != nil {
		return nil, err
	}
	fresh := false
	for {
		deeds, missing, err := readDeeds(bodies, single, r)
		switch {
		case err != nil && len(missing) == 0, err == nil:
			return deeds, err
		case !fresh: // somebody else may have appended it
			if r, err = c.numbering(); err != nil {
				return nil, err
			}
			fresh = true
		case !grow:
			return nil, err
		default:
			for kind, names := range missing {
				if r, err = c.appendNames(kind, names); err != nil {
					return nil, err
				}
			}
			grow = false
		}
	}
}

// readDeeds reads all bodies with one numbering. missing are the names that it does not know, when nothing else is wrong.
func readDeeds(bodies [][]byte, single bool, r *crm.Registry) (deeds []crm.Deed, missing map[crm.Kind][]string, err error) {
	missing = map[crm.Kind][]string{}
	var unknown error
	for i, body := range bodies {
		in := deedReader{members: rawjson.Members(rawjson.Trim(body)), r: r, missing: missing}
		deed, err := in.read()
		switch err = inBatch(i, single, err); {
		case err != nil && in.unknown == nil:
			return nil, nil, err
		case in.unknown != nil && unknown == nil:
			unknown = inBatch(i, single, in.unknown)
		}
		deeds = append(deeds, deed)
	}
	return deeds, missing, unknown
}

// appendNames gives the names the next numbers, in their order.
func (c *call) appendNames(kind crm.Kind, names []string) (*crm.Registry, error) {
	r, _, err := c.appendCRM(kind, func(n *crm.Numbers) ([]crm.Value, error) {
		var values []crm.Value
		for _, name := range names {
			if _, ok := n.Number(name); !ok {
				values = append(values, crm.Value{Value: n.Next() + len(values), Name: name})
			}
		}
		return values, nil
	})
	return r, err
}

// deedReader reads one entry of a body.
type deedReader struct {
	members []rawjson.Member
	r       *crm.Registry
	missing map[crm.Kind][]string // gathers names that are not known
	unknown error                 // what is not known of this entry
}

var deedMembers = []string{
	"action", "entityType", "numberIdentifier", "user", "userEmail", "changedObjects", "isImpersonated", "impersonatedBy", "createdAt",
}

// read returns the deed, or an error; what is only not known yet is in unknown.
func (d *deedReader) read() (crm.Deed, error) {
	var out crm.Deed
	for _, m := range d.members {
		if !slices.Contains(deedMembers, m.Name) {
			return out, unprocessable("/"+cut(m.Name), "there is no member %q: there are %s.", cut(m.Name), strings.Join(deedMembers, ", "))
		}
	}
	var err error
	for _, step := range []func() error{
		func() error { out.Action, err = d.value("action", crm.Actions); return err },
		func() error { out.EntityType, err = d.value("entityType", crm.EntityTypes); return err },
		func() error { out.NumberIdentifier, err = d.identifier(); return err },
		func() error { return d.people(&out) },
		func() error { return d.objects(&out) },
		func() error { out.CreatedAt, err = d.createdAt(); return err },
	} {
		if err := step(); err != nil {
			return out, err
		}
	}
	return out, nil
}

// member returns a member's value; nil when it is missing or null.
func (d *deedReader) member(name string) []byte {
	if v := rawjson.Find(d.members, name); v != nil && v[0] != 'n' {
		return v
	}
	return nil
}

func (d *deedReader) value(name string, kind crm.Kind) (crm.Value, error) {
	v, n := d.member(name), d.r.Of(kind)
	switch {
	case v == nil:
		return crm.Value{}, unprocessable("/"+name, "%s is required.", name)
	case rawjson.IsString(v):
		text := rawjson.Text(v)
		number, ok := n.Number(text)
		if !ok {
			if err := checkName(kind, text); err != nil {
				return crm.Value{}, unprocessable("/"+name, "%s: %s", name, err)
			}
			d.unknown = unprocessable("/"+name, "unknown %s %q", name, cut(text))
			if !slices.Contains(d.missing[kind], text) {
				d.missing[kind] = append(d.missing[kind], text)
			}
		}
		return crm.Value{Value: number, Name: text}, nil
	case rawjson.IsNumber(v):
		number, err := strconv.Atoi(string(v))
		if text, ok := n.Name(number); ok && err == nil {
			return crm.Value{Value: number, Name: text}, nil
		}
		d.unknown = unprocessable("/"+name, "unknown %s %s", name, cut(string(v)))
		return crm.Value{}, nil
	}
	return crm.Value{}, unprocessable("/"+name, "%s is a number or a name.", name)
}

// checkName says what is wrong with the name of a value.
func checkName(kind crm.Kind, name string) error {
	if err := crm.Check(nil, crm.Enum{1: name}); err != nil {
		return err
	}
	if kind == crm.Actions && strings.HasPrefix(name, "daybook.") {
		return errors.New(`actions must not begin with "daybook.": those are the log's own`)
	}
	return nil
}

var wholeNumber = regexp.MustCompile(`^(0|[1-9][0-9]{0,15})$`)

const largestWhole = "9007199254740991" // 2^53-1

// isID reports whether v is an id: an integer from 0 to 2^53-1, or a string of 1 to 256 characters.
func isID(v []byte) bool {
	if rawjson.IsNumber(v) {
		text := string(v)
		return wholeNumber.MatchString(text) && (len(text) < len(largestWhole) || text <= largestWhole)
	}
	if !rawjson.IsString(v) {
		return false
	}
	text := rawjson.Text(v)
	return text != "" && utf8.RuneCountInString(text) <= 256 && len(text) <= 512
}

const idForm = "is an integer from 0 to " + largestWhole + " or a string of 1 to 256 characters"

func (d *deedReader) identifier() (json.RawMessage, error) {
	v := d.member("numberIdentifier")
	switch {
	case v == nil:
		return nil, unprocessable("/numberIdentifier", "numberIdentifier is required.")
	case !isID(v):
		return nil, unprocessable("/numberIdentifier", "numberIdentifier %s.", idForm)
	}
	return v, nil
}

// people reads who did it, and in whose name.
func (d *deedReader) people(out *crm.Deed) error {
	var err error
	if out.User, out.UserEmail, err = d.person("user"); err != nil {
		return err
	}
	if v := d.member("userEmail"); v != nil {
		if !rawjson.IsString(v) {
			return unprocessable("/userEmail", "userEmail is a string.")
		}
		out.UserEmail = rawjson.Text(v)
	}
	if out.ImpersonatedBy, out.ImpersonatorEmail, err = d.person("impersonatedBy"); err != nil {
		return err
	}
	out.Impersonated = out.ImpersonatedBy != nil
	switch v := d.member("isImpersonated"); {
	case v == nil:
	case v[0] != 't' && v[0] != 'f':
		return unprocessable("/isImpersonated", "isImpersonated is true or false.")
	case v[0] == 'f' && out.Impersonated:
		return unprocessable("/isImpersonated", "isImpersonated is false, and impersonatedBy is there.")
	default:
		out.Impersonated = v[0] == 't'
	}
	return nil
}

// person reads {"id","email"} or an id alone.
func (d *deedReader) person(name string) (id json.RawMessage, email string, err error) {
	v := d.member(name)
	if v == nil {
		return nil, "", nil
	}
	if !rawjson.IsObject(v) {
		if !isID(v) {
			return nil, "", unprocessable("/"+name, "%s %s, or an object with id and email.", name, idForm)
		}
		return v, "", nil
	}
	for _, m := range rawjson.Members(v) {
		switch {
		case m.Name == "id" && isID(m.Value):
			id = m.Value
		case m.Name == "email" && rawjson.IsString(m.Value):
			email = rawjson.Text(m.Value)
		case m.Name == "email" && m.Value[0] == 'n':
		case m.Name == "id":
			return nil, "", unprocessable("/"+name+"/id", "%s.id %s.", name, idForm)
		case m.Name == "email":
			return nil, "", unprocessable("/"+name+"/email", "%s.email is a string.", name)
		default:
			return nil, "", unprocessable("/"+name+"/"+cut(m.Name), "%s has id and email, and no %q.", name, cut(m.Name))
		}
	}
	if id == nil {
		return nil, "", unprocessable("/"+name+"/id", "%s.id is required.", name)
	}
	return id, email, nil
}

// objects reads the record before and after. A difference that comes along must be ours.
func (d *deedReader) objects(out *crm.Deed) error {
	v := d.member("changedObjects")
	if v == nil {
		return nil
	}
	if !rawjson.IsObject(v) {
		return unprocessable("/changedObjects", "changedObjects is an object with previous and current.")
	}
	var sent []byte
	for _, m := range rawjson.Members(v) {
		isNull := m.Value[0] == 'n'
		switch {
		case m.Name == "previous" && rawjson.IsObject(m.Value):
			out.Previous = m.Value
		case m.Name == "current" && rawjson.IsObject(m.Value):
			out.Current = m.Value
		case m.Name == "difference":
			sent = m.Value
		case isNull && (m.Name == "previous" || m.Name == "current"):
		case m.Name == "previous" || m.Name == "current":
			return unprocessable("/changedObjects/"+m.Name, "%s is an object or null.", m.Name)
		default:
			return unprocessable("/changedObjects/"+cut(m.Name), "changedObjects has previous, current and difference, and no %q.", cut(m.Name))
		}
	}
	if out.Previous == nil && out.Current == nil {
		return unprocessable("/changedObjects", "at least one of previous and current must be an object.")
	}
	if sent == nil {
		return nil
	}
	ours, err := crm.Difference(out.Previous, out.Current)
	if err != nil {
		return fmt.Errorf("compare previous and current: %w", err)
	}
	if !daybook.EqualJSON(sent, ours) {
		return unprocessable("/changedObjects/difference", "difference is computed, and is another: leave it out.")
	}
	return nil
}

func (d *deedReader) createdAt() (time.Time, error) {
	v := d.member("createdAt")
	if v == nil {
		return time.Time{}, nil
	}
	if rawjson.IsString(v) {
		if at, err := time.Parse(time.RFC3339Nano, rawjson.Text(v)); err == nil && at.Year() >= 1970 && at.Year() <= 9999 {
			return at, nil
		}
	}
	return time.Time{}, unprocessable("/createdAt", "createdAt is a time such as 2026-01-02T03:04:05.678Z.")
}

// sendCRMEntries answers with what is stored.
func (c *call) sendCRMEntries(events [][]byte, receipts []daybook.Receipt, single bool) error {
	list, leaves := make([]crm.Entry, len(events)), make([]string, len(events))
	status := http.StatusOK
	for i := range receipts {
		r := &receipts[i]
		if !r.Duplicate {
			status = http.StatusCreated
		}
		entry := daybook.Entry{Org: c.org, Seq: r.Seq, ID: r.ID, ReceivedAt: r.ReceivedAt.UnixMicro(), LeafHash: r.LeafHash, Payload: events[i]}
		var err error
		if list[i], err = crm.Read(&entry, &crm.Registry{Actions: &crm.Numbers{}, EntityTypes: &crm.Numbers{}}); err != nil {
			return err
		}
		leaves[i] = base64.StdEncoding.EncodeToString(r.LeafHash[:])
	}
	if err := crm.HideDeleted(c.r.Context(), c.s.Book, c.org, list); err != nil {
		return err
	}
	made := make([]crmRecorded, len(list))
	for i := range list {
		made[i] = crmRecorded{list[i], leaves[i], receipts[i].Duplicate}
	}
	if single {
		c.Header().Set("Location", "/v1/crm/entries/"+strconv.FormatInt(made[0].ID, 10))
		c.send(status, jsonType, marshal(made[0]))
		return nil
	}
	c.send(status, jsonType, marshal(map[string][]crmRecorded{"data": made}))
	return nil
}
