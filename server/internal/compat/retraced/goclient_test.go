package retraced_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/compat/retraced"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// goEvent is what Go's client sends of an event with little in it: zero times and empty strings stay.
const goEvent = `{"action":"user.login","group":{"id":"org-1","name":""},"created":"0001-01-01T00:00:00Z","crud":"r",` +
	`"target":{"id":"t1","name":"","href":"","type":"","fields":{}},"description":"","source_ip":"","actor":{"id":"u1","name":"","href":"","fields":{}},` +
	`"fields":{},"is_failure":false,"is_anonymous":false,"component":"","version":""}`

// goDocument is the document of its query, blanks and tabs as its template leaves them.
const goDocument = "query Search($query: String!, $last: Int, $before: String) {\n\tsearch(query: $query, last: $last, before: $before) {\n\t\ttotalCount,\n" +
	"\t\tpageInfo {\n\t\t\thasPreviousPage\n\t\t}\n\t\tedges {\n\t\t\tcursor\n\t\t\tnode {\n\t\t\t\tid\n\t\t\t\taction\n\t\t\t\t\n\t\t\t\tsource_ip\n\t\t\t\tcreated\n" +
	"\t\t\t\tgroup {\n\t\t\t\t\tid\tname\n\t\t\t\t}\n\t\t\t\tdisplay{\n\t\t\t\t\tmarkdown\n\t\t\t\t}\n\t\t\t}\n\t\t}\n\t}\n}"

// TestGoClient sends what Go's client sends: an event that is hardly filled, a query without variables that are zero, a token, and the
// end of sessions at the path that it asks.
func TestGoClient(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	authorization := []string{"Authorization", "Token token=" + f.every}
	w := f.do("POST", base+"/event", goEvent, authorization...)
	var answer struct{ ID, Hash string }
	e, broken := retraced.Decode([]byte(goEvent))
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 201 || len(broken) > 0 || answer.Hash != e.Hash(answer.ID) {
		t.Fatalf("%d %s %v", w.Code, w.Body, broken)
	}
	doortest.Golden(t, "go_client", strings.Join(f.Entries("org-1"), "\n")+"\n")

	// Without a crud the server refuses, as the original does.
	if w := f.do("POST", base+"/event", strings.Replace(goEvent, `"r"`, `""`, 1), authorization...); w.Code != 400 || !strings.Contains(w.Body.String(), "Missing required field 'crud'") {
		t.Errorf("no crud: %d %s", w.Code, w.Body)
	}

	body, err := json.Marshal(map[string]any{"query": goDocument, "variables": map[string]any{"last": 10, "query": `action:"user.*" crud:"c,r" received:2026-01-01T00:00:00Z,`}})
	if err != nil {
		t.Fatal(err)
	}
	w = f.do("POST", base+"/graphql", string(body), authorization...)
	var found struct {
		Data struct {
			Search struct {
				TotalCount int
				Edges      []struct {
					Node struct {
						ID, Action string
						Created    *string
						Group      struct{ ID, Name string }
						Display    struct{ Markdown string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &found); err != nil || found.Data.Search.TotalCount != 1 {
		t.Fatalf("%v %d %s", err, w.Code, w.Body)
	}
	if n := found.Data.Search.Edges[0].Node; n.ID != answer.ID || n.Created != nil || n.Group.ID != "org-1" || n.Display.Markdown == "" {
		t.Errorf("%+v", n)
	}

	session := f.session(f.every, "group_id", "org-1", "is_admin", "false", "actor_id", "u1")
	if w := f.do("DELETE", "/auditlog/v1/project/dev/group/org-1/actor/u1/viewersessions", "", authorization...); w.Code != 200 {
		t.Errorf("end: %d %s", w.Code, w.Body)
	}
	if w := f.view(session, "", ""); w.Code != 401 {
		t.Errorf("afterwards: %d", w.Code)
	}
}
