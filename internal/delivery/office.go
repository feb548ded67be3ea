package delivery

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

// ErrClosed says that no letter is taken any more.
var ErrClosed = errors.New("daybook: the Clerk is closed")

// Office answers for the letters of a Spool and a Queue: it knows the log, and what became of them. It is asked by one goroutine of each.
type Office interface {
	Log
	// Lose is told of a letter that the log will not have; it is not sent again.
	Lose(ctx context.Context, l Letter, err error)
	// Arrived is told that the log has taken letters of org.
	Arrived(ctx context.Context, org string)
}

// bring sends letters in their order, org by org, until all are recorded or lost, or ctx ends; it returns those that are left then. N counts
// the letters from 0.
func bring(ctx context.Context, of Office, log *slog.Logger, letters []Letter) (left []Letter, lost bool) {
	const first, most = 100 * time.Millisecond, time.Minute
	delay := first
	for len(letters) > 0 && ctx.Err() == nil {
		org, n := letters[0].Org, 1 // of one org, in a row
		for n < len(letters) && letters[n].Org == org {
			n++
		}
		outcome, err := Deliver(ctx, of, org, letters[:n])
		for _, r := range outcome.Returned {
			of.Lose(ctx, r.Letter, r.Err)
			lost = true
		}
		if err == nil {
			letters, delay = letters[n:], first
			of.Arrived(ctx, org)
			continue
		}
		letters = outcome.rest(letters)
		log.LogAttrs(ctx, slog.LevelWarn, "delivery failed", slog.String("org", org), slog.Any("error", err))
		pause(ctx, rand.N(delay)+1) //nolint:gosec // G404: spreads attempts, keeps no secret
		delay = min(2*delay, most)
	}
	return letters, lost
}

// pause waits for d, or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
