//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/storetest"
)

// TestTwoNodes: two servers record to the same organizations; one is killed, one is frozen past its leases, again and again.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	rounds := 1
	if nightly {
		rounds = 500
	}
	stormy(t, []time.Duration{0, 0}, rounds)
}

// TestFleet: the same with three nodes whose clocks are hours apart.
func TestFleet(t *testing.T) {
	t.Parallel()
	rounds := 1
	if nightly {
		rounds = 100
	}
	stormy(t, []time.Duration{0, time.Hour, -time.Hour}, rounds)
}

// stormy starts a node for each skew, and a load on all of them through the balancer. In each round one node is killed and starts again,
// one is frozen past its leases and goes on, and one is stopped in order and starts again. Then everything is verified.
func stormy(t *testing.T, skews []time.Duration, rounds int) {
	t.Helper()
	random := seeded(t)
	server := pgtest.Shared(t)
	f := newFleet(t, server.New(t), "DAYBOOK_HIGHWATER="+server.New(t), "DAYBOOK_AUDIT_READS=off")
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	t.Cleanup(work.Wait) // after the nodes were killed: nobody waits for one of them
	t.Cleanup(stop)
	nodes, said := make([]*fleetNode, len(skews)), make([]string, len(skews))
	var starts sync.WaitGroup
	for i, skew := range skews { // all at once, on a store without a master key
		starts.Go(func() { nodes[i], said[i] = f.start(fmt.Sprintf("node%d", i), skew) })
	}
	starts.Wait()
	for i, n := range nodes {
		if n == nil {
			t.Fatalf("node%d never listened:\n%s", i, said[i])
		}
	}
	history := storetest.NewHistory(storetest.Load{Seed: random.Uint64(), Start: time.Now().UnixMicro(), Writers: 4, Orgs: 3})
	for w := range history.Load.Writers {
		work.Go(func() { f.write(ctx, history, w) })
	}
	notes := &released{of: map[daybook.OrgID]map[int64]tlog.Hash{}}
	work.Go(func() { f.collect(ctx, notes) })
	tail := f.follow(ctx, &work, "org_0")

	busy := func(more int) { // until so many calls more were acknowledged
		t.Helper()
		for begin, limit := history.Acknowledged(), time.After(patience); history.Acknowledged() < begin+more; {
			select {
			case <-f.answered:
			case <-limit:
				t.Fatalf("%d calls of %d were acknowledged in %s", history.Acknowledged()-begin, more, patience)
			}
		}
	}
	busy(30)
	for range rounds {
		random.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		f.end(nodes[0], syscall.SIGKILL)
		busy(30)
		nodes[0] = f.must(nodes[0].name, nodes[0].skew)
		if err := nodes[1].cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		frozen := time.Now()
		busy(30)
		for time.Since(frozen) < 1500*time.Millisecond { // longer than lease_time
			busy(5)
		}
		if err := nodes[1].cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		busy(30)
		last := len(nodes) - 1
		f.end(nodes[last], syscall.SIGTERM)
		if code := nodes[last].cmd.ProcessState.ExitCode(); code != exitTerminated {
			t.Errorf("%s ended with %d:\n%s", nodes[last].name, code, nodes[last].said)
		}
		busy(30)
		nodes[last] = f.must(nodes[last].name, nodes[last].skew)
	}
	busy(30)
	stop()
	work.Wait()
	f.check(history, notes, tail)
	for _, n := range nodes {
		f.end(n, syscall.SIGTERM)
	}
	f.verify(history)
}

// write makes the calls of one writer through the balancer until ctx ends, and repeats what was not answered.
func (f *fleet) write(ctx context.Context, h *storetest.History, writer int) {
	for no := 0; ctx.Err() == nil; no++ {
		call := h.Load.Call(writer, no)
		for {
			c, err := client.New(client.Options{URL: f.balancer.URL, Key: f.secret, Attempts: 1, HTTP: impatient})
			if err != nil {
				f.t.Error(err)
				return
			}
			// What was sent is waited for: it may be recorded after the test has ended its load.
			res, err := c.RecordJSON(context.WithoutCancel(ctx), client.Request{Org: call.Org, Events: call.Request.Events, Key: call.Request.Key, Partial: call.Request.Partial})
			a := call.Answer(daybook.Result{Receipts: res.Receipts}, err)
			if err := h.Add(a); err != nil {
				f.t.Error(err)
				return
			}
			select {
			case f.answered <- struct{}{}:
			default:
			}
			if a.Answered() || !call.Repeatable && !a.Nothing {
				break
			}
			if ctx.Err() != nil {
				return
			}
		}
	}
}

