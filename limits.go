package daybook

import (
	"context"
	"sync"
)

// scansPerOrg is how many scans of one org run at once, so that one org's searches do not starve the others'.
const scansPerOrg = 4

// scanLimits lets a few scans of each org in at a time. It is safe for concurrent use.
type scanLimits struct {
	mu   sync.Mutex
	orgs map[OrgID]*scanQueue
}

// scanQueue is the scans of one org that run or wait. It is gone when there are none.
type scanQueue struct {
	slots chan struct{}
	users int
}

func newScanLimits() *scanLimits { return &scanLimits{orgs: map[OrgID]*scanQueue{}} }

// enter waits for a slot of org or the end of ctx. The scan calls release when it has ended.
func (l *scanLimits) enter(ctx context.Context, org OrgID) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	l.mu.Lock()
	q := l.orgs[org]
	if q == nil {
		q = &scanQueue{slots: make(chan struct{}, scansPerOrg)}
		l.orgs[org] = q
	}
	q.users++
	l.mu.Unlock()
	select {
	case q.slots <- struct{}{}:
		return func() { <-q.slots; l.leave(org, q) }, nil
	case <-ctx.Done():
		l.leave(org, q)
		return nil, context.Cause(ctx)
	}
}

func (l *scanLimits) leave(org OrgID, q *scanQueue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(l.orgs, org)
	}
}
