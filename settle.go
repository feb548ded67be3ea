package daybook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// append hands the commit to the store.
func (s *shard) append(c *tailCommit, row []byte, jobs []*job) error {
	commit := s.storeCommit(c, row)
	return s.settle(commit, s.send(commit), jobs)
}

// send appends commit, beside this goroutine: a store that does not answer holds nobody but who waits for the answer.
func (s *shard) send(commit *Commit) <-chan error {
	answer := make(chan error, 1)
	go func() { answer <- s.b.store.Append(context.Background(), commit) }()
	return answer
}

// settle returns what the store answers to commit, once it tells what became of it. While the outcome is unknown it holds the shard and
// repeats the same commit, which is safe: the store answers a commit that it has by its id. After CommitTimeout, also of silence, the callers
// are told that the outcome is unknown, and from then on whoever waits behind them is refused.
func (s *shard) settle(commit *Commit, answer <-chan error, jobs []*job) error {
	defer s.release()
	late := time.NewTimer(s.b.o.CommitTimeout)
	defer late.Stop()
	var again <-chan time.Time
	var stop <-chan struct{} // nil while the store has the commit, which is in memory that the next one uses
	err, told := ErrUnreachable, false
	for first := true; ; {
		select {
		case err = <-answer:
			switch {
			case !known(err):
			case errors.Is(err, ErrBroken) && !first:
				s.b.fail(err)
				return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
			default:
				return err
			}
			if first {
				first = false
				s.b.o.Logger.Error("commit of unknown outcome: the shard is held until it is settled",
					slog.Int("shard", s.no), slog.Int64("commit", int64(commit.Prev+1)), slog.Any("error", err))
				s.hold()
			}
			if told {
				s.turnAway(errNoAnswer)
			}
			again, stop = time.After(againEvery), s.stop
		case <-again:
			again, stop = nil, nil
			answer = s.send(commit)
			if told {
				late.Reset(againEvery)
			}
		case <-late.C:
			for _, j := range jobs {
				if !told {
					j.answer(fmt.Errorf("%w: %w", ErrUnknownOutcome, err))
				}
			}
			told = true
			s.hold()
			if stop == nil { // it is silent; else it is asked again first
				s.turnAway(errNoAnswer)
				late.Reset(againEvery)
			}
		case <-stop:
			s.turnAway(errClosing()) // the store would not answer them either
			return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		}
	}
}

// againEvery is how often a commit of unknown outcome is repeated, and how long somebody waits for a store that did not answer for
// CommitTimeout.
const againEvery = 100 * time.Millisecond

// errNoAnswer refuses who waits behind a commit of unknown outcome.
var errNoAnswer = &Error{Code: CodeOverloaded, Message: "the store does not answer; nothing was recorded, try again"}

// errHeld says that nobody knows where a shard stands, until its last commit is settled.
var errHeld = &Error{Code: CodeOverloaded, Message: "the store does not answer what became of the last commit; try again"}

func errClosing() *Error {
	return &Error{Code: CodeUnavailable, Rule: "closing", Message: "the log is being closed"}
}

// hold answers everybody who asks for the moment between two commits, until release, that there is none.
func (s *shard) hold() {
	s.qmu.Lock()
	s.held = true
	s.qmu.Unlock()
	for _, a := range s.takeAsked() {
		a.done <- errHeld
	}
}

// turnAway refuses everything in the queue: nobody knows how long it would wait.
func (s *shard) turnAway(why *Error) {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	for _, j := range s.queue {
		j.answer(why)
	}
	clear(s.queue)
	s.queue, s.queued = s.queue[:0], 0
}

// release ends what hold began.
func (s *shard) release() {
	s.qmu.Lock()
	held := s.held
	s.held = false
	s.qmu.Unlock()
	if held && s.b.signer != nil {
		s.b.signer.again()
	}
}

// known reports whether err tells if the commit was written.
func known(err error) bool {
	var exists *KeyExistsError
	return err == nil || errors.Is(err, ErrHeadMoved) || errors.Is(err, ErrNoSpace) || errors.Is(err, ErrBroken) || errors.As(err, &exists)
}
