package query

import (
	"slices"
	"strings"

	"github.com/daybook-audit/daybook/internal/spelling"
)

// kind says how the values of a field are matched.
type kind byte

const (
	kindKey kind = iota
	kindName
	kindWho
	kindTarget
	kindText
	kindNumber
	kindTime
	kindIP
	kindPath
	kindMeta
	kindOutcome
	kindHas
	kindIs
)

func (k kind) String() string {
	return [...]string{"key", "name", "who", "target", "text", "num", "time", "ip", "path", "meta", "outcome", "has", "is"}[k]
}

// fieldNo is a field's place in fields.
type fieldNo byte

const (
	fieldID fieldNo = iota
	fieldSeq
	fieldActor
	fieldActorID
	fieldActorType
	fieldActorName
	fieldActorEmail
	fieldVia
	fieldViaType
	fieldAction
	fieldTarget
	fieldTargetType
	fieldTargetID
	fieldTargetName
	fieldChanged
	fieldOutcome
	fieldErrorCode
	fieldErrorMessage
	fieldReason
	fieldIP
	fieldUserAgent
	fieldRequestID
	fieldTraceID
	fieldSessionID
	fieldCorrelationID
	fieldMethod
	fieldRoute
	fieldPath
	fieldStatus
	fieldVersion
	fieldMeta
	fieldActorMeta
	fieldTargetMeta
	fieldFlag
	fieldOccurred
	fieldReceived
	fieldHas
	fieldIs
	fieldOrg
	fieldText // free text; has no name
)

// fields is the table of all fields. A condition looks at the slots of its field; a field without slots is answered by the record.
var fields = [...]struct {
	name  string
	kind  kind
	slots []slot
	means string
}{
	fieldID:            {"id", kindKey, nil, "the event id"},
	fieldSeq:           {"seq", kindNumber, nil, "the place in the log"},
	fieldActor:         {"actor", kindWho, []slot{slotActorID, slotActorName, slotActorEmail, slotViaID, slotViaName, slotViaEmail}, "who: id, name or e-mail, also of those behind it (via)"},
	fieldActorID:       {"actor.id", kindKey, []slot{slotActorID}, "the actor's id"},
	fieldActorType:     {"actor.type", kindKey, []slot{slotActorType}, "user, api_key, service, system, …"},
	fieldActorName:     {"actor.name", kindName, []slot{slotActorName}, "the actor's name"},
	fieldActorEmail:    {"actor.email", kindName, []slot{slotActorEmail}, "the actor's e-mail"},
	fieldVia:           {"via", kindWho, []slot{slotViaID, slotViaName, slotViaEmail}, "who really acted, as somebody else"},
	fieldViaType:       {"via.type", kindKey, []slot{slotViaType}, "the type of who really acted"},
	fieldAction:        {"action", kindKey, []slot{slotAction}, "what: invoice.paid, invoice.*"},
	fieldTarget:        {"target", kindTarget, []slot{slotTargetType, slotTargetID, slotTargetName}, "on what: TYPE:ID, or an id or name"},
	fieldTargetType:    {"target.type", kindKey, []slot{slotTargetType}, "the type of a target"},
	fieldTargetID:      {"target.id", kindKey, []slot{slotTargetID}, "the id of a target"},
	fieldTargetName:    {"target.name", kindName, []slot{slotTargetName}, "the name of a target"},
	fieldChanged:       {"changed", kindPath, []slot{slotChangePath}, "a change at or below a JSON pointer, or a member name"},
	fieldOutcome:       {"outcome", kindOutcome, []slot{slotOutcome}, "success, failure or denied"},
	fieldErrorCode:     {"error.code", kindKey, []slot{slotErrorCode}, "why it failed, as a code"},
	fieldErrorMessage:  {"error.message", kindText, []slot{slotErrorMessage}, "why it failed, in words"},
	fieldReason:        {"reason", kindText, []slot{slotReason}, "why it was done"},
	fieldIP:            {"ip", kindIP, []slot{slotIP}, "from which address or block"},
	fieldUserAgent:     {"user_agent", kindText, []slot{slotUserAgent}, "with which program"},
	fieldRequestID:     {"request_id", kindKey, []slot{slotRequestID}, "the request"},
	fieldTraceID:       {"trace_id", kindKey, []slot{slotTraceID}, "the trace"},
	fieldSessionID:     {"session_id", kindKey, []slot{slotSessionID}, "the session"},
	fieldCorrelationID: {"correlation_id", kindKey, []slot{slotCorrelationID}, "what belongs together"},
	fieldMethod:        {"http.method", kindName, []slot{slotMethod}, "GET, POST, …"},
	fieldRoute:         {"http.route", kindKey, []slot{slotRoute}, "the route, as a pattern"},
	fieldPath:          {"http.path", kindKey, []slot{slotPath}, "the path asked for"},
	fieldStatus:        {"http.status_code", kindNumber, []slot{slotStatus}, "the HTTP answer"},
	fieldVersion:       {"version", kindNumber, []slot{slotVersion}, "the version of the action's schema"},
	fieldMeta:          {"meta", kindMeta, []slot{slotMeta}, "metadata; KEY: member names joined by a dot"},
	fieldActorMeta:     {"actor.meta", kindMeta, []slot{slotActorMeta}, "metadata of the actor"},
	fieldTargetMeta:    {"target.meta", kindMeta, []slot{slotTargetMeta}, "metadata of a target"},
	fieldFlag:          {"flagged", kindKey, []slot{slotFlag}, "what was found wrong when it was recorded: schema_violation, schema_missing"},
	fieldOccurred:      {"occurred", kindTime, nil, "when it happened"},
	fieldReceived:      {"received", kindTime, nil, "when it was recorded"},
	fieldHas:           {"has", kindHas, nil, "a field that is present and not empty"},
	fieldIs:            {"is", kindIs, nil, "erased, held, late or control"},
	fieldOrg:           {"org", kindKey, nil, "the organization; for operators of the instance"},
	fieldText: {"", kindText, []slot{
		slotAction, slotActorID, slotActorName, slotActorEmail, slotViaID, slotViaName, slotViaEmail, slotTargetID, slotTargetName, slotReason,
		slotErrorCode, slotErrorMessage, slotCorrelationID, slotRequestID, slotUserAgent, slotPath, slotMeta, slotActorMeta, slotTargetMeta,
		slotChangePath, slotChangeValue,
	}, "free text"},
}

