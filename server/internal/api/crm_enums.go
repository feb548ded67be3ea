package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/crm"
	"github.com/daybook-audit/daybook/internal/rawjson"
)

// crmEnums are both enums of an organization.
type crmEnums struct {
	Actions     []crm.Value `json:"actions" nullable:"false" doc:"By value."`
	EntityTypes []crm.Value `json:"entityTypes" nullable:"false" doc:"By value."`
}

type crmEnum struct {
	Data []crm.Value `json:"data" nullable:"false" doc:"By value."`
}

func valuesOf(n *crm.Numbers) []crm.Value {
	if values := n.Values(); values != nil {
		return values
	}
	return []crm.Value{}
}

func getCRMEnums(c *call) error {
	r, err := c.numbering()
	if err != nil {
		return err
	}
	c.send(http.StatusOK, jsonType, marshal(crmEnums{valuesOf(r.Actions), valuesOf(r.EntityTypes)}))
	return nil
}

func getCRMEnum(kind crm.Kind) func(c *call) error {
	return func(c *call) error {
		r, err := c.numbering()
		if err != nil {
			return err
		}
		c.send(http.StatusOK, jsonType, marshal(crmEnum{valuesOf(r.Of(kind))}))
		return nil
	}
}

// appendCRM appends what plan says to an enum; recorded says whether there was anything.
func (c *call) appendCRM(kind crm.Kind, plan func(n *crm.Numbers) ([]crm.Value, error)) (r *crm.Registry, recorded bool, err error) {
	planned := func(r *crm.Registry) ([]crm.Value, error) { return plan(r.Of(kind)) }
	r, err = crm.Append(kind, actorOf(c.principal), c.numbering, planned, func(events []daybook.Event) (again bool, err error) {
		texts := make([][]byte, len(events))
		for i := range events {
			texts[i] = marshal(&events[i])
		}
		result, err := c.s.Book.RecordJSON(c.r.Context(), c.org, daybook.Request{Events: texts})
		for i := range result.Receipts {
			again = again || result.Receipts[i].Duplicate
		}
		recorded = err == nil && !again
		return again, err
	})
	if err == nil && recorded {
		err = c.s.numberings().Keep(c.r.Context(), c.org, r)
	}
	return r, recorded, err
}

func enumConflict(format string, args ...any) error {
	return &daybook.Error{Code: daybook.CodeConflict, Rule: "enum_conflict", Message: fmt.Sprintf(format, args...)}
}

// appendCRMEnum is POST /v1/crm/enums/…: one value by name, or many with their numbers while the enum is empty.
func appendCRMEnum(kind crm.Kind) func(c *call) error {
	return func(c *call) error {
		bodies, single, err := c.crmBodies()
		if err != nil {
			return err
		}
		if !single {
			return unprocessable("", "the body is an object with name, or with values.")
		}
		members := rawjson.Members(rawjson.Trim(bodies[0]))
		if list := rawjson.Find(members, "values"); list != nil {
			return c.fillCRMEnum(kind, members, list)
		}
		return c.growCRMEnum(kind, members)
	}
}

func (c *call) growCRMEnum(kind crm.Kind, members []rawjson.Member) error {
	v, wanted, err := readValue(kind, "", members)
	if err != nil {
		return err
	}
	r, recorded, err := c.appendCRM(kind, func(n *crm.Numbers) ([]crm.Value, error) {
		if has, ok := n.Number(v.Name); ok {
			if wanted && has != v.Value {
				return nil, enumConflict("enum values are never renumbered: %s is %d", v.Name, has)
			}
			return nil, nil
		}
		if name, taken := n.Name(v.Value); wanted && taken {
			return nil, enumConflict("enum values are never renumbered: %s is %d", name, v.Value)
		}
		if wanted && v.Value != n.Next() {
			return nil, enumConflict("enum value must be %d (max + 1)", n.Next())
		}
		if n.Next() > crm.MaxValue {
			return nil, enumConflict("there is no number left")
		}
		return []crm.Value{{Value: n.Next(), Name: v.Name}}, nil
	})
	if err != nil {
		return err
	}
	v.Value, _ = r.Of(kind).Number(v.Name)
	c.send(statusOf(recorded), jsonType, marshal(v))
	return nil
}

