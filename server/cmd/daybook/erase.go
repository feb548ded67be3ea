package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/daybook-audit/daybook/client"
)

var erasures = table[client.Erasure]{
	fields: "id,state,control_seqs,entries,reason,legal_basis,by,approved_by,requested_at,completed_at",
	heads:  []heading{{name: "ID"}, {name: "STATE"}, {name: "ENTRIES", right: true}, {name: "REQUESTED_AT"}, {name: "REASON"}, {name: "BASIS"}},
	row:    erasureRow, one: "erasure", many: "erasures",
}

func newErase(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "erase", Short: "Erase values for good, with proofs kept"}
	cmd.AddCommand(newErasePreview(e), newEraseRun(e), newEraseLs(e), newEraseCertificate(e), newEraseApprove(e), newEraseWithdraw(e), newEraseOrg(e))
	return cmd
}

// erasing is what preview and run have in common.
type erasing struct {
	actor, target, event string
	all, whole, hide     bool
	paths                []string
}

func (s *erasing) flags(f *pflag.FlagSet) {
	f.StringVar(&s.actor, "actor", "", "entries of this actor, TYPE:ID, also of what it did through another")
	f.StringVar(&s.target, "target", "", "entries about this target, TYPE:ID")
	f.StringVar(&s.event, "event", "", "one entry, by its id")
	f.BoolVar(&s.all, "all", false, "every entry of the organization")
	f.BoolVar(&s.whole, "whole", false, "erase whole entries")
	f.StringArrayVar(&s.paths, "path", nil, "erase this field and what is below it: /actor/email, /targets/*/name; may be repeated")
	f.BoolVar(&s.hide, "hide-names", false, "do not keep the names of the erased fields either")
}

// read makes a request of the flags and the query.
func (s *erasing) read(args []string) (client.Erasing, error) {
	x := client.Erasing{Event: s.event, Query: strings.Join(args, " "), All: s.all, Whole: s.whole, Paths: s.paths, HideNames: s.hide}
	for _, p := range []struct {
		text string
		to   **client.Party
	}{{s.actor, &x.Actor}, {s.target, &x.Target}} {
		if p.text == "" {
			continue
		}
		ref, _, err := parseRef(p.text)
		if err != nil {
			return x, err
		}
		*p.to = &client.Party{Type: ref.Type, ID: ref.ID}
	}
	if x.Actor == nil && x.Target == nil && x.Event == "" && x.Query == "" && !x.All {
		return x, usage("say which entries: --actor, --target, --event, a query, or --all")
	}
	return x, nil
}

var erasurePreviews = table[client.ErasurePreview]{
	fields: "size,entries,whole,fields,paths,held,first_seq,last_seq",
	heads:  []heading{{name: "ENTRIES", right: true}, {name: "WHOLE", right: true}, {name: "FIELDS"}, {name: "HELD"}},
	row:    erasurePreviewRow,
}

const eraseWhat = `Which entries: what --actor, --target, --event and QUERY, as far as they are given, select together. What of them: --whole entries, the fields
at --path, or, with neither, what is personal about the actor or target: name, email and metadata; of an actor also address, user agent
and session; of the first target also the old and new values of changes.`

func newErasePreview(e *env) *cobra.Command {
	var s erasing
	cmd := &cobra.Command{
		Use: "preview [QUERY]", Short: "What an erasure would remove; nothing is removed",
		Long: eraseWhat,
		Example: `  $ daybook erase preview --actor user:usr_7
  $ daybook erase preview --target user:usr_7 --path '/targets/*/name' --path /changes
  $ daybook erase preview 'action:support.* occurred:2025' --whole -o json`,
		Annotations: map[string]string{queryNote: "yes", fieldsNote: erasurePreviews.fields, exitsNote: "0 shown · 2 the selection is wrong · 3 there is no such log · 4 not allowed"},
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := s.read(args)
			if err != nil {
				return err
			}
			return erasurePreviews.show(e, func(c *client.Client) (client.ErasurePreview, error) {
				v, err := c.PreviewErasure(cmd.Context(), x)
				if err != nil {
					return v, cannot("preview the erasure", err)
				}
				e.note("nothing was erased")
				return v, nil
			})
		},
	}
	s.flags(cmd.Flags())
	return cmd
}

