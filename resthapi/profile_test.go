package resthapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybookhttp"
	"github.com/daybook-audit/daybook/resthapi"
)

// kept is a Recorder that keeps what it is given.
type kept []daybook.Event

func (k *kept) Record(_ context.Context, _ daybook.OrgID, e daybook.Event) (daybook.Receipt, error) {
	*k = append(*k, e)
	return daybook.Receipt{ID: e.ID}, nil
}

func (k *kept) RecordBatch(context.Context, daybook.OrgID, []daybook.Event) ([]daybook.Receipt, error) {
	return nil, nil
}

// serve sends one request through the profile and returns what was recorded.
func serve(t *testing.T, p resthapi.Profile, request, body string, status int, answer string, patterns ...string) []daybook.Event {
	t.Helper()
	var k kept
	clerk, err := daybook.NewClerk(&k, daybook.ClerkOptions{Org: "org_acme"})
	if err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	})
	mux := http.NewServeMux()
	for _, pattern := range append(patterns, "/") {
		mux.Handle(pattern, handler)
	}
	method, path, _ := strings.Cut(request, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:4711"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	daybookhttp.Middleware(clerk, resthapi.Options(p))(mux).ServeHTTP(w, r)
	if w.Code != status || w.Body.String() != answer {
		t.Errorf("%s: answered with %d %s", request, w.Code, w.Body)
	}
	return k
}

// The table of the routes that rest-hapi generates.
func TestProfileRoutes(t *testing.T) {
	t.Parallel()
	p := resthapi.Profile{Associations: map[string]string{"user/roles": "MANY_MANY"}, Credentials: func(*http.Request) any {
		return map[string]any{"user": map[string]any{"_id": 42}}
	}}
	for _, tt := range []struct {
		request, body string
		status        int
		answer        string
		action        string // of the event
		method, verb  string
		names         string // collection child type
		documents     string
		params        string
	}{
		{"POST /hashtag", `[{"text":"a"},{"text":"b"}]`, 201, `[{"_id":"1"},{"_id":"2"}]`, "hashtag.create", "POST", "Create", "hashtag", "1 2", ""},
		{"POST /hashtag", `{"text":"a"}`, 201, `{"id":7}`, "hashtag.create", "POST", "Create", "hashtag", "7", ""},
		{"POST /hashtag", `{"text":"a"}`, 400, `{"statusCode":400,"error":"Bad Request","message":"no text"}`, "hashtag.create", "POST", "Create", "hashtag", "", ""},
		{"PUT /hashtag/1", `{"text":"a"}`, 200, `{"_id":"1"}`, "hashtag.update", "PUT", "Update", "hashtag", "1", `{"_id":"1"}`},
		{"PATCH /hashtag/1", `{"text":"a"}`, 200, `{"_id":"1"}`, "hashtag.update", "PATCH", "Update", "hashtag", "1", `{"_id":"1"}`},
		{"DELETE /hashtag/1", ``, 204, ``, "hashtag.delete", "DELETE", "Delete", "hashtag", "1", `{"_id":"1"}`},
		{"DELETE /hashtag", `["1","2"]`, 204, ``, "hashtag.delete", "DELETE", "Delete", "hashtag", "1 2", ""},
		{"DELETE /hashtag", `[{"_id":"1","hardDelete":true}]`, 204, ``, "hashtag.delete", "DELETE", "Delete", "hashtag", "1", ""},
		{"PUT /user/u/roles/r", `{"rank":1}`, 204, ``, "user.add", "PUT", "Add", "user roles MANY_MANY", "u r", `{"childId":"r","ownerId":"u"}`},
		{"POST /user/u/roles", `["r","s"]`, 204, ``, "user.add", "POST", "Add", "user roles MANY_MANY", "u r s", `{"ownerId":"u"}`},
		{"POST /user/u/groups", `[{"childId":"g"}]`, 204, ``, "user.add", "POST", "Add", "user groups", "u g", `{"ownerId":"u"}`},
		{"DELETE /user/u/roles/r", ``, 204, ``, "user.remove", "DELETE", "Remove", "user roles MANY_MANY", "u r", `{"childId":"r","ownerId":"u"}`},
		{"DELETE /user/u/roles", `["r"]`, 204, ``, "user.remove", "DELETE", "Remove", "user roles MANY_MANY", "u r", `{"ownerId":"u"}`},
	} {
		events := serve(t, p, tt.request, tt.body, tt.status, tt.answer)
		if len(events) != 1 {
			t.Errorf("%s: %d events", tt.request, len(events))
			continue
		}
		e := events[0]
		var meta struct {
			About resthapi.About `json:"rest_hapi"`
		}
		if err := json.Unmarshal(e.Metadata, &meta); err != nil {
			t.Fatal(err)
		}
		a := meta.About
		var ids, names []string
		for _, target := range e.Targets {
			ids = append(ids, target.ID)
		}
		for _, name := range []*string{a.CollectionName, a.ChildCollectionName, a.AssociationType} {
			if name != nil {
				names = append(names, *name)
			}
		}
		got := []string{e.Action, e.Context.HTTP.Method, *a.Action, strings.Join(names, " "), strings.Join(ids, " "), string(e.Context.HTTP.Params), string(e.Context.HTTP.Request), e.Actor.ID}
		want := []string{tt.action, tt.method, tt.verb, tt.names, tt.documents, tt.params, tt.body, "42"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.request, diff)
		}
		if failed := tt.status >= 400; failed != (e.Outcome == daybook.Failure) || failed && e.Error.Message != "no text" {
			t.Errorf("%s: outcome %s, error %v", tt.request, e.Outcome, e.Error)
		}
	}
}

