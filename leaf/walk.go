package leaf

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// The functions of this file find fields in a text that the tokenizer has accepted, so they need not judge it: they tell tokens
// apart by their first byte. They check bounds and limits only, because ReadTrusted may be given a damaged text.

// level is one container that walk is in. Its path stands in the arena, and its fields' paths begin with it.
type level struct {
	path, pathEnd uint32
	at            uint32 // where it begins in text
	next          uint32 // index of the next element, or number of members
	array         bool
}

// walk keeps the fields of the object that begins at i, in document order.
func (d *Doc) walk(i int) *Error {
	text := d.text
	d.stack[0] = level{at: uint32(i)}
	depth := 0
	for i++; ; {
		in := &d.stack[depth]
		if i = skip(text, i); i < len(text) && text[i] == ',' {
			i = skip(text, i+1)
		}
		if i >= len(text) {
			return d.damaged(i)
		}
		if text[i] == '}' || text[i] == ']' {
			if err := d.leave(in, i); err != nil {
				return err
			}
			if depth--; depth < 0 {
				return nil
			}
			i++
			continue
		}
		f := field{path: uint32(len(d.arena))}
		var err *Error
		if i, err = d.step(in, i); err != nil {
			return err
		}
		if f.pathEnd = uint32(len(d.arena)); depth == MaxComponents {
			return limit(TooDeep, tooDeep, d.arena[f.path:f.pathEnd], i)
		}
		if text[i] == '{' || text[i] == '[' {
			depth++
			d.stack[depth] = level{path: f.path, pathEnd: f.pathEnd, at: uint32(i), array: text[i] == '['}
			i++
			continue
		}
		f.at = uint32(i)
		if i, err = d.scalar(&f, i); err != nil {
			return err
		}
		if err = d.add(f, i); err != nil {
			return err
		}
	}
}

// leave ends a container at i; an empty one is a field.
func (d *Doc) leave(in *level, i int) *Error {
	if in.next > 0 {
		return nil
	}
	f := field{path: in.path, pathEnd: in.pathEnd, at: in.at, kind: EmptyObject}
	if in.array {
		f.kind = EmptyArray
	}
	return d.add(f, i)
}

// add keeps f, whose value ends at i.
func (d *Doc) add(f field, i int) *Error {
	if len(d.fields) == MaxFields {
		return limit(TooManyFields, "the event has more than 1,024 fields", d.arena[f.path:f.pathEnd], i)
	}
	d.fields = append(d.fields, f)
	return nil
}

// step goes to the value of the next element or member of in, which begins at i: it appends the value's path to the arena and
// returns where the value begins, within the text.
func (d *Doc) step(in *level, i int) (int, *Error) {
	start := len(d.arena)
	d.arena = append(d.arena, d.arena[in.path:in.pathEnd]...)
	if in.array {
		d.arena = append(d.arena, "/~#"...)
		d.arena = strconv.AppendUint(d.arena, uint64(in.next), 10)
	} else {
		var err *Error
		if i, err = d.name(in, i); err != nil {
			return i, err
		}
	}
	in.next++
	n := len(d.arena) - start
	if d.paths += n; n > MaxPath {
		return i, limit(PathTooLong, "a path has more than 65,535 bytes", d.arena[in.path:in.pathEnd], i)
	} else if d.paths > MaxPaths {
		return i, limit(PathTooLong, "all paths together have more than 1 MiB", d.arena[in.path:in.pathEnd], i)
	}
	return i, nil
}

// The bytes of a name at which the fast copy stops.
const (
	endOfName = 1 + iota
	escaped
)

var inName = [256]uint8{'"': endOfName, '\\': escaped, '~': escaped, '/': escaped}

// name appends the component of the member whose name begins at i, and returns where its value begins.
func (d *Doc) name(in *level, i int) (int, *Error) {
	text := d.text
	if text[i] != '"' {
		return i, d.damaged(i)
	}
	end := i + 1
	for end < len(text) && inName[text[end]] == 0 {
		end++
	}
	if end >= len(text) {
		return i, d.damaged(i)
	}
	if text[end] == '"' {
		d.arena = append(append(d.arena, '/'), text[i+1:end]...)
	} else if end = closing(text, i); end < 0 {
		return i, d.damaged(i)
	} else if err := d.escape(text[i:end+1], in, i); err != nil {
		return i, err
	}
	end = skip(text, end+1)
	if end >= len(text) || text[end] != ':' {
		return i, d.damaged(end)
	}
	if end = skip(text, end+1); end >= len(text) {
		return i, d.damaged(end)
	}
	return end, nil
}

// escape appends the component of the member whose name is the token at i: unescaped as JSON, escaped as a path.
func (d *Doc) escape(token []byte, in *level, i int) *Error {
	name := token[1 : len(token)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var err error
		if d.unquoted, err = jsontext.AppendUnquote(d.unquoted[:0], token); err != nil {
			return d.damaged(i)
		}
		if name = d.unquoted; bytes.IndexByte(name, 0) >= 0 {
			return limit(NUL, "a name holds U+0000", d.arena[in.path:in.pathEnd], i)
		}
	}
	d.arena = append(d.arena, '/')
	for _, c := range name {
		switch c {
		case '~':
			d.arena = append(d.arena, "~0"...)
		case '/':
			d.arena = append(d.arena, "~1"...)
		default:
			d.arena = append(d.arena, c)
		}
	}
	return nil
}

// scalar fills f from the scalar that begins at i and returns where it ends.
func (d *Doc) scalar(f *field, i int) (int, *Error) {
	text := d.text
	switch f.kind = text[i]; f.kind {
	case '"':
		return d.str(f, i)
	case 't':
		i += len("true")
	case 'f':
		i += len("false")
	case 'n':
		f.kind = Null
		i += len("null")
	default:
		f.kind, f.value = Number, uint32(i)
		for i < len(text) && inNumber[text[i]] {
			i++
		}
		f.valueEnd = uint32(i)
		if f.value == f.valueEnd {
			return i, d.damaged(i)
		}
	}
	return i, nil
}

// inNumber holds the bytes of a number's token.
var inNumber = [256]bool{
	'0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true, '8': true, '9': true,
	'-': true, '+': true, '.': true, 'e': true, 'E': true,
}

// str fills f from the string that begins at i and returns where it ends. A string without escapes stays where it is.
func (d *Doc) str(f *field, i int) (int, *Error) {
	text := d.text
	n := bytes.IndexByte(text[i+1:], '"')
	if n < 0 {
		return i, d.damaged(i)
	}
	end := i + 1 + n
	if !d.escapes || bytes.IndexByte(text[i+1:end], '\\') < 0 {
		f.kind, f.value, f.valueEnd = String, uint32(i+1), uint32(end)
		return end + 1, nil
	}
	if end = closing(text, i); end < 0 {
		return i, d.damaged(i)
	}
	start := len(d.arena)
	var err error
	if d.arena, err = jsontext.AppendUnquote(d.arena, text[i:end+1]); err != nil {
		return i, d.damaged(i)
	}
	if bytes.IndexByte(d.arena[start:], 0) >= 0 {
		return i, limit(NUL, "a string holds U+0000", d.arena[f.path:f.pathEnd], i)
	}
	f.kind, f.unescaped, f.value, f.valueEnd = String, true, uint32(start), uint32(len(d.arena))
	return end + 1, nil
}

// closing returns where the string that begins at i has its closing quote, or -1.
func closing(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

// skip returns the first place from i that is not white space.
func skip(text []byte, i int) int {
	for i < len(text) && text[i] <= ' ' {
		i++
	}
	return i
}
