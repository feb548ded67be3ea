package leaf

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// level is one container that walk is in. Its path stands in the arena, and its fields' paths begin with it.
type level struct {
	path, pathEnd uint32
	at            uint32 // where it begins in text
	next          uint32 // index of the next element, or number of members
	names         uint32 // where its names begin in Doc.names
	end           byte   // the bracket that closes it
}

// walk keeps the fields of the object that begins at i, in document order, and returns where it ends. It holds every rule of RFC 8259
// about what stands outside of strings; what is in them, and that no name stands twice in one object, only while judging.
func (d *Doc) walk(i int) (int, *Error) {
	text, depth := d.text, 0
	d.names = d.names[:0]
	in := d.enter(0, 0, 0, i)
	for i++; ; {
		if i = skip(text, i); i >= len(text) {
			return i, d.damaged(i)
		}
		var err *Error
		if text[i] == in.end {
			if err = d.leave(in); err != nil || depth == 0 {
				return i + 1, err
			}
			depth--
			in = &d.stack[depth]
			i++
			continue
		}
		if in.next > 0 {
			if text[i] != ',' {
				return i, d.damaged(i)
			}
			i = skip(text, i+1)
		}
		path := uint32(len(d.arena))
		if i, err = d.step(in, i); err != nil {
			return i, err
		}
		if depth == MaxComponents {
			return i, limit(TooDeep, tooDeep, d.arena[path:], i)
		}
		if text[i] == '{' || text[i] == '[' {
			depth++
			in = d.enter(depth, path, uint32(len(d.arena)), i)
			i++
			continue
		}
		if i, err = d.scalar(path, i); err != nil {
			return i, err
		}
	}
}

// enter goes into the container that begins at i, of which walk is in depth others.
func (d *Doc) enter(depth int, path, pathEnd uint32, i int) *level {
	in := &d.stack[depth]
	in.path, in.pathEnd, in.at, in.next, in.names = path, pathEnd, uint32(i), 0, uint32(len(d.names))
	in.end = d.text[i] + 2 // } follows { and ] follows [ at this distance
	return in
}

// leave goes out of a container; an empty one is a field.
func (d *Doc) leave(in *level) *Error {
	d.names = d.names[:in.names]
	if in.next > 0 {
		return nil
	}
	f, err := d.add(in.path, in.pathEnd, int(in.at))
	if err != nil {
		return err
	}
	if f.kind = EmptyObject; in.end == ']' {
		f.kind = EmptyArray
	}
	return nil
}

// add keeps a field whose value begins at i.
func (d *Doc) add(path, pathEnd uint32, i int) (*field, *Error) {
	n := len(d.fields)
	if n == MaxFields {
		return nil, limit(TooManyFields, "the event has more than 1,024 fields", d.arena[path:pathEnd], i)
	}
	d.fields = slices.Grow(d.fields, 1)[:n+1]
	f := &d.fields[n] // one by one: a whole field would be made elsewhere first and waited for
	f.path, f.pathEnd, f.at = path, pathEnd, uint32(i)
	f.value, f.valueEnd, f.unescaped = 0, 0, false
	return f, nil
}

// step goes to the value of the next element or member of in, which begins at i: it appends the value's path to the arena and
// returns where the value begins, within the text.
func (d *Doc) step(in *level, i int) (int, *Error) {
	start := len(d.arena)
	if in.end == '}' {
		var err *Error
		if i, err = d.name(in, i); err != nil {
			return i, err
		}
	} else {
		if i >= len(d.text) {
			return i, d.damaged(i)
		}
		d.arena = append(d.arena, d.arena[in.path:in.pathEnd]...)
		d.arena = append(d.arena, "/~#"...)
		d.arena = strconv.AppendUint(d.arena, uint64(in.next), 10)
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

// name appends the path of the member whose name begins at i, and returns where its value begins.
func (d *Doc) name(in *level, i int) (int, *Error) {
	text := d.text
	if i >= len(text) || text[i] != '"' {
		return i, d.damaged(i)
	}
	end := i + 1
	for end < len(text) && inName[text[end]] == 0 {
		end++
	}
	if end >= len(text) {
		return i, d.damaged(i)
	}
	// The path grows at once and is filled then: three appends took twice as long.
	start, above := len(d.arena), int(in.pathEnd-in.path)
	d.arena = slices.Grow(d.arena, above+end-i)[:start+above+end-i]
	path := d.arena[start:]
	copy(path, d.arena[in.path:in.pathEnd])
	path[above] = '/'
	if text[end] == '"' {
		copy(path[above+1:], text[i+1:end])
	} else {
		d.arena = d.arena[:start+above+1]
		if end = closing(text, i); end < 0 {
			return i, d.damaged(i)
		}
		if err := d.escape(text[i:end+1], in, i); err != nil {
			return i, err
		}
	}
	if d.judging && d.twice(in, start+above+1) {
		return i, d.damaged(i)
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

// scalar keeps the field of this path whose value, a scalar, begins at i, and returns where it ends.
func (d *Doc) scalar(path uint32, i int) (int, *Error) {
	f, err := d.add(path, uint32(len(d.arena)), i)
	if err != nil {
		return i, err
	}
	rest := d.text[i:]
	switch f.kind = rest[0]; {
	case f.kind == '"':
		return d.str(f, i)
	case bytes.HasPrefix(rest, []byte("true")), bytes.HasPrefix(rest, []byte("null")):
		if f.kind == 'n' {
			f.kind = Null
		}
		return i + len("true"), nil
	case bytes.HasPrefix(rest, []byte("false")):
		return i + len("false"), nil
	}
	n := number(rest)
	if n == 0 {
		return i, d.damaged(i)
	}
	f.kind, f.value, f.valueEnd = Number, uint32(i), uint32(i+n)
	return i + n, nil
}

// number returns the length of the number that b begins with; 0: there is none, or it ends too early.
func number(b []byte) int {
	i := 0
	if b[0] == '-' {
		i++
	}
	n := digits(b[i:])
	if n == 0 || n > 1 && b[i] == '0' {
		return 0
	}
	i += n
	if i < len(b) && b[i] == '.' {
		if n = digits(b[i+1:]); n == 0 {
			return 0
		}
		i += 1 + n
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if n = digits(b[i:]); n == 0 {
			return 0
		}
		i += n
	}
	return i
}

// digits returns how many digits b begins with.
func digits(b []byte) int {
	for i, c := range b {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(b)
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
	for i < len(text) && text[i] <= ' ' && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
		i++
	}
	return i
}
