package load

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// Line is what one run came to. Times are seconds, latencies milliseconds; names of members are kept, since recorded results are compared.
type Line struct {
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

// NewLine returns the line of a run on this machine that ended at the time now, of a version of Daybook.
func NewLine(bench, name, version string, now time.Time, settings map[string]any) *Line {
	return &Line{
		Bench: bench, Name: name, Date: now.UTC().Format(time.RFC3339), Version: version, Cores: runtime.GOMAXPROCS(0),
		OS: runtime.GOOS + "/" + runtime.GOARCH, Settings: settings,
	}
}

// Latencies sets the distribution.
func (r *Line) Latencies(h *Latencies) {
	r.P50, r.P90, r.P99, r.Max = h.At(0.50), h.At(0.90), h.At(0.99), h.Max()
}

// Print writes the line, and with goBench also as `go test -bench` would, for benchstat.
func (r *Line) Print(w io.Writer, goBench bool) error {
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
