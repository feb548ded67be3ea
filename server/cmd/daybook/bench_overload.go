package main

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/server/internal/load"
)

// overload is one run of `bench overload`.
type overload struct {
	workload
	name                   string
	batch, connections     int
	factor, capacity       float64
	idle, senders, readers int
	probe, length          time.Duration
	pid                    int
	yes                    bool
	peak                   atomic.Int64 // most memory of the server so far
}

func newBenchOverload(e *env) *cobra.Command {
	var o overload
	cmd := &cobra.Command{
		Use: "overload", Short: "Ask for more than the server can do, beside idle and slow clients, and check every receipt",
		Long: `Finds out what the server can do, then sends half of that alone, half of it beside idle and slow clients, and at last a multiple of it.
Requests start at fixed times, and latency counts from there (open model); one that finds every connection waiting is not sent, and
counted. Afterwards every receipt is looked up in the log. Slow clients send their request, or read their answer, a byte a second.`,
		Example: `  $ daybook bench overload --pid $(pgrep -x daybook)
  $ daybook bench overload --factor 5 --batch 100 --connections 256
  $ daybook bench overload --idle 0 --senders 0 --readers 0 --capacity 5000 --duration 1m`,
		Annotations: map[string]string{exitsNote: "0 measured · 1 the server cannot be reached · 6 a receipt was given for what is not in the log · 8 some requests were neither answered nor refused"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cannot("measure", o.run(cmd.Context(), e))
		},
	}
	fl := cmd.Flags()
	o.flags(cmd)
	fl.StringVar(&o.name, "name", "", "name of the run in its lines")
	fl.IntVar(&o.batch, "batch", 1, "events a request")
	fl.IntVar(&o.connections, "connections", 2000, "connections that may be waiting for an answer at once")
	fl.Float64Var(&o.factor, "factor", 3, "how many times what the server can do")
	fl.Float64Var(&o.capacity, "capacity", 0, "requests per second that the server can do; 0: it is measured")
	fl.IntVar(&o.idle, "idle", 10_000, "connections that do nothing")
	fl.IntVar(&o.senders, "senders", 500, "clients that send a byte a second")
	fl.IntVar(&o.readers, "readers", 500, "clients that read a byte a second")
	fl.DurationVar(&o.probe, "probe", 4*time.Second, "how long each phase before the overload takes")
	fl.DurationVar(&o.length, "duration", 10*time.Second, "how long the overload takes")
	fl.IntVar(&o.pid, "pid", 0, "process of the server: its memory is reported (Linux)")
	fl.BoolVar(&o.yes, "yes", false, "do not ask before loading a server on another machine")
	return cmd
}

func (o *overload) run(ctx context.Context, e *env) error {
	if o.connections < 1 || o.batch < 1 || o.batch > maxBatch || o.Orgs < 1 || o.factor <= 0 || min(o.idle, o.senders, o.readers) < 0 {
		return usage("--connections and --orgs must be at least 1, --batch 1 to %d, --factor more than 0", maxBatch)
	}
	t, err := e.target()
	if err != nil {
		return err
	}
	u, err := plainURL(t.server.value)
	if err != nil {
		return err
	}
	if !loopback(u.Hostname()) {
		if err := e.confirm(o.yes, "Overload "+u.Host); err != nil {
			return err
		}
	}
	made := load.Recording{Workload: o.Workload, Server: u, Key: t.key.value, Org: t.org.value, Batch: o.batch, Bodies: min(20_000, 200*o.batch+2_000)}
	requests, err := made.Requests(e.now())
	if err != nil {
		return err
	}
	plan := load.Plan{Hosts: []string{load.HostPort(u)}, Requests: requests, Shed: true, Keep: true, Now: e.now}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go o.watch(ctx)
	failed, receipts, err := o.phases(ctx, e, plan, t.key.value)
	if err != nil {
		return err
	}
	e.note("looking up %s", count(len(receipts), "answer", "answers"))
	return o.check(ctx, e, receipts, failed)
}

