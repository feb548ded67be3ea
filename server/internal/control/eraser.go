package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/daybook-audit/daybook"
)

// Eraser carries out the erasures of organizations: the logs are closed for good, what else is kept of the organization is deleted, and
// then the bytes of the logs go. A crash at any step is made up for by Resume.
type Eraser struct {
	Erasures *OrgErasures
	Orgs     *Orgs
	Docs     daybook.Documents
	Book     interface {
		DropOrg(ctx context.Context, r daybook.DropRequest) error
		FinishDrop(ctx context.Context, org daybook.OrgID) error
	}
	Exports interface {
		Discard(ctx context.Context, org daybook.OrgID) error
	}
	Logger *slog.Logger
	Now    func() time.Time

	// Forget lets go of what is remembered of a key that is gone, Silence of what waits to be recorded about the organization. Done is
	// called when one is complete, before it counts as such: after a crash again. Each may be nil.
	Forget  func(Key)
	Silence func(org daybook.OrgID)
	Done    func(ctx context.Context, x OrgErasure) error

	// Shared says that other nodes carry erasures out too: Resume leaves to Round what one of them has begun.
	Shared bool

	mu      sync.Mutex
	running map[string]bool // by id, what is carried out here; guarded by mu

	wait sync.WaitGroup
	ctx  context.Context //nolint:containedctx // of what runs in the background
	stop context.CancelFunc
	once sync.Once
}

// again is how long a failed erasure waits.
const again = 30 * time.Second

// Begin closes the logs of what was approved and goes on in the background. A conflict with the rule on_hold says that nothing went: the
// erasure is forgotten then, or waits again for the second person. Any other failure is made up for in the background.
func (e *Eraser) Begin(ctx context.Context, x OrgErasure) (OrgErasure, error) {
	ended, err := e.end(ctx, x)
	if daybook.CodeOf(err) == daybook.CodeConflict {
		return x, errors.Join(err, e.giveUp(ctx, &x))
	}
	if err != nil {
		e.Logger.LogAttrs(ctx, slog.LevelError, "the erasure of an organization does not begin", slog.String("id", x.ID), slog.Any("error", err))
		ended = x
	}
	e.carryOut(ended)
	return ended, nil
}

// giveUp is for an erasure that a hold forbids.
func (e *Eraser) giveUp(ctx context.Context, x *OrgErasure) error {
	e.Orgs.Return(x.Org)
	if x.ApprovedBy == nil {
		return errors.Join(e.Erasures.Remove(ctx, x.ID), tell(ctx, e.Docs))
	}
	_, err := e.Erasures.change(ctx, x.ID, func(d *orgErasureDocument) bool {
		d.ApprovedAt, d.ApprovedBy = 0, nil
		return true
	})
	return errors.Join(err, tell(ctx, e.Docs))
}

// end closes the logs of x, keeping how they ended.
func (e *Eraser) end(ctx context.Context, x OrgErasure) (OrgErasure, error) {
	if x.Ended {
		return x, nil
	}
	e.Orgs.Leave(x.Org)
	if err := tell(ctx, e.Docs); err != nil {
		return x, err
	}
	err := e.Book.DropOrg(ctx, daybook.DropRequest{Org: x.Org, HandOver: func(ctx context.Context, last []daybook.LastHead) error {
		_, err := e.Erasures.change(ctx, x.ID, func(d *orgErasureDocument) bool {
			d.Last = last
			return true
		})
		return err
	}})
	if err != nil && daybook.CodeOf(err) != daybook.CodeNotFound { // without a log there is less to do; or a crash hid that it is gone
		return x, err
	}
	// A crash before this leaves logs that are closed or gone: the next call finds them so.
	return e.Erasures.change(ctx, x.ID, func(d *orgErasureDocument) bool {
		d.Ended = true
		return true
	})
}

// carryOut drops the bytes of x in the background.
func (e *Eraser) carryOut(x OrgErasure) {
	e.start()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[x.ID] {
		return
	}
	if e.running == nil {
		e.running = map[string]bool{}
	}
	e.running[x.ID] = true
	e.wait.Go(func() {
		defer func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			delete(e.running, x.ID)
		}()
		for {
			ended, err := e.end(e.ctx, x)
			if daybook.CodeOf(err) == daybook.CodeConflict { // a hold came first
				err = e.giveUp(e.ctx, &x)
			} else if err == nil {
				err = e.finish(e.ctx, ended)
			}
			if err == nil || e.ctx.Err() != nil {
				return
			}
			e.Logger.LogAttrs(e.ctx, slog.LevelError, "the erasure of an organization does not get on", slog.String("id", x.ID), slog.Any("error", err), slog.Duration("retry_in", again))
			select {
			case <-e.ctx.Done():
				return
			case <-time.After(again):
			}
		}
	})
}

