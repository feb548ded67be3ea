package shape

import (
	"bytes"
	"math"
	"strconv"

	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/internal/timestamp"
	"github.com/daybook-audit/daybook/internal/typeid"
	"github.com/daybook-audit/daybook/leaf"
)

// Limits of an event beside those of its text (leaf.MaxPayload and the others of package leaf).
const (
	maxName    = 512 // bytes of action, types and ids of actors and targets
	maxTargets = 256
	maxVia     = 16
)

// MaxChanges is how many changes an event may have.
const MaxChanges = 1000

// reservedAction begins the actions that only a log itself records.
const reservedAction = "daybook."

// What a checker has met. Members that are null are not met: they count as absent.
const (
	metAction = 1 << iota
	metActorType
	metActorID
	metIP
	metLocation
	metChanges
	metBefore
	metAfter
	metPath     // of the change at hand
	mustRewrite // a member must be dropped, renamed or replaced
)

// A checker walks the flattened fields of one event in document order and holds each against the shape of an event. It looks at
// paths only: the fields of one object or list stand together, so no tree and no map is needed and nothing is allocated.
type checker struct {
	d        *leaf.Doc
	text     []byte
	reserved bool // actions that begin with "daybook." are allowed
	flags    bool // and flags: the text was stamped here

	i      int    // the field at hand
	path   []byte // its path
	typ    byte   // its type
	met    int
	change int // 1 + index of the change at hand; 0: none
	out    Accepted
}

// check walks all fields and says what is wrong first.
func (c *checker) check() error {
	for c.i = range c.d.Len() {
		c.path, c.typ = c.d.Path(c.i), c.d.Type(c.i)
		if err := c.member(); err != nil {
			return err
		}
	}
	return c.finish()
}

// finish holds what only the end shows: missing members, and members that exclude each other.
func (c *checker) finish() error {
	switch {
	case c.met&metAction == 0:
		return missing("/action")
	case c.met&metActorType == 0:
		return missing("/actor/type")
	case c.met&metActorID == 0:
		return missing("/actor/id")
	case c.met&metIP != 0 && c.met&metLocation != 0:
		return refused("invalid_value", "/context/location", "Give context.ip or context.location, not both: they are one member.")
	case c.met&metChanges != 0 && c.met&(metBefore|metAfter) != 0:
		return refused("invalid_value", "/changes", "Give changes, or before and after, not both.")
	}
	return c.endChange()
}

// member checks a field by the first component of its path.
func (c *checker) member() error {
	if len(c.path) == 0 {
		return nil // the empty object: finish says what is missing
	}
	name, end := component(c.path, 0)
	switch string(name) {
	case "action":
		return c.action(end)
	case "actor":
		return c.actor(end)
	case "targets":
		return c.targets(end)
	case "context":
		return c.context(end)
	case "id":
		return c.id(end)
	case "occurred_at":
		return c.occurredAt(end)
	case "outcome":
		return c.outcome(end)
	case "version":
		return c.version(end)
	case "reason", "correlation_id":
		return c.str(end)
	case "metadata":
		return c.free(end)
	case "changes":
		return c.changes(end)
	case "error":
		return c.fault(end)
	case "before":
		c.side(end, metBefore)
	case "after":
		c.side(end, metAfter)
	default:
		if c.flags && string(name) == Flags {
			return nil
		}
		return c.unknown(0, eventNames)
	}
	return nil
}

func (c *checker) action(end int) error {
	if err := c.name(end, metAction); err != nil || c.typ != 's' {
		return err
	}
	c.out.Action = c.i
	if v := c.d.Value(c.i); !c.reserved && len(v) >= len(reservedAction) && string(v[:len(reservedAction)]) == reservedAction {
		return refused("reserved_action", "/action", `action must not begin with "daybook.": those actions are the log's own.`)
	}
	return nil
}

func (c *checker) version(end int) error {
	if err := c.integer(end, 1); err != nil || c.typ != 'n' {
		return err
	}
	for _, digit := range c.d.Value(c.i) {
		c.out.Version = c.out.Version*10 + int(digit-'0')
	}
	return nil
}

// side notes that before or after is there.
func (c *checker) side(end, bit int) {
	c.met |= mustRewrite
	if end < len(c.path) || c.typ != 'z' {
		c.met |= bit
	}
}

