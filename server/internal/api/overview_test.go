package api_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/server/internal/api"
)

// TestInstance: the figures of the instance are those of its logs, and a rate is over the time that it names.
func TestInstance(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setup{deps: func(d *api.Deps) { d.Storage = func() (int64, error) { return 4096, nil } }})
	type answer struct {
		Version       string
		Organizations struct {
			Value int64
			Exact bool
		}
		Entries      struct{ Value int64 }
		StorageBytes int64 `json:"storage_bytes"`
		Signing      bool
		Node         struct {
			Recorded  int64
			PerSecond float64 `json:"recorded_per_second"`
			Over      float64 `json:"over_s"`
			Commits   int     `json:"commits_measured"`
			P99       float64 `json:"commit_p99_s"`
		}
	}
	asked := func() (a answer) {
		t.Helper()
		w := f.do(ask{path: "/v1/instance", key: f.admin})
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return a
	}
	f.record(f.acme, event("a.b", ""))
	f.record(f.globex, event("a.b", ""))
	a := asked()
	if a.Version != "0.1.0" || a.Organizations.Value != 2 || !a.Organizations.Exact || a.Entries.Value != 2 || a.StorageBytes != 4096 || !a.Signing || a.Node.Recorded != 2 || a.Node.Commits == 0 || a.Node.Over != 0 {
		t.Errorf("%+v", a)
	}
	for range 20 {
		f.record(f.acme, event("a.b", ""))
	}
	f.Add(20 * time.Second)
	a = asked()
	if a.Entries.Value != 2 || a.Node.Recorded != 22 || a.Node.Over < 20 || a.Node.Over > 21 || a.Node.PerSecond < 0.9 || a.Node.PerSecond > 1.1 {
		t.Errorf("20 seconds and 20 events later: %+v", a)
	}
	f.Add(20 * time.Second)
	if a = asked(); a.Entries.Value != 22 {
		t.Errorf("counted again after half a minute: %+v", a)
	}
	bare := newFixture(t, setup{deps: func(d *api.Deps) { d.Metrics = nil }})
	if w := bare.do(ask{path: "/v1/instance", key: bare.admin}); w.Code != http.StatusOK {
		t.Errorf("without metrics: %d %s", w.Code, w.Body)
	}
}
