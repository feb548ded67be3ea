package leaf_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-audit/daybook/leaf"
)

// FuzzLeafRead compares Read with a second reader. Accepted: encoding/json accepts too, both see the same fields, ReadTrusted sees
// them too, and any other text of the same payload has the same root. Refused: with a reason that the second reader finds as well.
func FuzzLeafRead(f *testing.F) {
	p := readPayloads(f)
	for _, a := range p.Accept {
		f.Add(a.text(), uint64(0))
	}
	for _, r := range p.Refuse {
		f.Add(r.text(f), uint64(1))
	}
	f.Add(typical, uint64(0x55))
	var d, other leaf.Doc
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		if err := d.Read(text); err != nil {
			checkRefusal(t, text, err)
			if d.Len() != 0 {
				t.Fatalf("%d fields after a refusal", d.Len())
			}
			_ = other.ReadTrusted(text) // must not panic or hang
			return
		}
		if !json.Valid(text) {
			t.Fatalf("Read accepts %q, encoding/json does not", text)
		}
		v := judge(text)
		if len(v.codes) > 0 {
			t.Fatalf("Read accepts %q, which should be refused: %v", text, v.codes)
		}
		if diff := cmp.Diff(v.fields, order(&d)); diff != "" {
			t.Fatalf("fields of %q (- second reader, + Read):\n%s", text, diff)
		}
		for i := range d.Len() {
			checkOffset(t, text, &d, i)
		}
		if err := other.ReadTrusted(text); err != nil {
			t.Fatalf("ReadTrusted refuses what Read accepts, %q: %v", text, err)
		}
		if diff := cmp.Diff(order(&d), order(&other)); diff != "" {
			t.Fatalf("fields of %q (- Read, + ReadTrusted):\n%s", text, diff)
		}
		checkRoot(t, text, &d, seed)
	})
}

// checkRefusal holds a refusal against the second reader. A text can have several faults: the one named must be among them.
func checkRefusal(t *testing.T, text []byte, err error) {
	t.Helper()
	var e *leaf.Error
	if !errors.As(err, &e) {
		t.Fatalf("Read(%q) = %v, want an *Error", text, err)
	}
	if e.Offset < 0 || e.Offset > len(text) || e.Message == "" || len(e.Pointer) > 1024 {
		t.Fatalf("Read(%q): offset %d, message %q, pointer %q", text, e.Offset, e.Message, e.Pointer)
	}
	if json.Valid(text) {
		if v := judge(text); !v.codes[e.Code] {
			t.Fatalf("Read(%q) = %v (%s), the second reader finds %v", text, err, e.Code, v.codes)
		}
		return
	}
	switch e.Code {
	case leaf.TrailingData:
		if !json.Valid(text[:e.Offset]) {
			t.Fatalf("Read(%q) = %v, but what comes before is no JSON", text, err)
		}
	case leaf.InvalidUTF8:
		if strings.ToValidUTF8(string(text), "") == string(text) {
			t.Fatalf("Read(%q) = %v, but it is UTF-8", text, err)
		}
	case leaf.LoneSurrogate:
		if !loneSurrogate(string(text)) {
			t.Fatalf("Read(%q) = %v, but there is none", text, err)
		}
	case leaf.NUL, leaf.TooManyFields, leaf.PathTooLong:
		t.Fatalf("Read(%q) = %v (%s), but it is no JSON", text, err, e.Code)
	}
}

func checkOffset(t *testing.T, text []byte, d *leaf.Doc, i int) {
	t.Helper()
	var v any
	dec := json.NewDecoder(bytes.NewReader(text[d.Offset(i):]))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%q: no value at %d: %v", text, d.Offset(i), err)
	}
	var same bool
	switch v := v.(type) {
	case string:
		same = d.Type(i) == leaf.String && v == string(d.Value(i))
	case json.Number:
		same = d.Type(i) == leaf.Number && string(v) == string(d.Value(i))
	case bool:
		same = v && d.Type(i) == leaf.True || !v && d.Type(i) == leaf.False
	case nil:
		same = d.Type(i) == leaf.Null
	case map[string]any:
		same = d.Type(i) == leaf.EmptyObject && len(v) == 0
	case []any:
		same = d.Type(i) == leaf.EmptyArray && len(v) == 0
	}
	if !same {
		t.Fatalf("%q: at %d stands %v, the field is %c %q", text, d.Offset(i), v, d.Type(i), d.Value(i))
	}
}

// checkRoot compares the root with that of another text of the payload and with those of its fields forms.
func checkRoot(t *testing.T, text []byte, d *leaf.Doc, seed uint64) {
	t.Helper()
	secret := [16]byte{1, byte(seed)}
	fields := sorted(order(d))
	root := d.Root(&secret)
	if diff := cmp.Diff(fields, order(d)); diff != "" {
		t.Fatalf("%q after Root (- want, + got):\n%s", text, diff)
	}
	var b strings.Builder
	rewrite(&b, parse(text), rand.New(rand.NewPCG(seed, 0)))
	if b.Len() <= leaf.MaxPayload {
		var other leaf.Doc
		if err := other.Read([]byte(b.String())); err != nil {
			t.Fatalf("%q is refused, written anew from %q: %v", b.String(), text, err)
		}
		if other.Root(&secret) != root {
			t.Fatalf("%q and %q have different roots", text, b.String())
		}
	}
	form := shownForm(d, &secret, seed)
	if err := leaf.CheckShape(form); err != nil {
		t.Fatalf("the fields form of %q: %v", text, err)
	}
	if leaf.FieldsRoot(form) != root {
		t.Fatalf("the fields form of %q has another root", text)
	}
}

