package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/api"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// keeping is what a server does about retention and erasure beside the Book.
type keeping struct {
	mu     sync.Mutex
	export *export.Runner // nil until start: what is erased before waits
	audit  *selfaudit.Auditor
	auth   *auth.Authenticator

	eraser *control.Eraser // of organizations

	late control.Overdue
	turn atomic.Bool // the background work of all is this process's

	stop context.CancelFunc
	jobs sync.WaitGroup
}

// start begins to apply every organization's retention, and lets erasures become complete.
func (k *keeping) start(m *Main, retentions *control.Retentions, also *control.Everywhere) {
	k.mu.Lock()
	k.export, k.audit, k.auth = m.export, m.audit, m.auth
	k.eraser.Book = m.book
	k.mu.Unlock()
	ctx, stop := context.WithCancel(context.Background())
	k.stop = stop
	job := &control.Keeping{Retentions: retentions, Book: m.book, Logger: m.Logger, Applied: k.applied, Also: also}
	k.late = control.Overdue{Book: m.book, Logger: m.Logger, Missed: k.overdue}
	if m.FollowTail {
		k.jobs.Go(func() { m.followTail(ctx) })
	}
	if m.sign != nil && m.Config.OnPostgres() {
		k.jobs.Go(func() { m.watchSigning(ctx) })
	}
	k.jobs.Go(func() {
		// Its error is that of ctx: whoever waits for the turn ends with the server.
		_ = m.book.Alone(ctx, "background", func(ctx context.Context) error {
			m.Logger.LogAttrs(ctx, slog.LevelDebug, "the background work is this process's")
			k.turn.Store(true)
			defer k.turn.Store(false)
			var work sync.WaitGroup
			work.Go(func() { job.Run(ctx) })
			work.Go(func() { k.late.Run(ctx) })
			if m.Config.OnPostgres() {
				work.Go(func() { k.adopt(ctx, m) })
			}
			if every := m.Config.VerifyEvery; every > 0 {
				work.Go(func() { m.verifyEvery(ctx, every) })
			}
			work.Wait()
			return ctx.Err()
		})
	})
}

// adoptEvery is how often is looked for erasures of organizations whose node has ended.
const adoptEvery = 30 * time.Second

// adopt carries out what other nodes have begun and left, until ctx ends.
func (k *keeping) adopt(ctx context.Context, m *Main) {
	tick := time.NewTicker(adoptEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := k.eraser.Round(ctx); err != nil && ctx.Err() == nil {
			m.Logger.LogAttrs(ctx, slog.LevelError, "erasures of organizations that another node has left are not known", slog.Any("error", err))
		}
	}
}

// close ends the job. What is erased afterwards becomes complete at the next start.
func (k *keeping) close() {
	if k.stop != nil {
		k.stop()
		k.jobs.Wait()
	}
	if k.eraser != nil {
		k.eraser.Close()
		k.eraser = nil
	}
	if k.stop == nil {
		return
	}
	k.stop = nil
	k.mu.Lock()
	defer k.mu.Unlock()
	k.export, k.audit, k.auth = nil, nil, nil
}

// prepare makes what erases organizations. The Book may need it while it opens.
func (k *keeping) prepare(m *Main, orgs *control.Orgs) {
	k.eraser = &control.Eraser{
		Erasures: control.NewOrgErasures(m.store, m.Now), Orgs: orgs, Docs: m.store, Logger: m.Logger, Now: m.Now, Forget: k.forget, Silence: k.silence, Done: k.gone, Shared: m.Config.OnPostgres(),
	}
}

// resume goes on with the erasures of organizations that an earlier process left.
func (k *keeping) resume(ctx context.Context, m *Main) error {
	if err := k.eraser.Resume(ctx); err != nil {
		return fmt.Errorf("go on erasing organizations: %w", err)
	}
	if m.sign == nil || m.Config.BackupKeep == 0 {
		return nil
	}
	// Of what was erased before the oldest backup there is no copy to erase it from again.
	if err := m.sign.marks.ForgetRemovals(ctx, m.Now().Add(-m.Config.BackupKeep).UnixMicro()); err != nil {
		return fmt.Errorf("forget what no backup holds: %w", err)
	}
	return nil
}

// dropped deletes what is kept of an organization beside its logs. It is daybook.Options.Dropped: it must not wait for the Book. While the
// Book opens there are no exports yet: their files are deleted later, since no export has them.
func (k *keeping) dropped(ctx context.Context, org daybook.OrgID) error {
	k.mu.Lock()
	exports := k.export
	k.mu.Unlock()
	if exports != nil {
		if err := exports.Discard(ctx, org); err != nil {
			return fmt.Errorf("delete the exports of %s: %w", org, err)
		}
	}
	return k.eraser.Purge(ctx, org)
}

func (k *keeping) forget(key control.Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.auth != nil {
		k.auth.Forget(key)
	}
}

func (k *keeping) silence(org daybook.OrgID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.audit.Silence(org)
}

// gone tells the instance's log that an organization is gone. A log that takes nothing does not keep the organization.
func (k *keeping) gone(ctx context.Context, x control.OrgErasure) error {
	e, err := api.OrgErased(&x)
	if err != nil {
		return err
	}
	k.mu.Lock()
	audit := k.audit
	k.mu.Unlock()
	if err := audit.Did(ctx, control.Instance, e); daybook.CodeOf(err) != daybook.CodeUnavailable {
		return err
	}
	audit.After(ctx, control.Instance, e) // the log of the server has it then
	return nil
}

// system is who does what nobody asked for just now.
var system = daybook.Actor{Type: "system", ID: "retention"}

// applied tells the log in words what a prune entry tells it in items.
func (k *keeping) applied(_ context.Context, org daybook.OrgID, p daybook.Pruned) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.audit.Later(org, removalEvent("daybook.retention.applied", system, daybook.Target{Type: "log", ID: string(org)}, map[string]any{
		"entries": p.Entries, "held": p.Held, "seqs": p.Seqs,
	}))
}

// overdue tells the log that something is still there that should be gone.
func (k *keeping) overdue(_ context.Context, x daybook.Erasure) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := removalEvent("daybook.erasure.overdue", daybook.Actor{Type: "system", ID: "erasure"}, daybook.Target{Type: "erasure", ID: x.ID}, map[string]any{
		"entries": x.Entries, "control_seqs": x.Seqs, "requested_at": string(daybook.AppendTime(nil, x.RequestedAt)),
	})
	e.Outcome = daybook.Failure
	k.audit.Later(x.Org, e)
}

// erased removes the copies of what was erased. It is daybook.Options.Erased: it must not wait for the Book.
func (k *keeping) erased(ctx context.Context, x daybook.Erasure) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.export == nil {
		return errors.New("the server is not ready to remove exports")
	}
	if err := k.export.Withdraw(ctx, x.Org); err != nil {
		return fmt.Errorf("withdraw exports: %w", err)
	}
	e := removalEvent("daybook.erasure.done", daybook.Actor{Type: "system", ID: "erasure"}, daybook.Target{Type: "erasure", ID: x.ID}, map[string]any{
		"entries": x.Entries, "control_seqs": x.Seqs, "legal_basis": x.LegalBasis,
	})
	e.Reason = x.Reason
	k.audit.Later(x.Org, e)
	return nil
}

// removalEvent describes an act of the server itself.
func removalEvent(action string, by daybook.Actor, target daybook.Target, details map[string]any) daybook.Event {
	e := daybook.Event{Action: action, Actor: by, Targets: []daybook.Target{target}}
	if text, err := json.Marshal(details); err == nil { // it has nothing that could not be
		e.Metadata = text
	}
	return e
}
