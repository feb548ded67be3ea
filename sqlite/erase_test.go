package sqlite_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
)

// samples are runs of 16 bytes.
type samples map[[16]byte]struct{}

func (s samples) add(b []byte) {
	for i := 0; i+16 <= len(b); i++ {
		if run := [16]byte(b[i:]); telling(run) {
			s[run] = struct{}{}
		}
	}
}

// telling reports whether a run says where it is from: lengths and offsets, mostly zeros, stand everywhere.
func telling(run [16]byte) bool {
	different := map[byte]struct{}{}
	for _, b := range run {
		different[b] = struct{}{}
	}
	return len(different) > 6
}

// addStored adds everything that the store gives back of one log: commits, blocks, metas, slips.
func (s samples) addStored(t *testing.T, store *sqlite.Store) {
	t.Helper()
	tail, err := store.Tail(t.Context(), 0, s.merged(t, store), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range tail.Rows {
		s.add(row.Bytes)
	}
	for m, err := range store.Blocks(t.Context(), daybook.BlockQuery{Log: 1, To: 1 << 40, Filters: true}) {
		if err != nil {
			t.Fatal(err)
		}
		data, err := store.Read(t.Context(), 1, []daybook.BlockRef{m.BlockRef})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{data[0], m.Filter, m.Facets, m.Roots} {
			s.add(b)
		}
	}
	for slip, err := range store.Slips(t.Context(), 1, daybook.SlipKey{}, daybook.SlipKey{Kind: 15}) {
		if err != nil {
			t.Fatal(err)
		}
		s.add(slip.Bytes)
	}
}

func (samples) merged(t *testing.T, store *sqlite.Store) daybook.CommitNo {
	t.Helper()
	tail, err := store.Tail(t.Context(), 0, 1<<60, 1)
	if err != nil {
		t.Fatal(err)
	}
	return tail.Merged
}

// found returns what of s the files of a folder hold.
func (s samples) found(t *testing.T, dir string) samples {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	hits := samples{}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+16 <= len(b); i++ {
			if _, ok := s[[16]byte(b[i:])]; ok {
				hits[[16]byte(b[i:])] = struct{}{}
			}
		}
	}
	return hits
}

// without returns s without what is in t.
func (s samples) without(t samples) samples {
	out := samples{}
	for k := range s {
		if _, ok := t[k]; !ok {
			out[k] = struct{}{}
		}
	}
	return out
}

// TestErasedBytes looks for erased values, and for every run of bytes that held them, in all files of a store.
func TestErasedBytes(t *testing.T) {
	t.Parallel()
	erasing := func(r daybook.EraseRequest) func(t *testing.T, b *daybook.Book) {
		return func(t *testing.T, b *daybook.Book) {
			t.Helper()
			r.Org, r.Reason, r.By = "org_a", "request", daybook.Party{Type: "user", ID: "officer"}
			if _, err := b.Erase(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	pruning := func(leave daybook.Leave) func(t *testing.T, b *daybook.Book) {
		return func(t *testing.T, b *daybook.Book) {
			t.Helper()
			keep, err := daybook.ParsePeriod("1d")
			if err != nil {
				t.Fatal(err)
			}
			p, err := b.ApplyRetention(t.Context(), "org_a", daybook.Retention{Rules: []daybook.RetentionRule{{Keep: keep, Leave: leave}}})
			if err != nil || p.Entries != 12*70 {
				t.Fatalf("%+v, %v", p, err)
			}
		}
	}
	for name, remove := range map[string]func(*testing.T, *daybook.Book){
		"whole entries": erasing(daybook.EraseRequest{Actor: &daybook.Party{Type: "user", ID: "victim"}, Whole: true}),
		"fields":        erasing(daybook.EraseRequest{Actor: &daybook.Party{Type: "user", ID: "victim"}}),
		"keep leaf":     pruning(daybook.LeaveLeaf),
		"keep hash":     pruning(daybook.LeaveHash),
		"keep tile":     pruning(daybook.LeaveTile),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var later atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
			dir := t.TempDir()
			store, err := sqlite.Open(filepath.Join(dir, "daybook.db"), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := daybook.Open(t.Context(), store, daybook.Options{Now: now, TailBytes: 1 << 40, TailEntries: 1 << 40, TailAge: 1 << 60})
			if err != nil {
				t.Fatal(err)
			}
			before, values := samples{}, samples{}
			rng := rand.New(rand.NewPCG(7, 7))
			for batch := range 12 {
				recordPeople(t, b, rng, values, batch)
				before.addStored(t, store)
				if batch == 5 || batch == 8 {
					if err := b.Settle(t.Context()); err != nil {
						t.Fatal(err)
					}
					before.addStored(t, store)
				}
			}
			if n := len(before.found(t, dir)); n < len(before)/2 {
				t.Fatalf("only %d of %d samples are found before: the test looks in the wrong place", n, len(before))
			}
			later.Store(int64(72 * time.Hour))
			remove(t, b)
			if err := b.Settle(t.Context()); err != nil || b.Stats().Removals != 0 {
				t.Fatalf("%d removals are not carried out: %v", b.Stats().Removals, err)
			}
			after := samples{}
			after.addStored(t, store)
			gone := before.without(after)
			if len(gone) < len(before)/3 {
				t.Fatalf("only %d of %d samples are of what went", len(gone), len(before))
			}
			check := func(when string) {
				t.Helper()
				for b := range gone.found(t, dir) {
					t.Errorf("%s: of what held erased values %x is found", when, b)
				}
				for b := range values.found(t, dir) {
					t.Errorf("%s: of erased values %q is found", when, b)
				}
			}
			check("open")
			report, err := daybook.Fsck(t.Context(), store, daybook.FsckOptions{})
			if err != nil || len(report.Findings) > 0 {
				t.Errorf("fsck: %+v, %v", report, err)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			check("closed")
		})
	}
}

// recordPeople records a batch of events, of which every seventh is of the victim, whose name and address are added to values.
func recordPeople(t *testing.T, b *daybook.Book, rng *rand.Rand, values samples, batch int) {
	t.Helper()
	var events [][]byte
	for i := range 70 {
		who := fmt.Sprintf("usr_%d", i%5)
		secret := make([]byte, 48)
		for k := range secret {
			secret[k] = byte(rng.IntN(256))
		}
		name := hex.EncodeToString(secret)
		if i%7 == 3 {
			who = "victim"
			values.add([]byte(name))
		}
		events = append(events, fmt.Appendf(nil, `{"action":"invoice.paid","actor":{"type":"user","id":"%s","name":"%s","email":"%s@example.com"}}`, who, name, name[:40]))
	}
	_, err := b.RecordJSON(t.Context(), "org_a", daybook.Request{Events: events, Key: fmt.Sprintf("batch %d at %s", batch, time.Now())})
	if err != nil {
		t.Fatal(err)
	}
}
