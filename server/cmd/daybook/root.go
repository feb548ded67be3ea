package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/daybook-audit/daybook/internal/spelling"
)

// Annotations that the help of a command shows.
const (
	exitsNote  = "exits"  // its exit codes
	fieldsNote = "fields" // what --json may name, separated by commas
	queryNote  = "query"  // takes a query
	valueNote  = "value"  // of a flag: the word for its value, where its name means something else elsewhere
)

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "daybook",
		Short: "Records who did what, and proves that nothing was changed",
		Example: `  $ daybook dev                                                   # a server with sample data, in a second
  $ daybook record invoice.paid --actor 'user:usr_7=Grace Hopper' --target invoice:42
  $ daybook events 'actor:usr_7 action:invoice.*' --since 7d`,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "RUN"}, &cobra.Group{ID: "log", Title: "RECORD AND READ"}, &cobra.Group{ID: "prove", Title: "PROVE"},
		&cobra.Group{ID: "keep", Title: "TAKE OUT, KEEP, REMOVE"}, &cobra.Group{ID: "manage", Title: "MANAGE"},
	)
	for group, commands := range map[string][]*cobra.Command{
		"run":    {newServe(e), newDev(e), newConfig(e), newDoctor(e), newBackup(e), newRestore(e), newFsck(e), newRecover(e), newUI(e), newBench(e)},
		"log":    {newRecord(e), newEvents(e), newTail(e), newShow(e), newHistory(e), newQuery(e), newImport(e)},
		"prove":  {newVerify(e), newMonitor(e), newCheckpoint(e)},
		"keep":   {newExport(e), newRetention(e), newHold(e), newErase(e), newScrub(e)},
		"manage": {newOrg(e), newKey(e), newSchema(e), newContext(e), newWhoami(e), newCompletion(e), newVersion(e)},
	} {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	root.AddCommand(topics()...)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetIn(e.stdin)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { fmt.Fprint(e.stdout, help(c)) })
	root.SetFlagErrorFunc(flagError)
	e.globals(root.PersistentFlags())
	finish(root)
	return root
}

// globals adds the flags of every command.
func (e *env) globals(f *pflag.FlagSet) {
	f.StringVar(&e.context, "context", "", "named server to talk to (daybook context ls)")
	f.StringVar(&e.server, "server", "", "address of the server (default "+defaultServer+")")
	f.StringVar(&e.org, "org", "", "organization (default: the key's)")
	f.StringVar(&e.apiKey, "api-key", "", "API key; better DAYBOOK_API_KEY or --api-key-file")
	f.StringVar(&e.apiKeyFile, "api-key-file", "", "file with the API key")
	f.StringVar(&e.ca, "ca", "", "file with the certificate authority of the server (PEM)")
	f.StringVarP(&e.output, "output", "o", "", "table | tsv | csv | json | ndjson (default: table on a terminal, tsv in a pipe)")
	f.StringVar(&e.fields, "json", "", "only these fields, as JSON; without any, lists them")
	f.StringVar(&e.tz, "tz", "", "time zone, IANA name or local (default: local on a terminal, UTC in a pipe)")
	f.BoolVar(&e.utc, "utc", false, "times in UTC")
	f.BoolVar(&e.noColor, "no-color", false, "no colours")
	f.BoolVarP(&e.quiet, "quiet", "q", false, "nothing on stderr but warnings and errors")
	f.BoolVarP(&e.verbose, "verbose", "v", false, "more on stderr")
	f.BoolVar(&e.noInput, "no-input", false, "never ask")
	f.DurationVar(&e.timeout, "timeout", 30*time.Second, "longest wait for an answer of the server")
}

// finish keeps the flags of c and what is below it in the order in which they were added, and gives every command that only holds
// others an answer for a word it does not know.
func finish(c *cobra.Command) {
	c.Flags().SortFlags, c.PersistentFlags().SortFlags = false, false
	for _, sub := range c.Commands() {
		finish(sub)
	}
	if c.Runnable() || !c.HasSubCommands() {
		return
	}
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		return unknownCommand(c, args[0])
	}
}

func unknownCommand(c *cobra.Command, word string) error {
	err := &usageError{message: fmt.Sprintf("there is no command %q", strings.TrimSpace(c.CommandPath()+" "+word)), try: c.CommandPath() + " --help"}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if near := nearest(word, names); near != "" {
		err.try = c.CommandPath() + " " + near
	}
	return err
}

// flagError words a flag that does not exist or lacks its value.
func flagError(c *cobra.Command, err error) error {
	text := err.Error()
	if text == "flag needs an argument: --json" {
		if fields := c.Annotations[fieldsNote]; fields != "" {
			return &usageError{message: "--json takes fields, separated by commas:\n  " + strings.ReplaceAll(fields, ",", "\n  "), try: c.CommandPath() + " --json " + strings.SplitN(fields, ",", 2)[0]}
		}
		return usage("%s has no JSON fields", c.CommandPath())
	}
	u := &usageError{message: text}
	if strings.HasPrefix(text, "unknown shorthand flag") && strings.Contains(c.Annotations[queryNote], "y") {
		u.try = c.CommandPath() + " -- '-…'   (what begins with - is a flag until --; or write NOT instead of -)"
	}
	if name, ok := strings.CutPrefix(text, "unknown flag: --"); ok {
		u.message = "there is no flag --" + name
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := nearest(name, names); near != "" {
			u.try = "--" + near
		}
	}
	return u
}

