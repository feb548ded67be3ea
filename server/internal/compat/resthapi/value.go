package resthapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A value is what stands in a document, or what a condition compares with: nil, json.Number, string, bool, date, []any or
// map[string]any.

// date is a moment, ms since 1970: the field date is one, and so is what it is compared with.
type date int64

// rank is the place of a value's type in the order of MongoDB, as far as JSON has types.
func rank(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case json.Number:
		return 1
	case string:
		return 2
	case map[string]any:
		return 3
	case []any:
		return 4
	case bool:
		return 5
	}
	return 6
}

// typeNames are the words of $type.
var typeNames = []string{"null", "number", "string", "object", "array", "bool", "date"}

// compare orders two values: by type, and within a type as one expects. Objects are compared member by member in the order of names.
func compare(a, b any) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch x := a.(type) {
	case json.Number:
		y, _ := b.(json.Number)
		return compareNumbers(string(x), string(y))
	case string:
		y, _ := b.(string)
		return strings.Compare(x, y)
	case bool:
		y, _ := b.(bool)
		return cmp.Compare(boolean(x), boolean(y))
	case date:
		y, _ := b.(date)
		return cmp.Compare(x, y)
	case []any:
		y, _ := b.([]any)
		return slices.CompareFunc(x, y, compare)
	case map[string]any:
		y, _ := b.(map[string]any)
		return compareObjects(x, y)
	}
	return 0
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareObjects(a, b map[string]any) int {
	x, y := names(a), names(b)
	for i := range min(len(x), len(y)) {
		if c := strings.Compare(x[i], y[i]); c != 0 {
			return c
		}
		if c := compare(a[x[i]], b[y[i]]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}

func names(object map[string]any) []string {
	list := make([]string, 0, len(object))
	for name := range object {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// maxExact is the longest number that is compared digit by digit; a longer one, or one with an exponent, counts as a float64.
const maxExact = 64

func compareNumbers(a, b string) int {
	x, _ := strconv.ParseFloat(a, 64) // out of range is infinite
	y, _ := strconv.ParseFloat(b, 64)
	if x != y || math.IsInf(x, 0) || len(a)+len(b) > maxExact || strings.ContainsAny(a+b, "eE") {
		return cmp.Compare(x, y)
	}
	exactA, okA := new(big.Rat).SetString(a)
	exactB, okB := new(big.Rat).SetString(b)
	if !okA || !okB {
		return 0
	}
	return exactA.Cmp(exactB)
}

func equal(a, b any) bool { return rank(a) == rank(b) && compare(a, b) == 0 }

// decoded reads JSON into a value; false: it is not JSON.
func decoded(text []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	return v, d.InputOffset() == int64(len(bytes.TrimRight(text, " \t\r\n")))
}

// dateForms are the forms of ISO 8601 that are read, beside RFC 3339.
var dateForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02", "2006-01", "2006"}

// parseDate reads ISO 8601, times without a zone as UTC, or milliseconds since 1970.
func parseDate(text string) (time.Time, bool) {
	if ms, err := strconv.ParseFloat(text, 64); err == nil && len(text) != len("2006") {
		if math.IsNaN(ms) || math.Abs(ms) > 8.64e15 {
			return time.Time{}, false
		}
		return storable(time.UnixMilli(int64(ms)).UTC())
	}
	for _, form := range dateForms {
		if t, err := time.Parse(form, strings.ToUpper(text)); err == nil {
			return storable(t.UTC())
		}
	}
	return time.Time{}, false
}

// storable refuses years that an event cannot have.
func storable(t time.Time) (time.Time, bool) { return t, t.Year() >= 1970 && t.Year() <= 9999 }

// asDate turns what a condition compares the field date with into dates, also within a list.
func asDate(v any) (any, bool) {
	switch x := v.(type) {
	case string:
		t, ok := parseDate(x)
		return date(t.UnixMilli()), ok
	case json.Number:
		t, ok := parseDate(string(x))
		return date(t.UnixMilli()), ok
	case []any:
		list := make([]any, len(x))
		for i, one := range x {
			d, ok := asDate(one)
			if !ok {
				return nil, false
			}
			list[i] = d
		}
		return list, true
	case nil:
		return nil, true
	}
	return nil, false
}
