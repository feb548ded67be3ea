package client

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/daybook-audit/daybook"
)

// Schema is one version of what events of an action must look like. It never changes.
type Schema struct {
	Action  string         `json:"action"`
	Version int            `json:"version"` // from 1, without gaps
	Org     *daybook.OrgID `json:"org"`     // nil: it is shared by all organizations that have none of their own for the action
	SchemaParts
	CreatedAt string `json:"created_at"`
	By        *Party `json:"by,omitempty"`
}

// SchemaParts are the JSON Schemas of the places of an event; nil: what is there is not constrained.
type SchemaParts struct {
	Actor    *SchemaActor    `json:"actor,omitempty"`
	Targets  []SchemaTarget  `json:"targets,omitempty"` // an event needs a target of each type
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Event    json.RawMessage `json:"event,omitempty"` // of the event as a whole

	// Templates of what an event says, in one line; empty: none.
	Sentence        string `json:"sentence,omitempty"`
	SentenceFailure string `json:"sentence_failure,omitempty"`
	SentenceDenied  string `json:"sentence_denied,omitempty"`
}

// SchemaActor is what a schema says of the actor.
type SchemaActor struct {
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// SchemaTarget is what a schema says of a target.
type SchemaTarget struct {
	Type     string          `json:"type"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// Action is an action that has a schema.
type Action struct {
	Action    string         `json:"action"`
	Org       *daybook.OrgID `json:"org"`
	CreatedAt string         `json:"created_at"`
	UpdatedAt string         `json:"updated_at"`
	Schema    Schema         `json:"schema"` // the newest version
}

// Actions returns every action that has a schema, by name. Without an organization, with a key for all, those whose schemas are shared.
func (c *Client) Actions(ctx context.Context) ([]Action, error) {
	var all []Action
	for cursor := ""; ; {
		var page struct {
			Actions    []Action `json:"actions"`
			NextCursor string   `json:"next_cursor"`
		}
		if err := c.get(ctx, "/v1/actions", values("limit", strconv.Itoa(1000), "cursor", cursor), "", &page); err != nil {
			return nil, err
		}
		all = append(all, page.Actions...)
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// Schemas returns every version of an action's schema, the newest first.
func (c *Client) Schemas(ctx context.Context, action string) ([]Schema, error) {
	var all []Schema
	for cursor := ""; ; {
		var page struct {
			Schemas    []Schema `json:"schemas"`
			NextCursor string   `json:"next_cursor"`
		}
		if err := c.get(ctx, "/v1/actions/"+segment(action)+"/schemas", values("limit", strconv.Itoa(1000), "cursor", cursor), "", &page); err != nil {
			return nil, err
		}
		all = append(all, page.Schemas...)
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// Schema returns one version of an action's schema; 0: the newest.
func (c *Client) Schema(ctx context.Context, action string, version int) (Schema, error) {
	which := "newest"
	if version > 0 {
		which = strconv.Itoa(version)
	}
	var out Schema
	err := c.get(ctx, "/v1/actions/"+segment(action)+"/schemas/"+which, nil, "", &out)
	return out, err
}

// RegisterSchema makes the next version of an action's schema, durable on return. One that equals the newest makes nothing, and that one is
// returned: so a repeat is safe.
func (c *Client) RegisterSchema(ctx context.Context, action string, p SchemaParts) (Schema, error) {
	var out Schema
	err := c.post(ctx, http.MethodPost, "/v1/actions/"+segment(action)+"/schemas", p, &out, true)
	return out, err
}
