package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// load is one run of `bench load`.
type load struct {
	workload
	name               string
	connections, batch int
	rate               float64 // requests per second; 0: closed model
	warmup, duration   time.Duration
	events             int64 // stop after so many; 0: after duration
	bodies             int
	pids               []int
	also               []string // other nodes
	goBench, yes       bool
}

func newBenchLoad(e *env) *cobra.Command {
	var l load
	cmd := &cobra.Command{
		Use: "load", Short: "Record made-up events as fast as the server takes them, or at a fixed rate",
		Long: `The client writes prepared requests on raw connections, so that it costs little beside the server. Without --rate each connection
sends its next request when the last is answered (closed model). With --rate requests start at fixed times whether or not the
server keeps up, and latency counts from the intended start (open model).`,
		Example: `  $ daybook bench load --connections 16 --batch 100 --pid $(pgrep -x daybook)
  $ daybook bench load --connections 64 --batch 1 --duration 30s
  $ daybook bench load --connections 64 --batch 1 --rate 10000 --duration 30s`,
		Annotations: map[string]string{exitsNote: "0 measured · 1 the server cannot be reached · 8 some requests failed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cannot("measure", l.run(cmd.Context(), e))
		},
	}
	fl := cmd.Flags()
	l.flags(cmd)
	fl.StringVar(&l.name, "name", "", "name of the run in its line")
	fl.IntVar(&l.connections, "connections", 16, "connections")
	fl.IntVar(&l.batch, "batch", 100, "events a request; 1: single events")
	fl.Float64Var(&l.rate, "rate", 0, "requests per second (open model)")
	fl.DurationVar(&l.warmup, "warmup", 2*time.Second, "not counted")
	fl.DurationVar(&l.duration, "duration", 10*time.Second, "counted")
	fl.Int64Var(&l.events, "events", 0, "stop after so many events instead; there is no warm-up then")
	fl.IntVar(&l.bodies, "bodies", 20_000, "different events, made before the start and sent again and again")
	fl.IntSliceVar(&l.pids, "pid", nil, "process of the server, or processes: their CPU, memory and writes are reported (Linux)")
	fl.StringSliceVar(&l.also, "also", nil, "other nodes of the same log: connections are spread over --server and these")
	fl.BoolVar(&l.goBench, "go-bench", false, "also print the line that go test -bench would, for benchstat")
	fl.BoolVar(&l.yes, "yes", false, "do not ask before loading a server on another machine")
	return cmd
}

// loop says where requests go and how far the run is.
type loop struct {
	requests [][]byte
	next     atomic.Int64 // request to send next
	left     atomic.Int64 // events still to be sent, when they are counted
	counted  bool
	batch    int64
	from, to time.Time // of what is measured
	now      func() time.Time
}

// tally is what one connection measured.
type loadTally struct {
	latency  histogram
	requests int64
	failed   int64
	first    string // what the first failure was
}

func (l *load) run(ctx context.Context, e *env) error {
	if l.connections < 1 || l.batch < 1 || l.batch > maxBatch || l.orgs < 1 || l.bodies < 1 {
		return usage("--connections, --orgs and --bodies must be at least 1, --batch 1 to %d", maxBatch)
	}
	t, err := e.target()
	if err != nil {
		return err
	}
	u, err := plainURL(t.server.value)
	if err != nil {
		return err
	}
	hosts := []string{hostPort(u)}
	for _, text := range l.also {
		other, err := plainURL(text)
		if err != nil {
			return err
		}
		hosts = append(hosts, hostPort(other))
	}
	for _, host := range hosts {
		if name, _, _ := net.SplitHostPort(host); !loopback(name) {
			if err := e.confirm(l.yes, "Load "+host+" with made-up events"); err != nil {
				return err
			}
		}
	}
	e.note("making %s", count(l.bodies, "event", "events"))
	requests, err := l.requests(e, u, t)
	if err != nil {
		return err
	}
	p := &loop{requests: requests, batch: int64(l.batch), now: e.now, counted: l.events > 0}
	start := e.now()
	p.from, p.to = start.Add(l.warmup), start.Add(l.warmup+l.duration)
	if p.counted {
		p.left.Store(l.events)
		p.from, p.to = start, start.Add(24*time.Hour)
	}
	var arrivals chan time.Time
	if l.rate > 0 {
		arrivals = make(chan time.Time, 1<<20)
		go p.arrive(ctx, arrivals, l.rate, start)
	}
	var m measured
	m.start = start
	m.serverBefore, m.clientBefore = processUse(l.pids...), processUse(os.Getpid())
	m.tallies = make([]loadTally, l.connections)
	var group sync.WaitGroup
	errs := make([]error, l.connections)
	for i := range l.connections {
		group.Go(func() { errs[i] = p.connection(ctx, hosts[i%len(hosts)], &m.tallies[i], arrivals) })
	}
	if !p.counted { // CPU of the warm-up does not count
		select {
		case <-time.After(l.warmup):
			m.serverBefore, m.clientBefore = processUse(l.pids...), processUse(os.Getpid())
		case <-ctx.Done():
		}
	}
	group.Wait()
	m.end = e.now()
	m.server, m.client = processUse(l.pids...), processUse(os.Getpid())
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return l.report(e, p, &m)
}

