package query_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/query"
)

const termFile = "../testdata/vectors/query_terms.json"

// termVectors is what the console writes into a query: the suite of web/src/query runs the same file.
type termVectors struct {
	Terms []term `json:"terms"`
	Edits []edit `json:"edits"`
}

// term is a value that means itself, and the condition on it in normal form.
type term struct {
	Field  string  `json:"field"`
	Key    *string `json:"key,omitempty"`  // of metadata
	Type   *string `json:"type,omitempty"` // of a target given as TYPE:ID
	Value  string  `json:"value"`
	Normal string  `json:"normal"`
}

// edit changes the text of a query; result is what the console writes.
type edit struct {
	Op     string `json:"op"` // include, exclude, without
	Text   string `json:"text"`
	Field  string `json:"field"`
	Value  string `json:"value"` // as a query writes it
	Result string `json:"result"`
	Same   string `json:"same"` // a query that means the same, in other words
}

func inQuotes(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func backslashed(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(" \t\r\n\"(),\\*:", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func normal(t *testing.T, text string) string {
	t.Helper()
	q, err := query.Parse(text, query.Options{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q.String()
}

// TestTermVectors: what the console writes is what the printer prints, and means what was asked for.
func TestTermVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(termFile)
	if err != nil {
		t.Fatal(err)
	}
	var all termVectors
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	var got termVectors
	for _, c := range all.Terms {
		field, value := c.Field, inQuotes(c.Value)
		if c.Key != nil {
			field += "." + inQuotes(*c.Key)
		}
		if len(value) > query.MaxQuoted {
			value = backslashed(c.Value)
		}
		if c.Type != nil {
			value = backslashed(*c.Type) + ":" + backslashed(c.Value)
		}
		c.Normal = normal(t, field+":"+value)
		got.Terms = append(got.Terms, c)
	}
	for _, e := range all.Edits {
		if a, b := normal(t, e.Result), normal(t, e.Same); a != b {
			t.Errorf("%s %s:%s in %s: %s means %s, not %s", e.Op, e.Field, e.Value, e.Text, e.Result, a, b)
		}
		got.Edits = append(got.Edits, e)
	}
	if *update {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		if err := enc.Encode(got); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(termFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if len(got.Terms) < 20 || len(got.Edits) < 20 {
		t.Fatalf("only %d terms and %d edits", len(got.Terms), len(got.Edits))
	}
	if d := cmp.Diff(all, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
