package packed

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/stored"
	"github.com/daybook-audit/daybook/leaf"
)

// isDamage reports whether err says that stored bytes contradict each other.
func isDamage(err error) bool {
	_, ok := errors.AsType[*stored.DamageError](err)
	return ok
}

func packBlock(log Log, es []kept.Entry) []byte { return new(BlockWriter).Append(nil, log, es, Zstd) }

func readBlock(b []byte) (*Block, error) { return ReadBlock(b, nil) }

func sealBlock(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b[:len(b)-4], crc32.Checksum(b[:len(b)-4], castagnoli))
}

// smallBlock is two entries from seq 510.
func smallBlock() ([]kept.Entry, []byte) {
	es := []kept.Entry{
		{Seq: 510, Received: 5, ID: [16]byte{1, 2, 3, 4, 5, 6, 7, 8}, Secret: [16]byte{9}, IDAt: 8, Body: []byte(`{"id":"","a":1}`)},
		{Seq: 511, Received: 6, ID: [16]byte{1, 2, 3, 4, 5, 5}, Secret: [16]byte{8}, Kind: 1, Body: []byte(`{"b":"\n"}`)},
	}
	return es, packBlock(Log{ID: [10]byte{1, 2}, Epoch: 3}, es)
}

var forms = []kept.Form{kept.FormWhole, kept.FormFields, kept.FormLeaf, kept.FormHash, kept.FormNone}

// drawForms reduces some entries to what a block keeps of them.
func drawForms(t *rapid.T, es []kept.Entry) {
	for i := range es {
		switch e := &es[i]; rapid.SampledFrom(forms).Draw(t, "form") {
		case kept.FormWhole:
		case kept.FormFields:
			e.Form, e.Secret, e.IDAt = kept.FormFields, [16]byte{}, 0
		case kept.FormLeaf:
			e.Form, e.Secret, e.IDAt, e.Root = kept.FormLeaf, [16]byte{}, 0, tlog.Hash{byte(i), 1}
		case kept.FormHash:
			*e = kept.Entry{Seq: e.Seq, Kind: e.Kind, Form: kept.FormHash, Body: e.Body, LeafHash: tlog.Hash{byte(i), 2}}
		case kept.FormNone:
			*e = kept.Entry{Seq: e.Seq, Kind: e.Kind, Form: kept.FormNone, Body: []byte{}}
		}
	}
}

// everyForm is a block of one entry of each form.
func everyForm() []byte {
	return packBlock(Log{ID: [10]byte{1, 2}, Epoch: 3}, []kept.Entry{
		{Seq: 256, Received: 5, ID: [16]byte{1, 2, 3, 4, 5, 6, 7, 8}, Secret: [16]byte{9}, IDAt: 8, Body: []byte(`{"id":"","a":1}`)},
		{Seq: 257, Form: kept.FormHash, LeafHash: tlog.Hash{7}, Body: kept.Tombstone(kept.ByRetention, "90d")},
		{Seq: 258, Received: 7, ID: [16]byte{1, 2, 3, 4, 5, 7, 8}, Form: kept.FormLeaf, Root: tlog.Hash{6}, Body: kept.Tombstone(kept.ByErasure, "ers_1")},
		{Seq: 259, Form: kept.FormNone},
		{Seq: 260, Received: 9, ID: [16]byte{1, 2, 3, 4, 5, 8}, Form: kept.FormFields, Body: kept.FieldsBody([]leaf.Field{{Withheld: true, Commitment: [32]byte{5}}})},
	})
}

// TestBlock_golden holds the bytes of every form.
func TestBlock_golden(t *testing.T) {
	t.Parallel()
	const name = "testdata/block.golden"
	got := hex.Dump(everyForm())
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
}

