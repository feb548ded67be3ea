package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
)

func newFsck(e *env) *cobra.Command {
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
			return cannot("check the store", e.fsck(cmd.Context(), c, true, workers))
		},
	}
	cmd.Flags().String("db", "", "the store: a file, or the address of a PostgreSQL database (default daybook.db)")
	cmd.Flags().String("highwater", "", "high-water store (default highwater.db beside the store; of PostgreSQL: the schema daybook_highwater)")
	cmd.Flags().IntVar(&workers, "workers", 2, "logs checked at once")
	return cmd
}

// fsck checks the store of c and prints what is wrong. Findings are exit code 6. Without remembered, or when there is no high-water
// store, it is compared with itself alone.
func (e *env) fsck(ctx context.Context, c *config.Config, remembered bool, workers int) error {
	s, err := openStore(ctx, c.DB, storeOptions{readOnly: true, c: c})
	if err != nil {
		return err
	}
	start := e.now()
	bar := e.progress("entries", 0)
	o := daybook.FsckOptions{Workers: workers, Progress: bar.at}
	var report daybook.FsckReport
	compared := true // with the high-water store
	if remembered {
		report, compared, err = fsckSigned(ctx, s, c, o)
	} else {
		report, err = daybook.Fsck(ctx, s, o)
	}
	bar.end()
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if report.Checkpoints > 0 && !compared {
		e.warn("there is no high-water store at %s: whether this is an older copy is not known", marksShown(c))
	}
	for _, f := range report.Findings {
		where := cmp.Or(string(f.Org), "the store")
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

// fsckSigned is daybook.Fsck with the high-water store of c. Compared is false when there is none, and the store has signed something.
func fsckSigned(ctx context.Context, s store, c *config.Config, o daybook.FsckOptions) (report daybook.FsckReport, compared bool, err error) {
	known, signed, err := control.ReadSigning(ctx, s)
	if err != nil {
		return report, false, err
	}
	if signed {
		m, err := findMarks(ctx, c)
		if err != nil {
			return report, false, err
		}
		if m != nil {
			defer func() { err = errors.Join(err, m.Close()) }()
			o.HighWater, o.Origin, compared = m, known.Origin, true
		}
	}
	report, err = daybook.Fsck(ctx, s, o)
	return report, compared || !signed, err
}
