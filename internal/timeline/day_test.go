package timeline

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook/internal/stored"
)

func damaged(err error) bool {
	_, ok := errors.AsType[*stored.DamageError](err)
	return ok
}

func TestDay(t *testing.T) {
	t.Parallel()
	t.Run("entries are counted in their hour", func(t *testing.T) {
		t.Parallel()
		var d Day
		const day = 20_000 * DayLength
		d.Add(day, nil, 1)
		d.Add(day+HourLength-1, []byte("failure"), 1)
		d.Add(day+HourLength, []byte("denied"), 1)
		d.Add(day+DayLength-1, []byte("success"), 1)
		var want Day
		want.Hour[0], want.Hour[1], want.Hour[23] = Counts{2, 1, 0}, Counts{1, 0, 1}, Counts{1, 0, 0}
		if d != want {
			t.Errorf("counts %v, want %v", d, want)
		}
		if n := DayOf(day + DayLength - 1); n != 20_000 {
			t.Errorf("day %d", n)
		}
		if n := DayOf(253402300799999999); n >= 1<<24 { // the end of 9999
			t.Errorf("day %d has more than 24 bits", n)
		}
	})
	t.Run("what was written is read", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			var d Day
			for i := range d.Hour {
				h := &d.Hour[i]
				h.Failure, h.Denied = rapid.Int64Range(0, 1<<50).Draw(t, "failure"), rapid.Int64Range(0, 1<<50).Draw(t, "denied")
				h.Total = h.Failure + h.Denied + rapid.Int64Range(0, 1<<50).Draw(t, "rest")
			}
			got, err := ReadDay(d.Encode())
			if err != nil || got != d {
				t.Fatalf("read %v, %v; want %v", got, err, d)
			}
		})
	})
	t.Run("what is not a day slip is refused", func(t *testing.T) {
		t.Parallel()
		good := new(Day).Encode()
		for name, b := range map[string][]byte{
			"empty": {}, "short": good[:len(good)-1], "long": append(slices.Clone(good), 0), "more failures than entries": func() []byte {
				b := slices.Clone(good)
				b[2] = 1
				return b
			}(),
		} {
			if _, err := ReadDay(b); !damaged(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := ReadDay([]byte{2}); !errors.Is(err, stored.ErrNewer) {
			t.Errorf("version 2: %v", err)
		}
	})
}

func TestTally(t *testing.T) {
	t.Parallel()
	var tally Tally
	for range 2 { // the second time after a reset
		tally.Reset()
		tally.Add(3*DayLength, nil, 1)
		tally.Add(DayLength, []byte("denied"), 2)
		tally.Add(3*DayLength+1, []byte("failure"), 1)
		tally.Add(3*DayLength, nil, -1)
		got := map[uint32]Counts{}
		for day, counts := range tally.All() {
			got[day] = counts.Hour[0]
		}
		if len(got) != 2 || got[3] != (Counts{1, 1, 0}) || got[1] != (Counts{2, 0, 2}) {
			t.Errorf("counts %v", got)
		}
	}
	var other Day
	other.Add(DayLength, []byte("denied"), -5)
	if other.Floor(); other.Hour[0] != (Counts{}) {
		t.Errorf("below zero: %v", other.Hour[0])
	}
}

func TestCounts_only(t *testing.T) {
	t.Parallel()
	all := Counts{Total: 10, Failure: 3, Denied: 2}
	for _, tt := range []struct {
		outcomes []string
		want     Counts
	}{{nil, all}, {[]string{"success"}, Counts{5, 0, 0}}, {[]string{"failure", "denied"}, Counts{5, 3, 2}}, {[]string{}, Counts{}}} {
		if got := all.Only(tt.outcomes); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.outcomes, got, tt.want)
		}
	}
}

// TestCut holds that bars touch, ascend, cover what they were cut for, and are at most as many as asked for.
func TestCut(t *testing.T) {
	t.Parallel()
	zones := []*time.Location{time.UTC}
	for _, name := range []string{"America/New_York", "Asia/Kolkata", "America/Sao_Paulo", "Pacific/Apia"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, zone)
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		first := rapid.Int64Range(0, 50*366*DayLength).Draw(t, "first")
		last := first + rapid.Int64Range(0, 1<<rapid.IntRange(20, 51).Draw(t, "bits")).Draw(t, "length")
		limit := rapid.IntRange(1, 120).Draw(t, "limit")
		starts, name := Cut(first, last, zone, limit)
		if len(starts) < 2 || len(starts) > limit+1 || !slices.IsSorted(starts) || len(slices.Compact(slices.Clone(starts))) != len(starts) {
			t.Fatalf("%d bars of %s: %v", len(starts)-1, name, starts)
		}
		if starts[len(starts)-1] <= last || starts[0] > first && name != "1y" {
			t.Fatalf("[%d, %d] is not covered by %v of %s", first, last, starts, name)
		}
	})
}

func FuzzDay(f *testing.F) {
	var d Day
	d.Add(5*HourLength, []byte("denied"), 1)
	f.Add(d.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := ReadDay(b); err == nil {
			if again, err := ReadDay(d.Encode()); err != nil || again != d {
				t.Fatalf("%v written and read: %v, %v", d, again, err)
			}
		} else if !damaged(err) && !errors.Is(err, stored.ErrNewer) {
			t.Fatalf("day slip refused with %v", err)
		}
	})
}
