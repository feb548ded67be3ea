package packed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook/internal/kept"
	"github.com/daybook-audit/daybook/internal/stored"
)

// drawEntries draws a run of entries as storage keeps them: ascending times, ids of any order, bodies with and without a
// backslash.
func drawEntries(t *rapid.T, first int64, n int) []kept.Entry {
	received := rapid.Int64Range(0, 1<<53).Draw(t, "received")
	es := make([]kept.Entry, n)
	for i := range es {
		e := &es[i]
		e.Seq, e.Received = first+int64(i), received
		received += rapid.Int64Range(1, 1<<40).Draw(t, "delta")
		copy(e.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		copy(e.Secret[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "secret"))
		e.Kind = rapid.ByteRange(0, 1).Draw(t, "kind")
		e.Body = rapid.SliceOfN(rapid.SampledFrom([]byte(`{}":,ab\0`)), 0, 40).Draw(t, "body")
		e.IDAt = rapid.IntRange(0, len(e.Body)+1).Draw(t, "idAt")
	}
	return es
}

func TestColumns(t *testing.T) {
	t.Parallel()
	t.Run("what was packed comes back", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			es := drawEntries(t, 0, rapid.IntRange(0, 20).Draw(t, "n"))
			times := rapid.Bool().Draw(t, "times")
			c, err := readColumns(appendColumns(nil, es, times), len(es), times)
			if err != nil {
				t.Fatal(err)
			}
			if c.Len() != len(es) {
				t.Fatalf("len = %d, want %d", c.Len(), len(es))
			}
			for i, want := range es {
				got := c.entry(i)
				if got.ID[5] != want.ID[5] || !bytes.Equal(got.ID[:6], want.ID[:6]) {
					t.Fatalf("id of %d = %x, want %x", i, got.ID, want.ID)
				}
				want.Seq, want.ID, want.Secret, got.ID = 0, [16]byte{}, [16]byte{}, [16]byte{}
				if !times {
					want.Received = 0
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("entry %d (-want +got):\n%s", i, diff)
				}
				if want := bytes.Contains(es[i].Body, []byte{'\\'}); c.Escaped(i) != want {
					t.Fatalf("backslash of %d = %t", i, !want)
				}
			}
		})
	})
	t.Run("a frame cut short or too long is refused", func(t *testing.T) {
		t.Parallel()
		es := []kept.Entry{{Received: 5, ID: [16]byte{1}, Body: []byte(`{"a":1}`)}, {Received: 6, ID: [16]byte{2}, Body: []byte(`{}`)}}
		frame := appendColumns(nil, es, true)
		for n := range frame {
			if _, err := readColumns(frame[:n], 2, true); !isDamage(err) {
				t.Errorf("%d of %d bytes: %v", n, len(frame), err)
			}
		}
		if _, err := readColumns(append(frame, 0), 2, true); !isDamage(err) {
			t.Errorf("a byte too many: %v", err)
		}
	})
	t.Run("an unknown form or kind is newer", func(t *testing.T) {
		t.Parallel()
		for _, state := range []byte{0x01, 0x04, 0x07, 0x20, 0xf0} {
			frame := appendColumns(nil, []kept.Entry{{Body: []byte(`{}`)}}, false)
			frame[0] = state
			if _, err := readColumns(frame, 1, false); !errors.Is(err, stored.ErrNewer) {
				t.Errorf("state %#x: %v", state, err)
			}
		}
	})
	t.Run("times that do not ascend and ids out of range are refused", func(t *testing.T) {
		t.Parallel()
		for _, received := range [][2]int64{{5, 5}, {5, 4}, {-1, 4}, {1, 1<<62 + 5}} {
			if _, err := readColumns(appendColumns(nil, []kept.Entry{{Received: received[0]}, {Received: received[1]}}, true), 2, true); !isDamage(err) {
				t.Errorf("%v: %v", received, err)
			}
		}
		for _, delta := range []int64{-1, 1 << 48, 1<<63 - 1, -1 << 63} {
			frame := append(binary.AppendVarint([]byte{0, 2}, delta), 0, 0)
			if _, err := readColumns(frame, 1, true); !isDamage(err) {
				t.Errorf("id difference %d: %v", delta, err)
			}
		}
	})
	t.Run("an id text behind the end of its body is refused", func(t *testing.T) {
		t.Parallel()
		for idAt, ok := range map[int]bool{0: true, 3: true, 4: false} {
			_, err := readColumns(appendColumns(nil, []kept.Entry{{IDAt: idAt, Body: []byte(`{}`)}}, false), 1, false)
			if (err == nil) != ok {
				t.Errorf("idAt %d: %v", idAt, err)
			}
		}
	})
}

func TestInflate(t *testing.T) {
	t.Parallel()
	plain := bytes.Repeat([]byte("what was said "), 1000)
	for _, codec := range []Codec{Zstd, S2} {
		frame := deflate([]byte("before"), plain, codec)[len("before"):]
		got, err := inflate(codec, frame, len(plain), nil)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("codec %d: round trip: %d bytes, %v", codec, len(got), err)
		}
		for _, size := range []int{0, 1, len(plain) - 1, len(plain) + 1} {
			if _, err := inflate(codec, frame, size, nil); !isDamage(err) {
				t.Errorf("codec %d: a frame of %d bytes announced as %d: %v", codec, len(plain), size, err)
			}
		}
	}
	if _, err := inflate(2, nil, 0, nil); !errors.Is(err, stored.ErrNewer) {
		t.Errorf("an unknown codec: %v", err)
	}
}

// typicalEntries returns consecutive entries of about 300 bytes with values that repeat as they do in practice.
func typicalEntries(n int) []kept.Entry {
	es := make([]kept.Entry, n)
	for i := range es {
		es[i] = kept.Entry{
			Seq: int64(i), Received: 1_795_000_000_000_000 + int64(i)*3_000, ID: [16]byte{1, 2, 3, byte(i >> 8), byte(i)}, Secret: [16]byte{byte(i)},
			Body: fmt.Appendf(nil, `{"action":"invoice.updated","actor":{"type":"user","id":"usr_%d","name":"Grace Hopper"},"targets":[{"type":"invoice","id":"%d"}],`+
				`"context":{"ip":"203.0.113.%d","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Gecko/20100101 Firefox/149.0","request_id":"req_%x"}}`,
				i%17, i*7, i%251, uint64(i)*0x9e3779b97f4a7c15),
		}
	}
	return es
}

// BenchmarkDeflate is why there are two codecs.
func BenchmarkDeflate(b *testing.B) {
	const entries = 200
	var plain []byte
	for _, e := range typicalEntries(entries) {
		plain = append(plain, e.Body...)
	}
	for name, codec := range map[string]Codec{"zstd": Zstd, "s2": S2} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 2*len(plain))
			for b.Loop() {
				dst = deflate(dst[:0], plain, codec)
			}
			b.ReportMetric(float64(len(dst))/entries, "B/entry")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/entries, "ns/entry")
		})
	}
}
