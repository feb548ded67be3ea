package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook"
	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/query"
	"github.com/daybook-audit/daybook/server/internal/auth"
	"github.com/daybook-audit/daybook/server/internal/config"
	"github.com/daybook-audit/daybook/server/internal/control"
)

const keyFields = "id,name,org,scopes,labels,created_at,expires_at,last_used_at,revoked_at"

var keyHeads = []heading{{name: "ID"}, {name: "STATE"}, {name: "ORG"}, {name: "SCOPES"}, {name: "LAST_USED_AT"}, {name: "EXPIRES_AT"}, {name: "NAME"}}

func newKey(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "API keys"}
	cmd.AddCommand(newKeyCreate(e), newKeyLs(e), newKeyRevoke(e))
	return cmd
}

func (e *env) keyRow(k client.Key) []cell {
	org := "all"
	if k.Org != nil {
		org = *k.Org
	}
	at := func(t *time.Time) string {
		if t == nil || t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	state := cell{text: "valid"}
	switch {
	case k.RevokedAt != nil:
		state = cell{text: "revoked"}
	case k.ExpiresAt != nil && k.ExpiresAt.Before(e.now()):
		state = cell{text: "expired", tone: amber}
	}
	return []cell{{text: k.ID}, state, {text: org}, {text: strings.Join(k.Scopes, ",")}, {text: at(k.LastUsedAt)}, {text: at(k.ExpiresAt)}, {text: k.Name}}
}

func newKeyCreate(e *env) *cobra.Command {
	var name, scopes, labels, expires, db string
	var allOrgs bool
	cmd := &cobra.Command{
		Use: "create", Short: "Make an API key and print it: this once",
		Long: `The key goes to stdout, alone, so that it can be piped into a file; what it may do goes to stderr.
With --db the key is made in the store itself: that is how the very first key is made. A file takes it while no server runs.`,
		Example: `  $ daybook key create --name ci --org org_acme --scopes record
  $ daybook key create --name auditor --org org_acme --scopes read,export --expires 90d > auditor.key
  $ daybook key create --db daybook.db --all-orgs --scopes record,read,export,viewer,manage,operate`,
		Annotations: map[string]string{fieldsNote: keyFields + ",key", exitsNote: "0 made · 2 a scope does not exist · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			k := client.NewKey{Name: name}
			list, err := auth.ParseScopes(strings.Split(strings.ReplaceAll(scopes, " ", ""), ","))
			if err != nil {
				return usage("--scopes: %v", err)
			}
			k.Scopes = list.Words()
			if labels != "" {
				k.Labels = strings.Split(labels, ",")
			}
			if k.ExpiresAt, err = e.expiry(expires); err != nil {
				return err
			}
			t, err := e.target()
			if err != nil {
				return err
			}
			switch org := t.org.value; {
			case allOrgs && e.org != "":
				return usage("--all-orgs and --org exclude each other")
			case allOrgs:
			case org == "":
				return usage("say for which organization: --org ID, or --all-orgs")
			default:
				k.Org = &org
			}
			var conf *config.Config
			if db != "" {
				if conf, _, err = e.configuration(cmd); err != nil {
					return err
				}
			}
			made, err := e.makeKey(cmd.Context(), conf, db, k)
			if err != nil {
				return cannot("make the key", err)
			}
			return e.printKey(made)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&name, "name", "", "what it is for")
	fl.StringVar(&scopes, "scopes", "", "record | read | export | viewer | manage | operate, separated by commas")
	fl.StringVar(&labels, "labels", "", "words that a door may ask for beside the scopes, separated by commas: Admin,User")
	fl.StringVar(&expires, "expires", "", "until when it holds: 90d, 2027-01-01 (default: for ever)")
	fl.BoolVar(&allOrgs, "all-orgs", false, "for all organizations")
	fl.StringVar(&db, "db", "", "make it in this store: in a file while no server runs, in a PostgreSQL database also beside the servers")
	return cmd
}

// expiry reads --expires: a length from now on, or a time.
func (e *env) expiry(s string) (*time.Time, error) {
	if s == "" {
		return nil, nil
	}
	loc, _, err := e.zone()
	if err != nil {
		return nil, err
	}
	if bareLength(s) {
		s = "now+" + s
	}
	from, _, err := query.ParseTime(s, query.Options{Now: e.now(), Zone: loc}, false)
	if err != nil {
		return nil, usage("--expires %q: %v", s, err)
	}
	t := time.UnixMicro(from).UTC()
	if !t.After(e.now()) {
		return nil, usage("--expires %q is in the past", s)
	}
	return &t, nil
}

// makeKey asks the server, or with db writes into the store.
func (e *env) makeKey(ctx context.Context, c *config.Config, db string, k client.NewKey) (client.Key, error) {
	if db == "" {
		c, err := e.connect()
		if err != nil {
			return client.Key{}, err
		}
		return c.CreateKey(ctx, k)
	}
	store, err := openStore(ctx, db, storeOptions{c: c})
	if err != nil {
		return client.Key{}, err
	}
	defer store.Close() //nolint:errcheck // the key is durable when Create returns
	n := control.NewKey{Name: k.Name, Scopes: k.Scopes, Labels: k.Labels, Before: func(ctx context.Context, k control.Key) error {
		org, act := keyMade(program("key create"), k)
		return e.recordOffline(ctx, c, store, org, act)
	}}
	if k.Org != nil {
		n.Org = daybook.OrgID(*k.Org)
		if err := control.NewOrgs(store, e.now).Ensure(ctx, n.Org); err != nil {
			return client.Key{}, err
		}
	}
	if k.ExpiresAt != nil {
		n.ExpiresAt = *k.ExpiresAt
	}
	made, secret, err := control.NewKeys(store, e.now).Create(ctx, n)
	if err != nil {
		return client.Key{}, err
	}
	return client.Key{ID: made.ID, Name: made.Name, Org: k.Org, Scopes: made.Scopes, Labels: made.Labels, CreatedAt: made.CreatedAt, ExpiresAt: k.ExpiresAt, Secret: secret}, nil
}

// printKey writes the secret to stdout and everything else to stderr.
func (e *env) printKey(k client.Key) error {
	if e.output != "" || e.fields != "" {
		p, err := e.printer(splitFields(keyFields+",key"), append([]heading{{name: "KEY"}}, keyHeads...)...)
		if err != nil {
			return err
		}
		return p.one(k, append([]cell{{text: k.Secret}}, e.keyRow(k)...)...)
	}
	org := "all organizations"
	if k.Org != nil {
		org = *k.Org
	}
	e.note("%s for %s may: %s. The key is shown this once:", k.ID, org, strings.Join(k.Scopes, ", "))
	_, err := fmt.Fprintln(e.stdout, k.Secret)
	return err
}

func newKeyLs(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List keys; the keys themselves are nowhere",
		Long: `With an organization (--org, DAYBOOK_ORG): the keys that reach it, its own and those for all organizations. Without one, a key
that may operate sees every key.`,
		Example: `  $ daybook key ls
  $ daybook key ls -o csv > keys.csv
  $ daybook key ls --json id,name,last_used_at`,
		Annotations: map[string]string{fieldsNote: keyFields, exitsNote: "0 listed · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := e.printer(splitFields(keyFields), keyHeads...)
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
			keys, err := c.Keys(cmd.Context())
			if err != nil {
				return cannot("list keys", err)
			}
			all := 0
			for _, k := range keys {
				if k.Org == nil {
					all++
				}
				if err := p.addValue(k, e.keyRow(k)...); err != nil {
					return err
				}
			}
			said := count(len(keys), "key", "keys")
			if org := t.org.value; org != "" && all > 0 {
				said = fmt.Sprintf("%s for %s: %d of its own, %d for all organizations", said, org, len(keys)-all, all)
			}
			e.note("%s", said)
			return p.end()
		},
	}
}

func newKeyRevoke(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "revoke KEY_ID", Short: "End a key for good",
		Example: `  $ daybook key revoke key_01m7w2y7m0fhra2avt0s3fj8ks
  $ daybook key revoke key_01m7w2y7m0fhra2avt0s3fj8ks --yes
  $ daybook key ls --json id,name -o ndjson | jq -r 'select(.name=="ci").id' | xargs -n1 daybook key revoke --yes`,
		Annotations: map[string]string{exitsNote: "0 revoked, also a second time · 2 not confirmed · 3 there is no such key · 4 not allowed"},
		Args:        exactArgs("KEY_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.HasPrefix(args[0], "dbk_") {
				return usage("that is a key itself; give its id, key_… (daybook key ls)")
			}
			if err := e.confirm(yes, "Revoke "+visible(args[0])); err != nil {
				return err
			}
			c, err := e.connect()
			if err != nil {
				return err
			}
			if err := c.RevokeKey(cmd.Context(), args[0]); err != nil {
				return cannot("revoke "+args[0], err)
			}
			e.note("%s is revoked", visible(args[0]))
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
