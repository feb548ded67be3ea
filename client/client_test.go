package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
)

// answers is a transport that plays a server: each request takes the next answer.
type answers struct {
	t        *testing.T
	play     []func(r *http.Request, body string) (*http.Response, error)
	requests []string // method, path, body
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			a.t.Error(err)
		}
		body = string(text)
	}
	if len(a.requests) >= len(a.play) {
		a.t.Fatalf("request %d was not expected: %s %s", len(a.requests), r.Method, r.URL)
	}
	play := a.play[len(a.requests)]
	a.requests = append(a.requests, r.Method+" "+r.URL.EscapedPath()+"?"+r.URL.RawQuery+" "+body)
	return play(r, body)
}

func answer(status int, body string, header ...string) func(*http.Request, string) (*http.Response, error) {
	return func(r *http.Request, _ string) (*http.Response, error) {
		h := http.Header{"X-Request-Id": {"req_7f3k2q9x4m"}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func broken(r *http.Request, _ string) (*http.Response, error) {
	return nil, errors.New("connection reset by peer")
}

func newClient(t *testing.T, a *answers, o client.Options) *client.Client {
	t.Helper()
	o.URL, o.HTTP = "http://audit.example.com/prefix/", &http.Client{Transport: a}
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	receiptJSON = `{"id":"evt_01m7z7rs1affyad5cmxxj94a79","seq":48190,"leaf_hash":"DWs3Fgpci0003POYBQd4v0T7zttUWOX+0XKL25CeDmQ=","received_at":"2026-11-21T14:22:07.402118Z","duplicate":false}`
	oneReceipt  = `{"receipts":[` + receiptJSON + `]}`
)

var login = daybook.Event{Action: "user.login", Actor: daybook.Actor{Type: "user", ID: "usr_7"}}

// TestRecord/a_lost_answer_is_asked_for_again_under_the_same_id and its siblings: the promises of daybook.Recorder over a network
// that fails.
func TestRecord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		play []func(*http.Request, string) (*http.Response, error)
		code daybook.Code // of the error; empty: none
		lost bool         // the outcome is unknown
	}{
		{"an_answer_is_a_receipt", plays(answer(201, oneReceipt)), "", false},
		{"a_lost_answer_is_asked_for_again_under_the_same_id", plays(broken, broken, answer(200, oneReceipt)), "", false},
		{"overload_waits_and_repeats", plays(answer(503, `{"code":"overloaded"}`, "Retry-After", "2"), answer(507, `{"code":"overloaded"}`), answer(429, `{"code":"rate_limited"}`), answer(201, oneReceipt)), "", false},
		{"an_unknown_outcome_is_repeated", plays(answer(503, `{"code":"unknown_outcome"}`), answer(200, oneReceipt)), "", false},
		{"overload_for_ever_is_overload", plays(answer(503, `{"code":"overloaded"}`), answer(503, `{"code":"overloaded"}`), answer(503, `{"code":"overloaded"}`), answer(503, `{"code":"overloaded"}`), answer(503, `{"code":"overloaded"}`)), daybook.CodeOverloaded, false},
		{"a_network_that_stays_broken_is_an_unknown_outcome", plays(broken, broken, broken, broken, broken), "", true},
		{"a_gateway_that_gave_up_is_an_unknown_outcome", plays(answer(502, "<html>"), answer(504, "<html>"), answer(502, "x"), answer(502, "x"), answer(502, "x")), "", true},
		{"a_refusal_is_not_repeated", plays(answer(400, `{"code":"required","detail":"actor.id is required.","field":"/actor/id"}`)), daybook.CodeInvalid, false},
		{"a_frozen_log_is_not_repeated", plays(answer(503, `{"code":"log_frozen","detail":"frozen"}`)), daybook.CodeUnavailable, false},
		{"a_conflict_is_a_conflict", plays(answer(409, `{"code":"id_conflict","detail":"x","errors":[{"index":0,"code":"id_conflict","detail":"other content"}]}`)), daybook.CodeConflict, false},
		{"a_long_retry_after_ends_it", plays(answer(503, `{"code":"overloaded"}`, "Retry-After", "3600")), daybook.CodeOverloaded, false},
		{"too_few_receipts_are_an_unknown_outcome", plays(answer(201, `{"receipts":[]}`)), "", true},
		{"an_internal_error_is_not_repeated", plays(answer(500, `{"code":"internal","detail":"internal error"}`)), daybook.CodeInternal, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // pauses take no time here
				a := &answers{t: t, play: c.play}
				got, err := newClient(t, a, client.Options{Key: "dbk_x"}).Record(t.Context(), "org_acme", login)
				var coded *daybook.Error
				switch {
				case c.lost:
					if !errors.Is(err, daybook.ErrUnknownOutcome) || errors.As(err, &coded) {
						t.Errorf("error %v, want an unknown outcome and no *Error", err)
					}
				case c.code != "":
					if !errors.As(err, &coded) || coded.Code != c.code || errors.Is(err, daybook.ErrUnknownOutcome) {
						t.Errorf("error %v, want %s", err, c.code)
					}
				case err != nil || got.Seq != 48190 || got.Org != "org_acme" || got.ID.String() != "evt_01m7z7rs1affyad5cmxxj94a79" || got.LeafHash.String() != "DWs3Fgpci0003POYBQd4v0T7zttUWOX+0XKL25CeDmQ=":
					t.Errorf("%+v, %v", got, err)
				}
				if len(a.requests) != len(c.play) {
					t.Errorf("%d requests, want %d", len(a.requests), len(c.play))
				}
				for _, r := range a.requests {
					if r != a.requests[0] || !strings.Contains(r, `"id":"evt_`) {
						t.Errorf("a repeated request must be the same, with an id:\n%s\n%s", a.requests[0], r)
					}
				}
			})
		})
	}
}

