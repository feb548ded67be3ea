package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/internal/durable"
	"github.com/daybook-audit/daybook/verify"
)

// monitoring is a monitor's way of working, from its flags.
type monitoring struct {
	verifying
	every           time.Duration
	command         string
	keepGoing, once bool
	misses          int // rounds in a row that could not verify
}

// alarm is how many rounds in a row may end without a verdict before somebody is told.
const alarm = 3

// commandTime bounds what --exec runs.
const commandTime = time.Minute

func newMonitor(e *env) *cobra.Command {
	m := &monitoring{}
	cmd := &cobra.Command{
		Use: "monitor", Short: "Watch a log and remember it: tell of a fork, a rollback, an unlawful removal, or silence",
		Long: `Looks at the log again and again, verifies what is new, and remembers it in --state. Each round prints one JSON line. What is false (exit 6)
runs --exec, leaves the state as it was, puts the remembered and the new checkpoint beside it, and ends the program. What cannot be
verified (7) is tried again; three such rounds in a row run --exec too. The command gets the line on its standard input.

Run it on another machine than the server's, by other people: otherwise it remembers nothing that they could not change.`,
		Example: `  $ daybook monitor --org org_acme --state acme.state --vkey "$VKEY"
  $ daybook monitor --org org_acme --state acme.state --every 1m --exec 'mail -s "audit log" security@example.com'
  $ daybook monitor --org org_acme --state acme.state --once         # one round, for cron`,
		Annotations: map[string]string{exitsNote: "0 with --once: proved · 2 the command line is wrong · 6 something is false · 7 with --once: could not be verified · 130 interrupted"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if m.state == "" {
				return usage("--state FILE is missing: a monitor is what remembers")
			}
			if m.every <= 0 {
				return usage("--every is a length of time above zero")
			}
			if err := m.read(e); err != nil {
				return err
			}
			if !m.keep {
				return usage("%s holds a bare checkpoint: name a new file, and give the checkpoint with --since", m.state)
			}
			return m.run(cmd.Context(), e)
		},
	}
	m.flags(cmd)
	f := cmd.Flags()
	f.DurationVar(&m.maxAge, "max-age", defaultMaxAge, "stale if the newest checkpoint was signed longer ago")
	f.DurationVar(&m.every, "every", 5*time.Minute, "time between two rounds")
	f.StringVar(&m.command, "exec", "", "shell command to run when something is false, or cannot be verified for long")
	f.BoolVar(&m.keepGoing, "keep-going", false, "go on after something false")
	f.BoolVar(&m.once, "once", false, "end after one round, with its exit code")
	f.Lookup("exec").Annotations = map[string][]string{valueNote: {"COMMAND"}}
	return cmd
}

// run makes rounds until something is false or the program is interrupted.
func (m *monitoring) run(ctx context.Context, e *env) error {
	var w *watching
	for {
		var r *verify.Report
		if w == nil { // a server that is down just now is no reason to end
			var err error
			if w, r, err = m.watch(ctx, e); err != nil {
				return err
			}
		}
		org := daybook.OrgID(e.org)
		if w != nil {
			r, org = w.round(ctx, e), w.org
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := m.tell(ctx, e, org, r); err != nil {
			return err
		}
		if code := r.Exit(); code == exitTampered && !m.keepGoing || code != exitDone && m.once {
			return ended(code)
		}
		if m.once {
			return nil
		}
		next := time.NewTimer(m.every)
		select {
		case <-next.C:
		case <-ctx.Done():
			next.Stop()
			return context.Cause(ctx)
		}
	}
}

// roundJSON is one round as a line.
type roundJSON struct {
	Time     time.Time        `json:"time"`
	Org      string           `json:"org"`
	Origin   string           `json:"origin,omitempty"`
	Size     int64            `json:"size"`
	New      int64            `json:"new"` // entries that this round has verified
	Findings []verify.Finding `json:"findings"`
	Evidence []string         `json:"evidence,omitempty"` // files with the checkpoints that contradict each other
}

// tell prints the round, keeps what it proved or the evidence against it, and calls whoever is to know.
func (m *monitoring) tell(ctx context.Context, e *env, org daybook.OrgID, r *verify.Report) error {
	round := roundJSON{Time: e.now().UTC().Truncate(time.Microsecond), Org: string(org), Origin: r.Origin, Size: r.Size, Findings: append([]verify.Finding{}, r.Findings...)}
	m.misses++
	switch r.Exit() {
	case exitDone:
		m.misses = 0
		round.New = r.To - r.From
		if err := m.save(e, r); err != nil {
			return err
		}
	case exitTampered:
		m.misses = 0
		var err error
		if round.Evidence, err = m.keepEvidence(r, round.Time); err != nil {
			e.warn("the evidence could not be written: %v", err)
		}
	}
	text, err := json.Marshal(round)
	if err != nil {
		return fmt.Errorf("print the round: %w", err)
	}
	text = append(text, '\n')
	shown := text
	if e.stdoutTTY {
		shown = escapeJSON(text)
	}
	if _, err := e.stdout.Write(shown); err != nil {
		return fmt.Errorf("print the round: %w", err)
	}
	if r.Exit() == exitTampered || m.misses == alarm {
		m.call(ctx, e, text)
	}
	return nil
}

// keepEvidence writes the remembered and the new checkpoint beside the state, which stays as it was: two signed notes that contradict
// each other are the proof.
func (m *monitoring) keepEvidence(r *verify.Report, at time.Time) ([]string, error) {
	var names []string
	var errs []error
	put := func(which, text string) {
		name := m.state + "." + at.Format("20060102T150405Z") + "." + which
		errs = append(errs, durable.WriteFile(name, []byte(text), 0o600))
		names = append(names, name)
	}
	if memory := m.memory[r.Origin]; memory != nil && memory.Note != nil {
		put("remembered", memory.Note.String())
	}
	if r.Note != "" {
		put("shown", r.Note)
	}
	return names, errors.Join(errs...)
}

// call runs the command of --exec. That it fails does not stop the monitor.
func (m *monitoring) call(ctx context.Context, e *env, line []byte) {
	if m.command == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", m.command) //nolint:gosec // G204: the command of who runs the monitor; evidence reaches it as data only
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(line), e.stderr, e.stderr
	if err := cmd.Run(); err != nil {
		e.warn("the command of --exec failed: %v", err)
	}
}
