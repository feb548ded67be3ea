package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// TestOpenAPI: a validator takes the document, and it holds every route with its parameters, scopes and answers, no more.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	if err := f.doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Errorf("the document is not valid: %v", err)
	}
	if f.doc.OpenAPI != "3.1.0" || f.doc.Info.Version != "0.1.0" {
		t.Errorf("it is OpenAPI %s of version %s", f.doc.OpenAPI, f.doc.Info.Version)
	}
	described := map[string]bool{}
	for path, item := range f.doc.Paths.Map() {
		for method := range item.Operations() {
			described[method+" "+path] = true
		}
	}
	ids := map[string]bool{}
	for _, row := range f.server.Rows() {
		name := row.Method + " " + row.Pattern
		if !described[name] {
			t.Errorf("%s is not described", name)
			continue
		}
		delete(described, name)
		op := f.doc.Paths.Value(row.Pattern).GetOperation(row.Method)
		if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Tags) != 1 {
			t.Errorf("%s has no id, summary or tag of its own", name)
		}
		ids[op.OperationID] = true
		var params []string
		for _, p := range op.Parameters {
			if p.Value.In == "query" {
				params = append(params, p.Value.Name)
			}
			if p.Value.In == "path" && !strings.Contains(row.Pattern, "{"+p.Value.Name+"}") {
				t.Errorf("%s: the path has no %s", name, p.Value.Name)
			}
			if p.Value.Description == "" {
				t.Errorf("%s: the parameter %s says nothing", name, p.Value.Name)
			}
		}
		if !row.Door && !slices.Equal(params, row.Params) { // a door takes what its product takes
			t.Errorf("%s: described %v, taken %v", name, params, row.Params)
		}
		if open := op.Security == nil || len(*op.Security) == 0; open != row.Open {
			t.Errorf("%s: described as open: %v", name, open)
		}
		if row.Scopes != 0 {
			var words []string
			list, _ := op.Extensions["x-scopes"].([]any)
			for _, w := range list {
				word, _ := w.(string)
				words = append(words, word)
			}
			if !slices.Equal(words, row.Scopes.Words()) {
				t.Errorf("%s: described with %v, needs %v", name, words, row.Scopes)
			}
		}
	}
	for name := range described {
		t.Errorf("%s is described and does not exist", name)
	}
	doortest.Golden(t, "openapi.json", string(f.server.Document())+"\n")
}

// The example event of the reference page is one that can be recorded.
func TestExampleRecords(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	page := f.do(ask{path: "/docs/api"}).Body.String()
	_, rest, ok := strings.Cut(page, `<article id="schema-event">`)
	_, rest, ok2 := strings.Cut(rest, `<pre tabindex="0"><code>`)
	text, _, ok3 := strings.Cut(rest, "</code></pre>")
	if !ok || !ok2 || !ok3 {
		t.Fatal("the page has no example of an event")
	}
	text = strings.NewReplacer("&#34;", `"`, "&lt;", "<", "&gt;", ">", "&amp;", "&", "&#39;", "'", "&#43;", "+").Replace(text)
	if !json.Valid([]byte(text)) {
		t.Fatalf("not JSON: %s", text)
	}
	f.record(f.acme, text)
}

// TestDocs: the page stands alone, loads nothing, and its policy lets its own style through.
func TestDocs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	w := f.do(ask{path: "/docs/api"})
	page := w.Body.String()
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	if style == nil {
		t.Fatal("there is no style")
	}
	sum := sha256.Sum256([]byte(style[1]))
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy has no %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is loose: %s", policy)
	}
	for _, banned := range []string{"<script", "src=", "<link", "@import", "url(", "style=", "javascript:", "https://", "onload="} {
		if strings.Contains(page, banned) {
			t.Errorf("the page holds %s", banned)
		}
	}
	for _, row := range f.server.Rows() {
		if !strings.Contains(page, "<code>"+row.Pattern+"</code>") {
			t.Errorf("%s is not on the page", row.Pattern)
		}
	}
	// Markup of the texts is set, and no example lacks what its schema requires.
	if i := strings.IndexByte(page, '`'); i >= 0 {
		t.Errorf("a backquote is left: %s", page[max(0, i-40):i+40])
	}
	for _, article := range strings.Split(page, `<article id="schema-`)[1:] {
		article, _, _ = strings.Cut(article, "</article>")
		_, example, ok := strings.Cut(article, "<pre")
		for _, m := range regexp.MustCompile(`<code>(\w+)</code> <span class="required">`).FindAllStringSubmatch(article, -1) {
			if ok && !strings.Contains(example, "\n  &#34;"+m[1]+"&#34;:") {
				t.Errorf("the example lacks the required member %s: %s", m[1], example)
			}
		}
	}
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if targets[m[1]] {
			t.Errorf("two things are called %s", m[1])
		}
		targets[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !targets[m[1]] {
			t.Errorf("a link leads to %s, which is not there", m[1])
		}
	}
}

func TestWithoutDoors(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{deps: func(d *api.Deps) { d.Doors = nil }})
	if w := f.do(ask{method: "POST", path: "/audit_logs/events", key: f.acme, body: "{}"}); w.Code != 404 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("a closed door: %d %s", w.Code, w.Body)
	}
	if strings.Contains(string(f.server.Document()), "WorkOS") {
		t.Error("a closed door is described")
	}
}
