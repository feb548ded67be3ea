// Package rawjson cuts JSON that was read strictly before into its values, so that every token stays as it was sent. It looks for where
// values end and judges nothing: text that is not JSON, or was damaged since, gives wrong pieces, never a panic and never an index out of
// range. Nothing is copied unless it says so.
package rawjson

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Member is one name of an object and the text of its value.
type Member struct {
	Name  string
	Value []byte
}

// Each yields the name, in its quotes, and the value of each member of an object's text, as they are written and in its order; nothing of
// any other text.
func Each(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		i := skip(object, 0)
		if i >= len(object) || object[i] != '{' {
			return
		}
		for i++; ; {
			i = separator(object, i)
			if i >= len(object) || object[i] != '"' {
				return
			}
			nameEnd := stringEnd(object, i)
			start := separator(object, nameEnd)
			end := End(object, start)
			if start >= end || !yield(object[i:nameEnd], object[start:end]) {
				return
			}
			i = end
		}
	}
}

// Members returns the members of an object's text, in its order.
func Members(object []byte) []Member {
	var members []Member
	for name, value := range Each(object) {
		members = append(members, Member{Name: Text(name), Value: value})
	}
	return members
}

// Elements yields the texts of a list's elements; nothing of any other text.
func Elements(list []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		i := skip(list, 0)
		if i >= len(list) || list[i] != '[' {
			return
		}
		for i++; ; {
			i = separator(list, i)
			end := End(list, i)
			if i >= end || !yield(list[i:end]) {
				return
			}
			i = end
		}
	}
}

// Find returns the text of a member's value; nil when it is missing.
func Find(members []Member, name string) []byte {
	for i := range members {
		if members[i].Name == name {
			return members[i].Value
		}
	}
	return nil
}

// At returns the value at a path of member names below the text of a value; nil when there is none.
func At(text []byte, path ...string) []byte {
	for _, name := range path {
		if !IsObject(text) {
			return nil
		}
		text = Find(Members(text), name)
	}
	return text
}

// Trim returns the text of a value without the white space around it.
func Trim(text []byte) []byte {
	i := skip(text, 0)
	return text[i:End(text, i)]
}

// NotNull returns text, or nil when it is null.
func NotNull(text []byte) []byte {
	if string(text) == "null" {
		return nil
	}
	return text
}

// IsObject reports whether text is that of an object. No text is none.
func IsObject(text []byte) bool { return len(text) > 0 && text[0] == '{' }

// IsNumber reports whether text is that of a number.
func IsNumber(text []byte) bool {
	return len(text) > 0 && (text[0] == '-' || text[0] >= '0' && text[0] <= '9')
}

// IsString reports whether text is that of a string.
func IsString(text []byte) bool { return len(text) > 0 && text[0] == '"' }

// Text returns a copy of what a string's text, with its quotes, stands for.
func Text(token []byte) string { return string(Bytes(token)) }

// Bytes returns what a string's text, with its quotes, stands for: a part of token, unless it holds an escape.
func Bytes(token []byte) []byte {
	if len(token) < 2 {
		return nil
	}
	if bytes.IndexByte(token, '\\') < 0 {
		return token[1 : len(token)-1]
	}
	b, err := jsontext.AppendUnquote(nil, token)
	if err != nil {
		return nil
	}
	return b
}

// AppendText appends the JSON string of s.
func AppendText(dst []byte, s string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // strings always encode
	return append(dst, strings.TrimSuffix(b.String(), "\n")...)
}

// Quote appends the JSON string of text, with no more escapes than it needs; of what is not UTF-8, which strict reading refuses, the empty
// string.
func Quote(dst, text []byte) []byte {
	out, err := jsontext.AppendQuote(dst, text)
	if err != nil {
		return append(dst, `""`...)
	}
	return out
}

// Comma appends a comma unless an object or list was just opened.
func Comma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last == '{' || last == '[' {
		return dst
	}
	return append(dst, ',')
}

// Compact returns a copy of text without its insignificant white space.
func Compact(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		switch text[i] {
		case ' ', '\n', '\r', '\t':
			i++
		case '"':
			end := stringEnd(text, i)
			out = append(out, text[i:end]...)
			i = end
		default:
			out = append(out, text[i])
			i++
		}
	}
	return out
}

// End returns the place after the value that begins at i; i itself where none begins, and the length of text for a value that does not end.
func End(text []byte, i int) int {
	if i >= len(text) {
		return len(text)
	}
	switch text[i] {
	case '"':
		return stringEnd(text, i)
	case '{', '[':
		return containerEnd(text, i)
	}
	for i < len(text) {
		switch text[i] {
		case ',', ':', '{', '}', '[', ']', '"', ' ', '\n', '\t', '\r':
			return i
		}
		i++
	}
	return i
}

func containerEnd(text []byte, i int) int {
	depth := 0
	for i < len(text) {
		switch text[i] {
		case '"':
			i = stringEnd(text, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(text)
}

// stringEnd returns the place after the closing quote of the string that begins at i. It looks from quote to quote: most strings hold no
// escape.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return len(text)
		}
		escapes := 0
		for k := i + n - 1; k >= i && text[k] == '\\'; k-- {
			escapes++
		}
		if i += n + 1; escapes%2 == 0 {
			return i
		}
	}
	return len(text)
}

// skip returns the first place from i on that is no white space.
func skip(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// separator returns the first place from i on that is no white space, comma or colon.
func separator(b []byte, i int) int {
	for i < len(b) && (b[i] <= ' ' || b[i] == ',' || b[i] == ':') {
		i++
	}
	return i
}
