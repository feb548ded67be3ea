// Package load asks a server for more than it may be able to do, and measures what comes of it: requests that are written as they are on raw
// connections, so that the client costs little beside the server. It measures and checks; what is said about it is daybook bench's matter.
package load

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daybook-audit/daybook"
)

// Plan is one run. Without Rate each connection sends its next request when the last is answered (closed model). With it requests start at
// fixed times whether or not the server keeps up, and latency counts from the intended start (open model).
type Plan struct {
	Hosts       []string // host:port; connections are spread over them
	Requests    [][]byte // whole ones of [Requests], sent again and again
	Connections int
	Rate        float64       // requests a second; 0: closed model
	Warmup      time.Duration // not measured
	Length      time.Duration // measured; no request starts after it
	Count       int64         // stop after so many requests instead, without a warm-up; 0: after Length
	Shed        bool          // with Rate: a start that finds every connection waiting is not made, and counted; else it waits for one
	Keep        bool          // the answers that promise something
	Now         func() time.Time
	Measuring   func() // is called when the warm-up is over
}

// Outcome is what came of a run.
type Outcome struct {
	Accepted Latencies // 2xx
	Refused  Latencies // 429 and 503 that say when to come again
	Failed   int64     // everything else, and connections that broke
	Unsent   int64     // of Plan.Shed
	Refusal  string    // the first of Refused
	Failure  string    // the first of Failed
	Seconds  float64   // measured
	Answers  []Answer  // of Plan.Keep
}

// Answer is an answer that promises something, to be held to it: see [HeldTo].
type Answer struct {
	Org  daybook.OrgID
	Body string
}

// Requests is how many were measured.
func (o *Outcome) Requests() int64 { return o.Accepted.N() + o.Refused.N() + o.Failed }

func (o *Outcome) merge(p *Outcome) {
	o.Accepted.Merge(&p.Accepted)
	o.Refused.Merge(&p.Refused)
	o.Failed += p.Failed
	o.Answers = append(o.Answers, p.Answers...)
	o.Refusal, o.Failure = cmp.Or(o.Refusal, p.Refusal), cmp.Or(o.Failure, p.Failure)
}

// took notes one answer, or that there was none.
func (o *Outcome) took(d time.Duration, a *answer, err error) {
	switch {
	case err != nil:
		o.Failed++
		o.Failure = cmp.Or(o.Failure, err.Error())
	case a.status/100 == 2:
		o.Accepted.Add(d)
	case a.retry && (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable):
		o.Refused.Add(d)
		o.Refusal = cmp.Or(o.Refusal, a.String())
	default:
		o.Failed++
		o.Failure = cmp.Or(o.Failure, a.String())
	}
}

// run is a plan under way.
type run struct {
	*Plan
	next     atomic.Int64 // request to send next
	left     atomic.Int64 // requests still to be sent, when they are counted
	from, to time.Time    // of what is measured
	arrivals chan time.Time
}

// Run carries the plan out. It ends early with ctx, or when a server cannot be reached at all.
func (p *Plan) Run(ctx context.Context) (*Outcome, error) {
	r := &run{Plan: p}
	start := p.Now()
	r.from, r.to = start.Add(p.Warmup), start.Add(p.Warmup+p.Length)
	if p.Count > 0 {
		r.left.Store(p.Count)
		r.from, r.to = start, start.Add(24*time.Hour)
	}
	unsent := make(chan int64, 1)
	if p.Rate > 0 {
		r.arrivals = make(chan time.Time)
		if !p.Shed {
			r.arrivals = make(chan time.Time, 1<<20)
		}
		go func() { unsent <- r.arrive(ctx, start) }()
	}
	parts, errs := make([]Outcome, p.Connections), make([]error, p.Connections)
	var group sync.WaitGroup
	for i := range p.Connections {
		group.Go(func() { errs[i] = r.connection(ctx, p.Hosts[i%len(p.Hosts)], &parts[i]) })
	}
	if p.Measuring != nil && p.Count == 0 {
		select {
		case <-time.After(p.Warmup):
			p.Measuring()
		case <-ctx.Done():
		}
	}
	group.Wait()
	all := &Outcome{Seconds: p.Now().Sub(r.from).Seconds()}
	if p.Count == 0 {
		all.Seconds = min(all.Seconds, p.Length.Seconds())
	}
	for i := range parts {
		all.merge(&parts[i])
	}
	if r.arrivals != nil {
		all.Unsent = <-unsent
	}
	return all, errors.Join(errs...)
}

// arrive hands out the intended starts of the open model, and returns how many it shed.
func (r *run) arrive(ctx context.Context, start time.Time) (unsent int64) {
	defer close(r.arrivals)
	every := time.Duration(float64(time.Second) / r.Rate)
	for at := start; at.Before(r.to); at = at.Add(every) {
		if wait := at.Sub(r.Now()); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return unsent
			}
		}
		if !r.Shed {
			select {
			case r.arrivals <- at:
			case <-ctx.Done():
				return unsent
			}
			continue
		}
		select {
		case r.arrivals <- at:
		default:
			unsent++
		}
	}
	return unsent
}

// connection sends requests on one connection until the run ends. One that breaks, or that the server closes, is opened again.
func (r *run) connection(ctx context.Context, host string, o *Outcome) error {
	var c net.Conn
	var in *bufio.Reader
	leave := func() {
		if c != nil {
			_ = c.Close()
		}
		c = nil
	}
	defer leave()
	for {
		intended, ok := r.begin()
		if !ok || ctx.Err() != nil {
			return ctx.Err()
		}
		if c == nil {
			var err error
			if c, err = (&net.Dialer{}).DialContext(ctx, "tcp", host); err != nil {
				return err
			}
			in = bufio.NewReaderSize(c, 16<<10)
		}
		request := r.Requests[int(r.next.Add(1))%len(r.Requests)]
		a, err := exchange(c, in, request, r.Keep)
		if err != nil || a.last {
			leave()
		}
		if r.Keep && err == nil && a.status/100 == 2 {
			o.Answers = append(o.Answers, Answer{orgOf(request), a.body})
		}
		if done := r.Now(); r.measures(intended, done) {
			o.took(done.Sub(intended), &a, err)
		}
	}
}

// measures reports whether a request counts. In the closed model what the end of the run overtakes is no part of its rate; in the open model
// it would be the slowest that were left out.
func (r *run) measures(intended, done time.Time) bool {
	return !intended.Before(r.from) && (r.Rate > 0 || !done.After(r.to))
}

// begin waits until a request is to be sent, and tells when it should have been; false: none is.
func (r *run) begin() (time.Time, bool) {
	intended := r.Now()
	if r.arrivals != nil {
		var ok bool
		if intended, ok = <-r.arrivals; !ok {
			return intended, false
		}
	}
	if r.Count > 0 {
		return intended, r.left.Add(-1) >= 0
	}
	return intended, intended.Before(r.to) && r.Now().Before(r.to)
}

func exchange(c net.Conn, in *bufio.Reader, request []byte, keep bool) (answer, error) {
	if _, err := c.Write(request); err != nil {
		return answer{}, err
	}
	return readAnswer(in, keep)
}
