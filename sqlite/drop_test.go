package sqlite_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
)

// TestDroppedBytes looks for every run of bytes that held something of an organization that was dropped, and for its name, in all files of
// a store that other organizations go on using.
func TestDroppedBytes(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	store, err := sqlite.Open(filepath.Join(dir, "daybook.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	marks, err := sqlite.OpenHighWater(filepath.Join(outside, "highwater.db"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := daybook.Open(t.Context(), store, daybook.Options{
		TailBytes: 1 << 40, TailEntries: 1 << 40, TailAge: 1 << 60, Origin: "audit.example.com", MasterKey: make([]byte, 32), HighWater: marks,
		Dropped: store.DeleteOrg,
	})
	if err != nil {
		t.Fatal(err)
	}
	const org = "org_of_the_victims"
	before, values := samples{}, samples{}
	rng := rand.New(rand.NewPCG(7, 8))
	for batch := range 12 {
		recordOf(t, b, org, rng, values, batch)
		recordOf(t, b, daybook.OrgID(fmt.Sprintf("org_%d", batch%3)), rng, samples{}, batch)
		for i := range 20 {
			d := daybook.Document{Kind: "setting", Org: org, ID: strconv.Itoa(100*batch + i), Data: json.RawMessage(strconv.Quote("of " + org))}
			if _, err := store.Put(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			d.Org, d.Data = daybook.OrgID(fmt.Sprintf("org_%d", i%3)), json.RawMessage("{}")
			if _, err := store.Put(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		if batch == 5 || batch == 8 {
			if err := b.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Checkpoint(t.Context(), org); err != nil {
			t.Fatal(err)
		}
		before.addLog(t, store, 1)
	}
	if n := len(before.found(t, dir)); n < len(before)/2 {
		t.Fatalf("only %d of %d samples are found before: the test looks in the wrong place", n, len(before))
	}
	if err := b.DropOrg(t.Context(), daybook.DropRequest{Org: org}); err != nil {
		t.Fatal(err)
	}
	if err := b.FinishDrop(t.Context(), org); err != nil {
		t.Fatal(err)
	}
	others := samples{}
	for log := range daybook.LogNo(3) {
		if _, err := b.Checkpoint(t.Context(), daybook.OrgID(fmt.Sprintf("org_%d", log))); err != nil {
			t.Fatal(err)
		}
		others.addLog(t, store, log+2)
	}
	gone := before.without(others) // words that all use
	if len(gone) < len(before)*9/10 {
		t.Fatalf("only %d of %d samples are of what went", len(gone), len(before))
	}
	check := func(when string) {
		t.Helper()
		for b := range gone.found(t, dir) {
			t.Errorf("%s: of what the store held of the organization %x is found", when, b)
		}
		for b := range values.found(t, dir) {
			t.Errorf("%s: of its entries %q is found", when, b)
		}
		for _, folder := range []string{dir, outside} {
			if file := fileWith(t, folder, []byte(org)); file != "" {
				t.Errorf("%s: its name is in %s", when, file)
			}
		}
	}
	check("open")
	report, err := daybook.Fsck(t.Context(), store, daybook.FsckOptions{HighWater: marks, Origin: "audit.example.com"})
	if err != nil || len(report.Findings) > 0 || report.Logs != 3 {
		t.Errorf("fsck: %+v, %v", report, err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := marks.Close(); err != nil {
		t.Fatal(err)
	}
	check("closed")
}

// addLog adds what the store gives back of one log, and nothing that others share: of commits, what is of this log is in its blocks too.
func (s samples) addLog(t *testing.T, store *sqlite.Store, log daybook.LogNo) {
	t.Helper()
	for m, err := range store.Blocks(t.Context(), daybook.BlockQuery{Log: log, To: 1 << 40, Filters: true}) {
		if err != nil {
			t.Fatal(err)
		}
		data, err := store.Read(t.Context(), log, []daybook.BlockRef{m.BlockRef})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{data[0], m.Filter, m.Roots} {
			s.add(b)
		}
	}
	for n, err := range store.Notes(t.Context(), log, 0, 1<<40, false) {
		if err != nil {
			t.Fatal(err)
		}
		s.add(n.Note[bytes.IndexByte(n.Note, '\n'):]) // the host is that of every log
	}
}

// fileWith returns a file of a folder that holds text.
func fileWith(t *testing.T, dir string, text []byte) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, text) {
			return f.Name()
		}
	}
	return ""
}

// recordOf records a batch of events of one org, with names that nobody else has, which it adds to values.
func recordOf(t *testing.T, b *daybook.Book, org daybook.OrgID, rng *rand.Rand, values samples, batch int) {
	t.Helper()
	var events [][]byte
	for range 70 {
		name := make([]byte, 48)
		for k := range name {
			name[k] = 'a' + byte(rng.IntN(26))
		}
		values.add(name)
		events = append(events, fmt.Appendf(nil, `{"action":"invoice.paid","actor":{"type":"user","id":"usr_1","name":"%s"}}`, name))
	}
	if _, err := b.RecordJSON(t.Context(), org, daybook.Request{Events: events, Key: fmt.Sprintf("batch %d of %s", batch, org)}); err != nil {
		t.Fatal(err)
	}
}
