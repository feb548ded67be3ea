package main

import (
	"strings"

	"github.com/spf13/cobra"
)

const whoamiFields = "server,context,id,name,org,scopes,expires_at,key_from,version"

func newWhoami(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Which server, which key, and what it may do",
		Example: `  $ daybook whoami
  $ daybook whoami -o json
  $ daybook whoami --context prod`,
		Annotations: map[string]string{fieldsNote: whoamiFields, exitsNote: "0 known · 1 no server answers · 4 the key is not valid"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := e.printer(splitFields(whoamiFields), heading{name: "SERVER"}, heading{name: "CONTEXT"}, heading{name: "KEY"}, heading{name: "NAME"}, heading{name: "FROM"},
				heading{name: "ORG"}, heading{name: "SCOPES"}, heading{name: "EXPIRES"}, heading{name: "VERSION"})
			if err != nil {
				return err
			}
			t, err := e.target()
			if err != nil {
				return err
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			w, err := c.Whoami(cmd.Context())
			if err != nil {
				return cannot("ask who you are", err)
			}
			org := "all"
			if w.Org != nil {
				org = *w.Org
			} else if t.org.value != "" {
				org = "all (asking for " + t.org.value + ")"
			}
			expires := "never"
			if w.ExpiresAt != nil {
				expires = w.ExpiresAt.UTC().Format("2006-01-02 15:04:05 UTC")
			}
			row := map[string]any{
				"server": t.server.value, "context": t.context, "id": w.ID, "name": w.Name, "org": w.Org, "scopes": w.Scopes,
				"expires_at": w.ExpiresAt, "key_from": t.key.from, "version": w.Version,
			}
			return p.one(row, cell{text: t.server.value}, cell{text: t.context}, cell{text: w.ID}, cell{text: w.Name}, cell{text: t.key.from}, cell{text: org},
				cell{text: strings.Join(w.Scopes, ", ")}, cell{text: expires}, cell{text: w.Version})
		},
	}
}
