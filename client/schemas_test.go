package client_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/client"
)

func TestSchemas(t *testing.T) {
	t.Parallel()
	const one = `{"action":"a/b","version":2,"org":"org_a","targets":[{"type":"x","metadata":{}}],"event":{"required":["reason"]},"created_at":"2026-11-22T09:00:00.000000Z","by":{"type":"api_key","id":"key_1"}}`
	const shared = `{"action":"a/b","version":1,"org":null,"targets":[],"created_at":"2026-11-22T08:00:00.000000Z"}`
	a := &answers{t: t}
	a.play = append(a.play,
		answer(201, one),
		answer(200, one), answer(200, shared),
		answer(200, `{"schemas":[`+one+`],"next_cursor":"c_Mg"}`), answer(200, `{"schemas":[`+shared+`],"next_cursor":null}`),
		answer(200, `{"actions":[{"action":"a/b","org":"org_a","created_at":"x","updated_at":"y","schema":`+one+`}],"next_cursor":"c_YQ"}`), answer(200, `{"actions":[],"next_cursor":null}`),
		answer(400, `{"status":400,"code":"schema_violation","detail":"no","field":"/metadata/x","violations":[{"field":"/metadata/x","keyword":"type","schema":"#/metadata","message":"must be string"}]}`),
	)
	c := newClient(t, a, client.Options{})
	made, err := c.RegisterSchema(t.Context(), "a/b", client.SchemaParts{Targets: []client.SchemaTarget{{Type: "x", Metadata: json.RawMessage(`{}`)}}, Event: json.RawMessage(`{"required":["reason"]}`)})
	if err != nil || made.Version != 2 || made.Org == nil || *made.Org != "org_a" || made.Targets[0].Type != "x" {
		t.Errorf("%+v, %v", made, err)
	}
	if got, err := c.Schema(t.Context(), "a/b", 0); err != nil || got.Version != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := c.Schema(t.Context(), "a/b", 1); err != nil || got.Version != 1 || got.Org != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if all, err := c.Schemas(t.Context(), "a/b"); err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	if all, err := c.Actions(t.Context()); err != nil || len(all) != 1 || all[0].Schema.Version != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	_, err = c.RegisterSchema(t.Context(), "a", client.SchemaParts{})
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || len(p.Violations) != 1 || p.Violations[0].Field != "/metadata/x" {
		t.Errorf("%#v", err)
	}
	want := []string{
		`POST /prefix/v1/actions/a%2Fb/schemas? {"targets":[{"type":"x","metadata":{}}],"event":{"required":["reason"]}}`,
		"GET /prefix/v1/actions/a%2Fb/schemas/newest? ", "GET /prefix/v1/actions/a%2Fb/schemas/1? ",
		"GET /prefix/v1/actions/a%2Fb/schemas?limit=1000 ", "GET /prefix/v1/actions/a%2Fb/schemas?cursor=c_Mg&limit=1000 ",
		"GET /prefix/v1/actions?limit=1000 ", "GET /prefix/v1/actions?cursor=c_YQ&limit=1000 ", "POST /prefix/v1/actions/a/schemas? {}",
	}
	if diff := cmp.Diff(want, a.requests); diff != "" {
		t.Error(diff)
	}
}
