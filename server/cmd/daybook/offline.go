package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/user"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
	"github.com/daybook-audit/daybook/server/internal/selfaudit"
)

// offline is the Book over a store that no server uses. It signs if the instance does.
type offline struct {
	book  *daybook.Book
	sign  *signing // nil: the instance does not sign
	audit *selfaudit.Auditor
}

// openOffline opens it with the keys of the configuration. What was erased and came back with an older copy is erased again by then.
func (e *env) openOffline(ctx context.Context, c *config.Config, s store, so signingOptions) (*offline, error) {
	sign, err := openSigning(ctx, c, s, so)
	if err != nil {
		return nil, err
	}
	o := daybook.Options{
		Now: e.now, SignEvery: c.AnchorInterval,
		// Copies in exports are the server's: an erasure becomes complete when it runs again.
		Erased: func(context.Context, daybook.Erasure) error { return errors.New("the server removes exports") },
		Dropped: func(ctx context.Context, org daybook.OrgID) error {
			_, err := control.PurgeOrg(ctx, s, org)
			return err
		},
	}
	if sign != nil {
		o.Anchors = s
	}
	sign.options(&o)
	book, err := daybook.Open(ctx, s, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the log: %w", err), sign.Close())
	}
	return &offline{book, sign, selfaudit.New(book, selfaudit.Options{Now: e.now, Logger: slog.New(slog.DiscardHandler)})}, nil
}

// close signs what changed and closes what openOffline has opened, but for the store.
func (o *offline) close(ctx context.Context) error {
	o.audit.Close(ctx)
	return errors.Join(o.book.Close(), o.sign.Close())
}

// recordOffline records one act in a store that no server uses: durable when it returns nil.
func (e *env) recordOffline(ctx context.Context, c *config.Config, s store, org daybook.OrgID, act daybook.Event) (err error) {
	o, err := e.openOffline(ctx, c, s, signingOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close(ctx)) }()
	return o.audit.Did(ctx, org, act)
}

// operator is who runs a command on the machine of the store, as a log shows it.
func operator(command string) daybook.Actor {
	who := "unknown"
	if u, err := user.Current(); err == nil && u.Username != "" {
		who = u.Username
	}
	return daybook.Actor{Type: "system", ID: "daybook " + command + " by " + who}
}

// reappliedEvent describes an erasure that was carried out again after a restore.
func reappliedEvent(by daybook.Actor, r *daybook.Reapplied) daybook.Event {
	if r.ID == "" {
		return removalEvent("daybook.org.erased_again", by, daybook.Target{Type: "org", ID: string(r.Org)}, nil)
	}
	return removalEvent("daybook.erasure.reapplied", by, daybook.Target{Type: "erasure", ID: r.ID}, map[string]any{
		"org": r.Org, "entries": r.Entries, "recorded": r.Recorded,
	})
}

// tellReapplied prints what was erased again, and has the instance's log say so, if that takes anything.
func (e *env) tellReapplied(ctx context.Context, o *offline, command string) error {
	for _, r := range o.book.Reapplied() {
		what := fmt.Sprintf("ERASED AGAIN  %s: %s, %s", visible(string(r.Org)), r.ID, count(int(r.Entries), "entry", "entries"))
		if r.ID == "" {
			what = fmt.Sprintf("ERASED AGAIN  %s, the organization", visible(string(r.Org)))
		}
		if _, err := fmt.Fprintln(e.stdout, what); err != nil {
			return err
		}
		if err := o.audit.Did(ctx, control.Instance, reappliedEvent(operator(command), &r)); err != nil && daybook.CodeOf(err) != daybook.CodeUnavailable {
			return err
		}
	}
	return nil
}
