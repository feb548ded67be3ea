package daybook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/storetest"
)

func TestHistogram(t *testing.T) {
	t.Parallel()
	t.Run("every bar counts what looking at every entry counts", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			c := newClock()
			withBook(t, quiet(c), func(b *daybook.Book) {
				o := &oracle{t: t, b: b, org: "org_a"}
				drawLog(t, o, c)
				for range 3 {
					q := daybook.HistogramQuery{EventQuery: drawQuery(t, o, c), Bars: rapid.IntRange(1, 120).Draw(t, "bars")}
					zone := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Auckland"}).Draw(t, "zone")
					q.Zone, _ = time.LoadLocation(zone)
					if rapid.Bool().Draw(t, "by day") {
						q.Text = rapid.SampledFrom([]string{"", "outcome:failure", "outcome:denied,failure"}).Draw(t, "outcome")
					}
					checkHistogram(t, o, q)
				}
			})
		})
	})
	t.Run("an org without a log has the bars that were asked for", func(t *testing.T) {
		t.Parallel()
		b := open(t, storetest.Memory(), quiet(newClock()))
		day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		q := daybook.EventQuery{Org: "org_a", From: day.UnixMicro(), To: day.AddDate(0, 0, 7).UnixMicro()}
		h, err := b.Histogram(t.Context(), daybook.HistogramQuery{EventQuery: q, Bars: 7})
		if err != nil || h.Interval != "1d" || len(h.Bars) != 7 || !h.Searched.Complete {
			t.Errorf("%+v, error %v", h, err)
		}
		h, err = b.Histogram(t.Context(), daybook.HistogramQuery{EventQuery: daybook.EventQuery{Org: "org_a"}})
		if err != nil || len(h.Bars) != 0 {
			t.Errorf("%+v, error %v", h, err)
		}
	})
}

func checkHistogram(t *rapid.T, o *oracle, q daybook.HistogramQuery) {
	h, err := o.b.Histogram(t.Context(), q)
	if err != nil {
		t.Fatalf("histogram %+v: %v", q, err)
	}
	if len(h.Bars) > q.Bars || !h.Searched.Complete {
		t.Fatalf("%d bars of %d, searched %+v", len(h.Bars), q.Bars, h.Searched)
	}
	want := make([]daybook.Bar, len(h.Bars))
	for i := range h.Bars {
		if want[i].From = h.Bars[i].From; i > 0 && want[i].From <= want[i-1].From {
			t.Fatalf("bars do not ascend: %+v", h.Bars)
		}
	}
	asked := q.EventQuery
	asked.Order, asked.Asc = daybook.OrderOccurred, true
	for _, k := range o.find(asked, len(o.entries)) {
		i := len(want) - 1
		for ; i >= 0 && want[i].From > k.Occurred; i-- {
		}
		if i < 0 {
			t.Fatalf("entry %d occurred at %s, before the first bar", k.Seq, time.UnixMicro(k.Occurred).UTC())
		}
		want[i].Total++
		if strings.Contains(k.Text, `"outcome":"failure"`) {
			want[i].Failure++
		}
		if strings.Contains(k.Text, `"outcome":"denied"`) {
			want[i].Denied++
		}
	}
	if diff := cmp.Diff(want, append([]daybook.Bar{}, h.Bars...)); diff != "" {
		t.Fatalf("histogram %+v, interval %s (-want +got):\n%s", q, h.Interval, diff)
	}
}

func TestHistogramInterval(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Memory(), quiet(newClock()))
	for _, test := range []struct {
		zone, from, to string
		bars           int
		interval, want string // the first bars
	}{
		{"UTC", "2026-11-01T10:00", "2026-11-01T11:00", 60, "1m", "10:00 10:01 10:02"},
		{"UTC", "2026-11-01T10:02", "2026-11-01T11:00", 12, "5m", "10:00 10:05 10:10"},
		{"UTC", "2026-11-01T10:00", "2026-11-01T11:01", 60, "5m", "10:00 10:05 10:10"},
		{"UTC", "2026-11-01T10:00", "2026-11-01T22:00", 60, "15m", "10:00 10:15 10:30"},
		{"UTC", "2026-11-01", "2026-11-02", 24, "1h", "00:00 01:00 02:00"},
		{"UTC", "2026-11-01", "2026-11-08", 60, "3h", "00:00 03:00 06:00"},
		{"UTC", "2026-11-01", "2026-11-08", 7, "1d", "11-01 11-02 11-03"},
		{"UTC", "2026-11-01", "2026-11-29", 6, "1w", "10-26 11-02 11-09"}, // Mondays
		{"UTC", "2026-01-15", "2026-12-01", 12, "1mo", "01-01 02-01 03-01"},
		{"UTC", "2020", "2026", 6, "1y", "2020 2021 2022"},
		{"Asia/Kolkata", "2026-11-01T10:10", "2026-11-01T12:00", 4, "1h", "10:00 11:00"},
		{"Europe/Berlin", "2026-10-25", "2026-10-26", 10, "3h", "00:00 02:00 05:00"},    // 25 hours: the clock goes back at 3:00
		{"Europe/Berlin", "2026-03-29", "2026-03-30", 10, "3h", "00:00 04:00 07:00"},    // 23 hours
		{"America/Sao_Paulo", "2018-11-03", "2018-11-06", 3, "1d", "11-03 11-04 11-05"}, // November 4 began at 1:00
	} {
		zone, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		h, err := b.Histogram(t.Context(), daybook.HistogramQuery{
			EventQuery: daybook.EventQuery{Org: "org_a", Zone: zone, FromText: test.from, ToText: test.to}, Bars: test.bars,
		})
		if err != nil {
			t.Fatalf("%+v: %v", test, err)
		}
		format := map[string]string{"1d": "01-02", "1w": "01-02", "1mo": "01-02", "1y": "2006"}[h.Interval]
		if format == "" {
			format = "15:04"
		}
		var first []string
		for _, bar := range h.Bars[:min(3, len(h.Bars))] {
			first = append(first, time.UnixMicro(bar.From).In(zone).Format(format))
		}
		if got := strings.Join(first, " "); h.Interval != test.interval || got != test.want {
			t.Errorf("%+v: interval %s, %s", test, h.Interval, got)
		}
	}
	t.Run("more years than bars", func(t *testing.T) {
		b := open(t, storetest.Memory(), quiet(newClock()))
		record(t, b, "org_a", daybook.Request{Events: [][]byte{
			event(1, `"occurred_at":"1970-01-01T00:00:00Z",`), event(2, ""), event(3, `"occurred_at":"2030-01-01T00:00:00Z",`),
		}})
		h, err := b.Histogram(t.Context(), daybook.HistogramQuery{EventQuery: daybook.EventQuery{Org: "org_a"}, Bars: 10})
		if err != nil || h.Interval != "1y" || len(h.Bars) != 10 || h.Bars[9].Total != 1 || h.Searched.Complete {
			t.Errorf("%+v, error %v", h, err)
		}
	})
	_ = fmt.Sprint
}
