package query_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/query"
)

var update = flag.Bool("update", false, "write what the parser says into the vector file; read the difference before you commit it")

const vectorFile = "../testdata/vectors/query.json"

// vectors is the file that parsers in other languages run too.
type vectors struct {
	Grammar int       `json:"grammar"`
	Now     time.Time `json:"now"`
	Cases   []vector  `json:"cases"`
}

type vector struct {
	Text     string       `json:"text"`
	Place    string       `json:"place,omitempty"` // operator, stream, hold, viewer, retention; search if it is missing
	Zone     string       `json:"zone,omitempty"`  // UTC if it is missing
	MetaKeys []string     `json:"meta_keys,omitempty"`
	Normal   *string      `json:"normal,omitempty"`
	Tree     *query.Node  `json:"tree,omitempty"`
	Error    *query.Error `json:"error,omitempty"`
}

var places = map[string]query.Place{
	"": query.Search, "operator": query.Operator, "stream": query.Stream, "hold": query.Hold, "viewer": query.Viewer, "retention": query.Retention,
}

// run returns c with what the parser says.
func (c vector) run(t *testing.T, now time.Time) vector {
	t.Helper()
	place, ok := places[c.Place]
	if !ok {
		t.Fatalf("%s: no place %q", c.Text, c.Place)
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		t.Fatal(err)
	}
	got := vector{Text: c.Text, Place: c.Place, Zone: c.Zone, MetaKeys: c.MetaKeys}
	q, err := query.Parse(c.Text, query.Options{Now: now, Zone: zone, Place: place, MetaKeys: c.MetaKeys})
	if err != nil {
		if !errors.As(err, &got.Error) {
			t.Fatalf("%s: %v is no *Error", c.Text, err)
		}
		return got
	}
	normal := q.String()
	got.Normal, got.Tree = &normal, q.Explain()
	return got
}

func TestParse_vectors(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(file, &want); err != nil {
		t.Fatal(err)
	}
	if want.Grammar != query.Grammar || len(want.Cases) < 120 {
		t.Errorf("grammar %d with %d cases", want.Grammar, len(want.Cases))
	}
	got := want
	got.Cases = nil
	for _, c := range want.Cases {
		have := c.run(t, want.Now)
		got.Cases = append(got.Cases, have)
		if have.Normal == nil {
			continue
		}
		// The normal form is a query with the same normal form and tree.
		again := vector{Text: *have.Normal, Place: c.Place, Zone: c.Zone}.run(t, want.Now)
		if again.Error != nil || *again.Normal != *have.Normal || !cmp.Equal(again.Tree, have.Tree) {
			t.Errorf("%s: normal form %s reads otherwise: %v", c.Text, *have.Normal, again.Error)
		}
	}
	if *update {
		writeVectors(t, got)
		return
	}
	for i := range want.Cases {
		if diff := cmp.Diff(want.Cases[i], got.Cases[i]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.Cases[i].Text, diff)
		}
	}
}

// writeVectors writes one case a line.
func writeVectors(t *testing.T, v vectors) {
	t.Helper()
	line := func(v any) []byte {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		return bytes.TrimSpace(b.Bytes())
	}
	var b bytes.Buffer
	b.WriteString(`{"grammar":1,"now":` + string(line(v.Now)) + ",\"cases\":[\n")
	for i, c := range v.Cases {
		b.WriteString("  ")
		b.Write(line(c))
		if i < len(v.Cases)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]}\n")
	if err := os.WriteFile(vectorFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
