package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/client"
)

const (
	orgErasureFields = "id,org,state,reason,legal_basis,by,approved_by,requested_at,completed_at"
	orgPreviewFields = "org,epochs,entries,keys,exports,holds,approvers"
)

var orgErasureHeads = []heading{{name: "ID"}, {name: "ORG"}, {name: "STATE"}, {name: "REQUESTED_AT"}, {name: "REASON"}, {name: "BASIS"}}

func newEraseOrg(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "org", Short: "Erase an organization with its log and all that is kept of it",
		Long: `With its log of every epoch, keys, rules, exports and settings. What stays: the certificate with the last signed checkpoint, which you must
fetch within 30 days, and the act in the instance's own log. A key for all organizations with the scope operate is needed.`,
	}
	cmd.AddCommand(newEraseOrgPreview(e), newEraseOrgRun(e), newEraseOrgLs(e), newEraseOrgCertificate(e), newEraseOrgApprove(e), newEraseOrgWithdraw(e))
	return cmd
}

func newEraseOrgPreview(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "preview ORG", Short: "What the erasure of an organization would remove; nothing is removed",
		Example: `  $ daybook erase org preview org_acme
  $ daybook erase org preview org_acme -o json
  $ daybook erase org preview org_acme --json holds`,
		Annotations: map[string]string{fieldsNote: orgPreviewFields, exitsNote: "0 shown · 3 there is no such organization · 4 not allowed"},
		Args:        exactArgs("ORG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := e.printer(splitFields(orgPreviewFields), heading{name: "ORG"}, heading{name: "LOGS", right: true}, heading{name: "ENTRIES", right: true},
				heading{name: "KEYS", right: true}, heading{name: "EXPORTS", right: true}, heading{name: "HELD"})
			if err != nil {
				return err
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			v, err := c.PreviewOrgErasure(cmd.Context(), args[0])
			if err != nil {
				return cannot("preview the erasure", err)
			}
			e.note("nothing was erased")
			return p.one(v, cell{text: v.Org}, cell{text: strconv.Itoa(v.Epochs)}, cell{text: strconv.FormatInt(v.Entries, 10)}, cell{text: strconv.Itoa(v.Keys)},
				cell{text: strconv.Itoa(v.Exports)}, cell{text: strings.Join(v.Holds, ", "), tone: amber})
		},
	}
}

