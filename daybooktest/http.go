package daybooktest

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/daybookhttp"
)

// RunHTTP holds an adapter of package daybookhttp to what [daybookhttp.Middleware] promises. wrap returns a server of the adapter's
// framework that records with the Clerk and the Options and hands every request to the handler.
func RunHTTP(t *testing.T, wrap func(*daybook.Clerk, daybookhttp.Options, http.Handler) http.Handler) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *httpTest){
		"the request is recorded after the handler":      testRecorded,
		"GET is not recorded":                            testNotRecorded,
		"bodies pass whole and are recorded redacted":    testBodies,
		"a long body is cut, and its HMAC kept":          testCut,
		"a stream is not held back":                      testStream,
		"a connection can be taken over":                 testHijack,
		"a panic is recorded and goes on":                testPanic,
		"who asks is asked after the handler":            testActor,
		"no second event where the handler recorded one": testMerge,
		"what cannot be recorded is refused":             testFailClosed,
		"what fails open is answered":                    testFailOpen,
		"a client that is gone is recorded":              testGone,
		"only trusted proxies are believed":              testProxies,
		"401 and 403 are denied, the rest fails":         testOutcome,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &httpTest{t: t, wrap: wrap})
		})
	}
}

// httpTest is one test of RunHTTP.
type httpTest struct {
	t       *testing.T
	wrap    func(*daybook.Clerk, daybookhttp.Options, http.Handler) http.Handler
	failure []daybook.FailureRule
	clerk   *daybook.Clerk
	kept    kept
	url     string
}

// kept is a Recorder that keeps events in memory, or fails.
type kept struct {
	mu     sync.Mutex
	events []daybook.Event
	more   chan struct{} // told of every event
	fails  bool
}

var errKept = errors.New("the log is out of reach")

func (k *kept) Record(_ context.Context, org daybook.OrgID, e daybook.Event) (daybook.Receipt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails {
		return daybook.Receipt{}, errKept
	}
	k.events = append(k.events, e)
	k.more <- struct{}{}
	return daybook.Receipt{ID: e.ID, Org: org, Seq: int64(len(k.events) - 1)}, nil
}

func (k *kept) RecordBatch(ctx context.Context, org daybook.OrgID, es []daybook.Event) ([]daybook.Receipt, error) {
	receipts := make([]daybook.Receipt, len(es))
	for i, e := range es {
		var err error
		if receipts[i], err = k.Record(ctx, org, e); err != nil {
			return nil, err
		}
	}
	return receipts, nil
}

// serve starts a server.
func (h *httpTest) serve(o daybookhttp.Options, handler http.HandlerFunc) {
	h.t.Helper()
	h.kept.more = make(chan struct{}, 100)
	var err error
	if h.clerk, err = daybook.NewClerk(&h.kept, daybook.ClerkOptions{Org: "org_acme", Actor: daybook.UnknownIsValid, Failure: h.failure, Secret: []byte(strings.Repeat("k", 32))}); err != nil {
		h.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h.wrap(h.clerk, o, handler))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // panics are meant
	server.Start()
	h.t.Cleanup(server.Close)
	h.url = server.URL
}