// impatient gives up on a node that is frozen: what became of the request is not known then.
var impatient = &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

// released are checkpoints that nodes have given out.
type released struct {
	mu sync.Mutex
	of map[daybook.OrgID]map[int64]tlog.Hash
	n  int
}

// collect asks nodes for checkpoints until ctx ends. Two of one size must be of one tree.
func (f *fleet) collect(ctx context.Context, r *released) {
	for i := 0; ctx.Err() == nil; i++ {
		org := daybook.OrgID(fmt.Sprintf("org_%d", i%3))
		status, text := f.ask(f.balancer.URL, "GET", "/v1/organizations/"+string(org)+"/log/checkpoint", "", "")
		if status != http.StatusOK {
			continue
		}
		size, hash, ok := noteTree(text)
		if !ok {
			f.t.Errorf("a checkpoint that is none: %q", text)
			return
		}
		r.mu.Lock()
		if r.of[org] == nil {
			r.of[org] = map[int64]tlog.Hash{}
		}
		if known, ok := r.of[org][size]; ok && known != hash {
			f.t.Errorf("%s was forked at size %d", org, size)
		}
		r.of[org][size] = hash
		r.n++
		r.mu.Unlock()
	}
}

// noteTree reads the second and third line of a checkpoint.
func noteTree(text string) (size int64, hash tlog.Hash, ok bool) {
	lines := strings.Split(text, "\n")
	if len(lines) < 3 {
		return 0, hash, false
	}
	_, err := fmt.Sscan(lines[1], &size)
	if err == nil {
		hash, err = tlog.ParseHash(lines[2])
	}
	return size, hash, err == nil
}

// followed is what a live tail has seen of one log.
type followed struct {
	mu   sync.Mutex
	next int64
	err  error
}

// follow follows the log of org through the balancer: whichever node it reaches, it sees the entries of all of them, each once.
func (f *fleet) follow(ctx context.Context, work *sync.WaitGroup, org daybook.OrgID) *followed {
	s := &followed{}
	work.Go(func() {
		for f.t.Context().Err() == nil && ctx.Err() == nil {
			c, err := client.New(client.Options{URL: f.balancer.URL, Key: f.secret, MaxDelay: 100 * time.Millisecond, Attempts: 3})
			if err != nil {
				f.t.Error(err)
				return
			}
			for step, err := range c.Tail(ctx, client.TailQuery{Org: org, FromSeq: s.next}) {
				if err != nil {
					break // the log may not be there yet, or a node has ended
				}
				s.mu.Lock()
				if step.Entry != nil && step.Entry.Seq != s.next {
					s.err = errors.Join(s.err, fmt.Errorf("entry %d after %d", step.Entry.Seq, s.next-1))
				}
				s.next = step.Next
				s.mu.Unlock()
			}
		}
	})
	return s
}

// check looks at what nodes said while they ran.
func (f *fleet) check(h *storetest.History, r *released, s *followed) {
	f.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.next == 0 {
		f.t.Errorf("the tail saw %d entries: %v", s.next, s.err)
	}
	if r.n == 0 {
		f.t.Error("no checkpoint was given out")
	}
	f.t.Logf("%d calls were acknowledged, %d checkpoints given out, %d entries of org_0 followed", h.Acknowledged(), r.n, s.next)
	// What any node was told, another one shows at once, if it is asked to.
	for _, n := range f.all() {
		status, text := f.ask(n.url.String(), "POST", "/v1/events", "org_end", `{"action":"load.ended","actor":{"type":"writer","id":"last"},"targets":[{"type":"mark","id":"end-`+n.name+`"}]}`)
		if status != http.StatusCreated {
			f.t.Errorf("%s: %d %s", n.name, status, text)
		}
		for _, other := range f.all() {
			if _, text := f.ask(other.url.String(), "GET", "/v1/events?consistent=true&limit=1&q=target:mark:end-"+n.name, "org_end", ""); !strings.Contains(text, "end-"+n.name) {
				f.t.Errorf("%s does not show what %s was told: %s", other.name, n.name, text)
			}
		}
	}
	for org, notes := range r.of {
		sizes := make([]int64, 0, len(notes))
		for size := range notes {
			sizes = append(sizes, size)
		}
		slices.Sort(sizes)
		c, err := client.New(client.Options{URL: f.balancer.URL, Key: f.secret})
		if err != nil {
			f.t.Fatal(err)
		}
		last := sizes[len(sizes)-1]
		for _, size := range sizes[:len(sizes)-1] {
			if size == 0 {
				continue
			}
			proof, err := c.Consistency(f.t.Context(), org, size, last)
			if err == nil {
				err = tlog.CheckTree(proof, last, notes[last], size, notes[size])
			}
			if err != nil {
				f.t.Errorf("%s: the checkpoint of size %d is not the beginning of that of %d: %v", org, size, last, err)
			}
		}
	}
}

