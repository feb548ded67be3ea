package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/internal/durable"
	"github.com/daybook-audit/daybook/leaf"
	"github.com/daybook-audit/daybook/server/internal/dumps"
	"github.com/daybook-audit/daybook/server/internal/foreign"
)

func newImport(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "import", Short: "Record events from a file",
		Long: `One command a source. Each keeps when things occurred and the order of the file, gives every event an id that the same record always
gets, so that a file imported again records nothing twice, and names what it refuses while it records the rest.`,
	}
	for _, s := range foreign.Sources() {
		cmd.AddCommand(e.newImportFrom(s))
	}
	return cmd
}

// newImportFrom returns the command of one source.
func (e *env) newImportFrom(s foreign.Source) *cobra.Command {
	o := importOptions{source: s}
	cmd := &cobra.Command{
		Use: s.Name + " FILE", Short: s.Short, Long: s.Long, Example: s.Example,
		Annotations: map[string]string{exitsNote: "0 imported · 2 nothing could be read · 4 not allowed · 8 some records were refused"},
		Args:        exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cannot("import "+args[0], e.importFile(cmd.Context(), args[0], &o))
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.dryRun, "dry-run", false, "read every record and record nothing; needs no server")
	f.BoolVar(&o.resume, "resume", false, "go on where an import of this file stopped (FILE.daybook-import remembers)")
	f.StringVar(&o.report, "report", "", "write what is refused, with its reason, as NDJSON to this file")
	if s.Dumped.Table != "" {
		f.StringVar(&o.source.Dumped.Table, "table", s.Dumped.Table, "name of the table, in a dump of several")
	}
	if s.Setting != nil {
		f.StringVar(&o.setting, s.Setting.Name, "", s.Setting.Usage)
	}
	return cmd
}

// importOptions are what import was asked to do.
type importOptions struct {
	source         foreign.Source
	dryRun, resume bool
	report         string
	setting        string // file of the source's setting
}

// maker is that of the source, with its setting.
func (o *importOptions) maker() (foreign.Maker, error) {
	if o.setting == "" {
		m, err := o.source.Maker(nil)
		if err != nil {
			return nil, usage("%v", err)
		}
		return m, nil
	}
	text, err := os.ReadFile(o.setting)
	if err != nil {
		return nil, err
	}
	m, err := o.source.Maker(text)
	if err != nil {
		return nil, usage("%s: %v", o.setting, err)
	}
	return m, nil
}

// importer reads records, sends them in batches and remembers how far it came.
type importer struct {
	e      *env
	c      *client.Client // nil: dry run
	source foreign.Source
	make   foreign.Maker
	state  string   // file that remembers; empty: none
	report *os.File // nil: none
	bar    *progress
	doc    *leaf.Doc
	batch  [][]byte
	from   []dumps.Record // of batch
	bytes  int
	n      int64             // records read
	events int64             // sent
	again  int64             // of these recorded before
	bad    int64             // refused
	hash   [sha256.Size]byte // of everything read so far, chained
	before [sha256.Size]byte // the same without the record read last
}

func (e *env) importFile(ctx context.Context, path string, o *importOptions) (err error) {
	im := &importer{e: e, source: o.source, bar: e.progress("events", 0), doc: leaf.Get()}
	defer leaf.Put(im.doc)
	in := e.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // opened for reading
		in = f
		im.state = path + ".daybook-import"
	}
	if o.resume && path == "-" {
		return usage("--resume needs a file: stdin cannot be read a second time")
	}
	if im.make, err = o.maker(); err != nil {
		return err
	}
	if !o.dryRun {
		if im.c, err = e.connect(); err != nil {
			return err
		}
	}
	skip := importState{}
	if o.resume {
		if skip, err = readImportState(im.state); err != nil {
			return err
		}
	}
	if o.report != "" {
		if im.report, err = os.OpenFile(o.report, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil { // what is refused may be secret
			return err
		}
		defer func() { err = errors.Join(err, im.report.Close()) }()
	}
	return im.end(im.run(ctx, in, skip), o)
}

// run reads a file to its end.
func (im *importer) run(ctx context.Context, in io.Reader, skip importState) error {
	if im.source.Lines {
		return im.read(ctx, dumps.Lines(in), skip)
	}
	r, err := dumps.Open(in, im.source.Dumped)
	if err != nil {
		return usage("%v", err)
	}
	return im.read(ctx, r, skip)
}

