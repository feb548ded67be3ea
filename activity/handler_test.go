package activity_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/activity"
	"github.com/daybook-audit/daybook/daybooktest"
)

// do asks a's routes as an application mounts them.
func do(a *activity.Activity, method, path, body string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	mux.Handle("/api/audit/", http.StripPrefix("/api/audit", a.Handler()))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(method, "/api/audit"+path, strings.NewReader(body)))
	return w
}

func get(t *testing.T, a *activity.Activity, path string) string {
	t.Helper()
	w := do(a, http.MethodGet, path, "")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("GET %s: %d %v", path, w.Code, w.Header())
	}
	return w.Body.String()
}

// sample is three activities and two snapshots of post 42, and one thing beside.
func sample(t *testing.T) (*daybooktest.Recorder, *activity.Activity) {
	t.Helper()
	r, a := newActivity(t)
	ctx := daybook.WithScope(t.Context(), daybook.Scope{Context: daybook.Context{IP: "203.0.113.9", UserAgent: "Mozilla/5.0"}})
	steps := []func() error{
		func() error { return a.Log(ctx, "created", "post", "42", "u1", map[string]any{"title": "Hello"}) },
		func() error {
			_, err := a.Snapshot(ctx, "post", "42", map[string]any{"title": "Hello"}, "u1")
			return err
		},
		func() error {
			return a.LogChange(ctx, "updated", "post", "42", "u1", map[string]any{"title": "Hello", "a/b": 1}, map[string]any{"title": "Hello world"})
		},
		func() error {
			_, err := a.Snapshot(ctx, "post", "42", map[string]any{"title": "Hello world"}, "u2")
			return err
		},
		func() error {
			_, err := r.Record(ctx, "acme", daybook.Event{
				Action: "order.sent", Actor: daybook.System("cron"), Targets: []daybook.Target{{Type: "order", ID: "a/b c"}, {Type: "post", ID: "42"}},
				Changes: daybook.Changes{{Path: "/lines/0/qty", Old: daybook.JSON([]byte("1")), New: daybook.JSON([]byte(`{"$x":2}`))}},
			})
			return err
		},
	}
	for _, step := range steps {
		r.Advance(time.Millisecond)
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return r, a
}

// The bodies of the routes. %s is the id.
const (
	createdItem = `{"id":"evt_01kdyak3see008000000000001","action":"created","subject_type":"post","subject_id":"42","causer_id":"u1",` +
		`"changes":{"title":"Hello"},"ip":"203.0.113.9","user_agent":"Mozilla/5.0","created_at":"2026-01-02T03:04:05.679Z","seq":0}`
	updatedItem = `{"id":"evt_01kdyak3see008000000000003","action":"updated","subject_type":"post","subject_id":"42","causer_id":"u1",` +
		`"changes":{"a/b":{"old":1,"new":null},"title":{"old":"Hello","new":"Hello world"}},"ip":"203.0.113.9","user_agent":"Mozilla/5.0","created_at":"2026-01-02T03:04:05.681Z","seq":2}`
	sentItem = `{"id":"%s","action":"order.sent","subject_type":"order","subject_id":"a/b c","causer_id":"cron",` +
		`"changes":{"lines/0/qty":{"old":1,"new":{"$x":2}}},"ip":null,"user_agent":null,"created_at":"2026-01-02T03:04:05.683Z","seq":4}`
	firstVersion  = `{"id":"evt_01kdyak3see008000000000002","number":1,"subject_type":"post","subject_id":"42","causer_id":"u1","created_at":"2026-01-02T03:04:05.680Z","seq":1`
	secondVersion = `{"id":"evt_01kdyak3see008000000000004","number":2,"subject_type":"post","subject_id":"42","causer_id":"u2","created_at":"2026-01-02T03:04:05.682Z","seq":3`
)

func TestHandler(t *testing.T) {
	t.Parallel()
	r, a := sample(t)
	sent := fmt.Sprintf(sentItem, r.Events()[4].ID)
	for path, want := range map[string]string{
		"/activity":                                     "[" + sent + "," + updatedItem + "," + createdItem + "]",
		"/activity?order=asc&limit=2":                   "[" + createdItem + "," + updatedItem + "]",
		"/activity?subject_type=post&subject_id=42":     "[" + updatedItem + "," + createdItem + "]",
		"/activity?action=up*&causer_id=u1":             "[" + updatedItem + "]",
		"/activity?offset=1&limit=1":                    "[" + updatedItem + "]",
		"/activity?cursor=2":                            "[" + createdItem + "]",
		"/activity?q=changed:title+-action:x":           "[" + updatedItem + "," + createdItem + "]",
		"/activity?from=2026-01-02T03:04:05.681Z":       "[" + sent + "," + updatedItem + "]",
		"/activity?to=2026-01-02T04:04:05.681%2B01:00":  "[" + createdItem + "]",
		"/activity?subject_id=7":                        "[]",
		"/subjects/post/42":                             "[" + createdItem + "," + updatedItem + "," + sent + "]",
		"/subjects/order/a%2Fb%20c":                     "[" + sent + "]",
		"/subjects/nobody/knows":                        "[]",
		"/dashboard":                                    "[" + sent + "," + updatedItem + "," + createdItem + "]",
		"/dashboard?limit=1":                            "[" + sent + "]",
		"/versions/post/42":                             "[" + secondVersion + "}," + firstVersion + "}]",
		"/versions/post/42?data=true&limit=1&offset=1":  "[" + firstVersion + `,"data":{"title":"Hello"}}]`,
		"/versions/post/7":                              "[]",
		"/versions/post/42?offset=9":                    "[]",
		"/activity?order=asc&limit=1&cursor=0.3&count=": "[" + updatedItem + "]",
		"/subjects/post/42?cursor=2.4":                  "[]",
	} {
		if diff := cmp.Diff(want, get(t, a, path)); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
	}
}

// TestHandler_pages: following the links gives every entry once, whatever is recorded meanwhile.
func TestHandler_pages(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/subjects/post/42?limit=1", "/activity?limit=1&order=asc&subject_type=post", "/activity?limit=1&subject_type=post"} {
		_, a := sample(t)
		want := 2
		if strings.HasPrefix(path, "/subjects") {
			want = 3
		}
		n := 0
		for at := path; ; n++ {
			w := do(a, http.MethodGet, at+"&count=true", "")
			if w.Code != http.StatusOK {
				t.Fatalf("GET %s: %d %s", at, w.Code, w.Body)
			}
			if n == 0 && w.Header().Get("X-Total-Count") != strconv.Itoa(want) {
				t.Errorf("%s counts %s", path, w.Header().Get("X-Total-Count"))
			}
			if err := a.Log(t.Context(), "created", "post", "42", "late", nil); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(w.Body.String(), "late") {
				t.Errorf("%s shows what was recorded after its first page: %s", at, w.Body)
			}
			link, rest, more := strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), ">")
			if !more {
				break
			}
			if rest != `; rel="next"` {
				t.Errorf("link %s", w.Header().Get("Link"))
			}
			base, _, _ := strings.Cut(path, "?")
			at = strings.ReplaceAll(base+link, "&count=true", "")
			at = strings.ReplaceAll(at, "count=true&", "")
		}
		if n+1 != want {
			t.Errorf("%s: %d pages of one, want %d", path, n+1, want)
		}
	}
}

