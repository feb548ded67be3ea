package leaf

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Read reads text as the payload of one event and keeps its fields, in document order. It accepts exactly one JSON object of RFC
// 8259 within the limits of this package, and refuses what two readers could understand differently: equal names in one object,
// bytes that are not UTF-8, lone surrogates, U+0000. The error is an [*Error]. After an error d has no fields.
func (d *Doc) Read(text []byte) error {
	d.text, d.fields, d.arena, d.paths, d.path, d.stack = text, d.fields[:0], d.arena[:0], 0, d.path[:0], d.stack[:0]
	if len(text) > MaxPayload {
		return d.refuse(&Error{Code: TooLarge, Offset: MaxPayload, Message: "the JSON text has more than 256 KiB"})
	}
	d.in = *bytes.NewBuffer(text)
	d.dec.Reset(&d.in)
	if d.dec.PeekKind() != '{' {
		return d.refuse(d.notObject())
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return d.refuse(d.syntax(err))
	}
	d.push(false)
	if err := d.members(); err != nil {
		return d.refuse(err)
	}
	if i := d.offset() + space(text[d.offset():]); i < len(text) {
		return d.refuse(&Error{Code: TrailingData, Offset: i, Message: "something follows the JSON object"})
	}
	return nil
}

// refuse drops what was read so far and returns err.
func (d *Doc) refuse(err *Error) error {
	d.fields = d.fields[:0]
	return err
}

// offset returns the end of the token read last.
func (d *Doc) offset() int { return int(d.dec.InputOffset()) }

// push enters the container whose first byte was read last.
func (d *Doc) push(array bool) {
	d.stack = append(d.stack, level{path: uint32(len(d.path)), at: uint32(d.offset() - 1), array: array})
}

// members reads from the inside of the top-level object to its end.
func (d *Doc) members() *Error {
	for len(d.stack) > 0 {
		in := &d.stack[len(d.stack)-1]
		d.path = d.path[:in.path]
		kind := d.dec.PeekKind()
		if kind == '}' || kind == ']' {
			if err := d.leave(in); err != nil {
				return err
			}
			continue
		}
		if in.array {
			d.path = strconv.AppendInt(append(d.path, "/~#"...), int64(in.next), 10)
		} else {
			if err := d.name(); err != nil {
				return err
			}
			kind = d.dec.PeekKind()
		}
		in.next++
		if len(d.stack) > MaxComponents {
			return d.limit(TooDeep, "a path has more than 32 components")
		}
		if len(d.path) > MaxPath {
			return d.limit(PathTooLong, "a path has more than 65,535 bytes")
		}
		if err := d.value(kind); err != nil {
			return err
		}
	}
	return nil
}

// leave reads the end of a container; an empty one is a field.
func (d *Doc) leave(in *level) *Error {
	if _, err := d.dec.ReadToken(); err != nil {
		return d.syntax(err)
	}
	d.stack = d.stack[:len(d.stack)-1]
	if in.next > 0 {
		return nil
	}
	kind := byte(EmptyObject)
	if in.array {
		kind = EmptyArray
	}
	return d.add(field{kind: kind, at: in.at})
}

// name reads the name of a member and appends it to the path.
func (d *Doc) name() *Error {
	token, err := d.dec.ReadValue()
	if err != nil {
		return d.syntax(err)
	}
	name := []byte(token[1 : len(token)-1])
	d.path = append(d.path, '/')
	plain := true
	for _, c := range name {
		plain = plain && !special[c]
	}
	if plain {
		d.path = append(d.path, name...)
		return nil
	}
	if bytes.IndexByte(name, '\\') >= 0 {
		start := len(d.arena)
		var err *Error
		if name, err = d.unescape(token); err != nil {
			return err
		}
		d.arena = d.arena[:start] // the bytes stay where they are until the next append, which is after the loop
	}
	for _, c := range name {
		switch c {
		case '~':
			d.path = append(d.path, "~0"...)
		case '/':
			d.path = append(d.path, "~1"...)
		default:
			d.path = append(d.path, c)
		}
	}
	return nil
}

// special holds the bytes of a name's token for which its path component is not the bytes between the quotes.
var special = [256]bool{'\\': true, '~': true, '/': true}

// value reads a scalar, or enters a container.
func (d *Doc) value(kind jsontext.Kind) *Error {
	if kind == '{' || kind == '[' {
		if _, err := d.dec.ReadToken(); err != nil {
			return d.syntax(err)
		}
		d.push(kind == '[')
		return nil
	}
	token, err := d.dec.ReadValue()
	if err != nil {
		return d.syntax(err)
	}
	end := uint32(d.offset())
	f := field{at: end - uint32(len(token)), kind: byte(kind)}
	switch kind {
	case '"':
		f.kind, f.value, f.valueEnd = String, f.at+1, end-1
		if bytes.IndexByte(token, '\\') >= 0 {
			start := len(d.arena)
			if _, err := d.unescape(token); err != nil {
				return err
			}
			f.unescaped, f.value, f.valueEnd = true, uint32(start), uint32(len(d.arena))
		}
	case '0':
		f.kind, f.value, f.valueEnd = Number, f.at, end
	case 'n':
		f.kind = Null
	default: // t and f are their own type bytes
	}
	return d.add(f)
}

// unescape appends the text of a string token to the arena and returns it.
func (d *Doc) unescape(token []byte) ([]byte, *Error) {
	start := len(d.arena)
	var err error
	if d.arena, err = jsontext.AppendUnquote(d.arena, token); err != nil {
		return nil, d.syntax(err)
	}
	text := d.arena[start:]
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, d.limit(NUL, "a string or name holds U+0000")
	}
	return text, nil
}

// add keeps a field with the path read last.
func (d *Doc) add(f field) *Error {
	if len(d.fields) == MaxFields {
		return d.limit(TooManyFields, "the event has more than 1,024 fields")
	}
	if d.paths += len(d.path); d.paths > MaxPaths {
		return d.limit(PathTooLong, "all paths together have more than 1 MiB")
	}
	f.path = uint32(len(d.arena))
	d.arena = append(d.arena, d.path...)
	f.pathEnd = uint32(len(d.arena))
	d.fields = append(d.fields, f)
	return nil
}

// space returns the length of the white space at the start of b.
func space(b []byte) int {
	for i, c := range b {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return i
		}
	}
	return len(b)
}
