package api

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// Metrics is what /metrics serves: the Book's figures and those of HTTP. Make it before the Book, hand Book to [daybook.Options], and
// call Watch when the Book is open.
type Metrics struct {
	registry *prometheus.Registry
	handler  http.Handler
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	book     *daybook.Metrics
	stats    func() daybook.Stats // set by Watch
	pace     pace
	clocks   drift
	name     string       // of this process
	overdue  func() int64 // set by WatchErasures; nil: nobody looks
	turn     func() bool  // set by WatchTurn; nil: not known
}

// NewMetrics returns metrics of one server.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "daybook_http_requests_total", Help: "Requests answered, by route and status.",
	}, []string{"method", "route", "status"})
	m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "daybook_http_request_seconds", Help: "Time from the header to the end of the answer, by route.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"method", "route"})
	m.registry.MustRegister(m.requests, m.seconds, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.book = m.bookMetrics()
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return m
}

// Node adds the name of this process and its version, as the labels of a figure that is always 1.
func (m *Metrics) Node(name, version string) {
	m.name = name
	node := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "daybook_node_info", Help: "This process: always 1.", ConstLabels: prometheus.Labels{"node": name, "version": version},
	})
	node.Set(1)
	m.registry.MustRegister(node)
}

// Book returns the functions that the Book calls.
func (m *Metrics) Book() *daybook.Metrics { return m.book }

func (m *Metrics) bookMetrics() *daybook.Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
		m.registry.MustRegister(h)
		return h
	}
	times := []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5}
	entries := counter("daybook_entries_total", "Entries recorded and durable.")
	commits := histogram("daybook_commit_seconds", "Time of a commit, from taking its requests to publishing it.", times)
	sizes := histogram("daybook_commit_entries", "Entries of a commit.", prometheus.ExponentialBuckets(1, 4, 8))
	rows := counter("daybook_commit_bytes_total", "Bytes of commit rows.")
	waits := histogram("daybook_commit_wait_seconds", "How long the oldest request of a commit waited for its turn.", times)
	merges := histogram("daybook_merge_seconds", "Time of one slice of merging.", times)
	blocks := counter("daybook_merge_blocks_total", "Blocks written by the merger.")
	merged := counter("daybook_merge_bytes_total", "Bytes written by the merger.")
	searches := histogram("daybook_search_seconds", "Time of a search, facets or histogram.", times)
	decoded := counter("daybook_search_blocks_total", "Blocks unpacked by searches.")
	flags := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "daybook_flagged_total", Help: "Events recorded although their schema refuses them, by flag."}, []string{"flag"})
	m.registry.MustRegister(flags)
	signings := histogram("daybook_sign_seconds", "Time of a round of signing.", times)
	signed := counter("daybook_signed_logs_total", "Logs signed by rounds.")
	return &daybook.Metrics{
		Sign: func(logs int, seconds float64) {
			signed.Add(float64(logs))
			signings.Observe(seconds)
		},
		Commit: func(n, bytes int, seconds float64) {
			entries.Add(float64(n))
			rows.Add(float64(bytes))
			sizes.Observe(float64(n))
			commits.Observe(seconds)
			m.pace.commit(n, seconds)
		},
		Clock: m.clocks.add,
		Flag:  func(flag string) { flags.WithLabelValues(flag).Inc() },
		Wait:  waits.Observe,
		Merge: func(n, bytes int, seconds float64) {
			blocks.Add(float64(n))
			merged.Add(float64(bytes))
			merges.Observe(seconds)
		},
		Search: func(seconds float64, n int) {
			searches.Observe(seconds)
			decoded.Add(float64(n))
		},
	}
}

// Watch adds what a Book holds at the moment of asking.
func (m *Metrics) Watch(stats func() daybook.Stats) {
	m.stats = stats
	gauge := func(name, help string, of func(daybook.Stats) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return of(stats()) }))
	}
	gauge("daybook_queue_bytes", "Bytes of requests that wait for a commit.", func(s daybook.Stats) float64 { return float64(s.QueueBytes) })
	gauge("daybook_tail_entries", "Entries committed and not yet merged.", func(s daybook.Stats) float64 { return float64(s.TailEntries) })
	gauge("daybook_tail_bytes", "Bytes of the tail in memory.", func(s daybook.Stats) float64 { return float64(s.TailBytes) })
	gauge("daybook_removals_pending", "Erasures and removals by retention that are not carried out.", func(s daybook.Stats) float64 { return float64(s.Removals) })
	gauge("daybook_merge_debt_entries", "Entries in blocks that are still to be merged into larger ones.", func(s daybook.Stats) float64 { return float64(s.MergeDebt) })
	gauge("daybook_merge_lag_commits", "Commits that are not merged yet.", func(s daybook.Stats) float64 { return float64(s.Commits - s.Merged) })
	gauge("daybook_frozen_logs", "Opened logs in which nothing is recorded: damaged, rolled back or forked.", func(s daybook.Stats) float64 { return float64(s.Frozen) })
	gauge("daybook_open_logs", "Logs opened by this process.", func(s daybook.Stats) float64 { return float64(s.Logs) })
}

// WatchAudit adds what an Auditor has recorded, has had to log instead, and still holds.
func (m *Metrics) WatchAudit(stats func() selfaudit.Stats) {
	m.registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "daybook_self_audit_events_total", Help: "Events about the log itself that were recorded."},
			func() float64 { return float64(stats().Recorded) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "daybook_self_audit_lost_total", Help: "Events about the log itself that could only be written to the log of the server."},
			func() float64 { return float64(stats().Lost) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "daybook_self_audit_waiting", Help: "Events about the log itself that wait to be recorded."},
			func() float64 { return float64(stats().Waiting) }))
}

// WatchErasures adds how many erasures are overdue.
func (m *Metrics) WatchErasures(overdue func() int64) {
	m.overdue = overdue
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "daybook_erasures_overdue", Help: "Erasures that are not carried out 24 hours after they were asked for."},
		func() float64 { return float64(overdue()) }))
}

// WatchTurn adds whether this process does the background work of all that share the store: retention, and the checks that repeat.
func (m *Metrics) WatchTurn(turn func() bool) {
	m.turn = turn
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "daybook_background", Help: "1: this process does the background work of all nodes."},
		func() float64 {
			if turn() {
				return 1
			}
			return 0
		}))
}

func (m *Metrics) serve(c *call) { m.handler.ServeHTTP(c, c.r) }

// routeTimes holds the counters of one route, so that a request looks nothing up.
type routeTimes struct {
	seconds  prometheus.Observer
	requests *prometheus.CounterVec
	statuses sync.Map // int → prometheus.Counter
}

func (m *Metrics) route(method, pattern string) *routeTimes {
	if m == nil {
		return nil
	}
	labels := prometheus.Labels{"method": method, "route": pattern}
	return &routeTimes{seconds: m.seconds.With(labels), requests: m.requests.MustCurryWith(labels)}
}

func (t *routeTimes) observe(status int, took time.Duration) {
	t.seconds.Observe(took.Seconds())
	if c, ok := t.statuses.Load(status); ok {
		if counter, ok := c.(prometheus.Counter); ok {
			counter.Inc()
		}
		return
	}
	counter := t.requests.WithLabelValues(strconv.Itoa(status))
	t.statuses.Store(status, counter)
	counter.Inc()
}
