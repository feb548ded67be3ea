package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/madeup"
)

// recordSample fills an empty store. The clock of its Book walks through the thirty days, so that entries were received when they
// seem to have been, and nothing looks late.
func recordSample(ctx context.Context, s daybook.Store, docs daybook.Documents, now time.Time) (n int, err error) {
	var clock atomic.Int64
	clock.Store(now.Add(-(madeup.SampleDays + 1) * 24 * time.Hour).UnixMicro())
	walking := func() time.Time { return time.UnixMicro(clock.Load()) }
	orgs := control.NewOrgs(docs, walking)
	for _, o := range madeup.SampleOrgs() {
		if _, err := orgs.Create(ctx, o.ID, o.Name); err != nil {
			return 0, fmt.Errorf("make %s: %w", o.ID, err)
		}
	}
	// Merged by age, every hour of the walk would become blocks of its own.
	book, err := daybook.Open(ctx, s, daybook.Options{Now: walking, TailAge: 2 * madeup.SampleDays * 24 * time.Hour})
	if err != nil {
		return 0, fmt.Errorf("open the log: %w", err)
	}
	defer func() {
		if e := book.Close(); err == nil {
			err = e
		}
	}()
	for _, b := range madeup.Sample(now) {
		clock.Store(b.At.UnixMicro())
		if _, err := book.RecordBatch(ctx, b.Org, b.Events); err != nil {
			return n, fmt.Errorf("record the sample: %w", err)
		}
		n += len(b.Events)
	}
	return n, nil
}
