package query

import (
	"math/big"
	"net/netip"
	"slices"
	"testing"
	"unicode"
	"unicode/utf8"
)

// These tests look inside: the pieces below the parser have no exported form.

func TestFold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"Müller", "muller"},
		{"Mu\u0308ller", "muller"},
		{"ÅNGSTRÖM Å", "angstrom a"},
		{"Straße STRAẞE", "straße straße"},
		{"İstanbul ISPARTA ısı", "istanbul isparta ısı"},
		{"Øresund Łódź Đà Nẵng", "oresund lodz da nang"},
		{"ΣΊΣΥΦΟΣ σίσυφος", "σίσυφοσ σίσυφοσ"},
		{"Привет ПРИВЕТ", "привет привет"},
		{"Ǆ ǅ ǆ", "ǆ ǆ ǆ"},
		{"µ μ Μ", "μ μ μ"},
		{"\u017f \u212a \u212b", "s k a"},
		{"漢字 ひらがな", "漢字 ひらがな"},
	} {
		if got := string(appendFold(nil, []byte(c.in))); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

// TestFold_runes holds what filters and names rely on: folding twice is folding once, both cases of a letter fold alike, and a folded
// rune takes part in words as the rune does.
func TestFold_runes(t *testing.T) {
	t.Parallel()
	for r := range rune(0x1f000) { // no letter beyond has cases
		f := fold(r)
		if f == dropped {
			if r < 0x300 || r > 0x36f {
				t.Errorf("%U is dropped", r)
			}
			continue
		}
		if fold(f) != f {
			t.Errorf("%U folds to %U and then to %U", r, f, fold(f))
		}
		if classOf(f) != classOf(r) {
			t.Errorf("%U has class %d, but %U %d", r, classOf(r), f, classOf(f))
		}
		if up, low := unicode.ToUpper(r), unicode.ToLower(r); r != 'ı' && (fold(up) != f || low != 'ι' && fold(low) != f) {
			t.Errorf("%U folds to %U, its upper case %U to %U, its lower case %U to %U", r, f, up, fold(up), low, fold(low))
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{" .,_-", nil},
		{"ada@acme.com", []string{"ada", "acme", "com"}},
		{"usr_01h455vb", []string{"usr", "01h455vb"}},
		{"PO 7781: Müller’s", []string{"po", "7781", "muller", "s"}},
		{"ab漢字cd", []string{"ab", "漢", "字", "cd"}},
		{"e\u0301te\u0301 \u0301 x", []string{"ete", "x"}},
		{"漢\u0301a", []string{"漢", "a"}},
		{"한국어 2026", []string{"한국어", "2026"}},
	} {
		var got []string
		Words([]byte(c.in), func(w []byte) bool {
			got = append(got, string(w))
			return true
		})
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

// FuzzWords compares the three ways to go through words: Words, the hashes of the filter, and the search for phrases.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"", "Ada Byron", "a漢\u0301b", "x\xffy", "\u0301", "Straße 12.5e", "internationalization"} {
		f.Add([]byte(s), uint8(0), uint8(1))
	}
	f.Fuzz(func(t *testing.T, s []byte, from, n uint8) {
		var list [][]byte
		isShort := true
		Words(s, func(w []byte) bool {
			list = append(list, slices.Clone(w))
			isShort = isShort && utf8.RuneCount(w) < longWord
			return true
		})
		terms, whole, short := appendWords(nil, s, fnvOffset)
		if len(terms) != len(list) || short != isShort || whole != hashBytes(fnvOffset, appendFold(nil, s)) || whole != hashFold(fnvOffset, s) {
			t.Fatalf("%q: %d terms for words %q, short %v", s, len(terms), list, short)
		}
		for i, w := range list {
			if terms[i] != NewTerm(termWord, w) {
				t.Fatalf("%q: word %q has another term", s, w)
			}
		}
		if again := wordsOf(appendFold(nil, s)); utf8.Valid(s) && !slices.Equal(again, terms) {
			t.Fatalf("%q: the folded form has other words", s)
		}
		if len(list) == 0 {
			return
		}
		i := int(from) % len(list)
		part := list[i:min(len(list), i+1+int(n))]
		if !newPhrase(slices.Concat(joined(part)...), false).in(s) {
			t.Fatalf("%q: phrase %q is not found", s, part)
		}
	})
}

// joined puts a space before each word.
func joined(words [][]byte) (out [][]byte) {
	for _, w := range words {
		out = append(out, []byte(" "), w)
	}
	return out
}

func FuzzDecimal(f *testing.F) {
	for _, s := range [][2]string{{"0", "-0"}, {"1.50", "15e-1"}, {"9007199254740993", "9007199254740992"}, {"1e400", "1e-400"}, {"0.001", "1E-3"}, {"-12.5", "-12"}, {"9223372036854775806", "-9223372036854775807.5"}, {"9223372036854775807.5", "-9223372036854775808"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, ok := parseDecimal([]byte(a))
		y, ok2 := parseDecimal([]byte(b))
		if !ok || !ok2 || len(a)+len(b) > 60 || max(x.exp, y.exp) > 1000 || min(x.exp, y.exp) < -1000 {
			return
		}
		p, fine := new(big.Rat).SetString(a)
		q, fine2 := new(big.Rat).SetString(b)
		if !fine || !fine2 { // a zero with an exponent beyond int64 is none to big.Rat
			return
		}
		if got, want := x.compare(&y), p.Cmp(q); got != want {
			t.Fatalf("%s compared with %s: got %d, want %d", a, b, got, want)
		}
		if same := string(x.appendShort(nil)) == string(y.appendShort(nil)); same != (p.Cmp(q) == 0) {
			t.Fatalf("%s and %s: one spelling %v", a, b, same)
		}
		n, exact := x.floor()
		down := new(big.Int).Div(p.Num(), p.Denom())
		if down.IsInt64() && (n != down.Int64() || exact != p.IsInt()) || !down.IsInt64() && exact {
			t.Fatalf("floor of %s: got %d, %v, want %v", a, n, exact, down)
		}
	})
}

func TestDecimal_syntax(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "-", "+1", ".5", "1.", "1e", "1e+", "e5", "0x1", "1_000", " 1", "1 ", "NaN", "1.2.3", "--1"} {
		if _, ok := parseDecimal([]byte(s)); ok {
			t.Errorf("%q is read as a number", s)
		}
	}
	for _, s := range []string{"1e99999999999999999999", "-1E-99999999999999999999", "00012", "1e+5"} {
		if _, ok := parseDecimal([]byte(s)); !ok {
			t.Errorf("%q is not read as a number", s)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		"", "1.2.3.4", "1.2.3", "256.1.1.1", "01.2.3.4", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "1::2::3", ":1", "1:", "::ffff:1.2.3.4",
		"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1:2:3:4:5:6:7:1.2.3.4", "::1:2:3:4:5:1.2.3.4", "fe80::1%eth0", "fe80::1%", "12345::", "2001:DB8::9", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::2:3:4:5:6:7:8", ":::", "1.2.3.4%x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := netip.ParseAddr(s)
		got, ok := parseAddress([]byte(s))
		if ok != (err == nil) || ok && got != want.WithZone("").Unmap() {
			t.Fatalf("%q: got %v, %v, want %v, %v", s, got, ok, want, err)
		}
	})
}

func TestParseID(t *testing.T) {
	t.Parallel()
	id, ok := parseID("evt_7zzzzzzzzzzzzzzzzzzzzzzzzz")
	if !ok || id != [16]byte(slices.Repeat([]byte{0xff}, 16)) {
		t.Errorf("got %x, %v", id, ok)
	}
	if id, ok = parseID("evt_00000000000000000000000015"); !ok || id != [16]byte{15: 37} {
		t.Errorf("got %x, %v", id, ok)
	}
	for _, s := range []string{"", "evt_", "evt_80000000000000000000000000", "str_00000000000000000000000015", "evt_0000000000000000000000001I", "evt_000000000000000000000000015"} {
		if _, ok := parseID(s); ok {
			t.Errorf("%q is read as an id", s)
		}
	}
}
