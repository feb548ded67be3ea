package dumps

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// block reads the COPY block of one table in what pg_dump and psql write: a row a line, values separated by tabs, \N for null.
type block struct {
	in      *bufio.Reader
	columns columns
	line, n int64
	ended   bool
}

// isSQL reports whether a file begins as a dump does.
func isSQL(text []byte) bool {
	for _, word := range []string{"--", "copy ", "set ", "select ", "create ", "begin", "\\restrict", "\\connect"} {
		if len(text) >= len(word) && strings.EqualFold(string(text[:len(word)]), word) {
			return true
		}
	}
	return false
}

// newCopy goes to the block of the table.
func newCopy(in *bufio.Reader, o Options) (Reader, error) {
	b := &block{in: in}
	var others []string
	inserts := false
	for {
		text, err := b.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		inserts = inserts || len(text) > 12 && strings.EqualFold(string(text[:12]), "insert into ")
		name, names, ok := copyHeader(string(text))
		if !ok {
			continue
		}
		if o.Table != "" && name != o.Table {
			others = append(others, name)
			continue
		}
		b.columns, err = newColumns(names, &o)
		return b, err
	}
	switch {
	case len(others) > 0:
		return nil, fmt.Errorf("the dump has no table %s, only %s", o.Table, strings.Join(others, ", "))
	case inserts:
		return nil, errors.New("the dump has INSERT statements: dump with COPY (pg_dump without --inserts), as CSV, or with row_to_json")
	}
	return nil, errors.New("the dump has no COPY block with data")
}

// copyHeader reads COPY public.logs (id, user_id) FROM stdin; and returns the name without its schema, and the columns.
func copyHeader(line string) (table string, names []string, ok bool) {
	line = strings.TrimSpace(line)
	upper := strings.ToUpper(line)
	if !strings.HasPrefix(upper, "COPY ") || !strings.HasSuffix(upper, ") FROM STDIN;") {
		return "", nil, false
	}
	table, list, ok := strings.Cut(line[len("COPY "):len(line)-len(") FROM stdin;")], "(")
	if !ok {
		return "", nil, false
	}
	table = strings.TrimSpace(table)
	table = unquoted(table[strings.LastIndexByte(table, '.')+1:])
	for name := range strings.SplitSeq(list, ",") {
		names = append(names, unquoted(strings.TrimSpace(name)))
	}
	return table, names, true
}

func unquoted(name string) string { return strings.Trim(name, `"`) }

// maxLine bounds a row: an event is smaller.
const maxLine = 16 << 20

func (b *block) read() ([]byte, error) {
	text, err := readLine(b.in)
	if err == nil {
		b.line++
	}
	return text, err
}

// readLine returns the next line without what ends it.
func readLine(in *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(text)+len(part) > maxLine {
			return nil, errors.New("a line has more than 16 MiB")
		}
		text = append(text, part...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte{'\n'}), []byte{'\r'}), nil
		case errors.Is(err, io.EOF) && len(text) > 0:
			return text, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// Next is part of Reader.
func (b *block) Next() (Record, error) {
	if b.ended {
		return Record{}, io.EOF
	}
	text, err := b.read()
	if errors.Is(err, io.EOF) {
		return Record{}, errors.New("the dump ends within the table: it is cut off")
	}
	if err != nil {
		return Record{}, err
	}
	if string(text) == `\.` {
		b.ended = true
		return Record{}, io.EOF
	}
	b.n++
	rec := Record{N: b.n, Line: b.line}
	cells := strings.Split(string(text), "\t")
	if len(cells) != len(b.columns.names) {
		rec.Err = fmt.Errorf("the row has %d values, the table %d columns", len(cells), len(b.columns.names))
		return rec, nil
	}
	values := make([]*string, len(cells))
	for i, cell := range cells {
		if cell != `\N` {
			values[i] = new(unescaped(cell))
		}
	}
	rec.Text = b.columns.object(values)
	return rec, nil
}

// copyEscapes are what stands for what after a backslash; anything else stands for itself.
var copyEscapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// unescaped returns a value as it was: the text format of COPY.
func unescaped(cell string) string {
	if strings.IndexByte(cell, '\\') < 0 {
		return cell
	}
	out := make([]byte, 0, len(cell))
	for i := 0; i < len(cell); i++ {
		c := cell[i]
		if c != '\\' || i+1 == len(cell) {
			out = append(out, c)
			continue
		}
		i++
		c = cell[i]
		switch plain, ok := copyEscapes[c]; {
		case ok:
			out = append(out, plain)
		case c >= '0' && c <= '7':
			code, n := digits(cell[i:], 3, 8)
			out, i = append(out, code), i+n-1
		case c == 'x':
			code, n := digits(cell[i+1:], 2, 16)
			if n == 0 {
				code = 'x'
			}
			out, i = append(out, code), i+n
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// digits reads at most so many digits of a base.
func digits(text string, most, base int) (code byte, n int) {
	for n < most && n < len(text) {
		d := strings.IndexByte("0123456789abcdef", lower(text[n]))
		if d < 0 || d >= base {
			break
		}
		code = code*byte(base) + byte(d)
		n++
	}
	return code, n
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
