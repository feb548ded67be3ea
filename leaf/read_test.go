package leaf_test

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/leaf"
)

// refusal reads text and returns the error, which must be an *Error.
func refusal(t *testing.T, text string) *leaf.Error {
	t.Helper()
	var d leaf.Doc
	err := d.Read([]byte(text))
	var e *leaf.Error
	if !errors.As(err, &e) {
		t.Fatalf("Read(%.60q) = %v, want an *Error", text, err)
	}
	return e
}

func TestReadSaysWhere(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 32)
	for _, c := range []struct{ text, code, pointer, message string }{
		{`{"actor":{"id":1,"id":2}}`, leaf.DuplicateKey, "/actor/id", `the name "id" stands twice in one object`},
		{`{"a/b~c":[0,{"x":1,"\u0078":2}]}`, leaf.DuplicateKey, "/a~1b~0c/1/x", `the name "x" stands twice in one object`},
		{`{"targets":[{"id":"x\u0000"}]}`, leaf.NUL, "/targets/0/id", "a string holds U+0000"},
		{`{"a":{"\u0000":1}}`, leaf.NUL, "/a", "a name holds U+0000"},
		{`{"a":[1,"\ud83d "]}`, leaf.LoneSurrogate, "/a/1", `the escape \ud83d is half of a surrogate pair`},
		{`{"a":"\uDE00\uD83D"}`, leaf.LoneSurrogate, "/a", `the escape \uDE00 is half of a surrogate pair`},
		{"{\"a\":\"\xff\"}", leaf.InvalidUTF8, "/a", "the byte 0xff is not UTF-8 here"},
		{"{\"a\":\"\xed\xa0\x80\"}", leaf.InvalidUTF8, "/a", "the byte 0xed is not UTF-8 here"},
		{`{"a":\ud83d}`, leaf.Syntax, "/a", "invalid character '\\\\' at start of value"},
		{`{"a":"\x41"}`, leaf.Syntax, "/a", "invalid escape sequence `\\x` in string"},
		{`{"a":"\ud8zz"}`, leaf.Syntax, "/a", "invalid escape sequence `\\ud8zz` in string"},
		{"{\"a\":{\"b\":\"x\ny\"}}", leaf.Syntax, "/a/b", `invalid character '\n' in string (expecting non-control character)`},
		{`{"a":[1,]}`, leaf.Syntax, "/a/1", "invalid character ']' at start of value"},
		{`{"a":{"b":01}}`, leaf.Syntax, "/a", "invalid character '1' after object value (expecting ',' or '}')"},
		{`{"a":{"b"`, leaf.Syntax, "/a/b", "the JSON text ends too early"},
		{`{"a":"\ud83d`, leaf.Syntax, "/a", "the JSON text ends too early"},
		{" \n", leaf.Syntax, "", "the text is empty"},
		{"\ufeff{}", leaf.Syntax, "", "invalid character '\\ufeff' at start of value"},
		{`nul`, leaf.Syntax, "", "the JSON text ends too early"},
		{` [{"a":1}]`, leaf.NotObject, "", "an event is a JSON object, not an array"},
		{`[`, leaf.NotObject, "", "an event is a JSON object, not an array"},
		{`"a"`, leaf.NotObject, "", "an event is a JSON object, not a string"},
		{`-1`, leaf.NotObject, "", "an event is a JSON object, not a number"},
		{`false`, leaf.NotObject, "", "an event is a JSON object, not false"},
		{`{} {}`, leaf.TrailingData, "", "something follows the JSON object"},
		{deep + `[0]` + strings.Repeat("}", 32), leaf.TooDeep, strings.Repeat("/a", 32) + "/0", "a path has more than 32 components"},
		{`{"a":` + strings.Repeat("[", 20_000), leaf.TooDeep, "/a" + strings.Repeat("/0", 511), "a path has more than 32 components"},
		{`{"k":{"` + strings.Repeat("k", 65_533) + `":1}}`, leaf.PathTooLong, "/k", "a path has more than 65,535 bytes"},
		{`{"a":[0` + strings.Repeat(",0", 1024) + `]}`, leaf.TooManyFields, "/a/1024", "the event has more than 1,024 fields"},
		{`{"` + strings.Repeat("k", 60_000) + `":[` + strings.Repeat("0,", 20) + `0]}`, leaf.PathTooLong, "", "all paths together have more than 1 MiB"},
		{`{"a":"` + strings.Repeat("x", leaf.MaxPayload) + `"}`, leaf.TooLarge, "", "the JSON text has more than 256 KiB"},
	} {
		e := refusal(t, c.text)
		got := leaf.Error{Code: e.Code, Pointer: e.Pointer, Message: e.Message}
		want := leaf.Error{Code: c.code, Pointer: c.pointer, Message: c.message}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Read(%.60q) (- want, + got):\n%s", c.text, diff)
		}
	}
}

