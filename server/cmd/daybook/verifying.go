package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// verifyEvery recomputes the store again and again until ctx ends, every so long after the last time, whatever process did it; on a new
// store the first time after every.
func (m *Main) verifyEvery(ctx context.Context, every time.Duration) {
	for {
		last, err := control.Verified(ctx, m.store, m.Now())
		wait := every
		if err == nil {
			wait = max(last.Add(every).Sub(m.Now()), 0)
		}
		due := time.NewTimer(min(wait, every))
		select {
		case <-ctx.Done():
			due.Stop()
			return
		case <-due.C:
		}
		if err == nil {
			if err = m.verifyStore(ctx); err == nil {
				err = control.KeepVerified(ctx, m.store, m.Now())
			}
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		m.Logger.LogAttrs(ctx, slog.LevelError, "the store cannot be verified", slog.Any("error", err))
		again := time.NewTimer(min(every, time.Hour))
		select {
		case <-ctx.Done():
		case <-again.C:
		}
		again.Stop()
	}
}

// verifyStore recomputes the store from its bytes, through connections of its own, and records the outcome in the log of the instance:
// what was read and agrees, or for each log the first place that does not. It is the server's own word; what an outsider believes is
// daybook verify.
func (m *Main) verifyStore(ctx context.Context) error {
	s, err := openStore(ctx, m.Config.DB, storeOptions{readOnly: true, c: m.Config})
	if err != nil {
		return err
	}
	start := m.Now()
	report, _, err := fsckSigned(ctx, s, m.Config, daybook.FsckOptions{})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	details := map[string]any{
		"check": "store", "logs": report.Logs, "entries": report.Entries, "blocks": report.Blocks, "commits": report.Commits,
		"checkpoints": report.Checkpoints, "findings": len(report.Findings), "seconds": m.Now().Sub(start).Seconds(),
	}
	if len(report.Findings) == 0 {
		e := removalEvent("daybook.integrity.verified", program("serve"), thisInstance[0], details)
		e.Outcome = daybook.Success
		m.audit.After(ctx, control.Instance, e)
		return nil
	}
	told := map[daybook.OrgID]bool{}
	for _, f := range report.Findings {
		if told[f.Org] {
			continue
		}
		told[f.Org] = true
		m.Logger.LogAttrs(ctx, slog.LevelError, "the store contradicts itself", slog.String("org", string(f.Org)), slog.Int64("seq", f.Seq),
			slog.String("finding", f.Code), slog.String("message", f.Message))
		e := removalEvent("daybook.integrity.failed", program("serve"), daybook.Target{Type: "log", ID: string(f.Org)}, map[string]any{
			"check": "store", "first_bad_seq": f.Seq, "finding": f.Code,
		})
		e.Outcome, e.Reason = daybook.Failure, f.Message
		m.audit.After(ctx, control.Instance, e)
		failure := control.Failure{Check: "store", Finding: f.Code, Seq: f.Seq, Detail: f.Message, By: daybook.Party{Type: e.Actor.Type, ID: e.Actor.ID}}
		if _, err := control.NewFailures(m.store, m.Now).Note(ctx, f.Org, failure); err != nil {
			return err
		}
	}
	return nil
}
