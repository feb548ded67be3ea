package leaf

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// MaxItems bounds the text of an item list; a longer list is split over several control entries.
const MaxItems = 64 << 10

// wholeLog is the text that names the whole log, entries yet to come included. Only holds may say it.
const wholeLog = "*"

// Item names the entries of one inclusive range, or the same fields of each of them.
type Item struct {
	First, Last int64
	Fields      []int // indexes in ascending order; nil: whole entries
}

// Items names entries and fields of one log as control entries do: ranges that ascend and do not overlap, such as 2:1,3;5-9. What
// ParseItems has accepted may be read by many goroutines at once.
type Items []Item

// WholeLog returns the Items that cover every entry, those yet to come included.
func WholeLog() Items { return Items{{First: 0, Last: math.MaxInt64}} }

// ParseItems reads the text of control entries: item *(";" item), where an item is seq ["-" seq] [":" index *("," index)], or * alone,
// which is [WholeLog]. It refuses whatever String would not print: another order, overlaps, leading zeros, a range of one entry,
// a seq of 2^53 or more, an index of [MaxFields] or more, and more than [MaxItems] bytes. The error is safe to show.
func ParseItems(text string) (Items, error) {
	switch {
	case text == wholeLog:
		return WholeLog(), nil
	case len(text) > MaxItems:
		return nil, errors.New("a list of items has at most 64 KiB")
	}
	items := make(Items, 0, strings.Count(text, ";")+1)
	for part := range strings.SplitSeq(text, ";") {
		item, err := parseItem(part)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", len(items), err)
		}
		if n := len(items); n > 0 && item.First <= items[n-1].Last {
			return nil, fmt.Errorf("item %d does not come after the one before", n)
		}
		items = append(items, item)
	}
	return items, nil
}

func parseItem(text string) (Item, error) {
	seqs, fields, some := strings.Cut(text, ":")
	first, last, isRange := strings.Cut(seqs, "-")
	var item Item
	var err error
	if item.First, err = parseDecimal(first, maxSeq); err != nil {
		return Item{}, err
	}
	item.Last = item.First
	if isRange {
		if item.Last, err = parseDecimal(last, maxSeq); err != nil {
			return Item{}, err
		}
		if item.Last <= item.First {
			return Item{}, errors.New("the end of a range is larger than its start")
		}
	}
	if !some {
		return item, nil
	}
	for text := range strings.SplitSeq(fields, ",") {
		i, err := parseDecimal(text, MaxFields-1)
		if err != nil {
			return Item{}, err
		}
		if n := len(item.Fields); n > 0 && int(i) <= item.Fields[n-1] {
			return Item{}, errors.New("the indexes of fields ascend")
		}
		item.Fields = append(item.Fields, int(i))
	}
	return item, nil
}

// parseDecimal reads a decimal number without sign and leading zeros, at most most.
func parseDecimal(s string, most int64) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || int64(n) > most || len(s) > 1 && s[0] == '0' {
		return 0, fmt.Errorf("%q is not a decimal number up to %d", short(s), most)
	}
	return int64(n), nil
}

// String returns the text that ParseItems reads, or nothing for no items.
func (is Items) String() string {
	if len(is) == 1 && is[0].Last == math.MaxInt64 {
		return wholeLog
	}
	var b []byte
	for i := range is {
		if i > 0 {
			b = append(b, ';')
		}
		b = is[i].append(b)
	}
	return string(b)
}

func (it *Item) append(b []byte) []byte {
	b = strconv.AppendInt(b, it.First, 10)
	if it.Last > it.First {
		b = strconv.AppendInt(append(b, '-'), it.Last, 10)
	}
	for i, f := range it.Fields {
		sign := byte(',')
		if i == 0 {
			sign = ':'
		}
		b = strconv.AppendInt(append(b, sign), int64(f), 10)
	}
	return b
}

// Last returns the largest seq named, math.MaxInt64 for the whole log, and -1 for no items. In an erase or prune entry it must be
// smaller than the entry's own seq.
func (is Items) Last() int64 {
	if len(is) == 0 {
		return -1
	}
	return is[len(is)-1].Last
}

// Covers reports whether the items name field of the entry at seq, be it by itself or with the whole entry. A field of -1 asks for the
// whole entry: naming each of its fields does not cover it.
func (is Items) Covers(seq int64, field int) bool {
	i := is.find(seq)
	if i == len(is) || seq < is[i].First {
		return false
	}
	return is[i].Fields == nil || slices.Contains(is[i].Fields, field)
}

// find returns the first item that ends at seq or later.
func (is Items) find(seq int64) int {
	i, _ := slices.BinarySearchFunc(is, seq, func(it Item, seq int64) int {
		if it.Last < seq {
			return -1
		}
		return 1
	})
	return i
}

// Meets returns the first seq of which both name a field in common, a whole entry being all of its fields, and whether there is one.
func (is Items) Meets(other Items) (int64, bool) {
	for i, j := 0, 0; i < len(is) && j < len(other); {
		a, b := &is[i], &other[j]
		if first := max(a.First, b.First); first <= min(a.Last, b.Last) && shareField(a.Fields, b.Fields) {
			return first, true
		}
		if a.Last < b.Last {
			i++
		} else {
			j++
		}
	}
	return 0, false
}

func shareField(a, b []int) bool {
	if a == nil || b == nil {
		return true
	}
	return slices.ContainsFunc(a, func(f int) bool { return slices.Contains(b, f) })
}