func plays(fs ...func(*http.Request, string) (*http.Response, error)) []func(*http.Request, string) (*http.Response, error) {
	return fs
}

// TestRecordJSON: what could record twice is not repeated.
func TestRecordJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r     client.Request
		tries int
	}{
		"without_ids_once":         {client.Request{Events: [][]byte{[]byte(`{"action":"a"}`)}}, 1},
		"one_without_an_id_once":   {client.Request{Events: [][]byte{[]byte(`{"id":"evt_1"}`), []byte(`{"id":null}`)}}, 1},
		"with_ids_again":           {client.Request{Events: [][]byte{[]byte(`{"id":"evt_1"}`)}}, 5},
		"with_a_key_again":         {client.Request{Events: [][]byte{[]byte(`{}`)}, Key: "k"}, 5},
		"ended_context_not_again":  {client.Request{Events: [][]byte{[]byte(`{"id":"evt_1"}`)}}, 0},
		"nothing_to_record_no_way": {client.Request{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if name == "ended_context_not_again" {
					cancel()
				}
				var tries atomic.Int32
				server := roundTripper(func(r *http.Request) (*http.Response, error) {
					if r.Context().Err() != nil {
						return nil, r.Context().Err()
					}
					tries.Add(1)
					if r.Header.Get("Idempotency-Key") != c.r.Key {
						t.Errorf("key %q", r.Header.Get("Idempotency-Key"))
					}
					return nil, errors.New("reset")
				})
				cl, err := client.New(client.Options{URL: "http://x", HTTP: &http.Client{Transport: server}})
				if err != nil {
					t.Fatal(err)
				}
				_, err = cl.RecordJSON(ctx, c.r)
				if (err == nil) != (len(c.r.Events) == 0) || int(tries.Load()) != c.tries {
					t.Errorf("%d tries, want %d; error %v", tries.Load(), c.tries, err)
				}
			})
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestPartial: refused events have their place, the others their receipt.
func TestPartial(t *testing.T) {
	t.Parallel()
	a := &answers{t: t, play: plays(answer(200, `{"receipts":[`+receiptJSON+`,null],"errors":[{"index":1,"code":"required","field":"/action","detail":"action is required."}]}`))}
	res, err := newClient(t, a, client.Options{Org: "org_acme"}).RecordJSON(t.Context(), client.Request{Events: [][]byte{[]byte(`{"id":"evt_1"}`), []byte(`{}`)}, Partial: true})
	if err != nil || len(res.Receipts) != 2 || res.Receipts[0].Org != "org_acme" || !res.Receipts[1].ID.IsZero() || len(res.Errors) != 1 || res.Errors[0].Index != 1 || res.Errors[0].Err.Rule != "required" {
		t.Errorf("%+v, %v", res, err)
	}
	if want := `POST /prefix/v1/events?partial=true [{"id":"evt_1"},{}]`; a.requests[0] != want {
		t.Errorf("request %s, want %s", a.requests[0], want)
	}
}

// TestPaths: ids are escaped once, whatever is in them.
func TestPaths(t *testing.T) {
	t.Parallel()
	for want, q := range map[string]client.Query{
		"GET /prefix/v1/events?asc=true&from=now-7d&limit=5&order=occurred&q=actor%3Aa+b&tz=Europe%2FBerlin ": {Text: "actor:a b", From: "now-7d", TZ: "Europe/Berlin", Order: "occurred", Asc: true, Limit: 5},
		"GET /prefix/v1/targets/a%2Fb/c%20%25%3F/events? ":                                                    {Target: &client.Ref{Type: "a/b", ID: "c %?"}},
		"GET /prefix/v1/actors/user/%2E%2E/events? ":                                                          {Actor: &client.Ref{Type: "user", ID: ".."}},
	} {
		a := &answers{t: t, play: plays(answer(200, `{"entries":[]}`))}
		if _, err := newClient(t, a, client.Options{}).Events(t.Context(), q); err != nil {
			t.Error(err)
		}
		if a.requests[0] != want {
			t.Errorf("got  %s\nwant %s", a.requests[0], want)
		}
	}
}

// TestEntry: the JSON of an entry stays as it came, to the digit; what this version does not understand does not break a page.
func TestEntry(t *testing.T) {
	t.Parallel()
	const line = `{"org":"org_acme","seq":48190,"id":"evt_01m7z7rs1affyad5cmxxj94a79","received_at":"2026-11-21T14:22:07.402118Z","leaf_hash":"DWs3","action":"invoice.updated","version":3,"actor":{"type":"user","id":"usr_7","via":[{"type":"user","id":"usr_1"}]},"changes":[{"path":"/amount","old":1.10,"new":9007199254740993}],"new_member":{"a":1e400}}`
	a := &answers{t: t, play: plays(
		answer(200, line), answer(200, strings.ReplaceAll(line, `,"`, ",\n \"")),
		answer(200, `{"entries":[{"org":"o","seq":1,"id":"evt_1","received_at":"2026-11-21T14:22:07Z","removed":"retention","by":"rule"},{"org":"o","seq":2,"id":"evt_2","received_at":"2026-11-21T14:22:07Z","version":"not a number"}],"next_cursor":null}`),
	)}
	c := newClient(t, a, client.Options{})
	for range 2 {
		x, err := c.Entry(t.Context(), "", "evt_01m7z7rs1affyad5cmxxj94a79")
		if err != nil || x.Seq != 48190 || x.Event.Version != 3 || x.Event.Actor.Via[0].ID != "usr_1" || string(x.Event.Changes[0].New.Raw()) != "9007199254740993" {
			t.Errorf("%+v, %v", x, err)
		}
		if string(x.JSON) != line {
			t.Errorf("got  %s\nwant %s", x.JSON, line)
		}
		if back, err := json.Marshal(x); err != nil || !bytes.Equal(back, x.JSON) {
			t.Errorf("%s, %v", back, err)
		}
	}
	page, err := c.Events(t.Context(), client.Query{})
	if err != nil || len(page.Entries) != 2 || page.Entries[0].Removed != "retention" || page.Entries[1].Seq != 2 || page.NextCursor != "" {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestAll follows the cursors to the end, asking for nothing else twice.
func TestAll(t *testing.T) {
	t.Parallel()
	entry := func(n int) string {
		return fmt.Sprintf(`{"org":"o","seq":%d,"id":"evt_%d","received_at":"2026-11-21T14:22:07Z"}`, n, n)
	}
	a := &answers{t: t, play: plays(
		answer(200, `{"entries":[`+entry(3)+`,`+entry(2)+`],"next_cursor":"c_1"}`), answer(200, `{"entries":[],"next_cursor":"c_2"}`), answer(200, `{"entries":[`+entry(1)+`],"next_cursor":null}`),
	)}
	var got []int64
	for x, err := range newClient(t, a, client.Options{}).All(t.Context(), client.Query{Text: "a:b", From: "now-1d"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, x.Seq)
	}
	if diff := cmp.Diff([]int64{3, 2, 1}, got); diff != "" {
		t.Error(diff)
	}
	want := []string{"GET /prefix/v1/events?from=now-1d&limit=1000&q=a%3Ab ", "GET /prefix/v1/events?cursor=c_1&limit=1000 ", "GET /prefix/v1/events?cursor=c_2&limit=1000 "}
	if diff := cmp.Diff(want, a.requests); diff != "" {
		t.Error(diff)
	}
}

// TestTail: a connection that ends is opened again at the position reached; nothing is yielded twice or left out.
func TestTail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		entry := func(n int) string {
			return fmt.Sprintf("id: %d\nevent: entry\ndata: {\"org\":\"o\",\"seq\":%d,\"id\":\"evt_1\",\ndata: \"received_at\":\"2026-11-21T14:22:07Z\"}\n\n", n, n)
		}
		const comment, position = ": still here\n\n", "id: 9\nevent: position\ndata: {\"seq\":9,\"size\":10}\n\n"
		a := &answers{t: t, play: plays(
			answer(200, "retry: 1000\n\n"+entry(3)+comment+entry(4)),                                // cut by the server
			answer(200, strings.TrimSuffix(entry(5), "\n")+"\n"+"id: 6\nevent: entry\ndata: {\"se"), // cut in the middle of a line
			broken, answer(503, `{"code":"not_ready"}`),
			answer(200, position+"event: something_new\ndata: {}\n\n"),
			answer(200, strings.ReplaceAll(entry(12), "\n", "\r\n")),
			answer(404, `{"code":"not_found","detail":"gone"}`),
		)}
		var got []string
		for s, err := range newClient(t, a, client.Options{}).Tail(t.Context(), client.TailQuery{Text: "x", FromSeq: 3}) {
			switch {
			case err != nil:
				got = append(got, string(daybook.CodeOf(err)))
			case s.Entry != nil:
				got = append(got, strconv.FormatInt(s.Entry.Seq, 10))
			default:
				got = append(got, fmt.Sprint("next ", s.Next))
			}
		}
		if diff := cmp.Diff([]string{"3", "4", "5", "next 10", "12", "not_found"}, got); diff != "" {
			t.Error(diff)
		}
		var froms []string
		for _, r := range a.requests {
			_, from, _ := strings.Cut(r, "from_seq=")
			from, _, _ = strings.Cut(from, "&")
			froms = append(froms, from)
		}
		if diff := cmp.Diff([]string{"3", "5", "6", "6", "6", "10", "13"}, froms); diff != "" {
			t.Errorf("positions asked for (-want +got):\n%s", diff)
		}
	})
}

