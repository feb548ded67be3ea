package retraced_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/compat/retraced"
	"github.com/daybook-audit/daybook/server/internal/doortest"
)

// nodeDocument is the document of the Node client with everything in its mask.
const nodeDocument = `query Search($query: String!, $last: Int, $before: String) {
  search(query: $query, last: $last, before: $before) {
    totalCount,
    pageInfo {
      hasPreviousPage
    }
    edges {
      cursor
      node {
        id
        action
        description
        group {
          id
          name
        }
        actor {
          id
          name
          href
          fields {
            key
            value
          }
        }
        target {
          id
          name
          href
          type
          fields { key value }
        }
        crud
        display { markdown }
        received
        created
        canonical_time
        is_failure
        is_anonymous
        country
        loc_subdiv1
        loc_subdiv2
        component
        version
        fields { key value }
        external_id
        metadata { key value }
      }
    }
  }
}`

// ask sends a document with variables.
func (f *fixture) ask(key, document string, vars map[string]any) *httptest.ResponseRecorder {
	f.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": vars})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.do("POST", base+"/graphql", string(body), "Authorization", "Token token="+key)
}

type connection struct {
	TotalCount int
	PageInfo   struct{ HasNextPage, HasPreviousPage bool }
	Edges      []struct {
		Cursor string
		Node   struct{ Action string }
	}
}

func (c connection) actions() string {
	list := make([]string, len(c.Edges))
	for i, e := range c.Edges {
		list[i] = e.Node.Action
	}
	return strings.Join(list, " ")
}

// find answers a search that must succeed; args are the arguments as they stand in the document.
func (f *fixture) find(key, args string) connection {
	f.t.Helper()
	root := "search"
	if strings.Contains(args, "page") || strings.Contains(args, "sortOrder") {
		root = "searchPaginated"
	}
	w := f.ask(key, `{ it: `+root+`(`+args+`) { totalCount pageInfo { hasNextPage hasPreviousPage } edges { cursor node { action } } } }`, nil)
	var answer struct{ Data struct{ It connection } }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
		f.t.Fatalf("%s: %d %s", args, w.Code, w.Body)
	}
	return answer.Data.It
}

// The answer to the client's own document, of entries recorded here and in another way.
func TestSearchAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if _, err := f.Orgs.Create(t.Context(), "org-1", "Acme"); err != nil {
		t.Fatal(err)
	}
	f.record(f.every, full)
	f.record(f.every, `{"action":"ping","crud":"r","is_anonymous":true,"group":{"id":"org-1"}}`)
	for _, e := range []daybook.Event{
		{Action: "document.created", Actor: daybook.Actor{Type: "user", ID: "u", Name: "*Eve* <b>"}, Targets: []daybook.Target{{Type: "doc", ID: "d", Name: "A_B"}, {Type: "x", ID: "y"}}, Outcome: daybook.Denied, Reason: "because", Metadata: json.RawMessage(`{"plan":"pro","n":1.10,"o":{"a":[1]}}`)},
		{Action: "odd", Actor: daybook.Actor{Type: "anonymous", ID: "x"}, Metadata: json.RawMessage(`{"crud":"d","retraced":7}`)},
	} {
		e.ID = daybook.ID{1, byte(len(e.Action)), 6: 0x70, 8: 0x80}
		if _, err := f.Book.Record(t.Context(), "org-1", e); err != nil {
			t.Fatal(err)
		}
	}
	w := f.ask(f.every, nodeDocument, map[string]any{"query": "", "last": 20, "before": ""})
	var pretty struct {
		Data struct {
			Search struct{ Edges []struct{ Cursor, ID string } }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &pretty); err != nil || w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	text := w.Body.String()
	for i, e := range pretty.Data.Search.Edges {
		text = strings.Replace(text, e.Cursor, fmt.Sprintf("CURSOR%d", i), 1)
	}
	for _, id := range f.madeIDs("org-1") {
		text = strings.ReplaceAll(text, id, "ID")
	}
	doortest.Golden(t, "search", strings.ReplaceAll(text, `{"cursor"`, "\n"+`{"cursor"`)+"\n")
	if w := f.ask(f.acme, nodeDocument, map[string]any{"query": "", "last": 20}); strings.Contains(w.Body.String(), "Acme") {
		t.Errorf("another organization sees %s", w.Body)
	}
}

