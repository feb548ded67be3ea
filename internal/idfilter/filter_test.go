package idfilter

import (
	"encoding/binary"
	"testing"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	t.Run("an id recorded since covered is never forgotten, and few others are taken for one", func(t *testing.T) {
		t.Parallel()
		f := New(1)
		f.most = 64 << 10
		const n = 400 << 10
		idOf := func(i int) [16]byte {
			return [16]byte(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, mix64(uint64(i)+1)), mix64(uint64(i)*7+3)))
		}
		for i := range n {
			id := idOf(i)
			f.Add(&id, int64(i)+1)
		}
		if f.Covered() == 1 || f.Covered() > n/2 {
			t.Errorf("after %d ids the filter covers those since %d", n, f.Covered())
		}
		for i := int(f.Covered()) - 1; i < n; i++ {
			if id := idOf(i); !f.Maybe(&id) {
				t.Fatalf("id %d is forgotten, covered since %d", i, f.Covered())
			}
		}
		alarms := 0
		for i := range 100_000 {
			if id := idOf(n + i); f.Maybe(&id) {
				alarms++
			}
		}
		if alarms > 500 {
			t.Errorf("%d false alarms in 100,000", alarms)
		}
	})
}

func TestFilter_miss(t *testing.T) {
	t.Parallel()
	f := New(10)
	if f.Miss(5); f.Covered() != 10 {
		t.Errorf("what was missed before it began: covers %d", f.Covered())
	}
	if f.Miss(20); f.Covered() != 20 {
		t.Errorf("what was missed since: covers %d", f.Covered())
	}
}

// BenchmarkFilter is what the sequencer does for every event that brings its id.
func BenchmarkFilter(b *testing.B) {
	b.ReportAllocs()
	f := New(1)
	var id [16]byte
	var i int64
	for b.Loop() {
		i++
		binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
		binary.BigEndian.PutUint64(id[8:], uint64(i))
		if !f.Maybe(&id) {
			f.Add(&id, i)
		}
	}
}
