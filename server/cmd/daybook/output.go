package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// formats of -o.
var formats = []string{"table", "tsv", "csv", "json", "ndjson"}

// format returns the output format asked for: flag, environment, else table on a terminal and tsv in a pipe.
func (e *env) format() (string, error) {
	f := e.output
	if f == "" {
		f = e.getenv("DAYBOOK_OUTPUT")
	}
	switch {
	case f == "" && e.fields != "":
		return "json", nil
	case f == "" && e.stdoutTTY:
		return "table", nil
	case f == "":
		return "tsv", nil
	case !slices.Contains(formats, f):
		return "", usage("there is no output format %q: choose one of %s", f, strings.Join(formats, ", "))
	case e.fields != "" && f != "json" && f != "ndjson":
		return "", usage("--json FIELDS goes with -o json or -o ndjson, not with -o %s", f)
	}
	return f, nil
}

// A printer writes rows to stdout in the format that was asked for. Add rows, then call end.
type printer struct {
	e      *env
	format string
	heads  []heading
	fields []string // of --json
	rawCSV bool     // cells may begin with = + - @

	rows    [][]cell
	written int
	headed  bool
	// The one document of -o json is open, the rows separated by commas, and close.
	open  string
	close func() string
}

// printer returns one for rows of these columns; fields are the JSON fields that --json may name.
func (e *env) printer(fields []string, heads ...heading) (*printer, error) {
	format, err := e.format()
	if err != nil {
		return nil, err
	}
	p := &printer{e: e, format: format, heads: heads, open: "[", close: func() string { return "]" }}
	if e.fields != "" {
		for f := range strings.SplitSeq(e.fields, ",") {
			f = strings.TrimSpace(f)
			if root, _, _ := strings.Cut(f, "."); !slices.Contains(fields, f) && !slices.Contains(fields, root) {
				return nil, usage("there is no field %q; --json takes: %s", f, strings.Join(fields, ", "))
			}
			p.fields = append(p.fields, f)
		}
	}
	return p, nil
}

// add writes one row. text is its JSON; it is used as it is.
func (p *printer) add(text []byte, row ...cell) error {
	p.written++
	switch p.format {
	case "json", "ndjson":
		if p.fields != nil {
			var err error
			if text, err = pick(text, p.fields); err != nil {
				return err
			}
		}
		if p.e.stdoutTTY {
			text = escapeJSON(text)
		}
		switch {
		case p.format == "ndjson":
			return p.write(string(text) + "\n")
		case p.written == 1:
			return p.write(p.open + "\n" + string(text))
		}
		return p.write(",\n" + string(text))
	case "table":
		p.rows = append(p.rows, row)
		if len(p.rows) >= 1000 {
			return p.flush()
		}
		return nil
	}
	return p.line(row)
}

// addValue is add for a value that has no JSON yet.
func (p *printer) addValue(v any, row ...cell) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a row: %w", err)
	}
	return p.add(text, row...)
}

// head writes the header line of tsv or csv, once.
func (p *printer) head() error {
	if p.headed {
		return nil
	}
	p.headed = true
	var b strings.Builder
	for i, h := range p.heads {
		p.separate(&b, i)
		name, _, _ := strings.Cut(strings.ToLower(h.name), " (")
		b.WriteString(name)
	}
	p.endLine(&b)
	return p.write(b.String())
}

// line writes a row of tsv or csv, after the header line.
func (p *printer) line(row []cell) error {
	if err := p.head(); err != nil {
		return err
	}
	var b strings.Builder
	for i, c := range row {
		p.separate(&b, i)
		if p.format == "csv" {
			b.WriteString(csvCell(c.text, p.rawCSV))
		} else {
			b.WriteString(tsvCell(c.text))
		}
	}
	p.endLine(&b)
	return p.write(b.String())
}

func (p *printer) separate(b *strings.Builder, i int) {
	switch {
	case i == 0:
	case p.format == "csv":
		b.WriteByte(',')
	default:
		b.WriteByte('\t')
	}
}

func (p *printer) endLine(b *strings.Builder) {
	if p.format == "csv" {
		b.WriteByte('\r')
	}
	b.WriteByte('\n')
}