// madeIDs are the ids that the Book has made.
func (f *fixture) madeIDs(org daybook.OrgID) (ids []string) {
	f.t.Helper()
	for e, err := range f.Book.Events(f.t.Context(), daybook.EventQuery{Org: org}) {
		if err != nil {
			f.t.Fatal(err)
		}
		if e.ID[0] != 1 || e.ID[2] != 0 {
			ids = append(ids, hex.EncodeToString(e.ID[:]))
		}
	}
	return ids
}

// TestTerms: what each term of a search string finds.
func TestTerms(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i, e := range []string{
		`{"action":"a0","crud":"c","actor":{"id":"u:1","name":"Ada Löve-Lace"},"target":{"id":"t 1","type":"doc","name":"Plan B"},"external_id":"ext 1","description":"Ada made the plan"}`,
		`{"action":"a1","crud":"r","actor":{"id":"u2","name":"Ada"},"group":{"id":"g1"},"created":"2025-06-01T00:00:00Z"}`,
		`{"action":"user.login","crud":"u","actor":{"id":"u2"},"group":{"id":"g1"},"metadata":{"plan":"pro"}}`,
		`{"action":"user.*","crud":"d","actor":{"id":"u\"q"},"group":{"id":"g2"}}`,
	} {
		f.record(f.every, e)
		f.Add(time.Minute)
		if i == 1 {
			f.Add(time.Hour)
		}
	}
	if _, err := f.Book.Record(t.Context(), "g2", daybook.Event{Action: "file.deleted", Actor: daybook.Actor{Type: "user", ID: "n"}, Reason: "made by hand"}); err != nil {
		t.Fatal(err)
	}
	for q, want := range map[string]string{
		``:                                   "file.deleted user.* user.login a1 a0",
		`action:"user.*"`:                    "user.* user.login",
		`action:user.*,a1`:                   "user.* user.login a1",
		`action:"a1","a0"`:                   "a1 a0",
		`action:"a0,a1"`:                     "",
		`crud:c,u`:                           "user.login a0",
		`crud:"d"`:                           "file.deleted user.*",
		`crud:"d,r"`:                         "file.deleted user.* a1",
		`actor.id:u2`:                        "user.login a1",
		`actor.id:u:1`:                       "a0",
		`actor.id:"u\"q"`:                    "user.*",
		`actor.name:"ada"`:                   "a1 a0",
		`actor.name:"lace LOVE"`:             "a0",
		`actor.name:Ada`:                     "a1 a0",
		`description:"plan ada"`:             "a0",
		`description:"made"`:                 "file.deleted a0",
		`description:plan description:eve`:   "",
		`target.id:"t 1"`:                    "a0",
		`target.type:doc`:                    "a0",
		`target.name:"b plan"`:               "a0",
		`external_id:"ext 1"`:                "a0",
		`group.id:g1`:                        "user.login a1",
		`group.id:g1,g2 crud:d`:              "file.deleted user.*",
		`location:"Berlin"`:                  "",
		`pro`:                                "user.login",
		`"Ada made"`:                         "a0",
		`made hand`:                          "file.deleted",
		`lov*`:                               "a0",
		`!!`:                                 "file.deleted user.* user.login a1 a0",
		`foo:bar`:                            "",
		`received:2026-01-02T04:00:00.000Z,`: "file.deleted user.* user.login",
		`received:,2026-01-02T04:00:00.000Z`: "a1 a0",
		`received:"2026-01-02T03:05:00Z,2026-01-02T05:00:00Z"`: "file.deleted user.* user.login a1",
		`received:,`:                                     "file.deleted user.* user.login a1 a0",
		`created:2025-01-01,2025-12-31`:                  "a1",
		`created:2026-01-01T00:00:00+00:00, action:"a*"`: "a0",
		`action: crud:r`:                                 "a1",
		`action:"a0`:                                     "a0",
	} {
		got := f.find(f.every, fmt.Sprintf("query: %s, last: 50", graphString(q)))
		if got.actions() != want || got.TotalCount != len(got.Edges) {
			t.Errorf("%s: %q (%d), want %q", q, got.actions(), got.TotalCount, want)
		}
	}
	for _, wrong := range []string{`received:2026`, `received:yesterday,`, `created:,1969-12-31T00:00:00Z`, `action:"` + strings.Repeat("a", 600) + `"`, strings.Repeat("w ", 70)} {
		if w := f.ask(f.every, `query($q: String!) { search(query: $q) { totalCount } }`, map[string]any{"q": wrong}); w.Code != 400 || !strings.Contains(w.Body.String(), `"errors"`) {
			t.Errorf("%.30s: %d %s", wrong, w.Code, w.Body)
		}
	}
}

