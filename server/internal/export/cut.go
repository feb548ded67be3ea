package export

import "bytes"

// What follows cuts JSON that was accepted when it was recorded: it looks for where values end and judges nothing, so that every token
// stays as it was sent. A text that was damaged since gives wrong pieces, never an index out of range.

// member is one member of an object.
type member struct {
	name, value []byte
	ok          bool // false: the object has ended
	text        []byte
	at          int // where what follows begins
}

// firstMember returns the first member of an object's text; none of any other text.
func firstMember(text []byte) member {
	if len(text) == 0 || text[0] != '{' {
		return member{}
	}
	return member{text: text, at: 1}.next()
}

// next returns the member after m.
func (m member) next() member {
	text, i := m.text, separator(m.text, m.at)
	if i >= len(text) || text[i] != '"' {
		return member{}
	}
	end := stringEnd(text, i)
	name := text[i+1 : max(end-1, i+1)]
	if hasBackslash(name) {
		name = unquote(text[i:end])
	}
	i = separator(text, end)
	end = valueEnd(text, i)
	if i >= end {
		return member{}
	}
	return member{name: name, value: text[i:end], ok: true, text: text, at: end}
}

// element is one element of a list.
type element struct {
	value []byte
	ok    bool // false: the list has ended
	text  []byte
	at    int
}

// firstElement returns the first element of a list's text.
func firstElement(text []byte) element {
	if len(text) == 0 || text[0] != '[' {
		return element{}
	}
	return element{text: text, at: 1}.next()
}

// next returns the element after e.
func (e element) next() element {
	i := separator(e.text, e.at)
	if i >= len(e.text) || e.text[i] == ']' {
		return element{}
	}
	end := valueEnd(e.text, i)
	if end <= i {
		return element{}
	}
	return element{value: e.text[i:end], ok: true, text: e.text, at: end}
}

// separator returns the place of the first byte from i on that is no white space, comma or colon.
func separator(b []byte, i int) int {
	for i < len(b) && (b[i] <= ' ' || b[i] == ',' || b[i] == ':') {
		i++
	}
	return i
}

// valueEnd returns the index after the value that begins at i.
func valueEnd(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		return containerEnd(b, i)
	}
	for i < len(b) && b[i] > ' ' && b[i] != ',' && b[i] != '}' && b[i] != ']' {
		i++
	}
	return i
}

func containerEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
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
	return len(b)
}

// stringEnd returns the index after the closing quote of the string that begins at i.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		if n == 0 || b[i+n-1] != '\\' {
			return i + n + 1
		}
		escapes := 0
		for k := i + n - 1; k >= i && b[k] == '\\'; k-- {
			escapes++
		}
		if i += n + 1; escapes%2 == 0 {
			return i
		}
	}
	return len(b)
}

func hasBackslash(b []byte) bool { return bytes.IndexByte(b, '\\') >= 0 }