func TestHandler_restore(t *testing.T) {
	t.Parallel()
	r, a := sample(t)
	path := "/versions/evt_01kdyak3see008000000000002/restore"
	w := do(a, http.MethodPost, path, `{"causer_id":"u9"}`)
	if diff := cmp.Diff(`{"version":`+firstVersion+`},"data":{"title":"Hello"}}`, w.Body.String()); diff != "" || w.Code != http.StatusOK {
		t.Errorf("%d (-want +got):\n%s", w.Code, diff)
	}
	e := daybooktest.RequireRecorded(t, r, daybooktest.Match{Action: "post.restored", ActorID: "u9", TargetID: "42"})
	if want := `{"togo":{"kind":"restore","version":"evt_01kdyak3see008000000000002"}}`; string(e.Metadata) != want {
		t.Errorf("metadata %s", e.Metadata)
	}
}

func TestHandler_refusals(t *testing.T) {
	t.Parallel()
	r, a := sample(t)
	restore := "/versions/evt_01kdyak3see008000000000002/restore"
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		want, allow        string
	}{
		"limit":            {"GET", "/activity?limit=1001", "", 400, `{"error":"limit is a number from 1 to 1000.","field":"limit"}`, ""},
		"no number":        {"GET", "/activity?limit=x", "", 400, `{"error":"limit is a number from 1 to 1000.","field":"limit"}`, ""},
		"offset":           {"GET", "/activity?offset=10001", "", 400, `{"error":"use cursor","field":"offset"}`, ""},
		"cursor":           {"GET", "/activity?cursor=1.x", "", 400, `{"error":"cursor was not made by this list.","field":"cursor"}`, ""},
		"both":             {"GET", "/activity?cursor=1&offset=1", "", 400, `{"error":"offset and cursor exclude each other.","field":"offset"}`, ""},
		"time":             {"GET", "/activity?from=yesterday", "", 400, `{"error":"from is a time of RFC 3339, such as 2026-01-02T03:04:05Z.","field":"from"}`, ""},
		"order":            {"GET", "/activity?order=up", "", 400, `{"error":"order is one of [desc asc].","field":"order"}`, ""},
		"unknown":          {"GET", "/dashboard?offset=1", "", 400, `{"error":"unknown parameter offset","field":"offset"}`, ""},
		"twice":            {"GET", "/activity?limit=1&limit=2", "", 400, `{"error":"limit is given more than once.","field":"limit"}`, ""},
		"no route":         {"GET", "/nothing", "", 404, `{"error":"not found"}`, ""},
		"method":           {"POST", "/activity", "", 405, `{"error":"method not allowed"}`, "GET"},
		"deleting":         {"DELETE", "/subjects/post/42", "", 405, `{"error":"method not allowed"}`, "GET"},
		"reading restore":  {"GET", restore, "", 405, `{"error":"method not allowed"}`, "POST"},
		"putting restore":  {"PUT", restore, "", 405, `{"error":"method not allowed"}`, "POST"},
		"unknown version":  {"POST", "/versions/evt_01kdyak3see00800000000000z/restore", `{"causer_id":"u"}`, 404, `{"error":"not found"}`, ""},
		"an activity":      {"POST", "/versions/evt_01kdyak3see008000000000001/restore", `{"causer_id":"u"}`, 404, `{"error":"not found"}`, ""},
		"no id":            {"POST", "/versions/42/restore", `{"causer_id":"u"}`, 404, `{"error":"not found"}`, ""},
		"nobody asks":      {"POST", restore, "", 400, `{"error":"nobody is named who asks","field":"causer_id"}`, ""},
		"no JSON":          {"POST", restore, "{", 400, `{"error":"the body is not a JSON object with causer_id.","field":"body"}`, ""},
		"a parameter":      {"POST", restore + "?x=1", `{"causer_id":"u"}`, 400, `{"error":"unknown parameter x","field":"x"}`, ""},
		"a large body":     {"POST", restore, strings.Repeat(" ", 65<<10), 413, `{"error":"the body is too large"}`, ""},
		"dashboard's most": {"GET", "/dashboard?limit=101", "", 400, `{"error":"limit is a number from 1 to 100.","field":"limit"}`, ""},
	} {
		w := do(a, tt.method, tt.path, tt.body)
		if w.Code != tt.status || w.Body.String() != tt.want || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
	if w := do(a, "GET", "/activity?q=nobody:1", ""); w.Code != 400 || !strings.Contains(w.Body.String(), `"field":"q"`) {
		t.Errorf("a wrong query: %d %s", w.Code, w.Body)
	}
	r.Fail(errors.New("the disk is on fire"))
	if w := do(a, "POST", restore, `{"causer_id":"u"}`); w.Code != 503 || w.Body.String() != `{"error":"temporarily unavailable"}` || w.Header().Get("Retry-After") == "" {
		t.Errorf("store down: %d %s", w.Code, w.Body)
	}
}

