package daybookhttp

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// redactor treats what has a name.
type redactor struct {
	names  func(string) Treatment
	secret []byte
}

const masked = `{"$masked":true}`

// ErrJSON says that a text is not strict JSON: one value of RFC 8259, in UTF-8, without equal names in one object.
var ErrJSON = errors.New("daybookhttp: not strict JSON")

// Redact returns a JSON value with every member below it treated as names says, at any depth; nil: [DefaultNames]. Hash is Mask here.
// The error is ErrJSON.
func Redact(value json.RawMessage, names func(string) Treatment) (json.RawMessage, error) {
	if names == nil {
		names = DefaultNames
	}
	r := redactor{names: names}
	out, ok := r.body(value, jsonBody, false)
	if !ok {
		return nil, ErrJSON
	}
	return out, nil
}

// body redacts a body. With beginning it may be cut anywhere, and what is whole of it comes back; false: it is not what it says.
func (r *redactor) body(text []byte, k kind, beginning bool) (json.RawMessage, bool) {
	if k == formBody {
		return r.form(string(text), !beginning)
	}
	w := rewriter{redactor: r, in: jsontext.NewDecoder(bytes.NewReader(text)), out: make([]byte, 0, len(text))}
	err := w.value()
	if err == nil && !beginning {
		if _, err = w.in.ReadToken(); errors.Is(err, io.EOF) {
			return w.out, true
		}
		return nil, false
	}
	if beginning && (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) && len(w.out) > 0 {
		return w.out, true
	}
	return nil, false
}

// treated adds what becomes of a value under a name; nothing when it is dropped. keep adds the value itself.
func (r *redactor) treated(dst []byte, name string, value []byte) []byte {
	switch r.names(name) {
	case Keep:
		return append(dst, value...)
	case Drop:
		return dst
	case Hash:
		if len(r.secret) > 0 {
			mac := hmac.New(sha256.New, r.secret)
			mac.Write(value)
			dst = append(dst, `{"$hash":"`...)
			dst = base64.StdEncoding.AppendEncode(dst, mac.Sum(nil))
			return append(dst, `"}`...)
		}
	case Mask:
	}
	return append(dst, masked...)
}

// rewriter copies JSON and treats its members on the way.
type rewriter struct {
	*redactor
	in  *jsontext.Decoder
	out []byte
}

// value copies the next value. When the text ends in it, the objects and lists that are open are closed, and what was whole stays.
func (w *rewriter) value() error {
	switch w.in.PeekKind() { //nolint:exhaustive // the others are read as they are
	case '{':
		return w.object()
	case '[':
		return w.list()
	}
	v, err := w.in.ReadValue()
	if err != nil {
		return err
	}
	w.out = append(w.out, v...)
	return nil
}

func (w *rewriter) object() error {
	if _, err := w.in.ReadToken(); err != nil {
		return err
	}
	w.out = append(w.out, '{')
	defer func() { w.out = append(w.out, '}') }()
	for first := true; ; {
		if w.in.PeekKind() == '}' {
			_, err := w.in.ReadToken()
			return err
		}
		quoted, err := w.in.ReadValue()
		if err != nil {
			return err
		}
		quoted = bytes.Clone(quoted)
		var name string
		if err := json.Unmarshal(quoted, &name); err != nil {
			return err
		}
		mark := len(w.out)
		if !first {
			w.out = append(w.out, ',')
		}
		w.out = append(append(w.out, quoted...), ':')
		start := len(w.out)
		err = w.member(name)
		if len(w.out) == start {
			w.out = w.out[:mark]
		} else {
			first = false
		}
		if err != nil {
			return err
		}
	}
}

// member copies the value of a member, or what stands for it.
func (w *rewriter) member(name string) error {
	if w.names(name) == Keep {
		return w.value()
	}
	v, err := w.in.ReadValue()
	if err != nil {
		return err
	}
	w.out = w.treated(w.out, name, v)
	return nil
}

func (w *rewriter) list() error {
	if _, err := w.in.ReadToken(); err != nil {
		return err
	}
	w.out = append(w.out, '[')
	defer func() { w.out = append(w.out, ']') }()
	for first := true; ; first = false {
		if w.in.PeekKind() == ']' {
			_, err := w.in.ReadToken()
			return err
		}
		mark := len(w.out)
		if !first {
			w.out = append(w.out, ',')
		}
		start := len(w.out)
		if err := w.value(); err != nil {
			if len(w.out) == start {
				w.out = w.out[:mark]
			}
			return err
		}
	}
}

// values returns an object of names and their values, treated: a string for one, a list for several. Empty ones are left out.
func (r *redactor) values(values map[string][]string) json.RawMessage {
	out := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list := values[name]
		if len(list) == 0 {
			continue
		}
		var value []byte
		if len(list) == 1 {
			value = quoted(list[0])
		} else {
			value = []byte{'['}
			for i, one := range list {
				if i > 0 {
					value = append(value, ',')
				}
				value = append(value, quoted(one)...)
			}
			value = append(value, ']')
		}
		mark := len(out)
		if mark > 1 {
			out = append(out, ',')
		}
		out = append(append(out, quoted(name)...), ':')
		start := len(out)
		if out = r.treated(out, name, value); len(out) == start {
			out = out[:mark]
		}
	}
	return append(out, '}')
}

// quoted returns s as JSON; what a log cannot hold, U+0000 and bytes that are not UTF-8, is replaced.
func quoted(s string) []byte {
	text, err := jsontext.AppendQuote(nil, recordable(s))
	if err != nil { // it is UTF-8
		return []byte(`""`)
	}
	return text
}

// recordable returns s as a log can hold it.
func recordable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// query returns the parameters of a query, redacted; nil when there are none.
func (r *redactor) query(raw string) json.RawMessage {
	if raw == "" {
		return nil
	}
	values, _ := url.ParseQuery(raw) // what it can read of a broken one
	if len(values) == 0 {
		return nil
	}
	return fitted(r.values(values))
}
