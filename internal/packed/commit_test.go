package packed

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/stored"
)

// smallEntries are those of smallCommit.
func smallEntries() []kept.Entry {
	return []kept.Entry{
		{ID: [16]byte{1, 2, 3, 4, 5, 6, 0x70, 7, 0x80, 8}, Secret: [16]byte{9}, LeafHash: tlog.Hash{1}, Body: []byte(`{"action":"a"}`)},
		{ID: [16]byte{1, 2, 3, 4, 5, 7, 0x70, 9, 0x80, 1}, Secret: [16]byte{8}, LeafHash: tlog.Hash{2}, IDAt: 8, Body: []byte(`{"id":"","action":"b\n"}`)},
		{ID: [16]byte{1, 2, 3, 4, 5, 2, 0x70, 5, 0x80, 3}, Secret: [16]byte{7}, LeafHash: tlog.Hash{3}, Kind: 1, Body: []byte(`{"op":"hold"}`)},
	}
}

// smallCommit is a commit of two logs and three entries, with its row.
func smallCommit() (Commit, []byte) {
	return new(CommitWriter).Pack([16]byte{0xaa, 0xbb}, []Run{
		{Log: 5, First: 41, Received: 1_795_301_648_000_000, Count: 2, Check: [8]byte{1, 2}},
		{Log: 9, First: 0, Received: 1_795_301_648_000_001, Count: 1, Check: [8]byte{3}},
	}, smallEntries())
}

// backslashRight reports whether the body of entry i has the bit that it must have.
func backslashRight(c *Commit, i int) bool {
	return c.Escaped(i) == (bytes.IndexByte(c.Body(i), '\\') >= 0)
}

// sealCommit makes the checksum of a changed row agree.
func sealCommit(row []byte) []byte {
	binary.BigEndian.PutUint32(row[len(row)-4:], crc32.Checksum(row[:len(row)-4], castagnoli))
	return row
}

func TestReadCommit(t *testing.T) {
	t.Parallel()
	opt := cmp.AllowUnexported(Commit{}, Run{}, commitEntry{})
	t.Run("what was packed comes back", func(t *testing.T) {
		t.Parallel()
		want, row := smallCommit()
		got, err := ReadCommit(row)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, opt); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if got.Len() != 3 || got.Raw() != 51 || got.Runs[1].At != 2 || got.Bytes(0, 3) != 51+3*96 || got.Bytes(1, 2) != 24+96 || got.Bytes(3, 3) != 0 {
			t.Errorf("%d entries of %d bytes: %+v", got.Len(), got.Raw(), got.Runs)
		}
		for i, want := range smallEntries() {
			if d := cmp.Diff(want, got.Entry(i)); d != "" {
				t.Errorf("entry %d (-want +got):\n%s", i, d)
			}
			if got.EntryID(i) != want.ID || got.LeafHash(i) != want.LeafHash || got.Kind(i) != want.Kind || !bytes.Equal(got.Body(i), want.Body) || !backslashRight(&got, i) {
				t.Errorf("entry %d is told otherwise in parts", i)
			}
		}
	})
	t.Run("a writer that is used again gives the same", func(t *testing.T) {
		t.Parallel()
		_, want := smallCommit()
		var w CommitWriter
		w.Pack([16]byte{1}, nil, smallEntries())
		c, _ := smallCommit()
		if _, row := w.Pack(c.ID, c.Runs, smallEntries()); !bytes.Equal(row, want) {
			t.Errorf("%x", row)
		}
		if _, err := ReadCommit(want); err != nil {
			t.Error(err)
		}
	})
	t.Run("the bytes are those of the format", func(t *testing.T) {
		t.Parallel()
		const name = "testdata/commit.golden"
		_, row := smallCommit()
		got := hex.Dump(row)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
	t.Run("any flipped bit and any cut is found", func(t *testing.T) {
		t.Parallel()
		_, row := smallCommit()
		for i := range 8 * len(row) {
			row[i/8] ^= 1 << (i % 8)
			if _, err := ReadCommit(row); err == nil {
				t.Errorf("bit %d of byte %d", i%8, i/8)
			}
			row[i/8] ^= 1 << (i % 8)
		}
		for n := range row {
			if _, err := ReadCommit(row[:n]); err == nil {
				t.Errorf("cut to %d bytes", n)
			}
		}
	})
	t.Run("another version, codec, flag or form is newer", func(t *testing.T) {
		t.Parallel()
		for _, at := range []int{4, 5, 6, 7} {
			_, row := smallCommit()
			row[at] = 9
			if _, err := ReadCommit(sealCommit(row)); !errors.Is(err, stored.ErrNewer) {
				t.Errorf("byte %d: %v", at, err)
			}
		}
	})
	t.Run("counts that contradict each other are refused", func(t *testing.T) {
		t.Parallel()
		for _, at := range []int{24, 28, 32, 36, commitHeader + 24, commitHeader + runSize + 24} {
			for _, v := range []uint32{0, 4, 1 << 16, 1<<31 - 1, 1<<32 - 1} {
				_, row := smallCommit()
				binary.BigEndian.PutUint32(row[at:], v)
				if _, err := ReadCommit(sealCommit(row)); !isDamage(err) {
					t.Errorf("byte %d is %d: %v", at, v, err)
				}
			}
		}
	})
}

// FuzzCommitRow holds that whatever is read packs to a row that reads the same, and that nothing makes the reader panic.
func FuzzCommitRow(f *testing.F) {
	_, row := smallCommit()
	f.Add(row)
	f.Add(row[:40])
	f.Fuzz(func(t *testing.T, row []byte) {
		if len(row) > 8 {
			row = sealCommit(append([]byte(nil), row...)) // else the checksum refuses nearly everything
		}
		c, err := ReadCommit(row)
		if err != nil {
			return
		}
		es := make([]kept.Entry, c.Len())
		for i := range es {
			es[i] = c.Entry(i)
		}
		_, row = new(CommitWriter).Pack(c.ID, slices.Clone(c.Runs), es)
		again, err := ReadCommit(row)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.entries { // the backslash bit of a row is believed, and made again by the writer
			c.entries[i].state &^= stateBackslash
			again.entries[i].state &^= stateBackslash
		}
		if d := cmp.Diff(c, again, cmp.AllowUnexported(Commit{}, commitEntry{})); d != "" {
			t.Errorf("(-read +read again):\n%s", d)
		}
	})
}

func BenchmarkCommit(b *testing.B) {
	es := typicalEntries(200)
	runs := []Run{{Log: 1, Count: len(es)}}
	var w CommitWriter
	b.Run("pack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w.Pack([16]byte{1}, runs, es)
		}
	})
	b.Run("read", func(b *testing.B) {
		_, row := w.Pack([16]byte{1}, runs, es)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ReadCommit(row); err != nil {
				b.Fatal(err)
			}
		}
	})
}