// nearest returns the name at most two edits from word, or that begins with it; empty when there is none.
func nearest(word string, names []string) string {
	best, at := "", spelling.Far
	for _, n := range names {
		d := spelling.Distance(word, n)
		if len(word) > 1 && strings.HasPrefix(n, word) {
			d = min(d, 2)
		}
		if d < at {
			best, at = n, d
		}
	}
	return best
}

// help lays out one command: what it does, usage, examples, and only then the flags.
func help(c *cobra.Command) string {
	var b strings.Builder
	b.WriteString(c.Short + "\n")
	if c.Long != "" {
		b.WriteString("\n" + strings.TrimRight(c.Long, "\n") + "\n")
	}
	if c.Runnable() || c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nUSAGE   %s\n", usageLine(c))
	}
	if c.Example != "" {
		b.WriteString("EXAMPLES\n" + strings.TrimRight(c.Example, "\n") + "\n")
	}
	commandsHelp(&b, c)
	if c.Annotations[queryNote] != "" {
		b.WriteString("QUERY   actor: via: action: target: outcome: ip: changed: meta.KEY: occurred: \"free text\" -not a OR b >= ..   (daybook help query)\n")
	}
	if flags := flagsHelp(c.LocalNonPersistentFlags()); flags != "" {
		b.WriteString("FLAGS\n" + flags)
	}
	switch {
	case !c.HasParent():
		b.WriteString("FLAGS OF EVERY COMMAND\n" + flagsHelp(c.PersistentFlags()))
	case c.Runnable() && !c.HasAvailableSubCommands():
		b.WriteString("ALSO    --server --org --context --api-key-file -o FORMAT --json FIELDS --tz ZONE -q -v …   (daybook --help)\n")
	}
	if text := c.Annotations[exitsNote]; text != "" {
		fmt.Fprintf(&b, "EXIT    %s\n", text)
	}
	if c.Runnable() || c.HasAvailableSubCommands() {
		b.WriteString("DOCS    https://github.com/daybook-audit/daybook/tree/main/docs\n")
	}
	return b.String()
}

func usageLine(c *cobra.Command) string {
	line := c.UseLine()
	if c.HasAvailableSubCommands() && !strings.Contains(line, "COMMAND") {
		line = c.CommandPath() + " COMMAND"
	}
	return strings.TrimSuffix(line, " [flags]") + " [flags]"
}

func commandsHelp(b *strings.Builder, c *cobra.Command) {
	if !c.HasAvailableSubCommands() {
		return
	}
	width := 0
	for _, sub := range c.Commands() {
		width = max(width, len(sub.Name()))
	}
	groups := c.Groups()
	if len(groups) == 0 {
		groups = []*cobra.Group{{Title: "COMMANDS"}}
	}
	for _, g := range groups {
		b.WriteString(g.Title + "\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.GroupID == g.ID {
				fmt.Fprintf(b, "  %-*s  %s\n", width, sub.Name(), sub.Short)
			}
		}
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAdditionalHelpTopicCommand() {
			names = append(names, sub.Name())
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		fmt.Fprintf(b, "TOPICS  daybook help %s\n", strings.Join(names, " | "))
	}
}

// flagsHelp lists flags with an upper-case word for the value.
func flagsHelp(f *pflag.FlagSet) string {
	type line struct{ left, right string }
	var lines []line
	width := 0
	f.SortFlags = false
	f.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		left := "      --" + f.Name
		if f.Shorthand != "" {
			left = "  -" + f.Shorthand + ", --" + f.Name
		}
		if word := valueWord(f); word != "" {
			left += " " + word
		}
		right := f.Usage
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" && f.DefValue != "-1" && !strings.Contains(right, "(default") {
			right += " (default " + strings.TrimSuffix(f.DefValue, "0s") + ")"
			if strings.HasSuffix(f.DefValue, "0s") && !strings.HasSuffix(f.DefValue, "m0s") {
				right = f.Usage + " (default " + f.DefValue + ")"
			}
		}
		lines = append(lines, line{left, right})
		width = max(width, len(left))
	})
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%-*s  %s\n", width, l.left, l.right)
	}
	return b.String()
}

// valueWords are the words for values of flags where the kind alone says too little.
var valueWords = map[string]string{
	"since": "TIME", "until": "TIME", "org": "ID", "context": "NAME", "server": "URL", "api-key": "KEY", "api-key-file": "FILE", "ca": "FILE",
	"output": "FORMAT", "json": "FIELDS", "tz": "ZONE", "order": "ORDER", "cols": "COLUMNS", "cursor": "CURSOR", "actor": "TYPE:ID[=NAME]",
	"via": "TYPE:ID[=NAME]", "target": "TYPE:ID[=NAME]", "meta": "KEY=VALUE", "old": "FILE", "new": "FILE", "id": "EVT", "outcome": "OUTCOME",
	"scopes": "LIST", "expires": "TIME", "data": "DIR", "listen": "HOST:PORT", "db": "FILE", "diff": "HOW", "config": "FILE",
	"vkey": "VKEY", "anchor-vkey": "VKEY", "state": "FILE", "policy": "FILE", "receipts": "FILE", "entry": "FILE", "proof": "FILE",
	"highwater": "FILE", "master-key-file": "FILE", "origin": "HOST",
}

func valueWord(f *pflag.Flag) string {
	if own := f.Annotations[valueNote]; len(own) > 0 {
		return own[0]
	}
	if w, ok := valueWords[f.Name]; ok && f.Value.Type() != "bool" {
		return w
	}
	switch f.Value.Type() {
	case "bool":
		return ""
	case "int", "int64", "float64", "number", "uint64":
		return "N"
	}
	return strings.ToUpper(f.Value.Type())
}