// withKey reports whether a metadata key belongs to the name of f.
func (f fieldNo) withKey() bool { return f == fieldMeta || f == fieldActorMeta || f == fieldTargetMeta }

// recorded reports whether every entry has f.
func (f fieldNo) recorded() bool {
	return f == fieldID || f == fieldSeq || f == fieldOccurred || f == fieldReceived || f == fieldOrg
}

// lookup finds the field called name, in lower case, and its metadata key.
func lookup(segments []string) (f fieldNo, key string, ok bool) {
	first := strings.ToLower(segments[0])
	switch {
	case first == "meta" && len(segments) > 1:
		return fieldMeta, strings.Join(segments[1:], "."), true
	case (first == "actor" || first == "target") && len(segments) > 2 && strings.EqualFold(segments[1], "meta"):
		key = strings.Join(segments[2:], ".")
		if first == "actor" {
			return fieldActorMeta, key, true
		}
		return fieldTargetMeta, key, true
	}
	name := strings.ToLower(strings.Join(segments, "."))
	for i := range fields {
		if f := fieldNo(i); fields[i].name == name && name != "" && !f.withKey() {
			return f, "", true
		}
	}
	return 0, "", false
}

// otherNames are the names that people type from other products.
var otherNames = map[string]string{
	"user": "actor", "who": "actor", "by": "actor", "author": "actor", "causer": "actor", "principal": "actor",
	"entity": "target", "resource": "target", "object": "target", "subject": "target", "on": "target",
	"created": "occurred", "created_at": "occurred", "occurred_at": "occurred", "date": "occurred", "time": "occurred", "timestamp": "occurred",
	"received_at": "received", "status": "outcome", "result": "outcome", "location": "ip", "address": "ip", "event": "action", "verb": "action",
	"changes": "changed", "description": "reason", "error": "error.code", "http": "http.path", "https": "http.path", "url": "http.path",
	"meta": "meta.KEY", "metadata": "meta.KEY", "actor.meta": "actor.meta.KEY", "target.meta": "target.meta.KEY",
	"actor.metadata": "actor.meta.KEY", "target.metadata": "target.meta.KEY", "targets.metadata": "target.meta.KEY", "targets": "target", "targets.id": "target.id", "targets.type": "target.type", "targets.name": "target.name", "via.id": "via", "via.name": "via",
	"context": "ip",
}

// maxSuggestions bounds what an error proposes.
const maxSuggestions = 3

// suggest returns the fields that may have been meant by an unknown one, the likeliest first.
func (p *parser) suggest(name string) (found []string) {
	name = strings.ToLower(name)
	add := func(s string) {
		if len(found) < maxSuggestions && !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	if other := otherNames[name]; other != "" {
		add(other)
	} else if other = otherSpelling(name); other != "" {
		add(other)
	}
	known := len(found) > 0
	each := func(fits func(field string) bool) {
		for i := range fields[:fieldText] {
			if f := fieldNo(i); !known && !f.withKey() && p.offers(f) && fits(fields[f].name) {
				add(fields[f].name)
			}
		}
	}
	for d := 1; d <= 2 && 2*d <= len(name); d++ {
		each(func(field string) bool { return spelling.Distance(name, field) == d })
	}
	each(func(field string) bool { return strings.HasSuffix(field, "."+name) })
	bare := strings.TrimPrefix(strings.TrimPrefix(name, "metadata."), "meta.")
	for d := 0; d <= 2 && 2*d <= len(bare); d++ {
		for _, k := range p.o.MetaKeys {
			if spelling.Distance(bare, strings.ToLower(k)) == d {
				add(keyed("meta", k))
			}
		}
	}
	return found
}

// otherSpelling maps a dotted name of another product, or the path of a member in the event, to a field.
func otherSpelling(name string) string {
	name = strings.TrimPrefix(name, "context.")
	first, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		if _, _, ok := lookup([]string{name}); ok {
			return name
		}
		return ""
	}
	switch {
	case first == "metadata":
		return "meta." + rest
	case (first == "actor" || first == "target" || first == "targets") && strings.HasPrefix(rest, "metadata."):
		return strings.TrimSuffix(first, "s") + ".meta." + strings.TrimPrefix(rest, "metadata.")
	}
	if other, ok := otherNames[first]; ok {
		first = other
	}
	if _, _, ok := lookup([]string{first, rest}); ok {
		return first + "." + rest
	}
	return ""
}
