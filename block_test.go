package daybook

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

	"github.com/daybook-audit/daybook/leaf"
)

func sealBlock(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b[:len(b)-4], crc32.Checksum(b[:len(b)-4], castagnoli))
}

// smallBlock is two entries from seq 510.
func smallBlock() ([]packed, []byte) {
	es := []packed{
		{seq: 510, received: 5, id: ID{1, 2, 3, 4, 5, 6, 7, 8}, secret: [16]byte{9}, idAt: 8, body: []byte(`{"id":"","a":1}`)},
		{seq: 511, received: 6, id: ID{1, 2, 3, 4, 5, 5}, secret: [16]byte{8}, kind: KindControl, body: []byte(`{"b":"\n"}`)},
	}
	return es, packBlock(&Head{LogID: [10]byte{1, 2}, Epoch: 3}, es)
}

// drawForms reduces some entries to what a block keeps of them.
func drawForms(t *rapid.T, es []packed) {
	for i := range es {
		switch e := &es[i]; rapid.ByteRange(formWhole, formNone).Draw(t, "form") {
		case formFields:
			e.form, e.secret, e.idAt = formFields, [16]byte{}, 0
		case formLeaf:
			e.form, e.secret, e.idAt, e.root = formLeaf, [16]byte{}, 0, tlog.Hash{byte(i), 1}
		case formHash:
			*e = packed{seq: e.seq, kind: e.kind, form: formHash, body: e.body, leaf: tlog.Hash{byte(i), 2}}
		case formNone:
			*e = packed{seq: e.seq, kind: e.kind, form: formNone, body: []byte{}}
		}
	}
}

// everyForm is a block of one entry of each form.
func everyForm() []byte {
	return packBlock(&Head{LogID: [10]byte{1, 2}, Epoch: 3}, []packed{
		{seq: 256, received: 5, id: ID{1, 2, 3, 4, 5, 6, 7, 8}, secret: [16]byte{9}, idAt: 8, body: []byte(`{"id":"","a":1}`)},
		{seq: 257, form: formHash, leaf: tlog.Hash{7}, body: tombstoneOf(RemovedByRetention, "90d")},
		{seq: 258, received: 7, id: ID{1, 2, 3, 4, 5, 7, 8}, form: formLeaf, root: tlog.Hash{6}, body: tombstoneOf(RemovedByErasure, "ers_1")},
		{seq: 259, form: formNone},
		{seq: 260, received: 9, id: ID{1, 2, 3, 4, 5, 8}, form: formFields, body: fieldsBody([]leaf.Field{{Withheld: true, Commitment: [32]byte{5}}})},
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

func TestUnpackBlock(t *testing.T) {
	t.Parallel()
	t.Run("what was packed comes back", func(t *testing.T) {
		t.Parallel()
		var w blockWriter
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(1, 20).Draw(t, "n")
			first := windowSize*rapid.Int64Range(0, maxSeq/windowSize-1).Draw(t, "window") + rapid.Int64Range(0, int64(windowSize-n)).Draw(t, "at")
			es := drawEntries(t, first, n)
			drawForms(t, es)
			h := Head{LogID: [10]byte{7, 9: 1}, Epoch: rapid.IntRange(0, 1<<16-1).Draw(t, "epoch")}
			prefix := []byte("before")
			row := w.append(prefix, &h, es, rapid.SampledFrom([]byte{codecZstd, codecS2}).Draw(t, "codec"))
			b, err := unpackBlock(row[len(prefix):])
			if err != nil {
				t.Fatal(err)
			}
			if b.first() != first || b.len() != n || b.logID != h.LogID || b.epoch != h.Epoch {
				t.Fatalf("block of log %x, epoch %d, from %d, %d entries", b.logID, b.epoch, b.first(), b.len())
			}
			backslash := false
			for i, want := range es {
				backslash = backslash || want.form != formWhole || bytes.IndexByte(want.body, '\\') >= 0
				if diff := cmp.Diff(want, b.entry(i), cmp.AllowUnexported(packed{})); diff != "" {
					t.Fatalf("entry %d (-want +got):\n%s", i, diff)
				}
			}
			if b.plain() == backslash {
				t.Fatalf("plain = %t", b.plain())
			}
		})
	})
	t.Run("any flipped bit is refused", func(t *testing.T) {
		t.Parallel()
		_, row := smallBlock()
		for i := range 8 * len(row) {
			row[i/8] ^= 1 << (i % 8)
			if _, err := unpackBlock(row); CodeOf(err) != CodeTampered && !errors.Is(err, ErrNewer) {
				t.Errorf("bit %d: %v", i, err)
			}
			row[i/8] ^= 1 << (i % 8)
		}
	})
	t.Run("a block cut short or too long is refused", func(t *testing.T) {
		t.Parallel()
		_, row := smallBlock()
		for n := range row {
			if _, err := unpackBlock(row[:n]); CodeOf(err) != CodeTampered {
				t.Errorf("%d of %d bytes: %v", n, len(row), err)
			}
		}
		if _, err := unpackBlock(append(row, 0)); CodeOf(err) != CodeTampered {
			t.Errorf("a byte too many: %v", err)
		}
	})
	t.Run("another magic, version, codec or flag is newer", func(t *testing.T) {
		t.Parallel()
		for i := range 8 {
			_, row := smallBlock()
			row[i]++
			if _, err := unpackBlock(sealBlock(row)); !errors.Is(err, ErrNewer) {
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
				if _, err := unpackBlock(sealBlock(row)); CodeOf(err) != CodeTampered {
					t.Errorf("%s %d: %v", name, v, err)
				}
			}
		}
	})
	t.Run("a frame that unpacks to more than it says is refused", func(t *testing.T) {
		t.Parallel()
		var w blockWriter
		row := w.append(nil, &Head{}, []packed{{received: 1, body: bytes.Repeat([]byte("a"), maxBlockBytes)}}, codecZstd)
		binary.BigEndian.PutUint32(row[36:], 100)
		if _, err := unpackBlock(sealBlock(row)); CodeOf(err) != CodeTampered {
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
		b, err := unpackBlock(row)
		if err != nil {
			if CodeOf(err) != CodeTampered && !errors.Is(err, ErrNewer) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		es := make([]packed, b.len())
		for i := range es {
			es[i] = b.entry(i)
		}
		again, err := unpackBlock(packBlock(&Head{LogID: b.logID, Epoch: b.epoch}, es))
		if err != nil {
			t.Fatalf("packed again: %v", err)
		}
		for i := range es {
			if diff := cmp.Diff(es[i], again.entry(i), cmp.AllowUnexported(packed{})); diff != "" {
				t.Fatalf("entry %d packed again (-want +got):\n%s", i, diff)
			}
		}
		if flip != 0 {
			row[int(at)%len(row)] ^= flip
			if _, err := unpackBlock(row); err == nil {
				t.Fatalf("byte %d changed by %#x is read", int(at)%len(row), flip)
			}
		}
	})
}
