package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daybook-audit/daybook/client"
)

func newTail(e *env) *cobra.Command {
	var since, cols string
	var from int64
	var noFollow bool
	cmd := &cobra.Command{
		Use: "tail [QUERY]", Short: "Follow the log",
		Long: `Prints entries as they are recorded, in order and without a gap: when the connection ends, it goes on where it stopped.`,
		Example: `  $ daybook tail                                                  # what happens from now on
  $ daybook tail 'outcome:failure,denied' --since 1h
  $ daybook tail --from-seq 0 --no-follow -o ndjson > log.ndjson  # everything there is`,
		Annotations:       map[string]string{queryNote: "yes", fieldsNote: entryFields, exitsNote: "0 done · 2 bad query · 4 not allowed · 130 interrupted"},
		ValidArgsFunction: e.completeQuery,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			return e.queryFailure("follow the log", text, e.tail(cmd.Context(), text, tailFlags{since: since, cols: cols, from: from, fromSet: cmd.Flags().Changed("from-seq"), once: noFollow}))
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&since, "since", "", "first what happened from this time on: 1h, 2026-11-21T14:00")
	fl.Int64Var(&from, "from-seq", 0, "first what was recorded from this position on")
	fl.BoolVar(&noFollow, "no-follow", false, "stop at the end of the log")
	fl.StringVar(&cols, "cols", "", "columns: "+columnNames())
	return cmd
}

type tailFlags struct {
	since, cols string
	from        int64
	fromSet     bool
	once        bool
}

func (e *env) tail(ctx context.Context, text string, f tailFlags) error {
	if f.since != "" && f.fromSet {
		return usage("--since and --from-seq exclude each other")
	}
	_, zone, err := e.zone()
	if err != nil {
		return err
	}
	p, err := e.entryPrinter(f.cols)
	if err != nil {
		return err
	}
	c, err := e.connect()
	if err != nil {
		return err
	}
	next := int64(-1)
	if f.fromSet {
		next = f.from
	}
	past := client.Query{Text: text, TZ: zone, Asc: true, Limit: 1000}
	if f.since != "" {
		if past.From, err = (&listFlags{}).moment("since", f.since); err != nil {
			return err
		}
	}
	if f.fromSet {
		past.Text = strings.TrimSpace("seq:>=" + strconv.FormatInt(f.from, 10) + " " + grouped(text))
	}
	if f.since != "" || f.once {
		if next, err = e.past(ctx, c, past, p); err != nil || f.once {
			return errors.Join(err, p.end())
		}
	}
	return e.follow(ctx, c, client.TailQuery{Text: text, TZ: zone, FromSeq: next}, p)
}

// past prints what is there already and returns the position to follow from: the size that every page saw.
func (e *env) past(ctx context.Context, c *client.Client, q client.Query, p *entryPrinter) (int64, error) {
	size := int64(-1)
	for {
		page, err := c.Events(ctx, q)
		if err != nil {
			return 0, err
		}
		if size < 0 {
			size = page.Size
		}
		for i := range page.Entries {
			if err := p.entry(&page.Entries[i]); err != nil {
				return 0, err
			}
		}
		if err := p.flush(); err != nil {
			return 0, err
		}
		if page.NextCursor == "" {
			return size, nil
		}
		q = client.Query{Limit: q.Limit, Cursor: page.NextCursor}
	}
}

// follow prints what comes, each entry at once.
func (e *env) follow(ctx context.Context, c *client.Client, q client.TailQuery, p *entryPrinter) error {
	e.note("following; stop with Ctrl-C")
	for step, err := range c.Tail(ctx, q) {
		if err != nil {
			if ctx.Err() != nil {
				if endErr := p.end(); endErr != nil {
					return endErr
				}
				return context.Cause(ctx)
			}
			return err
		}
		if step.Entry == nil {
			continue
		}
		if err := p.entry(step.Entry); err != nil {
			return err
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
	return p.end()
}

// grouped puts a query into parentheses, so that another condition can stand beside it.
func grouped(text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return "(" + text + ")"
}
