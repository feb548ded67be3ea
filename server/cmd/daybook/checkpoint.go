package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/internal/durable"
	"github.com/daybook-audit/daybook/verify"
)

const checkpointFields = "origin,size,root,signed_at,note"

// checkpointRow is a checkpoint as -o json shows it.
type checkpointRow struct {
	Origin   string     `json:"origin"`
	Size     int64      `json:"size"`
	Root     string     `json:"root"`
	SignedAt *time.Time `json:"signed_at"` // as its clock line says; null: it has none that holds
	Note     string     `json:"note"`
}

func newCheckpoint(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "checkpoint", Short: "The signed heads of a log: get one, list them, follow them, remember one, change the key",
		Example: `  $ daybook checkpoint get --org org_acme > checkpoint
  $ daybook checkpoint watch --vkey "$VKEY"
  $ daybook checkpoint pin --vkey "$VKEY" --state acme.state`,
	}
	cmd.AddCommand(newCheckpointGet(e), newCheckpointLs(e), newCheckpointWatch(e), newCheckpointPin(e), newCheckpointRotate(e))
	return cmd
}

func newCheckpointGet(e *env) *cobra.Command {
	size := int64(-1)
	cmd := &cobra.Command{
		Use: "get", Short: "Print the newest checkpoint, or a stored one",
		Long: `Prints the signed note, which covers everything recorded before the call. Kept somewhere else it proves later that nothing below its
size was changed: daybook verify --since FILE.`,
		Example: `  $ daybook checkpoint get > checkpoint-$(date +%F)
  $ daybook checkpoint get --size 48192
  $ daybook checkpoint get -o json | jq .size`,
		Annotations: map[string]string{fieldsNote: checkpointFields, exitsNote: "0 done · 3 there is no such log, or no checkpoint of this size · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := e.watcher(nil)
			if err != nil {
				return err
			}
			return cannot("get the checkpoint", w.print(cmd.Context(), size))
		},
	}
	cmd.Flags().Int64Var(&size, "size", -1, "the stored checkpoint of exactly this size")
	return cmd
}

func newCheckpointWatch(e *env) *cobra.Command {
	var vkeys []string
	var every time.Duration
	cmd := &cobra.Command{
		Use: "watch", Short: "Follow the checkpoints, and check that each extends the one before",
		Long: `Prints a line for each new checkpoint. Each must be signed by a key given with --vkey and extend the one before; a fork or a rollback
ends it with exit code 6, and both notes are printed: they are the proof. It remembers nothing after its end; for that: daybook monitor.`,
		Example: `  $ daybook checkpoint watch --vkey 'audit.example.com/o/7f3k2q9x4m1n8p5r+9c1cb24f+ASihhwa0DweTdLp9cS3wjDesnFuwtloKI6dT5fWmf0lg'
  $ daybook checkpoint watch --every 1m --vkey "$VKEY" -o ndjson
  $ daybook checkpoint watch --org org_acme`,
		Annotations: map[string]string{fieldsNote: checkpointFields, exitsNote: "6 a fork, a rollback or a wrong signature · 7 signed by no key that was given · 130 interrupted"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < time.Second {
				return usage("--every is at least 1s")
			}
			w, err := e.watcher(vkeys)
			if err != nil {
				return err
			}
			return cannot("watch the checkpoints", w.watch(cmd.Context(), every))
		},
	}
	cmd.Flags().StringArrayVar(&vkeys, "vkey", nil, "trusted key of the log; may be repeated; without any the signatures are not checked")
	cmd.Flags().DurationVar(&every, "every", 10*time.Second, "how often to ask")
	return cmd
}

