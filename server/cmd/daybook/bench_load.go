package main

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/server/internal/load"
)

// loading is one run of `bench load`.
type loading struct {
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
	var l loading
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

func (l *loading) run(ctx context.Context, e *env) error {
	if l.connections < 1 || l.batch < 1 || l.batch > maxBatch || l.Orgs < 1 || l.bodies < 1 {
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
	hosts := []string{load.HostPort(u)}
	for _, text := range l.also {
		other, err := plainURL(text)
		if err != nil {
			return err
		}
		hosts = append(hosts, load.HostPort(other))
	}
	for _, host := range hosts {
		if name, _, _ := net.SplitHostPort(host); !loopback(name) {
			if err := e.confirm(l.yes, "Load "+host+" with made-up events"); err != nil {
				return err
			}
		}
	}
	e.note("making %s", count(l.bodies, "event", "events"))
	r := load.Recording{Workload: l.Workload, Server: u, Key: t.key.value, Org: t.org.value, Batch: l.batch, Bodies: l.bodies}
	requests, err := r.Requests(e.now())
	if err != nil {
		return err
	}
	server, client := load.UseOf(l.pids...), load.UseOf(os.Getpid())
	p := load.Plan{
		Hosts: hosts, Requests: requests, Connections: l.connections, Rate: l.rate, Warmup: l.warmup, Length: l.duration,
		Count: (l.events + int64(l.batch) - 1) / int64(l.batch), Now: e.now,
		Measuring: func() { server, client = load.UseOf(l.pids...), load.UseOf(os.Getpid()) },
	}
	out, err := p.Run(ctx)
	if err != nil {
		return err
	}
	return l.report(e, out, server, client)
}

// report prints the line of the run, before which server and client had used so much.
func (l *loading) report(e *env, out *load.Outcome, server, client load.Use) error {
	model := "closed"
	if l.rate > 0 {
		model = "open"
	}
	r := e.line("load", l.name, map[string]any{
		"model": model, "connections": l.connections, "batch": l.batch, "rate": l.rate, "orgs": l.Orgs, "size": l.Size, "seed": l.Seed, "late": l.Late, "bodies": l.bodies,
	})
	r.Requests, r.Errors, r.FirstFail, r.Seconds = out.Requests(), out.Refused.N()+out.Failed, cmp.Or(out.Failure, out.Refusal), out.Seconds
	r.Events = out.Accepted.N() * int64(l.batch)
	r.EventRate, r.Rate = float64(r.Events)/r.Seconds, float64(r.Requests)/r.Seconds
	r.Latencies(&out.Accepted)
	after := load.UseOf(l.pids...)
	r.ServerCPU, r.ClientCPU = after.CPU-server.CPU, load.UseOf(os.Getpid()).CPU-client.CPU
	r.ServerRSS, r.Written = after.RSS, after.Written-server.Written
	if r.Events > 0 {
		r.CPUPerEvent = r.ServerCPU * 1e6 / float64(r.Events)
	}
	if err := r.Print(e.stdout, l.goBench); err != nil {
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

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
