package daybook

import "testing"

func TestIDFilter(t *testing.T) {
	t.Parallel()
	t.Run("an id recorded since covered is never forgotten, and few others are taken for one", func(t *testing.T) {
		t.Parallel()
		f := newIDFilter(1)
		f.most = 64 << 10
		const n = 400 << 10
		random := func(i int) [16]byte {
			return [16]byte(appendUint64(appendUint64(nil, mix64(uint64(i)+1)), mix64(uint64(i)*7+3)))
		}
		for i := range n {
			id := idAt(int64(i), random(i))
			f.add(&id, int64(i)+1)
		}
		if f.covered == 1 || f.covered > n/2 {
			t.Errorf("after %d ids the filter covers those since %d", n, f.covered)
		}
		for i := int(f.covered) - 1; i < n; i++ {
			if id := idAt(int64(i), random(i)); !f.maybe(&id) {
				t.Fatalf("id %d is forgotten, covered since %d", i, f.covered)
			}
		}
		alarms := 0
		for i := range 100_000 {
			if id := idAt(int64(i), random(n+i)); f.maybe(&id) {
				alarms++
			}
		}
		if alarms > 500 {
			t.Errorf("%d false alarms in 100,000", alarms)
		}
	})
}