// flush writes the table so far.
func (p *printer) flush() error {
	if p.format != "table" || (len(p.rows) == 0 && p.headed) {
		return nil
	}
	err := layTable(p.e.stdout, p.heads, p.rows, p.e.width, p.paint, !p.headed)
	p.rows, p.headed = p.rows[:0], true
	return err
}

func (p *printer) paint(c cell, text string) string {
	if p.e.colour() && c.tone != plain {
		text = ansi[c.tone] + text + "\x1b[0m"
	}
	if c.link != "" && p.e.links() {
		text = "\x1b]8;;" + c.link + "\x1b\\" + text + "\x1b]8;;\x1b\\"
	}
	return text
}

// links reports whether the terminal says that it can open addresses behind text.
func (e *env) links() bool {
	if !e.colour() {
		return false
	}
	program := e.getenv("TERM_PROGRAM")
	return program == "iTerm.app" || program == "WezTerm" || program == "vscode" || e.getenv("VTE_VERSION") != "" || e.getenv("KITTY_WINDOW_ID") != "" || e.getenv("WT_SESSION") != ""
}

// end closes the output. Without rows a table is empty, and tsv and csv are their header.
func (p *printer) end() error {
	switch p.format {
	case "json":
		if p.written == 0 {
			return p.write(p.open + p.close() + "\n")
		}
		return p.write("\n" + p.close() + "\n")
	case "table":
		if p.written == 0 {
			return nil
		}
		return p.flush()
	case "tsv", "csv":
		return p.head()
	}
	return nil
}

func (p *printer) write(s string) error {
	if _, err := p.e.stdout.Write([]byte(s)); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// one prints a single thing: in a table as lines of name and value, else as a list of one.
func (p *printer) one(v any, row ...cell) error {
	if p.format == "json" {
		p.open, p.close = "", func() string { return "" }
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode the answer: %w", err)
		}
		if p.fields != nil {
			if text, err = pick(text, p.fields); err != nil {
				return err
			}
		}
		var b bytes.Buffer
		if err := json.Indent(&b, text, "", "  "); err != nil {
			return fmt.Errorf("encode the answer: %w", err)
		}
		if p.e.stdoutTTY {
			return p.write(string(escapeJSON(b.Bytes())) + "\n")
		}
		return p.write(b.String() + "\n")
	}
	if p.format != "table" {
		if err := p.addValue(v, row...); err != nil {
			return err
		}
		return p.end()
	}
	width := 0
	for _, h := range p.heads {
		width = max(width, cells(h.name))
	}
	for i, h := range p.heads {
		if row[i].text == "" {
			continue
		}
		if err := p.write(fmt.Sprintf("%-*s  %s\n", width, strings.ToLower(h.name), p.paint(row[i], visible(row[i].text)))); err != nil {
			return err
		}
	}
	return nil
}

// tsvCell writes tab and line breaks as \t, \n and \r.
func tsvCell(s string) string {
	return visible(strings.NewReplacer("\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(s))
}

// csvCell quotes as RFC 4180 and, unless raw, disarms what a spreadsheet would take for a formula.
func csvCell(s string, raw bool) string {
	if !raw && s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		s = "'" + s
	}
	s = visible(s)
	if strings.ContainsAny(s, "\",\r\n") || strings.TrimSpace(s) != s {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// pick returns a JSON object of the named fields of text, in the order asked for; actor.id reaches into members. What is not
// there is null.
func pick(text []byte, fields []string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(f)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", f, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(member(text, f))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// member returns the raw value at a dotted path, null when there is none. A number is an index into a list.
func member(text []byte, path string) []byte {
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, ".")
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) == nil && object != nil {
			text = object[name]
			continue
		}
		var list []json.RawMessage
		var i int
		if _, err := fmt.Sscanf(name, "%d", &i); err != nil || json.Unmarshal(text, &list) != nil || i < 0 || i >= len(list) {
			return []byte("null")
		}
		text = list[i]
	}
	if text == nil {
		return []byte("null")
	}
	return text
}
