package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/server/internal/export"
)

const exportFields = "id,org,state,format,compression,columns,query,from,to,size,scanned,rows,bytes,sha256,left_out,error,by,created_at,started_at,finished_at,expires_at,url"

var exportHeads = []heading{
	{name: "ID"},
	{name: "STATE"},
	{name: "FORMAT"},
	{name: "ROWS", right: true},
	{name: "BYTES", right: true},
	{name: "SIZE", right: true, spare: true},
	{name: "CREATED_AT"},
	{name: "EXPIRES_AT", spare: true},
	{name: "QUERY"},
}

func exportRow(x *client.Export) []cell {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	state := cell{text: x.State}
	if x.State == "failed" {
		state.tone = red
	}
	return []cell{
		{text: x.ID},
		state,
		{text: x.Format},
		{text: strconv.FormatInt(x.Rows, 10)},
		{text: strconv.FormatInt(x.Bytes, 10)},
		{text: strconv.FormatInt(x.Size, 10)},
		{text: at(&x.CreatedAt)},
		{text: at(x.ExpiresAt)},
		{text: x.Query},
	}
}

func newExport(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "export", Short: "Parts of the log as files, written by the server"}
	cmd.AddCommand(newExportCreate(e), newExportLs(e), newExportGet(e), newExportCancel(e))
	return cmd
}

// exportFlags are those of create.
type exportFlags struct {
	query, since, until, format, cols, compression, mask, from, out string
	raw, wait                                                       bool
}

func newExportCreate(e *env) *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use: "create", Short: "Begin an export; with --out wait for it and fetch the file",
		Long: `The server writes the file, oldest entry first, from the log as it is now: what is recorded later is not in it. An export goes on when
this command or the server stops, and its file is kept for a week. A bundle is the evidence for an auditor: daybook verify checks it.`,
		Example: `  $ daybook export create --query 'target:invoice:42' --format csv --out invoice42.csv
  $ daybook export create --since 30d --format parquet --out month.parquet
  $ daybook export create --format bundle --out acme.daybook.gz`,
		Annotations: map[string]string{
			queryNote: "yes", fieldsNote: exportFields,
			exitsNote: "0 begun, or with --wait or --out whole · 1 it failed · 2 bad query, or FILE exists · 4 not allowed · 5 too many are under way",
		},
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.queryFailure("export", f.query, e.createExport(cmd.Context(), &f))
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.query, "query", "", "what to export (default: everything)")
	fl.StringVar(&f.since, "since", "", "from this time: 7d, 2026-11-01, now-1h (default: the beginning)")
	fl.StringVar(&f.until, "until", "", "before the end of this time")
	fl.StringVar(&f.format, "format", export.CSV, strings.Join(export.Formats(), " | "))
	fl.StringVar(&f.cols, "cols", "", "columns of csv and parquet: "+strings.Join(export.Columns(), ", "))
	fl.StringVar(&f.compression, "compress", "", "none | gzip | zstd (default: none; a bundle gzip)")
	fl.StringVar(&f.mask, "mask", "", "of a bundle: paths of fields to withhold, such as /actor/email, separated by commas")
	fl.StringVar(&f.from, "from-size", "", "of a bundle: sizes of older checkpoints to link it to, separated by commas")
	fl.BoolVar(&f.raw, "raw-csv", false, "leave = + - @ at the beginning of a cell alone")
	fl.StringVar(&f.out, "out", "", "wait, then fetch the file to this name; - is stdout")
	fl.BoolVar(&f.wait, "wait", false, "wait until it is ready")
	return cmd
}

func (e *env) createExport(ctx context.Context, f *exportFlags) error {
	n, err := f.request(e)
	if err != nil {
		return err
	}
	if f.out != "" && f.out != "-" && isThere(f.out) {
		return usage("%s exists: an export replaces nothing", f.out)
	}
	p, c, err := e.exportPrinter(f.out)
	if err != nil {
		return err
	}
	x, err := c.CreateExport(ctx, n)
	if err != nil {
		return cannot("export", err)
	}
	if f.out == "" && !f.wait {
		e.note("it is being written; daybook export get %s --out FILE fetches it", x.ID)
		return p.one(x, exportRow(&x)...)
	}
	return e.finishExport(ctx, c, p, x, f.out)
}

