package difference

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Tree is one value of a document with all that is below it. A nil Tree is an absent value. It does not change once it was handed out, save
// by [CompareKept].
type Tree struct {
	kind  byte     // s n t f z o a as in a payload; u: cannot be encoded; m: hidden in a version, see kindMark
	text  string   // s: the string; n: the token; u: what tells it from others
	names []string // o: sorted bytewise, one for each of kids
	kids  []*Tree
	treat treatment // of a struct tag
	below treatment // of all kids, theirs and below
	key   string    // of an element, by its fields with the tag key
	byKey bool      // a: every kid has a key, no two the same
}

// unencodable stands in a change for a value that has no JSON.
const unencodable = "!unencodable"

func (n *Tree) len() int {
	if n == nil {
		return 0
	}
	return len(n.kids)
}

// at returns element i, nil beyond the end.
func (n *Tree) at(i int) *Tree {
	if i >= n.len() {
		return nil
	}
	return n.kids[i]
}

func (n *Tree) treatment() treatment {
	if n == nil {
		return 0
	}
	return n.treat
}

// has reports whether a struct tag at or below n says t.
func (n *Tree) has(t treatment) bool { return n != nil && (n.treat|n.below)&t != 0 }

// tagged reports whether a struct tag below n says anything.
func (n *Tree) tagged() bool { return n != nil && n.below != 0 }

func (n *Tree) isContainer() bool { return n.kind == 'o' || n.kind == 'a' }

// keyed reports whether the elements of n can be found by key.
func (n *Tree) keyed() bool { return n.kind == 'a' && (n.byKey || len(n.kids) == 0) }

// bracket is the index of the brackets of n in "{[".
func (n *Tree) bracket() int {
	if n.kind == 'o' {
		return 0
	}
	return 1
}

// seal sorts the members of an object and sums up what is below n. It reports false when two names are equal.
func (n *Tree) seal() bool {
	if n.kind == 'o' {
		sort.Sort((*byName)(n))
		for i := 1; i < len(n.names); i++ {
			if n.names[i] == n.names[i-1] {
				return false
			}
		}
	}
	for _, kid := range n.kids {
		n.below |= kid.treat | kid.below
	}
	return true
}

// byName sorts the members of an object.
type byName Tree

func (n *byName) Len() int           { return len(n.names) }
func (n *byName) Less(i, j int) bool { return n.names[i] < n.names[j] }
func (n *byName) Swap(i, j int) {
	n.names[i], n.names[j] = n.names[j], n.names[i]
	n.kids[i], n.kids[j] = n.kids[j], n.kids[i]
}

// Equal reports whether two values are one: strings as they are after unescaping, numbers by value, objects whatever the order of members.
func (n *Tree) Equal(m *Tree) bool {
	switch {
	case n == nil || m == nil:
		return n == m
	case n.kind != m.kind || len(n.kids) != len(m.kids):
		return false
	case n.kind == 'n':
		return n.text == m.text || canonicalNumber(n.text) == canonicalNumber(m.text)
	case n.text != m.text || !slices.Equal(n.names, m.names):
		return false
	}
	return slices.EqualFunc(n.kids, m.kids, (*Tree).Equal)
}

// appendJSON adds the JSON of n to dst, members sorted by name.
func (n *Tree) appendJSON(dst []byte) []byte { return n.append(dst, false) }

// append adds the JSON of n; canonical makes equal values equal bytes.
func (n *Tree) append(dst []byte, canonical bool) []byte {
	switch n.kind {
	case 't':
		return append(dst, "true"...)
	case 'f':
		return append(dst, "false"...)
	case 'z':
		return append(dst, "null"...)
	case 'n':
		if canonical {
			return append(dst, canonicalNumber(n.text)...)
		}
		return append(dst, n.text...)
	case 's':
		return appendQuoted(dst, n.text)
	case 'o', 'a':
		dst = append(dst, "{["[n.bracket()])
		for i, kid := range n.kids {
			dst = comma(dst)
			if n.kind == 'o' {
				dst = append(appendQuoted(dst, n.names[i]), ':')
			}
			dst = kid.append(dst, canonical)
		}
		return append(dst, "}]"[n.bracket()])
	}
	return appendQuoted(dst, unencodable)
}

