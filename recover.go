package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// newestCommit asks Tail for the shard's numbers alone: no commit comes after it.
const newestCommit CommitNo = 1 << 60

// load rebuilds the tail from the store: commits after the last merged one.
func (s *shard) load(ctx context.Context) error {
	tail, err := s.b.store.Tail(ctx, s.no, newestCommit, 1)
	if err != nil {
		return fmt.Errorf("read the tail: %w", err)
	}
	s.last = tail.Merged
	return s.catchUp(ctx)
}

// catchUp applies commits that someone else made, so that the next one is prepared on top of them.
func (s *shard) catchUp(ctx context.Context) error {
	for {
		s.mu.RLock()
		after := s.last
		s.mu.RUnlock()
		tail, err := s.b.store.Tail(ctx, s.no, after, 16<<20)
		if err != nil {
			return fmt.Errorf("read the commits after %d: %w", after, err)
		}
		if tail.Last < after { // without this, commit would ask for what is newer for ever
			return damaged("the store ends at commit %d, and commit %d was durable: it was rolled back", tail.Last, after)
		}
		if err := s.apply(ctx, tail); err != nil {
			return err
		}
		if len(tail.Rows) == 0 || tail.Rows[len(tail.Rows)-1].N >= tail.Last {
			return nil
		}
	}
}

// apply takes stored commits into the tail: those after a restart, and those of others. A log whose stored head and commits
// contradict each other is frozen; the rest of the commit counts.
func (s *shard) apply(ctx context.Context, tail Tail) error {
	commits := make([]*tailCommit, len(tail.Rows))
	errs := make([]error, len(tail.Rows))
	var group sync.WaitGroup
	for i, row := range tail.Rows {
		group.Go(func() { commits[i], errs[i] = unpackCommit(row.N, row.Bytes) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("unpack commits: %w", err)
	}
	if err := s.openLogs(ctx, commits); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signed, s.merged = max(s.signed, tail.Signed), max(s.merged, tail.Merged)
	for _, c := range commits {
		if c.n != s.last+1 {
			return damaged("commit %d follows %d", c.n, s.last)
		}
		for i := range c.runs {
			s.check(c, &c.runs[i])
		}
		for i := range c.entries {
			s.ids.add(&c.entries[i].id, s.ids.covered)
		}
		s.publish(c)
	}
	return nil
}

// openLogs reads the heads of logs that commits name and this process has not opened.
func (s *shard) openLogs(ctx context.Context, commits []*tailCommit) error {
	var missing []LogNo
	seen := map[LogNo]bool{}
	s.mu.RLock()
	for _, c := range commits {
		for _, r := range c.runs {
			if s.logs[r.log] == nil && !seen[r.log] {
				seen[r.log] = true
				missing = append(missing, r.log)
			}
		}
	}
	s.mu.RUnlock()
	if len(missing) == 0 {
		return nil
	}
	heads, err := s.b.store.LogHeads(ctx, missing)
	if err != nil {
		return fmt.Errorf("read the heads of %d logs: %w", len(missing), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range heads {
		if s.logs[h.Log] == nil {
			s.addLog(h).emptyAt = 0
		}
	}
	return nil
}

// check continues the frontier of a stored run and compares it with the check value that the commit carries. The caller holds mu.
func (s *shard) check(c *tailCommit, r *commitRun) {
	t := s.logs[r.log]
	end := r.first + int64(r.count)
	if t.fault != nil || end <= t.head.Packed { // folded before the restart
		return
	}
	if skip := t.tree.size - r.first; skip >= 0 && skip < int64(r.count) {
		for e := r.at + int(skip); e < r.at+r.count; e++ {
			t.tree.append(c.entries[e].leaf)
		}
		if t.tree.check() == r.check {
			return
		}
	}
	t.fault = &Error{
		Code: CodeTampered, Rule: "head_mismatch",
		Message: fmt.Sprintf("log %d of %s: commit %d does not continue the stored head at entry %d", r.log, t.head.Org, c.n, r.first),
	}
	s.b.o.Logger.Error("log frozen", slog.String("org", string(t.head.Org)), slog.Any("error", t.fault))
}
