package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
)

var orgs = table[client.Organization]{
	fields: "id,name,created_at,epoch,state,size",
	heads:  []heading{{name: "ID"}, {name: "ENTRIES", right: true}, {name: "STATE"}, {name: "CREATED_AT"}, {name: "NAME"}},
	row:    orgRow, one: "organization", many: "organizations",
}

func newOrg(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "org", Short: "Organizations: each has a log of its own"}
	cmd.AddCommand(newOrgLs(e), newOrgCreate(e), newOrgGet(e))
	return cmd
}

func orgRow(o *client.Organization) []cell {
	state := cell{text: o.State}
	if o.State != "" && o.State != "open" {
		state.tone = amber
	}
	return []cell{{text: string(o.ID)}, {text: strconv.FormatInt(o.Size, 10)}, state, {text: o.CreatedAt}, {text: o.Name}}
}

func newOrgLs(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List organizations",
		Example: `  $ daybook org ls
  $ daybook org ls -o json
  $ daybook org ls --json id,size`,
		Annotations: map[string]string{fieldsNote: orgs.fields, exitsNote: "0 listed · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return orgs.list(cmd.Context(), e, (*client.Client).Organizations)
		},
	}
}

func newOrgCreate(e *env) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "create [ID]", Short: "Make an organization; without an ID one is made",
		Example: `  $ daybook org create org_acme --name 'Acme Inc.'
  $ daybook org create --name 'Globex'
  $ daybook org create org_acme -o json`,
		Annotations: map[string]string{fieldsNote: orgs.fields, exitsNote: "0 made · 2 the id has no right form · 4 not allowed · 5 it exists"},
		Args:        cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := daybook.OrgID("")
			if len(args) == 1 {
				if id = daybook.OrgID(args[0]); !id.Valid() {
					return usage("%q is no organization id: 1 to 128 of A–Z a–z 0–9 . _ : @ -", args[0])
				}
			}
			return orgs.show(e, func(c *client.Client) (client.Organization, error) {
				o, err := c.CreateOrganization(cmd.Context(), id, name)
				return o, cannot("make the organization", err)
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "what people call it")
	return cmd
}

func newOrgGet(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "get ID", Short: "Show one organization",
		Example: `  $ daybook org get org_acme
  $ daybook org get org_acme --json size
  $ daybook org get org_acme -o tsv`,
		Annotations: map[string]string{fieldsNote: orgs.fields, exitsNote: "0 shown · 3 there is none · 4 not allowed"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return orgs.show(e, func(c *client.Client) (client.Organization, error) {
				o, err := c.Organization(cmd.Context(), daybook.OrgID(args[0]))
				return o, cannot("show "+args[0], err)
			})
		},
	}
}
