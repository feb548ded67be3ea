package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// The sample of `daybook dev`: about as many events as a small company records in a month.
const (
	sampleSeed   = 2026
	sampleDays   = 30
	sampleEvents = 20_000

	eventsPerBurst = 9 // about
)

var sampleOrgs = []struct {
	id, name       string
	weight, people int
}{{"org_acme", "Acme", 5, 24}, {"org_globex", "Globex", 3, 14}, {"org_initech", "Initech", 2, 9}}

// sampleBatch is what one org records at one moment.
type sampleBatch struct {
	org    daybook.OrgID
	at     time.Time // when it reaches the log
	events []daybook.Event
}

// sample makes the batches of the thirty days before now, in order. People work in office hours; services do not sleep.
func sample(now time.Time, events int) []sampleBatch {
	var ids []string
	for _, o := range sampleOrgs {
		ids = append(ids, o.id)
	}
	g := newGenerator(sampleSeed, ids, sampleOrgs[0].people)
	for i, o := range sampleOrgs {
		g.orgs[i].people = g.orgs[i].people[:o.people]
	}
	start := now.Add(-sampleDays * 24 * time.Hour)
	// Starts of bursts: hours drawn by how busy they are. A burst has about nine events.
	weights := make([]int, sampleDays*24)
	total := 0
	for i := range weights {
		total += busy(start.Add(time.Duration(i) * time.Hour))
		weights[i] = total
	}
	starts := make([]time.Time, events/eventsPerBurst)
	for i := range starts {
		hour, _ := slices.BinarySearch(weights, 1+g.rng.IntN(total))
		starts[i] = start.Add(time.Duration(hour)*time.Hour + time.Duration(g.rng.Int64N(int64(time.Hour))))
	}
	slices.SortFunc(starts, time.Time.Compare)
	batches := make([]sampleBatch, 0, len(starts))
	for _, at := range starts {
		org := 0
		for n := g.rng.IntN(10) - sampleOrgs[0].weight; n >= 0; n -= sampleOrgs[org].weight {
			org++
		}
		es := g.burst(org, at)
		last := es[len(es)-1].OccurredAt.Add(time.Duration(40+g.rng.IntN(300)) * time.Millisecond)
		if last.After(now) {
			continue
		}
		batches = append(batches, sampleBatch{org: daybook.OrgID(sampleOrgs[org].id), at: last, events: es})
	}
	slices.SortStableFunc(batches, func(a, b sampleBatch) int { return a.at.Compare(b.at) })
	return batches
}

// busy is how much happens in an hour.
func busy(at time.Time) int {
	n := 2 // services, and people who cannot sleep
	switch h := at.Hour(); {
	case h >= 9 && h < 12, h >= 13 && h < 17:
		n = 30
	case h == 12, h == 8, h == 17:
		n = 14
	case h == 18 || h == 7:
		n = 6
	}
	if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
		n = 1 + n/10
	}
	return n
}

// recordSample fills an empty store. The clock of its Book walks through the thirty days, so that entries were received when they
// seem to have been, and nothing looks late.
func recordSample(ctx context.Context, s daybook.Store, docs daybook.Documents, now time.Time) (n int, err error) {
	batches := sample(now, sampleEvents)
	var clock atomic.Int64
	clock.Store(now.Add(-(sampleDays + 1) * 24 * time.Hour).UnixMicro())
	walking := func() time.Time { return time.UnixMicro(clock.Load()) }
	orgs := control.NewOrgs(docs, walking)
	for _, o := range sampleOrgs {
		if _, err := orgs.Create(ctx, daybook.OrgID(o.id), o.name); err != nil {
			return 0, fmt.Errorf("make %s: %w", o.id, err)
		}
	}
	// Merged by age, every hour of the walk would become blocks of its own.
	book, err := daybook.Open(ctx, s, daybook.Options{Now: walking, TailAge: 2 * sampleDays * 24 * time.Hour})
	if err != nil {
		return 0, fmt.Errorf("open the log: %w", err)
	}
	defer func() {
		if e := book.Close(); err == nil {
			err = e
		}
	}()
	for _, b := range batches {
		clock.Store(b.at.UnixMicro())
		if _, err := book.RecordBatch(ctx, b.org, b.events); err != nil {
			return n, fmt.Errorf("record the sample: %w", err)
		}
		n += len(b.events)
	}
	return n, nil
}
