package dumps

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// lines reads a document a line. A line that is none is for its reader to refuse.
type lines struct {
	in *bufio.Reader
	n  int64
}

// Lines returns a Reader of whatever stands in each line, blank ones included.
func Lines(r io.Reader) Reader { return &lines{in: bufio.NewReaderSize(r, 1<<20)} }

// Next is part of Reader.
func (l *lines) Next() (Record, error) {
	text, err := readLine(l.in)
	if err != nil {
		return Record{}, err
	}
	l.n++
	return Record{Text: bytes.TrimSpace(bytes.TrimPrefix(text, byteOrderMark)), N: l.n, Line: l.n}, nil
}

// documents reads documents that span lines: one after the other, or in an array.
type documents struct {
	in    *json.Decoder
	array bool
	n     int64
}

func newDocuments(in *bufio.Reader, array bool) (Reader, error) {
	if b, err := in.Peek(len(byteOrderMark)); err == nil && bytes.Equal(b, byteOrderMark) {
		if _, err := in.Discard(len(byteOrderMark)); err != nil {
			return nil, fmt.Errorf("read the beginning: %w", err)
		}
	}
	d := &documents{in: json.NewDecoder(in), array: array}
	if !array {
		return d, nil
	}
	if _, err := d.in.Token(); err != nil {
		return nil, fmt.Errorf("read the array: %w", err)
	}
	return d, nil
}

// Next is part of Reader. The text around a document must be JSON: what is not ends reading.
func (d *documents) Next() (Record, error) {
	if d.array && !d.in.More() {
		if _, err := d.in.Token(); err != nil {
			return Record{}, fmt.Errorf("read the end of the array: %w", cutOff(err))
		}
		if _, err := d.in.Token(); !errors.Is(err, io.EOF) {
			return Record{}, errors.New("something follows the array")
		}
		return Record{}, io.EOF
	}
	var raw json.RawMessage
	err := d.in.Decode(&raw)
	if errors.Is(err, io.EOF) && !d.array {
		return Record{}, io.EOF
	}
	if err != nil {
		return Record{}, fmt.Errorf("read document %d: %w", d.n+1, cutOff(err))
	}
	d.n++
	var one bytes.Buffer
	rec := Record{N: d.n}
	rec.Err = json.Compact(&one, raw)
	rec.Text = one.Bytes()
	return rec, nil
}

// cutOff makes an end in the middle an error.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
