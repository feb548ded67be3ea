package main

import (
	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/server/internal/load"
)

func newBench(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench", Short: "Load generator and measurements",
		Long: `Each run writes one line of JSON to stdout: what was run, on what, and what came out. make bench runs the whole table.`,
	}
	cmd.AddCommand(newBenchGen(e), newBenchLoad(e), newBenchOverload(e), newBenchQuery(e), newBenchCommit(e), newBenchStart(e), newBenchDisk(e), newBenchExport(e), newBenchNull(e), newBenchSync(e))
	return cmd
}

// line is that of a run of ours.
func (e *env) line(bench, name string, settings map[string]any) *load.Line {
	return load.NewLine(bench, name, version(), e.now(), settings)
}
