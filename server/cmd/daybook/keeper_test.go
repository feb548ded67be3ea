//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

// A keeper does what an administrator does, cycle after cycle, each in an org of its own: it begins an epoch, holds, erases, lets retention
// remove, signs, and erases every second org as a whole. It says what it has done, and its parent holds the store against that.

// keepAct is one thing that a keeper has done.
type keepAct struct {
	Cycle int
	Step  string
	ID    string // of the hold or the erasure; of a signature the origin
	Size  int64  // of what was signed; of an epoch its number
}

// The steps, in the order of a cycle.
const (
	keepEpoch    = "epoch"
	keepHeld     = "held"
	keepReleased = "released"
	keepErasing  = "erasing"  // it stands in the log
	keepErased   = "erased"   // the values are gone
	keepPruned   = "pruned"   // named for removal
	keepSigned   = "signed"   // and given out
	keepDropping = "dropping" // the org, for good
	keepDropped  = "dropped"
)

// keepStep is by how much a cycle moves the clock on, so that retention finds what is old enough.
const keepStep = 2 * time.Minute

func keepOrg(cycle int) daybook.OrgID { return daybook.OrgID(fmt.Sprintf("keep_%d", cycle)) }

var keepBy = daybook.Party{Type: "user", ID: "keeper"}

// keeper is the one of a child.
type keeper struct {
	b     *daybook.Book
	say   func(keepAct)
	shift atomic.Int64 // of the clock, in keepSteps
}

func (k *keeper) now() time.Time { return time.Now().Add(time.Duration(k.shift.Load()) * keepStep) }

// run does cycles until one fails, at most n; 0: no limit.
func (k *keeper) run(ctx context.Context, from, n int) error {
	for cycle := from; n == 0 || cycle < from+n; cycle++ {
		if err := k.cycle(ctx, cycle); err != nil {
			return fmt.Errorf("cycle %d: %w", cycle, err)
		}
	}
	return nil
}

func (k *keeper) record(ctx context.Context, org daybook.OrgID, n int) error {
	var events [][]byte
	for i := range n {
		events = append(events, fmt.Appendf(nil, `{"action":"user.login","actor":{"type":"user","id":"%d","name":"victim%d"}}`, i%3, i%3))
	}
	_, err := k.b.RecordJSON(ctx, org, daybook.Request{Events: events})
	return err
}

func (k *keeper) cycle(ctx context.Context, n int) error {
	org := keepOrg(n)
	act := func(step, id string, size int64) { k.say(keepAct{n, step, id, size}) }
	if err := k.record(ctx, org, 3); err != nil {
		return err
	}
	info, err := k.b.NewEpoch(ctx, daybook.EpochRequest{Org: org, Cause: daybook.CauseOther, By: keepBy})
	if err != nil {
		return err
	}
	act(keepEpoch, "", int64(info.Epoch))
	if err := k.record(ctx, org, 12); err != nil {
		return err
	}
	h, err := k.b.PlaceHold(ctx, daybook.HoldRequest{Org: org, Reason: "r", By: keepBy})
	if err != nil {
		return err
	}
	act(keepHeld, h.ID, 0)
	r := daybook.EraseRequest{Org: org, Actor: &daybook.Party{Type: "user", ID: "1"}, Reason: "r", By: keepBy}
	if _, err := k.b.Erase(ctx, r); err == nil {
		return fmt.Errorf("%s was erased under a hold", org)
	}
	if _, err := k.b.ReleaseHold(ctx, org, h.ID, "r", keepBy); err != nil {
		return err
	}
	act(keepReleased, h.ID, 0)
	x, err := k.b.Erase(ctx, r)
	if err != nil {
		return err
	}
	act(keepErasing, x.ID, 0)
	if err := k.b.Settle(ctx); err != nil {
		return err
	}
	if x, err = k.b.Erasure(ctx, org, x.ID); err != nil || x.CompletedAt == 0 {
		return fmt.Errorf("%s is not complete: %w", x.ID, err)
	}
	act(keepErased, x.ID, 0)
	return k.endCycle(ctx, n, act)
}