func graphString(s string) string {
	b, _ := json.Marshal(s) //nolint:errchkjson // a string
	return string(b)
}

// TestPages walks the pages of one organization and of several, both ways, while entries are added.
func TestPages(t *testing.T) {
	t.Parallel()
	for name, orgs := range map[string]int{"one": 1, "several": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			var all []string
			for i := range 17 {
				action := fmt.Sprintf("a%02d", i)
				f.record(f.every, fmt.Sprintf(`{"action":"%s","crud":"c","actor":{"id":"u"},"group":{"id":"g%d"}}`, action, i%orgs))
				all = append(all, action)
			}
			walk := func(size, back, mark string) []string {
				var got []string
				for at, n := "", 0; ; n++ {
					c := f.find(f.every, fmt.Sprintf(`query: "action:a*", %s: %s, %s: "%s"`, size, "5", back, at))
					got = append(got, strings.Fields(c.actions())...)
					if c.TotalCount != 17 {
						t.Errorf("%s, page %d: %d of 17", size, n, c.TotalCount)
					}
					more, before := c.PageInfo.HasPreviousPage, c.PageInfo.HasNextPage
					if size == "first" {
						more, before = before, more
					}
					if before != (n > 0) || more != (len(got) < 17) {
						t.Errorf("%s, page %d: more %v, before %v", size, n, more, before)
					}
					if !more {
						return got
					}
					at = c.Edges[len(c.Edges)-1].Cursor
					if mark != "" {
						f.record(f.every, fmt.Sprintf(`{"action":"%s","crud":"c","actor":{"id":"u"},"group":{"id":"g0"}}`, mark))
					}
				}
			}
			up := walk("first", "after", "")
			if diff := cmp.Diff(all, up); diff != "" {
				t.Errorf("upwards:\n%s", diff)
			}
			for i := 0; i < len(all)/2; i++ {
				all[i], all[len(all)-1-i] = all[len(all)-1-i], all[i]
			}
			if diff := cmp.Diff(all, walk("last", "before", "a_new")); diff != "" {
				t.Errorf("downwards:\n%s", diff)
			}
		})
	}
}

