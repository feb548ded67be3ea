package daybook

import (
	"context"
	"errors"
	"time"
)

// asking is what waits for the moment between two commits.
type asking struct {
	f    func()
	done chan error // one slot
}

// between runs f between two commits: none is prepared that f does not see, and none that f does not see is under way. f must be short.
// When ctx ends first, f may still run. While a commit of unknown outcome holds the shard there is no such moment: then it is errHeld, at
// once, so that what goes through many shards is not held up by one.
func (s *shard) between(ctx context.Context, f func()) error {
	done := make(chan error, 1)
	s.qmu.Lock()
	ended, held := s.ended, s.held
	if !ended && !held {
		s.asked = append(s.asked, asking{f, done})
	}
	s.qmu.Unlock()
	switch {
	case held:
		return errHeld
	case ended:
		f()
		return nil
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// betweenSoon is between for who has patience for so long, if not 0: then it is errHeld.
func (s *shard) betweenSoon(ctx context.Context, patience time.Duration, f func()) error {
	if patience == 0 {
		return s.between(ctx, f)
	}
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.between(soon, f)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return errHeld
	}
	return err
}

// answerAsked runs what waits for the moment between two commits.
func (s *shard) answerAsked() {
	for _, a := range s.takeAsked() {
		a.f()
		a.done <- nil
	}
}

func (s *shard) takeAsked() []asking {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}
