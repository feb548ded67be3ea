package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/client"
	"github.com/daybook-audit/daybook/query"
)

func newCompletion(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "Completion script of a shell",
		Example: `  $ source <(daybook completion bash)
  $ daybook completion zsh > "${fpath[1]}/_daybook"
  $ daybook completion fish > ~/.config/fish/completions/daybook.fish`,
		Annotations: map[string]string{exitsNote: "0 printed · 2 another shell"},
		ValidArgs:   []string{"bash", "zsh", "fish", "powershell"},
		Args:        exactArgs("the shell (bash, zsh, fish or powershell)"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(e.stdout, true)
			case "zsh":
				return root.GenZshCompletion(e.stdout)
			case "fish":
				return root.GenFishCompletion(e.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(e.stdout)
			}
			return usage("there is no completion for %q: bash, zsh, fish or powershell", args[0])
		},
	}
}

// completeQuery completes the last token of a query: fields and fixed values from the grammar, and the org's own values from the
// server if it answers within 300 ms.
func (e *env) completeQuery(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	directive := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	var out []string
	runes := []rune(typed)
	for _, c := range query.Complete(typed, len(runes), query.Options{}) {
		out = append(out, string(runes[:c.From])+c.Text+"\t"+c.Means)
	}
	head, value, isValue := cutLast(typed, ":")
	name := head[strings.LastIndexAny(head, " (-")+1:]
	field := map[string]string{"action": "action", "actor": "actor.id", "actor.id": "actor.id", "actor.type": "actor.type", "target.type": "target.type"}[name]
	if !isValue || field == "" {
		return out, directive
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 300*time.Millisecond)
	defer cancel()
	c, err := e.connect()
	if err != nil {
		return out, directive
	}
	found, err := c.Facet(ctx, client.Query{From: "now-30d"}, field, 64)
	if err != nil {
		return out, directive
	}
	for _, f := range found {
		if strings.HasPrefix(f.Value, value) {
			out = append(out, head+":"+quotedValue(f.Value)+"\t"+count(int(f.Count), "event", "events"))
		}
	}
	return out, directive
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
