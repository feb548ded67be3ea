package daybook

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// gap is what was lost and is not yet said in the log.
type gap struct {
	mu   sync.Mutex
	lost map[OrgID]*loss
}

// loss is the events of one org that were lost in a row.
type loss struct {
	n           int64
	first, last time.Time
}

// add notes a lost event.
func (g *gap) add(org OrgID, at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lost == nil {
		g.lost = map[OrgID]*loss{}
	}
	l := g.lost[org]
	if l == nil {
		l = &loss{first: at}
		g.lost[org] = l
	}
	l.n, l.last = l.n+1, at
}

// take returns what is not said yet, nil for nothing.
func (g *gap) take(org OrgID) *loss {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lost[org]
	delete(g.lost, org)
	return l
}

// giveBack adds what could not be said.
func (g *gap) giveBack(org OrgID, l *loss) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := g.lost[org]; now != nil {
		l.n, l.last = l.n+now.n, now.last
	}
	g.lost[org] = l
}

// confess records, once something of org was recorded again, how many events were lost before: action "recording.interrupted".
func (c *Clerk) confess(ctx context.Context, org OrgID) {
	l := c.gap.take(org)
	if l == nil {
		return
	}
	_, err := c.to.Record(context.WithoutCancel(ctx), org, Event{
		ID: c.o.NewID(), Org: org, Action: "recording.interrupted", Actor: System("daybook:clerk"), Outcome: Failure,
		Targets:  []Target{{Type: "clerk", ID: "recording"}},
		Metadata: json.RawMessage(fmt.Sprintf(`{"lost":%d,"first_at":"%s","last_at":"%s"}`, l.n, AppendTime(nil, l.first.UnixMicro()), AppendTime(nil, l.last.UnixMicro()))),
	})
	if err != nil {
		c.gap.giveBack(org, l)
	}
}
