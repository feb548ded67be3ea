package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/leaf"
)

func newImport(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "import", Short: "Record events from a file"}
	var dryRun, resume bool
	nd := &cobra.Command{
		Use: "ndjson FILE", Short: "One event a line, as the API takes them or as -o ndjson prints them; - is stdin",
		Long: `A line that carries no id gets one made of its position and content, so that the same file imported again records nothing twice.
Lines as -o ndjson prints them keep their id and occurred_at; org, seq, received_at and leaf_hash belong to the log they came
from and are left out. Bad lines are named and the others recorded.`,
		Example: `  $ daybook import ndjson old-log.ndjson --dry-run
  $ daybook import ndjson old-log.ndjson --resume
  $ daybook tail --no-follow -o ndjson --org org_acme | daybook import ndjson - --org org_copy`,
		Annotations: map[string]string{exitsNote: "0 imported · 2 nothing could be read · 4 not allowed · 8 some lines were refused"},
		Args:        exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cannot("import "+args[0], e.importFile(cmd.Context(), args[0], dryRun, resume))
		},
	}
	nd.Flags().BoolVar(&dryRun, "dry-run", false, "check every line and record nothing; needs no server")
	nd.Flags().BoolVar(&resume, "resume", false, "go on where an import of this file stopped (FILE.daybook-import remembers)")
	cmd.AddCommand(nd)
	return cmd
}

// importer reads lines, sends them in batches and remembers how far it came.
type importer struct {
	e      *env
	c      *client.Client // nil: dry run
	state  string         // file that remembers; empty: none
	bar    *progress
	batch  [][]byte
	lines  []int64 // line numbers of batch
	bytes  int
	line   int64 // lines read
	events int64 // sent
	again  int64 // of these recorded before
	bad    int64
	hash   [sha256.Size]byte // of everything read so far, chained
	before [sha256.Size]byte // the same without the line read last
}

func (e *env) importFile(ctx context.Context, path string, dryRun, resume bool) error {
	im := &importer{e: e, bar: e.progress("events", 0)}
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
	if resume && path == "-" {
		return usage("--resume needs a file: stdin cannot be read a second time")
	}
	if !dryRun {
		var err error
		if im.c, err = e.connect(); err != nil {
			return err
		}
	}
	skip := importState{}
	if resume {
		var err error
		if skip, err = readImportState(im.state); err != nil {
			return err
		}
	}
	err := im.read(ctx, in, skip)
	im.bar.end()
	if err != nil {
		if im.state != "" && im.c != nil && im.events > 0 {
			e.note("%s were imported; go on with --resume", count(int(im.events), "event", "events"))
		}
		return err
	}
	verb := "imported"
	if dryRun {
		verb = "would be imported"
	}
	e.note("%s %s (%s recorded before) · %s refused", count(int(im.events), "event", "events"), verb, thousands(im.again), count(int(im.bad), "line", "lines"))
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

func (im *importer) read(ctx context.Context, in io.Reader, skip importState) error {
	lines := bufio.NewReaderSize(in, 1<<20)
	d := leaf.Get()
	defer leaf.Put(d)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(line) > 0 {
			im.line++
			im.before = im.hash
			im.hash = sha256.Sum256(append(im.hash[:], line...))
			switch {
			case im.line < skip.Line:
			case im.line == skip.Line:
				if hex.EncodeToString(im.hash[:]) != skip.SHA256 {
					return usage("the file is not the one that was imported up to line %d: import it without --resume", skip.Line)
				}
			default:
				if err := im.take(ctx, d, line); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if skip.Line > im.line {
		return usage("the file is shorter than what was imported of it: import it without --resume")
	}
	return im.send(ctx, im.line, im.hash)
}

// take adds one line to the batch, or refuses it.
func (im *importer) take(ctx context.Context, d *leaf.Doc, line []byte) error {
	event, err := im.event(d, line)
	if err != nil {
		im.refuse(im.line, err.Error())
		return nil
	}
	if event == nil {
		return nil
	}
	if len(im.batch) == maxBatch || im.bytes+len(event)+1 > maxBatchBytes-1024 {
		if err := im.send(ctx, im.line-1, im.before); err != nil {
			return err
		}
	}
	im.batch, im.lines, im.bytes = append(im.batch, event), append(im.lines, im.line), im.bytes+len(event)+1
	return nil
}

// refuse names a bad line; after twenty it only counts.
func (im *importer) refuse(line int64, why string) {
	im.bad++
	if im.bad == 21 {
		im.e.warn("more lines are refused")
	}
	if im.bad <= 20 {
		im.e.warn("line %d: %s", line, visible(why))
	}
}

// own are the members of the entry JSON that belong to the log it came from.
var own = map[string]bool{"org": true, "seq": true, "received_at": true, "leaf_hash": true}

// event turns a line into an event with an id; nil for a line that holds none: blank, a checkpoint, a tombstone.
func (im *importer) event(d *leaf.Doc, line []byte) ([]byte, error) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return nil, nil
	}
	if err := d.Read(line); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	hasID, hasAction := false, false
	var occurred string
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		key, ok := name.(string)
		switch {
		case !ok || own[key]:
			continue
		case key == "removed" || key == "checkpoint":
			return nil, nil
		case key == "occurred_at":
			_ = json.Unmarshal(value, &occurred) // the server says what is wrong with it
		case key == "action":
			hasAction = true
		case key == "id" && !bytes.Equal(value, []byte("null")):
			hasID = true
		case key == "erased_fields" || key == "masked_fields":
			continue
		}
		quoted, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		b.WriteByte(',')
		b.Write(quoted)
		b.WriteByte(':')
		b.Write(value)
	}
	if !hasAction {
		return nil, errors.New("required: the event has no action")
	}
	text := b.Bytes()
	if !hasID {
		id := im.idOf(line, occurred)
		text = append([]byte(`,"id":"`+id.String()+`"`), text...)
	}
	text[0] = '{'
	return append(text, '}'), nil
}

// idOf makes the id of a line without one: its time, and a hash of position and content. The same file gives the same ids.
func (im *importer) idOf(line []byte, occurred string) daybook.ID {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, im.line)
	h.Write(line)
	var id daybook.ID
	copy(id[:], h.Sum(nil))
	at, err := time.Parse(time.RFC3339Nano, occurred)
	if err != nil || at.UnixMilli() < 0 {
		at = time.UnixMilli(0)
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// send records the batch, which ends the lines up to through; bad events are named, the others recorded. The state file follows, so that a crash in between only
// sends events again that are known by their ids.
func (im *importer) send(ctx context.Context, through int64, hash [sha256.Size]byte) error {
	if len(im.batch) == 0 {
		return nil
	}
	if im.c != nil {
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
			im.refuse(im.lines[bad.Index], bad.Err.RuleName()+": "+bad.Err.Message)
		}
		if err := im.remember(through, hash); err != nil {
			return err
		}
	} else {
		im.events += int64(len(im.batch))
	}
	im.batch, im.lines, im.bytes = im.batch[:0], im.lines[:0], 0
	im.bar.at(im.events)
	return nil
}

// importState is how far an import came: all lines up to Line are done, and what they hash to.
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
	return os.WriteFile(im.state, append(text, '\n'), 0o600)
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
