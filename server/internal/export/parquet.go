package export

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	meta "github.com/parquet-go/parquet-go/format"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// parquetFormat writes Apache Parquet. Each piece is one row group: it is written as a file of its own in memory, of which only the pages
// go into the file; what the footer says of the row group is the piece's note. The end puts the notes together, with their offsets moved
// to where the pieces have come to stand. So row groups are made at once, and a file goes on after a restart. There is no page index: its
// offsets would have to be moved too, and a row group is small enough to be skipped as a whole.
type parquetFormat struct {
	places  []place
	leaves  bool
	schema  *parquet.Schema
	writers sync.Pool // of *parquet.GenericWriter[any]: the buffers of their columns are most of what a piece takes
	about   []meta.KeyValue
}

// rowGroup is how many rows a row group has: enough for its dictionaries and statistics to pay, few enough that some fit in memory.
const rowGroup = 16 << 10

// pageBuffer is how many bytes of a column make a page.
const pageBuffer = 1 << 20

const parquetMagic = "PAR1"

// newParquet returns the format of x; the file says in its own metadata what it holds.
func newParquet(x *control.Export, ps []place) *parquetFormat {
	f := &parquetFormat{places: ps, leaves: slices.Contains(ps, placeLeafHash), about: []meta.KeyValue{
		{Key: "daybook.org", Value: string(x.Org)},
		{Key: "daybook.export", Value: x.ID},
		{Key: "daybook.query", Value: x.Query},
		{Key: "daybook.size", Value: strconv.FormatInt(x.Size, 10)},
	}}
	fields := make(parquetColumns, 0, len(ps))
	for _, p := range ps {
		fields = append(fields, parquetColumn{Node: nodeOf(&columns[p]), name: columns[p].name})
	}
	f.schema = parquet.NewSchema("entry", parquetGroup{parquet.Group{}, fields})
	return f
}

// nodeOf is the type of a column in a Parquet file.
func nodeOf(c *column) parquet.Node {
	var n parquet.Node
	switch c.kind {
	case kindWhole:
		n = parquet.Encoded(parquet.Int(64), &parquet.DeltaBinaryPacked)
	case kindTime:
		n = parquet.Encoded(parquet.Timestamp(parquet.Microsecond), &parquet.DeltaBinaryPacked)
	case kindJSON:
		n = parquet.Encoded(parquet.JSON(), &parquet.DeltaLengthByteArray)
	default:
		n = parquet.String()
		if c.few {
			n = parquet.Encoded(n, &parquet.RLEDictionary)
		} else {
			n = parquet.Encoded(n, &parquet.DeltaLengthByteArray)
		}
	}
	if !c.must {
		n = parquet.Optional(n)
	}
	return parquet.Compressed(n, parquetCodec)
}

// parquetCodec is one for all columns of all files.
var parquetCodec = pageCodec{new(parquetzstd.Codec)}

// pageCodec is the codec of parquet-go with an encoder that stays: theirs are forgotten at every collection, and each has megabytes of
// history, so that making them anew was 40 of 100 bytes that an export allocated.
type pageCodec struct{ *parquetzstd.Codec }

// Encode is part of compress.Codec.
func (pageCodec) Encode(dst, src []byte) ([]byte, error) {
	return pageEncoder.EncodeAll(src, dst[:0]), nil
}

// pageEncoder has the window of the largest page.
var pageEncoder = newEncoder(zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false),
	zstd.WithWindowSize(pageBuffer), zstd.WithLowerEncoderMem(true))

// parquetGroup is a group whose fields keep their order.
type parquetGroup struct {
	parquet.Group
	fields parquetColumns
}

// Fields is part of parquet.Node.
func (g parquetGroup) Fields() []parquet.Field {
	fields := make([]parquet.Field, len(g.fields))
	for i := range g.fields {
		fields[i] = &g.fields[i]
	}
	return fields
}

type parquetColumns []parquetColumn

type parquetColumn struct {
	parquet.Node
	name string
}

// Name is part of parquet.Field.
func (c *parquetColumn) Name() string { return c.name }

