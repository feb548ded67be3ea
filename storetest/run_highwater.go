package storetest

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

// RunHighWater tests that a driver keeps every promise of [daybook.HighWater]. open opens the store that belongs to t, empty at first;
// called again with the same t it opens the same store again, as another process would.
func RunHighWater(t *testing.T, open func(tb testing.TB) daybook.HighWater) {
	t.Helper()
	mark := func(size int64) daybook.Mark {
		return daybook.Mark{Size: size, Root: tlog.Hash{1, byte(size)}, At: baseAt + size}
	}
	holds := func(t *testing.T, h daybook.HighWater, origin string, want daybook.Mark, there bool) {
		t.Helper()
		got, ok, err := h.Mark(t.Context(), origin)
		if err != nil || ok != there || got != want {
			t.Errorf("%s: %+v, %v, %v; want %+v, %v", origin, got, ok, err, want, there)
		}
	}
	for name, test := range map[string]func(t *testing.T, h daybook.HighWater){
		"an origin has no mark at first": func(t *testing.T, h daybook.HighWater) {
			holds(t, h, "a", daybook.Mark{}, false)
		},
		"Advance puts the first mark and raises it, of each origin by itself, and it stays": func(t *testing.T, h daybook.HighWater) {
			for _, step := range []struct {
				origin string
				old    daybook.Mark
				next   daybook.Mark
			}{{"a", daybook.Mark{}, mark(0)}, {"a", mark(0), mark(5)}, {"A", daybook.Mark{}, mark(3)}, {"a", mark(5), mark(math.MaxInt64 - baseAt)}} {
				if err := h.Advance(t.Context(), step.origin, step.old, step.next); err != nil {
					t.Fatal(err)
				}
			}
			for _, h := range []daybook.HighWater{h, open(t)} {
				holds(t, h, "a", mark(math.MaxInt64-baseAt), true)
				holds(t, h, "A", mark(3), true)
			}
		},
		"Advance from another mark than the stored one is ErrMarkMoved and changes nothing": func(t *testing.T, h daybook.HighWater) {
			if err := h.Advance(t.Context(), "a", daybook.Mark{}, mark(5)); err != nil {
				t.Fatal(err)
			}
			at, root := mark(5), mark(5)
			at.At--
			root.Root[31]++
			for i, old := range []daybook.Mark{{}, mark(4), at, root} {
				if err := h.Advance(t.Context(), "a", old, mark(9)); !errors.Is(err, daybook.ErrMarkMoved) {
					t.Errorf("from mark %d: %v", i, err)
				}
			}
			if err := h.Advance(t.Context(), "b", mark(1), mark(2)); !errors.Is(err, daybook.ErrMarkMoved) {
				t.Errorf("of an origin without one: %v", err)
			}
			holds(t, h, "a", mark(5), true)
			holds(t, h, "b", daybook.Mark{}, false)
		},
		"Advance never lowers size or time": func(t *testing.T, h daybook.HighWater) {
			if err := h.Advance(t.Context(), "a", daybook.Mark{}, mark(5)); err != nil {
				t.Fatal(err)
			}
			earlier := mark(6)
			earlier.At = mark(4).At
			for _, next := range []daybook.Mark{mark(4), earlier} {
				if err := h.Advance(t.Context(), "a", mark(5), next); err == nil {
					t.Errorf("to %+v: no error", next)
				}
			}
			holds(t, h, "a", mark(5), true)
		},
		"Reset puts any mark": func(t *testing.T, h daybook.HighWater) {
			for _, size := range []int64{5, 2, 7} {
				if err := h.Reset(t.Context(), "a", mark(size)); err != nil {
					t.Fatal(err)
				}
				holds(t, h, "a", mark(size), true)
			}
		},
		"of many that advance from one mark, in several processes, one does": func(t *testing.T, h daybook.HighWater) {
			other := open(t)
			for round := range int64(20) {
				var group sync.WaitGroup
				var mu sync.Mutex
				won := 0
				old, _, err := h.Mark(t.Context(), "a")
				if err != nil {
					t.Fatal(err)
				}
				for i := range 6 {
					group.Go(func() {
						next := daybook.Mark{Size: round, Root: tlog.Hash{byte(i)}, At: round}
						err := []daybook.HighWater{h, other}[i%2].Advance(t.Context(), "a", old, next)
						mu.Lock()
						defer mu.Unlock()
						switch {
						case err == nil:
							won++
						case !errors.Is(err, daybook.ErrMarkMoved):
							t.Error(err)
						}
					})
				}
				group.Wait()
				if won != 1 {
					t.Fatalf("%d of 6 advanced", won)
				}
			}
		},
		"more marks than fit a write-ahead log": func(t *testing.T, h daybook.HighWater) {
			for i := range int64(1200) {
				if err := h.Advance(t.Context(), fmt.Sprint(i), daybook.Mark{}, mark(i)); err != nil {
					t.Fatal(err)
				}
			}
			holds(t, open(t), "1199", mark(1199), true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}
