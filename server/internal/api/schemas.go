package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// newSchema is the next version of an action's schema.
type newSchema struct {
	Actor    *metadataSchema `json:"actor,omitempty"`
	Targets  []targetSchema  `json:"targets,omitempty" maxItems:"256" doc:"An event needs a target of each type."`
	Metadata json.RawMessage `json:"metadata,omitempty" doc:"JSON Schema of metadata, of draft 7 unless it names another. It stands alone: no file, no address and not itself; patterns are RE2."`
	Event    json.RawMessage `json:"event,omitempty" doc:"JSON Schema of the event as a whole, such as {\"required\":[\"reason\"]}."`
	Sentences
}

// Sentences are the templates of a version. It is exported because the schema generator leaves out unexported embedded structs.
type Sentences struct {
	Sentence        string `json:"sentence,omitempty" maxLength:"500" doc:"What an event says, in one line." example:"{actor} changed {changed} of {target}"`
	SentenceFailure string `json:"sentence_failure,omitempty" maxLength:"500" doc:"The same of an event whose outcome is failure. Left out: the sentence, and that it failed."`
	SentenceDenied  string `json:"sentence_denied,omitempty" maxLength:"500" doc:"The same of an event whose outcome is denied."`
}

type metadataSchema struct {
	Metadata json.RawMessage `json:"metadata,omitempty" doc:"JSON Schema of the metadata there. What is not there is judged as {}."`
}

type targetSchema struct {
	Type     string          `json:"type" minLength:"1" maxLength:"512" example:"invoice"`
	Metadata json.RawMessage `json:"metadata,omitempty" doc:"JSON Schema of the metadata of a target of this type."`
}

// schema is one version as the API shows it.
type schema struct {
	Action   string          `json:"action" example:"invoice.paid"`
	Version  int             `json:"version" doc:"From 1, without gaps. It never changes." example:"3"`
	Org      *daybook.OrgID  `json:"org" nullable:"true" doc:"Whose it is; null: it is shared by all organizations that have none of their own for the action." example:"org_acme"`
	Actor    *metadataSchema `json:"actor,omitempty" doc:"Left out: not constrained."`
	Targets  []targetSchema  `json:"targets" nullable:"false"`
	Metadata json.RawMessage `json:"metadata,omitempty" doc:"Left out: not constrained."`
	Event    json.RawMessage `json:"event,omitempty" doc:"Left out: not constrained."`
	Sentences
	CreatedAt stamp  `json:"created_at" format:"date-time"`
	By        *party `json:"by,omitempty"`
}

type schemaList struct {
	Schemas    []schema `json:"schemas" nullable:"false" doc:"Newest first."`
	NextCursor *string  `json:"next_cursor" doc:"For the next page; null at the end."`
}

// actionOf is an action with its newest schema.
type actionOf struct {
	Action    string         `json:"action" example:"invoice.paid"`
	Org       *daybook.OrgID `json:"org" nullable:"true" doc:"Whose schemas these are; null: they are shared." example:"org_acme"`
	CreatedAt stamp          `json:"created_at" format:"date-time"`
	UpdatedAt stamp          `json:"updated_at" format:"date-time" doc:"When the newest version was registered."`
	Schema    schema         `json:"schema" doc:"The newest version."`
}

type actionList struct {
	Actions    []actionOf `json:"actions" nullable:"false" doc:"By name."`
	NextCursor *string    `json:"next_cursor" doc:"For the next page; null at the end."`
}

func showSchema(s *control.Schema) schema {
	out := schema{Action: s.Action, Version: s.Version, Targets: []targetSchema{}, Metadata: s.Metadata, Event: s.Event, Sentences: showSentences(s), CreatedAt: newStamp(s.CreatedAt), By: showParty(s.By)}
	if s.Org != "" {
		out.Org = &s.Org
	}
	if s.Actor != nil {
		out.Actor = &metadataSchema{s.Actor}
	}
	for _, t := range s.Targets {
		out.Targets = append(out.Targets, targetSchema(t))
	}
	return out
}

func showSentences(s *control.Schema) Sentences {
	return Sentences{Sentence: s.Sentences.Success, SentenceFailure: s.Sentences.Failure, SentenceDenied: s.Sentences.Denied}
}

func showAction(a *control.Action) actionOf {
	out := actionOf{Action: a.Name, CreatedAt: newStamp(a.Schemas[0].CreatedAt), UpdatedAt: newStamp(a.Newest().CreatedAt), Schema: showSchema(a.Newest())}
	out.Org = out.Schema.Org
	return out
}

func registerSchema(c *call) error {
	var in newSchema
	if err := c.decode(&in); err != nil {
		return err
	}
	n := control.NewSchema{Org: c.org, Action: c.r.PathValue("action"), By: c.by()}
	n.Metadata, n.Event = in.Metadata, in.Event
	n.Sentences = control.Sentences{Success: in.Sentence, Failure: in.SentenceFailure, Denied: in.SentenceDenied}
	if in.Actor != nil {
		n.Actor = in.Actor.Metadata
	}
	for _, t := range in.Targets {
		n.Targets = append(n.Targets, control.SchemaTarget(t))
	}
	n.Before = func(_ context.Context, was, is *control.Schema) error {
		return c.did(c.org, c.signed(control.SchemaRegistered(was, is))) //nolint:contextcheck // a call carries its request
	}
	is, made, err := c.s.Schemas.Register(c.r.Context(), n)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	c.send(status, jsonType, marshal(showSchema(is)))
	return nil
}

func listActions(c *call) error {
	all := c.s.Schemas.Actions(c.r.Context(), c.org)
	after, limit, err := c.page()
	if err != nil {
		return err
	}
	list := actionList{Actions: []actionOf{}}
	for _, a := range all {
		if a.Name <= after {
			continue
		}
		if len(list.Actions) == limit {
			list.NextCursor = listCursor(list.Actions[limit-1].Action)
			break
		}
		list.Actions = append(list.Actions, showAction(a))
	}
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

func listSchemas(c *call) error {
	a, err := c.s.Schemas.Action(c.r.Context(), c.org, c.r.PathValue("action"))
	if err != nil {
		return notThere(err)
	}
	after, limit, err := c.page()
	if err != nil {
		return err
	}
	before := len(a.Schemas) + 1
	if after != "" {
		if before, err = strconv.Atoi(after); err != nil || before < 1 {
			return invalid("cursor_invalid", paramCursor.name, "this cursor is not one of this list.")
		}
	}
	list := schemaList{Schemas: []schema{}}
	for n := min(before, len(a.Schemas)+1) - 1; n >= 1; n-- {
		if len(list.Schemas) == limit {
			list.NextCursor = listCursor(strconv.Itoa(n + 1))
			break
		}
		list.Schemas = append(list.Schemas, showSchema(a.Schemas[n-1]))
	}
	c.send(http.StatusOK, jsonType, marshal(list))
	return nil
}

func getSchema(c *call) error {
	a, err := c.s.Schemas.Action(c.r.Context(), c.org, c.r.PathValue("action"))
	if err != nil {
		return notThere(err)
	}
	s, text := a.Newest(), c.r.PathValue("version")
	if text != "newest" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return errNotFound
		}
		if s, err = a.Version(n); err != nil {
			return notThere(err)
		}
	}
	c.send(http.StatusOK, jsonType, marshal(showSchema(s)))
	return nil
}

// page returns where a page begins and how many rows it has.
func (c *call) page() (after string, limit int, err error) {
	n, err := c.whole(paramLimit)
	if err != nil {
		return "", 0, err
	}
	after, err = readListCursor(c.param(paramCursor))
	return after, int(n), err
}
