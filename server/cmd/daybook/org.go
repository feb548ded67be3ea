package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
)

const orgFields = "id,name,created_at,epoch,state,size"

func newOrg(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "org", Short: "Organizations: each has a log of its own"}
	cmd.AddCommand(newOrgLs(e), newOrgCreate(e), newOrgGet(e))
	return cmd
}

var orgHeads = []heading{{name: "ID"}, {name: "ENTRIES", right: true}, {name: "STATE"}, {name: "CREATED_AT"}, {name: "NAME"}}

func orgRow(o client.Organization) []cell {
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
		Annotations: map[string]string{fieldsNote: orgFields, exitsNote: "0 listed · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := e.printer(splitFields(orgFields), orgHeads...)
			if err != nil {
				return err
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			orgs, err := c.Organizations(cmd.Context())
			if err != nil {
				return cannot("list organizations", err)
			}
			for _, o := range orgs {
				if err := p.addValue(o, orgRow(o)...); err != nil {
					return err
				}
			}
			e.note("%s", count(len(orgs), "organization", "organizations"))
			return p.end()
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
		Annotations: map[string]string{fieldsNote: orgFields, exitsNote: "0 made · 2 the id has no right form · 4 not allowed · 5 it exists"},
		Args:        cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := daybook.OrgID("")
			if len(args) == 1 {
				if id = daybook.OrgID(args[0]); !id.Valid() {
					return usage("%q is no organization id: 1 to 128 of A–Z a–z 0–9 . _ : @ -", args[0])
				}
			}
			return e.oneOrg(cmd, func(c *client.Client) (client.Organization, error) {
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
		Annotations: map[string]string{fieldsNote: orgFields, exitsNote: "0 shown · 3 there is none · 4 not allowed"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.oneOrg(cmd, func(c *client.Client) (client.Organization, error) {
				o, err := c.Organization(cmd.Context(), daybook.OrgID(args[0]))
				return o, cannot("show "+args[0], err)
			})
		},
	}
}

func (e *env) oneOrg(_ *cobra.Command, get func(*client.Client) (client.Organization, error)) error {
	p, err := e.printer(splitFields(orgFields), orgHeads...)
	if err != nil {
		return err
	}
	c, err := e.connect()
	if err != nil {
		return err
	}
	o, err := get(c)
	if err != nil {
		return err
	}
	return p.one(o, orgRow(o)...)
}