func newEraseOrgRun(e *env) *cobra.Command {
	var reason, basis string
	var yes, wait bool
	cmd := &cobra.Command{
		Use: "run ORG", Short: "Erase an organization for good",
		Long: `Nothing brings it back. On a terminal you type the organization's id; elsewhere --yes is needed. When the command answers, the log is signed a
last time and closed, and the rest goes in the background; with --wait it answers when the last byte is gone. The reason stands in the instance's own
log for ever: no personal data. Where two people are needed for an erasure, they are needed here.`,
		Example: `  $ daybook erase org run org_acme --reason 'contract 114 ended' --basis gdpr_art_28_3_g --wait
  $ daybook erase org run org_acme --reason 'contract 114 ended' --yes
  $ daybook erase org run org_acme --reason 'trial ended' --yes --wait -o json`,
		Annotations: map[string]string{
			fieldsNote: orgErasureFields,
			exitsNote:  "0 erased, or awaits approval · 2 not confirmed · 3 there is no such organization · 4 not allowed · 5 a hold keeps it",
		},
		Args: exactArgs("ORG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usage("--reason says why")
			}
			p, err := e.printer(splitFields(orgErasureFields), orgErasureHeads...)
			if err != nil {
				return err
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			v, err := c.PreviewOrgErasure(cmd.Context(), args[0])
			if err != nil {
				return cannot("preview the erasure", err)
			}
			what := fmt.Sprintf("%s with %s, %s and %s will be gone for good", v.Org, count(int(v.Entries), "entry", "entries"), count(v.Keys, "key", "keys"), count(v.Exports, "export", "exports"))
			if err := e.confirmTyped(yes, what, v.Org); err != nil {
				return err
			}
			x, err := c.EraseOrg(cmd.Context(), args[0], reason, basis)
			if err == nil && wait && x.State == "pending" {
				x, err = e.waitOrgErased(cmd.Context(), c, x.ID)
			}
			if err != nil {
				return cannot("erase "+args[0], err)
			}
			switch x.State {
			case "awaiting_approval":
				e.note("nothing is removed until somebody else approves: daybook erase org approve %s", x.ID)
			default:
				e.note("keep the certificate, the instance forgets it after 30 days: daybook erase org certificate %s", x.ID)
			}
			return p.one(x, orgErasureRow(&x)...)
		},
	}
	f := cmd.Flags()
	f.StringVar(&reason, "reason", "", "why")
	f.StringVar(&basis, "basis", "", "legal basis, such as gdpr_art_28_3_g")
	f.BoolVar(&wait, "wait", false, "answer when the last byte is gone")
	f.BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// waitOrgErased asks until the erasure of an organization is done.
func (e *env) waitOrgErased(ctx context.Context, c *client.Client, id string) (client.OrgErasure, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		x, err := c.OrgErasure(ctx, id)
		if err != nil || x.State == "done" {
			return x, err
		}
		select {
		case <-ctx.Done():
			return x, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func orgErasureRow(x *client.OrgErasure) []cell {
	state := cell{text: strings.ReplaceAll(x.State, "_", " ")}
	if x.State != "done" {
		state.tone = amber
	}
	at, _, _ := strings.Cut(x.RequestedAt, ".")
	return []cell{{text: x.ID}, {text: x.Org}, state, {text: at}, {text: x.Reason}, {text: x.LegalBasis}}
}

func newEraseOrgLs(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List erasures of organizations of the last 30 days",
		Example: `  $ daybook erase org ls
  $ daybook erase org ls -o json
  $ daybook erase org ls --json id,org,state`,
		Annotations: map[string]string{fieldsNote: orgErasureFields, exitsNote: "0 listed · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := e.printer(splitFields(orgErasureFields), orgErasureHeads...)
			if err != nil {
				return err
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			list, err := c.OrgErasures(cmd.Context())
			if err != nil {
				return cannot("list erasures", err)
			}
			for i := range list {
				if err := p.addValue(list[i], orgErasureRow(&list[i])...); err != nil {
					return err
				}
			}
			e.note("%s", count(len(list), "erasure", "erasures"))
			return p.end()
		},
	}
}

func newEraseOrgCertificate(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "certificate ID", Short: "The last checkpoint of an organization, and what was erased from where",
		Long: `One JSON document, as the server wrote it. It exists when the last byte is gone, for 30 days.`,
		Example: `  $ daybook erase org certificate ers_01m8054e3bek9amg680j6srjmm
  $ daybook erase org certificate ers_01m8054e3bek9amg680j6srjmm > certificate.json
  $ daybook erase org certificate ers_01m8054e3bek9amg680j6srjmm | jq -r '.logs[-1].checkpoint'`,
		Annotations: map[string]string{exitsNote: "0 printed · 3 there is no such erasure · 4 not allowed · 5 it is not complete"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := e.connect()
			if err != nil {
				return err
			}
			text, err := c.OrgErasureCertificate(cmd.Context(), args[0])
			if err != nil {
				return cannot("get the certificate", err)
			}
			return e.printJSON(text)
		},
	}
}

// printJSON prints a document as the server wrote it, indented.
func (e *env) printJSON(text json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return cannot("read the answer", err)
	}
	out := b.Bytes()
	if e.stdoutTTY {
		out = escapeJSON(out)
	}
	_, err := fmt.Fprintf(e.stdout, "%s\n", out)
	return err
}

func newEraseOrgApprove(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "approve ID", Short: "Agree to the erasure of an organization that awaits a second person",
		Long: `With another key than the one that asked for it.`,
		Example: `  $ daybook erase org approve ers_01m8054e3bek9amg680j6srjmm
  $ daybook erase org approve ers_01m8054e3bek9amg680j6srjmm --yes
  $ daybook erase org approve ers_01m8054e3bek9amg680j6srjmm --yes -o json`,
		Annotations: map[string]string{fieldsNote: orgErasureFields, exitsNote: "0 approved · 2 not confirmed · 3 there is none · 4 not allowed, or the same key · 5 a hold keeps it"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := e.printer(splitFields(orgErasureFields), orgErasureHeads...)
			if err != nil {
				return err
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			x, err := c.OrgErasure(cmd.Context(), args[0])
			if err == nil {
				err = e.confirmTyped(yes, x.Org+" will be gone for good", x.Org)
			}
			if err == nil {
				x, err = c.ApproveOrgErasure(cmd.Context(), args[0])
			}
			if err != nil {
				return cannot("approve "+args[0], err)
			}
			return p.one(x, orgErasureRow(&x)...)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func newEraseOrgWithdraw(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "withdraw ID", Short: "Take back the erasure of an organization that awaits a second person",
		Example: `  $ daybook erase org withdraw ers_01m8054e3bek9amg680j6srjmm
  $ daybook erase org withdraw ers_01m8054e3bek9amg680j6srjmm --context prod
  $ daybook erase org withdraw ers_01m8054e3bek9amg680j6srjmm -q`,
		Annotations: map[string]string{exitsNote: "0 withdrawn · 3 there is none · 4 not allowed · 5 it was approved"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := e.connect()
			if err != nil {
				return err
			}
			if err := c.WithdrawOrgErasure(cmd.Context(), args[0]); err != nil {
				return cannot("withdraw "+args[0], err)
			}
			e.note("withdrawn")
			return nil
		},
	}
}
