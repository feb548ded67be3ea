package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/client"
)

var orgErasures = table[client.OrgErasure]{
	fields: "id,org,state,reason,legal_basis,by,approved_by,requested_at,completed_at",
	heads:  []heading{{name: "ID"}, {name: "ORG"}, {name: "STATE"}, {name: "REQUESTED_AT"}, {name: "REASON"}, {name: "BASIS"}},
	row:    orgErasureRow, one: "erasure", many: "erasures",
}

var orgPreviews = table[client.OrgErasurePreview]{
	fields: "org,epochs,entries,keys,exports,holds,approvers",
	heads: []heading{
		{name: "ORG"}, {name: "LOGS", right: true}, {name: "ENTRIES", right: true}, {name: "KEYS", right: true}, {name: "EXPORTS", right: true}, {name: "HELD"},
	},
	row: func(v *client.OrgErasurePreview) []cell {
		return []cell{
			{text: v.Org},
			{text: strconv.Itoa(v.Epochs)},
			{text: strconv.FormatInt(v.Entries, 10)},
			{text: strconv.Itoa(v.Keys)},
			{text: strconv.Itoa(v.Exports)},
			{text: strings.Join(v.Holds, ", "), tone: amber},
		}
	},
}

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
		Annotations: map[string]string{fieldsNote: orgPreviews.fields, exitsNote: "0 shown · 3 there is no such organization · 4 not allowed"},
		Args:        exactArgs("ORG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return orgPreviews.show(e, func(c *client.Client) (client.OrgErasurePreview, error) {
				v, err := c.PreviewOrgErasure(cmd.Context(), args[0])
				if err != nil {
					return v, cannot("preview the erasure", err)
				}
				e.note("nothing was erased")
				return v, nil
			})
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
			fieldsNote: orgErasures.fields,
			exitsNote:  "0 erased, or awaits approval · 2 not confirmed · 3 there is no such organization · 4 not allowed · 5 a hold keeps it",
		},
		Args: exactArgs("ORG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usage("--reason says why")
			}
			return orgErasures.show(e, func(c *client.Client) (client.OrgErasure, error) {
				return e.eraseOrg(cmd.Context(), c, orgErasing{args[0], reason, basis, yes, wait})
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&reason, "reason", "", "why")
	f.StringVar(&basis, "basis", "", "legal basis, such as gdpr_art_28_3_g")
	f.BoolVar(&wait, "wait", false, "answer when the last byte is gone")
	f.BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// orgErasing is what the flags of erase org run say.
type orgErasing struct {
	org, reason, basis string
	yes, wait          bool
}

// eraseOrg says what will be gone, asks, and erases. With wait it returns when the last byte is gone.
func (e *env) eraseOrg(ctx context.Context, c *client.Client, o orgErasing) (client.OrgErasure, error) {
	v, err := c.PreviewOrgErasure(ctx, o.org)
	if err != nil {
		return client.OrgErasure{}, cannot("preview the erasure", err)
	}
	what := fmt.Sprintf("%s with %s, %s and %s will be gone for good", v.Org, count(int(v.Entries), "entry", "entries"), count(v.Keys, "key", "keys"), count(v.Exports, "export", "exports"))
	if err := e.confirmTyped(o.yes, what, v.Org); err != nil {
		return client.OrgErasure{}, err
	}
	x, err := c.EraseOrg(ctx, o.org, o.reason, o.basis)
	if err == nil && o.wait && x.State == "pending" {
		x, err = poll(ctx, func() (client.OrgErasure, bool, error) {
			x, err := c.OrgErasure(ctx, x.ID)
			return x, x.State == "done", err
		})
	}
	if err != nil {
		return x, cannot("erase "+o.org, err)
	}
	switch x.State {
	case "awaiting_approval":
		e.note("nothing is removed until somebody else approves: daybook erase org approve %s", x.ID)
	default:
		e.note("keep the certificate, the instance forgets it after 30 days: daybook erase org certificate %s", x.ID)
	}
	return x, nil
}

func orgErasureRow(x *client.OrgErasure) []cell {
	at, _, _ := strings.Cut(x.RequestedAt, ".")
	return []cell{{text: x.ID}, {text: x.Org}, erasureState(x.State), {text: at}, {text: x.Reason}, {text: x.LegalBasis}}
}

func newEraseOrgLs(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List erasures of organizations of the last 30 days",
		Example: `  $ daybook erase org ls
  $ daybook erase org ls -o json
  $ daybook erase org ls --json id,org,state`,
		Annotations: map[string]string{fieldsNote: orgErasures.fields, exitsNote: "0 listed · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return orgErasures.list(cmd.Context(), e, (*client.Client).OrgErasures)
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
			return e.certificate(cmd.Context(), args[0], (*client.Client).OrgErasureCertificate)
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
		Annotations: map[string]string{fieldsNote: orgErasures.fields, exitsNote: "0 approved · 2 not confirmed · 3 there is none · 4 not allowed, or the same key · 5 a hold keeps it"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return orgErasures.show(e, func(c *client.Client) (client.OrgErasure, error) {
				x, err := c.OrgErasure(cmd.Context(), args[0])
				if err == nil {
					err = e.confirmTyped(yes, x.Org+" will be gone for good", x.Org)
				}
				if err == nil {
					x, err = c.ApproveOrgErasure(cmd.Context(), args[0])
				}
				return x, cannot("approve "+args[0], err)
			})
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
			return e.withdraw(cmd.Context(), args[0], (*client.Client).WithdrawOrgErasure)
		},
	}
}