// TestMiddleware: whom it believes, and what of it is recorded.
func TestMiddleware(t *testing.T) {
	t.Parallel()
	own := errors.New("no session")
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	header := func(pairs ...string) http.Header {
		h := http.Header{"User-Agent": {"ua"}}
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	for name, tt := range map[string]struct {
		o                  activity.MiddlewareOptions
		peer               string
		header             http.Header
		causer, wantIP     string
		ignored            int
		wantErr            error
		explicit, wantUser string
	}{
		"a browser lies":      {peer: "203.0.113.9:1", header: header("X-User-Id", "admin", "X-Forwarded-For", "1.1.1.1"), wantIP: "203.0.113.9", ignored: 1, wantErr: daybook.ErrNoActor},
		"loopback is trusted": {peer: "127.0.0.1:1", header: header("X-User-Id", "7", "X-Forwarded-For", "203.0.113.9"), wantIP: "203.0.113.9", wantUser: "7"},
		"and on IPv6":         {peer: "[::1]:1", header: header("X-User-Id", "7"), wantIP: "::1", wantUser: "7"},
		"a named proxy": {
			o: activity.MiddlewareOptions{TrustedProxies: proxies}, peer: "10.0.0.1:1", wantIP: "203.0.113.9", wantUser: "7",
			header: header("X-User-Id", "7", "X-Forwarded-For", "6.6.6.6, 203.0.113.9", "X-Forwarded-For", "10.0.0.2"),
		},
		"mapped to IPv6":             {o: activity.MiddlewareOptions{TrustedProxies: proxies}, peer: "[::ffff:10.0.0.1]:1", header: header("X-User-Id", "7"), wantIP: "10.0.0.1", wantUser: "7"},
		"nonsense in the header":     {o: activity.MiddlewareOptions{TrustedProxies: proxies}, peer: "10.0.0.1:1", header: header("X-User-Id", "7", "X-Forwarded-For", "1.1.1.1, unknown"), wantIP: "10.0.0.1", wantUser: "7"},
		"loopback is not named":      {o: activity.MiddlewareOptions{TrustedProxies: proxies}, peer: "127.0.0.1:1", header: header("X-User-Id", "7"), wantIP: "127.0.0.1", ignored: 1, wantErr: daybook.ErrNoActor},
		"nobody is trusted":          {o: activity.MiddlewareOptions{TrustedProxies: []netip.Prefix{}}, peer: "127.0.0.1:1", header: header("X-User-Id", "7"), wantIP: "127.0.0.1", ignored: 1, wantErr: daybook.ErrNoActor},
		"a function decides":         {causer: "9", peer: "127.0.0.1:1", header: header("X-User-Id", "7"), wantIP: "127.0.0.1", wantUser: "9"},
		"and may say nobody":         {causer: "nobody", peer: "127.0.0.1:1", header: header("X-User-Id", "7"), wantIP: "127.0.0.1", wantErr: daybook.ErrNoActor},
		"and may fail":               {causer: "fails", peer: "127.0.0.1:1", header: header(), wantIP: "127.0.0.1", wantErr: own},
		"an explicit causer wins":    {causer: "9", peer: "127.0.0.1:1", header: header(), explicit: "3", wantIP: "127.0.0.1", wantUser: "3"},
		"a socket without a address": {peer: "@", header: header("X-User-Id", "7"), ignored: 1, wantErr: daybook.ErrNoActor},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ignored := 0
			tt.o.IgnoredFunc = func(*http.Request) { ignored++ }
			if tt.causer != "" {
				tt.o.Causer = func(r *http.Request) (string, error) { // it sees what authentication put into the context later
					id, _ := r.Context().Value(userKey{}).(string)
					switch id {
					case "fails":
						return "", own
					case "nobody":
						return "", nil
					}
					return id, nil
				}
			}
			r, a := newActivity(t)
			req := httptest.NewRequest(http.MethodPost, "/", nil)
			req.RemoteAddr, req.Header = tt.peer, tt.header
			tt.o.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
				ctx := daybook.Detach(contextWithUser(req, tt.causer))
				if err := a.Log(ctx, "created", "post", "42", tt.explicit, nil); !errors.Is(err, tt.wantErr) {
					t.Errorf("got %v, want %v", err, tt.wantErr)
				}
			})).ServeHTTP(httptest.NewRecorder(), req)
			if ignored != tt.ignored {
				t.Errorf("%d headers were ignored, want %d", ignored, tt.ignored)
			}
			if tt.wantErr != nil {
				return
			}
			e := daybooktest.RequireRecorded(t, r, daybooktest.Match{ActorID: tt.wantUser})
			if e.Context.IP != tt.wantIP || e.Context.UserAgent != "ua" {
				t.Errorf("context %+v, want address %s", e.Context, tt.wantIP)
			}
		})
	}
}