// phases runs them one after the other.
func (o *overload) phases(ctx context.Context, e *env, p load.Plan, key string) (failed int64, receipts []load.Answer, err error) {
	phase := func(name string, more map[string]any) (*load.Outcome, error) {
		o.peak.Store(0)
		e.note("%s", name)
		out, err := p.Run(ctx)
		if err != nil {
			return nil, err
		}
		failed += out.Failed
		receipts = append(receipts, out.Answers...)
		return out, o.report(e, name, &p, out, more)
	}
	if o.capacity == 0 {
		p.Connections, p.Length = 64, o.probe
		out, err := phase("capacity", nil)
		if err != nil {
			return failed, receipts, err
		}
		o.capacity = max(1, float64(out.Accepted.N())/out.Seconds)
	}
	p.Connections, p.Length, p.Rate = min(o.connections, 256), o.probe, o.capacity/2
	if _, err := phase("half of it", nil); err != nil {
		return failed, receipts, err
	}
	before := load.UseOf(o.pid).RSS
	idle := load.Crowd{Idle: o.idle, Now: e.now}
	if err := idle.Gather(ctx, p.Hosts[0], key); err != nil {
		return failed, receipts, err
	}
	defer idle.Leave()
	more := map[string]any{}
	if o.idle > 0 && o.pid > 0 {
		more["idle_bytes_per_connection"] = (load.UseOf(o.pid).RSS - before) / int64(o.idle)
	}
	slow := load.Crowd{Senders: o.senders, Readers: o.readers, Now: e.now}
	if err := slow.Gather(ctx, p.Hosts[0], key); err != nil {
		return failed, receipts, err
	}
	defer slow.Leave()
	if _, err := phase("half of it beside idle and slow clients", more); err != nil {
		return failed, receipts, err
	}
	p.Connections, p.Length, p.Rate = o.connections, o.length, o.capacity*o.factor
	_, err = phase("overload", nil)
	return failed, receipts, err
}

// watch notes the most memory that the server has.
func (o *overload) watch(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			o.peak.Store(max(o.peak.Load(), load.UseOf(o.pid).RSS))
		}
	}
}

// report prints the line of one phase: the latencies are those of what was accepted.
func (o *overload) report(e *env, name string, p *load.Plan, out *load.Outcome, more map[string]any) error {
	model := "closed"
	if p.Rate > 0 {
		model = "open"
	}
	if o.name != "" {
		name = o.name + " " + name
	}
	r := e.line("overload", name, map[string]any{
		"model": model, "connections": p.Connections, "batch": o.batch, "rate": p.Rate, "factor": o.factor, "capacity": o.capacity,
		"orgs": o.Orgs, "size": o.Size, "idle": o.idle, "senders": o.senders, "readers": o.readers,
	})
	if more == nil {
		more = map[string]any{}
	}
	r.Requests, r.Errors, r.FirstFail = out.Requests(), out.Failed, out.Failure
	r.Seconds, r.Events = out.Seconds, out.Accepted.N()*int64(o.batch)
	r.EventRate, r.Rate = float64(r.Events)/r.Seconds, float64(r.Requests)/r.Seconds
	r.Latencies(&out.Accepted)
	r.ServerRSS, r.ClientCPU = max(o.peak.Load(), load.UseOf(o.pid).RSS), load.UseOf(os.Getpid()).CPU
	more["refused"], more["refused_p99_ms"], more["unsent"] = out.Refused.N(), out.Refused.At(0.99), out.Unsent
	r.More = more
	if err := r.Print(e.stdout, false); err != nil {
		return err
	}
	e.note("  %s accepted a second, p50 %.1f ms, p99 %.1f ms, max %.0f ms · %s refused, p99 %.1f ms · %s found no connection · %d failed · server %d MB", thousands(int64(float64(out.Accepted.N())/r.Seconds)),
		r.P50, r.P99, r.Max, thousands(out.Refused.N()), out.Refused.At(0.99), thousands(out.Unsent), r.Errors, r.ServerRSS>>20)
	return nil
}

// check looks every receipt up.
func (o *overload) check(ctx context.Context, e *env, answers []load.Answer, failed int64) error {
	c, err := e.connect()
	if err != nil {
		return err
	}
	receipts, lost, err := load.HeldTo(ctx, c, answers)
	if err != nil {
		return err
	}
	name := "receipts"
	if o.name != "" {
		name = o.name + " " + name
	}
	r := e.line("overload", name, nil)
	r.Events, r.Errors = receipts, lost
	if err := r.Print(e.stdout, false); err != nil {
		return err
	}
	e.note("%s, %s of them without an entry", count(int(receipts), "receipt", "receipts"), thousands(lost))
	switch {
	case lost > 0:
		return ended(exitTampered)
	case failed > 0:
		return ended(exitPartial)
	}
	return nil
}
