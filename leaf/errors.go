package leaf

import (
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

// limit refuses the value read last.
func (d *Doc) limit(code, message string) *Error {
	return &Error{Code: code, Pointer: cut(string(d.dec.StackPointer())), Offset: d.offset(), Message: message}
}

// notObject refuses a text that does not begin with an object. A scalar that cannot be read is a syntax error; an array is refused
// unread.
func (d *Doc) notObject() *Error {
	kind := d.dec.PeekKind()
	if kind != '[' {
		if _, err := d.dec.ReadValue(); err != nil {
			return d.syntax(err)
		}
	}
	what := map[jsontext.Kind]string{'[': "an array", '"': "a string", '0': "a number", 't': "true", 'f': "false", 'n': "null"}[kind]
	return &Error{Code: NotObject, Message: "an event is a JSON object, not " + what, Offset: space(d.text)}
}

// syntax makes an error of the tokenizer ours.
func (d *Doc) syntax(err error) *Error {
	e := &Error{Code: Syntax, Offset: len(d.text)}
	var at *jsontext.SyntacticError
	if errors.As(err, &at) {
		e.Offset, e.Pointer, err = int(at.ByteOffset), string(at.JSONPointer), at.Err
	}
	rest := d.text[min(e.Offset, len(d.text)):]
	switch r, n := utf8.DecodeRune(rest); {
	case errors.Is(err, jsontext.ErrDuplicateName):
		e.Code = DuplicateKey
		e.Message = fmt.Sprintf("the name %q stands twice in one object", short(at.JSONPointer.LastToken()))
	case r == utf8.RuneError && n == 1:
		e.Code, e.Message = InvalidUTF8, fmt.Sprintf("the byte 0x%02x is not UTF-8 here", rest[0])
	case surrogate(rest):
		e.Code, e.Message = LoneSurrogate, "the escape "+string(rest[:6])+" is half of a surrogate pair"
	case len(d.text) == space(d.text):
		e.Message = "the text is empty"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Message = "the JSON text ends too early"
	default:
		e.Message = short(err.Error())
	}
	e.Pointer = cut(e.Pointer)
	return e
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
