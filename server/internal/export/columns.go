package export

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/spelling"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// kind says what the values of a column are.
type kind byte

const (
	kindText kind = iota
	kindWhole
	kindTime
	kindJSON // the JSON text of an object or a list
)

// column is one column of a table: a CSV or a Parquet file.
type column struct {
	name string
	kind kind
	few  bool // values repeat: a dictionary pays
	must bool // never absent
}

// place is the number of a column in columns.
type place int

// The columns, in the order of a file that names none.
const (
	placeSeq place = iota
	placeID
	placeReceivedAt
	placeOccurredAt
	placeAction
	placeVersion
	placeOutcome
	placeActorType
	placeActorID
	placeActorName
	placeActorEmail
	placeActorMetadata
	placeVia
	placeTargetType
	placeTargetID
	placeTargetName
	placeTargets
	placeIP
	placeUserAgent
	placeRequestID
	placeTraceID
	placeSessionID
	placeCorrelationID
	placeHTTPMethod
	placeHTTPRoute
	placeHTTPPath
	placeHTTPStatus
	placeHTTPParams
	placeHTTPRequest
	placeHTTPResponse
	placeErrorCode
	placeErrorMessage
	placeReason
	placeChanges
	placeMetadata
	placeControl
	placeRemoved
	placeErasedFields
	placeLeafHash
	places
)

// columns describes each. What an event has that no column holds does not exist: every member is in one of them.
var columns = [places]column{
	placeSeq:           {name: "seq", kind: kindWhole, must: true},
	placeID:            {name: "id", must: true},
	placeReceivedAt:    {name: "received_at", kind: kindTime, must: true},
	placeOccurredAt:    {name: "occurred_at", kind: kindTime},
	placeAction:        {name: "action", few: true},
	placeVersion:       {name: "version", kind: kindWhole},
	placeOutcome:       {name: "outcome", few: true},
	placeActorType:     {name: "actor_type", few: true},
	placeActorID:       {name: "actor_id", few: true},
	placeActorName:     {name: "actor_name", few: true},
	placeActorEmail:    {name: "actor_email", few: true},
	placeActorMetadata: {name: "actor_metadata", kind: kindJSON},
	placeVia:           {name: "via", kind: kindJSON},
	placeTargetType:    {name: "target_type", few: true},
	placeTargetID:      {name: "target_id"},
	placeTargetName:    {name: "target_name"},
	placeTargets:       {name: "targets", kind: kindJSON},
	placeIP:            {name: "ip", few: true},
	placeUserAgent:     {name: "user_agent", few: true},
	placeRequestID:     {name: "request_id"},
	placeTraceID:       {name: "trace_id"},
	placeSessionID:     {name: "session_id"},
	placeCorrelationID: {name: "correlation_id"},
	placeHTTPMethod:    {name: "http_method", few: true},
	placeHTTPRoute:     {name: "http_route", few: true},
	placeHTTPPath:      {name: "http_path"},
	placeHTTPStatus:    {name: "http_status_code", kind: kindWhole},
	placeHTTPParams:    {name: "http_params", kind: kindJSON},
	placeHTTPRequest:   {name: "http_request", kind: kindJSON},
	placeHTTPResponse:  {name: "http_response", kind: kindJSON},
	placeErrorCode:     {name: "error_code", few: true},
	placeErrorMessage:  {name: "error_message"},
	placeReason:        {name: "reason"},
	placeChanges:       {name: "changes", kind: kindJSON},
	placeMetadata:      {name: "metadata", kind: kindJSON},
	placeControl:       {name: "control", kind: kindJSON},
	placeRemoved:       {name: "removed", few: true},
	placeErasedFields:  {name: "erased_fields", kind: kindJSON},
	placeLeafHash:      {name: "leaf_hash"},
}

// Columns lists the names of every column, in the order of a file that names none.
func Columns() []string { return namesOf(allPlaces()) }

func allPlaces() []place {
	all := make([]place, places)
	for i := range all {
		all[i] = place(i)
	}
	return all
}

func namesOf(ps []place) []string {
	names := make([]string, 0, len(ps))
	for _, p := range ps {
		names = append(names, columns[p].name)
	}
	return names
}

// parseColumns reads names; none means all. An unknown or repeated one is refused with the rule invalid_value.
func parseColumns(names []string) ([]place, error) {
	if len(names) == 0 {
		return allPlaces(), nil
	}
	ps := make([]place, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(columns[:], func(c column) bool { return c.name == name })
		if i < 0 {
			return nil, invalid("/columns", "there is no column %q%s; the columns are %s.", short(name), meant(name), strings.Join(Columns(), ", "))
		}
		if slices.Contains(ps, place(i)) {
			return nil, invalid("/columns", "the column %q stands twice.", name)
		}
		ps = append(ps, place(i))
	}
	return ps, nil
}

func meant(name string) string {
	for _, c := range columns {
		if spelling.Distance(name, c.name) < spelling.Far {
			return fmt.Sprintf(" (did you mean %s?)", c.name)
		}
	}
	return ""
}

func invalid(field, format string, args ...any) error {
	return &daybook.Error{Code: daybook.CodeInvalid, Rule: "invalid_value", Field: field, Message: fmt.Sprintf(format, args...)}
}

// short cuts a caller's text for a message.
func short(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// LeftOut lists the columns of x's format that x leaves out.
func LeftOut(x *control.Export) []string {
	names := []string{}
	if s, ok := shapeOf(x.Format); !ok || !s.columns {
		return names
	}
	for i := range columns {
		if !slices.Contains(x.Columns, columns[i].name) {
			names = append(names, columns[i].name)
		}
	}
	return names
}