func newCheckpointPin(e *env) *cobra.Command {
	var vkeys []string
	var state string
	var yes bool
	cmd := &cobra.Command{
		Use: "pin --state FILE", Short: "Remember a log's key and its newest checkpoint",
		Long: `Writes the state file that daybook verify and daybook monitor take with --state. Without --vkey the key that the server names is
pinned, after it was shown and confirmed: compare it with the one in your contract, since a server that forges a log also forges this.`,
		Example: `  $ daybook checkpoint pin --state acme.state --vkey "$VKEY"
  $ daybook checkpoint pin --state acme.state
  $ daybook checkpoint pin --state acme.state --yes --org org_acme`,
		Annotations: map[string]string{exitsNote: "0 pinned · 2 not confirmed · 3 there is no such log · 6 it contradicts what the file remembers · 7 signed by no key that was given"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if state == "" {
				return usage("--state FILE says where to remember it")
			}
			w, err := e.watcher(vkeys)
			if err != nil {
				return err
			}
			return cannot("pin the checkpoint", w.pin(cmd.Context(), state, yes))
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "the file; what it remembers of other logs stays")
	cmd.Flags().StringArrayVar(&vkeys, "vkey", nil, "trusted key of the log; may be repeated")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func newCheckpointRotate(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "Add the next signing key to a log",
		Long: `Prints the new key. For 30 days every checkpoint is signed by both keys; then the older one is retired by itself. Give the new key to
those who pinned the old one, by another way than from the log. If somebody else may have the old key, this is not enough:
daybook recover --new-epoch --cause key_compromise.`,
		Example: `  $ daybook checkpoint rotate --org org_acme
  $ daybook checkpoint rotate --yes
  $ daybook checkpoint rotate --yes -q > vkey`,
		Annotations: map[string]string{exitsNote: "0 added · 2 not confirmed · 3 there is no such log · 4 not allowed · 5 the last rotation is not over"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.confirm(yes, "Add a key that every reader will need in 30 days"); err != nil {
				return err
			}
			w, err := e.watcher(nil)
			if err != nil {
				return err
			}
			k, err := w.c.RotateKey(cmd.Context(), w.org)
			if err != nil {
				return cannot("add a key", err)
			}
			e.note("generation %d signs beside the older key; its control entry is %s", k.Generation, thousands(k.Seq))
			_, err = fmt.Fprintln(e.stdout, visible(k.Vkey))
			return err
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// watcher looks at the checkpoints of one log.
type watcher struct {
	e    *env
	c    *client.Client
	org  daybook.OrgID
	keys []verify.Key // trusted
}

func (e *env) watcher(vkeys []string) (*watcher, error) {
	t, err := e.target()
	if err != nil {
		return nil, err
	}
	w := &watcher{e: e, org: daybook.OrgID(t.org.value)}
	for _, text := range vkeys {
		k, err := verify.ParseKey(text)
		if err != nil {
			return nil, usage("--vkey %q: %v", text, err)
		}
		w.keys = append(w.keys, k)
	}
	w.c, err = e.connect()
	return w, err
}

// get fetches the newest checkpoint, or the stored one of a size.
func (w *watcher) get(ctx context.Context, size int64) (*verify.Note, error) {
	var text []byte
	var err error
	if size < 0 {
		text, err = w.c.Checkpoint(ctx, w.org)
	} else {
		text, err = w.c.CheckpointAt(ctx, w.org, size)
	}
	if err != nil {
		return nil, err
	}
	return verify.ParseNote(text)
}

// row returns n with the time of its clock line, by the clock key that the server names.
func (w *watcher) row(ctx context.Context, n *verify.Note) (checkpointRow, error) {
	clock, err := w.clock(ctx)
	if err != nil {
		return checkpointRow{}, err
	}
	return noteRow(n, clock)
}

// clock returns the clock key that the server names, for what is shown as the time of signing; nil: it names none.
func (w *watcher) clock(ctx context.Context) (*verify.Key, error) {
	info, err := w.c.LogInfo(ctx, w.org)
	if err != nil {
		return nil, err
	}
	k, err := verify.ParseKey(info.ClockVkey)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // no clock line holds then, and no time is shown
	}
	return &k, nil
}

// noteRow returns n with the time of its clock line.
func noteRow(n *verify.Note, clock *verify.Key) (checkpointRow, error) {
	root, err := n.Root.MarshalJSON()
	if err != nil {
		return checkpointRow{}, fmt.Errorf("encode a root: %w", err)
	}
	row := checkpointRow{Origin: n.Origin, Size: n.Size, Root: string(bytes.Trim(root, `"`)), Note: n.String()}
	if clock != nil {
		if at, err := n.Signed(*clock); err == nil {
			row.SignedAt = &at
		}
	}
	return row, nil
}

func (w *watcher) print(ctx context.Context, size int64) error {
	n, err := w.get(ctx, size)
	if err != nil {
		return err
	}
	format, err := w.e.format()
	if err != nil {
		return err
	}
	if format != "json" && format != "ndjson" {
		_, err := fmt.Fprint(w.e.stdout, n.String())
		return err
	}
	row, err := w.row(ctx, n)
	if err != nil {
		return err
	}
	p, err := w.e.printer(splitFields(checkpointFields))
	if err != nil {
		return err
	}
	return p.one(row)
}

// watch follows the checkpoints until ctx ends or one of them is false.
func (w *watcher) watch(ctx context.Context, every time.Duration) error {
	p, err := w.e.printer(splitFields(checkpointFields), heading{name: "SIGNED"}, heading{name: "SIZE"}, heading{name: "ROOT"})
	if err != nil {
		return err
	}
	if len(w.keys) == 0 {
		w.e.warn("no --vkey is given: signatures are not checked")
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last *verify.Note
	for {
		n, err := w.get(ctx, -1)
		switch {
		case ctx.Err() != nil:
			return errors.Join(p.end(), context.Cause(ctx))
		case err != nil:
			w.e.warn("%v", err)
		case last == nil || n.Size != last.Size || n.Root != last.Root || n.Origin != last.Origin:
			if err := w.follows(ctx, last, n); err != nil {
				return err
			}
			row, err := w.row(ctx, n)
			if err != nil {
				return err
			}
			at := "-"
			if row.SignedAt != nil {
				at = row.SignedAt.UTC().Format(time.RFC3339)
			}
			if err := errors.Join(p.addValue(row, cell{text: at}, cell{text: thousands(n.Size)}, cell{text: row.Root}), p.flush()); err != nil {
				return err
			}
			last = n
		}
		select {
		case <-ctx.Done():
			return errors.Join(p.end(), context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// follows ends with the exit code of what is wrong with next after last, which may be nil, and prints why.
func (w *watcher) follows(ctx context.Context, last, next *verify.Note) error {
	if err := w.signed(next); err != nil {
		return err
	}
	if last == nil {
		return nil
	}
	fault := func(format string, args ...any) error {
		_, err := fmt.Fprintf(w.e.stdout, "FAILED  %s\n\n%s\n%s", visible(fmt.Sprintf(format, args...)), last, next)
		return errors.Join(err, ended(exitTampered))
	}
	switch {
	case last.Origin != next.Origin:
		_, err := fmt.Fprintf(w.e.stdout, "UNVERIFIED  epoch_changed: the log is %s now and was %s\n", visible(next.Origin), visible(last.Origin))
		return errors.Join(err, ended(exitUnverified))
	case last.Size == next.Size && last.Root != next.Root:
		return fault("fork: two roots of size %d", next.Size)
	case last.Size > next.Size:
		return fault("rollback: size %d after %d", next.Size, last.Size)
	case last.Size == 0 || last.Size == next.Size:
		return nil
	}
	proof, err := w.c.Consistency(ctx, w.org, last.Size, next.Size)
	if err != nil {
		return err
	}
	if err := verify.CheckConsistency(proof, next.Size, next.Root, last.Size, last.Root); err != nil {
		return fault("fork: the log of size %d does not begin with the one of size %d: %v", next.Size, last.Size, err)
	}
	return nil
}

// signed ends with an exit code, and prints why, unless a trusted key has signed n or none is given.
func (w *watcher) signed(n *verify.Note) error {
	if len(w.keys) == 0 {
		return nil
	}
	code, word := exitUnverified, "UNVERIFIED  key_unknown: no key that was given has signed"
	switch signedBy(n, w.keys) {
	case checkHolds:
		return nil
	case checkSignature:
		code, word = exitTampered, "FAILED  signature_invalid: the signature does not hold of"
	}
	_, err := fmt.Fprintf(w.e.stdout, "%s\n\n%s", word, n)
	return errors.Join(err, ended(code))
}

// pin remembers the key and the newest checkpoint in the file state.
func (w *watcher) pin(ctx context.Context, state string, yes bool) error {
	text, err := os.ReadFile(state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usage("--state: %v", err)
	}
	memory, err := verify.ParseState(text)
	if err != nil {
		return usage("--state %s: %v", state, err)
	}
	n, err := w.get(ctx, -1)
	if err != nil {
		return err
	}
	if len(w.keys) == 0 {
		if err := w.believe(ctx, yes); err != nil {
			return err
		}
	}
	m := memory[n.Origin]
	if m == nil {
		m = &verify.Memory{Org: string(w.org), Holds: verify.Holds{}}
		memory[n.Origin] = m
	}
	if err := w.follows(ctx, m.Note, n); err != nil {
		return err
	}
	for _, k := range w.keys {
		if !slices.ContainsFunc(m.Keys, k.Equal) {
			m.Keys = append(m.Keys, k)
		}
	}
	m.Note = n
	if text, err = memory.Append(nil); err != nil {
		return err
	}
	if err := durable.WriteFile(state, text, 0o600); err != nil {
		return err
	}
	w.e.note("%s remembers %s at size %s", state, visible(n.Origin), thousands(n.Size))
	return nil
}

// believe trusts the keys that the server names, after they were confirmed.
func (w *watcher) believe(ctx context.Context, yes bool) error {
	info, err := w.c.LogInfo(ctx, w.org)
	if err != nil {
		return err
	}
	for _, row := range info.Keys {
		if row.State == daybook.KeyRetired {
			continue
		}
		k, err := verify.ParseKey(row.Vkey)
		if err != nil {
			return fmt.Errorf("the server names a key %q: %w", row.Vkey, err)
		}
		w.keys = append(w.keys, k)
		if _, err := fmt.Fprintln(w.e.stdout, visible(row.Vkey)); err != nil {
			return err
		}
	}
	return w.e.confirm(yes, "Pin the key above, which the server names, and which you have compared with the one that you were given")
}
