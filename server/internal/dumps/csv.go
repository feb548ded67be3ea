package dumps

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// table reads CSV (RFC 4180) with a header line.
type table struct {
	in      *csv.Reader
	columns columns
	n       int64
}

func newCSV(in *bufio.Reader, o Options) (Reader, error) {
	if b, err := in.Peek(len(byteOrderMark)); err == nil && string(b) == string(byteOrderMark) {
		if _, err := in.Discard(len(byteOrderMark)); err != nil {
			return nil, err
		}
	}
	t := &table{in: csv.NewReader(in)}
	t.in.FieldsPerRecord = -1
	t.in.LazyQuotes = false
	t.in.ReuseRecord = true
	header, err := t.in.Read()
	if err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	names := make([]string, 0, len(header))
	for _, name := range header {
		names = append(names, strings.TrimSpace(name))
	}
	t.columns, err = newColumns(names, &o)
	if err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	return t, nil
}

// Next is part of Reader.
func (t *table) Next() (Record, error) {
	row, err := t.in.Read()
	if errors.Is(err, io.EOF) {
		return Record{}, io.EOF
	}
	t.n++
	rec := Record{N: t.n}
	var bad *csv.ParseError
	switch {
	case errors.As(err, &bad):
		rec.Line, rec.Err = int64(bad.StartLine), bad.Err
		return rec, nil
	case err != nil:
		return rec, fmt.Errorf("read row %d: %w", t.n, err)
	}
	line, _ := t.in.FieldPos(0)
	rec.Line = int64(line)
	if len(row) != len(t.columns.names) {
		rec.Err = fmt.Errorf("the row has %d cells, the header %d", len(row), len(t.columns.names))
		return rec, nil
	}
	values := make([]*string, len(row))
	for i := range row {
		values[i] = &row[i]
	}
	rec.Text = t.columns.object(values)
	return rec, nil
}