func TestReadSaysAtWhichByte(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`{"a":1,"a":2}`:       7,
		`{"a":"x\u0000"}`:     5,
		`{"a":"xy\ud83d"}`:    8,
		"{\"a\":\"xy\xff\"}":  8,
		`{"a":1} x`:           8,
		`  [1]`:               2,
		`{"a":tru}`:           8,
		`{"a":1`:              6,
		"{\"a\":\"\xe2\x82\"": 6,
	} {
		if e := refusal(t, text); e.Offset != want {
			t.Errorf("Read(%q): byte %d, want %d (%v)", text, e.Offset, want, e)
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	if got, want := refusal(t, `{"a":[{"b":1,"b":2}]}`).Error(), `the name "b" stands twice in one object (byte 13, /a/0/b)`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := refusal(t, ``).Error(), `the text is empty (byte 0)`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A refusal never carries much of a hostile text.
func TestErrorIsShort(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("é", 30_000)
	for _, text := range []string{
		`{"` + name + `":1,"` + name + `":2}`,
		`{"a":{"` + name + `":{"b":"\u0000"}}}`,
		`{"a":{"` + name + `":{"b":x}}}`,
		`{"a":{"` + name + `":{"b":1,"b":2}}}`,
	} {
		if e := refusal(t, text); len(e.Error()) > 1500 || strings.Contains(e.Pointer, "é") {
			t.Errorf("an error of %d bytes, pointer %.20q", len(e.Error()), e.Pointer)
		}
	}
}

func TestReadKeepsDocumentOrder(t *testing.T) {
	t.Parallel()
	text := []byte(` {"z" : [ {} , "a\n" ] , "b/c~":{"\u0061":-1.50E+3},"a":null,"e":[[]]} `)
	want := []field{
		{Path: "/z/~#0", Type: "o"},
		{Path: "/z/~#1", Type: "s", Value: "a\n"},
		{Path: "/b~1c~0/a", Type: "n", Value: "-1.50E+3"},
		{Path: "/a", Type: "z"},
		{Path: "/e/~#0", Type: "a"},
	}
	tokens := []string{"{}", `"a\n"`, "-1.50E+3", "null", "[]"}
	for name, read := range readers {
		var d leaf.Doc
		if err := read(&d, text); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, order(&d)); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", name, diff)
		}
		for i, token := range tokens {
			if !bytes.HasPrefix(text[d.Offset(i):], []byte(token)) {
				t.Errorf("%s: at %d stands %.8q, want %s", name, d.Offset(i), text[d.Offset(i):], token)
			}
		}
		d.Root(new([16]byte))
		sorted := []field{want[3], want[2], want[4], want[0], want[1]}
		if diff := cmp.Diff(sorted, order(&d)); diff != "" {
			t.Errorf("%s: after Root (- want, + got):\n%s", name, diff)
		}
	}
}

// readers are the two ways to read an accepted text.
var readers = map[string]func(*leaf.Doc, []byte) error{"Read": (*leaf.Doc).Read, "ReadTrusted": (*leaf.Doc).ReadTrusted}

func TestDocIsReusable(t *testing.T) {
	t.Parallel()
	d := new(leaf.Doc)
	for _, text := range []string{`{"a":"\u0062"}`, `{"a":1,"a":2}`, `{}`, `{"a":`, strings.Repeat(" ", 10), `{"a":[true]}`} {
		err := d.Read([]byte(text))
		fresh := new(leaf.Doc)
		if want := fresh.Read([]byte(text)); fmt.Sprint(err) != fmt.Sprint(want) {
			t.Errorf("Read(%q) = %v, a fresh Doc says %v", text, err, want)
		}
		if diff := cmp.Diff(order(fresh), order(d)); diff != "" {
			t.Errorf("Read(%q) (- fresh, + reused):\n%s", text, diff)
		}
		if err == nil && d.Root(new([16]byte)) != fresh.Root(new([16]byte)) {
			t.Errorf("Read(%q): other root than a fresh Doc", text)
		}
	}
}

func TestPool(t *testing.T) {
	t.Parallel()
	big := []byte(`{"a":"` + strings.Repeat("x", 200_000) + `"}`)
	for _, text := range [][]byte{typical, big, []byte(`{"a":1,"a":2}`), typical} {
		d := leaf.Get()
		if d.Len() != 0 {
			t.Errorf("a Doc from the pool holds %d fields", d.Len())
		}
		if err := d.Read(text); err == nil {
			d.Root(new([16]byte))
		}
		leaf.Put(d)
	}
}