// request builds what is asked of the server.
func (f *exportFlags) request(e *env) (client.NewExport, error) {
	_, zone, err := e.zone()
	if err != nil {
		return client.NewExport{}, err
	}
	n := client.NewExport{
		Format: f.format, Query: f.query, TZ: zone, Compression: f.compression, RawCSV: f.raw, Columns: commaList(f.cols), Mask: commaList(f.mask),
	}
	for _, text := range commaList(f.from) {
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return n, usage("--from-size %q: a size is a whole number", text)
		}
		n.Since = append(n.Since, size)
	}
	times := listFlags{}
	if n.From, err = times.moment("since", f.since); err != nil {
		return n, err
	}
	n.To, err = times.moment("until", f.until)
	return n, err
}

func commaList(text string) []string {
	var list []string
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one != "" {
			list = append(list, one)
		}
	}
	return list
}

// exportPrinter prints exports; with the file on stdout it prints nothing there.
func (e *env) exportPrinter(out string) (*printer, *client.Client, error) {
	p, err := e.printer(splitFields(exportFields), exportHeads...)
	if err != nil {
		return nil, nil, err
	}
	c, err := e.connect()
	if out == "-" {
		p = nil
	}
	return p, c, err
}

// finishExport waits for x, fetches its file if out is a name, and says what it holds.
func (e *env) finishExport(ctx context.Context, c *client.Client, p *printer, x client.Export, out string) error {
	x, err := e.awaitExport(ctx, c, x)
	if err != nil {
		return err
	}
	if x.State != "ready" {
		if x.Error != nil {
			return cannot("export", fmt.Errorf("%s is %s: %s", x.ID, x.State, *x.Error))
		}
		return cannot("export", fmt.Errorf("%s is %s", x.ID, x.State))
	}
	if out != "" {
		if err := e.fetchExport(ctx, c, &x, out); err != nil {
			return cannot("fetch "+x.ID, err)
		}
	}
	e.aboutExport(&x)
	if p == nil {
		return nil
	}
	return p.one(x, exportRow(&x)...)
}

// awaitExport asks again and again until x has ended.
func (e *env) awaitExport(ctx context.Context, c *client.Client, x client.Export) (client.Export, error) {
	bar := e.progress("entries", x.Size)
	defer bar.end()
	wait := 20 * time.Millisecond
	for !x.Ended() {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			e.note("the server goes on; daybook export get %s --out FILE fetches it", x.ID)
			return x, context.Cause(ctx)
		}
		var err error
		if x, err = c.Export(ctx, x.ID); err != nil {
			return x, cannot("wait for "+x.ID, err)
		}
		bar.at(x.Scanned)
		wait = min(2*wait, time.Second)
	}
	return x, nil
}

// fetchExport writes the file: to stdout, or to a name that appears when it is whole.
func (e *env) fetchExport(ctx context.Context, c *client.Client, x *client.Export, out string) (err error) {
	bar := e.progress("bytes", x.Bytes)
	defer bar.end()
	fetch := func(w io.Writer) error {
		got, err := c.Download(ctx, x.ID, w, bar.at)
		if err == nil {
			*x = got
		}
		return err
	}
	if out == "-" {
		return fetch(e.stdout)
	}
	return newFile(out, func(f *os.File) error { return fetch(f) })
}

