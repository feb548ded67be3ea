// Package dumps reads what other systems let go of: CSV files, tables as pg_dump writes them, and JSON documents. Whatever the form, it
// gives records, each a JSON object, in the order in which they stand.
package dumps

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode"
)

// Record is one row or document. Of a bad one Err says why, and reading goes on after it; Text is then what can be told of it, or nothing.
type Record struct {
	Text []byte // a JSON object in one line; its syntax is not judged when it came as JSON
	N    int64  // which one it is, from 1
	Line int64  // where it begins, from 1; 0: not known
	Err  error
}

// A Reader gives the records of one file. It belongs to one goroutine.
type Reader interface {
	// Next returns the next record, or io.EOF. Any other error ends reading; what was given before is good.
	Next() (Record, error)
}

// Options say what is known of a file.
type Options struct {
	// Table is the name of the table that is wanted of a dump of several; empty: the only one.
	Table string
	// JSON are the columns whose text is JSON, Number those whose text is a number. Others are strings. Of a JSON document nothing is
	// changed.
	JSON, Number []string
}

// Open looks at the beginning of a file and returns what reads it: JSON documents one after the other or in one array, the COPY block of
// a table in a dump, or CSV with a header.
func Open(r io.Reader, o Options) (Reader, error) {
	in := bufio.NewReaderSize(r, 1<<20)
	head, err := in.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("read the beginning: %w", err)
	}
	text := bytes.TrimPrefix(head, byteOrderMark)
	text = bytes.TrimLeftFunc(text, unicode.IsSpace)
	switch {
	case len(text) == 0:
		return nil, errors.New("the file is empty")
	case text[0] == '[':
		return newDocuments(in, true)
	case text[0] == '{':
		first, _, more := bytes.Cut(text, []byte{'\n'})
		if !more || json.Valid(first) || len(text) < 2 {
			return &lines{in: in}, nil
		}
		return newDocuments(in, false)
	case isSQL(text):
		return newCopy(in, o)
	}
	return newCSV(in, o)
}

var byteOrderMark = []byte{0xef, 0xbb, 0xbf}

// columns says how the text of each column becomes JSON.
type columns struct {
	names []string
	as    []func(dst []byte, text string) []byte
}

func newColumns(names []string, o *Options) (columns, error) {
	c := columns{names: names}
	seen := map[string]bool{}
	for _, name := range names {
		if name == "" {
			return c, errors.New("a column has no name")
		}
		if seen[name] {
			return c, fmt.Errorf("the column %q stands twice", name)
		}
		seen[name] = true
		as := appendText
		switch {
		case slices.Contains(o.JSON, name):
			as = appendJSON
		case slices.Contains(o.Number, name):
			as = appendNumber
		}
		c.as = append(c.as, as)
	}
	return c, nil
}

// object returns the record of values, of which those that are nil are null.
func (c *columns) object(values []*string) []byte {
	out := []byte{'{'}
	for i, name := range c.names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendText(out, name), ':')
		if values[i] == nil {
			out = append(out, "null"...)
		} else {
			out = c.as[i](out, *values[i])
		}
	}
	return append(out, '}')
}

func appendText(dst []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil { // a string always encodes
		return append(dst, `""`...)
	}
	return append(dst, quoted...)
}

// appendJSON appends text as it is if it is JSON, else as a string; an empty one is null.
func appendJSON(dst []byte, text string) []byte {
	switch {
	case text == "":
		return append(dst, "null"...)
	case json.Valid([]byte(text)):
		return append(dst, text...)
	}
	return appendText(dst, text)
}

// appendNumber appends text as a number if it is one, else as a string; an empty one is null.
func appendNumber(dst []byte, text string) []byte {
	if text != "" && text[0] != '"' && text[0] != '{' && text[0] != '[' {
		return appendJSON(dst, text)
	}
	if text == "" {
		return append(dst, "null"...)
	}
	return appendText(dst, text)
}
