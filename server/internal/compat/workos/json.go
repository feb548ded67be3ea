package workos

import (
	"encoding/json"
	"slices"
)

// What follows reads JSON that leaf.Doc has already accepted: it cuts the text and checks nothing, so that every token stays as it was
// sent.

// member is one name of an object and the text of its value.
type member struct {
	name  string
	value []byte
}

// object returns the members of an object's text.
func object(text []byte) []member {
	var members []member
	i := skip(text, 1)
	for text[i] != '}' {
		end := valueEnd(text, i)
		m := member{name: unquote(text[i:end])}
		i = skip(text, end) // the colon
		i = skip(text, i+1)
		end = valueEnd(text, i)
		m.value = text[i:end]
		members = append(members, m)
		if i = skip(text, end); text[i] == ',' {
			i = skip(text, i+1)
		}
	}
	return members
}

// array returns the texts of an array's elements.
func array(text []byte) [][]byte {
	var elements [][]byte
	i := skip(text, 1)
	for text[i] != ']' {
		end := valueEnd(text, i)
		elements = append(elements, text[i:end])
		if i = skip(text, end); text[i] == ',' {
			i = skip(text, i+1)
		}
	}
	return elements
}

// find returns the text of a member's value; nil when it is missing.
func find(members []member, name string) []byte {
	for i := range members {
		if members[i].name == name {
			return members[i].value
		}
	}
	return nil
}

// unquote returns the value of a string's text.
func unquote(text []byte) string {
	inner := text[1 : len(text)-1]
	if slices.Contains(inner, '\\') {
		var s string
		_ = json.Unmarshal(text, &s) // accepted already
		return s
	}
	return string(inner)
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
