package query

import (
	"unicode"
	"unicode/utf8"
)

//go:generate sh -c "go run fold_gen.go UnicodeData.txt > fold_table.go"

// dropped is the folded form of a combining mark: nothing.
const dropped = rune(-1)

// fold gives the folded form of r: simple case folding, the base letter of Latin letters with marks, and dropped for U+0300–036F.
func fold(r rune) rune {
	switch {
	case r < 0x80:
		return rune(ascii[r] & asciiFold)
	case r < 0xc0:
		if r == 'µ' {
			return 'μ'
		}
		return r
	case r < 0x250:
		return rune(foldLatin[r-0xc0])
	case r >= 0x300 && r < 0x370:
		return dropped
	case r >= 0x1e00 && r < 0x1f00:
		return rune(foldLatinMore[r-0x1e00])
	case r == '\u212a', r == '\u212b': // the signs for kelvin and ångström fold to letters that have a place above
		return fold(unicode.ToLower(r))
	case r >= 0x2e80 && r < 0xa640, r >= 0xac00 && r < 0xfb00: // East Asian scripts have no case
		return r
	}
	return unicode.ToLower(unicode.ToUpper(r))
}

// ascii holds, for each ASCII character, its folded form, and asciiWord if it belongs to words. Bytes above stand for themselves.
var ascii = func() (t [256]byte) {
	for c := range t {
		switch {
		case c >= 'A' && c <= 'Z':
			t[c] = byte(c) + 'a' - 'A' | asciiWord
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			t[c] = byte(c) | asciiWord
		default:
			t[c] = byte(c)
		}
	}
	return t
}()

// asciiWord marks the letters and digits in ascii; asciiFold leaves the folded form.
const (
	asciiWord = 0x80
	asciiFold = 0x7f
)

// appendFold appends the folded form of s to dst. It is the same for two strings exactly if they are equal as names.
func appendFold(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			dst = append(dst, ascii[c]&asciiFold)
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		if f := fold(r); f != dropped {
			dst = utf8.AppendRune(dst, f)
		}
		i += n
	}
	return dst
}

// class is how a rune takes part in words.
type class byte

const (
	gap    class = iota // stands between words
	letter              // letter, digit or mark: part of a run
	alone               // a word of its own
)

func classOf(r rune) class {
	switch {
	case r < utf8.RuneSelf:
		if ascii[r]&asciiWord != 0 {
			return letter
		}
		return gap
	case r >= 0x2e80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
		return alone
	case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
		return letter
	}
	return gap
}

// Words calls yield with the folded words of s, in order, until it returns false. A word is a maximal run of letters, digits and
// marks; a Han, Hiragana or Katakana character is a word of its own. Letters are folded: case, and the marks of Latin letters, do
// not count. The word is valid during the call only.
func Words(s []byte, yield func(word []byte) bool) {
	var word []byte
	for i := 0; i < len(s); {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(s[i:])
		}
		i += n
		c := classOf(r)
		if c != letter && len(word) > 0 {
			if !yield(word) {
				return
			}
			word = word[:0]
		}
		if c == gap {
			continue
		}
		if f := fold(r); f != dropped {
			word = utf8.AppendRune(word, f)
		}
		if c == alone && len(word) > 0 {
			if !yield(word) {
				return
			}
			word = word[:0]
		}
	}
	if len(word) > 0 {
		yield(word)
	}
}

// longWord is the number of characters from which on a word is as selective as a whole value.
const longWord = 10

// short reports whether no word of s is long.
func short(s []byte) bool {
	ok := true
	Words(s, func(word []byte) bool {
		ok = utf8.RuneCount(word) < longWord
		return ok
	})
	return ok
}

// phrase is a sequence of words to look for, in a row.
type phrase struct {
	words  [][]byte // folded, at least one
	prefix bool     // the last word may go on
	back   []int    // how many words still agree after a mismatch at each word, as in Knuth, Morris and Pratt's search
}

func newPhrase(s []byte, prefix bool) *phrase {
	p := &phrase{prefix: prefix}
	Words(s, func(word []byte) bool {
		p.words = append(p.words, append([]byte(nil), word...))
		return true
	})
	p.back = make([]int, len(p.words))
	for i, k := 1, 0; i < len(p.words); i++ {
		p.back[i] = k
		for k > 0 && string(p.words[i]) != string(p.words[k]) {
			k = p.back[k]
		}
		if string(p.words[i]) == string(p.words[k]) {
			k++
		}
	}
	return p
}

// in reports whether the words of p stand in a row in s. The time is linear in the length of s.
func (p *phrase) in(s []byte) bool {
	have := 0
	for i := 0; ; {
		at, end, same := p.compare(s, i, have)
		if at < 0 {
			return false
		}
		for !same && have > 0 {
			have = p.back[have]
			_, _, same = p.compare(s, at, have)
		}
		if same {
			if have++; have == len(p.words) {
				return true
			}
		}
		i = end
	}
}

// compare finds the next word of s from i on, which begins where at says (negative: there is none) and ends at end, and says whether it is
// word k of p.
func (p *phrase) compare(s []byte, i, k int) (at, end int, same bool) {
	if i = nextWord(s, i); i == len(s) {
		return -1, i, false
	}
	at = i
	want, open := p.words[k], p.prefix && k == len(p.words)-1
	n, same := 0, true // n bytes of want are there
	for i < len(s) {
		if c := s[i]; c < utf8.RuneSelf {
			if ascii[c]&asciiWord == 0 {
				break
			}
			i++
			if n < len(want) {
				same = same && want[n] == ascii[c]&asciiFold
				n++
			} else {
				same = same && open
			}
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		c := classOf(r)
		if c == gap || c == alone && i > at {
			break
		}
		i += size
		if f := fold(r); f != dropped {
			var b [utf8.UTFMax]byte
			m := utf8.EncodeRune(b[:], f)
			if n < len(want) {
				same = same && len(want)-n >= m && string(want[n:n+m]) == string(b[:m])
				n = min(n+m, len(want))
			} else {
				same = same && open
			}
		}
		if c == alone {
			break
		}
	}
	return at, i, same && n == len(want)
}

// nextWord returns where the next word of s from i on begins, or the length of s. Marks that fold to nothing begin no word.
func nextWord(s []byte, i int) int {
	for i < len(s) {
		if c := s[i]; c < utf8.RuneSelf {
			if ascii[c]&asciiWord != 0 {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		if classOf(r) != gap && fold(r) != dropped {
			return i
		}
		i += n
	}
	return i
}
