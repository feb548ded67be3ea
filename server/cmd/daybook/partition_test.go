//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

// overHTTP lets the writers of a load record over HTTP, each until it is told to end, and keeps what they were answered.
type overHTTP struct {
	t       *testing.T
	history *storetest.History
	to      *client.Client

	acknowledged []atomic.Int64 // calls, by writer
	refused      atomic.Int64   // answers of 503
	slowest      atomic.Int64   // ms, of all answers
}

func newOverHTTP(t *testing.T, url, key string, load storetest.Load) *overHTTP {
	t.Helper()
	c, err := client.New(client.Options{URL: url, Key: key, Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &overHTTP{t: t, to: c, history: storetest.NewHistory(load), acknowledged: make([]atomic.Int64, load.Writers)}
}

// write makes the calls of one writer, one after the other, until ctx ends. What can be repeated is repeated until it is answered.
func (w *overHTTP) write(ctx context.Context, writer int) {
	for no := w.history.Next(writer); ctx.Err() == nil; {
		call := w.history.Load.Call(writer, no)
		a := w.do(&call)
		if err := w.history.Add(a); err != nil {
			w.t.Error(err)
		}
		if a.Answered() {
			w.acknowledged[writer].Add(1)
		} else {
			<-time.After(20 * time.Millisecond) // a client that has heard of Retry-After waits longer
		}
		if a.Answered() || !call.Repeatable && !a.Nothing {
			no++
		}
	}
}

// do makes one call. A refusal for now must be a 503 with Retry-After.
func (w *overHTTP) do(call *storetest.Call) storetest.Answer {
	begin := time.Now()
	res, err := w.to.RecordJSON(context.WithoutCancel(w.t.Context()), client.Request{Org: call.Org, Events: call.Request.Events, Key: call.Request.Key})
	took := time.Since(begin).Milliseconds()
	for was := w.slowest.Load(); took > was && !w.slowest.CompareAndSwap(was, took); was = w.slowest.Load() {
	}
	a := storetest.Answer{Writer: call.Writer, No: call.No, Receipts: res.Receipts}
	if err == nil {
		return a
	}
	a.Receipts, a.Error = nil, err.Error()
	p, ok := errors.AsType[*client.Problem](err)
	switch {
	case !ok:
		w.t.Errorf("the server did not answer: %v", err)
	case p.Status == http.StatusConflict:
		a.Code = daybook.CodeConflict
	case p.Status != http.StatusServiceUnavailable || p.RetryAfter == 0:
		w.t.Errorf("refused with %d %s, Retry-After %s: %s", p.Status, p.Code, p.RetryAfter, p.Detail)
	default:
		w.refused.Add(1)
		a.Nothing = p.Code == string(daybook.CodeOverloaded)
	}
	return a
}

// more waits until every writer was acknowledged n more calls.
func (w *overHTTP) more(n int64) {
	w.t.Helper()
	for i := range w.acknowledged {
		from := w.acknowledged[i].Load()
		w.await(fmt.Sprint("an answer for writer ", i), patience, func() bool { return w.acknowledged[i].Load() >= from+n })
	}
}

// await waits until something has happened.
func (w *overHTTP) await(what string, long time.Duration, happened func() bool) {
	w.t.Helper()
	tick, limit := time.NewTicker(5*time.Millisecond), time.After(long)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-limit:
			w.t.Fatalf("there was not %s in %s; %d calls were acknowledged, %d refused, the slowest answer took %d ms", what, long, w.history.Acknowledged(), w.refused.Load(), w.slowest.Load())
		}
	}
}