func (e *Eraser) start() {
	e.once.Do(func() { e.ctx, e.stop = context.WithCancel(context.Background()) })
}

// finish drops the bytes of x and says that it is complete.
func (e *Eraser) finish(ctx context.Context, x OrgErasure) error {
	if now, err := e.Erasures.Get(ctx, x.ID); err != nil || !now.Pending() { // another node was faster
		e.Orgs.Return(x.Org)
		return err
	}
	if err := e.Book.FinishDrop(ctx, x.Org); err != nil {
		return err
	}
	if err := e.Purge(ctx, x.Org); err != nil { // what came while the logs went, and all of it if there was no log
		return err
	}
	if e.Done != nil {
		if err := e.Done(ctx, x); err != nil {
			return err
		}
	}
	_, err := e.Erasures.change(ctx, x.ID, func(d *orgErasureDocument) bool {
		d.CompletedAt = at(e.Now())
		return true
	})
	if err != nil {
		return err
	}
	e.Orgs.Return(x.Org)
	// A crash here leaves the organization unknown to other nodes for a minute.
	return tell(ctx, e.Docs)
}

// Purge deletes what is kept of an organization beside its logs. It is for [daybook.Options.Dropped]: it does not record.
func (e *Eraser) Purge(ctx context.Context, org daybook.OrgID) error {
	if e.Exports != nil {
		if err := e.Exports.Discard(ctx, org); err != nil {
			return fmt.Errorf("delete the exports of %s: %w", org, err)
		}
	}
	keys, err := PurgeOrg(ctx, e.Docs, org)
	for i := range keys {
		if e.Forget != nil {
			e.Forget(keys[i])
		}
	}
	e.Orgs.forget(org)
	if e.Silence != nil {
		e.Silence(org)
	}
	if err != nil {
		return fmt.Errorf("delete what is kept of %s: %w", org, err)
	}
	return nil
}

// Resume goes on with what an earlier process left, before anybody uses the organizations, and forgets what is kept no longer.
func (e *Eraser) Resume(ctx context.Context) error {
	e.start()
	all, err := e.Erasures.List(ctx)
	if err != nil {
		return err
	}
	for _, x := range all {
		if !x.Pending() {
			continue
		}
		if e.Shared {
			continue // Sync knows that it leaves
		}
		e.Orgs.Leave(x.Org)
		if _, err := e.Begin(ctx, x); err != nil {
			e.Logger.LogAttrs(ctx, slog.LevelWarn, "the erasure of an organization is off", slog.String("id", x.ID), slog.Any("error", err))
		}
	}
	return e.Erasures.Forget(ctx)
}

// adopt is how old an erasure is that Round takes for one whose node has ended.
const adopt = 2 * again

// Round carries out what other nodes have begun and not completed. One node does so at a time; should two of them carry out the same, they
// take the same steps twice.
func (e *Eraser) Round(ctx context.Context) error {
	all, err := e.Erasures.List(ctx)
	for _, x := range all {
		if x.Pending() && e.Now().Sub(x.ApprovedAt) >= adopt {
			e.carryOut(x)
		}
	}
	return errors.Join(err, e.Erasures.Forget(ctx))
}

// Sync takes over from other nodes which organizations are being erased, and forgets everything else that is remembered of them. It is for
// [NewNews].
func (e *Eraser) Sync(ctx context.Context) error {
	all, err := e.Erasures.List(ctx)
	if err != nil {
		return err
	}
	leaving := map[daybook.OrgID]bool{}
	for _, x := range all {
		if x.Pending() {
			leaving[x.Org] = true
		}
	}
	for _, org := range e.Orgs.refresh(leaving) {
		if e.Silence != nil {
			e.Silence(org)
		}
	}
	return nil
}

// Close stops what runs and waits for the step under way. The next Resume goes on.
func (e *Eraser) Close() {
	e.start()
	e.stop()
	e.wait.Wait()
}
