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
			conf, settings, err := e.configuration(c)
			if err == nil {
				err = checkDriver(conf.DB)
			}
			if err != nil {
				return err
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

// sources are where a command looks for the settings of the server.
func (e *env) sources(c *cobra.Command) config.Sources {
	return config.Sources{Flags: c.Flags(), LookupEnv: e.lookup}
}

// configuration reads the settings of the server and warns of variables that look like one.
func (e *env) configuration(c *cobra.Command) (*config.Config, []config.Setting, error) {
	conf, settings, err := config.Load(e.sources(c))
	if err != nil {
		return nil, nil, usage("%v", err)
	}
	for _, text := range e.mistyped() {
		e.warn("%s", text)
	}
	return conf, settings, nil
}

// clientVariables are those that are no setting of the server.
var clientVariables = []string{
	"DAYBOOK_SERVER", "DAYBOOK_ORG", "DAYBOOK_API_KEY", "DAYBOOK_API_KEY_FILE", "DAYBOOK_CONTEXT", "DAYBOOK_OUTPUT", "DAYBOOK_TZ",
}

// mistyped has a sentence for every variable that is named like a setting and is none: it does nothing, which is not what was meant.
func (e *env) mistyped() []string {
	var said []string
	for _, name := range config.Unknown(config.Sources{LookupEnv: e.lookup}, clientVariables...) {
		var known []string
		for _, s := range config.Reference() {
			known = append(known, s.Variable)
		}
		text := "there is no setting " + name
		if near := nearest(name, known); near != "" {
			text += ": " + near + " is meant?"
		}
		said = append(said, text)
	}
	return said
}

func (e *env) showConfig(c *cobra.Command) error {
	p, err := e.printer(splitFields(configFields), heading{name: "KEY"}, heading{name: "VALUE"}, heading{name: "SOURCE"})
	if err != nil {
		return err
	}
	_, settings, err := e.configuration(c)
	if err != nil {
		return err
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
