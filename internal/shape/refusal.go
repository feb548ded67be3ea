package shape

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/daybook-audit/daybook/internal/pointer"
	"github.com/daybook-audit/daybook/internal/spelling"
	"github.com/daybook-audit/daybook/leaf"
)

// The members of each object of an event, for suggestions.
var (
	eventNames = []string{
		"id", "action", "version", "occurred_at", "actor", "targets", "context", "outcome", "error", "changes", "before", "after",
		"reason", "correlation_id", "metadata",
	}
	actorNames   = []string{"type", "id", "name", "email", "metadata", "via"}
	viaNames     = []string{"type", "id", "name", "email", "metadata"}
	targetNames  = []string{"type", "id", "name", "metadata"}
	contextNames = []string{"ip", "user_agent", "request_id", "trace_id", "session_id", "http"}
	httpNames    = []string{"method", "route", "path", "status_code", "params", "request", "response"}
	faultNames   = []string{"code", "message"}
	changeNames  = []string{"path", "old", "new"}
)

// reservedNames are the members that a log itself adds to an entry.
var reservedNames = []string{"org", "received_at", "seq", "leaf_hash", "erased_fields", "masked_fields", Flags}

// Refusal says why a text is not recorded. It is safe to show.
type Refusal struct {
	Rule    string // a word of docs/reference/api.md; TooLarge: over a limit of texts
	Field   string // JSON pointer to what is wrong; may be empty
	Message string // a sentence
}

// TooLarge is the rule of a text that is longer than any may be.
const TooLarge = "too_large"

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// refused returns the refusal of an event; message is a sentence.
func refused(rule, field, message string) error {
	return &Refusal{Rule: rule, Field: field, Message: message}
}

// Read reads text strictly into d. The error is a [Refusal].
func Read(d *leaf.Doc, text []byte) error {
	err := d.Read(text)
	if e, ok := errors.AsType[*leaf.Error](err); ok {
		return &Refusal{Rule: e.Code, Field: e.Pointer, Message: e.Message + "."}
	}
	return err
}

// unknown refuses the member that follows the object whose path ends at end; names are those that it could be.
func (c *checker) unknown(end int, names []string) error {
	_, next := component(c.path, end)
	field := pointer.OfPath(c.path[:next])
	name := pointer.Name(string(c.path[end+1 : next]))
	if isIndex(c.path[end+1 : next]) {
		return c.refuse("invalid_type", end, " must be an object.")
	}
	if end == 0 && slices.Contains(reservedNames, name) {
		return refused("reserved_member", field, name+" is the log's own member and cannot be given.")
	}
	where, free := "an event", "metadata"
	if end > 0 {
		where = spoken(c.path[:end])
		if slices.Contains(names, "metadata") {
			free = where + ".metadata"
		}
	}
	message := shown(name) + " is not a member of " + where + "."
	if best := nearest(name, names); best != "" {
		message += " Did you mean " + strconv.Quote(best) + "?"
	} else {
		message += " Free data belongs in " + free + "."
	}
	return refused("unknown_member", field, message)
}

// spoken turns the path of a field into words: targets[0].type.
func spoken(path []byte) string {
	var b strings.Builder
	for end := 0; end < len(path); {
		var name []byte
		name, end = component(path, end)
		switch {
		case isIndex(name):
			b.WriteString("[" + string(name[2:]) + "]")
		case b.Len() > 0:
			b.WriteString("." + pointer.Name(string(name)))
		default:
			b.WriteString(pointer.Name(string(name)))
		}
	}
	return b.String()
}

// Words turns a pointer to one of an event's own members into words: it knows elements by their digits.
func Words(field string) string {
	var b strings.Builder
	for i, name := range strings.Split(strings.TrimPrefix(field, "/"), "/") {
		switch {
		case name != "" && name[0] >= '0' && name[0] <= '9':
			b.WriteString("[" + name + "]")
		case i > 0:
			b.WriteString("." + name)
		default:
			b.WriteString(name)
		}
	}
	return b.String()
}

// shown quotes a name of the producer's for a message; of a long one only the beginning.
func shown(name string) string {
	const most = 64
	if len(name) <= most {
		return strconv.Quote(name)
	}
	cut := most
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return fmt.Sprintf("%q… (%d bytes)", name[:cut], len(name))
}

// nearest returns the one of names that name was probably meant to be, or "".
func nearest(name string, names []string) string {
	if len(name) > 64 {
		return ""
	}
	best, least := "", spelling.Far
	for _, candidate := range names {
		d := spelling.Distance(folded(name), folded(candidate))
		if d < least && d <= len(candidate)/2 {
			best, least = candidate, d
		}
	}
	return best
}

// folded returns name in lower case without the marks between its words.
func folded(name string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name))
}