// verify opens the store after all nodes have ended, repeats what was not answered, and checks everything.
func (f *fleet) verify(h *storetest.History) {
	f.t.Helper()
	ctx := f.t.Context()
	c, _, err := config.Load(config.Sources{Dir: f.dir, LookupEnv: func(name string) (string, bool) {
		for _, pair := range f.settings {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}})
	if err != nil {
		f.t.Fatal(err)
	}
	s, err := openStore(ctx, f.db, storeOptions{mustExist: true, c: c})
	if err != nil {
		f.t.Fatal(err)
	}
	sign, err := openSigning(ctx, c, s, signingOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	o := daybook.Options{Now: func() time.Time { return time.Now().Add(time.Hour) }}
	sign.options(&o)
	o.Anchors = s
	b, err := daybook.Open(ctx, s, o)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := h.Settle(ctx, b); err != nil {
		f.t.Error(err)
	}
	if frozen, err := b.FrozenLogs(ctx); err != nil || len(frozen) > 0 {
		f.t.Errorf("frozen: %+v, %v", frozen, err)
	}
	if err := b.Close(); err != nil {
		f.t.Error(err)
	}
	h.Fsck = daybook.FsckOptions{HighWater: sign.marks, Origin: crashOrigin}
	h.Check(f.t, s)
	if err := errors.Join(s.Close(), sign.Close()); err != nil {
		f.t.Error(err)
	}
}

// TestNodes: what one node is told about keys, organizations and exports holds on the others, and one with another master key does not
// start.
func TestNodes(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	f := newFleet(t, server.New(t), "DAYBOOK_HIGHWATER="+server.New(t))
	a, b := f.must("a", 0), f.must("b", 0)
	on := func(n *fleetNode) string { return n.url.String() }

	if status, text := f.ask(on(b), "POST", "/v1/organizations", "", `{"id":"org_acme"}`); status != http.StatusCreated {
		t.Fatalf("make an organization: %d %s", status, text)
	}
	// A key that one node makes opens the other at once, and one that it revokes opens nothing a second later.
	status, text := f.ask(on(a), "POST", "/v1/keys", "", `{"name":"k","org":"org_acme","scopes":["record","read","export"]}`)
	if status != http.StatusCreated {
		t.Fatalf("make a key: %d %s", status, text)
	}
	id, secret := valueAfter(t, text, `"id":"`), valueAfter(t, text, `"key":"`)
	mine := &fleet{t: t, secret: secret}
	if status, text := mine.ask(on(b), "POST", "/v1/events", "", `{"action":"a.b","actor":{"type":"user","id":"1"}}`); status != http.StatusCreated {
		t.Fatalf("the other node does not take the key: %d %s", status, text)
	}
	if status, text := f.ask(on(a), "DELETE", "/v1/keys/"+id, "", ""); status/100 != 2 {
		t.Fatalf("revoke: %d %s", status, text)
	}
	for revoked := time.Now(); status != http.StatusUnauthorized; { // however long an answer takes, it counts when it was asked for
		asked := time.Since(revoked)
		if status, text = mine.ask(on(b), "GET", "/v1/events", "", ""); status != http.StatusUnauthorized && asked > 2*time.Second {
			t.Fatalf("a key opens the other node %s after it was revoked: %d %s", asked, status, text)
		}
	}

	// An export that one node makes is fetched from the other.
	status, text = f.ask(on(a), "POST", "/v1/exports", "org_acme", `{"format":"ndjson"}`)
	if status/100 != 2 {
		t.Fatalf("export: %d %s", status, text)
	}
	export := valueAfter(t, text, `"id":"`)
	for begin := time.Now(); !strings.Contains(text, `"state":"ready"`); {
		if status, text = f.ask(on(b), "GET", "/v1/exports/"+export, "org_acme", ""); status != http.StatusOK || strings.Contains(text, `"failed"`) || time.Since(begin) > patience {
			t.Fatalf("export: %d %s", status, text)
		}
	}
	path := valueAfter(t, text, `"url":"`)
	path = path[strings.Index(path, "/v1/"):]
	if status, text := f.ask(on(b), "GET", strings.ReplaceAll(path, `\u0026`, "&"), "", ""); status != http.StatusOK || !strings.Contains(text, `"a.b"`) {
		t.Errorf("the file from the other node: %d %s", status, text)
	}

	// The store is checked and looked at beside the nodes, as nobody's secret.
	for _, command := range []struct{ name, want string }{{"fsck", "OK  everything agrees"}, {"doctor", "PostgreSQL"}} {
		text, err := f.command(command.name, "--db", strings.Replace(f.db, "postgres://daybook@", "postgres://daybook:geheim@", 1)).CombinedOutput()
		if command.name == "doctor" {
			err = nil // it also looks for a server where none is
		}
		if err != nil || !strings.Contains(string(text), command.want) || strings.Contains(string(text), "geheim") || strings.Contains(string(text), "fail\tstore") {
			t.Errorf("%s: %v\n%s", command.name, err, text)
		}
	}

	// Another master key.
	if n, said := f.start("c", 0, "DAYBOOK_DATA_DIR="+t.TempDir()); n != nil || !strings.Contains(said, "there is no master key") {
		t.Errorf("a node without the master key: %v\n%s", n, said)
	}
	other := filepath.Join(t.TempDir(), "master.key")
	if err := makeMasterKey(other); err != nil {
		t.Fatal(err)
	}
	if n, said := f.start("c", 0, "DAYBOOK_MASTER_KEY_FILE="+other); n != nil || !strings.Contains(said, "another master key") {
		t.Errorf("a node with another master key: %v\n%s", n, said)
	}
}

// valueAfter returns what follows the first begin in text, up to a quotation mark.
func valueAfter(t *testing.T, text, begin string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, begin)
	value, _, ended := strings.Cut(rest, `"`)
	if !ok || !ended {
		t.Fatalf("%s holds no %s", text, begin)
	}
	return value
}

// TestUpgradeRolling: when a newer version has moved the schema on, a node that runs goes on, and one of the older version that starts
// anew is refused and writes nothing.
func TestUpgradeRolling(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	name := server.Database(t)
	f := newFleet(t, server.URL(name))
	old := f.must("old", 0)
	server.SQL(t, name, `INSERT INTO daybook.versions (version) VALUES (100)`)
	if status, text := f.ask(old.url.String(), "POST", "/v1/events", "org_acme", `{"action":"a.b","actor":{"type":"user","id":"1"}}`); status != http.StatusCreated {
		t.Errorf("the node that runs: %d %s", status, text)
	}
	if n, said := f.start("again", 0); n != nil || !strings.Contains(said, "version") {
		t.Errorf("an older version started: %v\n%s", n, said)
	}
	if _, err := postgres.Open(t.Context(), f.db, postgres.Options{Logger: slog.New(slog.DiscardHandler)}); !errors.Is(err, daybook.ErrNewer) {
		t.Errorf("opened: %v", err)
	}
	server.SQL(t, name, `DELETE FROM daybook.versions WHERE version = 100`)
	if status, text := f.ask(old.url.String(), "GET", "/v1/events", "org_acme", ""); status != http.StatusOK || !strings.Contains(text, `"a.b"`) {
		t.Errorf("what was recorded meanwhile: %d %s", status, text)
	}
	next := f.must("new", 0)
	f.end(old, syscall.SIGTERM)
	if status, text := f.ask(next.url.String(), "GET", "/v1/events", "org_acme", ""); status != http.StatusOK || !strings.Contains(text, `"a.b"`) {
		t.Errorf("on the new node: %d %s", status, text)
	}
}
