package leaf_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/leaf"
)

func TestParseItems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]leaf.Items{
		"0":                   {{First: 0, Last: 0}},
		"2:1,3;3":             {{First: 2, Last: 2, Fields: []int{1, 3}}, {First: 3, Last: 3}},
		"0-41;43-99":          {{First: 0, Last: 41}, {First: 43, Last: 99}},
		"0;1":                 {{First: 0, Last: 0}, {First: 1, Last: 1}},
		"5-9:0,1023":          {{First: 5, Last: 9, Fields: []int{0, 1023}}},
		"9007199254740991":    {{First: 1<<53 - 1, Last: 1<<53 - 1}},
		"0-9007199254740991":  {{First: 0, Last: 1<<53 - 1}},
		"12:0;13-14:1;15:1,2": {{First: 12, Last: 12, Fields: []int{0}}, {First: 13, Last: 14, Fields: []int{1}}, {First: 15, Last: 15, Fields: []int{1, 2}}},
		"*":                   leaf.WholeLog(),
	} {
		got, err := leaf.ParseItems(text)
		if err != nil {
			t.Errorf("ParseItems(%q): %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseItems(%q) (- want, + got):\n%s", text, diff)
		}
		if got.String() != text {
			t.Errorf("ParseItems(%q) prints %q", text, got.String())
		}
	}
}

func TestParseItems_refuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", ";", "1;", ";1", "1;;2", "01", "1-02", "1:01", "-1", "+1", " 1", "1 ", "1-", "-", "2-1", "1-1", "1-2-3", "1:", "1:,", "1:2,",
		"1:2,2", "1:3,2", "1:1024", "1:-1", "1:2:3", "2;1", "1;1", "1-5;5", "1-5;3-9", "1:1;1:2", "9007199254740992", "1_0", "0x1", "1e3",
		"**", "*;1", "1;*", "*:1", "a", "99999999999999999999", strings.Repeat("1", 70000),
	} {
		if got, err := leaf.ParseItems(text); err == nil || got != nil {
			t.Errorf("ParseItems(%.20q) = %v, %v; want an error alone", text, got, err)
		}
	}
	var b strings.Builder
	for i := range 20000 {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString("1000")
	}
	if _, err := leaf.ParseItems(b.String()); err == nil || !strings.Contains(err.Error(), "64 KiB") {
		t.Errorf("a list of %d bytes: %v", b.Len(), err)
	}
}

func TestItems_Covers(t *testing.T) {
	t.Parallel()
	items, err := leaf.ParseItems("2:1,3;3;7-9;12-13:0")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[[2]int]bool{{2, 1}: true, {2, 3}: true, {12, 0}: true, {13, 0}: true}
	for _, seq := range []int{3, 7, 8, 9} {
		for field := -1; field < 5; field++ {
			covered[[2]int{seq, field}] = true
		}
	}
	for seq := range 16 {
		for field := -1; field < 5; field++ {
			if got := items.Covers(int64(seq), field); got != covered[[2]int{seq, field}] {
				t.Errorf("Covers(%d, %d) = %v", seq, field, got)
			}
		}
	}
	if last := items.Last(); last != 13 {
		t.Errorf("Last() = %d, want 13", last)
	}
	var none leaf.Items
	if none.Covers(0, -1) || none.Last() != -1 || none.String() != "" {
		t.Error("no items cover something")
	}
	if all := leaf.WholeLog(); !all.Covers(0, -1) || !all.Covers(1<<52, 5) || all.Last() != math.MaxInt64 {
		t.Error("the whole log does not cover everything")
	}
}

func TestItems_Meets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		seq  int64
		ok   bool
	}{
		{"1-5", "5-9", 5, true},
		{"1-5", "6-9", 0, false},
		{"0;4;8", "1-3;5-7", 0, false},
		{"0;4;8", "1-3;5-8", 8, true},
		{"4:1", "4", 4, true},
		{"4:1", "4:2", 0, false},
		{"4-6:1", "5:1,2", 5, true},
		{"4:1;7", "3-5:0;7", 7, true},
		{"*", "17:3", 17, true},
		{"0-100:5;200", "50:4;60:5", 60, true},
	} {
		a, err := leaf.ParseItems(c.a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := leaf.ParseItems(c.b)
		if err != nil {
			t.Fatal(err)
		}
		if seq, ok := a.Meets(b); seq != c.seq || ok != c.ok {
			t.Errorf("%s meets %s: %d, %v; want %d, %v", c.a, c.b, seq, ok, c.seq, c.ok)
		}
		if seq, ok := b.Meets(a); seq != c.seq || ok != c.ok {
			t.Errorf("%s meets %s: %d, %v; want %d, %v", c.b, c.a, seq, ok, c.seq, c.ok)
		}
	}
}

// FuzzItems: what is accepted is printed as it was read, ascends, and covers exactly what it names.
func FuzzItems(f *testing.F) {
	for _, seed := range []string{"", "0", "*", "2:1,3;3", "0-41;43-99", "5-9:0,1023", "1;1", "01", "3-2", "0-9007199254740991", "7:", "1-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		items, err := leaf.ParseItems(text)
		if err != nil {
			if items != nil {
				t.Fatalf("ParseItems(%q) = %v beside %v", text, items, err)
			}
			return
		}
		if items.String() != text {
			t.Fatalf("ParseItems(%q) prints %q", text, items.String())
		}
		before := int64(-1)
		for _, it := range items {
			if it.First <= before || it.Last < it.First {
				t.Fatalf("ParseItems(%q) = %v", text, items)
			}
			if before >= 0 && before+1 < it.First && items.Covers(before+1, -1) {
				t.Fatalf("%q covers %d", text, before+1)
			}
			for _, seq := range []int64{it.First, it.Last} {
				if items.Covers(seq, -1) != (it.Fields == nil) {
					t.Fatalf("%q: Covers(%d, -1) = %v", text, seq, it.Fields != nil)
				}
				for _, field := range it.Fields {
					if !items.Covers(seq, field) {
						t.Fatalf("%q does not cover field %d of %d", text, field, seq)
					}
				}
			}
			before = it.Last
		}
		if seq, ok := items.Meets(items); !ok || seq != items[0].First {
			t.Fatalf("%q does not meet itself", text)
		}
	})
}
