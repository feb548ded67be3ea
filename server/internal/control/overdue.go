package control

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/daybook-audit/daybook"
)

// Overdue tells of erasures that are not carried out in time: somebody was promised that values are gone, and they are not.
type Overdue struct {
	Book interface {
		Overdue(ctx context.Context, after time.Duration) ([]daybook.Erasure, error)
	}
	After  time.Duration // default 24 hours
	Every  time.Duration // default ten minutes
	Logger *slog.Logger
	// Missed is called once for each, in the life of this process; nil: nobody is told.
	Missed func(ctx context.Context, x daybook.Erasure)

	told  map[string]bool // owned by who calls Round
	count atomic.Int64
}

// Run looks until ctx ends.
func (o *Overdue) Run(ctx context.Context) {
	every := o.Every
	if every == 0 {
		every = 10 * time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := o.Round(ctx); err != nil && ctx.Err() == nil {
			o.Logger.LogAttrs(ctx, slog.LevelError, "whether erasures are overdue is not known", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Round looks once. Those that were told of before are counted and told of no more.
func (o *Overdue) Round(ctx context.Context) error {
	after := o.After
	if after == 0 {
		after = 24 * time.Hour
	}
	late, err := o.Book.Overdue(ctx, after)
	if err != nil {
		return err
	}
	o.count.Store(int64(len(late)))
	if o.told == nil {
		o.told = map[string]bool{}
	}
	for i := range late {
		x := &late[i]
		if o.told[x.ID] {
			continue
		}
		o.told[x.ID] = true
		o.Logger.LogAttrs(ctx, slog.LevelError, "an erasure is not carried out in time", slog.String("erasure", x.ID), slog.String("org", string(x.Org)),
			slog.Time("requested_at", time.UnixMicro(x.RequestedAt).UTC()), slog.Int64("entries", x.Entries))
		if o.Missed != nil {
			o.Missed(ctx, *x)
		}
	}
	return nil
}

// Count returns how many there were when it was last looked.
func (o *Overdue) Count() int64 { return o.count.Load() }