// Sorting takes one way for few fields and another for many; both must give the bytewise order.
func TestSort(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 47, 48, 49, 300} {
		var b strings.Builder
		for i := range n {
			// Paths that differ in their first 8, in their first 16, and only in later bytes, and prefixes of each other.
			fmt.Fprintf(&b, `,"%s%d":0`, strings.Repeat("k", i*7%40), i*31%n)
		}
		text := []byte("{" + b.String()[1:] + "}")
		var d leaf.Doc
		if err := d.Read(text); err != nil {
			t.Fatal(err)
		}
		d.Sort()
		for i := 1; i < d.Len(); i++ {
			if bytes.Compare(d.Path(i-1), d.Path(i)) >= 0 {
				t.Fatalf("%d fields: %s stands before %s", n, d.Path(i-1), d.Path(i))
			}
		}
		if d.Len() != n {
			t.Errorf("%d fields, want %d", d.Len(), n)
		}
	}
}

func TestReadTrustedRefusesDamage(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, ` `, `[]`, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":"`, `{"a":"x\`, `{"a":"\`, `{"a\`, `{"a/`, `{a:1}`, `{"a" 1}`, `{"a":1`, `{"a":1,`,
		`{"a":x}`, `{"a":t`, `{"a":[`, `{"a":[[`, `{"a":"\x41"}`, `{"\x41":1}`, `{"a":}`, `{"a":"\u0000"}`, `{"a":` + strings.Repeat("[", 40),
		`{"` + strings.Repeat("k", 70_000) + `":1}`, `{"a":"` + strings.Repeat("x", leaf.MaxPayload) + `"}`,
	} {
		var d leaf.Doc
		err := d.ReadTrusted([]byte(text))
		var e *leaf.Error
		if !errors.As(err, &e) || d.Len() != 0 || e.Offset > len(text) {
			t.Errorf("ReadTrusted(%.40q) = %v with %d fields, want an *Error and none", text, err, d.Len())
		}
	}
}

func TestAllocations(t *testing.T) {
	secret := [16]byte{7}
	text := bytes.Replace(typical, []byte("Anna"), []byte(`\u0041nna`), 1)
	d := new(leaf.Doc)
	// Under the race detector, and only there, crypto/sha256 allocates when it tells its state: once for each of the 20 fields, each of
	// their 10 pairs of salts, and the root.
	state, ok := sha256.New().(encoding.BinaryAppender)
	if !ok {
		t.Fatal("crypto/sha256 does not tell its state")
	}
	room := make([]byte, 0, 128)
	told := testing.AllocsPerRun(200, func() { _, _ = state.AppendBinary(room) })
	// The pool is left out: under the race detector it forgets at random.
	for name, c := range map[string]struct {
		f    func() error
		want float64
	}{
		"Read":        {func() error { return d.Read(text) }, 0},
		"ReadTrusted": {func() error { return d.ReadTrusted(text) }, 0},
		"leaf hash":   {func() error { _, err := leafHash(d, text, &secret); return err }, (20 + 10 + 1) * told},
	} {
		var err error
		if n := testing.AllocsPerRun(200, func() { err = errors.Join(err, c.f()) }); n != c.want || err != nil {
			t.Errorf("%s: %v allocations, want %v; error %v", name, n, c.want, err)
		}
	}
}

func TestPayloadOf256KiB(t *testing.T) {
	t.Parallel()
	for name, read := range readers {
		var d leaf.Doc
		text := []byte(`{"a":"` + strings.Repeat("x", leaf.MaxPayload-len(`{"a":""}`)) + `"}`)
		if err := read(&d, text); err != nil || d.Len() != 1 {
			t.Errorf("%s: %v with %d fields", name, err, d.Len())
		}
		err := read(&d, append(text, ' '))
		var e *leaf.Error
		if !errors.As(err, &e) || e.Code != leaf.TooLarge || d.Len() != 0 {
			t.Errorf("%s of one byte more: %v with %d fields", name, err, d.Len())
		}
	}
}

// Not parallel: nobody else may take from the pool in between.
func TestPoolDropsWhatWasLarge(t *testing.T) {
	for name, text := range map[string]string{
		"text":  `{"a":"` + strings.Repeat("x", 100_000) + `"}`,
		"arena": `{"` + strings.Repeat("k", 20_000) + `":[0,1,2,3,4,5,6,7]}`,
	} {
		d := leaf.Get()
		if err := d.Read([]byte(text)); err != nil {
			t.Fatal(err)
		}
		leaf.Put(d)
		if leaf.Get() == d {
			t.Errorf("a Doc that held a large %s came back", name)
		}
	}
}
