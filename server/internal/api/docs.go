package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

// docsPolicy lets the page use its own style and nothing else: no script, no request, no frame.
var docsPolicy = []string{
	"default-src 'none'; style-src 'sha256-" + styleHash() + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}

func styleHash() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return base64.StdEncoding.EncodeToString(sum[:])
}

var (
	htmlType   = []string{"text/html; charset=utf-8"}
	noReferrer = []string{"no-referrer"}
)

func getDocs(c *call) error {
	h := c.Header()
	h["Content-Security-Policy"] = docsPolicy
	h["Referrer-Policy"] = noReferrer
	c.send(http.StatusOK, htmlType, c.s.docs)
	return nil
}

// docPage is the reference page's content, made from the OpenAPI document alone.
type docPage struct {
	Title, Version, About string
	Style                 template.CSS
	Sections              []docSection
	Schemas               []docSchema
}

type docSection struct {
	Name, Anchor, About string
	Operations          []docOperation
}

type docOperation struct {
	ID, Method, Path, Summary string
	About                     []string // paragraphs
	Open                      bool
	Scopes                    string
	Params                    []docParam
	Bodies                    []docBody
	Answers, Faults           []docBody
	Curl                      string
}

type docParam struct{ Name, In, Kind, About, Default string }

type docBody struct {
	Status, Text, Media, Kind, Link string
}

type docSchema struct {
	Name, Anchor string
	Members      []docMember
	Example      string
}

type docMember struct {
	Name, Kind, Link, About string
	Required                bool
}

