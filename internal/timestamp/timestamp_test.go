package timestamp_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/daybook-audit/daybook/internal/timestamp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // text: RFC 3339 with microseconds, or the rule
		"2026-11-21T14:22:07Z":                "2026-11-21T14:22:07.000000Z",
		"2026-11-21T14:22:07.318Z":            "2026-11-21T14:22:07.318000Z",
		"2026-11-21T14:22:07.123456789Z":      "2026-11-21T14:22:07.123456Z",
		"2026-11-21T14:22:07.9999999Z":        "2026-11-21T14:22:07.999999Z",
		"2026-11-21T14:22:07+05:30":           "2026-11-21T08:52:07.000000Z",
		"2026-11-21T14:22:07-23:59":           "2026-11-22T14:21:07.000000Z",
		"2026-11-21T14:22:07-00:00":           "2026-11-21T14:22:07.000000Z",
		"2000-02-29T00:00:00Z":                "2000-02-29T00:00:00.000000Z",
		"2024-02-29T23:59:59Z":                "2024-02-29T23:59:59.000000Z",
		"1970-01-01T00:00:00Z":                "1970-01-01T00:00:00.000000Z",
		"1969-12-31T23:30:00-01:00":           "1970-01-01T00:30:00.000000Z",
		"9999-12-31T23:59:59.999999999Z":      "9999-12-31T23:59:59.999999Z",
		"1969-12-31T23:59:59.999999Z":         "invalid_value",
		"1970-01-01T00:00:00+00:01":           "invalid_value",
		"9999-12-31T23:59:59-00:01":           "invalid_value",
		"0000-01-01T00:00:00Z":                "invalid_value",
		"0000-03-01T00:00:00Z":                "invalid_value",
		"":                                    "invalid_format",
		"2026-11-21":                          "invalid_format",
		"2026-11-21T14:22Z":                   "invalid_format",
		"2026-11-21 14:22:07Z":                "invalid_format",
		"2026-11-21t14:22:07z":                "invalid_format",
		"2026-11-21T14:22:07":                 "invalid_format",
		"2026-11-21T14:22:07.Z":               "invalid_format",
		"2026-11-21T14:22:07,5Z":              "invalid_format",
		"2026-11-21T14:22:07.1234567890Z":     "invalid_format",
		"2026-11-21T14:22:60Z":                "invalid_format",
		"2026-11-21T24:00:00Z":                "invalid_format",
		"2026-13-01T00:00:00Z":                "invalid_format",
		"2026-00-01T00:00:00Z":                "invalid_format",
		"2026-02-29T00:00:00Z":                "invalid_format",
		"2100-02-29T00:00:00Z":                "invalid_format",
		"2026-04-31T00:00:00Z":                "invalid_format",
		"2026-04-00T00:00:00Z":                "invalid_format",
		"2026-11-21T14:22:07+0530":            "invalid_format",
		"2026-11-21T14:22:07+05:60":           "invalid_format",
		"2026-11-21T14:22:07+24:00":           "invalid_format",
		"2026-11-21T14:22:07Zz":               "invalid_format",
		"2026-11-21T14:22:07.5":               "invalid_format",
		"+026-11-21T14:22:07Z":                "invalid_format",
		"10000-01-01T00:00:00Z":               "invalid_format",
		"2026-11-21T14:22:07.318Z2026-11-21T": "invalid_format",
	}
	for text, want := range tests {
		micros, rule := timestamp.Parse([]byte(text))
		got := rule
		if rule == "" {
			got = string(timestamp.Append(nil, micros))
		}
		if got != want {
			t.Errorf("Parse(%q) = %s, want %s", text, got, want)
		}
	}
}

// TestParse against package time, over the whole range.
func TestParseOracle(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		want := r.Int64N(timestamp.Max + 1)
		zone := time.FixedZone("", (r.IntN(2*1439)-1439)*60)
		text := time.UnixMicro(want).In(zone).Format("2006-01-02T15:04:05.000000Z07:00")
		if len(text) > len("2006-01-02T15:04:05.000000+07:00") {
			continue // year 10000 there
		}
		if got, rule := timestamp.Parse([]byte(text)); rule != "" || got != want {
			t.Fatalf("Parse(%q) = %d %s, want %d", text, got, rule, want)
		}
	}
}