func (c *checker) id(end int) error {
	if end == len(c.path) && c.typ == 'z' {
		c.met |= mustRewrite // a payload has the id of its leaf or none (docs/reference/integrity.md, section 2.1)
		return nil
	}
	if err := c.str(end); err != nil {
		return err
	}
	v, at := c.d.Value(c.i), c.d.Offset(c.i)+1
	id, err := typeid.Parse("evt", string(v))
	if err != nil {
		return c.refuse("invalid_format", end, ` must be "evt_" and 26 characters of a TypeID: `+err.Error()+".")
	}
	if at+len(v) > len(c.text) || !bytes.Equal(c.text[at:at+len(v)], v) {
		return c.refuse("invalid_format", end, " must be written without escapes.")
	}
	if c.out.ID, c.out.IDAt = id, at+1; id == [16]byte{} {
		return c.refuse("invalid_value", end, " must not be zero.")
	}
	return nil
}

func (c *checker) occurredAt(end int) error {
	if end == len(c.path) && c.typ == 'z' {
		c.met |= mustRewrite // an entry's JSON gets one when the payload has none
		return nil
	}
	if err := c.str(end); err != nil {
		return err
	}
	t, rule := timestamp.Parse(c.d.Value(c.i))
	switch rule {
	case "":
		c.out.Occurred, c.out.HasOccurred = t, true
		return nil
	case "invalid_value":
		return c.refuse(rule, end, " must lie in the years 1970 to 9999 (UTC).")
	default:
		return c.refuse(rule, end, " must be an RFC 3339 time such as 2026-11-21T14:22:07.318Z, with at most nine decimals.")
	}
}

func (c *checker) outcome(end int) error {
	if err := c.str(end); err != nil || c.typ != 's' {
		return err
	}
	switch string(c.d.Value(c.i)) {
	case "success", "failure", "denied":
		return nil
	}
	return c.refuse("invalid_value", end, ` must be "success", "failure" or "denied".`)
}

func (c *checker) actor(end int) error {
	name, next, err := c.inside(end)
	if err != nil || name == nil {
		return err
	}
	switch string(name) {
	case "type":
		return c.name(next, metActorType)
	case "id":
		return c.name(next, metActorID)
	case "via":
		return c.via(next)
	}
	return c.person(name, next, actorNames)
}

// person checks the members that an actor and a via have in common, but for type and id.
func (c *checker) person(name []byte, end int, names []string) error {
	switch string(name) {
	case "name", "email":
		return c.str(end)
	case "metadata":
		return c.free(end)
	}
	return c.unknown(end-len(name)-1, names)
}

func (c *checker) via(end int) error {
	_, end, err := c.element(end, maxVia)
	if err != nil || end == len(c.path) {
		return err
	}
	name, next, err := c.inside(end)
	if err != nil || name == nil {
		return err
	}
	switch string(name) {
	case "type", "id":
		return c.name(next, 0)
	case "via":
		return c.refuse("unknown_member", next, " is not allowed: list everybody in actor.via, nearest first.")
	}
	return c.person(name, next, viaNames)
}

func (c *checker) targets(end int) error {
	_, end, err := c.element(end, maxTargets)
	if err != nil || end == len(c.path) {
		return err
	}
	name, next, err := c.inside(end)
	if err != nil || name == nil {
		return err
	}
	switch string(name) {
	case "type", "id":
		return c.name(next, 0)
	case "name":
		return c.str(next)
	case "metadata":
		return c.free(next)
	}
	return c.unknown(end, targetNames)
}

func (c *checker) context(end int) error {
	name, next, err := c.inside(end)
	if err != nil || name == nil {
		return err
	}
	null := next == len(c.path) && c.typ == 'z'
	switch string(name) {
	case "ip":
		if !null {
			c.met |= metIP
		}
		return c.str(next)
	case "location":
		c.met |= mustRewrite
		if !null {
			c.met |= metLocation
		}
		return c.str(next)
	case "user_agent", "request_id", "trace_id", "session_id":
		return c.str(next)
	case "http":
		return c.http(next)
	}
	return c.unknown(end, contextNames)
}

func (c *checker) http(end int) error {
	name, next, err := c.inside(end)
	if err != nil || name == nil {
		return err
	}
	switch string(name) {
	case "method", "route", "path":
		return c.str(next)
	case "status_code":
		return c.integer(next, math.MinInt32)
	case "params", "request", "response":
		return nil
	}
	return c.unknown(end, httpNames)
}

func (c *checker) fault(end int) error {
	name, next, err := c.inside(end)
	if err != nil || name == nil {
		return err
	}
	switch string(name) {
	case "code", "message":
		return c.str(next)
	}
	return c.unknown(end, faultNames)
}

