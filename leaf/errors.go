package leaf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// The codes of an [Error].
const (
	InvalidUTF8   = "invalid_utf8"    // bytes that are not UTF-8
	Syntax        = "syntax"          // not JSON of RFC 8259
	LoneSurrogate = "lone_surrogate"  // half of a \uD800–\uDFFF pair
	NUL           = "nul"             // U+0000 in a string or name
	DuplicateKey  = "duplicate_key"   // two members of one object with equal names
	NotObject     = "not_object"      // the top level is no object
	TrailingData  = "trailing_data"   // something after the object
	TooDeep       = "too_deep"        // more than MaxComponents
	PathTooLong   = "path_too_long"   // more than MaxPath, or more than MaxPaths together
	TooManyFields = "too_many_fields" // more than MaxFields
	TooLarge      = "too_large"       // more than MaxPayload
)

const tooDeep = "a path has more than 32 components"

// Error says why a text is not a payload, and where.
type Error struct {
	Code    string // one of the codes above
	Pointer string // RFC 6901: the value or member meant; empty: the whole text. A very long one is cut to an enclosing value
	Message string // for people; holds at most a short piece of the text
	Offset  int    // byte of the text at or after which it happened
}

// Error returns the message and the place.
func (e *Error) Error() string {
	if e.Pointer == "" {
		return e.Message + " (byte " + strconv.Itoa(e.Offset) + ")"
	}
	return e.Message + " (byte " + strconv.Itoa(e.Offset) + ", " + e.Pointer + ")"
}

// limit refuses what is at offset i, at or below the value with this path.
func limit(code, message string, path []byte, i int) *Error {
	// A flattened path differs from RFC 6901 only in the mark of array elements, which cannot come from a name.
	pointer := bytes.ReplaceAll(path, []byte("/~#"), []byte("/"))
	return &Error{Code: code, Pointer: cut(string(pointer)), Offset: i, Message: message}
}

// damaged refuses a text that Read cannot have accepted.
func (d *Doc) damaged(i int) *Error {
	return &Error{Code: Syntax, Offset: min(i, len(d.text)), Message: "the stored JSON text is damaged"}
}

// notObject refuses a text that begins at start with something else than an object. A scalar that cannot be read is a syntax
// error; an array is refused unread.
func (d *Doc) notObject(start int) *Error {
	d.in = *bytes.NewBuffer(d.text)
	d.dec.Reset(&d.in)
	kind := d.dec.PeekKind()
	if kind != '[' {
		if _, err := d.dec.ReadValue(); err != nil {
			return d.syntax(err)
		}
	}
	what := map[jsontext.Kind]string{'[': "an array", '"': "a string", '0': "a number", 't': "true", 'f': "false", 'n': "null"}[kind]
	return &Error{Code: NotObject, Message: "an event is a JSON object, not " + what, Offset: start}
}

// syntax makes an error of the tokenizer ours.
func (d *Doc) syntax(err error) *Error {
	e := &Error{Code: Syntax, Offset: len(d.text)}
	var at *jsontext.SyntacticError
	if errors.As(err, &at) {
		e.Offset, e.Pointer, err = int(at.ByteOffset), string(at.JSONPointer), at.Err
	}
	depth, quoted := inside(d.text[:min(e.Offset, len(d.text))])
	if depth > MaxComponents+1 {
		// Refused for this whatever else is wrong, as the tokenizer gives up at a depth of its own.
		return &Error{Code: TooDeep, Pointer: cut(e.Pointer), Offset: e.Offset, Message: tooDeep}
	}
	rest := d.text[min(e.Offset, len(d.text)):]
	switch r, n := utf8.DecodeRune(rest); {
	case errors.Is(err, jsontext.ErrDuplicateName):
		e.Code = DuplicateKey
		e.Message = fmt.Sprintf("the name %q stands twice in one object", short(at.JSONPointer.LastToken()))
	case len(d.text) == space(d.text):
		e.Message = "the text is empty"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Message = "the JSON text ends too early"
	case r == utf8.RuneError && n == 1:
		e.Code, e.Message = InvalidUTF8, fmt.Sprintf("the byte 0x%02x is not UTF-8 here", rest[0])
	case quoted && surrogate(rest):
		e.Code, e.Message = LoneSurrogate, "the escape "+string(rest[:6])+" is half of a surrogate pair"
	default:
		e.Message = short(err.Error())
	}
	e.Pointer = cut(e.Pointer)
	return e
}

// inside returns how many containers are open at the end of b, and whether a string is.
func inside(b []byte) (depth int, quoted bool) {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			if i = closing(b, i); i < 0 {
				return depth, true
			}
		}
	}
	return depth, false
}

// surrogate reports whether b begins with the escape of a surrogate.
func surrogate(b []byte) bool {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return false
	}
	v, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return err == nil && v >= 0xd800 && v <= 0xdfff
}

// Longer texts of a caller are shortened in errors.
const (
	maxShort   = 200
	maxPointer = 1024
)

// short returns at most the first 200 bytes of s.
func short(s string) string {
	if len(s) <= maxShort {
		return s
	}
	return strings.ToValidUTF8(s[:maxShort], "") + "…"
}

// cut returns p, or the pointer to an enclosing value if p is longer than 1 KiB.
func cut(p string) string {
	for len(p) > maxPointer {
		p = p[:strings.LastIndexByte(p, '/')]
	}
	return p
}