func TestReadBlock(t *testing.T) {
	t.Parallel()
	t.Run("what was packed comes back", func(t *testing.T) {
		t.Parallel()
		var w BlockWriter
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(1, 20).Draw(t, "n")
			first := Window*rapid.Int64Range(0, MaxSeq/Window-1).Draw(t, "window") + rapid.Int64Range(0, int64(Window-n)).Draw(t, "at")
			es := drawEntries(t, first, n)
			drawForms(t, es)
			h := Log{ID: [10]byte{7, 9: 1}, Epoch: rapid.IntRange(0, 1<<16-1).Draw(t, "epoch")}
			prefix := []byte("before")
			row := w.Append(prefix, h, es, rapid.SampledFrom([]Codec{Zstd, S2}).Draw(t, "codec"))
			b, err := readBlock(row[len(prefix):])
			if err != nil {
				t.Fatal(err)
			}
			if b.First != first || b.Len() != n || b.Log.ID != h.ID || b.Log.Epoch != h.Epoch {
				t.Fatalf("block of log %x, epoch %d, from %d, %d entries", b.Log.ID, b.Log.Epoch, b.First, b.Len())
			}
			for i, want := range es {
				if escaped := want.Form != kept.FormWhole || bytes.IndexByte(want.Body, '\\') >= 0; b.Escaped(i) != escaped {
					t.Fatalf("Escaped(%d) = %t", i, !escaped)
				}
				if !bytes.Equal(b.Body(i), want.Body) || b.Received(i) != want.Received {
					t.Fatalf("entry %d: body %q, received %d", i, b.Body(i), b.Received(i))
				}
				if diff := cmp.Diff(want, b.Entry(i)); diff != "" {
					t.Fatalf("entry %d (-want +got):\n%s", i, diff)
				}
			}
		})
	})
	t.Run("any flipped bit is refused", func(t *testing.T) {
		t.Parallel()
		_, row := smallBlock()
		for i := range 8 * len(row) {
			row[i/8] ^= 1 << (i % 8)
			if _, err := readBlock(row); !isDamage(err) && !errors.Is(err, stored.ErrNewer) {
				t.Errorf("bit %d: %v", i, err)
			}
			row[i/8] ^= 1 << (i % 8)
		}
	})
	t.Run("a block cut short or too long is refused", func(t *testing.T) {
		t.Parallel()
		_, row := smallBlock()
		for n := range row {
			if _, err := readBlock(row[:n]); !isDamage(err) {
				t.Errorf("%d of %d bytes: %v", n, len(row), err)
			}
		}
		if _, err := readBlock(append(row, 0)); !isDamage(err) {
			t.Errorf("a byte too many: %v", err)
		}
	})
	t.Run("another magic, version, codec or flag is newer", func(t *testing.T) {
		t.Parallel()
		for i := range 8 {
			_, row := smallBlock()
			row[i]++
			if _, err := readBlock(sealBlock(row)); !errors.Is(err, stored.ErrNewer) {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	})
	t.Run("lengths that contradict each other are refused", func(t *testing.T) {
		t.Parallel()
		bad := []uint32{0, 1, 3, 25, 511, 513, 1 << 20, 1<<31 - 1, 1<<32 - 1}
		for name, c := range map[string]struct {
			at     int
			values []uint32
		}{
			"first seq too high": {20, []uint32{1 << 21, 1<<31 - 1, 1<<32 - 1}}, "first seq across a window": {24, []uint32{511, 1023}},
			"entries": {28, bad}, "keep length": {32, bad}, "plain length": {36, bad}, "frame length": {40, bad},
		} {
			for _, v := range c.values {
				_, row := smallBlock()
				binary.BigEndian.PutUint32(row[c.at:], v)
				if _, err := readBlock(sealBlock(row)); !isDamage(err) {
					t.Errorf("%s %d: %v", name, v, err)
				}
			}
		}
	})
	t.Run("a frame that unpacks to more than it says is refused", func(t *testing.T) {
		t.Parallel()
		var w BlockWriter
		row := w.Append(nil, Log{}, []kept.Entry{{Received: 1, Body: bytes.Repeat([]byte("a"), MaxBytes)}}, Zstd)
		binary.BigEndian.PutUint32(row[36:], 100)
		if _, err := readBlock(sealBlock(row)); !isDamage(err) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzBlock(f *testing.F) {
	_, row := smallBlock()
	f.Add(row, uint32(0), byte(0))
	f.Add(row, uint32(8*blockHeader+3), byte(4))
	f.Add(everyForm(), uint32(1), byte(1))
	f.Add([]byte(blockMagic), uint32(0), byte(0))
	f.Fuzz(func(t *testing.T, row []byte, at uint32, flip byte) {
		// Bytes with a right checksum reach what lies behind it: they are read or refused, and what is read packs to the same again.
		if len(row) >= 4 {
			row = sealBlock(bytes.Clone(row))
		}
		b, err := readBlock(row)
		if err != nil {
			if !isDamage(err) && !errors.Is(err, stored.ErrNewer) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		es := make([]kept.Entry, b.Len())
		for i := range es {
			es[i] = b.Entry(i)
		}
		again, err := readBlock(packBlock(Log{ID: b.Log.ID, Epoch: b.Log.Epoch}, es))
		if err != nil {
			t.Fatalf("packed again: %v", err)
		}
		for i := range es {
			if diff := cmp.Diff(es[i], again.Entry(i)); diff != "" {
				t.Fatalf("entry %d packed again (-want +got):\n%s", i, diff)
			}
		}
		if flip != 0 {
			row[int(at)%len(row)] ^= flip
			if _, err := readBlock(row); err == nil {
				t.Fatalf("byte %d changed by %#x is read", int(at)%len(row), flip)
			}
		}
	})
}

func BenchmarkReadBlock(b *testing.B) {
	row := packBlock(Log{}, typicalEntries(Window))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readBlock(row); err != nil {
			b.Fatal(err)
		}
	}
}
