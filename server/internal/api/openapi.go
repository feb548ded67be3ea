package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daybook-audit/daybook/server/internal/auth"
)

// eventOrEvents and receiptOrReceipts are bodies of two forms.
type (
	eventOrEvents     struct{}
	receiptOrReceipts struct{}
)

// Schema is part of huma.SchemaProvider.
func (eventOrEvents) Schema(r huma.Registry) *huma.Schema {
	one := r.Schema(reflect.TypeFor[event](), true, "")
	return &huma.Schema{OneOf: []*huma.Schema{one, {Type: huma.TypeArray, Items: one, MinItems: new(1), MaxItems: new(1000)}}}
}

// Schema is part of huma.SchemaProvider.
func (receiptOrReceipts) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		r.Schema(reflect.TypeFor[receipt](), true, ""), r.Schema(reflect.TypeFor[receiptList](), true, ""),
	}}
}

// TransformSchema is part of huma.SchemaTransformer: with partial=true, null stands for what was refused.
func (receiptList) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	one := r.Schema(reflect.TypeFor[receipt](), true, "")
	s.Properties["receipts"].Items = &huma.Schema{OneOf: []*huma.Schema{one, {Type: "null"}}}
	return s
}

// describe makes the document and its page from the table of routes.
func (s *Server) describe() error {
	doc := s.document()
	text, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("write the OpenAPI document: %w", err)
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return fmt.Errorf("write the OpenAPI document: %w", err)
	}
	for _, door := range s.Doors {
		if err := addDoor(tree, door); err != nil {
			return err
		}
	}
	if s.openapi, err = json.MarshalIndent(tree, "", " "); err != nil {
		return fmt.Errorf("write the OpenAPI document: %w", err)
	}
	if s.docs, err = s.page(tree); err != nil {
		return fmt.Errorf("write the reference page: %w", err)
	}
	return nil
}

// document describes the native routes.
func (s *Server) document() *huma.OpenAPI {
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Daybook", Version: s.version(),
			Description: "An audit log that proves it was not changed. Requests are answered with JSON, errors with problem+json (RFC 9457); " +
				"every answer has an `X-Request-Id`. Times are RFC 3339; the server's have microseconds and are in UTC.",
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Servers: []*huma.Server{{URL: "/", Description: "This server."}},
		Tags:    tags,
		Paths:   map[string]*huma.PathItem{},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{"key": {
				Type: "http", Scheme: "bearer", BearerFormat: "dbk_…", Description: "An API key: `Authorization: Bearer dbk_…`",
			}},
		},
	}
	for _, rt := range s.routes {
		if rt.door != nil {
			continue
		}
		item := doc.Paths[rt.path()]
		if item == nil {
			item = &huma.PathItem{}
			doc.Paths[rt.path()] = item
		}
		op := rt.operation(registry)
		switch rt.method {
		case http.MethodGet:
			item.Get = op
		case http.MethodPost:
			item.Post = op
		case http.MethodPut:
			item.Put = op
		case http.MethodDelete:
			item.Delete = op
		}
	}
	return doc
}

func (s *Server) version() string {
	if s.Version == "" {
		return "0"
	}
	return s.Version
}

// schemaName is the name of a type, with a capital.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	return strings.ToUpper(name[:1]) + name[1:]
}

// operation describes one route.
func (rt *route) operation(registry huma.Registry) *huma.Operation {
	about := &rt.about
	op := &huma.Operation{
		OperationID: about.id, Tags: []string{about.tag}, Summary: about.summary, Description: about.text,
		Responses: map[string]*huma.Response{}, Security: []map[string][]string{},
	}
	for _, p := range about.path {
		op.Parameters = append(op.Parameters, &huma.Param{Name: p.name, In: "path", Required: true, Description: p.doc, Schema: &p.schema})
	}
	for _, p := range rt.params {
		op.Parameters = append(op.Parameters, &huma.Param{Name: p.name, In: "query", Description: p.doc, Schema: &p.schema})
	}
	headers := about.headers
	if rt.org == orgRead || rt.org == orgRecord || rt.org == orgShared {
		headers = append(slices.Clip(headers), headerOrg)
	}
	for _, p := range headers {
		op.Parameters = append(op.Parameters, &huma.Param{Name: p.name, In: "header", Description: p.doc, Schema: &p.schema})
	}
	if len(about.request) > 0 {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
		for _, c := range about.request {
			op.RequestBody.Content[c.media] = c.mediaType(registry)
		}
	}
	for _, a := range about.answers {
		response := &huma.Response{Description: a.text, Headers: requestIDHeader()}
		if a.body.media != "" {
			response.Content = map[string]*huma.MediaType{a.body.media: a.body.mediaType(registry)}
		}
		op.Responses[strconv.Itoa(a.status)] = response
	}
	if !rt.open {
		op.Security = []map[string][]string{{"key": {}}}
		if rt.scopes != auth.None {
			op.Extensions = map[string]any{"x-scopes": rt.scopes.Words()}
		}
	}
	for _, status := range rt.faults() {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status), Headers: requestIDHeader(),
			Content: map[string]*huma.MediaType{"application/problem+json": {Schema: registry.Schema(reflect.TypeFor[problem](), true, "")}},
		}
	}
	return op
}

func (c content) mediaType(registry huma.Registry) *huma.MediaType {
	if c.shape == nil {
		return &huma.MediaType{}
	}
	return &huma.MediaType{Schema: registry.Schema(reflect.TypeOf(c.shape), true, "")}
}

func requestIDHeader() map[string]*huma.Param {
	return map[string]*huma.Param{"X-Request-Id": {Description: "Names the request in the server's log.", Schema: &huma.Schema{Type: huma.TypeString}}}
}

// faults lists the statuses of problems that the route can answer with.
func (rt *route) faults() []int {
	faults := append([]int{400, 500}, rt.about.faults...)
	if !rt.open {
		faults = append(faults, 401, 403, 404, 429, 503) // also without a scope: 403 for a page of another site, 404 for a viewer
	}
	if rt.org != orgNone {
		faults = append(faults, 404)
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

// addDoor merges what a door says of itself into the document.
func addDoor(tree map[string]any, door auth.Door) error {
	var part map[string]any
	if err := json.Unmarshal(door.OpenAPI(), &part); err != nil {
		return fmt.Errorf("read the OpenAPI part of the door %s: %w", door.Name(), err)
	}
	tree["tags"] = append(asList(tree["tags"]), asList(part["tags"])...)
	maps.Copy(asTree(tree["paths"]), asTree(part["paths"]))
	schemas := asTree(asTree(tree["components"])["schemas"])
	for name, schema := range asTree(asTree(part["components"])["schemas"]) {
		if _, taken := schemas[name]; taken {
			return fmt.Errorf("the door %s describes %q, which is described already", door.Name(), name)
		}
		schemas[name] = schema
	}
	return nil
}

func asTree(v any) map[string]any {
	tree, _ := v.(map[string]any)
	return tree
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

func getOpenAPI(c *call) error {
	c.send(http.StatusOK, jsonType, c.s.openapi)
	return nil
}
