package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/server/internal/export"
	"github.com/daybook-audit/daybook/server/internal/load"
)

// exportBench is one run of `bench export`.
type exportBench struct {
	name, formats string
	pid           int
	goBench       bool
}

func newBenchExport(e *env) *cobra.Command {
	var b exportBench
	cmd := &cobra.Command{
		Use: "export", Short: "Measure exports of the largest log, or of --org: entries a second, memory, size",
		Long: `The time is the server's own, from the start of writing to the whole file, synced and hashed. With --pid its memory is looked at all the
while, and the most is reported. Each export is cancelled afterwards, which deletes its file.`,
		Example: `  $ daybook bench export --org org_1
  $ daybook bench export --pid $(pgrep -of 'daybook serve')
  $ daybook bench export --formats ndjson,parquet --go-bench`,
		Annotations: map[string]string{exitsNote: "0 measured · 1 an export failed, or the server cannot be reached"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cannot("measure", b.run(cmd.Context(), e))
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&b.name, "name", "", "name of the run in its lines")
	fl.StringVar(&b.formats, "formats", "ndjson,ndjson/zstd,csv,csv/gzip,parquet,parquet/short", "what to measure, separated by commas; parquet/short is without leaf_hash; bundle needs a server with an origin")
	fl.IntVar(&b.pid, "pid", 0, "process of the server: its CPU and memory are reported (Linux)")
	fl.BoolVar(&b.goBench, "go-bench", false, "also print the lines that go test -bench would, for benchstat")
	return cmd
}

func (b *exportBench) run(ctx context.Context, e *env) error {
	t, err := e.target()
	if err != nil {
		return err
	}
	c, err := e.connect()
	if err != nil {
		return err
	}
	orgs, _, err := new(queryBench).orgs(ctx, c, daybook.OrgID(t.org.value))
	if err != nil {
		return err
	}
	e.org = string(orgs[0].ID)
	if c, err = e.connect(); err != nil {
		return err
	}
	e.note("%s of %s", count(int(orgs[0].Size), "entry", "entries"), orgs[0].ID)
	for format := range strings.SplitSeq(b.formats, ",") {
		r, err := b.measure(ctx, e, c, strings.TrimSpace(format))
		if err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
		e.note("%-14s %s entries/s, %.0f bytes each, %s of memory at most", format, thousands(int64(r.EventRate)), r.More["bytes_per_entry"], bytesText(r.ServerRSS))
		if err := r.Print(e.stdout, b.goBench); err != nil {
			return err
		}
	}
	return nil
}

// measure makes one export and watches the server meanwhile.
func (b *exportBench) measure(ctx context.Context, e *env, c *client.Client, what string) (*load.Line, error) {
	ask := client.NewExport{}
	var variant string
	ask.Format, variant, _ = strings.Cut(what, "/")
	if variant == "short" {
		ask.Columns = slices.DeleteFunc(export.Columns(), func(name string) bool { return name == "leaf_hash" })
	} else {
		ask.Compression = variant
	}
	before := load.UseOf(b.pid)
	x, err := c.CreateExport(ctx, ask)
	if err != nil {
		return nil, err
	}
	most := before.RSS
	for !x.Ended() {
		t := time.NewTimer(10 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
		most = max(most, load.UseOf(b.pid).RSS)
		if x, err = c.Export(ctx, x.ID); err != nil {
			return nil, err
		}
	}
	after := load.UseOf(b.pid)
	if x.State != "ready" || x.StartedAt == nil || x.FinishedAt == nil || x.Rows == 0 {
		return nil, errors.New("the export is " + x.State)
	}
	r := e.line("export", strings.TrimSpace(b.name+" "+what), map[string]any{"format": x.Format, "compression": x.Compression, "columns": len(x.Columns), "org": x.Org})
	r.Events, r.Seconds = x.Rows, x.FinishedAt.Sub(*x.StartedAt).Seconds()
	r.EventRate = float64(x.Rows) / max(r.Seconds, 1e-6)
	r.ServerCPU, r.ServerRSS = after.CPU-before.CPU, max(most, after.RSS)
	r.CPUPerEvent = r.ServerCPU * 1e6 / float64(x.Rows)
	r.More = map[string]any{"bytes": x.Bytes, "bytes_per_entry": float64(x.Bytes) / float64(x.Rows), "server_rss_before_bytes": before.RSS}
	_, err = c.CancelExport(ctx, x.ID)
	return r, err
}
