//go:build linux

package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/daybook-audit/daybook/storetest"
)

// recordScript records what a child does to its files: two writers, everything merged, more calls, everything merged, closed.
func recordScript(t *testing.T, random *rand.Rand) (*storetest.Recording, storetest.Load) {
	t.Helper()
	c := newCrash(t, random, 2)
	c.keeps = true
	d := c.task()
	d.To = 16
	r, err := storetest.Record(filepath.Dir(c.path), d.command(t))
	if err != nil {
		t.Fatal(err)
	}
	if said := r.Said(); !strings.Contains(said[len(said)-1], "Closed") {
		t.Fatalf("the child ended with %s", said[len(said)-1])
	}
	return r, c.history.Load
}

// losses opens n states that a loss of power may have left, and returns those with findings.
func losses(t *testing.T, r *storetest.Recording, load storetest.Load, random *rand.Rand, n int) (wrong []loss) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	states := make(chan storetest.Crash)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for state := range states {
				if findings := verifyState(t, load, state); len(findings) > 0 {
					mu.Lock()
					wrong = append(wrong, loss{state, findings})
					mu.Unlock()
				}
			}
		})
	}
	for range n {
		states <- r.Crash(random)
	}
	close(states)
	group.Wait()
	return wrong
}

// loss is a state after which something is wrong.
type loss struct {
	state    storetest.Crash
	findings []storetest.Finding
}

// verifyState opens a state as a restarted process does, and returns what is wrong with it.
func verifyState(t *testing.T, load storetest.Load, state storetest.Crash) []storetest.Finding {
	t.Helper()
	// In memory, if there is such a folder: what is tried here need not survive anything, and there are hundreds.
	dir, err := os.MkdirTemp("/dev/shm", "daybook-power") //nolint:usetesting // a test's own folder is on disk
	if err != nil {
		dir = t.TempDir()
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}()
	if err := state.Restore(dir); err != nil {
		t.Error(err)
		return nil
	}
	c := crashIn(dir, load)
	c.keeps, c.unsigned = true, false
	for w := range load.Writers {
		c.history.Next(w) // its first call may be under way
	}
	for _, text := range state.Said {
		var l line
		if text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Errorf("the child said %s: %v", text, err)
		}
		if l.Act != nil {
			c.kept.acts = append(c.kept.acts, *l.Act)
		}
		if l.Answer != nil {
			if err := c.history.Add(*l.Answer); err != nil {
				t.Error(err)
			}
		}
	}
	return c.verify(context.WithoutCancel(t.Context()), false)
}

// TestPowerLoss opens what a loss of power leaves, at any moment of a run, of the store and of the high-water store as of two disks: everything
// acknowledged is there, all of it agrees, no mark is behind what was signed, and what was to be removed is.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	states := 300
	if nightly {
		states = 20_000
	}
	random := seeded(t)
	r, load := recordScript(t, random)
	wrong := losses(t, r, load, random, states)
	for i, l := range wrong {
		if i < 3 {
			t.Errorf("%s: %v", l.state.Name, l.findings[:min(len(l.findings), 5)])
		}
	}
	if len(wrong) > 0 {
		t.Errorf("%d of %d states are wrong", len(wrong), states)
		dir := t.TempDir()
		if err := wrong[0].state.Restore(dir); err != nil {
			t.Error(err)
		}
		keepStore(t, filepath.Join(dir, "daybook.db"))
	}
}

// TestPowerLossDetects is the test of the test: on a disk that ignores every sync it must see losses. What the settings NORMAL and OFF
// of SQLite lose, which only the driver can be told to use, is tested beside the driver.
func TestPowerLossDetects(t *testing.T) {
	t.Parallel()
	random := seeded(t)
	r, load := recordScript(t, random)
	const states = 60
	lost, corrupt := 0, 0
	for _, l := range losses(t, r.WithoutSyncs(), load, random, states) {
		for _, f := range l.findings {
			if f.Invariant == "I1" {
				lost++
				break
			}
			if f.Invariant != "I6" {
				corrupt++
				break
			}
		}
	}
	t.Logf("of %d states %d lost acknowledged entries and %d more are corrupt", states, lost, corrupt)
	if lost == 0 {
		t.Error("no loss was noticed")
	}
}