// measured is what came out of a run.
type measured struct {
	start, end                 time.Time
	serverBefore, clientBefore usageOf
	server, client             usageOf
	tallies                    []loadTally
}

// report prints the line of the run.
func (l *load) report(e *env, p *loop, m *measured) error {
	model := "closed"
	if l.rate > 0 {
		model = "open"
	}
	r := e.newResult("load", l.name, map[string]any{
		"model": model, "connections": l.connections, "batch": l.batch, "rate": l.rate, "orgs": l.orgs, "size": l.size, "seed": l.seed, "late": l.late, "bodies": l.bodies,
	})
	var all histogram
	for i := range m.tallies {
		all.merge(&m.tallies[i].latency)
		r.Requests += m.tallies[i].requests
		r.Errors += m.tallies[i].failed
		if r.FirstFail == "" {
			r.FirstFail = m.tallies[i].first
		}
	}
	r.Events = (r.Requests - r.Errors) * int64(l.batch)
	r.Seconds = min(m.end.Sub(p.from), l.duration).Seconds()
	if p.counted {
		r.Seconds = m.end.Sub(m.start).Seconds()
	}
	r.EventRate, r.Rate = float64(r.Events)/r.Seconds, float64(r.Requests)/r.Seconds
	r.latencies(&all)
	r.ServerCPU, r.ClientCPU = m.server.cpu-m.serverBefore.cpu, m.client.cpu-m.clientBefore.cpu
	r.ServerRSS, r.Written = m.server.rss, m.server.written-m.serverBefore.written
	if r.Events > 0 {
		r.CPUPerEvent = r.ServerCPU * 1e6 / float64(r.Events)
	}
	if err := r.print(e.stdout, l.goBench); err != nil {
		return err
	}
	e.note("%s events/s, %s requests/s, p50 %.2f ms, p99 %.2f ms, max %.1f ms, %d failed", thousands(int64(r.EventRate)), thousands(int64(r.Rate)), r.P50, r.P99, r.Max, r.Errors)
	if r.Errors > 0 {
		return ended(exitPartial)
	}
	return nil
}

// plainURL is the address of a server that the load client can speak to.
func plainURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, usage("--server must be http://HOST:PORT here: the load client speaks plain HTTP/1.1")
	}
	return u, nil
}