// Value is part of parquet.Field. Rows are written by columns, never from Go values.
func (c *parquetColumn) Value(reflect.Value) reflect.Value { return reflect.Value{} }

func (*parquetFormat) wants() int { return rowGroup }

func (*parquetFormat) begin() ([]byte, error) { return []byte(parquetMagic), nil }

// piece makes one row group. Without a row it is nothing.
func (f *parquetFormat) piece(ps []*daybook.Passage) (piece, error) {
	var p piece
	rows, size := 0, 0
	for _, passage := range ps {
		rows += passage.Len()
		size += passage.Bytes()
	}
	if rows == 0 {
		return p, nil
	}
	out := bytes.NewBuffer(takeBytes(size / 4))
	w, ok := f.writers.Get().(*parquet.GenericWriter[any])
	if ok {
		w.Reset(out)
	} else {
		w = f.writer(out)
	}
	t, err := f.rows(w.ColumnWriters(), ps)
	if err != nil {
		return p, err
	}
	p.tally = t
	if err := w.Close(); err != nil {
		return p, fmt.Errorf("write a row group: %w", err)
	}
	f.writers.Put(w)
	body, group, err := cutGroup(out.Bytes())
	if err != nil {
		return p, err
	}
	note, err := thrift.Marshal(new(thrift.CompactProtocol), group)
	if err != nil {
		return p, fmt.Errorf("write the note of a row group: %w", err)
	}
	p.bytes, p.note = body, append(binary.BigEndian.AppendUint64(nil, uint64(len(body))), note...)
	return p, nil
}

func (f *parquetFormat) writer(out *bytes.Buffer) *parquet.GenericWriter[any] {
	c := parquet.DefaultWriterConfig()
	c.Schema, c.CreatedBy, c.DataPageStatistics, c.PageBufferSize = f.schema, "daybook", true, pageBuffer
	return parquet.NewGenericWriter[any](out, c)
}

// cutGroup returns the pages of a file of one row group, and what its footer says of them, without the page index.
func cutGroup(b []byte) (pages []byte, group *meta.RowGroup, err error) {
	m, end, err := readFooter(b)
	if err != nil {
		return nil, nil, err
	}
	if len(m.RowGroups) != 1 {
		return nil, nil, fmt.Errorf("%d row groups where one was written", len(m.RowGroups))
	}
	group = &m.RowGroups[0]
	for i := range group.Columns {
		c := &group.Columns[i]
		for _, at := range []int64{c.ColumnIndexOffset, c.OffsetIndexOffset} {
			if at > 0 {
				end = min(end, at)
			}
		}
		c.ColumnIndexOffset, c.ColumnIndexLength, c.OffsetIndexOffset, c.OffsetIndexLength = 0, 0, 0, 0
	}
	return b[len(parquetMagic):end], group, nil
}

// readFooter returns the footer of a file, and where it begins.
func readFooter(b []byte) (*meta.FileMetaData, int64, error) {
	const tail = 4 + len(parquetMagic)
	if len(b) < len(parquetMagic)+tail {
		return nil, 0, errors.New("a Parquet file without a footer")
	}
	at := len(b) - tail - int(binary.LittleEndian.Uint32(b[len(b)-tail:]))
	if at < len(parquetMagic) {
		return nil, 0, errors.New("a Parquet file that is shorter than its footer")
	}
	var m meta.FileMetaData
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), b[at:len(b)-tail], &m); err != nil {
		return nil, 0, fmt.Errorf("read the footer of a Parquet file: %w", err)
	}
	return &m, int64(at), nil
}

