package api

import (
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
)

// clocks says how far the times that producers give are from when their events came.
type clocks struct {
	Ahead    float64       `json:"ahead_s" doc:"The most that an event is said to have occurred after it came, in seconds; 0: none is. A clock of its producer, or the server's, is wrong."`
	AheadOrg daybook.OrgID `json:"ahead_org,omitempty" doc:"Where." example:"org_acme"`
	Late     float64       `json:"late_s" doc:"The most that an event came after it is said to have occurred, in seconds: it waited on its way, was imported, or a clock is behind."`
	LateOrg  daybook.OrgID `json:"late_org,omitempty" doc:"Where." example:"org_acme"`
	Over     float64       `json:"over_s" doc:"They are the most of so many seconds; 0: since the process began."`
}

// clocksFor is how long the most of something is shown at least.
const clocksFor = 15 * time.Minute

// drift keeps the most of now and of the time before. Safe for concurrent use.
type drift struct {
	mu                   sync.Mutex
	now, before          most
	since, began, former time.Time // since when now is kept; when it and before began, zero: with the process
}

// most is how far the clocks were apart at most.
type most struct {
	seen              bool
	ahead, late       time.Duration
	aheadOrg, lateOrg daybook.OrgID
}

func (m *most) add(o *most) {
	m.seen = m.seen || o.seen
	if o.ahead > m.ahead {
		m.ahead, m.aheadOrg = o.ahead, o.aheadOrg
	}
	if o.late > m.late {
		m.late, m.lateOrg = o.late, o.lateOrg
	}
}

// add counts a request whose events came so long after they occurred, the least and the most.
func (d *drift) add(org daybook.OrgID, least, longest time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now.add(&most{seen: true, ahead: -least, aheadOrg: org, late: longest, lateOrg: org})
}

// read returns the most of the last quarter of an hour or more; nil: there was nothing. What is older than that is forgotten only when
// somebody asks: nobody needs to wake up for it.
func (d *drift) read(now time.Time) *clocks {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.since.IsZero() {
		d.since = now
	}
	all := d.before
	all.add(&d.now)
	over := 0.0
	if !d.former.IsZero() {
		over = now.Sub(d.former).Seconds()
	}
	if now.Sub(d.since) >= clocksFor {
		d.before, d.former = d.now, d.began
		d.now, d.since, d.began = most{}, now, now
	}
	if !all.seen {
		return nil
	}
	return &clocks{Ahead: all.ahead.Seconds(), AheadOrg: all.aheadOrg, Late: all.late.Seconds(), LateOrg: all.lateOrg, Over: over}
}