func (c *checker) changes(end int) error {
	if end < len(c.path) || c.typ != 'z' {
		c.met |= metChanges
	}
	i, end, err := c.element(end, MaxChanges)
	if err != nil || i < 0 {
		return err
	}
	if c.change != i+1 {
		if err := c.endChange(); err != nil {
			return err
		}
		c.change, c.met = i+1, c.met&^metPath
	}
	if end == len(c.path) {
		return nil
	}
	name, next, err := c.inside(end)
	if err != nil || name == nil {
		return err
	}
	switch string(name) {
	case "path":
		if err := c.str(next); err != nil || c.typ != 's' {
			return err
		}
		if !pointer.Valid(c.d.Value(c.i)) {
			return c.refuse("invalid_format", next, ` must be a JSON pointer (RFC 6901) such as "/address/city".`)
		}
		c.met |= metPath
		return nil
	case "old", "new":
		return nil
	}
	return c.unknown(end, changeNames)
}

// endChange holds that the change that was at hand has a path.
func (c *checker) endChange() error {
	if c.change == 0 || c.met&metPath != 0 {
		return nil
	}
	return missing("/changes/" + strconv.Itoa(c.change-1) + "/path")
}

// component returns the component of path that follows the slash at from, and the place where it ends.
func component(path []byte, from int) (name []byte, end int) {
	end = from + 1 // names are short
	for end < len(path) && path[end] != '/' {
		end++
	}
	return path[from+1 : end], end
}

// isIndex reports whether a component stands for an element of a list.
func isIndex(name []byte) bool { return len(name) > 2 && name[0] == '~' && name[1] == '#' }

// inside returns the name below the object whose path ends at end. Without one the object is null or empty.
func (c *checker) inside(end int) (name []byte, next int, err error) {
	if end == len(c.path) {
		if c.typ != 'o' && c.typ != 'z' {
			err = c.refuse("invalid_type", end, " must be an object.")
		}
		return nil, end, err
	}
	name, next = component(c.path, end)
	if isIndex(name) {
		return nil, end, c.refuse("invalid_type", end, " must be an object.")
	}
	return name, next, nil
}

// element returns the index below the list whose path ends at end, and where the element's path ends; −1 when the list is null
// or empty. An element is an object.
func (c *checker) element(end, limit int) (index, next int, err error) {
	if end == len(c.path) {
		if c.typ != 'a' && c.typ != 'z' {
			err = c.refuse("invalid_type", end, " must be a list.")
		}
		return -1, end, err
	}
	name, next := component(c.path, end)
	if !isIndex(name) {
		return -1, end, c.refuse("invalid_type", end, " must be a list.")
	}
	for _, digit := range name[2:] {
		index = index*10 + int(digit-'0')
	}
	switch {
	case index >= limit:
		return -1, end, c.refuse("invalid_value", end, " holds at most "+strconv.Itoa(limit)+".")
	case next == len(c.path) && c.typ != 'o':
		return -1, end, c.refuse("invalid_type", next, " must be an object.")
	}
	return index, next, nil
}

// str holds that the member whose path ends at end is a string or null.
func (c *checker) str(end int) error {
	if end == len(c.path) && (c.typ == 's' || c.typ == 'z') {
		return nil
	}
	return c.refuse("invalid_type", end, " must be a string.")
}

// name is str with the length of an action, type or id; bit is met when it is there.
func (c *checker) name(end, bit int) error {
	if err := c.str(end); err != nil || c.typ == 'z' {
		return err
	}
	c.met |= bit
	if n := len(c.d.Value(c.i)); n < 1 || n > maxName {
		return c.refuse("invalid_value", end, " must be 1 to 512 bytes long, not "+strconv.Itoa(n)+".")
	}
	return nil
}

// free holds that the member is an object, whatever is in it, or null.
func (c *checker) free(end int) error {
	_, _, err := c.inside(end)
	return err
}

// integer holds that the member is a number written as an integer from lowest to 2³¹−1, or null.
func (c *checker) integer(end int, lowest int64) error {
	if end < len(c.path) || c.typ != 'n' && c.typ != 'z' {
		return c.refuse("invalid_type", end, " must be an integer.")
	}
	if c.typ == 'z' {
		return nil
	}
	digits, negative := bytes.CutPrefix(c.d.Value(c.i), []byte("-"))
	var n int64
	for _, digit := range digits {
		if digit < '0' || digit > '9' {
			return c.refuse("invalid_type", end, " must be an integer, written without point and exponent.")
		}
		n = min(n*10+int64(digit-'0'), math.MaxInt32+2)
	}
	if negative {
		n = -n
	}
	if n < lowest || n > math.MaxInt32 {
		return c.refuse("invalid_value", end, " must be an integer from "+strconv.Itoa(int(lowest))+" to 2147483647.")
	}
	return nil
}

// refuse returns an error about the member whose path ends at end; its message is the member followed by is.
func (c *checker) refuse(rule string, end int, is string) error {
	return refused(rule, pointer.OfPath(c.path[:end]), spoken(c.path[:end])+is)
}

// missing says that a required member is not there.
func missing(field string) error { return refused("required", field, Words(field)+" is required.") }