// ask sends a request and returns the answer.
func (h *httpTest) ask(method, path, body string, header ...string) (int, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close() //nolint:errcheck // it is only read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// one waits for an event and returns it; there must be no other.
func (h *httpTest) one() daybook.Event {
	h.t.Helper()
	select {
	case <-h.kept.more:
	case <-time.After(time.Minute):
		h.t.Fatal("no event was recorded")
	}
	h.kept.mu.Lock()
	defer h.kept.mu.Unlock()
	if len(h.kept.events) != 1 {
		h.t.Fatalf("%d events were recorded, not one", len(h.kept.events))
	}
	return h.kept.events[0]
}

func (h *httpTest) equal(what string, got, want any) {
	h.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func testRecorded(t *testing.T, h *httpTest) {
	t.Helper()
	h.serve(daybookhttp.Options{Rules: []daybookhttp.Rule{{Routes: []string{"/invoices/{id}"}, Level: daybookhttp.Metadata, Action: "invoice.updated"}}},
		func(w http.ResponseWriter, _ *http.Request) { answer(w, 202, `{}`) })
	if status, body := h.ask("PUT", "/invoices/42?a=1", `{"x":1}`, "User-Agent", "test/1", "X-Request-Id", "req_1"); status != 202 || body != `{}` {
		t.Errorf("answered with %d %s", status, body)
	}
	e := h.one()
	h.equal("action", e.Action, "invoice.updated")
	h.equal("targets", e.Targets, []daybook.Target{{Type: "invoices", ID: "42"}})
	h.equal("context", e.Context, daybook.Context{IP: "127.0.0.1", UserAgent: "test/1", RequestID: "req_1", HTTP: &daybook.HTTP{
		Method: "PUT", Route: "/invoices/{id}", Path: "/invoices/42", StatusCode: 202, Params: json.RawMessage(`{"id":"42"}`),
	}})
	h.equal("outcome", e.Outcome, daybook.Success)
}

func testNotRecorded(t *testing.T, h *httpTest) {
	t.Helper()
	h.serve(daybookhttp.Options{}, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{}`) })
	h.ask("GET", "/invoices", "")
	h.ask("HEAD", "/invoices", "")
	h.ask("OPTIONS", "/invoices", "")
	h.ask("DELETE", "/invoices", "")
	h.equal("method", h.one().Context.HTTP.Method, "DELETE")
}

var everything = []daybookhttp.Rule{{Level: daybookhttp.RequestResponse}}

func testBodies(t *testing.T, h *httpTest) {
	t.Helper()
	got := make(chan string, 1)
	h.serve(daybookhttp.Options{Rules: everything}, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got <- string(text)
		answer(w, 200, `{"token":"t","ok":true}`)
	})
	const sent = `{"user":{"name":"Ada","password":"hunter2"},"n":1.10}`
	if _, body := h.ask("POST", "/users?api_key=k&page=2", sent); body != `{"token":"t","ok":true}` {
		t.Errorf("the client got %s", body)
	}
	h.equal("body at the handler", <-got, sent)
	e := h.one()
	h.equal("request", string(e.Context.HTTP.Request), `{"user":{"name":"Ada","password":{"$masked":true}},"n":1.10}`)
	h.equal("response", string(e.Context.HTTP.Response), `{"token":{"$masked":true},"ok":true}`)
	if text := string(e.Metadata); !strings.Contains(text, `"query":{"api_key":{"$masked":true},"page":"2"}`) {
		t.Errorf("metadata is %s", text)
	}
}

func testCut(t *testing.T, h *httpTest) {
	t.Helper()
	h.serve(daybookhttp.Options{Rules: everything, MaxBody: 64}, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		answer(w, 200, string(text))
	})
	long := `{"a":1,"list":[1,2,3],"text":"` + strings.Repeat("x", 5000) + `"}`
	if _, body := h.ask("POST", "/x", long); body != long {
		t.Errorf("the client got %d bytes of %d", len(body), len(long))
	}
	mac := hmac.New(sha256.New, h.clerk.DeriveKey("http"))
	mac.Write([]byte(long))
	want := fmt.Sprintf(`{"$cut":{"size":%d,"hmac":%q,"why":"size","beginning":{"a":1,"list":[1,2,3]}}}`, len(long), base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	e := h.one()
	h.equal("request", string(e.Context.HTTP.Request), want)
	h.equal("response", string(e.Context.HTTP.Response), want)
}

func testStream(t *testing.T, h *httpTest) {
	t.Helper()
	first := make(chan struct{})
	h.serve(daybookhttp.Options{Rules: everything}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-first
		_, _ = io.WriteString(w, "data: 2\n\n")
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it is only read
	lines := bufio.NewReader(answer.Body)
	if line, err := lines.ReadString('\n'); err != nil || line != "data: 1\n" {
		t.Fatalf("%q %v", line, err)
	}
	close(first)
	if rest, err := io.ReadAll(lines); err != nil || string(rest) != "\ndata: 2\n\n" {
		t.Errorf("%q %v", rest, err)
	}
	h.equal("response", string(h.one().Context.HTTP.Response), "")
}

func testHijack(t *testing.T, h *httpTest) {
	t.Helper()
	h.serve(daybookhttp.Options{Rules: everything}, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close() //nolint:errcheck // the test reads to the end
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nsecret words")
		_ = rw.Flush()
	})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it is only read
	_, _ = io.WriteString(conn, "POST /chat HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
	if text, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(text), "secret words") {
		t.Errorf("%q %v", text, err)
	}
	e := h.one()
	h.equal("status", e.Context.HTTP.StatusCode, 101)
	h.equal("response", string(e.Context.HTTP.Response), "")
}

func testPanic(t *testing.T, h *httpTest) {
	t.Helper()
	h.serve(daybookhttp.Options{}, func(http.ResponseWriter, *http.Request) { panic("secret of the heap") })
	if status, body := h.ask("DELETE", "/x", ""); status != 0 && status != 500 || strings.Contains(body, "secret") {
		t.Errorf("answered with %d %s", status, body)
	}
	e := h.one()
	h.equal("outcome", e.Outcome, daybook.Failure)
	h.equal("status", e.Context.HTTP.StatusCode, 500)
	h.equal("error", e.Error, &daybook.EventFault{Code: "panic"})
}

func testActor(t *testing.T, h *httpTest) {
	t.Helper()
	var mu sync.Mutex
	user := ""
	h.serve(daybookhttp.Options{Actor: func(*http.Request) (daybook.Actor, error) {
		mu.Lock()
		defer mu.Unlock()
		if user == "" {
			return daybook.Actor{}, nil
		}
		return daybook.Actor{Type: "user", ID: user}, nil
	}}, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		user = "usr_7"
		answer(w, 200, "{}")
	})
	h.ask("POST", "/x", "{}", "X-User", "root")
	h.equal("actor", h.one().Actor, daybook.Actor{Type: "user", ID: "usr_7"})
}

func testMerge(t *testing.T, h *httpTest) {
	t.Helper()
	h.serve(daybookhttp.Options{
		Rules: []daybookhttp.Rule{{Level: daybookhttp.RequestResponse, Merge: true}},
		Actor: func(*http.Request) (daybook.Actor, error) { return daybook.Actor{Type: "user", ID: "usr_7"}, nil },
	}, func(w http.ResponseWriter, r *http.Request) {
		if _, err := h.clerk.Record(r.Context(), daybook.Event{Action: "invoice.paid"}); err != nil {
			t.Error(err)
		}
		answer(w, 200, "{}")
	})
	h.ask("POST", "/pay", "{}", "User-Agent", "test/1")
	e := h.one()
	h.equal("action", e.Action, "invoice.paid")
	h.equal("actor", e.Actor.ID, "usr_7")
	h.equal("user agent", e.Context.UserAgent, "test/1")
	h.equal("path", e.Context.HTTP.Path, "/pay")
}

func testFailClosed(t *testing.T, h *httpTest) {
	t.Helper()
	h.kept.fails = true
	h.serve(daybookhttp.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/x/1")
		answer(w, 201, `{"id":1}`)
	})
	if status, body := h.ask("POST", "/x", "{}"); status != 500 || strings.Contains(body, "id") {
		t.Errorf("answered with %d %s", status, body)
	}
	h.equal("lost", h.clerk.Stats().Lost, int64(0))
}

func testFailOpen(t *testing.T, h *httpTest) {
	t.Helper()
	h.kept.fails, h.failure = true, []daybook.FailureRule{{Action: "*", Policy: daybook.FailOpen}}
	h.serve(daybookhttp.Options{}, func(w http.ResponseWriter, _ *http.Request) { answer(w, 201, `{"id":1}`) })
	if status, body := h.ask("POST", "/x", "{}"); status != 201 || body != `{"id":1}` {
		t.Errorf("answered with %d %s", status, body)
	}
	h.equal("lost", h.clerk.Stats().Lost, int64(1))
}

func testGone(t *testing.T, h *httpTest) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h.serve(daybookhttp.Options{}, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		answer(w, 200, "{}")
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := http.DefaultClient.Do(r); err == nil {
		_ = answer.Body.Close()
	}
	h.equal("path", h.one().Context.HTTP.Path, "/x")
}

func testProxies(t *testing.T, h *httpTest) {
	t.Helper()
	h.serve(daybookhttp.Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}},
		func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "{}") })
	h.ask("POST", "/x", "{}", "X-Forwarded-For", "1.1.1.1, 203.0.113.9, 10.0.0.7", "X-Real-Ip", "6.6.6.6")
	h.equal("address", h.one().Context.IP, "203.0.113.9")
}

func testOutcome(t *testing.T, h *httpTest) {
	t.Helper()
	h.serve(daybookhttp.Options{}, func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusConflict
		if r.URL.Path == "/forbidden" {
			status = http.StatusForbidden
		}
		answer(w, status, `{"message":"no"}`)
	})
	h.ask("POST", "/forbidden", "{}")
	e := h.one()
	h.equal("outcome", e.Outcome, daybook.Denied)
	h.equal("error", e.Error, &daybook.EventFault{Code: "403", Message: "Forbidden"})
	h.kept.mu.Lock()
	h.kept.events = nil
	h.kept.mu.Unlock()
	h.ask("POST", "/conflict", "{}")
	h.equal("outcome", h.one().Outcome, daybook.Failure)
}
