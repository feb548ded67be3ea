package postgres_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/pgtest"
	"github.com/daybook-audit/daybook/postgres"
	"github.com/daybook-audit/daybook/storetest"
)

// TestErasedBytes searches the files of the server for every run of bytes that held what was erased. After Rewrite there is none, but
// for the write-ahead log, which forgets when it is recycled.
func TestErasedBytes(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	base := server.Database(t)
	clock := storetest.ClockAt(time.Now())
	s, b := openBook(t, server.URL(base), daybook.Options{Now: clock.Now})
	settle := func() {
		t.Helper()
		for range 2 { // what was merged a while ago is trimmed
			clock.Add(time.Minute)
			if err := b.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		server.SQL(t, base, "CHECKPOINT")
	}
	values := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range 3 {
		var events [][]byte
		for i := range 60 {
			name := make([]byte, 60)
			for k := range name {
				name[k] = byte(values.IntN(256))
			}
			events = append(events, fmt.Appendf(nil, `{"action":"invoice.paid","actor":{"type":"user","id":"usr_%d","name":"%s"}}`, i%3, hex.EncodeToString(name)))
		}
		if _, err := b.RecordJSON(t.Context(), "org", daybook.Request{Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	settle()
	before := storedIn(t, s)
	if n := len(before.foundIn(t, server.Data())); n < len(before)/2 {
		t.Fatalf("only %d of %d samples are in the files: the test looks in the wrong place", n, len(before))
	}
	for _, r := range []daybook.EraseRequest{{Actor: &daybook.Party{Type: "user", ID: "usr_0"}}, {Actor: &daybook.Party{Type: "user", ID: "usr_1"}, Whole: true}} {
		r.Org, r.Reason, r.By = "org", "request 7", daybook.Party{Type: "user", ID: "officer"}
		if _, err := b.Erase(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	settle()
	if _, err := s.Rewrite(t.Context(), postgres.RewriteOptions{}); err != nil {
		t.Fatal(err)
	}
	server.SQL(t, base, "CHECKPOINT")
	after, gone := storedIn(t, s), runs{}
	for run := range before {
		if _, kept := after[run]; !kept {
			gone[run] = struct{}{}
		}
	}
	if len(gone) < len(before)/3 {
		t.Errorf("only %d of %d samples are of what went", len(gone), len(before))
	}
	for run := range gone.foundIn(t, server.Data()) {
		t.Errorf("of what held what was erased %q is found", run)
	}
	if err := errors.Join(b.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

// runs are runs of 16 bytes that say where they are from.
type runs map[[16]byte]struct{}

// storedIn returns what the blocks of a store hold.
func storedIn(t *testing.T, s *postgres.Store) runs {
	t.Helper()
	r := runs{}
	for h, err := range daybook.EveryLog(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		for m, err := range s.Blocks(t.Context(), daybook.BlockQuery{Log: h.Log, To: 1 << 40}) {
			if err != nil {
				t.Fatal(err)
			}
			data, err := s.Read(t.Context(), h.Log, []daybook.BlockRef{m.BlockRef})
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+16 <= len(data[0]); i++ {
				run, different := [16]byte(data[0][i:]), map[byte]struct{}{}
				for _, c := range run {
					different[c] = struct{}{}
				}
				if len(different) > 6 {
					r[run] = struct{}{}
				}
			}
		}
	}
	return r
}

// foundIn returns how many of r the files of a data folder hold, the write-ahead log left out.
func (r runs) foundIn(t *testing.T, dir string) runs {
	t.Helper()
	found := runs{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // a file that the server has removed meanwhile
			return nil
		case err != nil:
			return err
		case d.Name() == "pg_wal":
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for i := 0; i+16 <= len(b); i++ {
			if _, ok := r[[16]byte(b[i:])]; ok {
				found[[16]byte(b[i:])] = struct{}{}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
