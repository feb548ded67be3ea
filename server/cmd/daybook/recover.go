package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/config"
)

// recovery is what daybook recover was asked to do.
type recovery struct {
	newEpoch, trust bool
	cause, reason   string
	yes             bool
}

func newRecover(e *env) *cobra.Command {
	var r recovery
	cmd := &cobra.Command{
		Use: "recover --new-epoch | --trust-database", Short: "Let logs go on that were found rolled back or forked",
		Long: `No server may run on the store. Alone it lists the logs that are frozen, and why.
--new-epoch ends each of them for ever and begins its next one, with a log id and a key of its own, whose first entry says where the
old one ended and at least what was lost. Readers must pin the new key, by another way than from the log. After a key compromise put
the new master key in its place first, and name the organizations with --org, or all of them with --all.
--trust-database is for a lost high-water store alone: it takes the stored checkpoints for all that was ever signed.`,
		Example: `  $ daybook recover
  $ daybook recover --new-epoch --reason 'restored the backup of 21 November'
  $ daybook recover --trust-database --db /var/lib/daybook/daybook.db`,
		Annotations: map[string]string{exitsNote: "0 done; alone: no log is frozen · 1 the store is in use · 2 not confirmed, a setting is wrong · 3 there is no such log · 6 logs are frozen, and nothing was asked for"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.newEpoch && r.trust {
				return usage("--new-epoch and --trust-database are two things: only one of them")
			}
			c, _, err := e.configuration(cmd)
			if err != nil {
				return err
			}
			all, err := cmd.Flags().GetBool("all")
			if err != nil {
				return err
			}
			return cannot("recover", e.recover(cmd.Context(), c, &r, all))
		},
	}
	f := cmd.Flags()
	f.String("db", "", "the store: a file, or the address of a PostgreSQL database (default daybook.db)")
	f.BoolVar(&r.newEpoch, "new-epoch", false, "begin the next epoch of every frozen log")
	f.BoolVar(&r.trust, "trust-database", false, "put the lost high-water marks from the store's own checkpoints")
	f.StringVar(&r.cause, "cause", daybook.CauseRestore, "restore | failover | key_compromise | other")
	f.StringVar(&r.reason, "reason", "", "why, in words; it stands in the log for ever")
	f.Bool("all", false, "every log, frozen or not")
	f.String("origin", "", "host that checkpoints are named after (default: that of the store)")
	f.String("master-key-file", "", "file with the master key (default master.key in data_dir)")
	f.String("highwater", "", "high-water store (default highwater.db beside the store; of PostgreSQL: the schema daybook_highwater)")
	f.BoolVar(&r.yes, "yes", false, "do not ask")
	return cmd
}

func (e *env) recover(ctx context.Context, c *config.Config, r *recovery, all bool) (err error) {
	s, err := openStore(ctx, c.DB, storeOptions{mustExist: true, c: c})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	o, err := e.openOffline(ctx, c, s, signingOptions{newKey: r.newEpoch && r.cause == daybook.CauseKeyCompromise})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close(ctx)) }()
	if o.sign == nil {
		return usage("this store has never signed anything, so no log can have been rolled back")
	}
	b := o.book
	if err := e.tellReapplied(ctx, o, "recover"); err != nil {
		return err
	}
	logs, err := e.recoverable(ctx, b, s, all)
	if err != nil {
		return err
	}
	if !r.newEpoch && !r.trust {
		if len(logs) > 0 {
			return ended(exitTampered)
		}
		return nil
	}
	if len(logs) == 0 {
		return e.renewAnchors(ctx, b, r)
	}
	what := fmt.Sprintf("Begin a new epoch of %s: their readers must pin new keys", count(len(logs), "log", "logs"))
	if r.trust {
		what = fmt.Sprintf("Take what the store holds of %s for all that was ever signed", count(len(logs), "log", "logs"))
	}
	if err := e.confirm(r.yes, what); err != nil {
		return err
	}
	for _, org := range logs {
		if err := e.recoverLog(ctx, o, org, r); err != nil {
			return err
		}
	}
	return e.renewAnchors(ctx, b, r)
}

// renewAnchors begins a new anchor log if the one there was rolled back with the store.
func (e *env) renewAnchors(ctx context.Context, b *daybook.Book, r *recovery) error {
	if !r.newEpoch {
		return nil
	}
	renewed, err := b.RenewAnchors(ctx)
	if err != nil || !renewed {
		return err
	}
	keys, err := b.InstanceVkeys(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "OK  the anchor log begins anew; its readers pin\n    %s\n", visible(keys.Anchor))
	return err
}

// recoverable returns the logs to recover: that of --org, every one, or those that are frozen, which it lists.
func (e *env) recoverable(ctx context.Context, b *daybook.Book, s store, all bool) ([]daybook.OrgID, error) {
	frozen, err := b.FrozenLogs(ctx)
	if err != nil {
		return nil, err
	}
	var logs []daybook.OrgID
	for _, f := range frozen {
		why := f.Err
		if inner := errors.Unwrap(f.Err); inner != nil {
			why = inner
		}
		if _, err := fmt.Fprintf(e.stdout, "FROZEN  %s: %s\n", visible(string(f.Org)), visible(why.Error())); err != nil {
			return nil, err
		}
		logs = append(logs, f.Org)
	}
	if len(frozen) == 0 {
		e.note("no log is frozen")
	}
	switch {
	case e.org != "":
		return []daybook.OrgID{daybook.OrgID(e.org)}, nil
	case !all:
		return logs, nil
	}
	logs = logs[:0]
	for h, err := range daybook.EveryLog(ctx, s) {
		if err != nil {
			return nil, err
		}
		if h.State == daybook.LogOpen {
			logs = append(logs, h.Org)
		}
	}
	return logs, nil
}

// recoverLog lets one log go on, and has it and the instance's log say so.
func (e *env) recoverLog(ctx context.Context, o *offline, org daybook.OrgID, r *recovery) error {
	by := operator("recover")
	if r.trust {
		if err := o.book.TrustDatabase(ctx, org); err != nil {
			return err
		}
		if err := o.tell(ctx, org, "daybook.integrity.trusted", by, r.reason, nil); err != nil {
			return err
		}
		_, err := fmt.Fprintf(e.stdout, "OK  %s goes on\n", visible(string(org)))
		return err
	}
	info, err := o.book.NewEpoch(ctx, daybook.EpochRequest{Org: org, Cause: r.cause, Reason: r.reason, By: daybook.Party{Type: by.Type, ID: by.ID}})
	if err != nil {
		return err
	}
	if err := o.tell(ctx, org, "daybook.epoch.started", by, r.reason, map[string]any{"epoch": info.Epoch, "cause": r.cause}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "OK  %s is in epoch %d; its readers pin\n    %s\n", visible(string(org)), info.Epoch, info.Keys[len(info.Keys)-1].Vkey)
	return err
}

// tell records what an operator did to a log in that log. It goes on from here, so it takes it.
func (o *offline) tell(ctx context.Context, org daybook.OrgID, action string, by daybook.Actor, reason string, details map[string]any) error {
	e := removalEvent(action, by, daybook.Target{Type: "log", ID: string(org)}, details)
	e.Reason = reason
	return o.audit.Did(ctx, org, e)
}
