package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/server/internal/control"
)

// standing is what the routes of the instance say of its work.
type standing struct {
	Node struct {
		Name    string
		Overdue int64 `json:"erasures_overdue"`
		Clocks  *struct {
			Ahead    float64 `json:"ahead_s"`
			AheadOrg string  `json:"ahead_org"`
			Late     float64 `json:"late_s"`
			LateOrg  string  `json:"late_org"`
			Over     float64 `json:"over_s"`
		}
	}
	Jobs []struct{ Kind, ID, Org, State string }
}

func (f *fixture) standing() (s standing) {
	f.t.Helper()
	w := f.do(ask{path: "/v1/instance", key: f.admin})
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || w.Code != http.StatusOK {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return s
}

// TestClocks: the instance says how far the times of producers are off, and where, and forgets it after a while.
func TestClocks(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	f.record(f.acme, event("a.b", ""))
	if s := f.standing(); s.Node.Clocks != nil {
		t.Fatalf("nobody named a time: %+v", s.Node.Clocks)
	}
	says := func(off time.Duration) string {
		return event("a.b", fmt.Sprintf(`,"occurred_at":%q`, f.Now().Add(off).UTC().Format(time.RFC3339Nano)))
	}
	f.record(f.acme, says(2*time.Second))
	f.record(f.acme, says(time.Second))
	f.record(f.globex, says(-time.Hour))
	c := f.standing().Node.Clocks
	if c == nil || c.Ahead < 1.9 || c.Ahead > 2.1 || c.AheadOrg != "org_acme" || c.Late < 3599 || c.Late > 3601 || c.LateOrg != "org_globex" || c.Over != 0 {
		t.Fatalf("%+v", c)
	}
	for range 2 { // the second time what was seen before the first is over
		f.Add(16 * time.Minute)
		if c = f.standing().Node.Clocks; c == nil {
			t.Fatal("forgotten too early")
		}
	}
	f.record(f.acme, says(-3*time.Second))
	if c = f.standing().Node.Clocks; c == nil || c.Ahead != 0 || c.AheadOrg != "" || c.Late < 2.9 || c.Late > 3.1 || c.Over < 16*60-1 || c.Over > 16*60+1 {
		t.Errorf("half an hour later: %+v", c)
	}
}

// TestJobs: what is under way is listed with its organization, and no more once it has ended.
func TestJobs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{})
	if s := f.standing(); s.Jobs == nil || len(s.Jobs) != 0 {
		t.Fatalf("nothing is under way: %+v", s.Jobs)
	}
	f.record(f.acme, event("a.b", ""))
	f.do(ask{method: "PUT", path: "/v1/retention", key: f.acme, body: `{"rules":[],"erasure_approvers":2}`})
	f.do(ask{method: "POST", path: "/v1/organizations/org_acme/erasure", key: f.admin, body: `{"reason":"r"}`})
	f.Add(time.Second)
	// Of another process: the one of this test does not write it.
	exports := control.NewExports(f.store, f.Now)
	x, err := exports.Create(t.Context(), control.Export{Org: "org_globex", Format: "csv", Size: 9}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exports.Change(t.Context(), x.Org, x.ID, func(x *control.Export) bool { x.State = control.ExportRunning; return true }); err != nil {
		t.Fatal(err)
	}
	got := f.standing().Jobs
	if len(got) != 2 || got[0].Kind != "export" || got[0].ID != x.ID || got[0].Org != "org_globex" || got[0].State != "running" ||
		got[1].Kind != "erase_organization" || got[1].Org != "org_acme" || got[1].State != "awaiting_approval" {
		t.Fatalf("%+v", got)
	}
	if _, _, err := f.export.Cancel(t.Context(), "org_globex", x.ID); err != nil {
		t.Fatal(err)
	}
	if got = f.standing().Jobs; len(got) != 1 || got[0].ID == x.ID {
		t.Errorf("the export has ended: %+v", got)
	}
}
