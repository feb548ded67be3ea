package daybook

import (
	"context"
	"time"
)

// contestedFor is how long a process that was overtaken keeps others waiting while it prepares a commit.
const contestedFor = time.Second

// contested reports whether another process commits to the shard at the same time: then whoever prepares a commit first, and appends it
// afterwards, mostly does so in vain.
func (s *shard) contested() bool {
	return s.b.fleet != nil && monotonic().Sub(s.overtaken) < contestedFor
}

// appendNext makes and appends a commit of jobs, and of those that queued while it waited, while no other process can commit. It returns
// which of them are not answered yet. No commit and an error: nothing was sent, and the next attempt is made otherwise unless the head moved.
func (s *shard) appendNext(jobs []*job) (c *tailCommit, row []byte, left []*job, err error) {
	s.mu.RLock()
	after := s.last
	s.mu.RUnlock()
	var commit *Commit
	left = jobs
	err = s.b.fleet.store.AppendNext(context.Background(), s.no, after, func(newer Tail) (*Commit, error) {
		if err := s.takeNewer(newer, after); err != nil {
			return nil, err
		}
		if left = s.sendBack(s.take(left), nil); len(left) == 0 {
			return nil, nil
		}
		c, row = s.prepare(left)
		commit = s.storeCommit(c, row)
		return commit, nil
	})
	if commit == nil {
		s.overtaken = time.Time{}
		return nil, nil, left, err
	}
	answer := make(chan error, 1)
	answer <- err
	return c, row, left, s.settle(commit, answer, left)
}

// takeNewer applies what others committed since after, all of it: what is too much, or about logs that ended, is for catchUp.
func (s *shard) takeNewer(newer Tail, after CommitNo) error {
	s.mu.RLock()
	states := s.states
	s.mu.RUnlock()
	if newer.Last != after+CommitNo(len(newer.Rows)) || newer.States != states {
		return ErrHeadMoved
	}
	commits, err := unpackTail(newer)
	if err == nil {
		err = s.openLogs(context.Background(), commits)
	}
	if err == nil {
		err = s.apply(commits, newer)
	}
	if err == nil && len(commits) > 0 {
		s.overtaken = monotonic()
		s.announce()
	}
	return err
}
