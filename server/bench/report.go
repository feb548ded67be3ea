package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/daybook-audit/daybook/server/internal/load"
)

// report runs the measurements in order and prints them.
type report struct {
	binary, dir, out string
	each             time.Duration
	rounds, large    int
	shown            int // events of the organization that the console shows

	rates map[string][]load.Line // by server and shape
	pg    map[string][]pgResult
	only  string
	key   string // of the server under test
}

// shape is one kind of load. Small requests come first, so that no server pays for what an earlier load left to be merged.
type shape struct {
	name               string
	connections, batch int
}

var shapes = []shape{
	{"64 connections, single events", 64, 1},
	{"256 connections, single events", 256, 1},
	{"16 connections × 100 NDJSON", 16, 100},
	{"8 connections × 1,000 NDJSON", 8, 1000},
}

func (r *report) run(ctx context.Context) error {
	r.rates = map[string][]load.Line{}
	switch r.only {
	case "":
	case "postgres":
		return r.onPostgres(ctx)
	case "overload":
		return r.overload(ctx)
	case "console":
		return r.console(ctx)
	default:
		return fmt.Errorf("there is no part %q", r.only)
	}
	if err := r.floors(ctx); err != nil {
		return err
	}
	for range r.rounds {
		for _, name := range []string{"http", "rows", "daybook"} {
			if err := r.loads(ctx, name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	r.ratios()
	if err := r.onPostgres(ctx); err != nil {
		return err
	}
	if err := r.overload(ctx); err != nil {
		return err
	}
	if err := r.searches(ctx); err != nil {
		return err
	}
	return r.console(ctx)
}

// floors measures the disk, and one writer alone.
func (r *report) floors(ctx context.Context) error {
	sync, err := r.measure(ctx, "sync", "--bytes", "16384", "--dir", r.dir)
	if err != nil {
		return err
	}
	alone, err := r.measure(ctx, "commit", "--dir", r.dir)
	if err != nil {
		return err
	}
	fmt.Printf("## Floor\n\n| What | p50 ms | p99 ms |\n|---|---|---|\n")
	fmt.Printf("| append 16 KiB and fsync | %.2f | %.2f |\n", sync[0].P50, sync[0].P99)
	fmt.Printf("| one event, committed alone, without HTTP | %.2f | %.2f |\n\n", alone[0].P50, alone[0].P99)
	return nil
}

// loads starts one server and puts every shape of load on it.
func (r *report) loads(ctx context.Context, name string) error {
	s, err := r.start(ctx, name, "load")
	if err != nil {
		return err
	}
	defer s.stop()
	if err := r.prime(ctx, s, name); err != nil {
		return err
	}
	for _, sh := range shapes {
		res, err := r.measure(ctx, "load", "--server", s.url, "--pid", s.pid(), "--name", name+" "+sh.name, "--yes",
			"--connections", strconv.Itoa(sh.connections), "--batch", strconv.Itoa(sh.batch),
			"--duration", r.each.String(), "--warmup", (r.each / 5).String())
		if err != nil {
			return err
		}
		if res[0].Errors > 0 {
			return fmt.Errorf("%s: %d requests failed: %s", sh.name, res[0].Errors, res[0].FirstFail)
		}
		r.rates[name+sh.name] = append(r.rates[name+sh.name], res[0])
	}
	return nil
}

// prime makes the organizations, so that no load pays for the first event of each.
func (r *report) prime(ctx context.Context, s *server, name string) error {
	if name == "http" {
		return nil
	}
	if _, err := r.measure(ctx, "load", "--server", s.url, "--pid", s.pid(), "--name", name+" prime", "--yes", "--connections", "8", "--batch", "100",
		"--events", "100000"); err != nil || name != "daybook" {
		return err
	}
	return r.settled(ctx, s)
}

func (r *report) ratios() {
	fmt.Printf("## Recording\n\n691-byte events, 1,000 organizations (Zipf), durable when answered, load client on the same %d cores, %s each, median of %d.\n\n",
		cores(), r.each, r.rounds)
	fmt.Println("| Load | HTTP alone, ev/s | rows + indexes, ev/s | Daybook, ev/s | Daybook ÷ rows | p50 · p99 ms | server CPU µs/ev | RSS MB |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, sh := range shapes {
		null, rows, own := r.median("http"+sh.name), r.median("rows"+sh.name), r.median("daybook"+sh.name)
		fmt.Printf("| %s | %.0f | %.0f | **%.0f** | **%.1f×** | %.1f · %.1f | %.1f | %d |\n", sh.name, null.EventRate, rows.EventRate, own.EventRate,
			own.EventRate/rows.EventRate, own.P50, own.P99, own.CPUPerEvent, own.ServerRSS>>20)
	}
	fmt.Println()
}

// median returns the run of the middle rate.
func (r *report) median(key string) load.Line {
	rs := slices.SortedFunc(slices.Values(r.rates[key]), func(a, b load.Line) int { return int(a.EventRate - b.EventRate) })
	return rs[len(rs)/2]
}

// searches fills one store and searches it at a third of its size and when it is full.
func (r *report) searches(ctx context.Context) error {
	s, err := r.start(ctx, "daybook", "search")
	if err != nil {
		return err
	}
	defer func() { s.stop() }()
	db := filepath.Join(s.dir, "daybook.db")
	for i, events := range []int{r.large / 3, r.large - r.large/3} {
		if _, err := r.measure(ctx, "load", "--server", s.url, "--pid", s.pid(), "--name", "fill", "--yes", "--connections", "8", "--batch", "1000",
			"--bodies", "200000", "--seed", strconv.Itoa(i+1), "--events", strconv.Itoa(events)); err != nil {
			return err
		}
		size := r.large / 3
		if i == 1 {
			size = r.large
		}
		if err := r.settled(ctx, s); err != nil {
			return err
		}
		rs, err := r.measure(ctx, "query", "--server", s.url, "--pid", s.pid())
		if err != nil {
			return err
		}
		fmt.Printf("## Searching %d entries in 1,000 organizations, warm\n\n| Search | p50 ms | p99 ms |\n|---|---|---|\n", size)
		for _, q := range rs {
			fmt.Printf("| %s | %.2f | %.2f |\n", q.Name, q.P50, q.P99)
		}
		fmt.Println()
	}
	if err := r.exports(ctx, s); err != nil {
		return err
	}
	s.stop()
	disk, err := r.measure(ctx, "disk", "--db", db, "--entries", strconv.Itoa(r.large), "--name", "settled")
	if err != nil {
		return err
	}
	start, err := r.measure(ctx, "start", "--db", db)
	if err != nil {
		return err
	}
	fmt.Printf("## At rest\n\n| What | Figure |\n|---|---|\n| on disk, settled | %v B/entry |\n| start of a store of %d entries | %.0f ms |\n", disk[0].More["bytes_per_entry"],
		r.large, start[0].P50)
	return nil
}

// exports takes the largest log out in every format.
func (r *report) exports(ctx context.Context, s *server) error {
	rs, err := r.measure(ctx, "export", "--server", s.url, "--pid", s.pid())
	if err != nil {
		return err
	}
	fmt.Printf("## Exporting %d entries, the largest of the logs\n\n| Format | entries/s | server CPU µs/entry | RSS MB at most | B/entry |\n|---|---|---|---|---|\n", rs[0].Events)
	for _, x := range rs {
		fmt.Printf("| %s | %.0f | %.1f | %d | %.0f |\n", x.Name, x.EventRate, x.CPUPerEvent, x.ServerRSS>>20, x.More["bytes_per_entry"])
	}
	fmt.Println()
	return nil
}

// measure runs `daybook bench` and reads its lines.
func (r *report) measure(ctx context.Context, args ...string) ([]load.Line, error) {
	fmt.Fprintln(os.Stderr, "bench", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, r.binary, append([]string{"bench"}, args...)...)
	cmd.Env = append(os.Environ(), "DAYBOOK_API_KEY="+r.key)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("daybook bench %s: %w", strings.Join(args, " "), err)
	}
	if r.out != "" {
		if err := appendFile(r.out, out); err != nil {
			return nil, err
		}
	}
	var rs []load.Line
	for line := range bytes.Lines(out) {
		if line[0] != '{' {
			continue
		}
		var res load.Line
		if err := json.Unmarshal(line, &res); err != nil {
			return nil, fmt.Errorf("read what daybook bench %s said: %w", args[0], err)
		}
		rs = append(rs, res)
	}
	return rs, nil
}

func appendFile(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// server is one under test.
type server struct {
	cmd      *exec.Cmd
	url, dir string
}

// start starts a server on a store of its own and waits for its address. What it returns beside an error is to be stopped.
func (r *report) start(ctx context.Context, name, use string, more ...string) (*server, error) {
	s := &server{dir: filepath.Join(r.dir, name+"-"+use), url: "http://127.0.0.1:18099"}
	if err := os.RemoveAll(s.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	db := filepath.Join(s.dir, "daybook.db")
	args := []string{"serve", "--log-level", "error", "--listen", "127.0.0.1:18099", "--db", db, "--data-dir", s.dir, "--master-key-file", filepath.Join(r.dir, "master.key")}
	switch name {
	case "http":
		args = []string{"bench", "null", "--listen", "127.0.0.1:18099"}
	case "rows", "pgrows", "pgplain":
		args = []string{"rows", "-listen", "127.0.0.1:18099", "-dir", s.dir}
	}
	for i, word := range more {
		if word == "--listen" {
			s.url = "http://" + more[i+1]
		}
	}
	binary := r.binary
	if args[0] == "rows" {
		var err error
		if binary, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	if name != "http" && !slices.Contains(more, "--db") {
		var err error
		if r.key, err = r.makeKey(ctx, db); err != nil {
			return nil, err
		}
	}
	s.cmd = exec.CommandContext(ctx, binary, append(args, more...)...)
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, s.ready(ctx)
}

// makeKey makes a key in a store that no server has open.
func (r *report) makeKey(ctx context.Context, db string) (string, error) {
	cmd := exec.CommandContext(ctx, r.binary, "key", "create", "--db", db, "--all-orgs", "--name", "bench", "--scopes", "record,read,export,operate", "-q")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

func (s *server) pid() string { return strconv.Itoa(s.cmd.Process.Pid) }

// stop ends the server in order and waits for it. A second call does nothing.
func (s *server) stop() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait()
	}
}

// ready waits until the server answers.
func (s *server) ready(ctx context.Context) error {
	for range 300 {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(s.url, "http://")); err == nil {
			return conn.Close()
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s does not answer", s.url)
}

// settled waits until the server has merged what it can merge.
func (r *report) settled(ctx context.Context, s *server) error {
	for range 6000 {
		debt, err := r.metric(ctx, s, "daybook_merge_debt_entries")
		if err != nil || debt == 0 {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s still merges after ten minutes", s.url)
}

// metric reads one number without labels.
func (r *report) metric(ctx context.Context, s *server, name string) (float64, error) {
	text, err := get(ctx, s.url+"/metrics", r.key)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(v), 64)
		}
	}
	return 0, fmt.Errorf("%s has no metric %s", s.url, name)
}
