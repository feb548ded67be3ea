package daybook

import (
	"context"
	"time"
)

// countRemovals publishes how many removals wait, and in which logs. The caller holds the merger's mu.
func (m *merger) countRemovals() {
	m.pendingCount.Store(int64(len(m.removals.queue)))
	var logs []LogNo
	seen := map[LogNo]bool{}
	for _, r := range m.removals.queue {
		if !seen[r.log] {
			seen[r.log] = true
			logs = append(logs, r.log)
		}
	}
	m.pendingLogs.Store(&logs)
}

// Overdue returns the erasures that were asked for longer ago than after and are not carried out: a copy cannot be removed, a hold came
// between, or a log cannot be read. Their values are still there, and it is for people to look why. It costs nothing when nothing is
// pending.
func (b *Book) Overdue(ctx context.Context, after time.Duration) ([]Erasure, error) {
	logs := b.merger.pendingLogs.Load()
	if logs == nil {
		return nil, nil
	}
	before := b.now() - after.Microseconds()
	var late []Erasure
	for _, log := range *logs {
		v, err := b.merger.viewOf(ctx, log)
		if err != nil {
			return nil, err
		}
		all, err := b.Erasures(ctx, v.head.Org)
		if err != nil {
			return nil, err
		}
		for i := range all {
			if all[i].CompletedAt == 0 && all[i].RequestedAt <= before {
				late = append(late, all[i])
			}
		}
	}
	return late, nil
}