// What is no route of a model is recorded where a rule says so, and only there.
func TestProfileOtherRoutes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		p        resthapi.Profile
		request  string
		patterns []string
		events   int
	}{
		"read":               {resthapi.Profile{}, "GET /user/1", nil, 0},
		"deep":               {resthapi.Profile{}, "POST /a/b/c/d/e", nil, 0},
		"no action of it":    {resthapi.Profile{}, "POST /user/1", nil, 0},
		"literal route":      {resthapi.Profile{}, "PUT /login/reset", []string{"PUT /login/reset"}, 0},
		"pattern of a model": {resthapi.Profile{}, "PUT /user/1", []string{"PUT /user/{_id}"}, 1},
		"pattern of all":     {resthapi.Profile{}, "PUT /user/1", []string{"PUT /{model}/{id}"}, 1},
		"name for an id":     {resthapi.Profile{}, "PUT /user/1/roles/2", []string{"PUT /user/{id}/roles/2"}, 0},
		"another collection": {resthapi.Profile{Models: []string{"role"}}, "PUT /user/1", nil, 0},
		"outside the prefix": {resthapi.Profile{Prefix: "/api"}, "PUT /user/1", nil, 0},
		"inside the prefix":  {resthapi.Profile{Prefix: "/api/"}, "PUT /api/user/1", nil, 1},
		"switched off":       {resthapi.Profile{Disabled: true}, "PUT /user/1", nil, 0},
		"a rule for a route": {resthapi.Profile{Rules: []daybookhttp.Rule{{Methods: []string{"GET"}, Routes: []string{"/user/{id}"}, Level: daybookhttp.Metadata}}}, "GET /user/1", nil, 1},
		"left out by a rule": {resthapi.Profile{Rules: []daybookhttp.Rule{{Routes: []string{"/user/*"}}}}, "PUT /user/1", nil, 0},
	} {
		if events := serve(t, tt.p, tt.request, "", 200, "{}", tt.patterns...); len(events) != tt.events {
			t.Errorf("%s: %d events, want %d", name, len(events), tt.events)
		}
	}
}

func TestProfileAnonymousAndEmpty(t *testing.T) {
	t.Parallel()
	e := serve(t, resthapi.Profile{Credentials: func(*http.Request) any { return nil }}, "POST /user", "{}", 401, `{"message":"Missing authentication"}`)[0]
	if e.Actor.Type != "anonymous" || e.Actor.ID != "anonymous" || e.Outcome != daybook.Denied || e.Context.HTTP.Request != nil || e.Context.IP != "127.0.0.1" {
		t.Errorf("%+v", e)
	}
}

