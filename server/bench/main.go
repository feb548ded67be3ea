// Command bench prints the benchmark table of the README: the floor of the disk, the ceiling of HTTP, rows with indexes behind the same
// HTTP layer, and Daybook, one after the other on the same machine, with their ratios. It drives the commands of `daybook bench`, which
// hold the load generator and the measurements; what is here is the baseline and the order of the runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == "rows" {
		err = serve(os.Args[2:], os.Stdout)
	} else {
		err = run(os.Args[1:])
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	r := &report{}
	flags.StringVar(&r.binary, "binary", "bin/daybook", "the daybook to measure")
	flags.StringVar(&r.dir, "dir", "", "folder on the disk to measure; default: a temporary one in the working folder")
	flags.StringVar(&r.out, "out", "", "file to append one line of JSON a run to")
	flags.DurationVar(&r.each, "each", 6*time.Second, "how long each load runs, after a warm-up of a fifth of it")
	flags.IntVar(&r.rounds, "rounds", 1, "how often each load runs, the servers taking turns; the table shows medians")
	flags.IntVar(&r.large, "large", 1_500_000, "entries of the store that is searched; it is also searched at a third of them")
	flags.StringVar(&r.only, "only", "", "one part alone: postgres, overload or console")
	flags.IntVar(&r.shown, "shown", 1_000_000, "events of the organization that the console shows")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if r.dir == "" {
		if r.dir, err = os.MkdirTemp(".", "bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	}
	if r.binary, err = filepath.Abs(r.binary); err != nil {
		return err
	}
	if r.dir, err = filepath.Abs(r.dir); err != nil {
		return err
	}
	return r.run(ctx)
}