func TestPaginated(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i := range 9 {
		f.record(f.every, fmt.Sprintf(`{"action":"a%d","crud":"c","actor":{"id":"u"},"group":{"id":"g%d"}}`, i, i%2))
	}
	for args, want := range map[string]string{
		`query: "", pageLimit: 3`:                                  "a8 a7 a6",
		`query: "", pageOffset: 3, pageLimit: 3`:                   "a5 a4 a3",
		`query: "", pageOffset: 7, pageLimit: 3`:                   "a1 a0",
		`query: "", pageOffset: 9, pageLimit: 3`:                   "",
		`query: "", pageOffset: 1, pageLimit: 2, sortOrder: "asc"`: "a1 a2",
		`query: "action:a1", sortOrder: asc`:                       "a1",
	} {
		if c := f.find(f.every, args); c.actions() != want || !strings.Contains(args, "a1") && c.TotalCount != 9 {
			t.Errorf("%s: %q of %d, want %q", args, c.actions(), c.TotalCount, want)
		}
	}
	c := f.find(f.every, `query: "", pageLimit: 2`)
	if got := f.find(f.every, `query: "", pageLimit: 2, pageOffset: 2, startCursor: "`+c.Edges[1].Cursor+`"`); got.actions() != "a4 a3" {
		t.Errorf("behind a cursor: %s", got.actions())
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, e := range []string{`"b","crud":"c"`, `"a","crud":"r"`, `"b","crud":"r"`, `"c","crud":"r","group":{"id":"g"}`} {
		f.record(f.every, `{"action":`+e+`,"actor":{"id":"u"}}`)
	}
	ask := func(args string) string {
		w := f.ask(f.every, `{counts(`+args+`){totalCount pageInfo{hasNextPage} edges{node count cursor}}}`, nil)
		return fmt.Sprintf("%d %s", w.Code, w.Body)
	}
	doortest.Golden(t, "counts", strings.Join([]string{
		ask(`type: "action"`), ask(`type: action, crud: "cr"`), ask(`type: action, crud: "r", first: 1`), ask(`type: action, crud: "r", first: 1, after: "MQ"`), ask(`type: group`),
		ask(`type: action, startTime: "2030-01-01"`), ask(`type: action, endTime: "soon"`), ask(`first: 1`), ask(`type: actor`), ask(`type: action, after: "!"`),
	}, "\n")+"\n")
}

// TestGraphQLFaults: documents and arguments that are refused, and what is said.
func TestGraphQLFaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record(f.every, full)
	var lines []string
	deep := strings.Repeat("{a", 300) + strings.Repeat("}", 300)
	bomb := `{search(query:""){...a}} fragment a on EventsConnection {...b ...b ...b ...b ...b ...b ...b ...b ...b ...b} ` +
		`fragment b on EventsConnection {...c ...c ...c ...c ...c ...c ...c ...c ...c ...c} fragment c on EventsConnection {...d ...d ...d ...d ...d ...d ...d ...d ...d ...d} ` +
		`fragment d on EventsConnection {totalCount totalCount totalCount}`
	for _, document := range []string{
		"", "{", "{}", `{search}`, `{search(query:"")}`, `{nothing{a}}`, `{search(query:""){totalCount{a}}}`, `{search(query:""){edges{node{nothing}}}}`,
		`{search(query:"", first:1, last:1){totalCount}}`, `{search(query:"", before:"x", after:"y"){totalCount}}`, `{search(query:"", before:"x"){totalCount}}`,
		`{search(query:7){totalCount}}`, `{search(query:"", last:0){totalCount}}`, `{search(query:"", last:201){totalCount}}`, `{search(query:"", last:1.5){totalCount}}`,
		`{search(query:"", first:"x"){totalCount}}`, `{search(query:"", limit:1){totalCount}}`, `{search(query:$q){totalCount}}`, `query($q:String!){search(query:$q){totalCount}}`,
		`query($q:String=$x){search(query:$q){totalCount}}`, `mutation{search(query:""){totalCount}}`, `query a{search(query:""){totalCount}} query b{search(query:""){totalCount}}`,
		`{search(query:"") @skip(if:true) {totalCount}}`, `{search(query:""){...f}}`, `{search(query:""){...f}} fragment f on Event {id}`,
		`{search(query:""){...f}} fragment f on EventsConnection {...f}`, `{search(query:""){pageInfo{hasNextPage(a:1)}}}`, `{search(query:""){a:totalCount a:edges{cursor}}}`,
		`{search(query:""){totalCount} search(query:""){totalCount}}`, `{a:__typename b:__typename c:__typename d:__typename e:__typename}`, `{__schema{types{name}}}`,
		deep, bomb, strings.Repeat("{a}", 1000), strings.Repeat(" ", 33<<10) + "{a}", `{searchPaginated(query:"",pageOffset:10001){totalCount}}`, `{searchPaginated(query:"",sortOrder:up){totalCount}}`,
	} {
		w := f.ask(f.every, document, nil)
		if w.Code != 400 {
			t.Errorf("%.60s: %d %s", document, w.Code, w.Body)
		}
		lines = append(lines, fmt.Sprintf("%.120s\n  %s", document, w.Body))
	}
	for _, body := range []string{"", "[]", `{"query":1}`, `{"query":"{a}","query":"{b}"}`, `{"query":"{__typename}","variables":[]}`, `{"query":"{__typename}","operationName":"x"}`} {
		w := f.do("POST", base+"/graphql", body, "Authorization", "token="+f.every)
		if w.Code != 400 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
		lines = append(lines, fmt.Sprintf("%s\n  %s", body, w.Body))
	}
	doortest.Golden(t, "graphql_faults", strings.Join(lines, "\n")+"\n")
}