// TestTailGivesUp when the server stays away, and ends with its context.
func TestTailGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{t: t, play: plays(broken, broken, broken)}
		n := 0
		for _, err := range newClient(t, a, client.Options{Attempts: 3}).Tail(t.Context(), client.TailQuery{FromSeq: -1}) {
			if n++; err == nil {
				t.Error("no error")
			}
		}
		if n != 1 || len(a.requests) != 3 {
			t.Errorf("%d errors, %d requests", n, len(a.requests))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range newClient(t, &answers{t: t, play: plays(broken)}, client.Options{}).Tail(ctx, client.TailQuery{}) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		}
	})
}

// TestManage: organizations, keys and the backup, against a server that answers as the API says.
func TestManage(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer dbk_x" || r.Header.Get("User-Agent") != "daybook-go" {
			t.Errorf("headers %v", r.Header)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		say := map[string]string{
			`POST /v1/organizations {"id":"org_acme","name":"Acme"}`:                       `{"id":"org_acme","name":"Acme","size":0}`,
			`GET /v1/organizations?limit=1000 `:                                            `{"organizations":[{"id":"a"}],"next_cursor":"c_1"}`,
			`GET /v1/organizations?cursor=c_1&limit=1000 `:                                 `{"organizations":[{"id":"b"}],"next_cursor":null}`,
			`GET /v1/organizations/org:a@b `:                                               `{"id":"org:a@b","size":7}`,
			`POST /v1/keys {"name":"ci","org":null,"scopes":["record"],"expires_at":null}`: `{"id":"key_1","org":null,"key":"dbk_new"}`,
			`GET /v1/keys?limit=1000 `:                                                     `{"keys":[{"id":"key_1","org":"org_acme"}],"next_cursor":null}`,
			`DELETE /v1/keys/key_1 `:                                                       ``,
			`GET /v1/whoami `:                                                              `{"id":"key_1","scopes":["read"],"version":"v1"}`,
			`GET /v1/backup `:                                                              `SQLite format 3`,
			`GET /v1/facets?fields=&q=a%3Ab `:                                              `{"count":{"value":10000,"exact":false},"facets":{}}`,
			`GET /v1/facets?fields=action&top=3 `:                                          `{"facets":{"action":{"values":[{"value":"a.b","count":5}]}}}`,
			`GET /readyz `:                                                                 `{}`,
		}
		text, ok := say[r.Method+" "+r.URL.RequestURI()+" "+string(body)]
		if !ok {
			t.Errorf("%s %s %s was not expected", r.Method, r.URL.RequestURI(), body)
			w.WriteHeader(http.StatusTeapot)
		}
		io.WriteString(w, text) //nolint:errcheck // the client sees it
	}))
	defer server.Close()
	c, err := client.New(client.Options{URL: server.URL, Key: "dbk_x"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	check := func(what string, ok bool, err error) {
		t.Helper()
		if !ok || err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	org, err := c.CreateOrganization(ctx, "org_acme", "Acme")
	check("create an org", org.ID == "org_acme", err)
	orgs, err := c.Organizations(ctx)
	check("list orgs", len(orgs) == 2 && orgs[1].ID == "b", err)
	org, err = c.Organization(ctx, "org:a@b")
	check("get an org", org.Size == 7, err)
	key, err := c.CreateKey(ctx, client.NewKey{Name: "ci", Scopes: []string{"record"}})
	check("create a key", key.Secret == "dbk_new" && key.Org == nil, err)
	keys, err := c.Keys(ctx)
	check("list keys", len(keys) == 1 && *keys[0].Org == "org_acme", err)
	check("revoke a key", true, c.RevokeKey(ctx, "key_1"))
	me, err := c.Whoami(ctx)
	check("whoami", me.ID == "key_1" && me.Version == "v1", err)
	var b bytes.Buffer
	n, err := c.Backup(ctx, &b)
	check("backup", n == 15 && b.String() == "SQLite format 3", err)
	many, exact, err := c.Count(ctx, client.Query{Text: "a:b"})
	check("count", many == 10000 && !exact, err)
	facet, err := c.Facet(ctx, client.Query{}, "action", 3)
	check("facet", len(facet) == 1 && facet[0].Count == 5, err)
	at, err := c.Ready(ctx)
	check("ready", time.Since(at) < time.Minute, err)
}

// TestBackupCutShort: a copy that ends too early is no backup.
func TestBackupCutShort(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "SQLite form") //nolint:errcheck // cut on purpose
		w.(http.Flusher).Flush()         //nolint:forcetypeassert // of net/http
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	c, err := client.New(client.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Backup(t.Context(), io.Discard); err == nil {
		t.Error("a part was taken for the whole")
	}
}

// TestNew refuses addresses that cannot be a server's.
func TestNew(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "audit.example.com", "ftp://x", "http://", "://", "http://[::1"} {
		if _, err := client.New(client.Options{URL: u}); err == nil {
			t.Errorf("%q was accepted", u)
		}
	}
}

// A control entry says in "by" who asked for it, as an object; of what was removed it is a word.
func TestEntry_by(t *testing.T) {
	t.Parallel()
	var control, removed client.Entry
	if err := json.Unmarshal([]byte(`{"seq":3,"op":"key","by":{"type":"user","id":"usr_9"}}`), &control); err != nil || control.Seq != 3 || control.By != "user:usr_9" {
		t.Errorf("control entry: %+v, %v", control, err)
	}
	if err := json.Unmarshal([]byte(`{"seq":4,"removed":"erased","by":"ers_1"}`), &removed); err != nil || removed.By != "ers_1" {
		t.Errorf("removed entry: %+v, %v", removed, err)
	}
}
