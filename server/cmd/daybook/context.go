package main

import (
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/client"
)

const contextFields = "name,current,server,org,key"

func newContext(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "context", Short: "Named servers with their keys"}
	cmd.AddCommand(newContextAdd(e), newContextUse(e), newContextLs(e), newContextRm(e))
	return cmd
}

func newContextAdd(e *env) *cobra.Command {
	var keyStdin bool
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Keep a server, an organization and a key under a name",
		Long: `Takes the values of --server, --org, --ca and the key of --api-key-file or DAYBOOK_API_KEY. The first context is used at once.
The file is readable by its owner alone.`,
		Example: `  $ daybook context add local --server http://127.0.0.1:8080 --org org_acme --api-key-file .daybook/dev.key
  $ DAYBOOK_API_KEY=dbk_… daybook context add prod --server https://audit.example.com
  $ pass show daybook/prod | daybook context add prod --server https://audit.example.com --key-stdin`,
		Annotations: map[string]string{exitsNote: "0 kept · 2 the address is wrong"},
		Args:        exactArgs("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := e.contexts()
			if err != nil {
				return err
			}
			c := f.Contexts[args[0]]
			for _, s := range []struct {
				flag, variable string
				to             *string
			}{{e.server, "DAYBOOK_SERVER", &c.Server}, {e.org, "DAYBOOK_ORG", &c.Org}, {e.ca, "", &c.CA}} {
				if v := s.flag; v != "" {
					*s.to = v
				} else if s.variable != "" && e.getenv(s.variable) != "" {
					*s.to = e.getenv(s.variable)
				}
			}
			if _, err := client.New(client.Options{URL: orDefault(c.Server, defaultServer)}); err != nil {
				return usage("%v", err)
			}
			if keyStdin {
				text, err := io.ReadAll(io.LimitReader(e.stdin, 4096))
				if err != nil {
					return cannot("read the key", err)
				}
				c.Key = strings.TrimSpace(string(text))
			} else if e.apiKey != "" || e.apiKeyFile != "" || e.getenv("DAYBOOK_API_KEY") != "" || e.getenv("DAYBOOK_API_KEY_FILE") != "" {
				if c.Key, _, err = e.key(); err != nil {
					return cannot("read the key", err)
				}
			}
			if f.Contexts == nil {
				f.Contexts = map[string]savedContext{}
			}
			f.Contexts[args[0]] = c
			if f.Current == "" {
				f.Current = args[0]
			}
			if err := e.saveContexts(f); err != nil {
				return err
			}
			if f.Current == args[0] {
				e.note("context %s is in use", visible(args[0]))
			} else {
				e.note("context %s is kept; to use it: daybook context use %s", visible(args[0]), visible(args[0]))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&keyStdin, "key-stdin", false, "read the key from stdin")
	return cmd
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// knownContext returns the file and whether it has the name.
func (e *env) knownContext(name string) (*contextFile, error) {
	f, err := e.contexts()
	if err != nil {
		return nil, err
	}
	if _, ok := f.Contexts[name]; ok {
		return f, nil
	}
	u := &usageError{message: "there is no context \"" + name + "\"", try: "daybook context ls"}
	if near := nearest(name, slices.Collect(maps.Keys(f.Contexts))); near != "" {
		u.try = near
	}
	return nil, u
}

func newContextUse(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "Talk to this server from now on",
		Example: `  $ daybook context use prod
  $ daybook --context local events     # for one command only
  $ DAYBOOK_CONTEXT=local daybook tail`,
		Annotations: map[string]string{exitsNote: "0 in use · 2 there is no such context"},
		Args:        exactArgs("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := e.knownContext(args[0])
			if err != nil {
				return err
			}
			f.Current = args[0]
			if err := e.saveContexts(f); err != nil {
				return err
			}
			e.note("context %s is in use", visible(args[0]))
			return nil
		},
	}
}

func newContextLs(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List contexts; keys are not shown",
		Example: `  $ daybook context ls
  $ daybook context ls -o json
  $ daybook context ls --json name,server`,
		Annotations: map[string]string{fieldsNote: contextFields, exitsNote: "0 listed"},
		Args:        exactArgs(),
		RunE: func(_ *cobra.Command, _ []string) error {
			p, err := e.printer(splitFields(contextFields), heading{name: "CURRENT"}, heading{name: "NAME"}, heading{name: "SERVER"}, heading{name: "ORG"}, heading{name: "KEY"})
			if err != nil {
				return err
			}
			f, err := e.contexts()
			if err != nil {
				return err
			}
			for _, name := range slices.Sorted(maps.Keys(f.Contexts)) {
				c := f.Contexts[name]
				row := struct {
					Name    string `json:"name"`
					Current bool   `json:"current"`
					Server  string `json:"server"`
					Org     string `json:"org"`
					Key     string `json:"key"`
				}{name, name == f.Current, orDefault(c.Server, defaultServer), c.Org, masked(c.Key)}
				mark := ""
				if row.Current {
					mark = "*"
				}
				if err := p.addValue(row, cell{text: mark}, cell{text: name}, cell{text: row.Server}, cell{text: row.Org}, cell{text: row.Key}); err != nil {
					return err
				}
			}
			if len(f.Contexts) == 0 {
				e.note("no contexts; daybook context add NAME --server URL keeps one")
			}
			return p.end()
		},
	}
}

func newContextRm(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "rm NAME", Short: "Forget a context and its key",
		Example: `  $ daybook context rm old
  $ daybook context rm old --yes
  $ daybook context ls --json name`,
		Annotations: map[string]string{exitsNote: "0 forgotten · 2 there is no such context, or not confirmed"},
		Args:        exactArgs("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := e.knownContext(args[0])
			if err != nil {
				return err
			}
			if err := e.confirm(yes, "Forget context "+visible(args[0])+" and its key"); err != nil {
				return err
			}
			delete(f.Contexts, args[0])
			if f.Current == args[0] {
				f.Current = ""
			}
			if err := e.saveContexts(f); err != nil {
				return err
			}
			e.note("context %s is forgotten", visible(args[0]))
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// masked says that there is a key, and nothing of it.
func masked(key string) string {
	if key == "" {
		return ""
	}
	return "********"
}

func splitFields(s string) []string { return strings.Split(s, ",") }
