package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
)

// Everywhere is one time to live for a part of every organization's log, such as that of a door. It belongs to one Keeping.
type Everywhere struct {
	Orgs *Orgs
	Of   *query.Query   // the part
	Keep daybook.Period // its time to live
	Now  func() time.Time

	next map[daybook.OrgID]time.Time // when a log is looked through again
}

// orgsPage is how many organizations are read at once.
const orgsPage = 500

// round applies the time to live where it may have ended for something since the last look.
func (e *Everywhere) round(ctx context.Context, k *Keeping) error {
	if e.next == nil {
		e.next = map[daybook.OrgID]time.Time{}
	}
	policy := daybook.Retention{Rules: []daybook.RetentionRule{{Of: e.Of, Keep: e.Keep}}}
	var failed []error
	after := daybook.OrgID("")
	for {
		orgs, err := e.Orgs.List(ctx, after, orgsPage)
		if err != nil {
			return errors.Join(append(failed, fmt.Errorf("list organizations: %w", err))...)
		}
		for _, org := range orgs {
			after = org.ID
			now := e.Now()
			if now.Before(e.next[org.ID]) {
				continue
			}
			p, err := k.apply(ctx, org.ID, policy)
			switch {
			case err != nil:
				failed = append(failed, err)
			case !p.More:
				e.next[org.ID] = now.Add(e.interval())
			}
			if ctx.Err() != nil {
				return errors.Join(failed...)
			}
		}
		if len(orgs) < orgsPage {
			return errors.Join(failed...)
		}
	}
}

// interval is how long a log is left alone: removal moves on in steps of at least a minute, and each look reads what is old.
func (e *Everywhere) interval() time.Duration {
	return min(max(e.Keep.Duration()/24, time.Minute), time.Hour) - time.Second // a round may come a little early
}
