package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/daybook-audit/daybook/internal/packed"
)

// newestCommit asks Tail for the shard's numbers alone: no commit comes after it.
const newestCommit CommitNo = 1 << 60

// load rebuilds the tail from the store: commits after the last merged one.
func (s *shard) load(ctx context.Context) error {
	tail, err := s.b.store.Tail(ctx, s.no, newestCommit, 1)
	if err != nil {
		return fmt.Errorf("read the tail: %w", err)
	}
	s.last, s.merged, s.states = tail.Merged, tail.Merged, tail.States
	return s.catchUp(ctx)
}

// takeCommits applies commits that someone else made, and returns the last Tail.
func (s *shard) takeCommits(ctx context.Context, in turn) (Tail, error) {
	for {
		s.mu.RLock()
		after := s.last
		s.mu.RUnlock()
		tail, err := s.b.store.Tail(ctx, s.no, after, 16<<20)
		if errors.Is(err, ErrTrimmed) && s.b.fleet != nil {
			if err = s.skip(ctx, in); err == nil {
				continue
			}
		}
		if err != nil {
			return tail, fmt.Errorf("read the commits after %d: %w", after, err)
		}
		if tail.Last < after { // without this, commit would ask for what is newer for ever
			return tail, damaged("the store ends at commit %d, and commit %d was durable: it was rolled back", tail.Last, after)
		}
		commits, err := unpackTail(s.no, tail)
		if err == nil {
			err = s.openLogs(ctx, commits)
		}
		if err == nil {
			err = in(func() error { return s.apply(commits, tail) })
		}
		if err != nil {
			return tail, err
		}
		if len(tail.Rows) == 0 || tail.Rows[len(tail.Rows)-1].N >= tail.Last {
			return tail, nil
		}
	}
}

// unpackTail unpacks the rows of the tail of a shard. One that is damaged is an *Error of CodeTampered with the rule commit_damaged, which
// says which; then none is returned, since what follows cannot be told to be whole.
func unpackTail(shard int, tail Tail) ([]*tailCommit, error) {
	commits := make([]*tailCommit, len(tail.Rows))
	errs := make([]error, len(tail.Rows))
	var group sync.WaitGroup
	for i, row := range tail.Rows {
		group.Go(func() {
			if commits[i], errs[i] = unpackCommit(row.N, row.Bytes); errs[i] != nil {
				errs[i] = damagedCommit(shard, row.N, errs[i])
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("unpack commits: %w", err)
	}
	return commits, nil
}

// damagedCommit says of which shard the commit n is that is damaged as err says. What is newer than this program is not damaged: err as
// it is.
func damagedCommit(shard int, n CommitNo, err error) error {
	if CodeOf(err) != CodeTampered {
		return err
	}
	message := fmt.Sprintf("commit %d of shard %d, which is not merged yet, cannot be read: its bytes are not those that were written", n, shard)
	return &Error{Code: CodeTampered, Rule: "commit_damaged", Message: message, Err: err}
}

// apply takes stored commits into the tail, unless they are there: those after a restart, and those of others. A log whose stored head and
// commits contradict each other is frozen; the rest of the commit counts. It runs between two commits.
func (s *shard) apply(commits []*tailCommit, tail Tail) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signed = max(s.signed, tail.Signed)
	now := s.b.now()
	for _, c := range commits {
		if c.n <= s.last {
			continue // this process committed it, or was faster
		}
		if c.n != s.last+1 {
			return damaged("commit %d follows %d", c.n, s.last)
		}
		for i := range c.Runs {
			s.check(c, &c.Runs[i])
			now = max(now, c.Runs[i].Received+int64(c.Runs[i].Count))
		}
		for i := range c.Len() {
			id := c.EntryID(i)
			s.ids.Add(&id, now)
		}
		s.publish(c)
	}
	s.merged = max(s.merged, min(tail.Merged, s.last))
	return nil
}

// openLogs reads the heads of logs that commits name and this process has not opened. One that is not there any more was dropped.
func (s *shard) openLogs(ctx context.Context, commits []*tailCommit) error {
	for {
		missing, skips := s.unopened(commits)
		if len(missing) == 0 {
			return nil
		}
		heads, err := s.b.store.LogHeads(ctx, missing)
		if errors.Is(err, ErrNotExist) && s.b.fleet != nil {
			heads, err = s.logHeads(ctx, missing)
		}
		if err != nil {
			return fmt.Errorf("read the heads of %d logs: %w", len(missing), err)
		}
		if s.addLogs(heads, skips) {
			return nil
		}
	}
}

// unopened returns the logs that commits name and that are not in memory.
func (s *shard) unopened(commits []*tailCommit) (missing []LogNo, skips int) {
	seen := map[LogNo]bool{}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range commits {
		for _, r := range c.Runs {
			if log := LogNo(r.Log); s.logs[log] == nil && !seen[log] {
				seen[log] = true
				missing = append(missing, log)
			}
		}
	}
	return missing, s.skips
}

// logHeads returns the heads of those of logs that are there.
func (s *shard) logHeads(ctx context.Context, logs []LogNo) ([]Head, error) {
	var heads []Head
	for _, log := range logs {
		one, err := s.b.store.LogHeads(ctx, []LogNo{log})
		if err != nil && !errors.Is(err, ErrNotExist) {
			return nil, err
		}
		heads = append(heads, one...)
	}
	return heads, nil
}

// addLogs takes logs into memory; false: commits were skipped since their heads were read, which may be too old now.
func (s *shard) addLogs(heads []Head, skips int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.skips != skips {
		return false
	}
	for _, h := range heads {
		if s.logs[h.Log] == nil {
			s.addLog(h).emptyAt = 0
		}
	}
	return true
}

// check continues the frontier of a stored run and compares it with the check value that the commit carries. The caller holds mu.
func (s *shard) check(c *tailCommit, r *packed.Run) {
	t := s.logs[LogNo(r.Log)]
	end := r.First + int64(r.Count)
	if t == nil || t.fault != nil || end <= t.head.Packed { // folded before the restart
		return
	}
	if skip := t.tree.Size - r.First; skip >= 0 && skip < int64(r.Count) {
		for e := r.At + int(skip); e < r.At+r.Count; e++ {
			t.tree.Append(c.LeafHash(e))
		}
		if t.tree.Check() == r.Check {
			return
		}
	}
	t.fault = &Error{
		Code: CodeTampered, Rule: "head_mismatch",
		Message: fmt.Sprintf("log %d of %s: commit %d does not continue the stored head at entry %d", r.Log, t.head.Org, c.n, r.First),
	}
	s.b.o.Logger.Error("log frozen", slog.String("org", string(t.head.Org)), slog.Any("error", t.fault))
	if s.b.metrics.Freeze != nil {
		s.b.metrics.Freeze(t.org, t.fault)
	}
}
