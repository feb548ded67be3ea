package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
)

// patience is how long a test waits for what a quiet machine does at once.
const patience = 3 * time.Minute

// stream is a live tail being read.
type stream struct {
	t    testing.TB
	body *bufio.Reader
	stop context.CancelFunc
	done func()
}

func (f *fixture) tail(url, key string, header ...string) *stream {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		f.t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	s := &stream{t: f.t, body: bufio.NewReader(response.Body), stop: cancel, done: func() { _ = response.Body.Close() }}
	if first := s.block(); first != "retry: 1000\n" {
		f.t.Errorf("the stream begins with %q", first)
	}
	return s
}

// block reads up to the next blank line; empty at the end.
func (s *stream) block() string {
	var b strings.Builder
	for {
		line, err := s.body.ReadString('\n')
		if err != nil {
			return ""
		}
		if line == "\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

func (s *stream) close() {
	s.stop()
	s.done()
}

// entry reads the next entry event and checks that its id is its seq.
func (s *stream) entry() (seq int64, data string) {
	s.t.Helper()
	for {
		block := s.block()
		if block == "" {
			s.t.Fatal("the stream has ended")
		}
		var event string
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch name {
			case "id":
				seq, _ = strconv.ParseInt(value, 10, 64)
			case "event":
				event = value
			case "data":
				data = value
			}
		}
		if event != "entry" {
			continue
		}
		var e struct{ Seq int64 }
		if err := json.Unmarshal([]byte(data), &e); err != nil || e.Seq != seq {
			s.t.Fatalf("%v: id %d with %s", err, seq, data)
		}
		return seq, data
	}
}

// TestTailWithoutGap: while many record, one reads, leaves, and returns with Last-Event-ID, again and again: every seq comes once, in
// order.
func TestTailWithoutGap(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	server := httptest.NewServer(f.server)
	t.Cleanup(server.Close)
	const writers, each = 4, 100
	f.record(f.acme, event("before.tail", ""))
	var wait sync.WaitGroup
	for range writers {
		wait.Go(func() {
			for i := range each {
				body := event("a.b", "")
				if i%3 == 0 {
					body = "[" + event("a.one", "") + "," + event("a.two", "") + "]"
				}
				if w := f.do(ask{method: "POST", path: "/v1/events", key: f.acme, body: body}); w.Code != 201 {
					t.Errorf("record: %d %s", w.Code, w.Body)
				}
			}
		})
	}
	total := int64(1 + writers*(each+(each+2)/3))
	next := int64(0)
	s := f.tail(server.URL+"/v1/events/tail?from_seq=0", f.acme)
	for next < total {
		seq, _ := s.entry()
		if seq != next {
			t.Fatalf("seq %d came, %d was to come", seq, next)
		}
		if next++; next%97 == 0 {
			s.close()
			s = f.tail(server.URL+"/v1/events/tail?from_seq=0", f.acme, "Last-Event-ID", strconv.FormatInt(seq, 10))
		}
	}
	s.close()
	wait.Wait()
}

// A slow reader gets everything: what it has not read yet stays in the log.
func TestTailFilterAndHead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	server := httptest.NewServer(f.server)
	t.Cleanup(server.Close)
	f.record(f.acme, event("before.tail", ""))
	s := f.tail(server.URL+"/v1/events/tail?q=action:wanted.*", f.acme)
	other := f.tail(server.URL+"/v1/events/tail", f.globex)
	for i := range 20 {
		f.record(f.acme, event("noise.made", ""))
		f.record(f.acme, event("wanted.done", fmt.Sprintf(`,"reason":"r%d"`, i)))
	}
	for i := range 20 {
		seq, data := s.entry()
		if seq != int64(2*i+2) || !strings.Contains(data, fmt.Sprintf(`"r%d"`, i)) {
			t.Errorf("entry %d: seq %d, %s", i, seq, data)
		}
	}
	s.close()
	// Whatever org_acme recorded, org_globex sees its own alone.
	f.record(f.globex, event("own.done", ""))
	if seq, data := other.entry(); seq != 0 || !strings.Contains(data, `"org":"org_globex"`) {
		t.Errorf("org_globex sees %d %s", seq, data)
	}
	other.close()
}

func TestTailRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	for name, a := range map[string]ask{
		"query":         {path: "/v1/events/tail?q=actr:x"},
		"from_seq":      {path: "/v1/events/tail?from_seq=-1"},
		"Last-Event-ID": {path: "/v1/events/tail", header: []string{"Last-Event-ID", "x"}},
		"parameter":     {path: "/v1/events/tail?limit=1"},
		"zone":          {path: "/v1/events/tail?tz=Mars/Olympus"},
	} {
		a.key = f.acme
		if w := f.do(a); w.Code != 400 || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// The end of the server ends the tails, so that it can shut down.
func TestTailEndsAtShutdown(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	server := httptest.NewUnstartedServer(nil)
	server.Config = f.server.HTTPServer()
	server.Start()
	s := f.tail(server.URL+"/v1/events/tail", f.acme)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := server.Config.Shutdown(ctx); err != nil {
		t.Errorf("shutdown waited for the tail: %v", err)
	}
	if block := s.block(); block != "" {
		t.Errorf("after the shutdown: %q", block)
	}
	s.close()
}

// pipe is an answer that another goroutine reads while it is written.
type pipe struct {
	mu   sync.Mutex
	text strings.Builder
	head http.Header
}

func (p *pipe) Header() http.Header { return p.head }
func (p *pipe) WriteHeader(int)     {}
func (p *pipe) Flush()              {}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *pipe) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.text.String()
	p.text.Reset()
	return text
}

// The heartbeat and the position are a matter of time, which here is synctest's.
func TestTailHeartbeatAndPosition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, setup{
			book: func(o daybook.Options) daybook.Options { o.Now = time.Now; return o },
			deps: func(d *api.Deps) { d.Now = time.Now },
		})
		ctx, cancel := context.WithCancel(t.Context())
		out := &pipe{head: http.Header{}}
		ended := make(chan struct{})
		go func() {
			f.server.ServeHTTP(out, ask{path: "/v1/events/tail?q=action:wanted.*", key: f.acme}.request(ctx))
			close(ended)
		}()
		synctest.Wait()
		if text := out.take(); text != "retry: 1000\n\n" {
			t.Errorf("at first: %q", text)
		}
		time.Sleep(46 * time.Second)
		synctest.Wait()
		if text := out.take(); text != strings.Repeat(": \n\n", 3) {
			t.Errorf("46 s without an entry: %q", text)
		}
		for range 7 {
			f.record(f.acme, event("noise.made", ""))
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if text := out.take(); !strings.Contains(text, "id: 6\nevent: position\ndata: {\"seq\":6,\"size\":7}\n\n") || strings.Count(text, "event:") != 1 {
			t.Errorf("after entries that do not match: %q", text)
		}
		cancel()
		<-ended
	})
}