// Fragments, aliases, several roots, literals and GET.
func TestGraphQLForms(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record(f.every, full)
	w := f.ask(f.every, `query Q($n: Int = 1, $not: String) {
	  a: search(query: """action:invoice.update""", last: $n, before: $not) { ...c edges { node { ... on Event { who: actor { id } when: canonical_time actor { name } } actor { id } __typename } } }
	  b: search(query: "nothing") { ...c }
	  kind: __typename
	}
	fragment c on EventsConnection { total: totalCount }`, nil)
	const want = `{"data":{"a":{"total":1,"edges":[{"node":{"who":{"id":"user-1"},"when":"2026-01-02T03:04:05.678Z","actor":{"name":"Ada Lovelace","id":"user-1"},"__typename":"Event"}}]},"b":{"total":0},"kind":"Query"}}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = f.do("GET", "/publisher/v1/graphql?query="+url.QueryEscape(`query($n:Int){search(query:"",last:$n){totalCount edges{node{country}}}}`)+"&variables="+url.QueryEscape(`{"n":3}`), "", "Authorization", "token="+f.every)
	if w.Code != 200 || w.Body.String() != `{"data":{"search":{"totalCount":1,"edges":[{"node":{"country":null,"source_ip":"192.0.2.10"}}]}}}` {
		t.Errorf("GET: %d %s", w.Code, w.Body)
	}
}

// A cursor holds for one reader and one search string.
func TestCursorBinding(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 3 {
		f.record(f.acme, `{"action":"a","crud":"c","actor":{"id":"u"}}`)
	}
	c := f.find(f.acme, `query: "action:a", last: 1`)
	at := c.Edges[0].Cursor
	for name, tt := range map[string]struct{ key, query, cursor string }{
		"another key":   {f.every, "action:a", at},
		"another query": {f.acme, "action:b", at},
		"changed":       {f.acme, "action:a", "B" + at[1:]},
		"cut":           {f.acme, "action:a", at[:10]},
	} {
		w := f.ask(tt.key, `query($q:String,$c:String){search(query:$q,last:1,before:$c){totalCount}}`, map[string]any{"q": tt.query, "c": tt.cursor})
		if w.Code != 400 || w.Body.String() != `{"errors":[{"message":"Invalid cursor"}]}` {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// A search that takes too long is 503 in the form of an error, and nothing half.
func TestSearchDeadline(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(d *retraced.Deps) { d.Settings.SearchTime = 1 })
	f.record(f.every, full)
	w := f.ask(f.every, `{search(query:""){totalCount}}`, nil)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"status":503`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func FuzzGraphQL(f *testing.F) {
	for _, seed := range []string{nodeDocument, `{counts(type:action){edges{node}}}`, `{search(query:"",last:[{a:$b}]){totalCount}}`, `fragment f on Query{...f}`, `query($a:[Int!]!=[1]){a}`} {
		f.Add(seed, `{"query":"","last":1}`)
	}
	f.Fuzz(func(t *testing.T, document, vars string) {
		if err := retraced.ParseGraphQL(document, vars); err != nil && err.Error() == "" {
			t.Error("refused without a word")
		}
	})
}

func FuzzSearchString(f *testing.F) {
	for _, seed := range []string{`action:"user.*" crud:u received:2026-01-01T00:00:00.000Z,`, `actor.name:"a \" b`, `group.id:,,"x",`, `created:",", location:`, "a\\ \"b\\", `action:*`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := retraced.ParseSearch(text); err != nil && err.Error() == "" {
			t.Error("refused without a word")
		}
	})
}
