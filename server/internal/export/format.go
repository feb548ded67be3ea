// Package export writes parts of an organization's log into files: CSV, NDJSON, Parquet and evidence bundles. Its runner carries out
// the exports that [control.Exports] keeps, in the background and through restarts.
package export

import (
	"slices"
	"strings"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
)

// format is one form of a file. A file is what begin gives, the pieces in order, and what end gives. Pieces do not depend on one
// another, so that they are made at once and a file goes on after a restart where its last whole piece ended. Safe for concurrent use.
type format interface {
	begin() ([]byte, error)
	// piece makes one from passages that follow one another.
	piece(ps []*daybook.Passage) (piece, error)
	// end gets the notes of every piece and how many bytes stand before it.
	end(notes [][]byte, size int64) ([]byte, error)
	// wants is how many entries a piece should have.
	wants() int
}

// piece is a part of a file.
type piece struct {
	bytes []byte
	note  []byte // what end needs of it; nil for most formats
	tally
}

// tally counts what pieces hold, and what was erased from it.
type tally struct {
	rows          int64
	erasedEntries int64 // rows of which only place, id and time are left
	erasedFields  int64
}

func (t *tally) add(other tally) {
	t.rows += other.rows
	t.erasedEntries += other.erasedEntries
	t.erasedFields += other.erasedFields
}

// count notes a row of e.
func (t *tally) count(e *daybook.Entry) {
	t.rows++
	t.erasedFields += int64(e.Erased)
	if e.Removed != daybook.NotRemoved {
		t.erasedEntries++
	}
}

// The formats.
const (
	CSV     = "csv"
	NDJSON  = "ndjson"
	Parquet = "parquet"
	Bundle  = "bundle" // the evidence for who checks the log offline
	WorkOS  = "workos" // the CSV of WorkOS: only its door makes it
)

// The compressions. Parquet has its own inside.
const (
	Plain = "none"
	Gzip  = "gzip"
	Zstd  = "zstd"
)

// shape is what is known of a format without an export.
type shape struct {
	name, extension, media string
	compressions           []string // the first is what stands for none given
	columns                bool     // it has columns that can be chosen
}

// shapes lists the formats. A new one is added here and in formatOf.
var shapes = []shape{
	{CSV, "csv", "text/csv; charset=utf-8", []string{Plain, Gzip, Zstd}, true},
	{NDJSON, "ndjson", "application/x-ndjson", []string{Plain, Gzip, Zstd}, false},
	{Parquet, "parquet", "application/vnd.apache.parquet", []string{Zstd}, true},
	{Bundle, "daybook", "application/x-ndjson", []string{Gzip, Plain}, false},
	{WorkOS, "csv", "text/csv; charset=utf-8", []string{Plain}, false},
}

// Formats lists the names of the formats that may be asked for.
func Formats() []string { return []string{CSV, NDJSON, Parquet, Bundle} }

func shapeOf(name string) (shape, bool) {
	i := slices.IndexFunc(shapes, func(s shape) bool { return s.name == name })
	if i < 0 {
		return shape{}, false
	}
	return shapes[i], true
}

// check completes what an export asks for and refuses what no format can do.
func check(x *control.Export) error {
	s, ok := shapeOf(x.Format)
	if !ok || x.Format == WorkOS && x.Door == "" {
		return invalid("/format", "there is no format %q: choose one of %s.", short(x.Format), strings.Join(Formats(), ", "))
	}
	if x.Compression == "" {
		x.Compression = s.compressions[0]
	}
	if !slices.Contains(s.compressions, x.Compression) {
		return invalid("/compression", "%s is compressed with one of %s, not with %q.", s.name, strings.Join(s.compressions, ", "), short(x.Compression))
	}
	if x.Format != Bundle && (len(x.Mask) > 0 || len(x.Since) > 0) {
		return invalid("/mask", "mask and since are for a bundle.")
	}
	if !s.columns {
		if len(x.Columns) > 0 {
			return invalid("/columns", "%s has no columns to choose: it holds whole entries.", s.name)
		}
		return nil
	}
	ps, err := parseColumns(x.Columns)
	if err != nil {
		return err
	}
	x.Columns = namesOf(ps)
	return nil
}

// formatOf returns what writes x.
func formatOf(x *control.Export) (format, error) {
	if x.Format == Parquet || x.Format == CSV {
		ps, err := parseColumns(x.Columns)
		if err != nil {
			return nil, err
		}
		if x.Format == Parquet {
			return newParquet(x, ps), nil
		}
		return compressed(&csvFormat{places: ps, guard: !x.Raw, leaves: slices.Contains(ps, placeLeafHash)}, x.Compression)
	}
	if x.Format == Bundle {
		return bundleFormat{}, nil
	}
	if x.Format == WorkOS {
		return compressed(&workOSFormat{width: max(x.Width-1, 0), guard: !x.Raw}, x.Compression)
	}
	return compressed(ndjsonFormat{}, x.Compression)
}

// fileName is the name under which an export is saved by who downloads it.
func fileName(x *control.Export) string {
	s, _ := shapeOf(x.Format)
	return "daybook-" + safeName(string(x.Org)) + "-" + x.ID + "." + s.extension + suffixes[x.Compression+"/"+x.Format]
}

// suffixes follow the extension of what is compressed as a whole.
var suffixes = map[string]string{
	Gzip + "/" + CSV: ".gz", Gzip + "/" + NDJSON: ".gz", Gzip + "/" + Bundle: ".gz", Zstd + "/" + CSV: ".zst", Zstd + "/" + NDJSON: ".zst",
}

// safeName leaves of an org id what every file system takes.
func safeName(org string) string {
	return strings.Map(func(c rune) rune {
		if c == ':' || c == '@' {
			return '-'
		}
		return c
	}, org)
}

// mediaType is that of the file.
func mediaType(x *control.Export) string {
	switch s, _ := shapeOf(x.Format); {
	case x.Format == Parquet || x.Compression == Plain:
		return s.media
	case x.Compression == Gzip:
		return "application/gzip"
	}
	return "application/zstd"
}
