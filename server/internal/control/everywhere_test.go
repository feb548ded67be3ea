package control_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/storetest"
)

// A time to live of a part of every log removes that part and nothing else, with or without a retention of the organization.
func TestEverywhere(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return clock }
	store := storetest.Memory()
	book, err := daybook.Open(t.Context(), store, daybook.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close() //nolint:errcheck // nothing depends on it
	orgs := control.NewOrgs(store, now)
	for _, org := range []daybook.OrgID{"org_a", "org_b", "org_without_a_log"} {
		if err := orgs.Ensure(t.Context(), org); err != nil {
			t.Fatal(err)
		}
	}
	for _, org := range []daybook.OrgID{"org_a", "org_b"} {
		for _, meta := range []string{`{"rest_hapi":{"v":1}}`, `{"other":1}`} {
			if _, err := book.Record(t.Context(), org, daybook.Event{Action: "a.b", Actor: daybook.System("x"), Metadata: json.RawMessage(meta)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	part, err := query.Parse("has:meta.rest_hapi.v", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keep, err := daybook.ParsePeriod("1m")
	if err != nil {
		t.Fatal(err)
	}
	named := map[daybook.OrgID]int64{}
	k := &control.Keeping{
		Retentions: control.NewRetentions(store, now), Book: book, Logger: slog.New(slog.DiscardHandler),
		Applied: func(_ context.Context, org daybook.OrgID, p daybook.Pruned) { named[org] += p.Entries },
		Also:    &control.Everywhere{Orgs: orgs, Of: part, Keep: keep, Now: now},
	}
	for _, step := range []struct {
		later time.Duration
		want  int64 // named in each log
	}{{0, 0}, {59 * time.Second, 0}, {2 * time.Minute, 1}} {
		mu.Lock()
		clock = clock.Add(step.later)
		mu.Unlock()
		if err := k.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if named["org_a"] != step.want || named["org_b"] != step.want {
			t.Errorf("after %s more: %v", step.later, named)
		}
	}
	entry, err := book.EntryAt(t.Context(), "org_a", 2)
	if err != nil {
		t.Fatal(err)
	}
	var prune struct {
		Metadata struct{ Policy string }
		Policy   string
	}
	if err := json.Unmarshal(entry.Payload, &prune); err != nil || prune.Policy+prune.Metadata.Policy != "has:meta.rest_hapi.v 1m" {
		t.Errorf("the prune entry says %s", entry.Payload)
	}
}