func hostPort(u *url.URL) string {
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return u.Host
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// requests makes whole HTTP requests. One request is for one org.
func (l *load) requests(e *env, u *url.URL, t target) ([][]byte, error) {
	src := newEventSource(l.workload)
	now := e.now().UTC().Truncate(time.Microsecond)
	n := max(1, l.bodies/l.batch)
	out := make([][]byte, 0, n)
	var body bytes.Buffer
	for i := range n {
		org := src.zipf.draw(src.g.rng.Float64())
		body.Reset()
		for range l.batch {
			if err := src.nextOf(&body, org, now.Add(time.Duration(i)*time.Millisecond)); err != nil {
				return nil, err
			}
			if l.batch > 1 {
				body.WriteByte('\n')
			}
		}
		kind := "application/json"
		if l.batch > 1 {
			kind = "application/x-ndjson"
		}
		name := benchOrg(org)
		if t.org.value != "" {
			name = t.org.value
		}
		out = append(out, fmt.Appendf(nil, "POST %s/v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nDaybook-Org: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
			strings.TrimSuffix(u.Path, "/"), u.Host, t.key.value, name, kind, body.Len(), body.Bytes()))
	}
	return out, nil
}

// arrive puts the intended starts of the open model into arrivals.
func (p *loop) arrive(ctx context.Context, arrivals chan<- time.Time, rate float64, start time.Time) {
	defer close(arrivals)
	every := time.Duration(float64(time.Second) / rate)
	for at := start; at.Before(p.to); at = at.Add(every) {
		if wait := at.Sub(p.now()); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
		arrivals <- at
	}
}

// connection sends requests on one connection until the run ends. A connection that breaks is counted and opened again.
func (p *loop) connection(ctx context.Context, host string, t *loadTally, arrivals <-chan time.Time) error {
	var c net.Conn
	var in *bufio.Reader
	defer func() {
		if c != nil {
			c.Close() //nolint:errcheck // nothing is left on it
		}
	}()
	for ctx.Err() == nil {
		intended := p.now()
		if arrivals != nil {
			var ok bool
			if intended, ok = <-arrivals; !ok {
				return nil
			}
		}
		if !intended.Before(p.to) || p.counted && p.left.Add(-p.batch) <= -p.batch {
			return nil
		}
		if c == nil {
			var err error
			if c, err = (&net.Dialer{}).DialContext(ctx, "tcp", host); err != nil {
				return err
			}
			in = bufio.NewReaderSize(c, 64<<10)
		}
		request := p.requests[int(p.next.Add(1))%len(p.requests)]
		failure, broken := exchange(c, in, request)
		if broken {
			c.Close() //nolint:errcheck // nothing is left on it
			c = nil
		}
		done := p.now()
		if intended.Before(p.from) || done.After(p.to) {
			continue
		}
		t.requests++
		t.latency.add(done.Sub(intended))
		if failure != "" {
			t.failed++
			if t.first == "" {
				t.first = failure
			}
		}
	}
	return ctx.Err()
}

// exchange sends one request and says what failed; broken: the connection cannot go on.
func exchange(c net.Conn, in *bufio.Reader, request []byte) (failure string, broken bool) {
	if _, err := c.Write(request); err != nil {
		return err.Error(), true
	}
	a, err := readWhole(in, false)
	switch {
	case err != nil:
		return err.Error(), true
	case a.status/100 != 2:
		return strconv.Itoa(a.status) + " " + a.body, a.last
	}
	return "", a.last
}

// answer is an HTTP answer: of a body that is no 2xx the beginning.
type answer struct {
	status int
	body   string
	retry  bool // it says when to come again
	last   bool // the server closes the connection after it
}

// readAnswer reads one HTTP answer to its end.
func readAnswer(in *bufio.Reader, keep bool) (status int, body string, err error) {
	a, err := readWhole(in, keep)
	return a.status, a.body, err
}

// readWhole reads one HTTP answer to its end, and keeps a 2xx body when keep.
func readWhole(in *bufio.Reader, keep bool) (a answer, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if len(line) < 12 {
		return a, errors.New("no HTTP answer")
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, fmt.Errorf("status line %q", line)
	}
	length, chunked := int64(0), false
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return a, fmt.Errorf("content length %q", value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.Contains(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Retry-After")):
			a.retry = true
		case bytes.EqualFold(name, []byte("Connection")):
			a.last = bytes.Contains(value, []byte("close"))
		}
	}
	b := bodyReader{in: in}
	switch {
	case a.status/100 != 2:
		b.room = 300
	case keep:
		b.room = 64 << 20
	}
	if chunked {
		err = b.chunks()
	} else {
		err = b.read(length)
	}
	a.body = b.kept.String()
	return a, err
}

// bodyReader reads a body and keeps as much of its beginning as there is room for.
type bodyReader struct {
	in   *bufio.Reader
	room int64
	kept strings.Builder
}

func (b *bodyReader) read(n int64) error {
	if head := min(n, b.room); head > 0 {
		if _, err := io.CopyN(&b.kept, b.in, head); err != nil {
			return err
		}
		n, b.room = n-head, b.room-head
	}
	_, err := b.in.Discard(int(n))
	return err
}

func (b *bodyReader) chunks() error {
	for {
		line, err := textproto.NewReader(b.in).ReadLine()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil {
			return fmt.Errorf("chunk size %q", line)
		}
		if n == 0 {
			_, err := b.in.Discard(2)
			return err
		}
		if err := b.read(n); err != nil {
			return err
		}
		if _, err := b.in.Discard(2); err != nil {
			return err
		}
	}
}
