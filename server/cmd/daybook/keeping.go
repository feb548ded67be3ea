package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// keeping is what a server does about retention and erasure beside the Book.
type keeping struct {
	mu     sync.Mutex
	export *export.Runner // nil until start: what is erased before waits
	audit  *selfaudit.Auditor

	late control.Overdue

	stop context.CancelFunc
	jobs sync.WaitGroup
}

// start begins to apply every organization's retention, and lets erasures become complete.
func (k *keeping) start(m *Main, retentions *control.Retentions) {
	k.mu.Lock()
	k.export, k.audit = m.export, m.audit
	k.mu.Unlock()
	ctx, stop := context.WithCancel(context.Background())
	k.stop = stop
	job := &control.Keeping{Retentions: retentions, Book: m.book, Logger: m.Logger, Applied: k.applied}
	k.jobs.Go(func() { job.Run(ctx) })
	k.late = control.Overdue{Book: m.book, Logger: m.Logger, Missed: k.overdue}
	k.jobs.Go(func() { k.late.Run(ctx) })
	if every := m.Config.VerifyEvery; every > 0 {
		k.jobs.Go(func() { m.verifyEvery(ctx, every) })
	}
}

// close ends the job. What is erased afterwards becomes complete at the next start.
func (k *keeping) close() {
	if k.stop == nil {
		return
	}
	k.stop()
	k.jobs.Wait()
	k.stop = nil
	k.mu.Lock()
	defer k.mu.Unlock()
	k.export, k.audit = nil, nil
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
