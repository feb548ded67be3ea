package api

import (
	"math"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
)

// overview is how the instance stands, for who operates it.
type overview struct {
	Version       string    `json:"version" example:"0.1.0"`
	Go            string    `json:"go" doc:"The toolchain that built it." example:"go1.26.0"`
	URL           string    `json:"url" doc:"Under which clients reach it."`
	Signing       bool      `json:"signing" doc:"Checkpoints are signed."`
	Organizations counted   `json:"organizations"`
	Entries       counted   `json:"entries" doc:"Of the organizations that were counted."`
	StorageBytes  *int64    `json:"storage_bytes,omitempty" doc:"Of the store's files. Absent: the store is elsewhere."`
	Node          *nodeLoad `json:"node,omitempty" doc:"What this process does. Absent: metrics are off."`
	Jobs          []job     `json:"jobs" nullable:"false" doc:"What is under way for organizations, by whatever process: up to 50."`
	Modules       []module  `json:"modules" nullable:"false" doc:"What is linked into the program; their licences are at their sources."`
}

// counted is a number that may have been given up.
type counted struct {
	Value int64 `json:"value"`
	Exact bool  `json:"exact" doc:"false: there are at least so many."`
}

// nodeLoad is what one process does.
type nodeLoad struct {
	Name          string  `json:"name,omitempty" doc:"Of this process, among those that share the store." example:"audit-1"`
	Recorded      int64   `json:"recorded" doc:"Entries since the process began."`
	PerSecond     float64 `json:"recorded_per_second" doc:"Over the last over_s seconds."`
	Over          float64 `json:"over_s"`
	CommitP99     float64 `json:"commit_p99_s" doc:"Of the last commits_measured commits, in seconds."`
	Commits       int     `json:"commits_measured"`
	QueueBytes    int64   `json:"queue_bytes" doc:"Of requests that wait for a commit."`
	TailEntries   int     `json:"tail_entries" doc:"Committed and not yet merged."`
	MergeDebt     int64   `json:"merge_debt" doc:"Entries in blocks that are still to be merged into larger ones."`
	Removals      int64   `json:"removals" doc:"Erasures and removals by retention that are not carried out."`
	Overdue       int64   `json:"erasures_overdue" doc:"Of them, erasures that are not carried out 24 hours after they were asked for, as far as this process looks."`
	Background    *bool   `json:"background,omitempty" doc:"This process does the background work of all that share the store: retention, and the checks that repeat. Absent: not known."`
	Clocks        *clocks `json:"clocks,omitempty" doc:"How the clocks of producers stand to this one. Absent: nobody said when an event occurred."`
	OpenLogs      int     `json:"open_logs"`
	FrozenLogs    int     `json:"frozen_logs" doc:"In which nothing is recorded: damaged, rolled back or forked."`
	AuditRecorded int64   `json:"self_audit_recorded"`
	AuditLost     int64   `json:"self_audit_lost"`
	AuditWaiting  int64   `json:"self_audit_waiting"`
}

type module struct {
	Path    string `json:"path" example:"github.com/klauspost/compress"`
	Version string `json:"version" example:"v1.18.0"`
}

var aboutGetInstance = operation{
	id: "getInstance", tag: "Instance", summary: "How the instance stands", text: "Figures for people; for machines there is /metrics. Organizations are counted at most every half a minute, and up to 1,000.",
	answers: ok(overview{}, "The figures."),
}

const (
	maxCounted  = 1000
	countedFor  = 30 * time.Second
	sampleEvery = 10 * time.Second
)

// pace measures recording: totals, and the times of the last commits. Safe for concurrent use.
type pace struct {
	mu      sync.Mutex
	entries int64
	times   [1024]float64
	commits int

	sampled time.Time // when seen was the total
	seen    int64
	earlier time.Time // the sample before
	before  int64
}

func (p *pace) commit(entries int, seconds float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.entries += int64(entries)
	p.times[p.commits%len(p.times)] = seconds
	p.commits++
}