func statusOf(recorded bool) int {
	if recorded {
		return http.StatusCreated
	}
	return http.StatusOK
}

// fillCRMEnum gives an empty enum numbers of its own: those of a CRM that has logs already.
func (c *call) fillCRMEnum(kind crm.Kind, members []rawjson.Member, list []byte) error {
	if len(members) > 1 {
		return unprocessable("", "values stands alone.")
	}
	values, err := readValues(kind, list)
	if err != nil {
		return err
	}
	_, recorded, err := c.appendCRM(kind, func(n *crm.Numbers) ([]crm.Value, error) {
		var differ []string
		for _, v := range values {
			name, known := n.Name(v.Value)
			if has, ok := n.Number(v.Name); !known || name != v.Name {
				switch {
				case known:
					differ = append(differ, fmt.Sprintf("%d is %s, not %s", v.Value, name, v.Name))
				case ok:
					differ = append(differ, fmt.Sprintf("%s is %d, not %d", v.Name, has, v.Value))
				default:
					differ = append(differ, fmt.Sprintf("%d (%s) is not there", v.Value, v.Name))
				}
			}
		}
		switch {
		case len(n.Values()) == 0:
			return values, nil
		case len(differ) > 0:
			return nil, enumConflict("an enum is filled once: %s", strings.Join(differ, "; "))
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(values, func(a, b crm.Value) int { return a.Value - b.Value })
	c.send(statusOf(recorded), jsonType, marshal(crmEnum{values}))
	return nil
}

func readValues(kind crm.Kind, list []byte) ([]crm.Value, error) {
	if list[0] != '[' {
		return nil, unprocessable("/values", "values is a list of objects with value and name.")
	}
	var values []crm.Value
	enum := crm.Enum{}
	i := 0
	for element := range rawjson.Elements(list) {
		at := "/values/" + strconv.Itoa(i)
		i++
		if !rawjson.IsObject(element) {
			return nil, unprocessable(at, "values is a list of objects with value and name.")
		}
		v, wanted, err := readValue(kind, at, rawjson.Members(element))
		if err != nil {
			return nil, err
		}
		if _, twice := enum[v.Value]; twice || !wanted {
			return nil, unprocessable(at+"/value", "each value has a number of its own.")
		}
		enum[v.Value] = v.Name
		values = append(values, v)
	}
	if len(values) == 0 {
		return nil, unprocessable("/values", "there is no value in the list.")
	}
	if err := crm.Check(nil, enum); err != nil {
		return nil, unprocessable("/values", "%s", err)
	}
	return values, nil
}

// readValue reads {"name","value"}; wanted says whether the value was given.
func readValue(kind crm.Kind, at string, members []rawjson.Member) (v crm.Value, wanted bool, err error) {
	for _, m := range members {
		switch {
		case m.Name == "name" && rawjson.IsString(m.Value):
			v.Name = rawjson.Text(m.Value)
		case m.Name == "value" && rawjson.IsNumber(m.Value):
			n, err := strconv.ParseInt(string(m.Value), 10, 32)
			if err != nil || n < 0 {
				return v, false, unprocessable(at+"/value", "value is an integer from 0 to %d.", crm.MaxValue)
			}
			v.Value, wanted = int(n), true
		case m.Name == "name" || m.Name == "value":
			return v, false, unprocessable(at+"/"+m.Name, "name is a string, and value an integer from 0 to %d.", crm.MaxValue)
		default:
			return v, false, unprocessable(at+"/"+cut(m.Name), "there is no member %q: there are name and value.", cut(m.Name))
		}
	}
	if err := checkName(kind, v.Name); err != nil {
		return v, false, unprocessable(at+"/name", "name: %s.", err)
	}
	return v, wanted, nil
}
