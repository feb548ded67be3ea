package leaf_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/daybook-audit/daybook/leaf"
)

// A second reader, for the fuzz tests: slow, over encoding/json, written from the document and not from the package.

// node is one JSON value.
type node struct {
	kind    byte // s n t f z o a, where o and a need not be empty
	text    string
	names   []string
	members []*node
}

// parse returns the value of a text that json.Valid accepts.
func parse(text []byte) *node {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return next(d)
}

func next(d *json.Decoder) *node {
	token, err := d.Token()
	if err != nil {
		panic(err)
	}
	switch v := token.(type) {
	case string:
		return &node{kind: 's', text: v}
	case json.Number:
		return &node{kind: 'n', text: string(v)}
	case bool:
		return &node{kind: map[bool]byte{true: 't', false: 'f'}[v]}
	case nil:
		return &node{kind: 'z'}
	}
	n := &node{kind: 'a'}
	if token == json.Delim('{') {
		n.kind = 'o'
	}
	for d.More() {
		if n.kind == 'o' {
			name, err := d.Token()
			if err != nil {
				panic(err)
			}
			n.names = append(n.names, fmt.Sprint(name))
		}
		n.members = append(n.members, next(d))
	}
	if _, err := d.Token(); err != nil {
		panic(err)
	}
	return n
}

// verdict is what a naive reader finds out about a valid JSON text.
type verdict struct {
	codes  map[string]bool // every reason to refuse it
	fields []field         // in document order
	paths  int
}

func judge(text []byte) *verdict {
	v := &verdict{codes: map[string]bool{}}
	if len(text) > 256*1024 {
		v.codes["too_large"] = true
	}
	if !utf8.Valid(text) {
		v.codes["invalid_utf8"] = true
	}
	if loneSurrogate(string(text)) {
		v.codes["lone_surrogate"] = true
	}
	top := parse(text)
	if top.kind != 'o' {
		v.codes["not_object"] = true
		return v
	}
	v.visit(top, "", 0)
	if len(v.fields) > 1024 {
		v.codes["too_many_fields"] = true
	}
	if v.paths > 1<<20 {
		v.codes["path_too_long"] = true
	}
	return v
}

func (v *verdict) visit(n *node, path string, components int) {
	v.paths += len(path)
	if components > 32 {
		v.codes["too_deep"] = true
	}
	if len(path) > 65535 {
		v.codes["path_too_long"] = true
	}
	if strings.Contains(n.text, "\x00") {
		v.codes["nul"] = true
	}
	if len(n.members) == 0 {
		v.fields = append(v.fields, field{Path: path, Type: string(n.kind), Value: n.text})
	}
	seen := map[string]bool{}
	for i, m := range n.members {
		component := "~#" + strconv.Itoa(i)
		if n.kind == 'o' {
			name := n.names[i]
			if seen[name] {
				v.codes["duplicate_key"] = true
			}
			if strings.Contains(name, "\x00") {
				v.codes["nul"] = true
			}
			seen[name] = true
			component = strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
		}
		v.visit(m, path+"/"+component, components+1)
	}
}

// loneSurrogate looks at the escapes of a text. encoding/json replaces lone surrogates silently.
func loneSurrogate(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		r, ok := escape(s[i:])
		if !ok {
			i++
			continue
		}
		i += 5
		if !utf16.IsSurrogate(r) {
			continue
		}
		low, ok := escape(s[i+1:])
		if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// escape returns the code unit of the \uXXXX that s begins with.
func escape(s string) (rune, bool) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, false
	}
	r, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(r), err == nil
}

// rewrite prints n as another text of the same payload: members in random order, random white space, random escapes.
func rewrite(b *strings.Builder, n *node, r *rand.Rand) {
	blank := func() { b.WriteString([]string{"", "", " ", "\n\t", "\r\n  "}[r.IntN(5)]) }
	switch n.kind {
	case 's':
		quote(b, n.text, r)
	case 'n':
		b.WriteString(n.text)
	case 't':
		b.WriteString("true")
	case 'f':
		b.WriteString("false")
	case 'z':
		b.WriteString("null")
	case 'a':
		b.WriteByte('[')
		for i, m := range n.members {
			if i > 0 {
				b.WriteByte(',')
			}
			blank()
			rewrite(b, m, r)
			blank()
		}
		blank()
		b.WriteByte(']')
	case 'o':
		b.WriteByte('{')
		for k, i := range r.Perm(len(n.members)) {
			if k > 0 {
				b.WriteByte(',')
			}
			blank()
			quote(b, n.names[i], r)
			blank()
			b.WriteByte(':')
			blank()
			rewrite(b, n.members[i], r)
			blank()
		}
		blank()
		b.WriteByte('}')
	}
}

func quote(b *strings.Builder, s string, r *rand.Rand) {
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || r.IntN(4) == 0:
			for _, u := range utf16.AppendRune(nil, c) {
				fmt.Fprintf(b, []string{`\u%04x`, `\u%04X`}[r.IntN(2)], u)
			}
		case c == '/' && r.IntN(2) == 0:
			b.WriteString(`\/`)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
}

// sorted returns fields in the order of their indexes.
func sorted(fs []field) []field {
	out := append([]field(nil), fs...)
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out
}

// shownForm is a fields form of which fuzzing and tests may withhold some fields.
func shownForm(d *leaf.Doc, secret *[16]byte, withhold uint64) []leaf.Field {
	fs := d.Fields(secret)
	for i := range fs {
		if withhold>>(i%64)&1 == 1 {
			fs[i] = leaf.Field{Withheld: true, Commitment: fs[i].Commit()}
		}
	}
	return fs
}
