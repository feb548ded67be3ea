package postgres_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-audit/daybook/postgres"
)

// Attempts to connect are made ever more rarely while they fail, never all at once, and at once after one has succeeded.
func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g postgres.Gate
		waited := func() time.Duration {
			begin := time.Now()
			if err := g.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			return time.Since(begin)
		}
		if d := waited(); d != 0 {
			t.Errorf("before anything failed it took %v", d)
		}
		longest := 50 * time.Millisecond
		for range 10 {
			for range 5 { // of those that fail together one counts
				g.Failed()
			}
			if d := waited(); d < longest/2 || d > longest+longest/4 {
				t.Errorf("it took %v, and should %v", d, longest)
			}
			longest = min(2*longest, 2*time.Second)
		}
		g.Failed()
		starts := make(chan time.Time, 10)
		for range cap(starts) {
			go func() {
				_ = waited()
				starts <- time.Now()
			}()
		}
		at := map[time.Time]bool{}
		for range cap(starts) {
			at[<-starts] = true
		}
		if len(at) < cap(starts)/2 {
			t.Errorf("%d that waited began at %d moments", cap(starts), len(at))
		}
		g.Failed()
		ended, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := g.Wait(ended); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("its context ended: %v", err)
		}
		_ = waited()
		g.Succeeded()
		g.Failed()
		if d := waited(); d > 70*time.Millisecond {
			t.Errorf("after a success the first failure takes %v", d)
		}
	})
}