// end says what came of it.
func (im *importer) end(err error, o *importOptions) error {
	im.bar.end()
	if err != nil {
		if im.state != "" && im.c != nil && im.events > 0 {
			im.e.note("%s were imported; go on with --resume", count(int(im.events), "event", "events"))
		}
		return err
	}
	verb := "imported"
	if o.dryRun {
		verb = "would be imported"
	}
	one, more := "record", "records"
	if im.source.Lines {
		one, more = "line", "lines"
	}
	im.e.note("%s %s (%s recorded before) · %s refused", count(int(im.events), "event", "events"), verb, thousands(im.again), count(int(im.bad), one, more))
	if im.bad > 0 {
		return ended(exitPartial)
	}
	if im.state != "" && im.c != nil {
		if err := os.Remove(im.state); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (im *importer) read(ctx context.Context, r dumps.Reader, skip importState) error {
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(im.send(ctx, im.n, im.hash), err)
		}
		im.n = rec.N
		im.before = im.hash
		im.hash = sha256.Sum256(append(im.hash[:], rec.Text...))
		switch {
		case im.n < skip.Line:
		case im.n == skip.Line:
			if hex.EncodeToString(im.hash[:]) != skip.SHA256 {
				return usage("the file is not the one that was imported up to record %d: import it without --resume", skip.Line)
			}
		default:
			if err := im.take(ctx, rec); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if skip.Line > im.n {
		return usage("the file is shorter than what was imported of it: import it without --resume")
	}
	return im.send(ctx, im.n, im.hash)
}

// take adds one record to the batch, or refuses it.
func (im *importer) take(ctx context.Context, rec dumps.Record) error {
	if len(rec.Text) == 0 && rec.Err == nil {
		return nil // a blank line
	}
	m, err := foreign.Made{}, rec.Err
	if err == nil {
		m, err = im.make(rec.Text)
	}
	var event []byte
	if err == nil && m.Event != nil {
		event, err = im.source.Identified(im.doc, m, &rec)
	}
	if err != nil {
		return im.refuse(&rec, err.Error())
	}
	if event == nil {
		return nil
	}
	if len(im.batch) == maxBatch || im.bytes+len(event)+1 > maxBatchBytes-1024 {
		if err := im.send(ctx, rec.N-1, im.before); err != nil {
			return err
		}
	}
	im.batch, im.from, im.bytes = append(im.batch, event), append(im.from, rec), im.bytes+len(event)+1
	return nil
}

// refuse names a bad record; after twenty it only counts, but for the report.
func (im *importer) refuse(rec *dumps.Record, why string) error {
	im.bad++
	if im.bad == 21 {
		im.e.warn("more are refused")
	}
	where := fmt.Sprintf("record %d", rec.N)
	if rec.Line > 0 {
		where = fmt.Sprintf("line %d", rec.Line)
	}
	if im.bad <= 20 {
		im.e.warn("%s: %s", where, visible(why))
	}
	if im.report == nil {
		return nil
	}
	line, err := json.Marshal(struct {
		Record int64  `json:"record"`
		Line   int64  `json:"line,omitempty"`
		Reason string `json:"reason"`
		Text   string `json:"text"`
	}{rec.N, rec.Line, why, string(rec.Text)})
	if err != nil {
		return err
	}
	_, err = im.report.Write(append(line, '\n'))
	return err
}

// send records the batch, which ends the records up to through; bad events are named, the others recorded. The state file follows, so
// that a crash in between only sends events again that are known by their ids.
func (im *importer) send(ctx context.Context, through int64, hash [sha256.Size]byte) error {
	if len(im.batch) == 0 {
		return nil
	}
	if im.c != nil {
		if err := im.record(ctx); err != nil {
			return err
		}
		if err := im.remember(through, hash); err != nil {
			return err
		}
	} else {
		im.events += int64(len(im.batch))
	}
	im.batch, im.from, im.bytes = im.batch[:0], im.from[:0], 0
	im.bar.at(im.events)
	return nil
}

func (im *importer) record(ctx context.Context) error {
	res, err := im.c.RecordJSON(ctx, client.Request{Events: im.batch, Partial: true})
	var all *daybook.BatchError
	switch {
	case errors.As(err, &all):
		res = client.Result{Receipts: make([]daybook.Receipt, len(im.batch)), Errors: all.Errors}
		if len(all.Errors) < len(im.batch) && len(all.Errors) < 100 {
			return err // not every event was refused, and still nothing was recorded
		}
		im.bad += int64(len(im.batch) - len(all.Errors)) // a problem names at most 100
	case err != nil:
		return err
	}
	for _, r := range res.Receipts {
		switch {
		case r.ID.IsZero():
		case r.Duplicate:
			im.again++
			fallthrough
		default:
			im.events++
		}
	}
	for _, bad := range res.Errors {
		if err := im.refuse(&im.from[bad.Index], bad.Err.RuleName()+": "+bad.Err.Message); err != nil {
			return err
		}
	}
	return nil
}

// importState is how far an import came: all records up to Line are done, and what they hash to.
type importState struct {
	Line   int64  `json:"line"`
	SHA256 string `json:"sha256"`
}

func (im *importer) remember(through int64, hash [sha256.Size]byte) error {
	if im.state == "" {
		return nil
	}
	text, err := json.Marshal(importState{Line: through, SHA256: hex.EncodeToString(hash[:])})
	if err != nil {
		return err
	}
	return durable.WriteFile(im.state, append(text, '\n'), 0o600)
}

func readImportState(path string) (importState, error) {
	var s importState
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", path, err)
	}
	return s, nil
}