// TestPartitionStore breaks the link between a server and its PostgreSQL. Nothing is acknowledged that is not there; what cannot be done
// is refused with 503 and Retry-After, in time; and when the link is mended the server goes on by itself.
func TestPartitionStore(t *testing.T) {
	t.Parallel()
	long := 3 * time.Second
	if nightly {
		long = time.Minute
	}
	random := seeded(t)
	s := pgtest.Start(t, pgtest.Options{TCP: true})
	flap := func(l *pgtest.Link, long time.Duration) {
		for n := range 2 * int(long/time.Second) {
			l.Set([]pgtest.Fault{pgtest.Down, pgtest.Up}[n%2])
			<-time.After(long / time.Duration(2*int(long/time.Second)))
		}
	}
	stay := func(f pgtest.Fault) func(l *pgtest.Link, long time.Duration) {
		return func(l *pgtest.Link, long time.Duration) {
			l.Set(f)
			<-time.After(long)
		}
	}
	for _, c := range []struct {
		name    string
		fault   func(l *pgtest.Link, long time.Duration)
		refuses bool
	}{
		{"down", stay(pgtest.Down), true}, {"half-open", stay(pgtest.HalfOpen), true}, {"slow", stay(pgtest.Slow), false}, {"flapping", flap, false},
	} {
		load := storetest.Load{Seed: random.Uint64(), Start: time.Now().UnixMicro(), Writers: 4, Orgs: 5}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t, s)
			server := serve(t, p.vars, "--db", p.through, "--origin", crashOrigin)
			w := newOverHTTP(t, server.url, p.key, load)
			ctx, stop := context.WithCancel(t.Context())
			var writers sync.WaitGroup
			t.Cleanup(writers.Wait)
			t.Cleanup(stop)
			for i := range load.Writers {
				writers.Go(func() { w.write(ctx, i) })
			}
			w.more(5)
			c.fault(p.link, long)
			if c.refuses {
				w.await("a refusal", partitionDeadline, func() bool { return w.refused.Load() > 0 })
			}
			p.link.Set(pgtest.Up)
			w.more(5)
			stop()
			writers.Wait()
			if slowest := time.Duration(w.slowest.Load()) * time.Millisecond; slowest > partitionDeadline {
				t.Errorf("an answer took %s", slowest)
			}
			if code := server.end(errTerminated); code != exitTerminated {
				t.Errorf("exit %d", code)
			}
			p.check(w.history)
			t.Logf("%d calls acknowledged, %d refused, the slowest answer took %d ms", w.history.Acknowledged(), w.refused.Load(), w.slowest.Load())
		})
	}
}

// partitionDeadline is the time in which every request is answered: two statements and one commit may run into their limits of three
// seconds. The rest is what the busiest machine may add: a request that waits for the link waits for minutes.
const partitionDeadline = time.Minute

// partition is a store in PostgreSQL at the end of a link.
type partition struct {
	t               *testing.T
	link            *pgtest.Link
	direct, through string
	key             string
	vars            map[string]string
}

func newPartition(t *testing.T, s *pgtest.Server) *partition {
	t.Helper()
	base := s.Database(t)
	p := &partition{t: t, link: pgtest.NewLink(t, s.TCP()), direct: s.URL(base)}
	p.through = (&url.URL{Scheme: "postgres", User: url.User("daybook"), Host: p.link.Addr(), Path: "/" + base}).String()
	store, err := postgres.Open(t.Context(), p.direct, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, p.key, err = control.NewKeys(store, time.Now).Create(t.Context(), control.NewKey{Name: "test", Scopes: auth.All.Words()}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	p.vars = map[string]string{
		"DAYBOOK_COMMIT_TIMEOUT": "3s", "DAYBOOK_DB_TIMEOUT": "3s", "DAYBOOK_AUDIT_READS": "off", "DAYBOOK_RATE_LIMIT": "0",
		"DAYBOOK_MASTER_KEY_FILE": filepath.Join(t.TempDir(), "master.key"),
	}
	return p
}

// check checks everything, beside the link.
func (p *partition) check(h *storetest.History) {
	p.t.Helper()
	store, err := postgres.Open(p.t.Context(), p.direct, postgres.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	b, err := daybook.Open(p.t.Context(), store, daybook.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := h.Settle(p.t.Context(), b); err != nil {
		p.t.Error(err)
	}
	if err := b.Close(); err != nil {
		p.t.Error(err)
	}
	m, err := postgres.OpenHighWater(p.t.Context(), p.direct, postgres.HighWaterOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	h.Fsck = daybook.FsckOptions{HighWater: m, Origin: crashOrigin}
	h.Check(p.t, store)
	if err := errors.Join(store.Close(), m.Close()); err != nil {
		p.t.Error(err)
	}
}

// A server that is told to stop while its PostgreSQL is away without a word ends in time, whatever it would have to wait for.
func TestPartitionStore_stop(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{TCP: true})
	p := newPartition(t, s)
	maps.Copy(p.vars, map[string]string{"DAYBOOK_SHUTDOWN_TIMEOUT": "1s", "DAYBOOK_COMMIT_TIMEOUT": "1m", "DAYBOOK_DB_TIMEOUT": "1m"})
	server := serve(t, p.vars, "--db", p.through, "--origin", crashOrigin)
	w := newOverHTTP(t, server.url, p.key, storetest.Load{Seed: 1, Start: time.Now().UnixMicro(), Writers: 1, Orgs: 1})
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() { w.write(ctx, 0) })
	w.more(3)
	stop()
	writer.Wait()
	p.link.Set(pgtest.HalfOpen)
	begin := time.Now()
	server.stop(errTerminated)
	code := <-server.code
	if took := time.Since(begin); code != exitTerminated || took > partitionDeadline {
		t.Errorf("exit %d after %s", code, took)
	}
	p.link.Set(pgtest.Down)
	p.check(w.history)
}
