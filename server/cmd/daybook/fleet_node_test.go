//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

//nolint:gochecknoinits // as in crash_test.go
func init() { children["node"] = nodeChild }

// nodeChild is the program itself, with a clock that is DAYBOOK_TEST_SKEW ahead.
func nodeChild() int {
	skew, err := time.ParseDuration(os.Getenv("DAYBOOK_TEST_SKEW"))
	if err != nil {
		return report(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() { <-signals; cancel(errTerminated) }()
	e := newEnv(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	e.now = func() time.Time { return time.Now().Add(skew) }
	root := newRoot(e)
	root.SetArgs(os.Args[1:])
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if text := e.explain(ctx, cmd, err); text != "" {
		fmt.Fprint(os.Stderr, text)
	}
	return exitOf(ctx, err)
}

// fleet is nodes over one PostgreSQL, behind a balancer.
type fleet struct {
	t        *testing.T
	db       string   // address of the log
	settings []string // of every node: NAME=value
	secret   string   // of a key for everything
	dir      string
	balancer *httptest.Server
	answered chan struct{} // poked when a writer has got an answer

	mu    sync.Mutex
	nodes []*fleetNode
}

// fleetNode is one process.
type fleetNode struct {
	name    string
	skew    time.Duration
	cmd     *exec.Cmd
	url     *url.URL
	said    *said
	exited  chan struct{} // closed when it has ended
	healthy atomic.Bool
}

// newFleet makes a key in the database db and a balancer without nodes.
func newFleet(t *testing.T, db string, settings ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, db: db, dir: t.TempDir(), answered: make(chan struct{}, 1)}
	f.settings = append([]string{
		"DAYBOOK_DB=" + db, "DAYBOOK_ORIGIN=" + crashOrigin, "DAYBOOK_LISTEN=127.0.0.1:0", "DAYBOOK_LEASE_TIME=1s", "DAYBOOK_DB_SHARDS=2", "DAYBOOK_ANCHOR_INTERVAL=10s",
		"DAYBOOK_DATA_DIR=" + f.dir, "DAYBOOK_EXPORT_DIR=" + filepath.Join(f.dir, "exports"), "DAYBOOK_DB_MAX_CONNECTIONS=8",
	}, settings...)
	cmd := f.command("key", "create", "--db", db, "--all-orgs", "--scopes", "record,read,export,viewer,manage,operate")
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("make a key: %v", err)
	}
	f.secret = strings.TrimSpace(string(text))
	f.balancer = httptest.NewServer(f.balance())
	t.Cleanup(f.balancer.Close)
	return f
}

// command is the program as a process of its own.
func (f *fleet) command(args ...string) *exec.Cmd {
	f.t.Helper()
	program, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = f.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.dir, "GORACE=" + raceEnv["GORACE"], "DAYBOOK_TEST_CHILD=node", "DAYBOOK_TEST_SKEW=0s"}, f.settings...)
	return cmd
}

// start starts a node, or one that has ended again, and waits until it listens. It returns what the node said if it never does.
func (f *fleet) start(name string, skew time.Duration, settings ...string) (*fleetNode, string) {
	f.t.Helper()
	cmd := f.command("serve")
	cmd.Env = append(append(cmd.Env, "DAYBOOK_NODE="+name, "DAYBOOK_TEST_SKEW="+skew.String()), settings...)
	n := &fleetNode{name: name, skew: skew, cmd: cmd, said: saidOf(f.t, name), exited: make(chan struct{})}
	listens := make(chan string, 1)
	n.said.until(listens)
	cmd.Stderr = n.said
	if err := cmd.Start(); err != nil {
		f.t.Error(err)
		return nil, ""
	}
	go func() {
		_ = cmd.Wait() // its state says how it ended
		close(n.exited)
	}()
	f.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-n.exited
	})
	select {
	case address := <-listens:
		var err error
		if n.url, err = url.Parse(address); err != nil {
			f.t.Error(err)
			return nil, address
		}
	case <-n.exited:
		return nil, n.said.String()
	case <-time.After(patience):
		f.t.Errorf("%s does not listen after %s", name, patience)
		return nil, n.said.String()
	}
	n.healthy.Store(true)
	f.mu.Lock()
	f.nodes = append(f.nodes, n)
	f.mu.Unlock()
	return n, ""
}

// must is start of a node that has to come up.
func (f *fleet) must(name string, skew time.Duration) *fleetNode {
	f.t.Helper()
	n, said := f.start(name, skew)
	if n == nil {
		f.t.Fatalf("%s never listened:\n%s", name, said)
	}
	return n
}

// end signals a node, waits for its end and takes it out of the balancer.
func (f *fleet) end(n *fleetNode, how syscall.Signal) {
	f.t.Helper()
	n.healthy.Store(false)
	if err := n.cmd.Process.Signal(how); err != nil {
		f.t.Error(err)
	}
	select {
	case <-n.exited:
	case <-time.After(patience):
		f.t.Fatalf("%s has not ended %s after %s", n.name, patience, how)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, other := range f.nodes {
		if other == n {
			f.nodes = append(f.nodes[:i:i], f.nodes[i+1:]...)
			return
		}
	}
}

// balance gives each request to the next node that answered when it was last asked whether it is ready. Where none did, as on a machine
// too busy for any to answer in time, it asks the next one all the same.
func (f *fleet) balance() http.Handler {
	var turn atomic.Int64
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		ask := &http.Client{Timeout: 300 * time.Millisecond}
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for _, n := range f.all() {
				res, err := ask.Get(n.url.String() + "/healthz")
				if err == nil {
					res.Body.Close() //nolint:errcheck // only the status counts
				}
				n.healthy.Store(err == nil && res.StatusCode == http.StatusOK)
			}
		}
	}()
	f.t.Cleanup(func() { close(stop); <-done })
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			nodes := f.all()
			for range nodes {
				if n := nodes[int(turn.Add(1))%len(nodes)]; n.healthy.Load() {
					r.SetURL(n.url)
					return
				}
			}
			if len(nodes) > 0 {
				r.SetURL(nodes[int(turn.Add(1))%len(nodes)].url)
				return
			}
			r.SetURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}) // nobody is there
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:     slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
	}
	return proxy
}

func (f *fleet) all() []*fleetNode {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*fleetNode(nil), f.nodes...)
}

// ask sends a request with the fleet's key to address and returns the status and the body.
func (f *fleet) ask(address, method, path, org, body string) (int, string) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, address+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + f.secret}, "Content-Type": {"application/json"}}
	if org != "" {
		req.Header.Set("Daybook-Org", org)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(text)
}