// aboutExport says on stderr what a file holds, and what not.
func (e *env) aboutExport(x *client.Export) {
	sum := ""
	if x.SHA256 != nil {
		sum = " · sha256 " + *x.SHA256
	}
	e.note("%s · %s%s · pinned to size %s", count(int(x.Rows), "row", "rows"), bytesText(x.Bytes), sum, thousands(x.Size))
	var out []string
	l := &x.LeftOut
	for _, part := range []struct {
		n         int64
		one, many string
	}{
		{l.Entries, "entry that the query excludes", "entries that the query excludes"},
		{int64(len(l.Columns)), "column", "columns"},
		{l.ErasedEntries, "erased entry", "erased entries"},
		{l.ErasedFields, "erased value", "erased values"},
		{int64(len(l.Mask)), "masked path", "masked paths"},
	} {
		if part.n == 0 {
			continue
		}
		text := count(int(part.n), part.one, part.many)
		if part.one == "column" {
			text += " (" + strings.Join(l.Columns, ", ") + ")"
		}
		out = append(out, text)
	}
	if len(out) > 0 {
		e.note("leaves out: %s", strings.Join(out, " · "))
	}
}

func newExportLs(e *env) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "ls", Short: "Exports, newest first",
		Example: `  $ daybook export ls
  $ daybook export ls --limit 1 -o json
  $ daybook export ls -o tsv | grep running`,
		Annotations: map[string]string{fieldsNote: exportFields, exitsNote: "0 listed · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usage("--limit must be at least 1")
			}
			p, c, err := e.exportPrinter("")
			if err != nil {
				return err
			}
			all, err := c.Exports(cmd.Context(), limit)
			if err != nil {
				return cannot("list the exports", err)
			}
			for i := range all {
				if err := p.addValue(all[i], exportRow(&all[i])...); err != nil {
					return err
				}
			}
			if len(all) == limit {
				e.note("%d shown; --limit N shows more", limit)
			}
			return p.end()
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "exports to print")
	return cmd
}

func newExportGet(e *env) *cobra.Command {
	var out string
	var wait bool
	cmd := &cobra.Command{
		Use: "get ID", Short: "Show an export; with --out wait for it and fetch the file",
		Example: `  $ daybook export get exp_01m7w2y7m0fhra2avt0s3fj8ks
  $ daybook export get exp_01m7w2y7m0fhra2avt0s3fj8ks --out invoice42.csv
  $ daybook export get exp_01m7w2y7m0fhra2avt0s3fj8ks --out - | head`,
		Annotations: map[string]string{fieldsNote: exportFields, exitsNote: "0 shown or fetched · 1 it failed · 2 FILE exists · 3 there is none, or its file was deleted · 4 not allowed"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out != "" && out != "-" && isThere(out) {
				return usage("%s exists: an export replaces nothing", out)
			}
			p, c, err := e.exportPrinter(out)
			if err != nil {
				return err
			}
			x, err := c.Export(cmd.Context(), args[0])
			if err != nil {
				return cannot("show "+args[0], err)
			}
			if wait || out != "" {
				return e.finishExport(cmd.Context(), c, p, x, out)
			}
			if x.Error != nil {
				e.note("%s: %s", x.State, *x.Error)
			}
			return p.one(x, exportRow(&x)...)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "wait, then fetch the file to this name; - is stdout")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is ready")
	return cmd
}

func newExportCancel(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "cancel ID", Short: "End an export that is under way, or delete the file of one that is ready",
		Example: `  $ daybook export cancel exp_01m7w2y7m0fhra2avt0s3fj8ks
  $ daybook export cancel exp_01m7w2y7m0fhra2avt0s3fj8ks -q
  $ daybook export ls -o ndjson | jq -r 'select(.state=="ready").id' | xargs -n1 daybook export cancel`,
		Annotations: map[string]string{fieldsNote: exportFields, exitsNote: "0 it has ended · 3 there is none · 4 not allowed"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, c, err := e.exportPrinter("")
			if err != nil {
				return err
			}
			x, err := c.CancelExport(cmd.Context(), args[0])
			if err != nil {
				return cannot("cancel "+args[0], err)
			}
			return p.one(x, exportRow(&x)...)
		},
	}
}
