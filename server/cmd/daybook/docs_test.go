package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/server/internal/config"
)

// TestCommandReference compares docs/reference/cli.md with the commands. With -update it is written.
func TestCommandReference(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Commands\n\nWritten from the program; a test compares. `daybook help COMMAND` prints the same. Flags of every command stand [at the end](#flags-of-every-command).\n")
	root := newRoot(newEnv(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}, func(string) string { return "" }))
	for _, group := range root.Groups() {
		for _, c := range root.Commands() {
			if c.GroupID == group.ID {
				describe(&b, c)
			}
		}
	}
	b.WriteString("\n## Topics\n")
	for _, c := range root.Commands() {
		if c.IsAdditionalHelpTopicCommand() {
			fmt.Fprintf(&b, "\n### help %s\n\n%s\n\n```text\n%s```\n", c.Name(), c.Short, closed(c.Long))
		}
	}
	fmt.Fprintf(&b, "\n## Flags of every command\n\n```text\n%s```\n", flagsHelp(root.PersistentFlags()))
	comparePage(t, "../../../docs/reference/cli.md", b.String())
}

func describe(b *strings.Builder, c *cobra.Command) {
	if c.IsAvailableCommand() {
		fmt.Fprintf(b, "\n## %s\n\n%s.\n", c.CommandPath(), c.Short)
		if c.Long != "" {
			fmt.Fprintf(b, "%s\n", strings.TrimRight("\n"+c.Long, "\n"))
		}
		if !c.HasAvailableSubCommands() {
			fmt.Fprintf(b, "\n```text\n%s\n", usageLine(c))
			if c.Example != "" {
				fmt.Fprintf(b, "\n%s", closed(c.Example))
			}
			if f := c.LocalNonPersistentFlags(); f.HasAvailableFlags() && !settings(c) {
				fmt.Fprintf(b, "\n%s", flagsHelp(f))
			}
			b.WriteString("```\n")
			if settings(c) {
				b.WriteString("\nIts flags are the [settings](config.md).\n")
			}
		}
		if text := c.Annotations[exitsNote]; text != "" {
			fmt.Fprintf(b, "\nExit: %s\n", text)
		}
	}
	for _, sub := range c.Commands() {
		describe(b, sub)
	}
}

// settings reports whether the flags of c are those of the configuration.
func settings(c *cobra.Command) bool { return c.Flags().Lookup("commit-timeout") != nil }

func closed(text string) string { return strings.TrimRight(text, "\n") + "\n" }

// TestSettingsReference compares docs/reference/config.md with the settings. With -update it is written.
func TestSettingsReference(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`# Settings

Written from the comments in ` + "`server/internal/config/config.go`" + `; a test compares. A setting is a flag, a variable of the environment and a line of a YAML file; which value
holds: flag, then environment, then a ` + "`.env`" + ` file in the working folder, then the file, then the default. ` + "`daybook config`" + ` prints the values in force and where each
comes from, secrets masked.

| In the file | Flag, variable | Default | Meaning |
|---|---|---|---|
`)
	cell := strings.NewReplacer("|", "\\|", "\n", " ")
	for _, s := range config.Reference() {
		fallback := "–"
		if s.Default != "" {
			fallback = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` `%s` | %s | %s |\n", s.Key, s.Flag, s.Variable, fallback, cell.Replace(s.Help))
	}
	b.WriteString("\nSizes take `KiB`, `MiB`, `GiB`; durations `ms`, `s`, `m`, `h`; lists are separated by commas. A line of the file that names no setting is refused; of a variable `DAYBOOK_…` that is none the program warns.\n")
	comparePage(t, "../../../docs/reference/config.md", b.String())
}

func comparePage(t *testing.T, file, want string) {
	t.Helper()
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), want); diff != "" {
		t.Errorf("%s is not what the program says; go test ./cmd/daybook -run %s -update writes it:\n%s", file, t.Name(), diff)
	}
}
