package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/client"
)

// listFlags are the flags that every command which lists entries has.
type listFlags struct {
	since, until, order, cols, cursor string
	limit                             int
	all, asc, exitEmpty, rawCSV       bool
	consistent                        bool
}

func (f *listFlags) add(cmd *cobra.Command, since string) {
	fl := cmd.Flags()
	help := "from this time: 7d, 2026-11-01, now-1h; 0: from the beginning"
	if since == "" {
		help += " (default: the beginning)"
	}
	fl.StringVar(&f.since, "since", since, help)
	fl.StringVar(&f.until, "until", "", "before the end of this time")
	fl.IntVar(&f.limit, "limit", 50, "entries to print")
	fl.BoolVar(&f.all, "all", false, "print every match")
	fl.StringVar(&f.order, "order", "log", "log | occurred: as recorded, or as it happened")
	fl.BoolVar(&f.asc, "asc", false, "oldest first")
	fl.StringVar(&f.cols, "cols", "", "columns: "+columnNames())
	fl.BoolVar(&f.consistent, "consistent", false, "with what other nodes recorded in the last second")
	fl.StringVar(&f.cursor, "cursor", "", "go on where an earlier answer stopped")
	fl.BoolVar(&f.exitEmpty, "exit-empty", false, "exit 3 when nothing matches")
	fl.BoolVar(&f.rawCSV, "raw-csv", false, "with -o csv: leave = + - @ at the beginning of a cell alone")
}

// listing builds the question. Whatever a cursor keeps is not asked again.
func (f *listFlags) listing(e *env, text string) (listing, error) {
	_, zone, err := e.zone()
	if err != nil {
		return listing{}, err
	}
	if f.limit < 1 {
		return listing{}, usage("--limit must be at least 1")
	}
	if f.order != "log" && f.order != "occurred" {
		return listing{}, usage("--order is log or occurred, not %q", f.order)
	}
	q := client.Query{Text: text, TZ: zone, Asc: f.asc, Limit: min(f.limit, 1000), Cursor: f.cursor, Consistent: f.consistent}
	if f.order != "log" {
		q.Order = f.order
	}
	if f.all {
		q.Limit = 1000
	}
	if f.cursor != "" {
		q = client.Query{Text: text, Limit: q.Limit, Cursor: f.cursor}
		return listing{query: q, all: f.all, exitEmpty: f.exitEmpty, cols: f.cols, rawCSV: f.rawCSV}, nil
	}
	if q.From, err = f.moment("since", f.since); err != nil {
		return listing{}, err
	}
	if q.To, err = f.moment("until", f.until); err != nil {
		return listing{}, err
	}
	return listing{query: q, all: f.all, exitEmpty: f.exitEmpty, cols: f.cols, rawCSV: f.rawCSV}, nil
}

// moment turns a time of --since or --until into one of the query language: a bare length means that long ago.
func (f *listFlags) moment(flag, s string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "" || s == "0":
		return "", nil
	case bareLength(s):
		return "now-" + s, nil
	}
	if _, err := parseMoment(s); err != nil {
		return "", usage("--%s %q: %s", flag, s, err)
	}
	return s, nil
}

// bareLength reports whether s is a length such as 7d or 1h30m.
func bareLength(s string) bool {
	for s != "" {
		i := 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		if i == 0 {
			return false
		}
		s = s[i:]
		switch {
		case strings.HasPrefix(s, "mo"):
			s = s[2:]
		case s != "" && strings.ContainsRune("smhdwy", rune(s[0])):
			s = s[1:]
		default:
			return false
		}
	}
	return true
}

func newEvents(e *env) *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use: "events [QUERY]", Aliases: []string{"search"}, Short: "Search events",
		Example: `  $ daybook events 'target:invoice:42'                            # everything about one invoice, last 7 days
  $ daybook events 'action:user.login outcome:failure' --since 24h -o ndjson | jq .context.ip
  $ daybook events 'has:via' --since 30d -o csv > impersonations.csv`,
		Annotations: map[string]string{
			queryNote: "yes", fieldsNote: entryFields,
			exitsNote: "0 listed · 2 bad query · 3 no match with --exit-empty · 4 not allowed · 8 partial scan",
		},
		ValidArgsFunction: e.completeQuery,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args, " ") // simple queries need no quotes
			l, err := f.listing(e, text)
			if err != nil {
				return err
			}
			return e.queryFailure("search", text, e.list(cmd.Context(), l, "events"))
		},
	}
	f.add(cmd, "7d")
	return cmd
}

func newHistory(e *env) *cobra.Command {
	var f listFlags
	var actor, reads bool
	cmd := &cobra.Command{
		Use: "history TYPE:ID", Short: "All that happened to a target, or with --actor all that one did",
		Example: `  $ daybook history invoice:42                                    # from the beginning, newest first
  $ daybook history user:usr_7 --actor --since 30d                # what Grace did, or others in her name
  $ daybook history invoice:42 --reads --asc -o ndjson > invoice42.ndjson`,
		Annotations: map[string]string{fieldsNote: entryFields, exitsNote: "0 listed · 3 no match with --exit-empty · 4 not allowed · 8 partial scan"},
		Args:        exactArgs("TYPE:ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, _, err := parseRef(args[0])
			if err != nil {
				return err
			}
			text := ""
			if !reads {
				text = "-action:*.viewed,*.read,*.downloaded,*.listed"
			}
			l, err := f.listing(e, text)
			if err != nil {
				return err
			}
			if actor {
				l.query.Actor = &ref
			} else {
				l.query.Target = &ref
			}
			return cannot("list the history", e.list(cmd.Context(), l, "history "+args[0]))
		},
	}
	f.add(cmd, "")
	cmd.Flags().BoolVar(&actor, "actor", false, "TYPE:ID is an actor: all that it did, and what others did in its name")
	cmd.Flags().BoolVar(&reads, "reads", false, "with actions that only read: viewed, read, downloaded, listed")
	return cmd
}

// exactArgs wants exactly these arguments and names the one that lacks.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usage("%s is missing", names[len(args)])
		}
		if len(args) > len(names) {
			return usage("%q is too much: only %s is expected", args[len(names)], strings.Join(names, " "))
		}
		return nil
	}
}

// parseRef reads TYPE:ID or TYPE:ID=Name.
func parseRef(s string) (ref client.Ref, name string, err error) {
	typ, id, ok := strings.Cut(s, ":")
	id, name, _ = strings.Cut(id, "=")
	if !ok || typ == "" || id == "" {
		return client.Ref{}, "", usage("%q is not TYPE:ID, such as invoice:42 or user:usr_7", s)
	}
	return client.Ref{Type: typ, ID: id}, name, nil
}