// FuzzFieldsForm builds an object from the disclosed fields. What CheckShape accepts with nothing withheld is the fields form of
// exactly that object; everything else is not the fields form of any.
func FuzzFieldsForm(f *testing.F) {
	p := readPayloads(f)
	for _, s := range p.Shape {
		f.Add(printForm(disclosed(f, s.Fields)))
	}
	for _, a := range p.Accept {
		var d leaf.Doc
		if err := d.Read(a.text()); err != nil {
			f.Fatal(err)
		}
		secret := [16]byte(unhex(f, a.Secret))
		if d.Len() < 100 {
			f.Add(printForm(shownForm(&d, &secret, 0)))
			f.Add(printForm(shownForm(&d, &secret, 2)))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		fs := parseForm(text)
		withheld := false
		for _, x := range fs {
			withheld = withheld || x.Withheld
		}
		err := leaf.CheckShape(fs)
		if withheld {
			return // it may be accepted or not; it must not panic
		}
		object, ok := build(fs)
		if len(object) > leaf.MaxPayload || len(text) > leaf.MaxPaths/4 {
			return // sizes of the whole payload are not a question of shape
		}
		var d leaf.Doc
		var back []leaf.Field
		if ok && d.Read([]byte(object)) == nil {
			back = d.Fields(new([16]byte))
		}
		same := len(fs) > 0 && len(back) == len(fs)
		for i := 0; same && i < len(fs); i++ {
			same = bytes.Equal(fs[i].Path, back[i].Path) && fs[i].Type == back[i].Type && bytes.Equal(fs[i].Value, back[i].Value)
		}
		if same != (err == nil) {
			t.Fatalf("CheckShape: %v; the object made of the fields is %q, its fields are the same: %v\n%s", err, object, same, text)
		}
	})
}

// printForm and parseForm write a fields form as lines: a type byte, the path in hex, the value in hex.
func printForm(fs []leaf.Field) string {
	var b strings.Builder
	for _, f := range fs {
		if f.Withheld {
			b.WriteString("-\n")
			continue
		}
		b.WriteString(string(f.Type) + hex.EncodeToString(f.Path) + " " + hex.EncodeToString(f.Value) + "\n")
	}
	return b.String()
}

func parseForm(text string) []leaf.Field {
	var fs []leaf.Field
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line == "-" {
			fs = append(fs, leaf.Field{Withheld: true})
			continue
		}
		path, value, _ := strings.Cut(line[1:], " ")
		f := leaf.Field{Type: line[0]}
		f.Path, _ = hex.DecodeString(path)
		f.Value, _ = hex.DecodeString(value)
		fs = append(fs, f)
	}
	return fs
}

// tree is an object under construction.
type tree struct {
	kind     byte // of a scalar or empty container
	value    string
	children map[string]*tree
}

// build makes the JSON text of an object with these fields, as far as there is one. It does not look for faults: what is read back
// from its text shows them.
func build(fs []leaf.Field) (string, bool) {
	top := &tree{}
	for _, f := range fs {
		at := top
		if len(f.Path) > 0 {
			for _, c := range strings.Split(string(f.Path), "/")[1:] {
				if at.children == nil {
					at.children = map[string]*tree{}
				}
				if at.children[c] == nil {
					at.children[c] = &tree{}
				}
				at = at.children[c]
			}
		}
		at.kind, at.value = f.Type, string(f.Value)
	}
	var b strings.Builder
	ok := top.print(&b)
	return b.String(), ok
}

func (n *tree) print(b *strings.Builder) bool {
	switch {
	case len(n.children) == 0:
		return n.printScalar(b)
	case n.kind != 0:
		return false
	case n.children["~#0"] != nil:
		for i := range len(n.children) {
			b.WriteString(map[bool]string{true: "[", false: ","}[i == 0])
			if c := n.children["~#"+strconv.Itoa(i)]; c == nil || !c.print(b) {
				return false
			}
		}
		b.WriteByte(']')
		return true
	}
	sep := "{"
	for name, c := range n.children {
		quoted, err := json.Marshal(strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~"))
		if err != nil {
			return false
		}
		b.WriteString(sep + string(quoted) + ":")
		if sep = ","; !c.print(b) {
			return false
		}
	}
	b.WriteByte('}')
	return true
}

func (n *tree) printScalar(b *strings.Builder) bool {
	text, ok := map[byte]string{'n': n.value, 't': "true", 'f': "false", 'z': "null", 'o': "{}", 'a': "[]"}[n.kind]
	if n.kind == 's' {
		quoted, err := json.Marshal(n.value)
		text, ok = string(quoted), err == nil
	}
	b.WriteString(text)
	return ok
}
