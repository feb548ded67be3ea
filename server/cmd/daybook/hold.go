package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/client"
)

var holds = table[client.Hold]{
	fields: "id,query,reason,by,entries,seq,placed_at,released_at,released_by,released_reason",
	heads:  []heading{{name: "ID"}, {name: "STATE"}, {name: "PLACED_AT"}, {name: "ENTRIES", right: true}, {name: "QUERY"}, {name: "REASON"}},
	row:    holdRow, one: "hold", many: "holds",
}

func newHold(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "hold", Short: "Legal holds: what is neither erased nor removed by retention"}
	cmd.AddCommand(newHoldLs(e), newHoldPlace(e), newHoldRelease(e))
	return cmd
}

func holdRow(h *client.Hold) []cell {
	state := cell{text: "in force"}
	if h.ReleasedAt != "" {
		state.text = "released"
	}
	placed, _, _ := strings.Cut(h.PlacedAt, ".")
	q := h.Query
	if q == "" {
		q = "(the whole log)"
	}
	return []cell{{text: h.ID}, state, {text: placed}, {text: strconv.FormatInt(h.Entries, 10)}, {text: q}, {text: h.Reason}}
}

func newHoldLs(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List holds, released ones too",
		Example: `  $ daybook hold ls
  $ daybook hold ls -o json
  $ daybook hold ls --json id,query,released_at`,
		Annotations: map[string]string{fieldsNote: holds.fields, exitsNote: "0 listed · 3 there is no such organization · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return holds.list(cmd.Context(), e, (*client.Client).Holds)
		},
	}
}

func newHoldPlace(e *env) *cobra.Command {
	var text, reason string
	var all bool
	cmd := &cobra.Command{
		Use: "place", Short: "Keep what a query matches, now and later, until the hold is released",
		Long: `The query is one without org:, is: and relative times. What it matches now is named in the log; what matches later is kept too. A hold
also stops what was asked for before it and is not carried out yet. The reason stands in the log for ever: no personal data.`,
		Example: `  $ daybook hold place --query 'target:invoice:42' --reason 'litigation 26-114'
  $ daybook hold place --query 'actor:usr_7 occurred:2026-01..2026-06' --reason 'audit 2026'
  $ daybook hold place --all --reason 'litigation 26-115'`,
		Annotations: map[string]string{fieldsNote: holds.fields, exitsNote: "0 placed · 2 the query is wrong · 3 there is no such log · 4 not allowed"},
		Args:        exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case (text == "") == !all:
				return usage("say what to keep: --query QUERY, or --all for the whole log")
			case reason == "":
				return usage("--reason says why")
			}
			return holds.show(e, func(c *client.Client) (client.Hold, error) {
				h, err := c.PlaceHold(cmd.Context(), text, reason)
				return h, cannot("place the hold", err)
			})
		},
	}
	cmd.Flags().StringVar(&text, "query", "", "what to keep")
	cmd.Flags().BoolVar(&all, "all", false, "keep the whole log, and all that is to come")
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}

func newHoldRelease(e *env) *cobra.Command {
	var reason string
	var yes bool
	cmd := &cobra.Command{
		Use: "release ID", Short: "End a hold",
		Long: `What had to wait for its sake is removed then.`,
		Example: `  $ daybook hold release hold_01m7w2y7m0f2sav0xm2zm5q97j --reason 'settled'
  $ daybook hold release hold_01m7w2y7m0f2sav0xm2zm5q97j --reason 'settled' --yes
  $ daybook hold release hold_01m7w2y7m0f2sav0xm2zm5q97j --reason 'settled' --yes -o json`,
		Annotations: map[string]string{fieldsNote: holds.fields, exitsNote: "0 released · 2 not confirmed · 3 there is none · 4 not allowed"},
		Args:        exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usage("--reason says why")
			}
			if err := e.confirm(yes, "what "+args[0]+" keeps may be erased and removed then"); err != nil {
				return err
			}
			return holds.show(e, func(c *client.Client) (client.Hold, error) {
				h, err := c.ReleaseHold(cmd.Context(), args[0], reason)
				return h, cannot("release "+args[0], err)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
