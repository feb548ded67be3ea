package leaf_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/daybook-audit/daybook/leaf"
)

// form makes fields of lines: a type, a path, a value. "-" is a withheld field.
func form(lines ...string) []leaf.Field {
	var fs []leaf.Field
	for _, l := range lines {
		if l == "-" {
			fs = append(fs, leaf.Field{Withheld: true})
			continue
		}
		path, value, _ := strings.Cut(l[1:], " ")
		fs = append(fs, leaf.Field{Type: l[0], Path: []byte(path), Value: []byte(value)})
	}
	return fs
}

func repeat(n int, f func(i int) string) []string {
	var lines []string
	for i := range n {
		lines = append(lines, f(i))
	}
	return lines
}

func TestCheckShape(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("/a", n) }
	wide := func(i int) string { return "n/" + strconv.Itoa(1000+i) + " 1" }
	for _, c := range []struct {
		name  string
		ok    bool
		lines []string
	}{
		{"nothing at all", false, nil},
		{"an empty payload", true, []string{"o"}},
		{"an empty payload that is an array", false, []string{"a"}},
		{"an empty payload and a member", false, []string{"o", "t/a"}},
		{"an empty payload and something withheld", false, []string{"o", "-"}},
		{"every type", true, []string{"a/a", "f/f", "n/n -1.50E+3", "o/o", "s/s x", "s/s2", "t/t", "z/z"}},
		{"a type that is not", false, []string{"x/a"}},
		{"a type of zero", false, []string{"\x00/a"}},
		{"true with a value", false, []string{"t/a x"}},
		{"null with a value", false, []string{"z/a null"}},
		{"an empty object with a value", false, []string{"o/a {}"}},
		{"a number without token", false, []string{"n/a"}},
		{"a number with a space", false, []string{"n/a  1"}},
		{"a number with a space behind", false, []string{"n/a 1 "}},
		{"two numbers", false, []string{"n/a 1 2"}},
		{"a number with leading zero", false, []string{"n/a 01"}},
		{"a number that is a string", false, []string{`n/a "1"`}},
		{"a number that is a word", false, []string{"n/a true"}},
		{"a string with U+0000", false, []string{"s/a x\x00"}},
		{"a string that is not UTF-8", false, []string{"s/a \xff"}},
		{"a name with U+0000", false, []string{"s/\x00 x"}},
		{"a name that is not UTF-8", false, []string{"s/\xff x"}},
		{"empty names", true, []string{"t/", "t//", "t//a"}[1:]},
		{"a value below the empty name's scalar", false, []string{"t/", "t//"}},
		{"~ at the end", false, []string{"t/a~"}},
		{"~ before another letter", false, []string{"t/~a"}},
		{"escapes", true, []string{"t/~0", "t/~0#0", "t/~1"}},
		{"~# without index", false, []string{"t/a/~#"}},
		{"~# with sign", false, []string{"t/a/~#+0"}},
		{"~# with a letter", false, []string{"t/a/~#0x"}},
		{"~# within a component", false, []string{"t/a~#0"}},
		{"an index beyond what an entry can hold", false, []string{"-", "t/a/~#1024"}},
		{"ten elements in bytewise order", true, []string{
			"t/a/~#0", "t/a/~#1", "t/a/~#10", "t/a/~#2", "t/a/~#3", "t/a/~#4", "t/a/~#5", "t/a/~#6", "t/a/~#7", "t/a/~#8", "t/a/~#9",
		}},
		{"the first element is missing", false, []string{"t/a/~#1"}},
		{"the first element is withheld", true, []string{"-", "t/a/~#1"}},
		{"two elements are missing, one field is withheld", false, []string{"-", "t/a/~#2"}},
		{"a gap in an inner array", false, []string{"t/a/~#0/~#0", "t/a/~#0/~#2"}},
		{"a gap in each of two arrays, one withheld", false, []string{"-", "t/a/~#1", "t/b/~#1"}},
		{"a gap in each of two arrays, two withheld", true, []string{"-", "t/a/~#1", "-", "t/b/~#1"}},
		{"members of an element of an array", true, []string{"t/a/~#0/x", "t/a/~#0/y", "t/a/~#1/x"}},
		{"a value below a scalar, not next to it", false, []string{"t/a", "t/a!", "t/a/b"}},
		{"a value below an element", false, []string{"t/a/~#0", "t/a/~#0/b"}},
		{"a value deep below an empty array", false, []string{"a/a", "t/a/~#0/b"}},
		{"members and elements, not next to each other", false, []string{"t/a/x", "t/a/x!", "t/a/~#0"}},
		{"array and object in an element", false, []string{"t/a/~#0/b", "t/a/~#0/~#0"}},
		{"names that begin alike", true, []string{"t/a", "t/a!", "t/a0", "t/aa/b"}},
		{"32 components", true, []string{"t" + deep(32)}},
		{"33 components", false, []string{"t" + deep(33)}},
		{"a path of 65,535 bytes", true, []string{"t/" + strings.Repeat("k", 65_534)}},
		{"a path of 65,536 bytes", false, []string{"t/" + strings.Repeat("k", 65_535)}},
		{"1,024 fields", true, repeat(1024, wide)},
		{"1,025 fields", false, repeat(1025, wide)},
		{"1,025 withheld fields", false, repeat(1025, func(int) string { return "-" })},
		{"paths of more than 1 MiB", false, repeat(20, func(i int) string { return "t/" + strings.Repeat("k", 60_000+i) })},
	} {
		if err := leaf.CheckShape(form(c.lines...)); (err == nil) != c.ok {
			t.Errorf("%s: %v, want accepted: %v", c.name, err, c.ok)
		}
	}
}

// CheckShape must not sort, or otherwise change, what it is given.
func TestCheckShapeOnlyReads(t *testing.T) {
	t.Parallel()
	fs := form("t/a!", "t/a/b")
	if err := leaf.CheckShape(fs); err != nil {
		t.Fatal(err)
	}
	if string(fs[0].Path) != "/a!" || string(fs[1].Path) != "/a/b" {
		t.Errorf("the paths are %s and %s now", fs[0].Path, fs[1].Path)
	}
}