// appendQuoted adds the JSON string of s; a string that an event cannot hold becomes unencodable.
func appendQuoted(dst []byte, s string) []byte {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		s = unencodable
	}
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil { // not reached: s is UTF-8
		return append(dst, `""`...)
	}
	return out
}

// tag returns the keyed hash of n, equal for equal values: HMAC-SHA-256 of its canonical JSON, in base64.
func (n *Tree) tag(secret []byte) string {
	if n.kind == kindMark {
		return n.text // of the value that it stands for
	}
	h := hmac.New(sha256.New, secret)
	h.Write(n.append(nil, true))
	if n.kind == 'u' {
		h.Write([]byte(n.text))
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// canonicalNumber returns a text that two JSON numbers share if and only if they are the same decimal number: sign, digits
// without zeros at either end, "e" and the exponent. No float64 is involved, however long the number.
func canonicalNumber(token string) string {
	digits, negative := strings.CutPrefix(token, "-")
	mantissa, exponent := digits, ""
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		mantissa, exponent = digits[:i], strings.TrimPrefix(digits[i+1:], "+")
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	significant := strings.TrimLeft(whole+fraction, "0")
	if significant == "" {
		return "0"
	}
	trimmed := strings.TrimRight(significant, "0")
	shift := int64(len(significant) - len(trimmed) - len(fraction))
	if negative {
		trimmed = "-" + trimmed
	}
	if len(exponent) < 18 {
		e, err := strconv.ParseInt("0"+exponent, 10, 64)
		if strings.HasPrefix(exponent, "-") {
			e, err = strconv.ParseInt(exponent, 10, 64)
		}
		if err == nil {
			return trimmed + "e" + strconv.FormatInt(e+shift, 10)
		}
	}
	e, ok := new(big.Int).SetString(exponent, 10)
	if !ok {
		return token
	}
	return trimmed + "e" + e.Add(e, big.NewInt(shift)).String()
}

// Parse reads one JSON document strictly (RFC 8259, no duplicate names); an empty text is no document. The error says what is wrong where.
func Parse(text []byte) (*Tree, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil //nolint:nilnil // a nil node is an absent value
	}
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	n, err := readNode(dec)
	if err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return n, nil
}

// readNode reads the next value.
func readNode(dec *jsontext.Decoder) (*Tree, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	n := &Tree{}
	switch kind := token.Kind(); kind {
	case '{', '[':
		n.kind = 'o'
		end := jsontext.Kind('}')
		if kind == '[' {
			n.kind, end = 'a', ']'
		}
		for dec.PeekKind() != end {
			if n.kind == 'o' {
				name, err := dec.ReadToken()
				if err != nil {
					return nil, fmt.Errorf("read JSON: %w", err)
				}
				n.names = append(n.names, name.String())
			}
			kid, err := readNode(dec)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, kid)
		}
		if _, err := dec.ReadToken(); err != nil {
			return nil, fmt.Errorf("read JSON: %w", err)
		}
		n.seal()
	case '0':
		n.kind, n.text = 'n', token.String()
	case '"':
		n.kind, n.text = 's', token.String()
	case 'n':
		n.kind = 'z'
	default:
		n.kind = byte(kind) // t or f
	}
	return n, nil
}

// rawNode is Parse for a value inside another: what is not JSON cannot be encoded, and no text is null.
func rawNode(text json.RawMessage) *Tree {
	n, err := Parse(text)
	switch {
	case err != nil:
		return &Tree{kind: 'u', text: string(text)}
	case n == nil:
		return &Tree{kind: 'z'}
	}
	return n
}

// comma adds what stands between two members or elements.
func comma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last == '{' || last == '[' {
		return dst
	}
	return append(dst, ',')
}
