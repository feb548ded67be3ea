package madeup_test

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/madeup"
)

var now = time.Date(2026, 11, 21, 14, 22, 7, 0, time.UTC)

// TestWorkload: the same seed gives the same events, and their size is what was asked for.
func TestWorkload(t *testing.T) {
	t.Parallel()
	for _, size := range []int{691, 1500} {
		const events = 5000
		made := func() (text string, perOrg []int) {
			src := madeup.Workload{Orgs: 50, Seed: 7, Size: size}.Source()
			perOrg = make([]int, 50)
			var b bytes.Buffer
			for i := range events {
				org, err := src.Next(&b, now.Add(time.Duration(i)*time.Second))
				if err != nil {
					t.Fatal(err)
				}
				perOrg[org]++
			}
			return b.String(), perOrg
		}
		a, perOrg := made()
		if b, _ := made(); a != b {
			t.Errorf("size %d: two runs with one seed differ", size)
		}
		if mean := float64(len(a)) / events; math.Abs(mean-float64(size)) > 0.03*float64(size) {
			t.Errorf("size %d: events have %.0f bytes", size, mean)
		}
		if perOrg[0] < 5*perOrg[20] || perOrg[49] == 0 {
			t.Errorf("size %d: %v events per org; the first should be far busier than the last", size, perOrg)
		}
	}
}

// TestSample: what a newcomer sees is believable and the same every time.
func TestSample(t *testing.T) {
	t.Parallel()
	batches := madeup.Sample(now)
	count, byOrg, kinds := 0, map[daybook.OrgID]int{}, map[string]int{}
	last := map[daybook.OrgID]time.Time{}
	ids, people := map[daybook.ID]bool{}, map[string]map[string]int{}
	for _, b := range batches {
		if b.At.Before(last[b.Org]) || b.At.After(now) || b.At.Before(now.Add(-madeup.SampleDays*24*time.Hour)) {
			t.Fatalf("a batch of %s at %v is out of order or out of the thirty days", b.Org, b.At)
		}
		last[b.Org] = b.At
		for _, e := range b.Events {
			count++
			byOrg[b.Org]++
			if late := b.At.Sub(e.OccurredAt); late < 0 || late > 5*time.Minute {
				t.Fatalf("an event is received %v after it happened", late)
			}
			if ids[e.ID] {
				t.Fatalf("%s stands twice", e.ID)
			}
			ids[e.ID] = true
			if ms := e.OccurredAt.UnixMilli(); e.ID.Micros() != ms*1000 {
				t.Fatalf("the id says %d, the event %d", e.ID.Micros(), ms)
			}
			if people[e.Actor.ID] == nil {
				people[e.Actor.ID] = map[string]int{}
			}
			people[e.Actor.ID][e.Actor.Name]++
			kinds["via"] += min(1, len(e.Actor.Via))
			kinds["changes"] += min(1, len(e.Changes))
			kinds[string(e.Outcome)]++
			kinds[e.Action]++
			if h := e.OccurredAt.Hour(); h >= 8 && h < 18 {
				kinds["office"]++
			}
		}
	}
	if count < 18_000 || count > 23_000 {
		t.Errorf("%d events, want about 20,000", count)
	}
	if len(byOrg) != 3 || byOrg["org_acme"] < byOrg["org_globex"] || byOrg["org_globex"] < byOrg["org_initech"] {
		t.Errorf("events by org: %v", byOrg)
	}
	for kind, least := range map[string]int{"via": 300, "changes": 3000, "failure": 300, "denied": 150, "user.login": 500, "invoice.paid": 100, "office": count * 7 / 10} {
		if kinds[kind] < least {
			t.Errorf("%s: %d, want at least %d", kind, kinds[kind], least)
		}
	}
	// The people of the examples, here and in the documents.
	for id, name := range map[string]string{"usr_1": "Ada Byron", "usr_7": "Grace Hopper"} {
		if people[id][name] == 0 || len(people[id]) != 1 {
			t.Errorf("%s is not %s but %v", id, name, people[id])
		}
	}
	again := madeup.Sample(now)
	if !slices.EqualFunc(batches, again, func(a, b madeup.Batch) bool {
		return a.Org == b.Org && a.At.Equal(b.At) && len(a.Events) == len(b.Events) && a.Events[0].ID == b.Events[0].ID
	}) {
		t.Error("the same moment gives another sample")
	}
}
