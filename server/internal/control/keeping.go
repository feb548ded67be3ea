package control

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/daybook-audit/daybook"
)

// Keeping applies every organization's retention again and again. Its control entries, and what becomes of them after a crash, are the
// Book's: whoever starts it again loses nothing.
type Keeping struct {
	Retentions *Retentions
	Book       interface {
		ApplyRetention(ctx context.Context, org daybook.OrgID, p daybook.Retention) (daybook.Pruned, error)
	}
	Every  time.Duration // default a minute: what is due within a minute goes a minute later
	Logger *slog.Logger
	// Applied is called when entries of org were named for removal; nil: nobody is told.
	Applied func(ctx context.Context, org daybook.OrgID, p daybook.Pruned)
	// Also is applied to every organization after its own policy: what either removes is gone. Nil: there is none.
	Also *Everywhere
}

// Run applies until ctx ends. What fails for one organization is logged and tried again with the next round; the others go on.
func (k *Keeping) Run(ctx context.Context) {
	every := k.Every
	if every == 0 {
		every = time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := k.Round(ctx); err != nil && ctx.Err() == nil {
			k.Logger.LogAttrs(ctx, slog.LevelError, "retention failed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Round applies the retention of every organization once, and returns what failed.
func (k *Keeping) Round(ctx context.Context) error {
	var failed []error
	err := k.Retentions.Each(ctx, func(org daybook.OrgID, v Retention) error {
		policy, err := v.Policy()
		if err == nil {
			_, err = k.apply(ctx, org, policy)
		}
		if err != nil {
			failed = append(failed, err)
		}
		return ctx.Err()
	})
	failed = append(failed, err)
	if k.Also != nil && ctx.Err() == nil {
		failed = append(failed, k.Also.round(ctx, k))
	}
	return errors.Join(failed...)
}

// apply applies one policy to one log. Without a log there is nothing to keep, and a frozen one keeps everything.
func (k *Keeping) apply(ctx context.Context, org daybook.OrgID, policy daybook.Retention) (daybook.Pruned, error) {
	if len(policy.Rules) == 0 {
		return daybook.Pruned{}, nil
	}
	p, err := k.Book.ApplyRetention(ctx, org, policy)
	if code := daybook.CodeOf(err); code == daybook.CodeNotFound || code == daybook.CodeUnavailable {
		return p, nil
	}
	if err == nil && len(p.Seqs) > 0 && k.Applied != nil {
		k.Applied(ctx, org, p)
	}
	return p, err
}
