package load_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/server/internal/load"
	"github.com/daybook-audit/daybook/server/internal/madeup"
)

// TestLatencies: quantiles are at most 1 % off, whatever the magnitude.
func TestLatencies(t *testing.T) {
	t.Parallel()
	for _, unit := range []time.Duration{time.Nanosecond, time.Microsecond, time.Millisecond, time.Minute} {
		var h, half load.Latencies
		for i := 1; i <= 1000; i++ {
			if i%2 == 0 {
				half.Add(time.Duration(i) * unit)
			} else {
				h.Add(time.Duration(i) * unit)
			}
		}
		h.Merge(&half)
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99} {
			want := (q*1000 + 1) * float64(unit) / 1e6
			if got := h.At(q); got < want*0.985 || got > want*1.015 {
				t.Errorf("unit %v: quantile %v = %v ms, want about %v", unit, q, got, want)
			}
		}
		if want := float64(1000*unit) / 1e6; h.Max() != want || h.At(1) != want {
			t.Errorf("unit %v: max %v, at(1) %v, want %v", unit, h.Max(), h.At(1), want)
		}
	}
}

// against returns a plan against handler, of requests that record batches of ten.
func against(t *testing.T, handler http.HandlerFunc) *load.Plan {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := load.Recording{Workload: madeup.Workload{Orgs: 3, Seed: 1, Size: 700}, Server: u, Key: "secret", Batch: 10, Bodies: 100}
	requests, err := r.Requests(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &load.Plan{Hosts: []string{load.HostPort(u)}, Requests: requests, Connections: 4, Now: time.Now}
}

// Requests are whole: what arrives is what the workload makes, under a key and an org.
func TestRun_requests(t *testing.T) {
	t.Parallel()
	var events atomic.Int64
	p := against(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/events" || r.Header.Get("Authorization") != "Bearer secret" || !strings.HasPrefix(r.Header.Get("Daybook-Org"), "org_") {
			t.Errorf("%s %s of %q (%v)", r.Method, r.URL, r.Header, err)
		}
		events.Add(int64(strings.Count(string(body), `"action":`)))
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"receipts":[]}`)
	})
	p.Count, p.Keep = 37, true
	out, err := p.Run(t.Context())
	if err != nil || out.Accepted.N() != 37 || out.Requests() != 37 || events.Load() < 370 || len(out.Answers) != 37 {
		t.Fatalf("%d accepted of %d requests with %d events, %d answers kept (%v)", out.Accepted.N(), out.Requests(), events.Load(), len(out.Answers), err)
	}
	for _, a := range out.Answers {
		if a.Body != `{"receipts":[]}` || !strings.HasPrefix(string(a.Org), "org_") {
			t.Errorf("answer %+v", a)
		}
	}
}

// What is refused with a time to come again is told from what fails, and a connection that ends is opened again.
func TestRun_outcomes(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	p := against(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) % 5 {
		case 0:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "come again", http.StatusServiceUnavailable)
		case 1:
			http.Error(w, "no time is named", http.StatusServiceUnavailable)
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			w.Header().Set("Connection", "close")
		case 4:
			if err := http.NewResponseController(w).Flush(); err != nil { // chunked
				t.Error(err)
			}
			fmt.Fprint(w, "some words")
		}
	})
	p.Connections, p.Count = 1, 10
	out, err := p.Run(t.Context())
	if err != nil || out.Accepted.N() != 4 || out.Refused.N() != 2 || out.Failed != 4 {
		t.Fatalf("accepted %d, refused %d, failed %d, want 4, 2, 4 (%v)", out.Accepted.N(), out.Refused.N(), out.Failed, err)
	}
	if out.Refusal != "503 come again\n" || out.Failure != "503 no time is named\n" {
		t.Errorf("first refusal %q, first failure %q", out.Refusal, out.Failure)
	}
}

// In the open model latency counts from when a request should have started, however late it was sent.
func TestRun_open(t *testing.T) {
	t.Parallel()
	p := against(t, func(http.ResponseWriter, *http.Request) {})
	begin := time.Now()
	late := func() time.Time { return begin.Add(190 * time.Millisecond) }
	p.Rate, p.Length = 100, 200*time.Millisecond
	p.Now = startThen(begin, late)
	out, err := p.Run(t.Context())
	if err != nil || out.Accepted.N() != 20 || out.Unsent != 0 || out.Accepted.Max() != 190 {
		t.Errorf("%d accepted, %d shed, the slowest after %v ms; want 20, 0, 190 (%v)", out.Accepted.N(), out.Unsent, out.Accepted.Max(), err)
	}
}

// A start that finds every connection waiting is shed and counted, when that is asked for.
func TestRun_shed(t *testing.T) {
	t.Parallel()
	var asked, held atomic.Int64
	p := against(t, func(http.ResponseWriter, *http.Request) {
		held.Add(1)
		for asked.Load() < 21+4+held.Load() { // the clock is read at the start, at each arrival, and by connections that are free or just sent
			runtime.Gosched()
		}
	})
	begin := time.Now()
	p.Rate, p.Length, p.Shed = 100, 200*time.Millisecond, true
	p.Now = startThen(begin, func() time.Time {
		asked.Add(1)
		return begin.Add(190 * time.Millisecond)
	})
	asked.Add(1) // by the start
	out, err := p.Run(t.Context())
	if err != nil || out.Accepted.N()+out.Unsent != 20 || out.Unsent < 15 {
		t.Errorf("%d accepted and %d shed of 20 on four connections that wait (%v)", out.Accepted.N(), out.Unsent, err)
	}
}

// startThen is a clock that says begin once, and then what then says.
func startThen(begin time.Time, then func() time.Time) func() time.Time {
	var started atomic.Bool
	return func() time.Time {
		if !started.Swap(true) {
			return begin
		}
		return then()
	}
}

// A server that cannot be reached is an error, not an outcome.
func TestRun_unreachable(t *testing.T) {
	t.Parallel()
	p := against(t, func(http.ResponseWriter, *http.Request) {})
	p.Hosts, p.Count = []string{"127.0.0.1:1"}, 5
	if out, err := p.Run(t.Context()); err == nil {
		t.Errorf("outcome %+v", out)
	}
}