// What is secret in a body does not leave the process.
func TestProfileRedacts(t *testing.T) {
	t.Parallel()
	e := serve(t, resthapi.Profile{}, "POST /user", `{"email":"a@b.c","password":"hunter2"}`, 201, `{"_id":"1","apiKey":"k"}`)[0]
	if string(e.Context.HTTP.Request) != `{"email":"a@b.c","password":{"$masked":true}}` || string(e.Context.HTTP.Response) != `{"_id":"1","apiKey":{"$masked":true}}` {
		t.Errorf("%s %s", e.Context.HTTP.Request, e.Context.HTTP.Response)
	}
}

// With the old document at hand the event says what changed.
func TestProfileBefore(t *testing.T) {
	t.Parallel()
	p := resthapi.Profile{Before: func(_ *http.Request, collection, id string) (json.RawMessage, error) {
		if collection != "user" || id != "1" {
			t.Errorf("asked for %s %s", collection, id)
		}
		return json.RawMessage(`{"_id":"1","name":"Ada","password":"x"}`), nil
	}}
	changed := func(e daybook.Event) string { text, _ := json.Marshal(e.Changes); return string(text) }
	if got := changed(serve(t, p, "PUT /user/1", `{"name":"Grace"}`, 200, `{"_id":"1","name":"Grace","password":"x"}`)[0]); got != `[{"path":"/name","old":"Ada","new":"Grace"}]` {
		t.Errorf("an update changed %s", got)
	}
	if got := changed(serve(t, p, "DELETE /user/1", ``, 204, ``)[0]); !strings.Contains(got, `"old":"Ada"`) || strings.Contains(got, `"x"`) {
		t.Errorf("a deletion changed %s", got)
	}
	if got := changed(serve(t, p, "PUT /user/1", `{}`, 500, `{"message":"no"}`)[0]); got != `null` {
		t.Errorf("a failure changed %s", got)
	}
}

func TestUserID(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		credentials any
		path, want  string
	}{
		"nested":  {map[string]any{"user": map[string]any{"_id": "u"}}, "user._id", "u"},
		"number":  {map[string]any{"id": json.Number("90071992547409931")}, "id", "90071992547409931"},
		"struct":  {struct{ Sub string }{"s"}, "Sub", "s"},
		"missing": {map[string]any{"user": 1}, "user._id", ""},
		"nothing": {nil, "user._id", ""},
		"object":  {map[string]any{"user": map[string]any{}}, "user", ""},
	} {
		if got := resthapi.UserID(tt.credentials, tt.path); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

var errOut = errors.New("out of reach")

// outOfReach is a Recorder that does not record.
type outOfReach struct{}

func (outOfReach) Record(context.Context, daybook.OrgID, daybook.Event) (daybook.Receipt, error) {
	return daybook.Receipt{}, errOut
}

func (outOfReach) RecordBatch(context.Context, daybook.OrgID, []daybook.Event) ([]daybook.Receipt, error) {
	return nil, errOut
}

// What cannot be recorded waits in the spool; without one it is lost, which is said.
func TestNewClerk(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		o     daybook.ClerkOptions
		lost  int64
		said  bool
		fails bool
	}{
		"with a spool":   {daybook.ClerkOptions{Spool: t.TempDir()}, 0, false, false},
		"without":        {daybook.ClerkOptions{}, 1, true, false},
		"its own policy": {daybook.ClerkOptions{Failure: []daybook.FailureRule{{Action: "*", Policy: daybook.FailClosed}}}, 0, false, true},
	} {
		var log strings.Builder
		tt.o.Org, tt.o.Logger = "org_acme", slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		clerk, err := resthapi.NewClerk(outOfReach{}, tt.o)
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(log.String(), "events are lost while"); said != tt.said {
			t.Errorf("%s: its log: %s", name, log.String())
		}
		_, err = clerk.Record(t.Context(), daybook.Event{Action: "a.b", Actor: daybook.System("x")})
		if (err != nil) != tt.fails || clerk.Stats().Lost != tt.lost {
			t.Errorf("%s: %v, %d lost", name, err, clerk.Stats().Lost)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // it would wait for the log otherwise
		_, _, _ = clerk.Close(ctx)
	}
}
