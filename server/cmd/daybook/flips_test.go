//go:build linux

package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/sqlite"
	"github.com/daybook-audit/daybook/storetest"
)

// TestBitFlips flips one bit of a store: somewhere in its file, or in one of the values that the logs are made of. It is found, or
// nobody can tell the difference; nothing panics.
func TestBitFlips(t *testing.T) {
	t.Parallel()
	flips := 300
	if nightly {
		flips = 20_000
	}
	random := seeded(t)
	c := newCrash(t, random, 3)
	writeStore(t, c)
	file, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	c.check(t, false) // which may merge what is not merged: it is kept above
	want, err := dump(t.Context(), c)
	if err != nil || len(want) == 0 {
		t.Fatalf("dump of %d bytes: %v", len(want), err)
	}
	f := flipper{crash: c, file: file, want: want, random: random, found: map[string]int{}, harmless: map[string]int{}}
	for range flips / 2 {
		f.anywhere(t)
		f.inValue(t)
	}
	t.Logf("found: %v; of no consequence: %v", f.found, f.harmless)
	for _, v := range flipValues {
		if f.found[v.name] == 0 {
			t.Errorf("no flip in %s was found: nothing was tested", v.name)
		}
	}
}

// writeStore makes a store with whole blocks, pieces and commits that are not merged.
func writeStore(t *testing.T, c *crash) {
	t.Helper()
	s, err := sqlite.Open(c.path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := daybook.Open(t.Context(), s, daybook.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for part := range 4 {
		for w := range c.history.Load.Writers {
			c.history.Load.Write(t.Context(), b, w, part*40, (part+1)*40, 0, func(a storetest.Answer) {
				if err := c.history.Add(a); err != nil {
					t.Error(err)
				}
			})
		}
		if part < 3 {
			if err := b.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(b.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// dump returns everything that can be read of the logs.
func dump(ctx context.Context, c *crash) (out []byte, err error) {
	s, err := sqlite.Open(c.path, sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	b, err := daybook.Open(ctx, s, daybook.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	for i := range c.history.Load.Orgs {
		for e, err := range b.Events(ctx, daybook.EventQuery{Org: daybook.OrgID(fmt.Sprintf("org_%d", i)), Asc: true}) {
			if err != nil {
				return nil, err
			}
			out = append(e.AppendJSON(out), '\n')
		}
	}
	return out, nil
}

// flipValues are the values in which bits are flipped: in a random row.
var flipValues = []struct{ name, table, column string }{
	{"commits", "commits", "data"},
	{"blocks", "block_data", "data"},
	{"filters", "blocks", "filter"},
	{"roots", "blocks", "roots"},
	{"frontiers", "heads", "frontier"},
}

// flipper flips bits, one in each copy of a store.
type flipper struct {
	*crash
	file, want      []byte
	random          *rand.Rand
	found, harmless map[string]int
}

// copyOf returns a copy of the store with another content.
func (f *flipper) copyOf(t *testing.T, content []byte) (c *crash, remove func()) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "daybook-flip") //nolint:usetesting // in memory, if there is such a folder
	if err != nil {
		dir = t.TempDir()
	}
	c = crashIn(dir, f.history.Load)
	if err := os.WriteFile(c.path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return c, func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}
}

// anywhere flips a bit of the file.
func (f *flipper) anywhere(t *testing.T) {
	t.Helper()
	content := slices.Clone(f.file)
	bit := f.random.IntN(8 * len(content))
	content[bit/8] ^= 1 << (bit % 8)
	c, remove := f.copyOf(t, content)
	defer remove()
	f.judge(t, c, "the file", fmt.Sprintf("bit %d of byte %d of the file", bit%8, bit/8))
}

// inValue flips a bit of one value, past the triggers that keep a person from it.
func (f *flipper) inValue(t *testing.T) {
	t.Helper()
	v := flipValues[f.random.IntN(len(flipValues))]
	c, remove := f.copyOf(t, f.file)
	defer remove()
	where, err := f.flipValue(t.Context(), c.path, v.table, v.column)
	if err != nil {
		t.Fatal(err)
	}
	f.judge(t, c, v.name, where)
}

func (f *flipper) flipValue(ctx context.Context, path, table, column string) (where string, err error) {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, trigger := range []string{"commits_keep", "blocks_stay", "block_data_stay"} {
		if _, err := db.ExecContext(ctx, "DROP TRIGGER "+trigger); err != nil {
			return "", err
		}
	}
	rows, err := db.QueryContext(ctx, "SELECT rowid, "+column+" FROM "+table+" WHERE length("+column+") > 0")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var ids []int64
	var values [][]byte
	for rows.Next() {
		var id int64
		var value []byte
		if err := rows.Scan(&id, &value); err != nil {
			return "", err
		}
		ids, values = append(ids, id), append(values, value)
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "", fmt.Errorf("%s has no %s", table, column)
	}
	i := f.random.IntN(len(ids))
	bit := f.random.IntN(8 * len(values[i]))
	values[i][bit/8] ^= 1 << (bit % 8)
	_, err = db.ExecContext(ctx, "UPDATE "+table+" SET "+column+" = ? WHERE rowid = ?", values[i], ids[i])
	return fmt.Sprintf("bit %d of byte %d of %s %d", bit%8, bit/8, table, ids[i]), err
}

// judge fails t when a flip is not found and changes what is read.
func (f *flipper) judge(t *testing.T, c *crash, kind, where string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for each a few milliseconds of work
	defer cancel()
	err := inspect(ctx, c.path)
	if ctx.Err() != nil {
		keepStore(t, c.path)
		t.Fatalf("%s: nothing came to an end in a minute: %v", where, err)
	}
	if err != nil {
		f.found[kind]++
		return
	}
	f.harmless[kind]++
	got, err := dump(ctx, c)
	if err != nil || !bytes.Equal(got, f.want) {
		t.Errorf("%s: nothing was found, and the dump differs (%d bytes instead of %d, %v)", where, len(got), len(f.want), err)
		keepStore(t, c.path)
	}
}

// inspect is what finds damage: the driver when it opens the store, fsck, and SQLite itself.
func inspect(ctx context.Context, path string) error {
	s, err := sqlite.OpenReadOnly(path, sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	report, err := daybook.Fsck(ctx, s, daybook.FsckOptions{})
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if len(report.Findings) > 0 {
		return fmt.Errorf("fsck: %v", report.Findings)
	}
	return integrity(ctx, filepath.Clean(path))
}
