// Package rawjson cuts JSON that was accepted before into its tokens, so that every value stays as it was sent. It checks nothing: text
// that is not JSON makes it panic.
package rawjson

import (
	"encoding/json"
	"iter"
	"strings"
)

// Member is one name of an object and the text of its value.
type Member struct {
	Name  string
	Value []byte
}

// Members returns the members of an object's text, in its order.
func Members(text []byte) []Member {
	var members []Member
	i := skip(text, skip(text, 0)+1)
	for text[i] != '}' {
		end := valueEnd(text, i)
		m := Member{Name: Text(text[i:end])}
		i = skip(text, skip(text, end)+1) // after the colon
		end = valueEnd(text, i)
		m.Value = text[i:end]
		members = append(members, m)
		if i = skip(text, end); text[i] == ',' {
			i = skip(text, i+1)
		}
	}
	return members
}

// Elements yields the texts of a list's elements.
func Elements(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		i := skip(text, skip(text, 0)+1)
		for text[i] != ']' {
			end := valueEnd(text, i)
			if !yield(text[i:end]) {
				return
			}
			if i = skip(text, end); text[i] == ',' {
				i = skip(text, i+1)
			}
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
	return text[i:valueEnd(text, i)]
}

// IsObject reports whether text is that of an object. No text is none.
func IsObject(text []byte) bool { return len(text) > 0 && text[0] == '{' }

// IsNumber reports whether text is that of a number.
func IsNumber(text []byte) bool {
	return len(text) > 0 && (text[0] == '-' || text[0] >= '0' && text[0] <= '9')
}

// IsString reports whether text is that of a string.
func IsString(text []byte) bool { return len(text) > 0 && text[0] == '"' }

// Text returns the value of a string's text.
func Text(token []byte) string {
	inner := string(token[1 : len(token)-1])
	if strings.IndexByte(inner, '\\') >= 0 {
		var s string
		_ = json.Unmarshal(token, &s) // accepted already
		return s
	}
	return inner
}

// AppendText appends the JSON string of s.
func AppendText(dst []byte, s string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // strings always encode
	return append(dst, strings.TrimSuffix(b.String(), "\n")...)
}

func skip(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r' {
		i++
	}
	return i
}

// valueEnd returns the index after the value that begins at i.
func valueEnd(b []byte, i int) int {
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		depth := 0
		for {
			switch b[i] {
			case '"':
				i = stringEnd(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			i++
			if depth == 0 {
				return i
			}
		}
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\t', '\r':
			return i
		}
		i++
	}
	return i
}

// stringEnd returns the index after the closing quote of the string that begins at i.
func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}
