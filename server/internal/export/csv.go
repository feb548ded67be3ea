package export

import (
	"bytes"
	"unicode/utf8"

	"github.com/daybook-audit/daybook"
)

// csvFormat is RFC 4180: UTF-8 without a byte-order mark, CRLF, a header line. Times and numbers stand as they were sent.
type csvFormat struct {
	places []place
	guard  bool // cells that a spreadsheet would take for a formula are disarmed
	leaves bool
}

func (*csvFormat) wants() int { return 1 }

func (f *csvFormat) begin() ([]byte, error) {
	var out []byte
	for i, p := range f.places {
		out = appendSeparator(out, i)
		out = append(out, columns[p].name...)
	}
	return append(out, "\r\n"...), nil
}

func (f *csvFormat) piece(ps []*daybook.Passage) (piece, error) {
	var r row
	return eachEntry(ps, f.leaves, func(out []byte, e *daybook.Entry) []byte {
		r.reset()
		r.fill(e)
		for i, p := range f.places {
			out = appendSeparator(out, i)
			out = appendCell(out, r.cells[p], f.guard)
		}
		return append(out, "\r\n"...)
	})
}

func (*csvFormat) end([][]byte, int64) ([]byte, error) { return nil, nil }

// eachEntry opens passages and makes a piece of what line appends for each entry; nothing: the entry is not in the file.
func eachEntry(ps []*daybook.Passage, leaves bool, line func(out []byte, e *daybook.Entry) []byte) (piece, error) {
	size := 0
	for _, passage := range ps {
		size += passage.Bytes() + 300*passage.Len()
	}
	p := piece{bytes: takeBytes(size)}
	es := takeEntries()
	defer func() { giveEntries(es) }()
	for _, passage := range ps {
		var err error
		if es, err = passage.Open(es[:0], leaves); err != nil {
			return p, err
		}
		for i := range es {
			before := len(p.bytes)
			if p.bytes = line(p.bytes, &es[i]); len(p.bytes) > before {
				p.count(&es[i])
			}
		}
	}
	return p, nil
}

func appendSeparator(out []byte, i int) []byte {
	if i > 0 {
		return append(out, ',')
	}
	return out
}

// appendCell appends a cell, quoted where RFC 4180 wants it, and where a reader might trim it.
func appendCell(out, cell []byte, guard bool) []byte {
	armed := guard && formula(cell)
	if !needsQuotes(cell) && !armed {
		return append(out, cell...)
	}
	out = append(out, '"')
	if armed {
		out = append(out, '\'')
	}
	for {
		i := bytes.IndexByte(cell, '"')
		if i < 0 {
			return append(append(out, cell...), '"')
		}
		out = append(append(out, cell[:i+1]...), '"')
		cell = cell[i+1:]
	}
}

func needsQuotes(cell []byte) bool {
	if len(cell) == 0 {
		return false
	}
	if cell[0] == ' ' || cell[len(cell)-1] == ' ' {
		return true
	}
	for _, c := range cell {
		if c == '"' || c == ',' || c == '\r' || c == '\n' {
			return true
		}
	}
	return false
}

// formula reports whether a spreadsheet may take a cell for a formula: it begins with = + - @, also in their full-width forms, a tab or
// a carriage return. OWASP, "CSV Injection".
func formula(cell []byte) bool {
	if len(cell) == 0 {
		return false
	}
	switch c, _ := utf8.DecodeRune(cell); c {
	case '=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠':
		return true
	}
	return false
}

// AppendCSVHead appends the header line of a file with every column.
func AppendCSVHead(dst []byte) []byte {
	head, _ := (&csvFormat{places: allPlaces()}).begin() // it writes nothing that could fail
	return append(dst, head...)
}

// AppendCSV appends an entry as a line with every column; cells that a spreadsheet would take for formulas are disarmed.
func AppendCSV(dst []byte, e *daybook.Entry) []byte {
	var r row
	r.fill(e)
	for i, p := range allPlaces() {
		dst = appendCell(appendSeparator(dst, i), r.cells[p], true)
	}
	return append(dst, "\r\n"...)
}
