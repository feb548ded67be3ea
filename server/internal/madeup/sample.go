package madeup

import (
	"slices"
	"time"

	"github.com/daybook-audit/daybook"
)

// The sample that a newcomer sees: about as many events as a small company records in a month.
const (
	SampleDays   = 30
	SampleEvents = 20_000 // about

	sampleSeed     = 2026
	eventsPerBurst = 9 // about
)

// Org is a company of the sample.
type Org struct {
	ID   daybook.OrgID
	Name string

	weight, people int
}

var sampleOrgs = []Org{{"org_acme", "Acme", 5, 24}, {"org_globex", "Globex", 3, 14}, {"org_initech", "Initech", 2, 9}}

// SampleOrgs returns the companies of the sample, the busiest first.
func SampleOrgs() []Org { return slices.Clone(sampleOrgs) }

// Batch is what one org records at one moment.
type Batch struct {
	Org    daybook.OrgID
	At     time.Time // when it reaches the log: after all of its events
	Events []daybook.Event
}

// Sample makes the batches of the [SampleDays] before now, in the order in which they reach the log. People work in office hours; services
// do not sleep.
func Sample(now time.Time) []Batch {
	var ids []string
	for _, o := range sampleOrgs {
		ids = append(ids, string(o.ID))
	}
	g := newGenerator(sampleSeed, ids, sampleOrgs[0].people)
	for i, o := range sampleOrgs {
		g.orgs[i].people = g.orgs[i].people[:o.people]
	}
	start := now.Add(-SampleDays * 24 * time.Hour)
	// Starts of bursts: hours drawn by how busy they are. A burst has about nine events.
	weights := make([]int, SampleDays*24)
	total := 0
	for i := range weights {
		total += busy(start.Add(time.Duration(i) * time.Hour))
		weights[i] = total
	}
	starts := make([]time.Time, SampleEvents/eventsPerBurst)
	for i := range starts {
		hour, _ := slices.BinarySearch(weights, 1+g.rng.IntN(total))
		starts[i] = start.Add(time.Duration(hour)*time.Hour + time.Duration(g.rng.Int64N(int64(time.Hour))))
	}
	slices.SortFunc(starts, time.Time.Compare)
	batches := make([]Batch, 0, len(starts))
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
		batches = append(batches, Batch{Org: sampleOrgs[org].ID, At: last, Events: es})
	}
	slices.SortStableFunc(batches, func(a, b Batch) int { return a.At.Compare(b.At) })
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
