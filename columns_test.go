package daybook

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawEntries draws a run of entries as storage keeps them: ascending times, ids of any order, bodies with and without a
// backslash.
func drawEntries(t *rapid.T, first int64, n int) []packed {
	received := rapid.Int64Range(0, 1<<53).Draw(t, "received")
	es := make([]packed, n)
	for i := range es {
		e := &es[i]
		e.seq, e.received = first+int64(i), received
		received += rapid.Int64Range(1, 1<<40).Draw(t, "delta")
		copy(e.id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		copy(e.secret[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "secret"))
		e.kind = rapid.ByteRange(0, 1).Draw(t, "kind")
		e.body = rapid.SliceOfN(rapid.SampledFrom([]byte(`{}":,ab\0`)), 0, 40).Draw(t, "body")
		e.idAt = rapid.IntRange(0, len(e.body)+1).Draw(t, "idAt")
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
			if c.len() != len(es) {
				t.Fatalf("len = %d, want %d", c.len(), len(es))
			}
			for i, want := range es {
				got := c.entry(i)
				if got.id[5] != want.id[5] || !bytes.Equal(got.id[:6], want.id[:6]) {
					t.Fatalf("id of %d = %x, want %x", i, got.id, want.id)
				}
				want.seq, want.id, want.secret, got.id = 0, ID{}, [16]byte{}, ID{}
				if !times {
					want.received = 0
				}
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(packed{})); diff != "" {
					t.Fatalf("entry %d (-want +got):\n%s", i, diff)
				}
				if want := bytes.Contains(es[i].body, []byte{'\\'}); c.backslash(i) != want {
					t.Fatalf("backslash of %d = %t", i, !want)
				}
			}
		})
	})
	t.Run("a frame cut short or too long is refused", func(t *testing.T) {
		t.Parallel()
		es := []packed{{received: 5, id: ID{1}, body: []byte(`{"a":1}`)}, {received: 6, id: ID{2}, body: []byte(`{}`)}}
		frame := appendColumns(nil, es, true)
		for n := range frame {
			if _, err := readColumns(frame[:n], 2, true); CodeOf(err) != CodeTampered {
				t.Errorf("%d of %d bytes: %v", n, len(frame), err)
			}
		}
		if _, err := readColumns(append(frame, 0), 2, true); CodeOf(err) != CodeTampered {
			t.Errorf("a byte too many: %v", err)
		}
	})
	t.Run("an unknown form or kind is newer", func(t *testing.T) {
		t.Parallel()
		for _, state := range []byte{0x01, 0x04, 0x07, 0x20, 0xf0} {
			frame := appendColumns(nil, []packed{{body: []byte(`{}`)}}, false)
			frame[0] = state
			if _, err := readColumns(frame, 1, false); !errors.Is(err, ErrNewer) {
				t.Errorf("state %#x: %v", state, err)
			}
		}
	})
	t.Run("times that do not ascend and ids out of range are refused", func(t *testing.T) {
		t.Parallel()
		for _, received := range [][2]int64{{5, 5}, {5, 4}, {-1, 4}, {1, 1<<62 + 5}} {
			if _, err := readColumns(appendColumns(nil, []packed{{received: received[0]}, {received: received[1]}}, true), 2, true); CodeOf(err) != CodeTampered {
				t.Errorf("%v: %v", received, err)
			}
		}
		for _, delta := range []int64{-1, 1 << 48, 1<<63 - 1, -1 << 63} {
			frame := append(binary.AppendVarint([]byte{0, 2}, delta), 0, 0)
			if _, err := readColumns(frame, 1, true); CodeOf(err) != CodeTampered {
				t.Errorf("id difference %d: %v", delta, err)
			}
		}
	})
	t.Run("an id text behind the end of its body is refused", func(t *testing.T) {
		t.Parallel()
		for idAt, ok := range map[int]bool{0: true, 3: true, 4: false} {
			_, err := readColumns(appendColumns(nil, []packed{{idAt: idAt, body: []byte(`{}`)}}, false), 1, false)
			if (err == nil) != ok {
				t.Errorf("idAt %d: %v", idAt, err)
			}
		}
	})
}

func TestInflate(t *testing.T) {
	t.Parallel()
	plain := bytes.Repeat([]byte("what was said "), 1000)
	frame := deflate(nil, plain)
	got, err := inflate(frame, len(plain))
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("round trip: %d bytes, %v", len(got), err)
	}
	for _, size := range []int{0, 1, len(plain) - 1, len(plain) + 1} {
		if _, err := inflate(frame, size); CodeOf(err) != CodeTampered {
			t.Errorf("a frame of %d bytes announced as %d: %v", len(plain), size, err)
		}
	}
}