// page writes the reference page from the document.
func (s *Server) page(tree map[string]any) ([]byte, error) {
	info := asTree(tree["info"])
	p := docPage{Title: str(info["title"]), Version: str(info["version"]), About: str(info["description"]), Style: template.CSS(pageCSS)} //nolint:gosec // our own file
	paths := asTree(tree["paths"])
	for _, tag := range asList(tree["tags"]) {
		name := str(asTree(tag)["name"])
		section := docSection{Name: name, Anchor: anchor(name), About: str(asTree(tag)["description"])}
		for _, rt := range s.routes { // the document has no order of its own
			op := asTree(asTree(paths[rt.path()])[strings.ToLower(rt.method)])
			if op != nil && slices.Contains(asList(op["tags"]), any(name)) {
				section.Operations = append(section.Operations, readOperation(rt.method, rt.path(), op))
			}
		}
		p.Sections = append(p.Sections, section)
	}
	schemas := asTree(asTree(tree["components"])["schemas"])
	names := make([]string, 0, len(schemas))
	for name := range schemas {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p.Schemas = append(p.Schemas, readSchema(name, asTree(schemas[name]), schemas))
	}
	t, err := template.New("page").Funcs(template.FuncMap{"code": markCode}).Parse(pageHTML)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func readOperation(method, path string, op map[string]any) docOperation {
	o := docOperation{
		ID: str(op["operationId"]), Method: method, Path: path, Summary: str(op["summary"]),
		Open: len(asList(op["security"])) == 0,
	}
	if text := str(op["description"]); text != "" {
		o.About = strings.Split(text, "\n\n")
	}
	words := []string{}
	for _, scope := range asList(op["x-scopes"]) {
		words = append(words, str(scope))
	}
	o.Scopes = strings.Join(words, " or ")
	for _, p := range asList(op["parameters"]) {
		param := asTree(p)
		schema := asTree(param["schema"])
		kind, _ := kindOf(schema)
		one := docParam{Name: str(param["name"]), In: str(param["in"]), Kind: kind, About: str(param["description"])}
		if d, ok := schema["default"]; ok {
			one.Default = fmt.Sprint(d)
		}
		o.Params = append(o.Params, one)
	}
	content := asTree(asTree(op["requestBody"])["content"])
	for _, media := range sortedNames(content) {
		kind, link := kindOf(asTree(asTree(content[media])["schema"]))
		o.Bodies = append(o.Bodies, docBody{Media: media, Kind: kind, Link: link})
	}
	responses := asTree(op["responses"])
	for _, status := range sortedNames(responses) {
		answer := asTree(responses[status])
		body := docBody{Status: status, Text: str(answer["description"])}
		for media, c := range asTree(answer["content"]) {
			body.Media = media
			body.Kind, body.Link = kindOf(asTree(asTree(c)["schema"]))
		}
		if status < "400" {
			o.Answers = append(o.Answers, body)
		} else {
			o.Faults = append(o.Faults, body)
		}
	}
	o.Curl = curl(&o)
	return o
}

// curl is a line that can be pasted.
func curl(o *docOperation) string {
	line := "curl"
	if o.Method != http.MethodGet {
		line += " -X " + o.Method
	}
	line += " http://127.0.0.1:8080" + o.Path
	if !o.Open {
		line += ` \` + "\n  -H \"Authorization: Bearer $DAYBOOK_API_KEY\""
	}
	if slices.ContainsFunc(o.Params, func(p docParam) bool { return p.Name == headerOrg.name }) {
		line += ` \` + "\n  -H \"Daybook-Org: $DAYBOOK_ORG\""
	}
	if len(o.Bodies) > 0 {
		line += ` \` + "\n  -H 'Content-Type: application/json' -d @body.json"
	}
	return line
}

// kindOf names a schema, and the schema of the page that it refers to.
func kindOf(schema map[string]any) (kind, link string) {
	if ref := str(schema["$ref"]); ref != "" {
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		return name, "schema-" + anchor(name)
	}
	if choices := asList(schema["oneOf"]); len(choices) > 0 {
		names := []string{}
		for _, one := range choices {
			k, l := kindOf(asTree(one))
			names = append(names, k)
			if link == "" {
				link = l
			}
		}
		return strings.Join(names, " or "), link
	}
	types := []string{}
	for _, t := range asList(schema["type"]) {
		types = append(types, str(t))
	}
	if t := str(schema["type"]); t != "" {
		types = append(types, t)
	}
	if slices.Contains(types, "array") {
		k, l := kindOf(asTree(schema["items"]))
		return "array of " + k, l
	}
	kind = strings.Join(types, " or ")
	if format := str(schema["format"]); format != "" && format != "int64" {
		kind += ", " + format
	}
	if values := asList(schema["enum"]); len(values) > 0 {
		words := []string{}
		for _, v := range values {
			words = append(words, fmt.Sprint(v))
		}
		kind = strings.Join(words, " | ")
	}
	if kind == "" {
		kind = "any JSON"
	}
	if low, ok := schema["minimum"]; ok {
		if high, ok := schema["maximum"]; ok {
			kind += fmt.Sprintf(", %v–%v", low, high)
		}
	}
	return kind, ""
}

func readSchema(name string, schema, all map[string]any) docSchema {
	s := docSchema{Name: name, Anchor: "schema-" + anchor(name)}
	required := asList(schema["required"])
	properties := asTree(schema["properties"])
	for _, member := range sortedNames(properties) {
		p := asTree(properties[member])
		kind, link := kindOf(p)
		s.Members = append(s.Members, docMember{
			Name: member, Kind: kind, Link: link, About: str(p["description"]), Required: slices.Contains(required, any(member)),
		})
	}
	slices.SortStableFunc(s.Members, func(a, b docMember) int {
		switch {
		case a.Required == b.Required:
			return 0
		case a.Required:
			return -1
		}
		return 1
	})
	if example := exampleOf(schema, all, 0); example != nil {
		text, err := json.MarshalIndent(example, "", "  ")
		if err == nil && len(text) > 2 {
			s.Example = string(text)
		}
	}
	return s
}

// exampleOf puts an example together from those of the members; nil when there is none, or what it must have would be missing.
func exampleOf(schema, all map[string]any, depth int) any {
	if ref := str(schema["$ref"]); ref != "" {
		schema = asTree(all[ref[strings.LastIndexByte(ref, '/')+1:]])
	}
	if examples := asList(schema["examples"]); len(examples) > 0 {
		return examples[0]
	}
	if depth > 4 {
		return nil
	}
	if items := asTree(schema["items"]); items != nil {
		if one := exampleOf(items, all, depth+1); one != nil {
			return []any{one}
		}
		return nil
	}
	example := map[string]any{}
	for member, p := range asTree(schema["properties"]) {
		if v := exampleOf(asTree(p), all, depth+1); v != nil {
			example[member] = v
		} else if slices.Contains(asList(schema["required"]), any(member)) {
			return nil
		}
	}
	if len(example) == 0 {
		return nil
	}
	return example
}

func sortedNames(tree map[string]any) []string {
	names := make([]string, 0, len(tree))
	for name := range tree {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func anchor(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "-") }

// markCode escapes text and sets what stands between backquotes as code.
func markCode(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		escaped := template.HTMLEscapeString(part)
		if i%2 == 1 {
			escaped = "<code>" + escaped + "</code>"
		}
		b.WriteString(escaped)
	}
	return template.HTML(b.String()) //nolint:gosec // escaped above
}
