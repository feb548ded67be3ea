package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
)

// stuckBook says that a recording has come, and answers it when it is told to.
type stuckBook struct {
	api.Book
	came, goOn chan struct{}
}

func (b stuckBook) RecordJSON(ctx context.Context, org daybook.OrgID, q daybook.Request) (daybook.Result, error) {
	b.came <- struct{}{}
	<-b.goOn
	return b.Book.RecordJSON(ctx, org, q)
}

// metadata is that of an event of so many bytes.
func metadata(bytes int) string { return `,"metadata":{"text":"` + strings.Repeat("x", bytes) + `"}` }

// busy checks an answer that refuses: 503, a code, and when to come again.
func busy(t *testing.T, what string, w *httptest.ResponseRecorder) {
	t.Helper()
	var p struct{ Code string }
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusServiceUnavailable || p.Code != "overloaded" || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%s: %d %v %s", what, w.Code, w.Header(), w.Body)
	}
}

// More requests than may be at work are refused at once, whatever is wrong with those that are; then there is room again.
func TestAtWork(t *testing.T) {
	t.Parallel()
	stuck := stuckBook{came: make(chan struct{}), goOn: make(chan struct{})}
	f := newFixture(t, setup{deps: func(d *api.Deps) {
		stuck.Book = d.Book
		d.Book, d.Limits.AtWork = stuck, 2
	}})
	record := func() *httptest.ResponseRecorder {
		return f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: event("a.b", "")})
	}
	answers := make(chan *httptest.ResponseRecorder, 2)
	for range 2 {
		go func() { answers <- record() }()
		<-stuck.came
	}
	busy(t, "a third recording", record())
	busy(t, "a recording with a large body", f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: event("a.b", metadata(40<<10))}))
	busy(t, "another request with a body", f.do(ask{method: "POST", path: "/v1/holds", key: f.admin, header: []string{"Daybook-Org", "org_acme"}, body: `{"query":"action:a.b","reason":"x"}`}))
	if w := f.do(ask{path: "/v1/events", key: f.acme}); w.Code != http.StatusOK {
		t.Errorf("reading: %d %s", w.Code, w.Body)
	}
	close(stuck.goOn)
	for range 2 {
		if w := <-answers; w.Code != http.StatusCreated {
			t.Errorf("one that was taken in: %d %s", w.Code, w.Body)
		}
	}
	go func() { <-stuck.came }()
	if w := record(); w.Code != http.StatusCreated {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
}

// Bodies that arrive hold room, large ones at least 256 KiB. What there is no room for is refused; small ones go on.
func TestRoomForBodies(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{deps: func(d *api.Deps) { d.Limits.Bodies = 400 << 10 }})
	other := newFixture(t, setup{})
	for range 8 { // however large those were that came before, also to another server of this process
		if w := other.do(ask{method: "POST", path: "/v1/events", key: other.acme, body: "[" + strings.Repeat(" ", 2<<20) + event("a.b", "") + "]"}); w.Code != http.StatusCreated {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	small := ask{method: "POST", path: "/v1/events", key: f.acme, body: event("a.b", "")}
	large := ask{method: "POST", path: "/v1/events", key: f.acme, body: event("a.b", metadata(90<<10))}
	read, slow := io.Pipe()
	done := make(chan *httptest.ResponseRecorder, 1)
	r := small.request(t.Context())
	r.Body, r.ContentLength = read, -1
	go func() {
		w := f.send(r)
		_ = read.CloseWithError(fmt.Errorf("answered with %d: %s", w.Code, w.Body)) // nobody reads any more
		done <- w
	}()
	if _, err := io.WriteString(slow, strings.Repeat(" ", 60<<10)); err != nil { // returns when it has been read
		t.Fatal(err)
	}
	w := f.do(large)
	busy(t, "a large body beside a slow one", w)
	if w.Header().Get("Connection") != "close" {
		t.Error("the rest of a large body would be read")
	}
	if w := f.do(small); w.Code != http.StatusCreated {
		t.Errorf("a small body beside a slow one: %d %s", w.Code, w.Body)
	}
	if err := slow.CloseWithError(io.ErrUnexpectedEOF); err != nil {
		t.Fatal(err)
	}
	if w := <-done; w.Code != http.StatusBadRequest {
		t.Errorf("the slow one, cut short: %d %s", w.Code, w.Body)
	}
	for range 3 {
		if w := f.do(large); w.Code != http.StatusCreated {
			t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
	}
}

// unread is a client that does not read its answer until it is told to.
type unread struct {
	*httptest.ResponseRecorder
	came, goOn chan struct{}
}

func (u *unread) Write(b []byte) (int, error) {
	close(u.came)
	<-u.goOn
	return u.ResponseRecorder.Write(b)
}

// Large answers that nobody takes hold room: others of that size are refused, small ones are not, and what was recorded is answered.
func TestRoomForAnswers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{deps: func(d *api.Deps) { d.Limits.Answers = 100 << 10 }})
	for range 2 {
		f.record(f.acme, event("a.b", metadata(70<<10)))
	}
	page := ask{path: "/v1/events?limit=1&q=action:a.b", key: f.acme}
	slow := &unread{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.server.ServeHTTP(slow, page.request(t.Context()))
	}()
	<-slow.came
	busy(t, "a large answer beside one that nobody takes", f.do(page))
	if w := f.do(ask{path: "/v1/whoami", key: f.acme}); w.Code != http.StatusOK {
		t.Errorf("a small answer: %d %s", w.Code, w.Body)
	}
	many := "[" + strings.TrimSuffix(strings.Repeat(event("a.c", "")+",", 1000), ",") + "]"
	if w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: many}); w.Code != http.StatusCreated || w.Body.Len() < 64<<10 {
		t.Errorf("the receipts of what was recorded: %d, %d bytes", w.Code, w.Body.Len())
	}
	close(slow.goOn)
	<-done
	if w := f.do(page); w.Code != http.StatusOK || slow.Code != http.StatusOK {
		t.Errorf("afterwards: %d, and %d for the slow one", w.Code, slow.Code)
	}
}
