// Package resthapi records as the audit log of rest-hapi does, and says how its documents are events: [Options] makes the middleware
// of package daybookhttp write one event per request that modifies a document, with all the fields of rest-hapi's collection, and
// the server's door shows them as that collection.
package resthapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybookhttp"
)

// Document is one document of rest-hapi's collection auditLog. What is nil is null.
type Document struct {
	ID                  string    // 24 hex digits that the document had; empty: the log gives one
	Date                time.Time // zero: when it is received
	Method              *string
	Action              *string
	Endpoint            *string
	User                *string
	CollectionName      *string
	ChildCollectionName *string
	AssociationType     *string
	Documents           []string
	Payload             json.RawMessage
	Params              json.RawMessage
	Result              json.RawMessage
	StatusCode          *int
	ResponseMessage     *string
	IsError             bool
	IPAddress           *string
	Notes               *string

	RecordedBy string // who brought the document, as the log knows: a key, or a subject; kept beside it, and not part of it
}

// Text returns a pointer to s, nil for "".
func Text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// About is what an event keeps of a document that has no place of its own: metadata.rest_hapi. V is always there, and marks such
// events.
type About struct {
	V                   int             `json:"v"`
	Action              *string         `json:"action,omitempty"`
	CollectionName      *string         `json:"collectionName,omitempty"`
	ChildCollectionName *string         `json:"childCollectionName,omitempty"`
	AssociationType     *string         `json:"associationType,omitempty"`
	Notes               *string         `json:"notes,omitempty"`
	Documents           json.RawMessage `json:"documents,omitempty"` // when they are not the ids of the targets
	Listed              bool            `json:"listed,omitempty"`    // whether Documents are there
	RecordedBy          string          `json:"recordedBy,omitempty"`
}

// Version is the V of an About: that of the mapping.
const Version = 1

// Event returns the event that d is. Its values are kept as they are: redact them before. The error says which ID is none.
func (d *Document) Event() (daybook.Event, error) {
	e := daybook.Event{Action: d.action(), OccurredAt: d.Date, Actor: daybook.Actor{Type: "anonymous", ID: "anonymous"}, Targets: d.targets()}
	if d.ID != "" {
		var err error
		if e.ID, err = EventID(d.ID); err != nil {
			return e, err
		}
	}
	if d.User != nil && *d.User != "" {
		e.Actor = daybook.Actor{Type: "user", ID: *d.User}
	}
	if d.IPAddress != nil {
		e.Context.IP = *d.IPAddress
	}
	h := daybook.HTTP{Params: daybookhttp.Fitted(d.Params), Request: daybookhttp.Fitted(d.Payload), Response: daybookhttp.Fitted(d.Result)}
	for _, f := range []struct {
		to   *string
		from *string
	}{{&h.Method, d.Method}, {&h.Path, d.Endpoint}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if d.StatusCode != nil {
		h.StatusCode = *d.StatusCode
	}
	if h.Method != "" || h.Path != "" || h.StatusCode != 0 || h.Params != nil || h.Request != nil || h.Response != nil {
		e.Context.HTTP = &h
	}
	e.Outcome, e.Error = d.outcome()
	var err error
	e.Metadata, err = d.metadata(e.Targets)
	return e, err
}

// action is <collectionName>.<action in lower case>, or what comes nearest.
func (d *Document) action() string {
	has := func(s *string) bool { return s != nil && *s != "" }
	switch {
	case has(d.Action) && has(d.CollectionName):
		return *d.CollectionName + "." + strings.ToLower(*d.Action)
	case has(d.Action):
		return *d.Action
	case has(d.Method):
		return "http." + strings.ToLower(*d.Method)
	}
	return "note"
}

// Bounds of an event, as the log holds them.
const (
	maxTargets = 256
	maxName    = 512
)

// targets are the documents: of an association the first is the owner.
func (d *Document) targets() []daybook.Target {
	kind := func(name *string) string {
		if name == nil || *name == "" || len(*name) > maxName {
			return "document"
		}
		return *name
	}
	association := d.Action != nil && (*d.Action == "Add" || *d.Action == "Remove")
	var targets []daybook.Target
	for i, id := range d.Documents {
		if len(targets) == maxTargets {
			break
		}
		if id == "" || len(id) > maxName {
			continue
		}
		of := d.CollectionName
		if association && i > 0 {
			of = d.ChildCollectionName
		}
		targets = append(targets, daybook.Target{Type: kind(of), ID: id})
	}
	return targets
}

func (d *Document) outcome() (daybook.Outcome, *daybook.EventFault) {
	fault := &daybook.EventFault{}
	if d.ResponseMessage != nil {
		fault.Message = *d.ResponseMessage
	}
	if !d.IsError {
		if fault.Message == "" {
			return daybook.Success, nil
		}
		return daybook.Success, fault
	}
	out := daybook.Failure
	if d.StatusCode != nil {
		fault.Code = strconv.Itoa(*d.StatusCode)
		if *d.StatusCode == http.StatusUnauthorized || *d.StatusCode == http.StatusForbidden {
			out = daybook.Denied
		}
	}
	if *fault == (daybook.EventFault{}) {
		return out, nil
	}
	return out, fault
}

// metadata is {"rest_hapi":…}. Documents that are not the ids of targets stand there whole.
func (d *Document) metadata(targets []daybook.Target) (json.RawMessage, error) {
	about := About{
		V: Version, Action: d.Action, CollectionName: d.CollectionName, ChildCollectionName: d.ChildCollectionName,
		AssociationType: d.AssociationType, Notes: d.Notes, RecordedBy: d.RecordedBy,
	}
	if d.Documents != nil && (len(d.Documents) == 0 || !slices.EqualFunc(targets, d.Documents, func(t daybook.Target, id string) bool { return t.ID == id })) {
		text, err := json.Marshal(d.Documents)
		if err != nil {
			return nil, fmt.Errorf("write the documents: %w", err)
		}
		about.Documents, about.Listed = daybookhttp.Fitted(text), true
	}
	text, err := json.Marshal(map[string]About{"rest_hapi": about})
	if err != nil {
		return nil, fmt.Errorf("write the metadata of a document: %w", err)
	}
	return text, nil
}

// ErrID says that a text is no id of a document that could be kept.
var ErrID = errors.New("resthapi: not an ObjectId of 24 hex digits, or one that the log itself gives")
