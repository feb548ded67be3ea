package main

import (
	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/server/internal/config"
)

const configFields = "key,value,source,variable,flag,help"

func newConfig(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "The server's settings, and where each value comes from",
		Example: `  $ daybook config
  $ daybook config check --config /etc/daybook.yaml
  $ daybook config show -o json --json key,value,source`,
		Annotations: map[string]string{fieldsNote: configFields, exitsNote: "0 shown · 2 a setting is wrong"},
		Args:        exactArgs(),
	}
	show := &cobra.Command{
		Use: "show", Short: "Effective values with their sources, secrets masked",
		Example:     cmd.Example,
		Annotations: cmd.Annotations, Args: cmd.Args,
	}
	show.RunE = func(c *cobra.Command, _ []string) error { return e.showConfig(c) }
	cmd.RunE = show.RunE
	check := &cobra.Command{
		Use: "check", Short: "Whether the settings hold, without starting anything",
		Example: `  $ daybook config check
  $ daybook config check --config /etc/daybook.yaml
  $ DAYBOOK_LISTEN=:80 daybook config check`,
		Annotations: map[string]string{exitsNote: "0 they hold · 2 a setting is wrong"},
		Args:        exactArgs(),
		RunE: func(c *cobra.Command, _ []string) error {
			_, settings, err := config.Load(config.Sources{Flags: c.Flags(), LookupEnv: e.lookup})
			if err != nil {
				return usage("%v", err)
			}
			set := 0
			for _, s := range settings {
				if s.Source != "default" {
					set++
				}
			}
			e.note("the settings hold: %d set, %d by default", set, len(settings)-set)
			return nil
		},
	}
	for _, c := range []*cobra.Command{cmd, show, check} {
		config.Bind(c.Flags())
	}
	cmd.AddCommand(show, check)
	return cmd
}

func (e *env) showConfig(c *cobra.Command) error {
	p, err := e.printer(splitFields(configFields), heading{name: "KEY"}, heading{name: "VALUE"}, heading{name: "SOURCE"})
	if err != nil {
		return err
	}
	_, settings, err := config.Load(config.Sources{Flags: c.Flags(), LookupEnv: e.lookup})
	if err != nil {
		return usage("%v", err)
	}
	for _, s := range settings {
		row := struct {
			Key      string `json:"key"`
			Value    string `json:"value"`
			Source   string `json:"source"`
			Variable string `json:"variable"`
			Flag     string `json:"flag"`
			Help     string `json:"help"`
		}{s.Key, s.Value, s.Source, s.Variable, s.Flag, s.Help}
		if err := p.addValue(row, cell{text: s.Key}, cell{text: s.Value}, cell{text: s.Source}); err != nil {
			return err
		}
	}
	return p.end()
}
