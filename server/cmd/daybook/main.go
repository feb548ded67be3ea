// Command daybook is server and client in one binary. One file holds one command; run `daybook help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // for images and machines without a database of time zones
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}

// Causes of a context that ended by a signal.
var (
	errInterrupted = errors.New("interrupted")
	errTerminated  = errors.New("terminated")
)

// run is the program: it returns the exit code. The first SIGINT or SIGTERM ends ctx, the second one the process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			if s == syscall.SIGTERM {
				stop(errTerminated)
			} else {
				stop(errInterrupted)
			}
		case <-ctx.Done():
		}
	}()
	e := newEnv(stdin, stdout, stderr, getenv)
	e.now = time.Now
	root := newRoot(e)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	code := exitOf(ctx, err)
	if text := e.explain(ctx, cmd, err); text != "" {
		fmt.Fprint(stderr, text)
	}
	return code
}
