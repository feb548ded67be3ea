package main

import (
	"bufio"
	"bytes"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/server/internal/madeup"
)

// workload is what events a load consists of, as flags say it.
type workload struct{ madeup.Workload }

func (w *workload) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.IntVar(&w.Orgs, "orgs", 1000, "organizations, the first ones busier (Zipf)")
	fl.Uint64Var(&w.Seed, "seed", 1, "the same seed gives the same events")
	fl.IntVar(&w.Size, "size", 691, "bytes of an event, about")
	fl.Float64Var(&w.Late, "late", 0.001, "share of events that are reported a day or more late")
}

func newBenchGen(e *env) *cobra.Command {
	var w workload
	var events int64
	cmd := &cobra.Command{
		Use: "gen", Short: "Write made-up events as NDJSON, each with its org in front",
		Example: `  $ daybook bench gen --events 1000000 --orgs 1 > million.ndjson
  $ daybook bench gen --events 1000 --seed 7 | head -1 | jq .
  $ daybook bench gen --events 50000 --orgs 1 | daybook import ndjson - --org org_1`,
		Annotations: map[string]string{exitsNote: "0 written · 1 the output cannot be written"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if w.Orgs < 1 || events < 1 {
				return usage("--orgs and --events must be at least 1")
			}
			src := w.Source()
			out := bufio.NewWriterSize(e.stdout, 1<<20)
			bar := e.progress("events", events)
			defer bar.end()
			// Ten milliseconds apart up to now would depend on the clock: the same seed must give the same bytes.
			at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
			var b bytes.Buffer
			for i := range events {
				b.Reset()
				org, err := src.Next(&b, at.Add(time.Duration(i)*10*time.Millisecond))
				if err != nil {
					return err
				}
				fmt.Fprintf(out, `{"org":%q,%s`+"\n", madeup.OrgID(org), b.Bytes()[1:])
				if i%1024 == 0 {
					bar.at(i)
					if cmd.Context().Err() != nil {
						return cmd.Context().Err()
					}
				}
			}
			return out.Flush()
		},
	}
	w.flags(cmd)
	cmd.Flags().Int64Var(&events, "events", 1_000_000, "how many")
	return cmd
}
