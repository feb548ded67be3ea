package export

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// mostAttempts is how often an export may fail for passing reasons without coming further.
const mostAttempts = 6

func (r *Runner) enqueue(x ref) {
	r.mu.Lock()
	if !slices.Contains(r.queue, x) {
		r.queue = append(r.queue, x)
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default: // whoever wakes looks at the whole queue
	}
}

// next waits for an export to be written; false: the runner stops.
func (r *Runner) next() (*job, bool) {
	for r.ctx.Err() == nil {
		r.mu.Lock()
		for len(r.queue) > 0 {
			x := r.queue[0]
			r.queue = r.queue[1:]
			if r.running[x.id] != nil {
				continue // it was put there twice
			}
			j := newJob(r, x)
			r.running[x.id] = j
			r.mu.Unlock()
			return j, true
		}
		r.mu.Unlock()
		select {
		case <-r.wake:
		case <-r.ctx.Done():
		}
	}
	return nil, false
}

// work writes exports until the runner stops.
func (r *Runner) work() {
	for {
		j, ok := r.next()
		if !ok {
			return
		}
		release, err := j.claim()
		if err == nil {
			err = j.run()
		} else {
			err = j.cause(err)
		}
		delay, again := r.settle(j, err)
		if release != nil {
			release()
		}
		ended := !again && (j.x.State == control.ExportReady || j.x.State == control.ExportFailed)
		r.mu.Lock()
		delete(r.running, j.id)
		r.mu.Unlock()
		close(j.done)
		j.cancel(nil)
		switch {
		case ended:
			r.o.Ended(j.x)
		case again && delay == 0:
			r.enqueue(j.ref)
		case again:
			r.later(j.ref, delay)
		}
	}
}

// later puts x into the queue after a while. The end of the runner leaves it to the next one.
func (r *Runner) later(x ref, delay time.Duration) {
	r.wait.Go(func() {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
			r.enqueue(x)
		case <-r.ctx.Done():
		}
	})
}

// settle decides what a job's end means, and whether it is to be run again.
func (r *Runner) settle(j *job, err error) (delay time.Duration, again bool) {
	switch {
	case err == nil, errors.Is(err, errStopping), errors.Is(err, daybook.ErrLeaseHeld):
		return 0, false
	case errors.Is(err, errCancelled), errors.Is(err, errElsewhere), errors.Is(err, control.ErrNotFound):
		r.abandon(j)
		return 0, false
	case errors.Is(err, errAgain):
		r.abandon(j)
		return 0, true
	}
	ctx := context.WithoutCancel(r.ctx)
	r.o.Logger.LogAttrs(ctx, slog.LevelError, "an export failed", slog.String("export", j.id), slog.String("org", string(j.org)), slog.Any("error", err))
	text, final := verdict(err)
	x, stored := r.exports.Change(ctx, j.org, j.id, func(x *control.Export) bool {
		if x.Finished() {
			return false
		}
		if !j.owns(x) && x.Maker != "" { // another process writes it
			return false
		}
		x.Maker = "" // whoever is next goes on with the file
		if x.Attempts++; final || x.Attempts >= mostAttempts {
			x.State, x.Error, x.FinishedAt = control.ExportFailed, text, r.o.Now().UnixMicro()
		}
		return true
	})
	if stored != nil { // the store is in trouble itself: whoever opens it next goes on
		r.o.Logger.LogAttrs(ctx, slog.LevelError, "the end of an export cannot be kept", slog.String("export", j.id), slog.Any("error", stored))
		return time.Minute, true
	}
	if j.x = x; x.State == control.ExportReady { // the store did not say so in time
		return 0, false
	}
	if x.Finished() {
		if err := r.remove(&j.x); err != nil {
			r.o.Logger.LogAttrs(ctx, slog.LevelError, "the file of a failed export cannot be deleted", slog.String("export", j.id), slog.Any("error", err))
		}
		return 0, false
	}
	return time.Second << x.Attempts, true
}

// abandon deletes what j has written: it is not wanted, or written anew in another file.
func (r *Runner) abandon(j *job) {
	if !j.opened {
		return
	}
	if err := r.remove(&j.x); err != nil {
		r.o.Logger.LogAttrs(r.ctx, slog.LevelError, "the file of an export that ended cannot be deleted", slog.String("export", j.id), slog.Any("error", err))
	}
}

// verdict is what its owner is told of a failure, and whether trying again is in vain.
func verdict(err error) (text string, final bool) {
	var coded *daybook.Error
	var damaged *daybook.DamageError
	switch {
	case errors.As(err, &damaged):
		return damaged.String(), true
	case errors.Is(err, syscall.ENOSPC):
		return "there is no space left for the file", true
	case errors.As(err, &coded) && coded.Code != daybook.CodeInternal && coded.Code != daybook.CodeOverloaded:
		return coded.Message, true
	}
	return "internal error", false
}