// rows writes the entries of ps, column by column, a passage at a time, and counts them.
func (f *parquetFormat) rows(to []*parquet.ColumnWriter, ps []*daybook.Passage) (t tally, err error) {
	var r row
	es := takeEntries()
	defer func() { giveEntries(es) }()
	values, nulls := make([][]parquet.Value, len(f.places)), make([]parquet.Value, len(f.places))
	for k := range nulls {
		nulls[k] = parquet.NullValue().Level(0, 0, k)
	}
	for _, passage := range ps {
		if es, err = passage.Open(es[:0], f.leaves); err != nil {
			return t, err
		}
		r.reset()
		for i := range values {
			values[i] = slices.Grow(values[i][:0], len(es))
		}
		for i := range es {
			t.count(&es[i])
			r.fill(&es[i])
			for k, p := range f.places {
				if r.cells[p] == nil {
					values[k] = append(values[k], nulls[k])
				} else {
					values[k] = append(values[k], valueOf(r.cells[p], &es[i], p, k))
				}
			}
		}
		for k := range values {
			if _, err := to[k].WriteRowValues(values[k]); err != nil {
				return t, fmt.Errorf("write the column %s: %w", columns[f.places[k]].name, err)
			}
		}
	}
	return t, nil
}

// valueOf returns the cell of p as column k has it. What is not of the column's type is left out: JSON of another type than documented
// was never accepted.
func valueOf(cell []byte, e *daybook.Entry, p place, k int) parquet.Value {
	c := &columns[p]
	level := 1
	if c.must {
		level = 0
	}
	switch {
	case p == placeSeq:
		return parquet.Int64Value(e.Seq).Level(0, level, k)
	case p == placeReceivedAt:
		return parquet.Int64Value(e.ReceivedAt).Level(0, level, k)
	case c.kind == kindWhole:
		if n, err := strconv.ParseInt(string(cell), 10, 64); err == nil {
			return parquet.Int64Value(n).Level(0, level, k)
		}
	case c.kind == kindTime:
		if t, err := time.Parse(time.RFC3339, string(cell)); err == nil {
			return parquet.Int64Value(t.UnixMicro()).Level(0, level, k)
		}
	default:
		return parquet.ByteArrayValue(cell).Level(0, level, k)
	}
	return parquet.NullValue().Level(0, 0, k)
}

// end writes the footer of the whole file. Each note is the length of a piece and its row group, whose offsets count from a magic of
// its own.
func (f *parquetFormat) end(notes [][]byte, size int64) ([]byte, error) {
	whole, err := f.empty()
	if err != nil {
		return nil, err
	}
	at := int64(len(parquetMagic))
	for i, note := range notes {
		if len(note) < 8 {
			return nil, fmt.Errorf("the note of row group %d is cut off", i)
		}
		var g meta.RowGroup
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), note[8:], &g); err != nil {
			return nil, fmt.Errorf("read the note of row group %d: %w", i, err)
		}
		moveGroup(&g, at-int64(len(parquetMagic)))
		g.Ordinal = int16(min(i, math.MaxInt16)) // only encryption asks for it
		whole.RowGroups = append(whole.RowGroups, g)
		whole.NumRows += g.NumRows
		at += int64(binary.BigEndian.Uint64(note))
	}
	if at != size {
		return nil, fmt.Errorf("the notes are of a file of %d bytes, not of %d", at, size)
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), whole)
	if err != nil {
		return nil, fmt.Errorf("write the footer: %w", err)
	}
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	return append(footer, parquetMagic...), nil
}

// empty returns the footer of a file without rows.
func (f *parquetFormat) empty() (*meta.FileMetaData, error) {
	var out bytes.Buffer
	if err := f.writer(&out).Close(); err != nil {
		return nil, fmt.Errorf("write a file without rows: %w", err)
	}
	m, _, err := readFooter(out.Bytes())
	if err != nil {
		return nil, err
	}
	m.RowGroups, m.KeyValueMetadata = nil, f.about
	return m, nil
}

// moveGroup adds by to every offset of g. An offset that is 0 is none.
func moveGroup(g *meta.RowGroup, by int64) {
	move := func(offset *int64) {
		if *offset != 0 {
			*offset += by
		}
	}
	move(&g.FileOffset)
	for i := range g.Columns {
		c := &g.Columns[i]
		move(&c.FileOffset)
		move(&c.MetaData.DataPageOffset)
		move(&c.MetaData.IndexPageOffset)
		move(&c.MetaData.DictionaryPageOffset)
	}
}
