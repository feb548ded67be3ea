package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
)

func newFsck(e *env) *cobra.Command {
	var db string
	var workers int
	cmd := &cobra.Command{
		Use: "fsck", Short: "Recompute everything in the store from its bytes",
		Long: `Reads every entry, recomputes its hashes and the tree, and compares them with what is stored: gaps, order, times, ids, filters.
It changes nothing and may run beside the server.`,
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
			return cannot("check the store", e.fsck(cmd.Context(), c.DB, workers))
		},
	}
	cmd.Flags().StringVar(&db, "db", "", "the store (default daybook.db)")
	cmd.Flags().IntVar(&workers, "workers", 2, "logs checked at once")
	return cmd
}

// fsck checks the store in the file db and prints what is wrong. Findings are exit code 6.
func (e *env) fsck(ctx context.Context, db string, workers int) error {
	s, err := openStore(ctx, db, storeOptions{readOnly: true})
	if err != nil {
		return err
	}
	start := e.now()
	bar := e.progress("entries", 0)
	report, err := daybook.Fsck(ctx, s, daybook.FsckOptions{Workers: workers, Progress: bar.at})
	bar.end()
	if err := errors.Join(err, s.Close()); err != nil {
		return err
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
	e.note("%s in %s, %s and %s read in %s", count(int(report.Entries), "entry", "entries"), count(report.Logs, "log", "logs"),
		count(report.Blocks, "block", "blocks"), count(report.Commits, "commit", "commits"), brief(e.now().Sub(start)))
	if len(report.Findings) > 0 {
		return ended(exitTampered)
	}
	_, err = fmt.Fprintln(e.stdout, "OK  everything agrees")
	return err
}
