package postgres_test

import (
	"context"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/storetest"
)

// TestPostgresCrash kills the server, or tells it to stop at once, in the middle of commits. What was acknowledged is there when it has
// recovered; what was not is repeated, and recorded once.
func TestPostgresCrash(t *testing.T) {
	t.Parallel()
	cycles := 4
	if os.Getenv("DAYBOOK_TEST_SIZE") == "nightly" {
		cycles = 200
	}
	c := pgtest.Start(t, pgtest.Options{})
	url := c.New(t)
	h := storetest.NewHistory(storetest.Load{Seed: rand.Uint64(), Start: time.Now().UnixMicro(), Writers: 8, Orgs: 5})
	o := busy()
	for cycle := range cycles {
		s, err := postgres.Open(t.Context(), url, postgres.Options{Shards: 2, Timeout: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		b, err := daybook.Open(t.Context(), s, o)
		if err != nil {
			t.Fatal(err)
		}
		how := []syscall.Signal{syscall.SIGKILL, syscall.SIGQUIT}[cycle%2]
		crash(t, b, h, func() { c.Kill(how) }, 20*(cycle+1))
		_ = b.Close() // its last commits cannot succeed
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		settle(t, url, h, o)
		if t.Failed() {
			t.Fatalf("after cycle %d", cycle)
		}
	}
	if n := h.Acknowledged(); n < 10*cycles {
		t.Errorf("%d calls acknowledged: nothing was tested", n)
	}
}

// crash lets the writers of h go on to call to−1, and stop after that many more were acknowledged, at a moment of no meaning. Writers end
// with the server.
func crash(t *testing.T, b *daybook.Book, h *storetest.History, stop func(), to int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	after := 20 + rand.IntN(60)
	var once sync.Once
	var writers sync.WaitGroup
	answers := make(chan struct{}, 10_000)
	for w := range h.Load.Writers {
		writers.Go(func() {
			h.Load.Write(ctx, b, w, h.Next(w), to, 1, func(a storetest.Answer) {
				if err := h.Add(a); err != nil {
					t.Error(err)
				}
				answers <- struct{}{}
			})
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for n := 0; ; n++ {
		select {
		case <-answers:
		case <-done:
			once.Do(stop) // they were quicker: the server still stops without order
			return
		}
		if n == after {
			once.Do(stop)
			cancel()
		}
	}
}

// settle repeats what has no answer and checks the whole store.
func settle(t *testing.T, url string, h *storetest.History, o daybook.Options) {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := daybook.Open(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Settle(t.Context(), b); err != nil {
		t.Errorf("after the crash: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	h.Check(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
