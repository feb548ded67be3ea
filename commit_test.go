package daybook

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
)

// smallCommit is a commit of two logs and three entries, with its row.
func smallCommit() (*tailCommit, []byte) {
	es := []packed{
		{id: ID{1, 2, 3, 4, 5, 6, 0x70, 7, 0x80, 8}, secret: [16]byte{9}, leaf: tlog.Hash{1}, body: []byte(`{"action":"a"}`)},
		{id: ID{1, 2, 3, 4, 5, 7, 0x70, 9, 0x80, 1}, secret: [16]byte{8}, leaf: tlog.Hash{2}, idAt: 8, body: []byte(`{"id":"","action":"b\n"}`)},
		{id: ID{1, 2, 3, 4, 5, 2, 0x70, 5, 0x80, 3}, secret: [16]byte{7}, leaf: tlog.Hash{3}, kind: KindControl, body: []byte(`{"op":"hold"}`)},
	}
	c := &tailCommit{n: 7, id: [16]byte{0xaa, 0xbb}, runs: []commitRun{
		{log: 5, first: 41, received: 1_795_301_648_000_000, count: 2, at: 0, check: [8]byte{1, 2}},
		{log: 9, first: 0, received: 1_795_301_648_000_001, count: 1, at: 2, check: [8]byte{3}},
	}}
	plain := appendColumns(nil, es, false)
	bodies := 0
	for i := range es {
		state := es[i].kind << stateKind
		if i == 1 {
			state |= stateBackslash
		}
		c.entries = append(c.entries, tailEntry{
			leaf: es[i].leaf, id: es[i].id, secret: es[i].secret, off: uint32(bodies), len: uint32(len(es[i].body)), idAt: uint32(es[i].idAt), state: state,
		})
		bodies += len(es[i].body)
	}
	c.bodies = plain[len(plain)-bodies:]
	return c, packCommit(nil, [16]byte{0xaa, 0xbb}, c, plain)
}

// sealCommit makes the checksum of a changed row agree.
func sealCommit(row []byte) []byte {
	binary.BigEndian.PutUint32(row[len(row)-4:], crc32.Checksum(row[:len(row)-4], castagnoli))
	return row
}

func TestUnpackCommit(t *testing.T) {
	t.Parallel()
	opt := cmp.AllowUnexported(tailCommit{}, commitRun{}, tailEntry{})
	t.Run("what was packed comes back", func(t *testing.T) {
		t.Parallel()
		want, row := smallCommit()
		got, err := unpackCommit(7, row)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, opt); d != "" {
			t.Errorf("(-want +got):\n%s", d)
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
			if _, err := unpackCommit(7, row); err == nil {
				t.Errorf("bit %d of byte %d", i%8, i/8)
			}
			row[i/8] ^= 1 << (i % 8)
		}
		for n := range row {
			if _, err := unpackCommit(7, row[:n]); err == nil {
				t.Errorf("cut to %d bytes", n)
			}
		}
	})
	t.Run("another version, codec, flag or form is newer", func(t *testing.T) {
		t.Parallel()
		for _, at := range []int{4, 5, 6, 7} {
			_, row := smallCommit()
			row[at] = 9
			if _, err := unpackCommit(7, sealCommit(row)); !errors.Is(err, ErrNewer) {
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
				if _, err := unpackCommit(7, sealCommit(row)); CodeOf(err) != CodeTampered {
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
		c, err := unpackCommit(1, row)
		if err != nil {
			return
		}
		es := make([]packed, len(c.entries))
		for i := range es {
			e := &c.entries[i]
			es[i] = packed{id: e.id, kind: e.state >> stateKind, idAt: int(e.idAt), body: c.bodies[e.off : e.off+e.len]}
		}
		again, err := unpackCommit(1, packCommit(nil, [16]byte(row[8:]), c, appendColumns(nil, es, false)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.entries { // the backslash bit of a row is believed, and made again by the writer
			c.entries[i].state &^= stateBackslash
			again.entries[i].state &^= stateBackslash
		}
		if d := cmp.Diff(c, again, cmp.AllowUnexported(tailCommit{}, commitRun{}, tailEntry{})); d != "" {
			t.Errorf("(-read +read again):\n%s", d)
		}
	})
}
