package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/sqlite"
)

func newFsck(e *env) *cobra.Command {
	var db, highwater string
	var workers int
	cmd := &cobra.Command{
		Use: "fsck", Short: "Recompute everything in the store from its bytes",
		Long: `Reads every entry, recomputes its hashes and the tree, and compares them with what is stored: gaps, order, times, ids, filters,
every checkpoint, and the high-water store if it is there. It changes nothing and may run beside the server.`,
		Example: `  $ daybook fsck
  $ daybook fsck --db /var/lib/daybook/daybook.db --workers 4
  $ daybook fsck --db backup.db && echo the backup is whole`,
		Annotations: map[string]string{exitsNote: "0 everything agrees · 1 could not read · 2 there is no store · 6 bytes contradict each other"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := e.configuration(cmd)
			if err != nil {
				return err
			}
			return cannot("check the store", e.fsck(cmd.Context(), c.DB, highWaterPath(c), workers))
		},
	}
	cmd.Flags().StringVar(&db, "db", "", "the store (default daybook.db)")
	cmd.Flags().StringVar(&highwater, "highwater", "", "high-water store (default highwater.db beside the store)")
	cmd.Flags().IntVar(&workers, "workers", 2, "logs checked at once")
	return cmd
}

// fsck checks the store in the file db and prints what is wrong. Findings are exit code 6. Without highwater, or when there is no such
// file, the store is compared with itself alone.
func (e *env) fsck(ctx context.Context, db, highwater string, workers int) error {
	s, err := openStore(ctx, db, storeOptions{readOnly: true})
	if err != nil {
		return err
	}
	start := e.now()
	bar := e.progress("entries", 0)
	report, err := fsckSigned(ctx, s, highwater, daybook.FsckOptions{Workers: workers, Progress: bar.at})
	bar.end()
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if report.Checkpoints > 0 && highwater != "" && !isThere(highwater) {
		e.warn("there is no high-water store at %s: whether this is an older copy is not known", highwater)
	}
	for _, f := range report.Findings {
		where := string(f.Org)
		if f.Seq >= 0 {
			where += " entry " + thousands(f.Seq)
		}
		if _, err := fmt.Fprintf(e.stdout, "FAILED  %s: %s: %s\n", visible(where), visible(f.Code), visible(f.Message)); err != nil {
			return err
		}
	}
	e.note("%s in %s, %s, %s and %s read in %s", count(int(report.Entries), "entry", "entries"), count(report.Logs, "log", "logs"),
		count(report.Blocks, "block", "blocks"), count(report.Commits, "commit", "commits"),
		count(int(report.Checkpoints), "checkpoint", "checkpoints"), brief(e.now().Sub(start)))
	if len(report.Findings) > 0 {
		return ended(exitTampered)
	}
	_, err = fmt.Fprintln(e.stdout, "OK  everything agrees")
	return err
}

// fsckSigned is daybook.Fsck with the high-water store in the file highwater, if it is there and the store has signed anything.
func fsckSigned(ctx context.Context, s store, highwater string, o daybook.FsckOptions) (report daybook.FsckReport, err error) {
	known, signed, err := control.ReadSigning(ctx, s)
	if err != nil {
		return report, err
	}
	if signed && highwater != "" && isThere(highwater) {
		marks, err := sqlite.OpenHighWater(highwater)
		if err != nil {
			return report, err
		}
		defer func() { err = errors.Join(err, marks.Close()) }()
		o.HighWater, o.Origin = marks, known.Origin
	}
	return daybook.Fsck(ctx, s, o)
}
