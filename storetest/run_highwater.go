package storetest

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-audit/daybook"
)

// RunHighWater tests that a driver keeps every promise of [daybook.HighWater]. open opens the store that belongs to t, empty at first;
// called again with the same t it opens the same store again, as another process would.
func RunHighWater(t *testing.T, open func(tb testing.TB) daybook.HighWater) {
	t.Helper()
	for _, p := range markPromises {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.test(&markTrial{T: t, open: open, HighWater: open(t)})
		})
	}
}

// markTrial is one subtest with its high-water store.
type markTrial struct {
	*testing.T
	open func(tb testing.TB) daybook.HighWater
	daybook.HighWater
}

func (x *markTrial) holds(h daybook.HighWater, origin string, want daybook.Mark, there bool) {
	x.Helper()
	got, ok, err := h.Mark(x.Context(), origin)
	if err != nil || ok != there || got != want {
		x.Errorf("%s: %+v, %v, %v; want %+v, %v", origin, got, ok, err, want, there)
	}
}

// lists fails unless exactly want was kept.
func (x *markTrial) lists(h daybook.HighWater, want []daybook.Removal) {
	x.Helper()
	got, err := h.Removals(x.Context())
	if err != nil || !slices.Equal(got, want) {
		x.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func markAt(size int64) daybook.Mark {
	return daybook.Mark{Size: size, Root: tlog.Hash{1, byte(size)}, At: baseAt + size}
}

var markPromises = []struct {
	name string // the sentence
	test func(x *markTrial)
}{
	{"an origin has no mark at first", func(x *markTrial) {
		x.holds(x, "a", daybook.Mark{}, false)
	}},
	{"Advance puts the first mark and raises it, of each origin by itself, and it stays", func(x *markTrial) {
		for _, step := range []struct {
			origin string
			old    daybook.Mark
			next   daybook.Mark
		}{{"a", daybook.Mark{}, markAt(0)}, {"a", markAt(0), markAt(5)}, {"A", daybook.Mark{}, markAt(3)}, {"a", markAt(5), markAt(math.MaxInt64 - baseAt)}} {
			if err := x.Advance(x.Context(), step.origin, step.old, step.next); err != nil {
				x.Fatal(err)
			}
		}
		for _, h := range []daybook.HighWater{x, x.open(x.T)} {
			x.holds(h, "a", markAt(math.MaxInt64-baseAt), true)
			x.holds(h, "A", markAt(3), true)
		}
	}},
	{"Advance from another mark than the stored one is ErrMarkMoved and changes nothing", func(x *markTrial) {
		if err := x.Advance(x.Context(), "a", daybook.Mark{}, markAt(5)); err != nil {
			x.Fatal(err)
		}
		at, root := markAt(5), markAt(5)
		at.At--
		root.Root[31]++
		for i, old := range []daybook.Mark{{}, markAt(4), at, root} {
			if err := x.Advance(x.Context(), "a", old, markAt(9)); !errors.Is(err, daybook.ErrMarkMoved) {
				x.Errorf("from mark %d: %v", i, err)
			}
		}
		if err := x.Advance(x.Context(), "b", markAt(1), markAt(2)); !errors.Is(err, daybook.ErrMarkMoved) {
			x.Errorf("of an origin without one: %v", err)
		}
		x.holds(x, "a", markAt(5), true)
		x.holds(x, "b", daybook.Mark{}, false)
	}},
	{"Advance never lowers size or time", func(x *markTrial) {
		if err := x.Advance(x.Context(), "a", daybook.Mark{}, markAt(5)); err != nil {
			x.Fatal(err)
		}
		earlier := markAt(6)
		earlier.At = markAt(4).At
		for _, next := range []daybook.Mark{markAt(4), earlier} {
			if err := x.Advance(x.Context(), "a", markAt(5), next); err == nil {
				x.Errorf("to %+v: no error", next)
			}
		}
		x.holds(x, "a", markAt(5), true)
	}},
	{"Reset puts any mark", func(x *markTrial) {
		for _, size := range []int64{5, 2, 7} {
			if err := x.Reset(x.Context(), "a", markAt(size)); err != nil {
				x.Fatal(err)
			}
			x.holds(x, "a", markAt(size), true)
		}
	}},
	{"of many that advance from one mark, in several processes, one does", func(x *markTrial) {
		other := x.open(x.T)
		for round := range int64(20) {
			var group sync.WaitGroup
			var mu sync.Mutex
			won := 0
			old, _, err := x.Mark(x.Context(), "a")
			if err != nil {
				x.Fatal(err)
			}
			for i := range 6 {
				group.Go(func() {
					next := daybook.Mark{Size: round + 1, Root: tlog.Hash{byte(i)}, At: round + 1} // never the zero mark, which means that there is none
					err := []daybook.HighWater{x, other}[i%2].Advance(x.Context(), "a", old, next)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						won++
					case !errors.Is(err, daybook.ErrMarkMoved):
						x.Error(err)
					}
				})
			}
			group.Wait()
			if won != 1 {
				x.Fatalf("%d of 6 advanced", won)
			}
		}
	}},
	{"AddRemoval keeps what was removed, each place once, and Removals returns all of it in order", func(x *markTrial) {
		kept := []daybook.Removal{
			{Origin: "A", Seq: 3, Text: "{}", At: 9},
			{Origin: "a", Seq: -1, Text: `{"op":"drop"}`, At: 5},
			{Origin: "a", Seq: 2, Text: "é", At: 7},
		}
		for _, i := range []int{2, 0, 1} {
			if err := x.AddRemoval(x.Context(), kept[i]); err != nil {
				x.Fatal(err)
			}
		}
		again := kept[0]
		again.Text, again.At = "other", 1
		if err := x.AddRemoval(x.Context(), again); err != nil {
			x.Fatal(err)
		}
		x.lists(x, kept)
		x.lists(x.open(x.T), kept)
	}},
	{"ForgetRemovals removes what was kept before a time, and nothing later", func(x *markTrial) {
		for at := range int64(6) {
			if err := x.AddRemoval(x.Context(), daybook.Removal{Origin: "a", Seq: at, At: at}); err != nil {
				x.Fatal(err)
			}
		}
		for range 2 {
			if err := x.ForgetRemovals(x.Context(), 4); err != nil {
				x.Fatal(err)
			}
			x.lists(x.open(x.T), []daybook.Removal{{Origin: "a", Seq: 4, At: 4}, {Origin: "a", Seq: 5, At: 5}})
		}
	}},
	{"more marks than fit a write-ahead log", func(x *markTrial) {
		for i := range int64(1200) {
			if err := x.Advance(x.Context(), strconv.FormatInt(i, 10), daybook.Mark{}, markAt(i)); err != nil {
				x.Fatal(err)
			}
		}
		x.holds(x.open(x.T), "1199", markAt(1199), true)
	}},
}