// read fills in what was measured. The rate is that since the sample before the last, so that it is over ten seconds or more, unless this
// is the first time that somebody asks.
func (p *pace) read(l *nodeLoad, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.Recorded = p.entries
	if p.sampled.IsZero() || now.Sub(p.sampled) >= sampleEvery {
		p.earlier, p.before = p.sampled, p.seen
		p.sampled, p.seen = now, p.entries
	}
	if !p.earlier.IsZero() {
		l.Over = now.Sub(p.earlier).Seconds()
		l.PerSecond = math.Round(100*float64(p.entries-p.before)/l.Over) / 100
	}
	l.Commits = min(p.commits, len(p.times))
	if l.Commits > 0 {
		sorted := slices.Sorted(slices.Values(p.times[:l.Commits]))
		l.CommitP99 = sorted[min(len(sorted)*99/100, len(sorted)-1)]
	}
}

// totals remembers what was counted over all organizations.
type totals struct {
	mu            sync.Mutex
	until         time.Time
	orgs, entries counted
}

// count counts organizations and their entries, unless that was done within half a minute.
func (c *call) count() (orgs, entries counted, err error) {
	t, now := &c.s.totals, c.s.now()
	t.mu.Lock()
	defer t.mu.Unlock() // one counts, the others wait for it
	if now.Before(t.until) {
		return t.orgs, t.entries, nil
	}
	list, err := c.s.Orgs.List(c.r.Context(), "", maxCounted+1)
	if err != nil {
		return orgs, entries, err
	}
	exact := len(list) <= maxCounted
	list = list[:min(len(list), maxCounted)]
	ids := make([]daybook.OrgID, 0, len(list))
	for _, org := range list {
		ids = append(ids, org.ID)
	}
	infos, err := c.s.Book.Info(c.r.Context(), ids...)
	if err != nil {
		return orgs, entries, err
	}
	sum := int64(0)
	for i := range infos {
		sum += infos[i].Size
	}
	t.orgs, t.entries, t.until = counted{int64(len(list)), exact}, counted{sum, exact}, now.Add(countedFor)
	return t.orgs, t.entries, nil
}

func getInstance(c *call) error {
	orgs, entries, err := c.count()
	if err != nil {
		return err
	}
	keys, err := c.s.Book.InstanceVkeys(c.r.Context())
	if err != nil {
		return err
	}
	shown := overview{Version: c.s.Version, URL: c.s.Origin.URL(c.r), Signing: keys.Clock != "", Organizations: orgs, Entries: entries, Modules: []module{}}
	if c.s.Storage != nil {
		n, err := c.s.Storage()
		if err != nil {
			return err
		}
		shown.StorageBytes = &n
	}
	if m := c.s.Metrics; m != nil && m.stats != nil {
		stats, audit := m.stats(), c.s.Audit.Stats()
		shown.Node = &nodeLoad{
			QueueBytes: stats.QueueBytes, TailEntries: stats.TailEntries, MergeDebt: stats.MergeDebt, Removals: stats.Removals, OpenLogs: stats.Logs, FrozenLogs: stats.Frozen,
			AuditRecorded: audit.Recorded, AuditLost: audit.Lost, AuditWaiting: audit.Waiting,
		}
		m.pace.read(shown.Node, c.s.now())
		shown.Node.Name, shown.Node.Clocks = m.name, m.clocks.read(c.s.now())
		if m.turn != nil {
			shown.Node.Background = new(m.turn())
		}
		if m.overdue != nil {
			shown.Node.Overdue = m.overdue()
		}
	}
	if shown.Jobs, err = c.jobs(); err != nil {
		return err
	}
	if built, ok := debug.ReadBuildInfo(); ok {
		shown.Go = built.GoVersion
		for _, dep := range built.Deps {
			if dep.Replace != nil {
				dep = dep.Replace
			}
			shown.Modules = append(shown.Modules, module{dep.Path, dep.Version})
		}
	}
	c.send(http.StatusOK, jsonType, marshal(shown))
	return nil
}
