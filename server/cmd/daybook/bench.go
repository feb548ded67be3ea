package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newBench(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench", Short: "Load generator and measurements",
		Long: `Each run writes one line of JSON to stdout: what was run, on what, and what came out. make bench runs the whole table.`,
	}
	cmd.AddCommand(newBenchGen(e), newBenchLoad(e), newBenchOverload(e), newBenchQuery(e), newBenchCommit(e), newBenchStart(e), newBenchDisk(e), newBenchExport(e), newBenchNull(e), newBenchSync(e))
	return cmd
}

// benchResult is the line of one run. Times are seconds, latencies milliseconds.
type benchResult struct {
	Bench    string         `json:"bench"`
	Name     string         `json:"name,omitempty"`
	Date     string         `json:"date"`
	Version  string         `json:"version"`
	Cores    int            `json:"cores"`
	OS       string         `json:"os"`
	Settings map[string]any `json:"settings"`

	Events    int64   `json:"events,omitempty"`
	Requests  int64   `json:"requests,omitempty"`
	Errors    int64   `json:"errors"`
	FirstFail string  `json:"first_error,omitempty"`
	Seconds   float64 `json:"seconds"`
	EventRate float64 `json:"events_per_second,omitempty"`
	Rate      float64 `json:"requests_per_second,omitempty"`
	P50       float64 `json:"p50_ms"`
	P90       float64 `json:"p90_ms,omitempty"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`

	ServerCPU   float64        `json:"server_cpu_seconds,omitempty"`
	ClientCPU   float64        `json:"client_cpu_seconds,omitempty"`
	CPUPerEvent float64        `json:"server_cpu_us_per_event,omitempty"`
	ServerRSS   int64          `json:"server_rss_bytes,omitempty"`
	Written     int64          `json:"server_written_bytes,omitempty"`
	More        map[string]any `json:"more,omitempty"`
}

func (e *env) newResult(bench, name string, settings map[string]any) *benchResult {
	return &benchResult{
		Bench: bench, Name: name, Date: e.now().UTC().Format(time.RFC3339), Version: version(), Cores: runtime.GOMAXPROCS(0),
		OS: runtime.GOOS + "/" + runtime.GOARCH, Settings: settings,
	}
}

// latencies sets the distribution.
func (r *benchResult) latencies(h *histogram) {
	r.P50, r.P90, r.P99, r.Max = h.at(0.50), h.at(0.90), h.at(0.99), float64(h.max)/1e6
}

// print writes the line, and with goBench also as `go test -bench` would, for benchstat.
func (r *benchResult) print(w io.Writer, goBench bool) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	if _, err := fmt.Fprintf(w, "%s\n", text); err != nil || !goBench {
		return err
	}
	name := strings.Map(func(c rune) rune {
		if c == ' ' || c == '/' {
			return '_'
		}
		return c
	}, r.Bench+"/"+r.Name)
	n := max(r.Events, r.Requests, 1)
	line := fmt.Sprintf("Benchmark%s-%d\t%d\t%.1f ns/op", strings.ToUpper(name[:1])+name[1:], r.Cores, n, r.Seconds*1e9/float64(n))
	if r.EventRate > 0 {
		line += fmt.Sprintf("\t%.0f events/s", r.EventRate)
	}
	line += fmt.Sprintf("\t%.3f p50-ms\t%.3f p99-ms", r.P50, r.P99)
	_, err = fmt.Fprintln(w, line)
	return err
}

// histogram counts durations in buckets of less than 1 % width, so that any number of them fits into 32 KiB.
type histogram struct {
	counts [64 << 6]int64
	n      int64
	max    int64 // ns
}

const subBuckets = 6 // 2⁶ a power of two, halved below: 1/64

func bucketOf(ns int64) int {
	if ns < 1<<subBuckets {
		return int(max(ns, 0))
	}
	shift := bits.Len64(uint64(ns)) - subBuckets - 1
	return (shift+1)<<subBuckets + int(ns>>shift)&(1<<subBuckets-1)
}

func valueOf(bucket int) float64 {
	if bucket < 1<<subBuckets {
		return float64(bucket)
	}
	shift := bucket>>subBuckets - 1
	low := float64(int64(bucket&(1<<subBuckets-1)|1<<subBuckets) << shift)
	return low + float64(int64(1)<<shift)/2
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(int64(d))]++
	h.n++
	h.max = max(h.max, int64(d))
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// at returns a quantile in milliseconds.
func (h *histogram) at(q float64) float64 {
	rank := int64(q * float64(h.n))
	for i, n := range h.counts {
		if rank -= n; rank < 0 {
			return min(valueOf(i), float64(h.max)) / 1e6
		}
	}
	return float64(h.max) / 1e6
}

// usageOf is what a process has used so far; known on Linux only.
type usageOf struct {
	cpu          float64 // seconds
	rss, written int64
}

// processUse reads /proc and adds up; a pid of 0, and systems without it, give zeros.
func processUse(pids ...int) usageOf {
	var all usageOf
	for _, pid := range pids {
		u := oneProcess("/proc/" + strconv.Itoa(pid))
		all.cpu, all.rss, all.written = all.cpu+u.cpu, all.rss+u.rss, all.written+u.written
	}
	return all
}

func oneProcess(dir string) (u usageOf) {
	if text, err := os.ReadFile(dir + "/stat"); err == nil {
		if _, rest, ok := cutLast(string(text), ")"); ok {
			if f := strings.Fields(rest); len(f) > 13 {
				user, _ := strconv.ParseInt(f[11], 10, 64)
				system, _ := strconv.ParseInt(f[12], 10, 64)
				u.cpu = float64(user+system) / 100 // USER_HZ is 100 on every Linux that Go runs on
			}
		}
	}
	if text, err := os.ReadFile(dir + "/status"); err == nil {
		u.rss = procNumber(string(text), "VmRSS:") << 10
	}
	if text, err := os.ReadFile(dir + "/io"); err == nil {
		u.written = procNumber(string(text), "write_bytes:")
	}
	return u
}

func procNumber(text, name string) int64 {
	_, rest, ok := strings.Cut(text, name)
	if !ok {
		return 0
	}
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