// endCycle lets retention remove, signs, and erases every second org.
func (k *keeper) endCycle(ctx context.Context, n int, act func(step, id string, size int64)) error {
	org := keepOrg(n)
	k.shift.Add(1)
	keep, err := daybook.ParsePeriod("1m")
	if err != nil {
		return err
	}
	leave := []daybook.Leave{daybook.LeaveLeaf, daybook.LeaveHash, daybook.LeaveTile}[n%3]
	p, err := k.b.ApplyRetention(ctx, org, daybook.Retention{Rules: []daybook.RetentionRule{{Keep: keep, Leave: leave}}, By: keepBy})
	if err != nil {
		return err
	}
	act(keepPruned, "", p.Entries)
	c, err := k.b.Checkpoint(ctx, org)
	if err != nil {
		return err
	}
	origin, _, _ := strings.Cut(string(c.Note), "\n")
	act(keepSigned, origin, c.Size)
	if n%2 == 0 {
		return nil
	}
	if err := k.b.DropOrg(ctx, daybook.DropRequest{Org: org}); err != nil {
		return err
	}
	act(keepDropping, "", 0)
	if err := k.b.FinishDrop(ctx, org); err != nil {
		return err
	}
	act(keepDropped, "", 0)
	return nil
}

// kept is what a parent knows of keepers.
type kept struct{ acts []keepAct }

// next returns the cycle with which the next keeper begins: that of a killed one is not gone on with.
func (k *kept) next() int {
	if len(k.acts) == 0 {
		return 0
	}
	return k.acts[len(k.acts)-1].Cycle + 2 // the one after the last may have begun
}

// recover does what an operator does after a crash: it ends what was begun by hand.
func (k *kept) recover(ctx context.Context, b *daybook.Book) error {
	frozen, err := b.FrozenLogs(ctx)
	if err != nil {
		return err
	}
	for _, f := range frozen {
		if !strings.HasPrefix(string(f.Org), "keep_") {
			continue
		}
		if _, err := b.NewEpoch(ctx, daybook.EpochRequest{Org: f.Org, Cause: daybook.CauseOther, By: keepBy}); err != nil {
			return err
		}
	}
	return b.Settle(ctx)
}

// check returns what is wrong, after recover. Every job must have finished.
func (k *kept) check(ctx context.Context, b *daybook.Book, marks daybook.HighWater) (findings []storetest.Finding) {
	find := func(format string, args ...any) {
		findings = append(findings, storetest.Finding{Invariant: "keeper", Text: fmt.Sprintf(format, args...)})
	}
	if n := b.Stats().Removals; n > 0 {
		find("%d removals are not carried out", n)
	}
	for i, a := range k.acts {
		last := i+1 == len(k.acts) || k.acts[i+1].Cycle != a.Cycle
		if a.Step == keepSigned { // whatever became of the log
			if m, _, err := marks.Mark(ctx, a.ID); err != nil || m.Size < a.Size {
				find("%s was signed at size %d, and the mark is %+v (%v)", a.ID, a.Size, m, err)
			}
		}
		if err := k.act(ctx, b, a, last); err != nil {
			find("%+v: %v", a, err)
		}
	}
	return findings
}

// act compares the store with one act.
func (k *kept) act(ctx context.Context, b *daybook.Book, a keepAct, last bool) error {
	org := keepOrg(a.Cycle)
	info, err := b.Info(ctx, org)
	if err != nil {
		return err
	}
	dropped := slices.ContainsFunc(k.acts, func(x keepAct) bool { return x.Cycle == a.Cycle && x.Step == keepDropping })
	asked := slices.ContainsFunc(k.acts, func(x keepAct) bool { return x.Cycle == a.Cycle && x.Step == keepSigned }) && a.Cycle%2 == 1
	switch {
	case dropped && info[0].Exists:
		return fmt.Errorf("%s was erased and is there", org)
	case !info[0].Exists && (dropped || asked): // the second was erased, and nobody was told
		return nil
	case !info[0].Exists:
		return fmt.Errorf("%s is not there", org)
	}
	switch a.Step {
	case keepEpoch:
		if int64(info[0].Epoch) < a.Size {
			return fmt.Errorf("%s is in epoch %d", org, info[0].Epoch)
		}
	case keepHeld, keepReleased:
		h, err := b.Hold(ctx, org, a.ID)
		if err != nil || a.Step == keepReleased && h.ReleasedAt == 0 {
			return fmt.Errorf("hold %+v: %w", h, err)
		}
	case keepErasing, keepErased:
		x, err := b.Erasure(ctx, org, a.ID)
		if err != nil || x.CompletedAt == 0 {
			return fmt.Errorf("erasure %+v: %w", x, err)
		}
		for e, err := range b.Events(ctx, daybook.EventQuery{Org: org, Text: "victim1"}) {
			if err != nil || strings.Contains(string(e.Payload), "victim1") {
				return fmt.Errorf("entry %d still says who: %w", e.Seq, err)
			}
		}
	}
	return nil
}
