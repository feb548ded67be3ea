package verify

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"
)

// maxLine bounds a line with its newline.
const maxLine = 2 << 20

// The errors of reading lines.
var (
	errLong    = errors.New("the line has more than 2 MiB")
	errCut     = errors.New("the file ends within a line")
	errDamaged = errors.New("the compressed data is damaged")
	errRead    = errors.New("the file cannot be read")
)

// lineReader cuts a stream into lines, uncompressing it if it begins like gzip.
type lineReader struct {
	in   *bufio.Reader
	gzip bool
	long []byte // a line that does not fit the buffer of in
}

func newLineReader(r io.Reader) (*lineReader, error) {
	l := &lineReader{in: bufio.NewReaderSize(r, 64<<10)}
	if magic, err := l.in.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return l, nil //nolint:nilerr // an error comes again with the first line
	}
	z, err := gzip.NewReader(l.in)
	l.gzip = true
	if err != nil {
		return nil, l.reason(err)
	}
	l.in = bufio.NewReaderSize(z, 64<<10)
	return l, nil
}

// next returns the next line with its newline, valid until the next call, and io.EOF after the last.
func (l *lineReader) next() ([]byte, error) {
	line, err := l.in.ReadSlice('\n')
	if err == nil {
		return line, nil
	}
	l.long = l.long[:0]
	for {
		if l.long = append(l.long, line...); len(l.long) > maxLine {
			return nil, errLong
		}
		switch {
		case err == nil:
			return l.long, nil
		case errors.Is(err, io.EOF) && len(l.long) > 0:
			return nil, errCut
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, l.reason(err)
		}
		line, err = l.in.ReadSlice('\n')
	}
}

// reason tells damaged compression from a source that cannot be read.
func (l *lineReader) reason(err error) error {
	var corrupt flate.CorruptInputError
	if l.gzip && (errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &corrupt)) {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("%w: %w", errRead, err)
}

// member is one member of a JSON object: its name, and its value as it was written.
type member struct {
	name  string
	value []byte
}

type members []member

// get returns the value of a member, or nil.
func (ms members) get(name string) []byte {
	for i := range ms {
		if ms[i].name == name {
			return ms[i].value
		}
	}
	return nil
}

// errUnknown says that evidence holds what this version does not know; all other errors of parsing say that it is malformed.
var errUnknown = errors.New("not known to this version")

// only checks the names of members: all required ones and no others.
func (ms members) only(required, optional []string) error {
	for i := range ms {
		if name := ms[i].name; !slices.Contains(required, name) && !slices.Contains(optional, name) {
			return fmt.Errorf("the member %q is %w", name, errUnknown)
		}
	}
	for _, name := range required {
		if ms.get(name) == nil {
			return fmt.Errorf("the member %q is missing", name)
		}
	}
	return nil
}

// parser reads JSON of RFC 8259 strictly and keeps tokens as they are written. It is used again and again.
type parser struct {
	in  bytes.Buffer
	dec jsontext.Decoder
}

// known holds the names of all members, so that reading one allocates nothing.
var known = func() map[string]string {
	m := map[string]string{}
	for _, s := range shapes {
		for _, name := range slices.Concat(s.required, s.optional) {
			m[name] = name
		}
	}
	for _, name := range slices.Concat(entryMembers, entryForms, []string{"p", "v", "s", "c"}) {
		m[name] = name
	}
	return m
}()

// object appends the members of the JSON object that is the whole text. Their values are parts of text.
func (p *parser) object(ms members, text []byte) (members, error) {
	p.in = *bytes.NewBuffer(text)
	p.dec.Reset(&p.in)
	if p.dec.PeekKind() != '{' {
		return ms, errors.New("not a JSON object")
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return ms, err
	}
	for p.dec.PeekKind() != '}' {
		token, err := p.dec.ReadValue()
		if err != nil {
			return ms, err
		}
		m := member{}
		var ok bool
		if m.name, ok = known[string(token[1:len(token)-1])]; !ok {
			if m.name, err = unquote(token); err != nil {
				return ms, err
			}
		}
		if m.value, err = p.value(text); err != nil {
			return ms, err
		}
		ms = append(ms, m)
	}
	return ms, p.end(text)
}

// value reads the next value as a part of text.
func (p *parser) value(text []byte) ([]byte, error) {
	v, err := p.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(p.dec.InputOffset())
	return text[end-len(v) : end : end], nil
}

// end reads the closing bracket: nothing but white space may follow it.
func (p *parser) end(text []byte) error {
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	if len(bytes.Trim(text[p.dec.InputOffset():], " \t\r\n")) > 0 {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// array returns the elements of the JSON array that is the whole text, at most limit.
func (p *parser) array(text []byte, limit int) ([][]byte, error) {
	p.in = *bytes.NewBuffer(text)
	p.dec.Reset(&p.in)
	if p.dec.PeekKind() != '[' {
		return nil, errors.New("not a JSON array")
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, err
	}
	var elements [][]byte
	for p.dec.PeekKind() != ']' {
		if len(elements) == limit {
			return nil, fmt.Errorf("more than %d elements", limit)
		}
		v, err := p.value(text)
		if err != nil {
			return nil, err
		}
		elements = append(elements, v)
	}
	return elements, p.end(text)
}

// hashes reads an array of hashes.
func (p *parser) hashes(text []byte) ([]tlog.Hash, error) {
	elements, err := p.array(text, maxProof)
	if err != nil {
		return nil, err
	}
	hs := make([]tlog.Hash, len(elements))
	for i, e := range elements {
		if err := decodeHash(&hs[i], e); err != nil {
			return nil, err
		}
	}
	return hs, nil
}

// unquote reads a JSON string.
func unquote(value []byte) (string, error) {
	if len(value) < 2 || value[0] != '"' {
		return "", errors.New("not a JSON string")
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), nil
	}
	b, err := jsontext.AppendUnquote(nil, value)
	return string(b), err
}

// integer reads a plain decimal up to 2^53.
func integer(value []byte) (int64, error) { return parseDecimal(string(value)) }

// encoded reads the canonical base64 of len(dst) bytes.
func encoded(dst, value []byte) error {
	if len(value) < 2 || value[0] != '"' {
		return errors.New("not a JSON string")
	}
	text := value[1 : len(value)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		b, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return err
		}
		text = b
	}
	if len(text) != base64.StdEncoding.EncodedLen(len(dst)) || bytes.ContainsAny(text, "\r\n") {
		return fmt.Errorf("not the base64 of %d bytes", len(dst))
	}
	var room [96 + 2]byte
	b := room[:]
	if n := base64.StdEncoding.DecodedLen(len(text)); n > len(b) {
		b = make([]byte, n)
	}
	if n, err := base64.StdEncoding.Strict().Decode(b, text); err != nil || n != len(dst) {
		return fmt.Errorf("not the canonical base64 of %d bytes", len(dst))
	}
	copy(dst, b)
	return nil
}

func decodeHash(h *tlog.Hash, value []byte) error { return encoded(h[:], value) }

// holdsNUL reports whether a string of the JSON text has U+0000: the tokenizer allows its escape, the format does not.
func holdsNUL(text []byte) bool {
	for i := bytes.IndexByte(text, '\\'); i >= 0 && i+5 < len(text); {
		if string(text[i:i+6]) == `\u0000` {
			return true
		}
		next := bytes.IndexByte(text[i+2:], '\\')
		if next < 0 {
			return false
		}
		i += 2 + next
	}
	return false
}
