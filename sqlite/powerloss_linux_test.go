package sqlite_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
	"github.com/daybook-audit/daybook/storetest"
)

// record runs a child under strace, in a folder of its own.
func record(t *testing.T, args ...string) *storetest.Recording {
	t.Helper()
	cmd := childCommand(t, args...)
	r, err := storetest.Record(filepath.Dir(cmd.Args[2]), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if said := r.Said(); said[len(said)-1] != "closed" {
		t.Fatalf("the child ended with %q", said[len(said)-1])
	}
	return r
}

// Between two acknowledgements lies an fsync. Nobody tunes that away.
func TestSyncsPerCommit(t *testing.T) {
	t.Parallel()
	const n = 100
	r := record(t, "-n", strconv.Itoa(n), "-wal", "16777216")
	syncs := r.Syncs()
	if len(syncs) != n+2 { // and "opened", and "closed"
		t.Fatalf("%d lines", len(syncs))
	}
	for i := range n {
		if syncs[i+1] <= syncs[i] {
			t.Errorf("no fsync before commit %d was acknowledged", i+1)
		}
	}
	t.Logf("%d commits, %d syncs", n, syncs[n]-syncs[0])
}

// TestPowerLoss opens what a loss of power leaves: everything acknowledged is there, and the store is whole.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	states := 100 // of the driver alone; the server's test of this name looks at whole Books
	if os.Getenv("DAYBOOK_TEST_SIZE") == "nightly" {
		states = 20_000
	}
	if broken := losses(t, "FULL", states); len(broken) > 0 {
		t.Errorf("%d states are wrong, such as:\n%s", len(broken), broken[0])
	}
}

// TestPowerLossDetects is the test of the test: with less durable settings it must see losses.
func TestPowerLossDetects(t *testing.T) {
	t.Parallel()
	for _, synchronous := range []string{"NORMAL", "OFF"} {
		t.Run(synchronous, func(t *testing.T) {
			t.Parallel()
			broken := losses(t, synchronous, 20)
			if len(broken) == 0 {
				t.Error("nothing was lost")
				return
			}
			t.Logf("%d of 20 states are wrong, such as:\n%s", len(broken), broken[0])
		})
	}
}

// losses records a run at a level of synchronous and returns what is wrong with n states that a loss of power may have left.
func losses(t *testing.T, synchronous string, n int) (broken []string) {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("DAYBOOK_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DAYBOOK_TEST_SEED=%d", seed)
	r := record(t, "-n", "60", "-size", "9000", "-merge", "10", "-synchronous", synchronous)
	random := rand.New(rand.NewPCG(seed, 0))
	for range n {
		c := r.Crash(random)
		if err := checkCrash(t, c); err != nil {
			broken = append(broken, c.Name+": "+err.Error())
		}
	}
	return broken
}

// checkCrash says what is wrong with a state.
func checkCrash(t *testing.T, c storetest.Crash) error {
	t.Helper()
	// In memory, if there is such a folder: what is tried here need not survive anything, and there are hundreds.
	dir, err := os.MkdirTemp("/dev/shm", "daybook-crash") //nolint:usetesting // a test's own folder is on disk
	if err != nil {
		dir = t.TempDir()
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}()
	if err := c.Restore(dir); err != nil {
		t.Fatal(err)
	}
	return checkStore(t, filepath.Join(dir, "daybook.db"), c.Said)
}

// checkStore opens the store at path and says what of it contradicts itself or what a child said.
func checkStore(t *testing.T, path string, said []string) error {
	t.Helper()
	s, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	numbers, err := s.Tail(ctx, 0, 1<<60, 1)
	if err != nil {
		return err
	}
	tail, err := s.Tail(ctx, 0, numbers.Merged, 1<<30)
	if err != nil {
		return err
	}
	heads, err := s.Heads(ctx, []daybook.OrgID{"org"}, false)
	if err != nil {
		return err
	}
	if int64(numbers.Merged) > heads[0].Packed {
		return fmt.Errorf("commits through %d are dropped, but only %d entries are in blocks", numbers.Merged, heads[0].Packed)
	}
	merged := "" // what was merged last; it holds once a commit after it was acknowledged
	for _, line := range said {
		var n, packed int64
		var id string
		if strings.HasPrefix(line, "merged ") {
			merged = line
			continue
		}
		if k, _ := fmt.Sscanf(line, "commit %d %s", &n, &id); k != 2 {
			continue
		}
		if k, _ := fmt.Sscanf(merged, "merged %d %d", new(int64), &packed); k == 2 && heads[0].Packed < packed {
			return fmt.Errorf("%q before %q, but packed is %d", merged, line, heads[0].Packed)
		}
		if n <= int64(numbers.Merged) {
			continue
		}
		want, err := hex.DecodeString(id)
		if err != nil {
			return err
		}
		i := int(n - int64(numbers.Merged) - 1)
		if i >= len(tail.Rows) || !bytes.Equal(tail.Rows[i].Bytes[8:24], want) {
			return fmt.Errorf("commit %d was acknowledged and is lost; last is %d", n, numbers.Last)
		}
	}
	next := int64(0)
	for m, err := range s.Blocks(ctx, daybook.BlockQuery{Log: max(heads[0].Log, 1), To: heads[0].Packed}) {
		if err != nil {
			return err
		}
		if _, err := s.Read(ctx, heads[0].Log, []daybook.BlockRef{m.BlockRef}); err != nil || m.First != next {
			return fmt.Errorf("block %d where %d should begin: %w", m.First, next, err)
		}
		next = m.First + int64(m.N)
	}
	if next != heads[0].Packed {
		return fmt.Errorf("blocks end at %d, packed is %d", next, heads[0].Packed)
	}
	if err := s.Close(); err != nil {
		return err
	}
	return integrity(t, path)
}
