package daybook

import (
	"bytes"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// The functions of this file walk JSON text that was read strictly before: they find where values begin and end and check nothing.

// members yields the name, in its quotes, and the value of each member of obj, as they are written.
func members(obj []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		i := skipSpace(obj, 0) + 1 // after the brace
		for {
			i = skipSpace(obj, i)
			if i < len(obj) && obj[i] == ',' {
				i = skipSpace(obj, i+1)
			}
			if i >= len(obj) || obj[i] != '"' {
				return
			}
			nameEnd := skipString(obj, i)
			start := skipSpace(obj, skipSpace(obj, nameEnd)+1) // after the colon
			end := skipValue(obj, start)
			if start >= end || !yield(obj[i:nameEnd], obj[start:end]) {
				return
			}
			i = end
		}
	}
}

// elements yields the values of the list, as they are written.
func elements(list []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		i := skipSpace(list, 0) + 1 // after the bracket
		for {
			i = skipSpace(list, i)
			if i < len(list) && list[i] == ',' {
				i = skipSpace(list, i+1)
			}
			end := skipValue(list, i)
			if i >= end || !yield(list[i:end]) {
				return
			}
			i = end
		}
	}
}

// skipSpace returns the first place from i on that is no white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipString returns the place after the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// skipValue returns the place after the value that begins at i.
func skipValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
			i++
		case ',', ':', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			for i < len(b) && !endsLiteral(b[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// endsLiteral reports whether c cannot stand in a number, true, false or null.
func endsLiteral(c byte) bool {
	switch c {
	case ',', ':', '{', '}', '[', ']', '"', ' ', '\n', '\r', '\t':
		return true
	}
	return false
}

// compacted returns text without its insignificant white space.
func compacted(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		switch text[i] {
		case ' ', '\n', '\r', '\t':
			i++
		case '"':
			end := skipString(text, i)
			out = append(out, text[i:end]...)
			i = end
		default:
			out = append(out, text[i])
			i++
		}
	}
	return out
}

// unquoted returns the string that the token stands for.
func unquoted(token []byte) string {
	if len(token) >= 2 && bytes.IndexByte(token, '\\') < 0 {
		return string(token[1 : len(token)-1])
	}
	b, err := jsontext.AppendUnquote(nil, token)
	if err != nil {
		return ""
	}
	return string(b)
}
