package main

import (
	"github.com/spf13/cobra"
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
