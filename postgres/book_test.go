package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/storetest"
)

// busy makes the merger and the signer work all the time, and an unknown outcome known soon.
func busy() daybook.Options {
	return daybook.Options{
		TailEntries: 25, CommitTimeout: 300 * time.Millisecond,
		Origin: "audit.example.com", MasterKey: make([]byte, 32), HighWater: storetest.Marks(), SignEvery: time.Millisecond,
	}
}

func openStore(tb testing.TB, schema string, o postgres.Options) *postgres.Store {
	tb.Helper()
	o.Schema = schema
	s, err := postgres.Open(tb.Context(), server.url, o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// write lets every writer of the load go on until it has made call to−1.
func write(t *testing.T, b *daybook.Book, h *storetest.History, to int) {
	t.Helper()
	var writers sync.WaitGroup
	for w := range h.Load.Writers {
		writers.Go(func() {
			h.Load.Write(t.Context(), b, w, h.Next(w), to, 30, func(a storetest.Answer) {
				if err := h.Add(a); err != nil {
					t.Error(err)
				}
			})
		})
	}
	writers.Wait()
}

// A Book over eight shards keeps every promise: what it acknowledged is there after a restart, in order, once, and recomputes from its
// bytes.
func TestBook(t *testing.T) {
	t.Parallel()
	schema := newSchema(t)
	h := storetest.NewHistory(storetest.Load{Seed: rand.Uint64(), Start: time.Now().UnixMicro(), Writers: 8, Orgs: 20})
	for _, to := range []int{20, 35} {
		s := openStore(t, schema, postgres.Options{Shards: 8})
		if s.Shards() != 8 {
			t.Fatalf("%d shards", s.Shards())
		}
		b, err := daybook.Open(t.Context(), s, busy())
		if err != nil {
			t.Fatal(err)
		}
		write(t, b, h, to)
		if err := b.Settle(t.Context()); err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	s := openStore(t, schema, postgres.Options{Shards: 3}) // the number of a new store only
	if s.Shards() != 8 {
		t.Errorf("opened again with %d shards", s.Shards())
	}
	h.Check(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := h.Acknowledged(); n < 100 {
		t.Errorf("%d calls acknowledged: nothing was tested", n)
	}
}

// Every step of the store goes wrong now and then, in every way, and nothing that was acknowledged is lost.
func TestBook_lyingStore(t *testing.T) {
	t.Parallel()
	seeds := uint64(4)
	if os.Getenv("DAYBOOK_TEST_SIZE") == "nightly" {
		seeds = 400
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			s := openStore(t, newSchema(t), postgres.Options{Shards: 2})
			r, faults := rand.New(rand.NewPCG(seed, 1)), storetest.Faults()
			faulty := storetest.Faulty(s, func(storetest.Step, int) storetest.Fault {
				if r.IntN(8) > 0 {
					return storetest.None
				}
				return faults[r.IntN(len(faults))]
			})
			faulty.Delay = 5 * time.Millisecond
			h := storetest.NewHistory(storetest.Load{Seed: seed, Start: time.Now().UnixMicro(), Writers: 3, Orgs: 3})
			b, err := daybook.Open(t.Context(), faulty, busy())
			for n := 0; err != nil && n < 50; n++ {
				b, err = daybook.Open(t.Context(), faulty, busy())
			}
			if err != nil {
				t.Fatal(err)
			}
			write(t, b, h, 16)
			faulty.Heal()
			if err := h.Settle(t.Context(), b); err != nil {
				t.Errorf("after the faults: %v", err)
			}
			if err := b.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			h.Check(t, s)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if faulty.Hits() == 0 {
				t.Error("nothing went wrong: nothing was tested")
			}
		})
	}
}
