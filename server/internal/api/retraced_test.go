package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/compat/retraced"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// retracedDoor is the Retraced door over what the fixture has.
func (f *fixture) retracedDoor() auth.Door {
	viewers, err := f.auth.NewViewers(control.NewViewers(f.store, f.Now), bytes.Repeat([]byte{7}, 32), 0)
	if err != nil {
		f.t.Fatal(err)
	}
	return retraced.New(retraced.Deps{Book: f.book, Auth: f.auth, Viewers: viewers, Orgs: f.orgs, CursorKey: []byte("key of cursors")})
}

// viewerToken is a token for org that can be exchanged.
func (f *fixture) viewerToken(key, org string) string {
	f.t.Helper()
	var answer struct{ Token string }
	w := f.do(ask{path: "/publisher/v1/project/dev/viewertoken?actor_id=ada&group_id=" + org, key: key})
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Token == "" {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return answer.Token
}

// viewerSession is a session for org.
func (f *fixture) viewerSession(key, org string) string {
	f.t.Helper()
	var answer struct{ Token string }
	w := f.do(ask{method: "POST", path: "/viewer/v1/viewersession", body: `{"token":"` + f.viewerToken(key, org) + `"}`})
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Token == "" {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return answer.Token
}

// everything selects what a search can show.
const everything = `{search(query:\"\"){totalCount edges{cursor node{id action description actor{id name} target{id name} metadata{key value}}}}}`

// eachRetraced calls visit with both places of the door's routes.
func eachRetraced(visit func(base string)) {
	for _, base := range []string{"/auditlog", ""} {
		visit(base)
	}
}

// retracedTrials are the rows of the Retraced door in the table of tenants: how org_globex tries to reach org_acme. A key of one
// organization cannot name another: its group stays a group within its own, and so there is nothing to be refused.
func retracedTrials(f *fixture, trials map[string][]trial) {
	search := `{"query":"` + everything + `"}`
	eachRetraced(func(base string) {
		project := base + "/publisher/v1/project/dev"
		mine := func(method, path, body string) []trial {
			return []trial{{ask: ask{method: method, path: path, key: f.globex, body: body}}}
		}
		at := base + "/publisher/v1/project/{project}"
		for _, path := range []string{"/project/{project}/graphql", "/graphql"} {
			asked := base + "/publisher/v1" + strings.Replace(path, "{project}", "dev", 1)
			trials["POST "+base+"/publisher/v1"+path] = mine("POST", asked, search)
			trials["GET "+base+"/publisher/v1"+path] = mine("GET", asked+`?query=%7Bsearch(query:"group.id:org_acme")%7BtotalCount%20edges%7Bnode%7Bid%20action%7D%7D%7D%7D`, "")
		}
		session := f.viewerSession(f.globex, "org_acme")
		header := []string{"Authorization", session}
		trials["POST "+base+"/viewer/v1/graphql"] = []trial{{ask: ask{method: "POST", path: base + "/viewer/v1/graphql", body: search, header: header}}}
		trials["GET "+base+"/viewer/v1/graphql"] = []trial{{ask: ask{path: base + "/viewer/v1/graphql?query=%7B__typename%7D", header: header}}}
		unknown := ask{method: "POST", path: base + "/viewer/v1/viewersession", body: `{"token":"00000000000000000000000000000000"}`}
		trials["POST "+base+"/viewer/v1/viewersession"] = []trial{{unknown, unknown}}
		end := base + "/viewer/v1/project/dev/group/org_acme/actor/bob/viewersessions"
		trials["DELETE "+base+"/viewer/v1/project/{project}/group/{group}/actor/{actor}/viewersessions"] = mine("DELETE", end, "")
		event := func(group string) ask {
			return ask{method: "POST", path: project + "/event", key: f.globex, body: `{"action":7,"group":{"id":"` + group + `"}}`}
		}
		trials["POST "+at+"/event"] = []trial{{event("org_acme"), event("org_none")}}
		bulk := func(group string) ask {
			return ask{method: "POST", path: project + "/event/bulk", key: f.globex, body: `{"events":[{"action":7,"group":{"id":"` + group + `"}}]}`}
		}
		trials["POST "+at+"/event/bulk"] = []trial{{bulk("org_acme"), bulk("org_none")}}
		token := func(group string) ask {
			return ask{path: project + "/viewertoken?group_id=" + group + "%20x&view_log_action=daybook.x", key: f.globex}
		}
		trials["GET "+at+"/viewertoken"] = []trial{{token("org_acme"), token("org_none")}}
	})
	trials["DELETE /auditlog/v1/project/{project}/group/{group}/actor/{actor}/viewersessions"] = []trial{
		{ask: ask{method: "DELETE", path: "/auditlog/v1/project/dev/group/org_acme/actor/bob/viewersessions", key: f.globex}},
	}
}

// retracedScopes are the rows of the Retraced door in the table of scopes.
func retracedScopes(f *fixture, asks map[string]ask) {
	const search = `{"query":"{__typename}"}`
	event := `{"action":"a","crud":"c","is_anonymous":true}`
	header := []string{"Authorization", f.viewerSession(f.acme, "org_acme")}
	eachRetraced(func(base string) {
		at, project := base+"/publisher/v1/project/{project}", base+"/publisher/v1/project/dev"
		asks["POST "+at+"/event"] = ask{method: "POST", path: project + "/event", body: event}
		asks["POST "+at+"/event/bulk"] = ask{method: "POST", path: project + "/event/bulk", body: `{"events":[` + event + `]}`}
		asks["GET "+at+"/viewertoken"] = ask{path: project + "/viewertoken?group_id=org_acme"}
		for _, path := range []string{"/project/{project}/graphql", "/graphql"} {
			asked := base + "/publisher/v1" + strings.Replace(path, "{project}", "dev", 1)
			asks["POST "+base+"/publisher/v1"+path] = ask{method: "POST", path: asked, body: search}
			asks["GET "+base+"/publisher/v1"+path] = ask{path: asked + "?query=%7B__typename%7D"}
		}
		asks["POST "+base+"/viewer/v1/viewersession"] = ask{method: "POST", path: base + "/viewer/v1/viewersession", body: `{"token":"` + f.viewerToken(f.acme, "org_acme") + `"}`}
		asks["POST "+base+"/viewer/v1/graphql"] = ask{method: "POST", path: base + "/viewer/v1/graphql", body: search, header: header}
		asks["GET "+base+"/viewer/v1/graphql"] = ask{path: base + "/viewer/v1/graphql?query=%7B__typename%7D", header: header}
		asks["DELETE "+base+"/viewer/v1/project/{project}/group/{group}/actor/{actor}/viewersessions"] = ask{method: "DELETE", path: base + "/viewer/v1/project/p/group/g/actor/a/viewersessions"}
	})
	asks["DELETE /auditlog/v1/project/{project}/group/{group}/actor/{actor}/viewersessions"] = ask{method: "DELETE", path: "/auditlog/v1/project/p/group/g/actor/a/viewersessions"}
}

// retracedID is the header as Retraced spells it: a constant would be taken for a mistake.
var retracedID = "X-Retraced-RequestId"

// What never reaches a route of the Retraced door is refused in Retraced's words.
func TestRetracedPaths(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	large := strings.Repeat(" ", 5<<20+1)
	const at = "/auditlog/publisher/v1/project/dev"
	for name, tt := range map[string]struct {
		ask    ask
		status int
		body   string
	}{
		"wrong method":   {ask{path: at + "/event"}, 405, `{"status":405,"type":"Error","error":"Method Not Allowed"}`},
		"no route":       {ask{path: "/auditlog/enterprise/v1/search"}, 404, `{"status":404,"type":"Error","error":"Not Found"}`},
		"no route below": {ask{path: "/publisher/v1/nothing"}, 404, `{"status":404,"type":"Error","error":"Not Found"}`},
		"too large":      {ask{method: "POST", path: at + "/event", key: f.acme, body: large}, 413, `{"status":413,"type":"Error","error":"The request or one of its events is too large"}`},
		"bulk may be":    {ask{method: "POST", path: at + "/event/bulk", key: f.acme, body: large}, 400, `{"status":400,"type":"Error","error":"Invalid JSON: unexpected EOF at byte 0."}`},
		"bulk too large": {ask{method: "POST", path: at + "/event/bulk", key: f.acme, body: large + large}, 413, `{"status":413,"type":"Error","error":"The request or one of its events is too large"}`},
		"no credential":  {ask{method: "POST", path: at + "/event", body: "{}"}, 401, `{"status":401,"type":"Error","error":"Missing Authorization header"}`},
	} {
		w := f.do(tt.ask)
		id := w.Header()[retracedID]
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("Content-Type") != "application/json" || len(id) != 1 || id[0] != w.Header().Get("X-Request-Id") {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
}

// An acknowledged event is in the next search, whatever way it came.
func TestRetracedReadAfterWrite(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, event("invoice.paid", ""))
	w := f.do(ask{method: "POST", path: "/auditlog/publisher/v1/graphql", key: f.acme, body: `{"query":"{search(query:\"action:invoice.*\"){totalCount edges{node{action crud}}}}"}`})
	if w.Code != http.StatusOK || w.Body.String() != `{"data":{"search":{"totalCount":1,"edges":[{"node":{"action":"invoice.paid","crud":"u"}}]}}}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