func erasurePreviewRow(v *client.ErasurePreview) []cell {
	list := func(m map[string]int64) string {
		var words []string
		for name, n := range m {
			words = append(words, fmt.Sprintf("%s %d", name, n))
		}
		slices.Sort(words)
		return strings.Join(words, ", ")
	}
	return []cell{
		{text: strconv.FormatInt(v.Entries, 10)}, {text: strconv.FormatInt(v.Whole, 10)}, {text: list(v.Paths)}, {text: list(v.Held), tone: amber},
	}
}

func newEraseRun(e *env) *cobra.Command {
	var s erasing
	var reason, basis string
	var yes, wait bool
	cmd := &cobra.Command{
		Use: "run [QUERY]", Short: "Erase",
		Long: eraseWhat + `

The erasure stands in the log when the command answers, and the values are removed in the background; with --wait it answers when the last
one is gone. The reason stands in the log for ever: no personal data.`,
		Example: `  $ daybook erase run --actor user:usr_7 --reason 'request 7' --basis gdpr_art_17 --wait
  $ daybook erase run --event evt_01m7z7rs1affyad5cmxxj94a79 --whole --reason 'recorded by mistake' --yes
  $ daybook erase run --target user:usr_7 --path '/targets/*/name' --reason 'request 8' --yes -o json`,
		Annotations: map[string]string{
			queryNote: "yes", fieldsNote: erasures.fields,
			exitsNote: "0 erased, or awaits approval · 2 the selection is wrong, or not confirmed · 3 nothing is selected · 4 not allowed · 5 a hold keeps it",
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := s.read(args)
			if err != nil {
				return err
			}
			if x.Reason, x.LegalBasis = reason, basis; reason == "" {
				return usage("--reason says why")
			}
			return erasures.show(e, func(c *client.Client) (client.Erasure, error) { return e.erase(cmd.Context(), c, x, yes, wait) })
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	cmd.Flags().StringVar(&basis, "basis", "", "legal basis, such as gdpr_art_17")
	cmd.Flags().BoolVar(&wait, "wait", false, "answer when the last value is gone")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// erase says what will be gone, asks, and erases. With wait it returns when the last value is gone.
func (e *env) erase(ctx context.Context, c *client.Client, x client.Erasing, yes, wait bool) (client.Erasure, error) {
	v, err := c.PreviewErasure(ctx, x)
	if err != nil {
		return client.Erasure{}, cannot("preview the erasure", err)
	}
	if err := e.confirm(yes, fmt.Sprintf("%d whole entries and %d fields of %d others will be gone for good", v.Whole, v.Fields, v.Entries-v.Whole)); err != nil {
		return client.Erasure{}, err
	}
	done, err := c.Erase(ctx, x)
	if err == nil && wait && done.State == "pending" {
		done, err = poll(ctx, func() (client.Erasure, bool, error) {
			x, err := c.Erasure(ctx, done.ID)
			return x, x.State == "done", err
		})
	}
	if err != nil {
		return done, cannot("erase", err)
	}
	switch done.State {
	case "awaiting_approval":
		e.note("nothing is removed until somebody else approves: daybook erase approve %s", done.ID)
	case "pending":
		e.note("the values are being removed: daybook erase certificate %s", done.ID)
	}
	return done, nil
}

// poll asks ten times a second until the answer is the last one.
func poll[T any](ctx context.Context, ask func() (v T, last bool, err error)) (T, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		x, last, err := ask()
		if err != nil || last {
			return x, err
		}
		select {
		case <-ctx.Done():
			return x, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func erasureRow(x *client.Erasure) []cell {
	at, _, _ := strings.Cut(x.RequestedAt, ".")
	return []cell{{text: x.ID}, erasureState(x.State), {text: strconv.FormatInt(x.Entries, 10)}, {text: at}, {text: x.Reason}, {text: x.LegalBasis}}
}

func erasureState(s string) cell {
	c := cell{text: strings.ReplaceAll(s, "_", " ")}
	if s != "done" {
		c.tone = amber
	}
	return c
}

// certificate prints the certificate of an erasure.
func (e *env) certificate(ctx context.Context, id string, get func(*client.Client, context.Context, string) (json.RawMessage, error)) error {
	c, err := e.connect()
	if err != nil {
		return err
	}
	text, err := get(c, ctx, id)
	if err != nil {
		return cannot("get the certificate", err)
	}
	return e.printJSON(text)
}

// withdraw takes back an erasure that awaits a second person.
func (e *env) withdraw(ctx context.Context, id string, withdraw func(*client.Client, context.Context, string) error) error {
	c, err := e.connect()
	if err != nil {
		return err
	}
	if err := withdraw(c, ctx, id); err != nil {
		return cannot("withdraw "+id, err)
	}
	e.note("withdrawn")
	return nil
}

func newEraseLs(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List erasures",
		Example: `  $ daybook erase ls
  $ daybook erase ls -o json
  $ daybook erase ls --json id,state,completed_at`,
		Annotations: map[string]string{fieldsNote: erasures.fields, exitsNote: "0 listed · 3 there is no such organization · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return erasures.list(cmd.Context(), e, (*client.Client).Erasures)
		},
	}
}

func newEraseCertificate(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "certificate ID", Short: "What was erased, from where, and what is left where",
		Long: `One JSON document, as the server wrote it. It exists when the last value is gone.`,
		Example: `  $ daybook erase certificate ers_01m8054e3bek9amg680j6srjmm
  $ daybook erase certificate ers_01m8054e3bek9amg680j6srjmm > certificate.json
  $ daybook erase certificate ers_01m8054e3bek9amg680j6srjmm | jq .remaining`,
		Annotations: map[string]string{exitsNote: "0 printed · 3 there is no such erasure · 4 not allowed · 5 it is not complete"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.certificate(cmd.Context(), args[0], (*client.Client).ErasureCertificate)
		},
	}
}

func newEraseApprove(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "approve ID", Short: "Agree to an erasure that awaits a second person",
		Long: `With another key than the one that asked for it. What was recorded after it was asked for is not erased.`,
		Example: `  $ daybook erase approve ers_01m8054e3bek9amg680j6srjmm
  $ daybook erase approve ers_01m8054e3bek9amg680j6srjmm --yes
  $ daybook erase approve ers_01m8054e3bek9amg680j6srjmm --yes -o json`,
		Annotations: map[string]string{fieldsNote: erasures.fields, exitsNote: "0 approved · 2 not confirmed · 3 there is none · 4 not allowed, or the same key · 5 a hold keeps it"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return erasures.show(e, func(c *client.Client) (client.Erasure, error) {
				if err := e.confirm(yes, "what "+args[0]+" selects will be gone for good"); err != nil {
					return client.Erasure{}, err
				}
				x, err := c.ApproveErasure(cmd.Context(), args[0])
				return x, cannot("approve "+args[0], err)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func newEraseWithdraw(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "withdraw ID", Short: "Take back an erasure that awaits a second person",
		Example: `  $ daybook erase withdraw ers_01m8054e3bek9amg680j6srjmm
  $ daybook erase withdraw ers_01m8054e3bek9amg680j6srjmm --org org_acme
  $ daybook erase withdraw ers_01m8054e3bek9amg680j6srjmm -q`,
		Annotations: map[string]string{exitsNote: "0 withdrawn · 3 there is none that waits · 4 not allowed"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withdraw(cmd.Context(), args[0], (*client.Client).WithdrawErasure)
		},
	}
}
