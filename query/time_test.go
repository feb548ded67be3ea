package query_test

import (
	"errors"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/query"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	const berlin, paulo, havana, lord, kathmandu = "Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu"
	for _, c := range []struct {
		name, zone, now, text string
		from, to              string
	}{
		{"day of 25 hours", berlin, "2026-10-25T12:00:00Z", "today", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
		{"day of 23 hours", berlin, "2026-03-29T12:00:00Z", "today", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"a day back keeps the clock", berlin, "2026-03-29T12:00:00Z", "now-1d", "2026-03-28T13:00:00Z", "2026-03-28T13:00:00.000001Z"},
		{"24 hours back do not", berlin, "2026-03-29T12:00:00Z", "now-24h", "2026-03-28T12:00:00Z", "2026-03-28T12:00:00.000001Z"},
		{"a day back to an hour that was skipped", berlin, "2026-03-30T00:30:00Z", "now-1d", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00.000001Z"},
		{"an hour that comes twice is the first", berlin, "", "2026-10-25T02:30", "2026-10-25T00:30:00Z", "2026-10-25T00:31:00Z"},
		{"an offset says which", berlin, "", "2026-10-25T02:30+01:00", "2026-10-25T01:30:00Z", "2026-10-25T01:31:00Z"},
		{"midnight skipped", paulo, "", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"midnight skipped, then a day on", paulo, "2018-11-04T12:00:00Z", "today+1d", "2018-11-05T02:00:00Z", "2018-11-06T02:00:00Z"},
		{"midnight twice", havana, "", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"change of half an hour", lord, "", "2026-04-05", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"},
		{"offset of 45 minutes", kathmandu, "2026-11-21T14:22:07Z", "now/h", "2026-11-21T14:15:00Z", "2026-11-21T15:15:00Z"},
		{"month", berlin, "2026-03-15T12:00:00Z", "now/mo", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"},
		{"year", berlin, "2026-03-15T12:00:00Z", "now/y", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"},
		{"week begins on Monday", "UTC", "2026-11-22T12:00:00Z", "now/w", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
		{"on Monday too", "UTC", "2026-11-23T00:00:00Z", "now/w", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},
		{"month back to a shorter one", "UTC", "2026-03-31T12:00:00Z", "today-1mo", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"year back from a leap day", "UTC", "2024-02-29T12:00:00Z", "today-1y", "2023-02-28T00:00:00Z", "2023-03-01T00:00:00Z"},
		{"twelve months back", "UTC", "2024-02-29T12:00:00Z", "today-12mo", "2023-02-28T00:00:00Z", "2023-03-01T00:00:00Z"},
		{"month over new year", "UTC", "2026-01-15T12:00:00Z", "now-2mo/mo", "2025-11-01T00:00:00Z", "2025-12-01T00:00:00Z"},
		{"yesterday over a change", berlin, "2026-03-30T12:00:00Z", "yesterday", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"lengths add up", "UTC", "2026-11-21T14:22:07Z", "now-1d2h3m4s", "2026-11-20T12:19:03Z", "2026-11-20T12:19:03.000001Z"},
		{"rounded, then moved", "UTC", "2026-11-21T14:22:07Z", "now/d+8h30m", "2026-11-21T08:30:00Z", "2026-11-21T08:31:00Z"},
		{"minute", "UTC", "2026-11-21T14:22:07.5Z", "now/m", "2026-11-21T14:22:00Z", "2026-11-21T14:23:00Z"},
		{"second", "UTC", "2026-11-21T14:22:07.5Z", "now/s", "2026-11-21T14:22:07Z", "2026-11-21T14:22:08Z"},
		{"weeks", "UTC", "2026-11-21T14:22:07Z", "today+2w", "2026-12-05T00:00:00Z", "2026-12-06T00:00:00Z"},
		{"length", berlin, "2026-03-29T12:00:00Z", "7d", "2026-03-22T13:00:00Z", "2026-03-22T13:00:00.000001Z"},
		{"length of two units", "UTC", "2026-11-21T14:22:07Z", "1h30m", "2026-11-21T12:52:07Z", "2026-11-21T12:52:07.000001Z"},
		{"year alone is no length", "UTC", "2026-11-21T14:22:07Z", "2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
	} {
		now, _ := time.Parse(time.RFC3339, c.now)
		from, to, err := query.ParseTime(c.text, query.Options{Now: now, Zone: zone(t, c.zone)}, true)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		f, u := time.UnixMicro(from).UTC().Format(time.RFC3339Nano), time.UnixMicro(to).UTC().Format(time.RFC3339Nano)
		if f != c.from || u != c.to {
			t.Errorf("%s: %s: got %s until %s, want %s until %s", c.name, c.text, f, u, c.from, c.to)
		}
	}
}

func TestParseTime_refused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		o      query.Options
		length bool
		want   string
	}{
		{"7d", query.Options{Now: now}, false, `bad_time: "7d" is a length of time, not a moment. Write now-7d`},
		{"", query.Options{Now: now}, true, `bad_time: "" is not a time. Write 2026-11-21, 2026-11-21T14:22, today or now-7d`},
		{"7", query.Options{Now: now}, true, `bad_time: "7" is not a time. Write 2026-11-21, 2026-11-21T14:22, today or now-7d`},
		{"-7d", query.Options{Now: now}, true, `bad_time: "-7d" is not a time. Write 2026-11-21, 2026-11-21T14:22, today or now-7d`},
		{"7d", query.Options{}, true, `bad_time: Relative times are not allowed here.`},
		{"now-90000y90000y", query.Options{Now: now}, true, `bad_time: "now-90000y90000y" is not a time. Write 2026-11-21, 2026-11-21T14:22, today or now-7d`},
	} {
		_, _, err := query.ParseTime(c.text, c.o, c.length)
		var e *query.Error
		if !errors.As(err, &e) || e.Error() != c.want || e.Pos != 0 || e.Len != len(c.text) {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
}
