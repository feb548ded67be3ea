package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/verify"
)

const checkpointListFields = checkpointFields + ",check"

// What a check of one listed checkpoint found.
const (
	checkHolds     = "holds"
	checkDamaged   = "damaged"
	checkFork      = "fork"
	checkSignature = "signature invalid"
	checkUnknown   = "key unknown"
)

// listedCheckpoint is a checkpoint of a list as -o json shows it. One that is damaged has no note and no root.
type listedCheckpoint struct {
	checkpointRow
	Check string `json:"check"` // empty: nothing was asked for
}

func newCheckpointLs(e *env) *cobra.Command {
	var l checkpointLister
	var vkeys []string
	cmd := &cobra.Command{
		Use: "ls", Short: "List the stored checkpoints, newest first, and check each",
		Long: `Of each checkpoint that the server keeps: when it was signed, by its clock line, its size and its root. With --vkey each must be signed
by a key that was given; with --proofs the server must prove of each that its entries are the beginning of the newest one's. What was
found stands in the column CHECK: holds, damaged, fork, signature invalid, key unknown.`,
		Example: `  $ daybook checkpoint ls
  $ daybook checkpoint ls --vkey "$VKEY" --proofs --all
  $ daybook checkpoint ls --limit 1000 -o ndjson | jq -r .note`,
		Annotations: map[string]string{
			fieldsNote: checkpointListFields,
			exitsNote:  "0 listed, and what was asked for holds · 3 there is no such log · 4 not allowed · 6 one is damaged, or contradicts the others or its signature · 7 signed by no key that was given",
		},
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if l.limit < 1 {
				return usage("--limit must be at least 1")
			}
			w, err := e.watcher(vkeys)
			if err != nil {
				return err
			}
			l.watcher = w
			return cannot("list the checkpoints", l.list(cmd.Context()))
		},
	}
	f := cmd.Flags()
	f.IntVar(&l.limit, "limit", 50, "checkpoints to print")
	f.BoolVar(&l.all, "all", false, "print every stored checkpoint")
	f.BoolVar(&l.proofs, "proofs", false, "have the server prove that each is the beginning of the newest")
	f.StringArrayVar(&vkeys, "vkey", nil, "trusted key of the log; may be repeated")
	return cmd
}

// checkpointLister prints the stored checkpoints of one log.
type checkpointLister struct {
	*watcher
	limit       int
	all, proofs bool

	newest *verify.Note // of those that are not damaged
	faults int          // checkpoints that are proved to be false
	alien  int          // signed by no key that was given
}

func (l *checkpointLister) list(ctx context.Context) error {
	p, err := l.e.printer(splitFields(checkpointListFields), heading{name: "SIGNED"}, heading{name: "SIZE", right: true}, heading{name: "CHECK"}, heading{name: "ROOT"})
	if err != nil {
		return err
	}
	clock, err := l.clock(ctx)
	if err != nil {
		return err
	}
	printed, more := 0, false
	for stored, err := range l.c.Checkpoints(ctx, l.org, l.page()) {
		if err != nil {
			return errors.Join(err, p.end())
		}
		if more = !l.all && printed == l.limit; more {
			break
		}
		row, err := l.row(ctx, &stored, clock)
		if err != nil {
			return errors.Join(err, p.end())
		}
		if err := p.addValue(row, l.cells(&row, stored.SignedAt)...); err != nil {
			return err
		}
		printed++
	}
	said := count(printed, "checkpoint", "checkpoints")
	if more {
		said += ", and there are older ones: --all, or a larger --limit"
	}
	l.e.note("%s", said)
	switch err := p.end(); {
	case err != nil:
		return err
	case l.faults > 0:
		return ended(exitTampered)
	case l.alien > 0:
		return ended(exitUnverified)
	}
	return nil
}

// page is how many checkpoints are fetched at once.
func (l *checkpointLister) page() int {
	if l.all {
		return 0
	}
	return l.limit + 1 // one more says that there are more
}

// row reads and checks one stored checkpoint.
func (l *checkpointLister) row(ctx context.Context, stored *client.StoredCheckpoint, clock *verify.Key) (listedCheckpoint, error) {
	row := listedCheckpoint{checkpointRow: checkpointRow{Size: stored.Size}, Check: checkDamaged}
	n, err := verify.ParseNote([]byte(stored.Note))
	if stored.Damaged || err != nil || n.Size != stored.Size {
		l.faults++
		return row, nil //nolint:nilerr // what is damaged is a row
	}
	if row.checkpointRow, err = noteRow(n, clock); err != nil {
		return row, err
	}
	if row.Check, err = l.check(ctx, n); err != nil {
		return row, fmt.Errorf("check the checkpoint of size %s: %w", thousands(n.Size), err)
	}
	switch row.Check {
	case checkFork, checkSignature:
		l.faults++
	case checkUnknown:
		l.alien++
	}
	return row, nil
}

// check returns what of n was asked for and does not hold, checkHolds when all of it does, and nothing when nothing was asked for.
func (l *checkpointLister) check(ctx context.Context, n *verify.Note) (string, error) {
	if l.newest == nil {
		l.newest = n
	}
	found := ""
	if len(l.keys) > 0 {
		if found = signedBy(n, l.keys); found != checkHolds {
			return found, nil
		}
	}
	if !l.proofs {
		return found, nil
	}
	if n.Origin != l.newest.Origin {
		return checkFork, nil
	}
	if n.Size == 0 || n.Size == l.newest.Size { // the beginning of every log; or the newest itself
		return checkHolds, nil
	}
	proof, err := l.c.Consistency(ctx, l.org, n.Size, l.newest.Size)
	if err != nil {
		return "", err
	}
	if err := verify.CheckConsistency(proof, l.newest.Size, l.newest.Root, n.Size, n.Root); err != nil {
		return checkFork, nil //nolint:nilerr // it is what was looked for
	}
	return checkHolds, nil
}

// signedBy returns whether one of keys has signed n: checkHolds, checkUnknown or checkSignature.
func signedBy(n *verify.Note, keys []verify.Key) string {
	found := checkUnknown
	for _, k := range keys {
		_, err := n.Signed(k)
		if err == nil {
			return checkHolds
		}
		if !errors.Is(err, verify.ErrUnsigned) {
			found = checkSignature
		}
	}
	return found
}

// cells is row in a table. The time is that of the clock line, and of a damaged one what the server has beside it.
func (l *checkpointLister) cells(row *listedCheckpoint, at time.Time) []cell {
	if row.SignedAt != nil {
		at = *row.SignedAt
	}
	check := cell{text: row.Check}
	switch row.Check {
	case checkHolds:
		check.tone = green
	case checkUnknown:
		check.tone = amber
	case "":
	default:
		check.tone = red
	}
	return []cell{{text: at.UTC().Format(time.RFC3339)}, {text: strconv.FormatInt(row.Size, 10)}, check, {text: row.Root}}
}
