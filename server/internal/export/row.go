package export

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/rawjson"
)

// row is one entry as the columns show it. It belongs to one goroutine and is filled again for every entry; reset lets go of what
// its cells of all entries since the last reset stand in.
type row struct {
	// cells holds what each column shows: the text of a string, the token of a number, the text of an object or list. nil: nothing.
	cells   [places][]byte
	targets [][]byte // the text of each element of targets
	arena   []byte   // of cells that are not a part of the payload
}

// What an event reads that does not say.
var (
	readsSuccess = []byte("success")
	readsFirst   = []byte("1")
)

func (r *row) reset() { r.arena = r.arena[:0] }

// fill reads e, whose payload was accepted when it was recorded.
func (r *row) fill(e *daybook.Entry) {
	r.cells = [places][]byte{}
	r.targets = r.targets[:0]
	at := len(r.arena)
	r.arena = strconv.AppendInt(r.arena, e.Seq, 10)
	at = r.made(placeSeq, at)
	r.arena = e.ID.Append(r.arena)
	at = r.made(placeID, at)
	r.arena = daybook.AppendTime(r.arena, e.ReceivedAt)
	at = r.made(placeReceivedAt, at)
	if e.LeafHash != [32]byte{} {
		r.arena = base64.StdEncoding.AppendEncode(r.arena, e.LeafHash[:])
		r.made(placeLeafHash, at)
	}
	switch {
	case e.Removed != daybook.NotRemoved:
		r.cells[placeRemoved] = []byte(e.Removed.String())
		return
	case e.Kind != daybook.KindEvent:
		r.cells[placeControl] = e.Payload
		r.erased(e)
		return
	}
	r.event(e.Payload)
	if e.Erased > 0 { // what is not there may be what was erased
		r.erased(e)
		return
	}
	if r.cells[placeOccurredAt] == nil {
		r.cells[placeOccurredAt] = r.cells[placeReceivedAt]
	}
	if r.cells[placeOutcome] == nil {
		r.cells[placeOutcome] = readsSuccess
	}
	if r.cells[placeVersion] == nil {
		r.cells[placeVersion] = readsFirst
	}
}

// erased shows the names of erased fields, as far as they were kept.
func (r *row) erased(e *daybook.Entry) {
	if e.Erased > 0 {
		at := len(r.arena)
		r.arena = append(r.arena, '[')
		for i, name := range e.ErasedFields {
			if i > 0 {
				r.arena = append(r.arena, ',')
			}
			text, _ := json.Marshal(name) // a string always encodes
			r.arena = append(r.arena, text...)
		}
		r.arena = append(r.arena, ']')
		r.made(placeErasedFields, at)
	}
}

// made makes what was appended to the arena since at the cell of p. A cell stays where it is when the arena grows.
func (r *row) made(p place, at int) int {
	r.cells[p] = r.arena[at:len(r.arena):len(r.arena)]
	return len(r.arena)
}

// set makes value, a JSON text, the cell of p.
func (r *row) set(p place, value []byte) {
	switch {
	case value[0] == 'n': // null is absent
	case value[0] != '"' || columns[p].kind == kindJSON:
		r.cells[p] = value
	default:
		r.cells[p] = rawjson.Bytes(value)
	}
}

// What stands where in an event. Members that are missing here are objects or lists with members of their own.
var (
	inEvent = map[string]place{
		"action": placeAction, "version": placeVersion, "occurred_at": placeOccurredAt, "outcome": placeOutcome, "changes": placeChanges,
		"reason": placeReason, "correlation_id": placeCorrelationID, "metadata": placeMetadata,
	}
	inActor = map[string]place{
		"type": placeActorType, "id": placeActorID, "name": placeActorName, "email": placeActorEmail, "metadata": placeActorMetadata, "via": placeVia,
	}
	inTarget  = map[string]place{"type": placeTargetType, "id": placeTargetID, "name": placeTargetName}
	inContext = map[string]place{
		"ip": placeIP, "user_agent": placeUserAgent, "request_id": placeRequestID, "trace_id": placeTraceID, "session_id": placeSessionID,
	}
	inHTTP = map[string]place{
		"method": placeHTTPMethod, "route": placeHTTPRoute, "path": placeHTTPPath, "status_code": placeHTTPStatus,
		"params": placeHTTPParams, "request": placeHTTPRequest, "response": placeHTTPResponse,
	}
	inError = map[string]place{"code": placeErrorCode, "message": placeErrorMessage}
)

func (r *row) event(text []byte) {
	for name, value := range rawjson.Each(text) {
		switch string(rawjson.Bytes(name)) {
		case "actor":
			r.object(value, inActor)
		case "context":
			r.context(value)
		case "error":
			r.object(value, inError)
		case "targets":
			r.list(value)
		default:
			if p, ok := inEvent[string(rawjson.Bytes(name))]; ok {
				r.set(p, value)
			}
		}
	}
}

func (r *row) object(text []byte, in map[string]place) {
	for name, value := range rawjson.Each(text) {
		if p, ok := in[string(rawjson.Bytes(name))]; ok {
			r.set(p, value)
		}
	}
}

func (r *row) context(text []byte) {
	for name, value := range rawjson.Each(text) {
		if string(rawjson.Bytes(name)) == "http" {
			r.object(value, inHTTP)
		} else if p, ok := inContext[string(rawjson.Bytes(name))]; ok {
			r.set(p, value)
		}
	}
}

// list reads targets: the first has columns of its own.
func (r *row) list(text []byte) {
	if text[0] != '[' {
		return
	}
	r.cells[placeTargets] = text
	r.targets = slices.AppendSeq(r.targets, rawjson.Elements(text))
	if len(r.targets) > 0 {
		r.object(r.targets[0], inTarget)
	}
}
